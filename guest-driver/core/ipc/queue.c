// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Messages at an endpoint of this VM: first come first served, notifications first. */
#include "ipc.h"

static int wants(const struct dvs_call *call, const struct dvs_req *req)
{
	if ((call->flags & DVS_CALL_REQUESTS) && req->kind != DVS_KIND_REQUEST)
		return 0;
	return dvs_matches(call->filter, req->src);
}

/* The rendezvous: the receiver gets the message, the sender its result. */
static void give(struct dvs_core *c, struct dvs_call *receiver, struct dvs_req *req)
{
	dvs_u32 n = req->len < receiver->recv_cap ? req->len : receiver->recv_cap;

	dvs_copy(receiver->recv_buf, req->data, n);
	receiver->recv_len = req->len;
	receiver->peer = req->src;
	receiver->kind = req->kind;
	dvs_list_del(&req->link);
	if (req->kind == DVS_KIND_REQUEST) {
		req->token = ++c->next_token;
		receiver->token = req->token;
		dvs_list_push(&req->dst->open, &req->link);
	} else if (req->call) {
		dvs_call_finish(c, req->call, DVS_OK);
	} else if (req->kind == DVS_KIND_MESSAGE) {
		dvs_held_answer(c, req, DVS_K_TAKEN, DVS_OK);
	} else {
		receiver->token = req->token;
		dvs_held_free(c, req);
	}
	dvs_call_finish(c, receiver, DVS_OK);
}

struct dvs_call *DVS_HOT dvs_queue_receiver(struct dvs_ep *dst, const struct dvs_req *req)
{
	struct dvs_list *p;

	if (dst->moving.state)
		return (void *)0;
	dvs_for_each(p, &dst->receivers) {
		struct dvs_call *call = dvs_entry(p, struct dvs_call, link);

		if (call->state == DVS_CALL_WAITING && wants(call, req))
			return call;
	}
	return (void *)0;
}

int DVS_HOT dvs_queue_deliver(struct dvs_core *c, struct dvs_ep *dst, struct dvs_req *req)
{
	struct dvs_call *receiver = dvs_queue_receiver(dst, req);

	if (receiver)
		give(c, receiver, req);
	return receiver != (void *)0;
}

void dvs_queue_add(struct dvs_core *c, struct dvs_ep *dst, struct dvs_req *req)
{
	dvs_list_push(req->kind == DVS_KIND_NOTIFY ? &dst->notes : &dst->queue, &req->link);
	c->ops.readable(c->ctx, dst);
}

static int DVS_HOT take_first(struct dvs_core *c, struct dvs_list *queue, struct dvs_call *call)
{
	struct dvs_list *p;

	dvs_for_each(p, queue) {
		struct dvs_req *req = dvs_entry(p, struct dvs_req, link);

		if (wants(call, req)) {
			give(c, call, req);
			return 1;
		}
	}
	return 0;
}

int DVS_HOT dvs_queue_take(struct dvs_core *c, struct dvs_ep *ep, struct dvs_call *call)
{
	int notes = !(call->flags & DVS_CALL_REQUESTS);

	return (notes && dvs_note_take(c, ep, call)) ||
	       (notes && take_first(c, &ep->notes, call)) ||
	       take_first(c, &ep->queue, call);
}

void dvs_queue_serve(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_list *p, *tmp;

	dvs_for_each_safe(p, tmp, &ep->receivers)
		(void)dvs_queue_take(c, ep, dvs_entry(p, struct dvs_call, link));
}

struct dvs_req *DVS_HOT dvs_queue_open(struct dvs_ep *ep, dvs_s32 nr, dvs_u32 gen, dvs_u64 token)
{
	struct dvs_addr filter = dvs_known_here(ep->core, (struct dvs_addr){ .nr = nr, .gen = gen });
	struct dvs_list *p;

	dvs_for_each(p, &ep->open) {
		struct dvs_req *req = dvs_entry(p, struct dvs_req, link);

		if (dvs_matches(filter, req->src) && (!token || token == req->token))
			return req;
	}
	return (void *)0;
}

static void fail_list(struct dvs_core *c, struct dvs_list *list, dvs_s32 result)
{
	while (!dvs_list_empty(list)) {
		struct dvs_req *req = dvs_entry(list->next, struct dvs_req, link);

		if (req->call)
			dvs_call_finish(c, req->call, result);
		else if (req->kind == DVS_KIND_NOTIFY)
			dvs_held_free(c, req);
		else
			dvs_held_answer(c, req, DVS_K_FAILED, result);
	}
}

void dvs_queue_fail_all(struct dvs_core *c, struct dvs_ep *ep)
{
	fail_list(c, &ep->notes, DVS_EDSTDIED);
	fail_list(c, &ep->queue, DVS_EDSTDIED);
	fail_list(c, &ep->open, DVS_ESRCDIED);
}
