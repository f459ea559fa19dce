// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/*
 * Waiting for an endpoint to come to be, or to end. The node tells of the first,
 * whichever VM it is in; the second is told by the endpoint's own VM.
 */
#include "ipc.h"

static struct dvs_awaited *find(struct dvs_core *c, dvs_s32 nr)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++)
		if (c->awaited[i].used && !c->awaited[i].forget && c->awaited[i].nr == nr)
			return &c->awaited[i];
	return (void *)0;
}

static struct dvs_awaited *allocate(struct dvs_core *c, dvs_s32 nr)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_awaited *a = &c->awaited[i];

		if (a->used)
			continue;
		a->used = 1;
		a->forget = 0;
		a->ctl = DVS_CTL_IDLE;
		a->nr = nr;
		a->nonce = ++c->next_nonce;
		dvs_list_init(&a->calls);
		return a;
	}
	return (void *)0;
}

static void release(struct dvs_awaited *a)
{
	a->used = 0;
	a->ctl = DVS_CTL_IDLE;
}

void dvs_await_ask(struct dvs_core *c, struct dvs_awaited *a)
{
	struct dvs_ctl_request r = {
		.op = a->forget ? DVS_CTL_FORGET : DVS_CTL_AWAIT,
		.nonce = a->nonce,
		.ep = a->nr,
	};

	dvs_control_ask(c, &a->ctl, &r);
	/* That nobody waits has no result. */
	if (a->forget && a->ctl == DVS_CTL_ASKED)
		release(a);
}

/* The place is free before anybody is woken. */
static void end_all(struct dvs_core *c, struct dvs_awaited *a, struct dvs_addr addr,
		    dvs_s32 result)
{
	struct dvs_list calls;

	dvs_list_move(&calls, &a->calls);
	release(a);
	while (!dvs_list_empty(&calls)) {
		struct dvs_call *call = dvs_entry(calls.next, struct dvs_call, wait);

		if (!result)
			call->peer = addr;
		dvs_call_finish(c, call, result);
	}
}

static int answered(struct dvs_core *c, dvs_u64 nonce, struct dvs_addr addr, dvs_s32 result)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_awaited *a = &c->awaited[i];

		if (!a->used || a->forget || a->ctl < DVS_CTL_ASKED || a->nonce != nonce)
			continue;
		addr.nr = a->nr;
		end_all(c, a, addr, result);
		return 1;
	}
	return 0;
}

int dvs_await_found(struct dvs_core *c, const struct dvs_frame *f)
{
	struct dvs_addr addr = { .gen = f->dst_gen };

	return answered(c, f->op, addr, f->result ? dvs_clamp_error(f->result) : DVS_OK);
}

int dvs_await_refused(struct dvs_core *c, dvs_u64 nonce, dvs_s32 result)
{
	struct dvs_addr nowhere = { .gen = 0 };

	return answered(c, nonce, nowhere, result);
}

void dvs_await_left(struct dvs_core *c, const struct dvs_call *call)
{
	struct dvs_awaited *a = find(c, call->filter.nr);

	if (!a || !dvs_list_empty(&a->calls) || c->stopped)
		return;
	a->forget = 1;
	dvs_await_ask(c, a);
}

void dvs_await_device_gone(struct dvs_core *c)
{
	struct dvs_addr nowhere = { .gen = 0 };
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++)
		if (c->awaited[i].used)
			end_all(c, &c->awaited[i], nowhere, DVS_ENOTCONN);
}

/* Also programs without an endpoint may wait. */
static dvs_s32 check(const struct dvs_core *c, const struct dvs_ep *ep, dvs_s32 nr)
{
	dvs_s32 result = DVS_OK;

	if (ep)
		result = dvs_check_caller(c, ep, DVS_MAY_WAIT4BIND);
	else if (c->stopped)
		result = DVS_ENOTCONN;
	return result || dvs_number_valid(c, nr) ? result : DVS_ERANGE;
}

int dvs_await_bind(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep, dvs_s32 nr,
		   dvs_u64 now)
{
	struct dvs_ep *local = dvs_ep_lookup(c, nr, DVS_EP_BOUND);
	dvs_s32 result = check(c, ep, nr);
	struct dvs_awaited *a;

	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_AWAIT_BIND, 0, now);
	call->filter.nr = nr;
	call->filter.gen = 0;
	if (local) {
		call->peer = local->addr;
		dvs_call_finish(c, call, DVS_OK);
		return dvs_call_started(call);
	}
	a = find(c, nr);
	if (!a)
		a = allocate(c, nr);
	if (!a) {
		dvs_call_finish(c, call, DVS_EALLOCMEM);
		return dvs_call_started(call);
	}
	dvs_list_push(&a->calls, &call->wait);
	if (a->ctl == DVS_CTL_IDLE)
		dvs_await_ask(c, a);
	return dvs_call_started(call);
}

int dvs_await_unbind(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep, dvs_s32 nr,
		     dvs_u64 now)
{
	struct dvs_ep *local = dvs_ep_lookup(c, nr, DVS_EP_BOUND);
	dvs_s32 result = check(c, ep, nr);

	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_AWAIT_UNBIND, 0, now);
	call->filter.nr = nr;
	call->filter.gen = 0;
	if (local)
		dvs_list_push(&local->leavers, &call->wait);
	else
		result = dvs_dest_watch(c, call);
	if (result)
		dvs_call_finish(c, call, result);
	return dvs_call_end_start(c, call);
}
