// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* How operations end without an answer: a death, a VM that is gone, a right that was taken. */
#include "ipc.h"

void dvs_op_source_died(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.operations; i++)
		if (c->op[i].ep == ep)
			dvs_op_free(c, &c->op[i]);
}

void dvs_op_peer_gone(struct dvs_core *c, struct dvs_chan *ch)
{
	while (!dvs_list_empty(&ch->ops)) {
		struct dvs_op *op = dvs_entry(ch->ops.next, struct dvs_op, link);
		int taken = op->kind == DVS_K_REQ && op->state != DVS_OP_QUEUED;

		dvs_op_finish(c, op, taken ? DVS_ESRCDIED : dvs_op_died(op));
	}
}

void dvs_op_peer_refused(struct dvs_core *c, struct dvs_chan *ch)
{
	while (!dvs_list_empty(&ch->ops)) {
		struct dvs_op *op = dvs_entry(ch->ops.next, struct dvs_op, link);

		dvs_chan_forget(&c->channels, ch, op->ep->addr, (void *)0, (void *)0);
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
		if (ep->peers & 1ull << i)
			dvs_chan_forget(&c->channels, &c->channels.chan[i], ep->addr, take_back,
					&n);
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
