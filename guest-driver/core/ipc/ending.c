// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* How operations end without an answer: callers that leave, deaths, VMs that are gone, rights that are taken. */
#include "copying.h"

static int is_of(void *user, const struct dvs_frame *f)
{
	const struct dvs_op *op = user;

	return f->op == op->id;
}

/*
 * Nobody will wait for the decision: what the peer has not acknowledged, as it
 * stands still or cannot be reached, must not come to its receiver later.
 */
static void withdraw(struct dvs_core *c, struct dvs_op *op)
{
	if (!op->copy)
		dvs_chan_forget(&c->channels, op->chan, dvs_ep_outside(op->ep), is_of, op);
}

int dvs_op_cancel(struct dvs_core *c, struct dvs_op *op, dvs_s32 why)
{
	struct dvs_chan *ch = op->chan;
	int result = DVS_PENDING;

	op->why = why;
	if (op->state == DVS_OP_CANCELLING)
		return DVS_PENDING;
	if (op->state != DVS_OP_SENT) {
		dvs_op_free(c, op);
		return why;
	}
	op->state = DVS_OP_CANCELLING;
	op->out.type = DVS_OUT_CANCEL;
	if (dvs_chan_stalled(ch, c->now, DVS_STALLED_NS)) {
		/* The peer is out of reach: the decision will come when nobody waits for it. */
		withdraw(c, op);
		dvs_op_detach(op);
		result = why;
	}
	/* Without a caller the operation is over as soon as this frame is built. */
	dvs_chan_queue(&c->channels, ch, &op->out, DVS_CLASS_ANSWER, c->now);
	return result;
}

void dvs_op_leave(struct dvs_core *c, struct dvs_op *op, dvs_s32 why)
{
	(void)dvs_op_cancel(c, op, why);
	if (op->call || op->copy) {
		dvs_op_detach(op);
		if (dvs_list_empty(&op->out.link))
			dvs_op_free(c, op);
	}
}

void dvs_op_give_up(struct dvs_core *c, struct dvs_op *op, dvs_s32 why)
{
	struct dvs_call *call = op->call;
	struct dvs_copying *copy = op->copy;
	int side = dvs_op_side(op);

	if (op->why)
		why = op->why;
	dvs_op_leave(c, op, why);
	if (copy)
		dvs_copy_share_over(c, copy, side, why);
	else if (call)
		dvs_call_finish(c, call, why);
}

dvs_s32 dvs_op_abandon(struct dvs_core *c, struct dvs_op *op)
{
	dvs_s32 why = op->why ? op->why : DVS_EINTR;

	if (op->state == DVS_OP_SENT || op->state == DVS_OP_CANCELLING)
		withdraw(c, op);
	dvs_op_leave(c, op, why);
	return why;
}

void dvs_op_source_died(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.operations; i++)
		if (c->op[i].ep == ep)
			dvs_op_free(c, &c->op[i]);
}

void dvs_op_peer_gone(struct dvs_core *c, struct dvs_chan *ch, dvs_s32 cut_off)
{
	while (!dvs_list_empty(&ch->ops)) {
		struct dvs_op *op = dvs_entry(ch->ops.next, struct dvs_op, link);
		int taken = op->kind == DVS_K_REQ && op->state >= DVS_OP_SENT;
		dvs_s32 died = taken ? DVS_ESRCDIED : dvs_op_died(op);

		dvs_op_finish(c, op, cut_off ? cut_off : died);
	}
}

void dvs_op_peer_refused(struct dvs_core *c, struct dvs_chan *ch)
{
	while (!dvs_list_empty(&ch->ops)) {
		struct dvs_op *op = dvs_entry(ch->ops.next, struct dvs_op, link);

		dvs_chan_forget(&c->channels, ch, dvs_ep_outside(op->ep), (void *)0, (void *)0);
		dvs_op_finish(c, op, DVS_ERSCBUSY);
	}
}

static dvs_u32 right_for(dvs_u8 kind)
{
	switch (kind) {
	case DVS_K_MSG:
		return DVS_MAY_SEND;
	case DVS_K_REQ:
		return DVS_MAY_SENDREC;
	case DVS_K_NTF:
		return DVS_MAY_NOTIFY;
	default:
		return DVS_MAY_VCOPY;
	}
}

static dvs_s32 denied(const struct dvs_core *c, const struct dvs_ep *ep, dvs_u8 kind, dvs_s32 nr)
{
	/* It only asks whether somebody lives. */
	if (kind == DVS_K_NOP)
		return DVS_OK;
	if (!(ep->privileges.calls & 1ull << right_for(kind)))
		return DVS_EBADCALL;
	return dvs_check_ipc_to(c, ep, nr);
}

struct narrowing {
	struct dvs_core *core;
	struct dvs_ep *ep;
};

/* A frame that the node does not carry any more; its operation ends, if it has not before. */
static int take_back(void *user, const struct dvs_frame *f)
{
	struct narrowing *n = user;
	struct dvs_core *c = n->core;
	dvs_s32 result = denied(c, n->ep, f->kind, f->dst_ep);
	dvs_u32 index = (dvs_u32)f->op;

	if (!result)
		return 0;
	if (index < c->limits.operations && c->op[index].id == f->op && c->op[index].ep == n->ep)
		dvs_op_give_up(c, &c->op[index], result);
	return 1;
}

/*
 * What was sent and is not acknowledged may have been carried before the right
 * was taken: it is cancelled, and received at most once.
 */
void dvs_op_rights_taken(struct dvs_core *c, struct dvs_ep *ep)
{
	struct narrowing n = { .core = c, .ep = ep };
	dvs_u32 i;

	for (i = 0; i < c->channels.count; i++)
		if (ep->peers & 1ull << i) {
			dvs_chan_forget(&c->channels, &c->channels.chan[i], dvs_ep_outside(ep),
					take_back, &n);
			dvs_dest_doubt(c, &c->channels.chan[i]);
		}
	for (i = 0; i < c->limits.operations; i++) {
		struct dvs_op *op = &c->op[i];
		dvs_s32 result;

		if (op->ep != ep || op->state == DVS_OP_SENT || op->state == DVS_OP_CANCELLING)
			continue;
		result = denied(c, ep, op->kind, op->dst.nr);
		if (result)
			dvs_op_give_up(c, op, result);
	}
}
