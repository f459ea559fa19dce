// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Waiting for an endpoint that moves: until it is quiescent, who has to wait, and until all know of it. */
#include "copying.h"

/* ---- quiescence ---- */

/* Receives, and waits for others to come or go, are just asleep: they wake up at a rollback. */
static int sleeps(const struct dvs_call *call)
{
	return call->what == DVS_CALL_AWAIT_BIND || call->what == DVS_CALL_AWAIT_UNBIND;
}

static int calls_out(const struct dvs_ep *ep)
{
	struct dvs_list *p;

	dvs_for_each(p, &ep->senders)
		if (!sleeps(dvs_entry(p, struct dvs_call, link)))
			return 1;
	return 0;
}

static int sends(const struct dvs_core *c, const struct dvs_ep *ep)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.operations; i++)
		if (c->op[i].ep == ep)
			return 1;
	for (i = 0; i < c->channels.count; i++)
		if ((ep->peers & 1ull << i) &&
		    dvs_chan_sends(&c->channels, &c->channels.chan[i], dvs_ep_outside(ep)))
			return 1;
	return 0;
}

static int quiescent(const struct dvs_core *c, const struct dvs_ep *ep)
{
	return dvs_settled(ep) && ep->ctl == DVS_CTL_IDLE && dvs_list_empty(&ep->setters) &&
	       dvs_list_empty(&ep->moving.out.link) && dvs_list_empty(&ep->parties) &&
	       !calls_out(ep) && !sends(c, ep);
}

void dvs_move_all_told(struct dvs_core *c, struct dvs_ep *ep)
{
	c->restless--;
	dvs_move_finish(c, ep, DVS_CALL_MOVE_COMMIT, DVS_OK);
	dvs_ep_release_if_over(c, ep);
}

void dvs_move_told(struct dvs_core *c, struct dvs_ep *ep, const struct dvs_chan *ch)
{
	dvs_u64 bit = 1ull << ch->index;

	if (!(ep->moving.telling & bit))
		return;
	ep->moving.telling &= ~bit;
	if (!ep->moving.telling)
		dvs_move_all_told(c, ep);
}

static void tell(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_u32 i;

	for (i = 0; i < c->channels.count; i++) {
		struct dvs_chan *ch = &c->channels.chan[i];
		dvs_u64 bit = 1ull << i;

		if (!(ep->moving.telling & bit))
			continue;
		if (!(ep->moving.marked & bit) && dvs_chan_mark(ch))
			ep->moving.marked |= bit;
		if ((ep->moving.marked & bit) && dvs_chan_passed(ch))
			dvs_move_told(c, ep, ch);
	}
}

void dvs_move_arrived(struct dvs_core *c, struct dvs_ep *ep)
{
	if (!ep->moving.fresh)
		c->restless++;
	ep->moving.fresh = 1;
}

static void settle_in(struct dvs_core *c, struct dvs_ep *ep)
{
	ep->moving.fresh = 0;
	c->restless--;
	if (ep->moving.state == DVS_MOVE_NONE)
		dvs_move_resume(c, ep);
}

void dvs_move_proceed(struct dvs_core *c)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_ep *ep = &c->ep[i];

		if (ep->moving.telling)
			tell(c, ep);
		if (ep->moving.fresh && (ep->state != DVS_EP_BOUND || dvs_party_waits(ep)))
			settle_in(c, ep);
		if (ep->moving.state != DVS_MOVE_STARTING || !quiescent(c, ep))
			continue;
		dvs_move_set(c, ep, DVS_MOVE_READY);
		dvs_move_finish(c, ep, DVS_CALL_MOVE_START, DVS_OK);
	}
}

/* ---- who has to wait ---- */

int dvs_move_stalls(struct dvs_ep *ep, struct dvs_req *req)
{
	if (ep->moving.state < DVS_MOVE_OFFERING)
		return 0;
	req->dst = ep;
	dvs_list_push(&ep->moving.stalled, &req->link);
	return 1;
}

int dvs_move_holds_copies(const struct dvs_ep *ep)
{
	/* Whoever copies from or to it found it waiting, in the place that it has left. */
	if (ep->moving.fresh)
		return 1;
	/* What its process waits for may need the copy. */
	return ep->moving.state > DVS_MOVE_STARTING ||
	       (ep->moving.state == DVS_MOVE_STARTING && !calls_out(ep));
}

int dvs_move_stalls_copy(struct dvs_ep *ep, struct dvs_req *req)
{
	if (!dvs_move_holds_copies(ep))
		return 0;
	req->dst = ep;
	if (dvs_list_empty(&req->link))
		dvs_list_push(&ep->moving.stalled, &req->link);
	return 1;
}
