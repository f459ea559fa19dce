// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* The calls by which an endpoint is moved: what follows from them is in depart.c and adopt.c. */
#include "ipc.h"

static int waits(const struct dvs_ep *ep, dvs_u8 what)
{
	struct dvs_list *p;

	dvs_for_each(p, &ep->moving.calls)
		if (dvs_entry(p, struct dvs_call, wait)->what == what)
			return 1;
	return 0;
}

/* The endpoint, if it is here; else the call ends with the reason, maybe after a look-up. */
static struct dvs_ep *find(struct dvs_core *c, struct dvs_call *call, dvs_s32 nr, dvs_u8 what,
			   dvs_u64 now)
{
	struct dvs_addr dst = { .nr = nr, .gen = 0 };
	struct dvs_ep *ep;
	dvs_s32 result = DVS_OK;

	dvs_call_begin(c, call, (void *)0, what, 0, now);
	if (c->stopped)
		result = DVS_ENOTCONN;
	else if (!dvs_number_valid(c, nr))
		result = DVS_ERANGE;
	ep = dvs_ep_lookup(c, nr, DVS_EP_BOUND);
	if (!result && !ep)
		result = dvs_op_start(c, call, dst, DVS_K_NOP, 0);
	if (result)
		dvs_call_finish(c, call, result);
	return result ? (void *)0 : ep;
}

int dvs_migrate_start(struct dvs_core *c, struct dvs_call *call, dvs_s32 nr, dvs_u64 token,
		      dvs_u64 now)
{
	struct dvs_ep *ep = find(c, call, nr, DVS_CALL_MOVE_START, now);

	if (!ep)
		return dvs_call_end_start(c, call);
	if (!token) {
		dvs_call_finish(c, call, DVS_EINVAL);
		return dvs_call_end_start(c, call);
	}
	if (ep->moving.state == DVS_MOVE_NONE) {
		dvs_move_set(c, ep, DVS_MOVE_STARTING);
		ep->moving.token = token;
		ep->moving.back = 0;
		ep->moving.leave = 0;
	}
	call->token = ep->moving.token;
	if (ep->moving.state == DVS_MOVE_STARTING)
		dvs_list_push(&ep->moving.calls, &call->wait);
	else
		dvs_call_finish(c, call, DVS_OK);
	return dvs_call_end_start(c, call);
}

int dvs_migrate_commit(struct dvs_core *c, struct dvs_call *call, dvs_s32 nr, dvs_u32 vm,
		       dvs_u64 now)
{
	struct dvs_ep *ep = find(c, call, nr, DVS_CALL_MOVE_COMMIT, now);

	if (ep && ep->moving.state < DVS_MOVE_READY) {
		dvs_call_finish(c, call, DVS_EPROCSTS);
	} else if (ep) {
		dvs_list_push(&ep->moving.calls, &call->wait);
		if (ep->moving.state <= DVS_MOVE_AGREED) {
			ep->moving.vm = vm;
			dvs_move_set(c, ep, DVS_MOVE_AGREED);
			dvs_move_next(c, ep);
		}
	}
	return dvs_call_end_start(c, call);
}

int dvs_migrate_rollback(struct dvs_core *c, struct dvs_call *call, dvs_s32 nr, dvs_u64 now)
{
	struct dvs_ep *ep = find(c, call, nr, DVS_CALL_MOVE_ROLLBACK, now);

	if (ep && ep->moving.state == DVS_MOVE_NONE) {
		dvs_call_finish(c, call, DVS_EMIGRATE);
	} else if (ep) {
		dvs_list_push(&ep->moving.calls, &call->wait);
		ep->moving.back = 1;
		if (ep->moving.state < DVS_MOVE_OFFERING)
			dvs_move_back(c, ep);
		else
			dvs_move_withdraw(c, ep, DVS_EPROCSTS);
	}
	return dvs_call_end_start(c, call);
}

int dvs_migrate_stay(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep, dvs_u64 now)
{
	if (c->stopped)
		return DVS_ENOTCONN;
	if (ep->state != DVS_EP_BOUND)
		return ep->moving.moved ? DVS_EMIGRATE : DVS_ENOTBIND;
	if (ep->moving.state == DVS_MOVE_NONE)
		return DVS_OK;
	dvs_call_begin(c, call, (void *)0, DVS_CALL_MOVE_STAY, 0, now);
	dvs_list_push(&ep->moving.calls, &call->wait);
	return dvs_call_started(call);
}

/* The endpoint in whose migration this call waits. */
static struct dvs_ep *of_call(struct dvs_core *c, const struct dvs_call *call)
{
	struct dvs_list *p;
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++)
		dvs_for_each(p, &c->ep[i].moving.calls)
			if (p == &call->wait)
				return &c->ep[i];
	return (void *)0;
}

int dvs_move_cancel(struct dvs_core *c, struct dvs_call *call, dvs_s32 why)
{
	struct dvs_ep *ep = of_call(c, call);

	if (!ep)
		return why;
	/* It has moved; only not everybody knows. */
	if (ep->moving.moved)
		return DVS_OK;
	if (call->what == DVS_CALL_MOVE_COMMIT && ep->moving.state >= DVS_MOVE_OFFERING) {
		dvs_move_withdraw(c, ep, why);
		call->result = why; /* of one that is abandoned before the directory has said */
		return DVS_PENDING;
	}
	dvs_list_del(&call->wait);
	if (call->what == DVS_CALL_MOVE_START && ep->moving.state == DVS_MOVE_STARTING &&
	    !waits(ep, DVS_CALL_MOVE_START))
		dvs_move_back(c, ep);
	if (call->what == DVS_CALL_MOVE_COMMIT && ep->moving.state == DVS_MOVE_AGREED &&
	    !waits(ep, DVS_CALL_MOVE_COMMIT))
		dvs_move_set(c, ep, DVS_MOVE_READY);
	return why;
}
