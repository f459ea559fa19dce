// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* How data gets from one side of a copy to the other: see copy.h. */
#include "copying.h"

static struct dvs_party *party(struct dvs_side *side)
{
	return dvs_entry(side, struct dvs_party, side);
}

/* ---- within this VM ---- */

/* The side that is this one's counterpart, if it is here and ready. */
static struct dvs_party *twin_of(struct dvs_core *c, const struct dvs_party *p)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.sides; i++) {
		struct dvs_party *t = &c->party[i];

		if (t->state == DVS_PARTY_OPEN && t->ready && !t->running &&
		    t->side.writes != p->side.writes && t->what.id == p->what.id &&
		    t->what.requester_vm == p->what.requester_vm &&
		    t->what.requester_inc == p->what.requester_inc &&
		    t->what.other_vm == c->id.vm)
			return t;
	}
	return (void *)0;
}

static void run_if_both(struct dvs_core *c, struct dvs_party *p)
{
	struct dvs_party *t = twin_of(c, p);

	if (!t)
		return;
	if (t->side.bytes != p->side.bytes) {
		dvs_party_close(c, t, DVS_EINVAL);
		dvs_party_close(c, p, DVS_EINVAL);
		return;
	}
	p->running = 1;
	t->running = 1;
	c->ops.copy_run(c->ctx, p->side.writes ? &t->side : &p->side,
			p->side.writes ? &p->side : &t->side);
}

int dvs_copy_begin(struct dvs_side *src, struct dvs_side *dst)
{
	struct dvs_party *s = party(src), *d = party(dst);

	if (s->state != DVS_PARTY_OPEN || d->state != DVS_PARTY_OPEN)
		return 0;
	s->busy++;
	d->busy++;
	return 1;
}

void dvs_copy_end(struct dvs_core *c, struct dvs_side *src, struct dvs_side *dst, dvs_u64 now)
{
	c->now = now;
	dvs_party_rest(c, party(src));
	dvs_party_rest(c, party(dst));
	dvs_core_flush(c);
}

void dvs_copy_ran(struct dvs_core *c, struct dvs_side *src, struct dvs_side *dst,
		  dvs_s32 result, dvs_u64 now)
{
	c->now = now;
	dvs_party_close(c, party(src), result);
	dvs_party_close(c, party(dst), result);
	party(src)->running = 0;
	party(dst)->running = 0;
	dvs_party_settle(c, party(src));
	dvs_party_settle(c, party(dst));
	dvs_core_flush(c);
}

/* ---- from another VM, or to it ---- */

static void fetch(struct dvs_core *c, struct dvs_party *p)
{
	const struct dvs_copy_side *w = &p->what;
	struct dvs_chan *ch;

	if (w->other_vm == DVS_VM_NODE || dvs_chan_over(&c->channels, w->other_vm, w->other_inc)) {
		dvs_party_close(c, p, DVS_ESRCDIED);
		return;
	}
	ch = dvs_chan_open(&c->channels, w->other_vm, w->other_inc);
	/* A new life of that VM ends the old one, which may have been the requester. */
	if (p->state != DVS_PARTY_OPEN)
		return;
	if (!ch || !dvs_party_depend(c, ch)) {
		dvs_party_close(c, p, ch ? DVS_EALLOCMEM : DVS_ERSCBUSY);
		return;
	}
	p->chan = ch;
	dvs_list_push(&ch->sides, &p->of_chan);
	/* Apart from the ids of operations on the same channel. */
	p->fetch_op = dvs_new_id(c, c->limits.operations + (dvs_u32)(p - c->party));
	p->fetch = DVS_FETCH_QUEUED;
	p->out.type = DVS_OUT_FETCH;
	dvs_chan_queue(&c->channels, ch, &p->out, DVS_CLASS_REQUEST, c->now);
}

void dvs_party_send(struct dvs_core *c, struct dvs_party *p)
{
	if (!p->ready || !p->chan || p->sends)
		return;
	p->sends = 1;
	dvs_bulk_queue(&c->channels, p->chan, &p->bulk, c->now);
}

void dvs_copy_opened(struct dvs_core *c, struct dvs_side *side, dvs_s32 result, dvs_u64 now)
{
	struct dvs_party *p = party(side);

	c->now = now;
	p->opening = 0;
	p->ready = !result;
	if (p->state != DVS_PARTY_OPEN) {
		dvs_party_settle(c, p);
	} else if (result) {
		dvs_party_close(c, p, result);
	} else if (p->what.other_vm == c->id.vm) {
		run_if_both(c, p);
	} else if (p->side.writes) {
		fetch(c, p);
	} else {
		dvs_serve_source(c, p);
		dvs_party_send(c, p);
	}
	dvs_core_flush(c);
}

void dvs_party_fill(struct dvs_core *c, struct dvs_party *p, struct dvs_frame *f, void *payload)
{
	const struct dvs_copy_side *w = &p->what;
	struct dvs_copy_side say = {
		.bytes = w->bytes,
		.id = w->id,
		.requester_vm = w->requester_vm,
		.requester_inc = w->requester_inc,
		.other_vm = c->id.vm,
		.other_inc = c->id.incarnation,
	};

	f->op = p->fetch_op;
	f->dst_ep = w->other_ep;
	f->dst_gen = w->other_gen;
	if (p->out.type == DVS_OUT_UNFETCH) {
		f->kind = DVS_K_CANCEL;
		dvs_party_settle(c, p);
		return;
	}
	say.other_ep = p->side.ep->addr.nr;
	say.other_gen = p->side.ep->gen;
	f->kind = DVS_K_FETCH;
	f->src_ep = say.other_ep;
	f->src_gen = say.other_gen;
	f->len = sizeof(say);
	__builtin_memcpy(payload, &say, sizeof(say));
	p->fetch = DVS_FETCH_SENT;
}

int dvs_party_bulk_fill(struct dvs_core *c, struct dvs_party *p, struct dvs_frame *f)
{
	dvs_u32 left = p->side.bytes - p->moved, most = c->limits.bulk_payload;

	f->kind = DVS_K_BULK_DATA;
	f->len = left < most ? left : most;
	f->op = p->what.id;
	f->arg = p->moved;
	f->dst_ep = (dvs_s32)p->what.requester_vm;
	f->dst_gen = p->what.requester_inc;
	p->moved += f->len;
	p->unacked++;
	return f->len < left;
}

void dvs_party_bulk_acked(struct dvs_core *c, struct dvs_party *p)
{
	if (--p->unacked == 0 && p->moved == p->side.bytes)
		dvs_party_close(c, p, DVS_OK);
}

struct dvs_party *dvs_party_data(struct dvs_core *c, struct dvs_chan *ch,
				 const struct dvs_frame *f)
{
	struct dvs_party *p = (void *)0;
	struct dvs_list *l;

	dvs_for_each(l, &ch->sides) {
		p = dvs_entry(l, struct dvs_party, of_chan);
		if (p->state == DVS_PARTY_OPEN && p->fetch == DVS_FETCH_SENT &&
		    p->what.id == f->op && p->what.requester_vm == (dvs_u32)f->dst_ep &&
		    p->what.requester_inc == f->dst_gen)
			break;
	}
	if (l == &ch->sides)
		return (void *)0;
	if (!f->len || f->arg != p->moved || f->len > p->side.bytes - p->moved) {
		dvs_party_close(c, p, DVS_EINVAL);
		return (void *)0;
	}
	p->moved += f->len;
	p->busy++;
	return p;
}

void dvs_bulk_written(struct dvs_core *c, struct dvs_side *side, dvs_u64 now)
{
	struct dvs_party *p = party(side);

	c->now = now;
	dvs_party_rest(c, p);
	if (p->state == DVS_PARTY_OPEN && !p->busy && p->moved == p->side.bytes) {
		/* The source waits for the acknowledgement. */
		p->chan->ack_now = 1;
		dvs_party_close(c, p, DVS_OK);
	}
	dvs_core_flush(c);
	dvs_channels_batch_end(&c->channels, now);
}
