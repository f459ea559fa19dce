// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* The calls of local processes: checks in the reference's order, then local or far. */
#include "copying.h"

void DVS_HOT dvs_call_begin(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
		    dvs_u8 what, dvs_u32 flags, dvs_u64 now)
{
	c->now = now;
	call->result = DVS_OK;
	call->recv_len = 0;
	call->peer.nr = DVS_NONE;
	call->peer.gen = 0;
	call->kind = DVS_KIND_NONE;
	call->token = 0;
	call->what = what;
	call->state = DVS_CALL_STARTING;
	call->flags = (dvs_u8)flags;
	call->deciding = 0;
	call->ep = ep;
	call->dest = (void *)0;
	call->operation = (void *)0;
	call->copying = (void *)0;
	call->req.dst = (void *)0;
	dvs_list_init(&call->link);
	dvs_list_init(&call->wait);
	dvs_list_init(&call->sides);
	dvs_list_init(&call->req.link);
	call->req.token = 0;
	call->req.dst = (void *)0;
	if (ep)
		dvs_list_push(what == DVS_CALL_RECEIVE ? &ep->receivers : &ep->senders,
			      &call->link);
}

void DVS_HOT dvs_call_finish(struct dvs_core *c, struct dvs_call *call, dvs_s32 result)
{
	int wake = call->state == DVS_CALL_WAITING;

	dvs_list_del(&call->link);
	dvs_list_del(&call->wait);
	dvs_list_del(&call->req.link);
	if (call->operation)
		call->operation->call = (void *)0;
	call->operation = (void *)0;
	call->state = DVS_CALL_DONE;
	call->result = result;
	if (call->what == DVS_CALL_AWAIT_BIND)
		dvs_await_left(c, call);
	if (call->what == DVS_CALL_ADOPT)
		dvs_adopt_left(c, call);
	if (call->copying)
		dvs_copy_drop(c, call);
	if (!dvs_party_leave(c, call))
		call->state = DVS_CALL_LEAVING;
	else if (wake)
		dvs_call_wake(c, call);
}

void DVS_HOT dvs_call_wake(struct dvs_core *c, struct dvs_call *call)
{
	if (call->what <= DVS_CALL_ADOPT || !dvs_order_ended(c, call))
		c->ops.wake(c->ctx, call);
}

int DVS_HOT dvs_call_started(struct dvs_call *call)
{
	if (call->state == DVS_CALL_DONE)
		return call->result;
	call->state = DVS_CALL_WAITING;
	return DVS_PENDING;
}

int DVS_HOT dvs_call_end_start(struct dvs_core *c, struct dvs_call *call)
{
	int result;

	/* A call that ends by this wakes nobody: its caller is here. */
	dvs_core_flush(c);
	result = dvs_call_started(call);
	/* That it waits now may be what copies of others wait for. */
	if (result == DVS_PENDING && c->restless)
		dvs_core_flush(c);
	return result;
}

void DVS_HOT dvs_call_send_local(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *dst,
			 dvs_u32 gen, dvs_u8 kind)
{
	struct dvs_req *req = &call->req;

	if (!dvs_ep_is(dst, gen)) {
		dvs_call_finish(c, call, DVS_EENDPOINT);
		return;
	}
	req->dst = dst;
	req->call = call;
	req->chan = (void *)0;
	req->src = call->ep->addr;
	req->data = call->send_buf;
	req->len = call->send_len;
	req->kind = kind;
	c->stats.local_messages++;
	call->ep->lclsent++;
	if (dvs_queue_deliver(c, dst, req))
		return;
	if (call->flags & DVS_CALL_NOWAIT)
		dvs_call_finish(c, call, DVS_EAGAIN);
	else if (dvs_call_closes_cycle(c, call, dst))
		dvs_call_finish(c, call, DVS_ELOCKED);
	else if (!dvs_move_stalls(dst, req))
		dvs_queue_add(c, dst, req);
}

void DVS_HOT dvs_call_send(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst, int request)
{
	struct dvs_ep *local = dvs_ep_lookup(c, dst.nr, DVS_EP_BOUND);
	int result;

	if (local) {
		dvs_call_send_local(c, call, local, dst.gen,
				    request ? DVS_KIND_REQUEST : DVS_KIND_MESSAGE);
		return;
	}
	result = dvs_op_start(c, call, dst, request ? DVS_K_REQ : DVS_K_MSG, call->flags);
	if (result)
		dvs_call_finish(c, call, result);
}

void dvs_call_again(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst)
{
	call->req.token = call->what == DVS_CALL_NOTIFY ? call->req.token : 0;
	if (call->what == DVS_CALL_COPY)
		dvs_copy_again(c, call->copying);
	else if (call->what == DVS_CALL_NOTIFY)
		dvs_note_again(c, call, dst);
	else
		dvs_call_send(c, call, dst, call->what == DVS_CALL_SENDREC);
}

void DVS_HOT dvs_call_replied(struct dvs_call *call, struct dvs_addr server, const void *data,
			      dvs_u32 len)
{
	dvs_copy(call->recv_buf, data, len < call->recv_cap ? len : call->recv_cap);
	call->recv_len = len;
	call->peer = server;
	call->kind = DVS_KIND_REPLY;
}

/* Answers a request that this endpoint has taken. */
static void DVS_HOT answer(struct dvs_core *c, struct dvs_call *call, struct dvs_req *req)
{
	struct dvs_call *client = req->call;

	dvs_list_del(&req->link);
	if (!client) {
		call->ep->rmtsent++;
		dvs_held_reply(c, req, call->send_buf, call->send_len);
		return;
	}
	dvs_call_replied(client, call->ep->addr, call->send_buf, call->send_len);
	c->stats.local_messages++;
	call->ep->lclsent++;
	dvs_call_finish(c, client, DVS_OK);
}

/* The same of one that it took in another VM. 0: there is none. */
static int DVS_HOT answer_claim(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst,
				dvs_u64 token)
{
	struct dvs_claim *claim = dvs_claim_of(call->ep, dst, token);

	if (!claim)
		return 0;
	call->ep->rmtsent++;
	dvs_claim_answer(c, claim, DVS_K_RPL, dst, call->send_buf, call->send_len);
	dvs_call_finish(c, call, DVS_OK);
	return 1;
}

static dvs_s32 check_begin(const struct dvs_core *c, const struct dvs_ep *ep,
			   struct dvs_addr dst, dvs_u32 may)
{
	dvs_s32 result = dvs_check_caller(c, ep, may);

	return result ? result : dvs_check_destination(c, ep, dst);
}

int dvs_send(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
	     struct dvs_addr dst, dvs_u32 flags, dvs_u64 now)
{
	dvs_s32 result = check_begin(c, ep, dst, DVS_MAY_SEND);
	struct dvs_req *open = result ? (void *)0 : dvs_queue_open(ep, dst.nr, dst.gen, 0);
	struct dvs_claim *claim = result ? (void *)0 : dvs_claim_of(ep, dst, 0);

	if (!result && !open && !claim)
		result = dvs_check_ipc_to(c, ep, dst.nr);
	if (!result)
		result = dvs_check_size(call);
	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_SEND, flags, now);
	if (claim) {
		(void)answer_claim(c, call, dst, 0);
	} else if (open) {
		answer(c, call, open);
		dvs_call_finish(c, call, DVS_OK);
	} else {
		dvs_call_send(c, call, dst, 0);
	}
	return dvs_call_end_start(c, call);
}

int DVS_HOT dvs_sendrec(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
		struct dvs_addr dst, dvs_u32 flags, dvs_u64 now)
{
	dvs_s32 result = check_begin(c, ep, dst, DVS_MAY_SENDREC);

	if (!result)
		result = dvs_check_ipc_to(c, ep, dst.nr);
	if (!result)
		result = dvs_check_size(call);
	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_SENDREC, flags, now);
	dvs_call_send(c, call, dst, 1);
	return dvs_call_end_start(c, call);
}

int DVS_HOT dvs_reply(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
	      struct dvs_addr dst, dvs_u64 token, dvs_u64 now)
{
	dvs_s32 result = check_begin(c, ep, dst, DVS_MAY_REPLY);
	struct dvs_req *open;
	struct dvs_ep *local;

	/* Not whom it may send to: it answers. */
	if (!result)
		result = dvs_check_size(call);
	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_REPLY, 0, now);
	if (answer_claim(c, call, dst, token))
		return dvs_call_end_start(c, call);
	open = dvs_queue_open(ep, dst.nr, dst.gen, token);
	local = dvs_ep_lookup(c, dst.nr, DVS_EP_BOUND);
	if (open) {
		answer(c, call, open);
		dvs_call_finish(c, call, DVS_OK);
	} else if (local) {
		dvs_call_finish(c, call, dvs_ep_is(local, dst.gen) ? DVS_EPROCSTS : DVS_EENDPOINT);
	} else {
		/* Nobody far waits for this: whether it lives decides about the error. */
		result = dvs_op_start(c, call, dst, DVS_K_NOP, 0);
		if (result)
			dvs_call_finish(c, call, result);
	}
	return dvs_call_end_start(c, call);
}

static dvs_s32 check_receive(const struct dvs_core *c, const struct dvs_ep *ep,
			     struct dvs_addr from, dvs_u32 flags)
{
	int requests = flags & DVS_CALL_REQUESTS;
	dvs_s32 result = dvs_check_caller(c, ep, requests ? DVS_MAY_RCVRQST : DVS_MAY_RECEIVE);

	if (!result && requests && !dvs_number_system(c, ep->addr.nr))
		result = DVS_EBADCALL;
	if (!result && from.nr != DVS_ANY)
		result = dvs_check_destination(c, ep, from);
	return result;
}

int DVS_HOT dvs_receive(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
		struct dvs_addr from, dvs_u32 flags, dvs_u64 now)
{
	dvs_s32 result = check_receive(c, ep, from, flags);
	struct dvs_ep *local;

	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_RECEIVE, flags, now);
	call->filter = dvs_known_here(c, from);
	if (from.nr == DVS_ANY && ep->woken) {
		ep->woken = 0;
		dvs_call_finish(c, call, DVS_EWOKENUP);
		return dvs_call_end_start(c, call);
	}
	if (dvs_queue_take(c, ep, call))
		return dvs_call_end_start(c, call);
	if (flags & DVS_CALL_NOWAIT)
		result = DVS_EAGAIN;
	else if (from.nr != DVS_ANY) {
		local = dvs_ep_lookup(c, from.nr, DVS_EP_BOUND);
		if (!local)
			result = dvs_dest_watch(c, call);
		else if (!dvs_ep_is(local, from.gen))
			result = DVS_EENDPOINT;
	}
	if (result)
		dvs_call_finish(c, call, result);
	return dvs_call_end_start(c, call);
}

int dvs_call_cancel(struct dvs_core *c, struct dvs_call *call, dvs_s32 why, dvs_u64 now)
{
	int result = why;

	c->now = now;
	if (call->state == DVS_CALL_DONE)
		return call->result;
	if (call->state == DVS_CALL_LEAVING)
		return DVS_PENDING;
	if (call->operation)
		result = dvs_op_cancel(c, call->operation, why);
	else if (call->copying)
		result = dvs_copy_cancel(c, call, why);
	else if (call->what > DVS_CALL_ADOPT)
		result = dvs_move_cancel(c, call, why);
	else if (call->deciding)
		result = DVS_PENDING; /* the directory decides */
	if (result != DVS_PENDING) {
		call->state = DVS_CALL_STARTING; /* its caller is here: no wake */
		dvs_call_finish(c, call, result);
		if (call->state == DVS_CALL_LEAVING)
			result = DVS_PENDING;
	}
	dvs_core_flush(c);
	return result;
}

int dvs_call_abandon(struct dvs_core *c, struct dvs_call *call, dvs_u64 now)
{
	dvs_s32 result = DVS_EINTR;

	c->now = now;
	if (call->state == DVS_CALL_DONE)
		return call->result;
	if (call->state == DVS_CALL_LEAVING)
		result = call->result;
	else if (call->operation)
		result = dvs_op_abandon(c, call->operation);
	else if (call->copying && call->copying->why)
		result = call->copying->why;
	else if (call->what == DVS_CALL_MOVE_COMMIT && call->result)
		result = call->result;
	call->state = DVS_CALL_STARTING; /* its caller is here: no wake */
	if (call->copying)
		dvs_copy_drop(c, call);
	dvs_party_abandon(c, call);
	dvs_call_finish(c, call, result);
	dvs_core_flush(c);
	return result;
}
