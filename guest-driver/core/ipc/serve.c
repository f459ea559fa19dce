// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Copies that other VMs ask for: their requests, and what the destination's VM asks the source's. */
#include "copying.h"

static void refuse(struct dvs_core *c, struct dvs_held *h, dvs_s32 result)
{
	dvs_held_answer(c, &h->req, DVS_K_FAILED, result);
}

void dvs_serve_copy(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f,
		    const void *payload)
{
	struct dvs_ep *ep = dvs_ep_lookup(c, f->dst_ep, DVS_EP_BOUND);
	struct dvs_held *h = dvs_held_store(c, ch, f, payload);

	if (!h)
		return;
	h->copies = f->kind;
	if (!ep || !ep->gen || ep->gen != f->dst_gen)
		dvs_held_answer(c, &h->req, DVS_K_NOTHERE, DVS_OK);
	else
		dvs_held_accept(c, ep, h, 0);
}

/* Does it say what it has to? */
static int well_formed(const struct dvs_core *c, const struct dvs_held *h,
		       const struct dvs_copy_side *what)
{
	const struct dvs_chan *ch = h->req.chan;

	return h->req.len == sizeof(*what) && what->requester_vm == ch->vm &&
	       what->requester_inc == ch->inc &&
	       (what->other_vm != c->id.vm || what->other_inc == c->id.incarnation);
}

void dvs_serve_held(struct dvs_core *c, struct dvs_ep *ep, struct dvs_held *h)
{
	struct dvs_party_order order = {
		.ep = ep,
		.requester = h->req.src,
		.chan = h->req.chan,
		.writes = h->copies == DVS_K_COPY_IN,
	};
	struct dvs_party *p;
	dvs_s32 result;

	if (h->req.len == sizeof(order.what))
		__builtin_memcpy(&order.what, h->payload, sizeof(order.what));
	if (!well_formed(c, h, &order.what)) {
		refuse(c, h, DVS_EINVAL);
		return;
	}
	if (dvs_move_stalls_copy(ep, &h->req))
		return;
	result = dvs_party_make(c, &order, &p);
	if (result) {
		refuse(c, h, result);
		return;
	}
	p->held = h;
	h->party = p;
	dvs_party_start(c, p);
}

static int same_copy(const struct dvs_copy_side *a, const struct dvs_copy_side *b)
{
	return a->id == b->id && a->requester_vm == b->requester_vm &&
	       a->requester_inc == b->requester_inc;
}

/* The source that this channel's VM may fetch from. */
static struct dvs_party *source_for(struct dvs_core *c, const struct dvs_chan *ch,
				    const struct dvs_copy_side *what)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.sides; i++) {
		struct dvs_party *p = &c->party[i];

		if (p->state == DVS_PARTY_OPEN && !p->side.writes && !p->chan &&
		    same_copy(&p->what, what) && p->what.other_vm == ch->vm &&
		    p->what.other_inc == ch->inc)
			return p;
	}
	return (void *)0;
}

/* The destination is ready. */
static void attach(struct dvs_core *c, struct dvs_chan *ch, struct dvs_party *p, dvs_u64 op)
{
	if (!dvs_party_depend(c, ch)) {
		dvs_party_close(c, p, DVS_EALLOCMEM);
		return;
	}
	p->chan = ch;
	p->fetch_op = op;
	dvs_list_push(&ch->sides, &p->of_chan);
	dvs_party_send(c, p);
}

void dvs_serve_fetch(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f,
		     const void *payload)
{
	struct dvs_held *h = dvs_held_store(c, ch, f, payload);
	struct dvs_copy_side what = { 0 };
	struct dvs_party *p;

	if (!h)
		return;
	if (f->len != sizeof(what)) {
		dvs_held_free(c, &h->req);
		return;
	}
	__builtin_memcpy(&what, payload, sizeof(what));
	p = source_for(c, ch, &what);
	if (!p) {
		/* It came before the requester's own frame; or it will be taken back. */
		h->fetch = 1;
		return;
	}
	dvs_held_free(c, &h->req);
	attach(c, ch, p, f->op);
}

static struct dvs_chan *destination_of(struct dvs_core *c, const struct dvs_party *p)
{
	dvs_u32 i;

	for (i = 0; i < c->channels.count; i++) {
		struct dvs_chan *ch = &c->channels.chan[i];

		if (ch->vm != DVS_VM_NODE && ch->vm == p->what.other_vm &&
		    ch->inc == p->what.other_inc)
			return ch;
	}
	return (void *)0;
}

void dvs_serve_source(struct dvs_core *c, struct dvs_party *p)
{
	struct dvs_chan *ch = p->chan ? (void *)0 : destination_of(c, p);
	struct dvs_list *l;

	if (!ch)
		return;
	dvs_for_each(l, &ch->held_list) {
		struct dvs_held *h = dvs_entry(l, struct dvs_held, link);
		dvs_u64 op = h->req.op;

		if (!h->fetch || !same_copy((const struct dvs_copy_side *)h->payload, &p->what))
			continue;
		dvs_held_free(c, &h->req);
		attach(c, ch, p, op);
		return;
	}
}

void dvs_serve_unfetch(struct dvs_core *c, struct dvs_chan *ch, dvs_u64 op)
{
	struct dvs_list *l;

	dvs_for_each(l, &ch->sides) {
		struct dvs_party *p = dvs_entry(l, struct dvs_party, of_chan);

		if (p->state != DVS_PARTY_OPEN || p->side.writes || p->fetch_op != op)
			continue;
		/* Why, the requester hears from the destination; it will cancel the source then. */
		dvs_bulk_drop(&c->channels, &p->bulk);
		p->sends = 1; /* all that it ever will */
		return;
	}
}
