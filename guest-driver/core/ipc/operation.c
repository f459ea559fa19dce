// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Requests to endpoints of other VMs, from the call to its answer. */
#include "ipc.h"

static struct dvs_op *allocate(struct dvs_core *c)
{
	struct dvs_op *op;

	if (dvs_list_empty(&c->free_ops))
		return (void *)0;
	op = dvs_entry(c->free_ops.next, struct dvs_op, link);
	dvs_list_del(&op->link);
	op->id = (dvs_u64)(++c->op_salt & 0x7fffffff) << 32 | (dvs_u32)(op - c->op);
	dvs_list_init(&op->out.link);
	op->out.type = DVS_OUT_OP;
	op->pinned = 0;
	op->why = DVS_OK;
	op->chan = (void *)0;
	op->missed = (void *)0;
	c->stats.operations++;
	return op;
}

static void free_op(struct dvs_core *c, struct dvs_op *op)
{
	if (op->call)
		op->call->operation = (void *)0;
	op->call = (void *)0;
	op->ep = (void *)0;
	/* An answer to it that still comes, or that somebody makes up, finds nothing. */
	op->chan = (void *)0;
	op->state = DVS_OP_FREE;
	dvs_list_del(&op->out.link);
	dvs_list_del(&op->link);
	dvs_list_push(&c->free_ops, &op->link);
	c->stats.operations--;
}

static void finish(struct dvs_core *c, struct dvs_op *op, dvs_s32 result)
{
	struct dvs_call *call = op->call;

	free_op(c, op);
	if (call)
		dvs_call_finish(c, call, result);
}

/* A notification to the same endpoint that has not left yet: one is enough. */
static int notification_waits(const struct dvs_op *op, const struct dvs_chan *ch)
{
	struct dvs_list *p;

	dvs_for_each(p, &ch->ops) {
		const struct dvs_op *other = dvs_entry(p, struct dvs_op, link);

		if (other->kind == DVS_K_NTF && other->ep == op->ep &&
		    other->dst.nr == op->dst.nr && other->dst.gen == op->dst.gen)
			return 1;
	}
	return 0;
}

static void queue(struct dvs_core *c, struct dvs_op *op, struct dvs_chan *ch)
{
	int nowait = op->flags & DVS_F_NOWAIT;

	op->chan = ch;
	op->state = DVS_OP_QUEUED;
	dvs_list_del(&op->link);
	if (op->kind == DVS_K_NTF) {
		struct dvs_call *call = op->call;

		op->call = (void *)0;
		if (call) {
			call->operation = (void *)0;
			dvs_call_finish(c, call, DVS_OK);
		}
		if (notification_waits(op, ch)) {
			free_op(c, op);
			return;
		}
	}
	dvs_list_push(&ch->ops, &op->link);
	/* A notification is over as soon as its frame is built: op may be free then. */
	dvs_chan_queue(&c->channels, ch, &op->out, DVS_CLASS_REQUEST, c->now);
	if (nowait && op->state == DVS_OP_QUEUED)
		finish(c, op, DVS_EAGAIN);
}

void dvs_op_located(struct dvs_core *c, struct dvs_op *op, struct dvs_dest *d, dvs_s32 result)
{
	if (result) {
		finish(c, op, result);
	} else if (op->want_gen && op->want_gen != d->addr.gen) {
		finish(c, op, DVS_EENDPOINT);
	} else if (op->kind == DVS_K_NOP) {
		finish(c, op, DVS_EPROCSTS);
	} else if (op->missed == d->chan && op->dst.gen == d->addr.gen) {
		finish(c, op, DVS_EDSTDIED);
	} else if (op->pinned && op->dst.gen && op->dst.gen != d->addr.gen) {
		finish(c, op, DVS_EDSTDIED);
	} else {
		op->dst.gen = d->addr.gen;
		queue(c, op, d->chan);
	}
}

void dvs_op_located_here(struct dvs_core *c, struct dvs_op *op)
{
	struct dvs_ep *dst = dvs_ep_lookup(c, op->dst.nr, DVS_EP_BOUND);
	struct dvs_call *call = op->call;
	struct dvs_ep *src = op->ep;
	dvs_u8 kind = op->kind;
	dvs_u32 gen = op->want_gen;

	if (!dst || (op->pinned && op->dst.gen && op->dst.gen != dst->addr.gen)) {
		finish(c, op, DVS_EDSTDIED);
		return;
	}
	if (kind == DVS_K_NOP) {
		finish(c, op, DVS_EPROCSTS);
		return;
	}
	free_op(c, op);
	if (kind == DVS_K_NTF) {
		dvs_queue_notify_local(c, src, dst);
		if (call)
			dvs_call_finish(c, call, DVS_OK);
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
	call->operation = op;
	/* A remembered location that no longer has the wanted life says nothing. */
	if (d->known && (!dst.gen || dst.gen == d->addr.gen))
		dvs_op_located(c, op, d, DVS_OK);
	else
		look_up(c, op, d);
	return DVS_OK;
}

void dvs_op_fill(struct dvs_core *c, struct dvs_op *op, struct dvs_frame *f, void *payload)
{
	f->kind = op->kind;
	f->flags = op->flags;
	f->src_ep = op->ep->addr.nr;
	f->src_gen = op->ep->addr.gen;
	f->dst_ep = op->dst.nr;
	f->dst_gen = op->dst.gen;
	f->op = op->id;
	op->ep->peers |= 1ull << op->chan->index;
	c->stats.remote_messages++;
	if (op->kind == DVS_K_NTF) {
		free_op(c, op);
		return;
	}
	f->len = op->call->send_len;
	dvs_copy(payload, op->call->send_buf, f->len);
	op->state = DVS_OP_SENT;
}

void dvs_op_fill_cancel(struct dvs_core *c, struct dvs_op *op, struct dvs_frame *f)
{
	f->kind = DVS_K_CANCEL;
	f->dst_ep = op->dst.nr;
	f->dst_gen = op->dst.gen;
	f->op = op->id;
	/* Nobody waits for the decision: a peer that never makes it holds nothing here. */
	if (!op->call)
		free_op(c, op);
}

static void not_here(struct dvs_core *c, struct dvs_op *op)
{
	struct dvs_chan *ch = op->chan;
	struct dvs_dest *d;

	if (op->state == DVS_OP_CANCELLING) {
		finish(c, op, op->why);
		return;
	}
	op->missed = ch;
	op->chan = (void *)0;
	dvs_list_del(&op->link);
	d = dvs_dest_get(c, op->dst.nr);
	if (!d) {
		finish(c, op, DVS_EALLOCMEM);
	} else if (d->known && (d->chan != ch || d->addr.gen != op->dst.gen)) {
		dvs_op_located(c, op, d, DVS_OK);
	} else {
		dvs_u8 pinned = op->pinned;

		dvs_dest_forget(d);
		look_up(c, op, d);
		/* Sent on a mere memory of the location: whoever is bound now may have it. */
		op->pinned = pinned;
	}
}

static void take_reply(struct dvs_op *op, const struct dvs_frame *f, const void *payload)
{
	struct dvs_call *call = op->call;
	dvs_u32 n;

	if (!call)
		return;
	n = f->len < call->recv_cap ? f->len : call->recv_cap;
	dvs_copy(call->recv_buf, payload, n);
	call->recv_len = f->len;
	call->peer = op->dst;
	call->kind = DVS_KIND_REPLY;
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
			finish(c, op, DVS_OK);
		break;
	case DVS_K_RPL:
		if (op->kind != DVS_K_REQ)
			break;
		take_reply(op, f, payload);
		finish(c, op, DVS_OK);
		break;
	case DVS_K_CANCELLED:
		if (op->state == DVS_OP_CANCELLING)
			finish(c, op, op->why);
		break;
	case DVS_K_FAILED:
		finish(c, op, dvs_clamp_error(f->result));
		break;
	case DVS_K_NOTHERE:
		not_here(c, op);
		break;
	}
}

/* The operation goes on without its caller, who has got its result or is getting it. */
static void detach(struct dvs_op *op)
{
	op->call->operation = (void *)0;
	op->call = (void *)0;
}

int dvs_op_cancel(struct dvs_core *c, struct dvs_op *op, dvs_s32 why)
{
	struct dvs_chan *ch = op->chan;
	int result = DVS_PENDING;

	op->why = why;
	if (op->state == DVS_OP_CANCELLING)
		return DVS_PENDING;
	if (op->state != DVS_OP_SENT) {
		free_op(c, op);
		return why;
	}
	op->state = DVS_OP_CANCELLING;
	op->out.type = DVS_OUT_CANCEL;
	if (dvs_chan_stalled(ch, c->now, DVS_STALLED_NS)) {
		/* The peer is out of reach: the decision will come when nobody waits for it. */
		detach(op);
		result = why;
	}
	/* Without a caller the operation is over as soon as this frame is built. */
	dvs_chan_queue(&c->channels, ch, &op->out, DVS_CLASS_ANSWER, c->now);
	return result;
}

dvs_s32 dvs_op_abandon(struct dvs_core *c, struct dvs_op *op)
{
	struct dvs_call *call = op->call;
	dvs_s32 why = op->why ? op->why : DVS_EINTR;

	(void)dvs_op_cancel(c, op, why);
	if (call->operation) {
		detach(op);
		if (dvs_list_empty(&op->out.link))
			free_op(c, op);
	}
	return why;
}

void dvs_op_source_died(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.operations; i++)
		if (c->op[i].ep == ep)
			free_op(c, &c->op[i]);
}

void dvs_op_peer_gone(struct dvs_core *c, struct dvs_chan *ch)
{
	while (!dvs_list_empty(&ch->ops)) {
		struct dvs_op *op = dvs_entry(ch->ops.next, struct dvs_op, link);
		int taken = op->kind == DVS_K_REQ && op->state != DVS_OP_QUEUED;

		finish(c, op, taken ? DVS_ESRCDIED : DVS_EDSTDIED);
	}
}

void dvs_op_peer_refused(struct dvs_core *c, struct dvs_chan *ch)
{
	while (!dvs_list_empty(&ch->ops)) {
		struct dvs_op *op = dvs_entry(ch->ops.next, struct dvs_op, link);

		dvs_chan_forget(&c->channels, ch, op->ep->addr);
		finish(c, op, DVS_ERSCBUSY);
	}
}
