// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Ending the calls of an endpoint from outside. */
#include "ipc.h"

/* A call that waits for a message of anybody; NULL: none does. */
static struct dvs_call *receives_any(const struct dvs_ep *ep)
{
	struct dvs_list *p;

	dvs_for_each(p, &ep->receivers) {
		struct dvs_call *call = dvs_entry(p, struct dvs_call, link);

		if (call->filter.nr == DVS_ANY)
			return call;
	}
	return (void *)0;
}

int dvs_wakeup(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep, dvs_s32 nr,
	       dvs_u64 now)
{
	struct dvs_ep *local = dvs_ep_lookup(c, nr, DVS_EP_BOUND);
	dvs_s32 result = dvs_check_caller(c, ep, DVS_MAY_WAKEUP);
	struct dvs_addr dst = { .nr = nr, .gen = 0 };
	struct dvs_call *receiver;

	if (!result && !dvs_number_valid(c, nr))
		result = DVS_ERANGE;
	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_WAKEUP, 0, now);
	if (!local) {
		result = dvs_op_start(c, call, dst, DVS_K_NOP, 0);
		if (result)
			dvs_call_finish(c, call, result);
		return dvs_call_end_start(c, call);
	}
	if (local->moving.state) {
		dvs_call_finish(c, call, DVS_EMIGRATE);
		return dvs_call_started(call);
	}
	receiver = receives_any(local);
	local->woken = !receiver;
	if (receiver)
		dvs_call_finish(c, receiver, DVS_EWOKENUP);
	dvs_call_finish(c, call, receiver ? DVS_OK : DVS_EPROCRUN);
	return dvs_call_started(call);
}

static void end_all(struct dvs_core *c, struct dvs_list *calls)
{
	while (!dvs_list_empty(calls)) {
		struct dvs_call *call = dvs_entry(calls->next, struct dvs_call, link);

		if (call->operation)
			(void)dvs_op_abandon(c, call->operation);
		dvs_call_finish(c, call, DVS_ESHUTDOWN);
	}
}

void dvs_ep_shutdown(struct dvs_core *c, struct dvs_ep *ep, dvs_u64 now)
{
	c->now = now;
	end_all(c, &ep->senders);
	end_all(c, &ep->receivers);
	dvs_core_flush(c);
}
