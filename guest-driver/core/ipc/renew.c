// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/*
 * A new life of this VM. For the others the one before is over; here nothing has
 * happened: processes go on, and their endpoints are bound anew behind their backs.
 * Among themselves they keep their addresses; only others see the new generations.
 */
#include "ipc.h"

/* Of what the node knew of an endpoint it knows nothing any more: that is asked for anew. */
static void begin_anew(struct dvs_core *c, struct dvs_ep *ep)
{
	/* What was offered of the life that is over is nothing any more. */
	if (ep->state == DVS_EP_BOUND && ep->moving.state >= DVS_MOVE_OFFERING)
		dvs_move_stays(c, ep, DVS_ENOTCONN);
	ep->gen = 0;
	ep->restoring = 0;
	if (ep->state == DVS_EP_BOUND) {
		/*
		 * By the same nonce: if the bind was asked for more than once, the node
		 * may get to the last of the requests only in the new life.
		 */
		ep->nonce = ep->bind_nonce;
		ep->ctl = DVS_CTL_WANTED;
	} else if (ep->state == DVS_EP_OVER && !ep->released) {
		/* So the number may be bound in the new life: whatever comes of that is given back. */
		ep->nonce = ++c->next_nonce;
		ep->ctl = DVS_CTL_WANTED;
	}
}

void dvs_renew(struct dvs_core *c, dvs_u32 incarnation)
{
	dvs_u32 i;

	if (!dvs_before(c->id.incarnation, incarnation))
		return;
	c->id.incarnation = incarnation;
	c->stats.renewals++;
	c->tell_wanted = 0;
	dvs_orders_drop(c);
	for (i = 0; i < c->limits.endpoints; i++)
		begin_anew(c, &c->ep[i]);
	dvs_control_ask_again(c, DVS_AGAIN_ALL);
	dvs_channels_renew(&c->channels, incarnation);
}

void dvs_rebound(struct dvs_core *c, struct dvs_ep *ep, const struct dvs_frame *f)
{
	if (f->result) {
		dvs_unbind(c, ep, c->now);
		c->ops.released(c->ctx, ep);
		return;
	}
	ep->gen = f->dst_gen;
	dvs_held_check_generation(c, ep);
	dvs_privileges_renew(c, ep);
}

int dvs_settled(const struct dvs_ep *ep)
{
	return ep->gen && !ep->restoring;
}

void dvs_settle(struct dvs_core *c, struct dvs_ep *ep)
{
	while (!dvs_list_empty(&ep->waiting)) {
		struct dvs_op *op = dvs_entry(ep->waiting.next, struct dvs_op, out.link);

		dvs_list_del(&op->out.link);
		dvs_op_go(c, op);
	}
	dvs_move_next(c, ep);
}

struct dvs_addr DVS_HOT dvs_known_here(const struct dvs_core *c, struct dvs_addr addr)
{
	struct dvs_ep *ep;

	if (!addr.gen || !c->stats.renewals)
		return addr;
	ep = dvs_ep_lookup(c, addr.nr, DVS_EP_BOUND);
	return ep && addr.gen == ep->gen ? ep->addr : addr;
}
