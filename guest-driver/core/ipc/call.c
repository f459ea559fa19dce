// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* The calls of local processes: checks in the reference's order, then local or far. */
#include "ipc.h"

void dvs_call_begin(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
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
	call->ep = ep;
	call->dest = (void *)0;
	call->operation = (void *)0;
	dvs_list_init(&call->link);
	dvs_list_init(&call->wait);
	dvs_list_init(&call->req.link);
	if (ep)
		dvs_list_push(what == DVS_CALL_RECEIVE ? &ep->receivers : &ep->senders,
			      &call->link);
}

void dvs_call_finish(struct dvs_core *c, struct dvs_call *call, dvs_s32 result)
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
	if (wake)
		c->ops.wake(c->ctx, call);
}

int dvs_call_started(struct dvs_call *call)
{
	if (call->state == DVS_CALL_DONE)
		return call->result;
	call->state = DVS_CALL_WAITING;
	return DVS_PENDING;
}

int dvs_number_valid(const struct dvs_core *c, dvs_s32 nr)
{
	return nr >= -c->id.nr_tasks && nr < c->id.nr_procs && nr != DVS_ANY &&
	       nr != DVS_NONE && nr != DVS_SELF;
}

static dvs_s32 check_caller(const struct dvs_core *c, const struct dvs_ep *ep)
{
	if (c->stopped)
		return DVS_ENOTCONN;
	return ep && ep->state == DVS_EP_BOUND ? DVS_OK : DVS_ENOTBIND;
}

static dvs_s32 check_destination(const struct dvs_core *c, const struct dvs_ep *ep,
				 struct dvs_addr dst)
{
	if (!dvs_number_valid(c, dst.nr))
		return DVS_ERANGE;
	if (dst.nr == DVS_HARDWARE || dst.nr == ep->addr.nr)
		return DVS_EBADDEST;
	return DVS_OK;
}

static dvs_s32 check_send(const struct dvs_core *c, const struct dvs_ep *ep,
			  struct dvs_addr dst, const struct dvs_call *call)
{
	dvs_s32 result = check_caller(c, ep);

	if (!result)
		result = check_destination(c, ep, dst);
	if (!result && call->send_len > DVS_MSG_PAYLOAD_MAX)
		result = DVS_EMSGSIZE;
	return result;
}

static int finish_start(struct dvs_core *c, struct dvs_call *call)
{
	dvs_core_flush(c);
	return dvs_call_started(call);
}

void dvs_call_send_local(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *dst,
			 dvs_u32 gen, dvs_u8 kind)
{
	struct dvs_req *req = &call->req;

	if (gen && gen != dst->addr.gen) {
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
	if (dvs_queue_deliver(c, dst, req))
		return;
	if (call->flags & DVS_CALL_NOWAIT)
		dvs_call_finish(c, call, DVS_EAGAIN);
	else
		dvs_queue_add(c, dst, req);
}

static void send_to(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst, int request)
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

/* Answers a request that this endpoint has taken. */
static void answer(struct dvs_core *c, struct dvs_call *call, struct dvs_req *req)
{
	struct dvs_call *client = req->call;
	dvs_u32 n;

	dvs_list_del(&req->link);
	if (!client) {
		dvs_held_reply(c, req, call->send_buf, call->send_len);
		return;
	}
	n = call->send_len < client->recv_cap ? call->send_len : client->recv_cap;
	dvs_copy(client->recv_buf, call->send_buf, n);
	client->recv_len = call->send_len;
	client->peer = call->ep->addr;
	client->kind = DVS_KIND_REPLY;
	c->stats.local_messages++;
	dvs_call_finish(c, client, DVS_OK);
}

int dvs_send(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
	     struct dvs_addr dst, dvs_u32 flags, dvs_u64 now)
{
	dvs_s32 result = check_send(c, ep, dst, call);
	struct dvs_req *open;

	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_SEND, flags, now);
	open = dvs_queue_open(ep, dst.nr, dst.gen, 0);
	if (open) {
		answer(c, call, open);
		dvs_call_finish(c, call, DVS_OK);
	} else {
		send_to(c, call, dst, 0);
	}
	return finish_start(c, call);
}

int dvs_sendrec(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
		struct dvs_addr dst, dvs_u32 flags, dvs_u64 now)
{
	dvs_s32 result = check_send(c, ep, dst, call);

	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_SENDREC, flags, now);
	send_to(c, call, dst, 1);
	return finish_start(c, call);
}

int dvs_reply(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
	      struct dvs_addr dst, dvs_u64 token, dvs_u64 now)
{
	dvs_s32 result = check_send(c, ep, dst, call);
	struct dvs_req *open;
	struct dvs_ep *local;

	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_REPLY, 0, now);
	open = dvs_queue_open(ep, dst.nr, dst.gen, token);
	local = dvs_ep_lookup(c, dst.nr, DVS_EP_BOUND);
	if (open) {
		answer(c, call, open);
		dvs_call_finish(c, call, DVS_OK);
	} else if (local) {
		dvs_call_finish(c, call, dst.gen && dst.gen != local->addr.gen ? DVS_EENDPOINT
										: DVS_EPROCSTS);
	} else {
		/* Nobody far waits for this: whether it lives decides about the error. */
		result = dvs_op_start(c, call, dst, DVS_K_NOP, 0);
		if (result)
			dvs_call_finish(c, call, result);
	}
	return finish_start(c, call);
}

int dvs_notify(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
	       struct dvs_addr dst, dvs_u64 now)
{
	dvs_s32 result = check_caller(c, ep);
	struct dvs_ep *local;

	if (!result)
		result = check_destination(c, ep, dst);
	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_NOTIFY, 0, now);
	local = dvs_ep_lookup(c, dst.nr, DVS_EP_BOUND);
	if (!local) {
		result = dvs_op_start(c, call, dst, DVS_K_NTF, 0);
		if (result)
			dvs_call_finish(c, call, result);
	} else if (dst.gen && dst.gen != local->addr.gen) {
		dvs_call_finish(c, call, DVS_EENDPOINT);
	} else {
		dvs_queue_notify_local(c, ep, local);
		dvs_call_finish(c, call, DVS_OK);
	}
	return finish_start(c, call);
}

int dvs_receive(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
		struct dvs_addr from, dvs_u32 flags, dvs_u64 now)
{
	dvs_s32 result = check_caller(c, ep);
	struct dvs_ep *local;

	if (!result && from.nr != DVS_ANY)
		result = check_destination(c, ep, from);
	if (result)
		return result;
	dvs_call_begin(c, call, ep, DVS_CALL_RECEIVE, flags, now);
	call->filter = from;
	if (dvs_queue_take(c, ep, call))
		return finish_start(c, call);
	if (flags & DVS_CALL_NOWAIT)
		result = DVS_EAGAIN;
	else if (from.nr != DVS_ANY) {
		local = dvs_ep_lookup(c, from.nr, DVS_EP_BOUND);
		if (!local)
			result = dvs_dest_watch(c, call);
		else if (from.gen && from.gen != local->addr.gen)
			result = DVS_EENDPOINT;
	}
	if (result)
		dvs_call_finish(c, call, result);
	return finish_start(c, call);
}

int dvs_call_cancel(struct dvs_core *c, struct dvs_call *call, dvs_s32 why, dvs_u64 now)
{
	int result = why;

	c->now = now;
	if (call->state == DVS_CALL_DONE)
		return call->result;
	if (call->operation)
		result = dvs_op_cancel(c, call->operation, why);
	if (result != DVS_PENDING) {
		call->state = DVS_CALL_STARTING; /* its caller is here: no wake */
		dvs_call_finish(c, call, why);
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
	if (call->operation)
		result = dvs_op_abandon(c, call->operation);
	call->state = DVS_CALL_STARTING; /* its caller is here: no wake */
	dvs_call_finish(c, call, result);
	return result;
}
