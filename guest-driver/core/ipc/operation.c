// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Requests to endpoints of other VMs, from the call to its answer. */
#include "copying.h"

static struct dvs_op *allocate(struct dvs_core *c)
{
	struct dvs_op *op;

	if (dvs_list_empty(&c->free_ops))
		return (void *)0;
	op = dvs_entry(c->free_ops.next, struct dvs_op, link);
	dvs_list_del(&op->link);
	op->id = dvs_new_id(c, (dvs_u32)(op - c->op));
	dvs_list_init(&op->out.link);
	op->out.type = DVS_OUT_OP;
	op->pinned = 0;
	op->why = DVS_OK;
	op->chan = (void *)0;
	op->missed = (void *)0;
	op->call = (void *)0;
	op->copy = (void *)0;
	c->stats.operations++;
	return op;
}

void dvs_op_detach(struct dvs_op *op)
{
	if (op->call)
		op->call->operation = (void *)0;
	op->call = (void *)0;
	op->copy = (void *)0;
}

void dvs_op_free(struct dvs_core *c, struct dvs_op *op)
{
	dvs_op_detach(op);
	op->ep = (void *)0;
	/* An answer to it that still comes, or that somebody makes up, finds nothing. */
	op->chan = (void *)0;
	op->state = DVS_OP_FREE;
	dvs_list_del(&op->out.link);
	dvs_list_del(&op->link);
	dvs_list_push(&c->free_ops, &op->link);
	c->stats.operations--;
}

/* What the caller hears of the death of its destination: one that took the request is a source. */
dvs_s32 dvs_op_died(const struct dvs_op *op)
{
	int taken = op->kind == DVS_K_REQ && (op->flags & DVS_F_TAKEN);

	return op->kind == DVS_K_COPY_OUT || taken ? DVS_ESRCDIED : DVS_EDSTDIED;
}

void dvs_op_finish(struct dvs_core *c, struct dvs_op *op, dvs_s32 result)
{
	struct dvs_call *call = op->call;
	struct dvs_copying *copy = op->copy;
	int side = dvs_op_side(op);

	dvs_op_free(c, op);
	if (copy)
		dvs_copy_share_over(c, copy, side, result);
	else if (call)
		dvs_call_finish(c, call, result);
}

/* A notification to the same endpoint that has not left yet: one is enough, with the later value. */
static int notification_waits(const struct dvs_op *op, const struct dvs_chan *ch)
{
	struct dvs_list *p;

	dvs_for_each(p, &ch->ops) {
		struct dvs_op *other = dvs_entry(p, struct dvs_op, link);

		if (other->kind == DVS_K_NTF && other->ep == op->ep &&
		    other->dst.nr == op->dst.nr && other->dst.gen == op->dst.gen) {
			other->arg = op->arg;
			return 1;
		}
	}
	return 0;
}

static void queue(struct dvs_core *c, struct dvs_op *op, struct dvs_chan *ch)
{
	op->chan = ch;
	op->state = DVS_OP_WAITING;
	dvs_list_del(&op->link);
	if (op->kind == DVS_K_NTF) {
		struct dvs_call *call = op->call;

		dvs_op_detach(op);
		if (call)
			dvs_call_finish(c, call, DVS_OK);
		if (notification_waits(op, ch)) {
			dvs_op_free(c, op);
			return;
		}
	}
	dvs_list_push(&ch->ops, &op->link);
	/* The node would not carry it. */
	if (op->kind != DVS_K_ADOPT && !dvs_settled(op->ep))
		dvs_list_push(&op->ep->waiting, &op->out.link);
	else
		dvs_op_go(c, op);
}

void dvs_op_go(struct dvs_core *c, struct dvs_op *op)
{
	int nowait = op->flags & DVS_F_NOWAIT;

	op->state = DVS_OP_QUEUED;
	/* A notification is over as soon as its frame is built: op may be free then. */
	dvs_chan_queue(&c->channels, op->chan, &op->out, DVS_CLASS_REQUEST, c->now);
	if (nowait && op->state == DVS_OP_QUEUED)
		dvs_op_finish(c, op, DVS_EAGAIN);
}

/* It asks where dst lives because it has to be in this VM. */
static int asks_where(const struct dvs_op *op)
{
	return op->kind == DVS_K_NOP && op->call && op->call->what != DVS_CALL_REPLY;
}

static void tell_where(const struct dvs_op *op, const struct dvs_dest *d)
{
	if (!asks_where(op))
		return;
	op->call->peer = d->addr;
	op->call->token = d->chan->vm;
}

/* Nothing is sent there: the result of a call that only asked. A reply is not awaited there. */
static dvs_s32 lives(const struct dvs_op *op, dvs_s32 elsewhere)
{
	return asks_where(op) ? elsewhere : DVS_EPROCSTS;
}

static dvs_s32 nobody_there(const struct dvs_op *op)
{
	return asks_where(op) ? DVS_ENOTBIND : dvs_op_died(op);
}

/* A side of a copy is sent only when the other one has been found as well. */
static void place(struct dvs_op *op, const struct dvs_dest *d)
{
	op->dst.gen = d->addr.gen;
	op->chan = d->chan;
	op->state = DVS_OP_PLACED;
	dvs_list_del(&op->link);
	dvs_list_push(&d->chan->ops, &op->link);
}

void dvs_op_located(struct dvs_core *c, struct dvs_op *op, struct dvs_dest *d, dvs_s32 result)
{
	if (result) {
		dvs_op_finish(c, op, result == DVS_EDSTDIED ? nobody_there(op) : result);
	} else if (op->want_gen && op->want_gen != d->addr.gen) {
		dvs_op_finish(c, op, DVS_EENDPOINT);
	} else if (op->kind == DVS_K_NOP) {
		tell_where(op, d);
		dvs_op_finish(c, op, lives(op, DVS_ERMTPROC));
	} else if (op->copy) {
		place(op, d);
		dvs_copy_found(c, op->copy, dvs_op_side(op), op->dst, d->chan);
	} else if (op->missed == d->chan && op->dst.gen == d->addr.gen) {
		dvs_op_finish(c, op, dvs_op_died(op));
	} else if (op->pinned && op->dst.gen && op->dst.gen != d->addr.gen) {
		dvs_op_finish(c, op, dvs_op_died(op));
	} else {
		op->dst.gen = d->addr.gen;
		queue(c, op, d->chan);
	}
}

void dvs_op_located_here(struct dvs_core *c, struct dvs_op *op)
{
	struct dvs_ep *dst = dvs_ep_lookup(c, op->dst.nr, DVS_EP_BOUND);
	struct dvs_call *call = op->call;
	struct dvs_copying *copy = op->copy;
	struct dvs_ep *src = op->ep;
	dvs_u8 kind = op->kind;
	dvs_u32 gen = op->want_gen;
	dvs_u64 arg = op->arg;
	int side = dvs_op_side(op);

	if (copy && dst) {
		dvs_op_free(c, op);
		if (!dvs_ep_is(dst, gen))
			dvs_copy_share_over(c, copy, side, DVS_EENDPOINT);
		else
			dvs_copy_found(c, copy, side, dst->addr, (void *)0);
		return;
	}
	if (op->kind == DVS_K_ADOPT) {
		dvs_op_finish(c, op, dst ? DVS_ESLOTUSED : DVS_EDSTDIED);
		return;
	}
	if (!dst && asks_where(op)) {
		dvs_op_finish(c, op, DVS_ENOTBIND);
		return;
	}
	if (!dst || (op->pinned && !dvs_ep_is(dst, op->dst.gen))) {
		dvs_op_finish(c, op, dvs_op_died(op));
		return;
	}
	if (!dvs_ep_is(dst, gen)) {
		dvs_op_finish(c, op, DVS_EENDPOINT);
		return;
	}
	if (kind == DVS_K_NOP) {
		dvs_op_finish(c, op, lives(op, DVS_ENOTBIND));
		return;
	}
	if (op->flags & DVS_F_TAKEN) {
		dvs_claim_here(c, op);
		return;
	}
	dvs_op_free(c, op);
	if (kind == DVS_K_NTF) {
		dvs_s32 result = dvs_note_local(c, src->index, dst, (dvs_s64)arg);

		if (call)
			dvs_call_finish(c, call, result);
	} else if (call) {
		dvs_call_send_local(c, call, dst, gen,
				    kind == DVS_K_REQ ? DVS_KIND_REQUEST : DVS_KIND_MESSAGE);
	}
}

/* Waits until the location is known. */
static void look_up(struct dvs_core *c, struct dvs_op *op, struct dvs_dest *d)
{
	op->state = DVS_OP_LOOKUP;
	op->pinned = 1;
	dvs_list_push(&d->ops, &op->link);
	dvs_dest_look_up(c, d);
}

/*
 * Does a remembered location say enough? Not if it no longer has the wanted life, nor
 * if its death would not be heard of and no answer will tell what is wrong. And nobody
 * goes before those who wait to learn where it is.
 */
static int knows_way(const struct dvs_op *op, const struct dvs_dest *d)
{
	int answered = op->kind != DVS_K_NTF && op->kind != DVS_K_NOP;

	return d->known && dvs_list_empty(&d->ops) && !asks_where(op) &&
	       (!op->want_gen || op->want_gen == d->addr.gen) && (answered || d->told);
}

static void find_out(struct dvs_core *c, struct dvs_op *op, struct dvs_dest *d)
{
	if (knows_way(op, d))
		dvs_op_located(c, op, d, DVS_OK);
	else
		look_up(c, op, d);
}

int dvs_op_locate(struct dvs_core *c, struct dvs_copying *cp, int which, struct dvs_addr dst)
{
	struct dvs_dest *d = dvs_dest_get(c, dst.nr);
	struct dvs_op *op = d ? allocate(c) : (void *)0;

	if (!op)
		return DVS_EALLOCMEM;
	op->kind = which == DVS_SOURCE ? DVS_K_COPY_OUT : DVS_K_COPY_IN;
	op->flags = 0;
	op->copy = cp;
	op->ep = cp->ep;
	op->dst.nr = dst.nr;
	op->dst.gen = 0;
	op->want_gen = dst.gen;
	cp->share[which].op = op;
	find_out(c, op, d);
	return DVS_OK;
}

void dvs_op_ask(struct dvs_core *c, struct dvs_op *op)
{
	queue(c, op, op->chan);
}

int dvs_op_start(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst,
		 dvs_u8 kind, dvs_u32 flags)
{
	struct dvs_dest *d;
	struct dvs_op *op;

	/* Notifications outlive their calls: a VM that takes none must leave room for calls to others. */
	if (kind == DVS_K_NTF && c->stats.operations >= (c->limits.operations + 1) / 2)
		return DVS_EALLOCMEM;
	d = dvs_dest_get(c, dst.nr);
	op = d ? allocate(c) : (void *)0;
	if (!op)
		return DVS_EALLOCMEM;
	op->kind = kind;
	op->flags = flags & DVS_CALL_NOWAIT ? DVS_F_NOWAIT : 0;
	op->call = call;
	op->ep = call->ep;
	op->dst.nr = dst.nr;
	op->dst.gen = 0;
	op->want_gen = dst.gen;
	op->arg = call->req.token;
	call->operation = op;
	find_out(c, op, d);
	return DVS_OK;
}

struct dvs_op *dvs_op_of_taken(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst)
{
	struct dvs_op *op = allocate(c);

	if (!op)
		return (void *)0;
	op->kind = DVS_K_REQ;
	op->flags = DVS_F_TAKEN;
	op->state = DVS_OP_PLACED;
	op->pinned = 1;
	op->call = call;
	op->ep = call->ep;
	op->dst = dst;
	op->want_gen = dst.gen;
	op->arg = 0;
	return op;
}

void dvs_op_follow(struct dvs_core *c, struct dvs_op *op, struct dvs_chan *ch)
{
	queue(c, op, ch);
}

void dvs_op_renotify(struct dvs_core *c, struct dvs_ep *ep, struct dvs_addr dst,
		     struct dvs_chan *missed, dvs_u64 value)
{
	struct dvs_dest *d = dvs_dest_get(c, dst.nr);
	struct dvs_op *op = d ? allocate(c) : (void *)0;

	if (!op)
		return;
	op->kind = DVS_K_NTF;
	op->flags = 0;
	op->ep = ep;
	op->dst = dst;
	op->want_gen = dst.gen;
	op->arg = value;
	op->missed = missed;
	find_out(c, op, d);
}

void dvs_op_fill(struct dvs_core *c, struct dvs_op *op, struct dvs_frame *f, void *payload)
{
	f->kind = op->kind;
	f->flags = op->flags;
	f->src_ep = op->ep->addr.nr;
	f->src_gen = op->ep->gen;
	f->dst_ep = op->dst.nr;
	f->dst_gen = op->dst.gen;
	f->op = op->id;
	f->arg = op->arg;
	op->ep->peers |= 1ull << op->chan->index;
	dvs_dest_told(c, op->chan, op->dst);
	c->stats.remote_messages++;
	op->ep->rmtsent++;
	if (op->kind == DVS_K_NTF) {
		struct dvs_dest *d = dvs_dest_find(c, op->dst.nr);

		if (d)
			d->noted |= 1ull << op->chan->index;
		dvs_op_free(c, op);
		return;
	}
	op->state = DVS_OP_SENT;
	if (op->flags & DVS_F_TAKEN)
		return;
	if (op->copy) {
		f->len = sizeof(struct dvs_copy_side);
		dvs_copy_fill(c, op->copy, dvs_op_side(op), payload);
		return;
	}
	f->len = op->call->send_len;
	dvs_copy(payload, op->call->send_buf, f->len);
}

void dvs_op_fill_cancel(struct dvs_core *c, struct dvs_op *op, struct dvs_frame *f)
{
	f->kind = DVS_K_CANCEL;
	f->dst_ep = op->dst.nr;
	f->dst_gen = op->dst.gen;
	f->op = op->id;
	/* Nobody waits for the decision: a peer that never makes it holds nothing here. */
	if (!op->call && !op->copy)
		dvs_op_free(c, op);
}

/* Nothing of the copy has been done yet: it begins anew, with locations looked up anew. */
static void copy_not_here(struct dvs_core *c, struct dvs_op *op)
{
	dvs_dest_not_there(c, op->chan, op->dst);
	if (!op->copy->result)
		op->copy->moved = 1;
	dvs_op_finish(c, op, dvs_op_died(op));
}

static void not_here(struct dvs_core *c, struct dvs_op *op)
{
	struct dvs_chan *ch = op->chan;
	struct dvs_dest *d;

	if (op->state == DVS_OP_CANCELLING) {
		dvs_dest_not_there(c, op->chan, op->dst);
		dvs_op_finish(c, op, op->why);
		return;
	}
	if (op->copy) {
		copy_not_here(c, op);
		return;
	}
	op->missed = ch;
	op->chan = (void *)0;
	dvs_list_del(&op->link);
	d = dvs_dest_get(c, op->dst.nr);
	if (!d) {
		dvs_op_finish(c, op, DVS_EALLOCMEM);
	} else if (d->known && (d->chan != ch || d->addr.gen != op->dst.gen)) {
		dvs_op_located(c, op, d, DVS_OK);
	} else {
		dvs_u8 pinned = op->pinned;

		dvs_dest_missed(d, ch, op->dst.gen);
		look_up(c, op, d);
		/* Sent on a mere memory of the location: whoever is bound now may have it. */
		op->pinned = pinned;
	}
}

static void take_reply(struct dvs_op *op, const struct dvs_frame *f, const void *payload)
{
	if (op->call)
		dvs_call_replied(op->call, op->dst, payload, f->len);
}

static void redirected(struct dvs_core *c, struct dvs_op *op, const struct dvs_frame *f,
		       const void *payload)
{
	struct dvs_call *call = op->call;

	if (op->kind != DVS_K_REQ)
		return;
	if (op->state == DVS_OP_CANCELLING) {
		dvs_op_finish(c, op, op->why);
		return;
	}
	dvs_op_free(c, op);
	if (call)
		dvs_relay_redirected(c, call, f, payload);
}

static struct dvs_op *find(struct dvs_core *c, const struct dvs_chan *ch, dvs_u64 id)
{
	dvs_u32 index = (dvs_u32)id;
	struct dvs_op *op;

	if (index >= c->limits.operations)
		return (void *)0;
	op = &c->op[index];
	if (op->id != id || op->chan != ch)
		return (void *)0;
	return op->state == DVS_OP_SENT || op->state == DVS_OP_CANCELLING ? op : (void *)0;
}

void dvs_op_answer(struct dvs_core *c, struct dvs_chan *ch,
		   const struct dvs_frame *f, const void *payload)
{
	struct dvs_op *op = find(c, ch, f->op);

	if (!op)
		return;
	switch (f->kind) {
	case DVS_K_TAKEN:
		if (op->kind == DVS_K_MSG)
			dvs_op_finish(c, op, DVS_OK);
		break;
	case DVS_K_RPL:
		if (op->kind != DVS_K_REQ)
			break;
		take_reply(op, f, payload);
		dvs_op_finish(c, op, DVS_OK);
		break;
	case DVS_K_REDIRECT:
		redirected(c, op, f, payload);
		break;
	case DVS_K_COPIED:
		if (op->copy)
			dvs_op_finish(c, op, f->result ? dvs_clamp_error(f->result) : DVS_OK);
		break;
	case DVS_K_CANCELLED:
		if (op->state == DVS_OP_CANCELLING)
			dvs_op_finish(c, op, op->why);
		break;
	case DVS_K_FAILED:
		dvs_op_finish(c, op, dvs_clamp_error(f->result));
		break;
	case DVS_K_NOTHERE:
		not_here(c, op);
		break;
	case DVS_K_ELSEWHERE:
		if (op->kind != DVS_K_REQ)
			break;
		op->flags = DVS_F_TAKEN;
		op->pinned = 1;
		not_here(c, op);
		break;
	case DVS_K_HAND:
		if (op->kind == DVS_K_ADOPT)
			dvs_adopt_handed(c, op, f, payload);
		break;
	}
}
