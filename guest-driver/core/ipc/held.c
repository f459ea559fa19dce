// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Requests of other VMs: stored under the credits given to them until answered. */
#include "copying.h"

static struct dvs_held *held(struct dvs_req *req)
{
	return dvs_entry(req, struct dvs_held, req);
}

struct dvs_held *dvs_held_store(struct dvs_core *c, struct dvs_chan *ch,
				const struct dvs_frame *f, const void *payload)
{
	struct dvs_held *h;

	/* More than it had credits for: a peer that lies spoils its own requests. */
	if (ch->held >= c->limits.credits || f->len > DVS_MSG_PAYLOAD_MAX) {
		c->stats.malformed_dropped++;
		return (void *)0;
	}
	/* The places of channels that are over are those of orphans, the oldest of which makes room. */
	if (dvs_list_empty(&c->free_held))
		dvs_held_free(c, &dvs_entry(c->orphans.next, struct dvs_held, link)->req);
	h = dvs_entry(c->free_held.next, struct dvs_held, link);
	dvs_list_del(&h->link);
	dvs_list_push(&ch->held_list, &h->link);
	ch->held++;
	c->stats.requests++;
	__builtin_memcpy(h->payload, payload, f->len);
	dvs_list_init(&h->req.link);
	dvs_list_init(&h->out.link);
	h->req.dst = (void *)0;
	h->req.handed = 0;
	h->req.call = (void *)0;
	h->req.chan = ch;
	h->req.op = f->op;
	h->req.token = f->arg;
	h->req.src.nr = f->src_ep;
	h->req.src.gen = f->src_gen;
	h->req.data = h->payload;
	h->req.len = f->len;
	h->want.nr = f->dst_ep;
	h->want.gen = f->dst_gen;
	h->answer = 0;
	h->req.kind = DVS_KIND_NONE;
	h->party = (void *)0;
	h->fetch = 0;
	h->taken = 0;
	h->adopted = 0;
	h->copies = 0;
	return h;
}

void dvs_held_free(struct dvs_core *c, struct dvs_req *req)
{
	struct dvs_held *h = held(req);
	struct dvs_chan *ch = req->chan;

	if (h->party) {
		/* Nobody waits for how the copy ends. */
		h->party->held = (void *)0;
		dvs_party_close(c, h->party, DVS_EINTR);
		h->party = (void *)0;
	}
	dvs_list_del(&req->link);
	dvs_list_del(&h->out.link);
	dvs_list_del(&h->link);
	dvs_list_push(h->adopted ? &c->free_adopted : &c->free_held, &h->link);
	c->stats.requests--;
	if (!ch)
		return;
	ch->held--;
	dvs_chan_finished(&c->channels, ch, c->now);
}

void dvs_held_answer(struct dvs_core *c, struct dvs_req *req, dvs_u8 kind, dvs_s32 result)
{
	struct dvs_held *h = held(req);

	dvs_list_del(&req->link);
	h->answer = kind;
	h->result = result;
	h->out.type = DVS_OUT_HELD;
	dvs_chan_queue(&c->channels, req->chan, &h->out, DVS_CLASS_ANSWER, c->now);
}

void dvs_held_reply(struct dvs_core *c, struct dvs_req *req, const void *data, dvs_u32 len)
{
	struct dvs_held *h = held(req);

	dvs_copy(h->payload, data, len);
	req->len = len;
	c->stats.remote_messages++;
	dvs_held_answer(c, req, DVS_K_RPL, DVS_OK);
}

void dvs_held_redirect(struct dvs_core *c, struct dvs_req *req, struct dvs_addr dst,
		       const void *data, dvs_u32 len)
{
	struct dvs_held *h = held(req);

	dvs_copy(h->payload, data, len);
	req->len = len;
	h->want = dst;
	dvs_held_answer(c, req, DVS_K_REDIRECT, DVS_OK);
}

/* A piece of what an endpoint takes along. 0: it does not go there after all. */
static int fill_hand(struct dvs_core *c, struct dvs_chan *ch, struct dvs_held *h,
		     struct dvs_frame *f, void *payload)
{
	struct dvs_ep *ep = dvs_hand_find(c, ch, h->req.op);

	if (!ep || ep->moving.state != DVS_MOVE_HANDING) {
		h->answer = DVS_K_FAILED;
		h->result = DVS_EPROCSTS;
		return 0;
	}
	if (dvs_hand_fill(c, ep, f, payload))
		dvs_list_push(&ch->answers, &h->out.link);
	else
		dvs_held_free(c, &h->req);
	return 1;
}

void dvs_held_fill(struct dvs_core *c, struct dvs_chan *ch, struct dvs_held *h,
		   struct dvs_frame *f, void *payload)
{
	if (h->answer == DVS_K_HAND && fill_hand(c, ch, h, f, payload))
		return;
	f->kind = h->answer;
	f->op = h->req.op;
	f->arg = h->answer == DVS_K_BOUNCED ? h->req.token : 0;
	f->result = h->result;
	f->src_ep = h->want.nr;
	f->src_gen = h->want.gen;
	f->dst_ep = h->req.src.nr;
	f->dst_gen = h->req.src.gen;
	if (h->answer == DVS_K_RPL || h->answer == DVS_K_REDIRECT) {
		f->len = h->req.len;
		__builtin_memcpy(payload, h->payload, h->req.len);
	}
	dvs_held_free(c, &h->req);
}

void dvs_held_not_here(struct dvs_core *c, struct dvs_held *h)
{
	if (h->req.kind == DVS_KIND_NOTIFY)
		dvs_held_answer(c, &h->req, DVS_K_BOUNCED, DVS_OK);
	else
		dvs_held_answer(c, &h->req, DVS_K_NOTHERE, DVS_OK);
}

/* One bit per source: a further notification changes the value at most while one is waiting. */
static int already_noted(const struct dvs_ep *ep, const struct dvs_req *req)
{
	struct dvs_list *p;

	dvs_for_each(p, &ep->notes) {
		struct dvs_req *other = dvs_entry(p, struct dvs_req, link);

		if (other->src.nr == req->src.nr && other->src.gen == req->src.gen) {
			other->token = req->token;
			return 1;
		}
	}
	return 0;
}

int dvs_held_adopt(struct dvs_core *c, struct dvs_ep *ep, struct dvs_addr src, dvs_u64 value)
{
	struct dvs_held *h;

	if (dvs_list_empty(&c->free_adopted))
		return 0;
	h = dvs_entry(c->free_adopted.next, struct dvs_held, link);
	dvs_list_del(&h->link);
	dvs_list_push(&c->adopted, &h->link);
	dvs_list_init(&h->req.link);
	dvs_list_init(&h->out.link);
	c->stats.requests++;
	h->req.dst = ep;
	h->req.handed = 0;
	h->req.call = (void *)0;
	h->req.chan = (void *)0;
	h->req.op = 0;
	h->req.token = value;
	h->req.src = src;
	h->req.data = h->payload;
	h->req.len = 0;
	h->req.kind = DVS_KIND_NOTIFY;
	h->answer = 0;
	h->party = (void *)0;
	h->fetch = h->taken = h->copies = 0;
	h->adopted = 1;
	dvs_list_push(&ep->notes, &h->req.link);
	return 1;
}

void dvs_held_accept(struct dvs_core *c, struct dvs_ep *ep, struct dvs_held *h, int nowait)
{
	struct dvs_req *req = &h->req;

	/*
	 * Who sends here remembers where it is: he is told of its death, as a
	 * notification sent to a place that it has left is answered by nobody.
	 */
	ep->peers |= 1ull << req->chan->index;
	req->dst = ep;
	if (h->copies) {
		dvs_serve_held(c, ep, h);
	} else if (req->kind == DVS_KIND_NONE) {
		dvs_held_free(c, req);
	} else if (h->taken) {
		if (!dvs_claim_come(c, h))
			dvs_held_answer(c, req, DVS_K_FAILED, DVS_ESRCDIED);
	} else if (dvs_queue_deliver(c, ep, req)) {
		return;
	} else if (nowait) {
		dvs_held_answer(c, req, DVS_K_FAILED, DVS_EAGAIN);
	} else if (dvs_move_stalls(ep, req)) {
		return;
	} else if (req->kind == DVS_KIND_NOTIFY && already_noted(ep, req)) {
		dvs_held_free(c, req);
	} else {
		dvs_queue_add(c, ep, req);
	}
}

static dvs_u8 kind_of(const struct dvs_frame *f)
{
	switch (f->kind) {
	case DVS_K_MSG:
		return DVS_KIND_MESSAGE;
	case DVS_K_REQ:
		return DVS_KIND_REQUEST;
	case DVS_K_NTF:
		return DVS_KIND_NOTIFY;
	default:
		return DVS_KIND_NONE; /* WATCH */
	}
}

void dvs_held_frame(struct dvs_core *c, struct dvs_chan *ch,
		    const struct dvs_frame *f, const void *payload)
{
	struct dvs_held *h = dvs_held_store(c, ch, f, payload);
	struct dvs_ep *ep;

	if (!h)
		return;
	h->req.kind = kind_of(f);
	h->taken = f->kind == DVS_K_REQ && (f->flags & DVS_F_TAKEN);
	ep = dvs_ep_lookup(c, f->dst_ep, DVS_EP_BOUND);
	if (ep && ep->gen && ep->gen == f->dst_gen) {
		dvs_held_accept(c, ep, h, f->flags & DVS_F_NOWAIT);
		return;
	}
	/* The directory may have told others of a bind before its result got here. */
	if (!ep)
		ep = dvs_ep_lookup(c, f->dst_ep, DVS_EP_BINDING);
	if (!ep || ep->gen) {
		/* It may have been answered before its endpoint moved on. */
		if (!h->taken || !dvs_claim_come(c, h))
			dvs_held_not_here(c, h);
		return;
	}
	ep->peers |= 1ull << ch->index;
	if (f->flags & DVS_F_NOWAIT)
		dvs_held_answer(c, &h->req, DVS_K_FAILED, DVS_EAGAIN);
	else
		dvs_list_push(&ep->early, &h->req.link);
}

void dvs_held_check_generation(struct dvs_core *c, struct dvs_ep *ep)
{
	while (!dvs_list_empty(&ep->early)) {
		struct dvs_held *h = held(dvs_entry(ep->early.next, struct dvs_req, link));

		dvs_list_del(ep->early.next);
		if (h->want.gen == ep->gen)
			dvs_held_accept(c, ep, h, 0);
		else
			dvs_held_not_here(c, h);
	}
}

void dvs_held_reject_all(struct dvs_core *c, struct dvs_ep *ep)
{
	while (!dvs_list_empty(&ep->early))
		dvs_held_not_here(c, held(dvs_entry(ep->early.next, struct dvs_req, link)));
}

void dvs_held_cancel(struct dvs_core *c, struct dvs_chan *ch, dvs_u64 op)
{
	struct dvs_list *p;

	dvs_for_each(p, &ch->held_list) {
		struct dvs_held *h = dvs_entry(p, struct dvs_held, link);

		if (h->req.op != op || h->answer)
			continue;
		if (h->fetch) {
			dvs_held_free(c, &h->req);
		} else if (h->party) {
			h->party->cancelled = 1;
			dvs_party_close(c, h->party, DVS_EINTR);
		} else {
			dvs_held_answer(c, &h->req, DVS_K_CANCELLED, DVS_OK);
		}
		return;
	}
	dvs_serve_unfetch(c, ch, op);
	dvs_move_adopter_left(c, ch, op);
}

void dvs_held_sender_died(struct dvs_core *c, struct dvs_chan *ch, struct dvs_addr src)
{
	struct dvs_list *p, *tmp;

	dvs_for_each_safe(p, tmp, &ch->held_list) {
		struct dvs_held *h = dvs_entry(p, struct dvs_held, link);

		if (!h->answer && h->req.src.nr == src.nr && h->req.src.gen == src.gen)
			dvs_held_free(c, &h->req);
	}
}

/* A notification that its endpoint has not taken; one for a bind that is not known does not count. */
static int waits_as_note(const struct dvs_held *h)
{
	return h->req.kind == DVS_KIND_NOTIFY && h->req.dst && !h->answer;
}

void dvs_held_peer_gone(struct dvs_core *c, struct dvs_chan *ch, dvs_s32 cut_off)
{
	while (!dvs_list_empty(&ch->held_list)) {
		struct dvs_held *h = dvs_entry(ch->held_list.next, struct dvs_held, link);

		if (!cut_off || !waits_as_note(h)) {
			dvs_held_free(c, &h->req);
			continue;
		}
		dvs_list_del(&h->link);
		dvs_list_push(&c->orphans, &h->link);
		h->req.chan = (void *)0;
	}
}
