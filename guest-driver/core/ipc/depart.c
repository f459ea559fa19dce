// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/*
 * An endpoint that leaves this VM: from quiescence to the directory's word. What
 * it takes along, and what happens to those who stay, is in hand.c.
 */
#include "copying.h"

/* Ends those of its calls that do this. */
void dvs_move_finish(struct dvs_core *c, struct dvs_ep *ep, dvs_u8 what, dvs_s32 result)
{
	struct dvs_list *p, *tmp;

	dvs_for_each_safe(p, tmp, &ep->moving.calls) {
		struct dvs_call *call = dvs_entry(p, struct dvs_call, wait);

		if (call->what == what)
			dvs_call_finish(c, call, result);
	}
}

void dvs_move_set(struct dvs_core *c, struct dvs_ep *ep, enum dvs_move_state state)
{
	c->restless -= ep->moving.state == DVS_MOVE_STARTING;
	c->restless += state == DVS_MOVE_STARTING;
	ep->moving.state = (dvs_u8)state;
}

/* What came meanwhile arrives now; copies wait on while the endpoint may still move. */
void dvs_move_resume(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_list stalled;

	dvs_list_move(&stalled, &ep->moving.stalled);
	while (!dvs_list_empty(&stalled)) {
		struct dvs_req *req = dvs_entry(stalled.next, struct dvs_req, link);

		dvs_list_del(&req->link);
		if (req->call)
			dvs_call_again(c, req->call, dvs_ep_addr(ep));
		else
			dvs_held_accept(c, ep, dvs_entry(req, struct dvs_held, req), 0);
	}
}

/* ---- back ---- */

static void refuse(struct dvs_core *c, struct dvs_req *req, dvs_s32 result)
{
	if (req->call)
		dvs_call_finish(c, req->call, result);
	else
		dvs_held_answer(c, req, DVS_K_FAILED, result);
}

static void refuse_all(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 result)
{
	while (!dvs_list_empty(&ep->moving.adopters))
		refuse(c, dvs_entry(ep->moving.adopters.next, struct dvs_req, link), result);
}

/* As if nothing had happened. */
void dvs_move_back(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_move_set(c, ep, DVS_MOVE_NONE);
	ep->moving.back = 0;
	refuse_all(c, ep, DVS_EPROCSTS);
	dvs_move_finish(c, ep, DVS_CALL_MOVE_START, DVS_EMIGRATE);
	dvs_move_finish(c, ep, DVS_CALL_MOVE_COMMIT, DVS_EPROCSTS);
	dvs_move_resume(c, ep);
	dvs_queue_serve(c, ep);
	dvs_move_finish(c, ep, DVS_CALL_MOVE_ROLLBACK, DVS_OK);
	dvs_move_finish(c, ep, DVS_CALL_MOVE_STAY, DVS_OK);
	if (dvs_ep_readable(ep))
		c->ops.readable(c->ctx, ep);
}

void dvs_move_stays(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 why)
{
	ep->moving.chan = (void *)0;
	ep->ctl = DVS_CTL_IDLE;
	dvs_hand_undo(c, ep);
	dvs_move_set(c, ep, DVS_MOVE_READY);
	dvs_move_finish(c, ep, DVS_CALL_MOVE_COMMIT, why);
	if (ep->moving.leave) {
		dvs_unbind(c, ep, c->now);
	} else if (ep->moving.back) {
		dvs_move_back(c, ep);
	} else {
		dvs_move_resume(c, ep);
	}
}

/* Asks the directory to offer it, or to say who has it. */
static void ask(struct dvs_core *c, struct dvs_ep *ep)
{
	ep->nonce = ++c->next_nonce;
	dvs_ep_ask(c, ep);
}

void dvs_move_withdraw(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 why)
{
	if (ep->moving.state == DVS_MOVE_WITHDRAWING)
		return;
	ep->moving.result = why;
	/* An offer that is under way comes first: its result is followed by the question. */
	ep->moving.asked = ep->moving.state != DVS_MOVE_OFFERING;
	dvs_move_set(c, ep, DVS_MOVE_WITHDRAWING);
	if (ep->moving.asked)
		ask(c, ep);
}

/* ---- forth ---- */

static int may_adopt(const struct dvs_core *c, const struct dvs_ep *ep, const struct dvs_req *req)
{
	dvs_u32 vm = req->call ? c->id.vm : req->chan->vm;

	return !ep->moving.vm || ep->moving.vm == vm;
}

static struct dvs_req *adopter(const struct dvs_core *c, const struct dvs_ep *ep)
{
	struct dvs_list *p;

	dvs_for_each(p, &ep->moving.adopters) {
		struct dvs_req *req = dvs_entry(p, struct dvs_req, link);

		if (may_adopt(c, ep, req))
			return req;
	}
	return (void *)0;
}

void dvs_move_next(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_req *req = adopter(c, ep);

	if (ep->moving.state != DVS_MOVE_AGREED || !req || !dvs_settled(ep))
		return;
	if (req->call) {
		dvs_move_set(c, ep, DVS_MOVE_NONE);
		dvs_list_del(&req->link);
		refuse_all(c, ep, DVS_ESLOTUSED);
		dvs_hand_here(c, ep, req->call);
		dvs_move_finish(c, ep, DVS_CALL_MOVE_STAY, DVS_EMIGRATE);
		dvs_move_finish(c, ep, DVS_CALL_MOVE_COMMIT, DVS_OK);
		dvs_move_resume(c, ep);
		return;
	}
	if (!dvs_hand_prepare(c, ep)) {
		dvs_move_stays(c, ep, DVS_EALLOCMEM);
		return;
	}
	ep->moving.chan = req->chan;
	ep->moving.op = req->op;
	dvs_move_set(c, ep, DVS_MOVE_OFFERING);
	ask(c, ep);
}

/* Its adopter is told all of it. */
static void hand_over(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_list *p;

	dvs_move_set(c, ep, DVS_MOVE_HANDING);
	dvs_for_each(p, &ep->moving.adopters) {
		struct dvs_req *req = dvs_entry(p, struct dvs_req, link);

		if (req->call || req->chan != ep->moving.chan || req->op != ep->moving.op)
			continue;
		dvs_held_answer(c, req, DVS_K_HAND, DVS_OK);
		return;
	}
	dvs_move_withdraw(c, ep, DVS_EDSTDIED); /* it has left meanwhile */
}

static void gone(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_move_set(c, ep, DVS_MOVE_NONE);
	refuse_all(c, ep, DVS_ESLOTUSED);
	dvs_move_finish(c, ep, DVS_CALL_MOVE_ROLLBACK, DVS_EPROCSTS);
	dvs_move_finish(c, ep, DVS_CALL_MOVE_STAY, DVS_EMIGRATE);
	ep->moving.telling = ep->peers;
	ep->moving.marked = 0;
	c->restless++;
	dvs_hand_gone(c, ep);
	if (!ep->moving.telling)
		dvs_move_all_told(c, ep);
}

static void offer_answered(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 result)
{
	if (result) {
		dvs_move_stays(c, ep, dvs_clamp_error(result));
	} else if (ep->moving.state == DVS_MOVE_OFFERING) {
		hand_over(c, ep);
	} else {
		ep->moving.asked = 1;
		ask(c, ep);
	}
}

static void withdrawal_answered(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 result)
{
	if (!result)
		dvs_move_stays(c, ep, ep->moving.result);
	else if (result == DVS_ENOTBIND)
		gone(c, ep);
	else
		ep->ctl = DVS_CTL_ASKED; /* it has to be decided: the timer asks again */
}

void dvs_move_offered(struct dvs_core *c, const struct dvs_frame *f)
{
	struct dvs_ep *ep = dvs_ep_lookup(c, f->dst_ep, DVS_EP_BOUND);

	if (!ep || ep->moving.state < DVS_MOVE_OFFERING || ep->ctl == DVS_CTL_IDLE ||
	    ep->nonce != f->op)
		return;
	ep->ctl = DVS_CTL_IDLE;
	if (ep->moving.state == DVS_MOVE_OFFERING || !ep->moving.asked)
		offer_answered(c, ep, f->result);
	else
		withdrawal_answered(c, ep, f->result);
}

void dvs_move_adopted(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f)
{
	struct dvs_ep *ep = dvs_hand_find(c, ch, f->op);

	if (!ep || ep->moving.state < DVS_MOVE_HANDING)
		return;
	if (f->result)
		dvs_move_withdraw(c, ep, dvs_clamp_error(f->result));
	else
		gone(c, ep);
}

void dvs_move_adopter_left(struct dvs_core *c, struct dvs_chan *ch, dvs_u64 op)
{
	struct dvs_ep *ep = dvs_hand_find(c, ch, op);

	if (ep && ep->moving.state == DVS_MOVE_HANDING)
		dvs_move_withdraw(c, ep, DVS_EDSTDIED);
}

void dvs_move_peer_gone(struct dvs_core *c, struct dvs_chan *ch)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_ep *ep = &c->ep[i];

		if (ep->state != DVS_EP_BOUND || ep->moving.chan != ch ||
		    ep->moving.state < DVS_MOVE_OFFERING)
			continue;
		ep->moving.chan = (void *)0;
		dvs_move_withdraw(c, ep, DVS_EDSTDIED);
	}
}

void dvs_move_asked(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f,
		    const void *payload)
{
	struct dvs_ep *ep = dvs_ep_lookup(c, f->dst_ep, DVS_EP_BOUND);
	struct dvs_held *h = dvs_held_store(c, ch, f, payload);

	if (!h)
		return;
	if (!ep || !ep->gen || ep->gen != f->dst_gen) {
		dvs_held_answer(c, &h->req, DVS_K_NOTHERE, DVS_OK);
	} else if (ep->moving.state == DVS_MOVE_NONE) {
		dvs_held_answer(c, &h->req, DVS_K_FAILED, DVS_EPROCSTS);
	} else if (ep->moving.token != f->arg) {
		dvs_held_answer(c, &h->req, DVS_K_FAILED, DVS_EPRIVILEGES);
	} else {
		h->req.dst = ep;
		dvs_list_push(&ep->moving.adopters, &h->req.link);
		dvs_move_next(c, ep);
	}
}

/* ---- its end ---- */

int dvs_move_unbind(struct dvs_core *c, struct dvs_ep *ep)
{
	if (ep->moving.state < DVS_MOVE_OFFERING || c->stopped)
		return 1;
	ep->moving.leave = 1;
	dvs_move_withdraw(c, ep, DVS_EDSTDIED);
	return 0;
}

void dvs_move_stop(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 result)
{
	dvs_move_set(c, ep, DVS_MOVE_NONE);
	ep->moving.chan = (void *)0;
	dvs_hand_undo(c, ep);
	while (!dvs_list_empty(&ep->moving.calls))
		dvs_call_finish(c, dvs_entry(ep->moving.calls.next, struct dvs_call, wait), result);
	refuse_all(c, ep, DVS_EDSTDIED);
	while (!dvs_list_empty(&ep->moving.stalled)) {
		struct dvs_req *req = dvs_entry(ep->moving.stalled.next, struct dvs_req, link);

		if (!req->call && req->kind == DVS_KIND_NOTIFY)
			dvs_held_free(c, req);
		else
			refuse(c, req, DVS_EDSTDIED);
	}
}
