// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/*
 * The sides of copies that are in this VM, whoever asked for them.
 *
 * A side is over for all others as soon as it is closed, unless a piece of it is
 * just being copied: then a moment later. Its place stays in use until the shell
 * and the device are through with its memory as well.
 */
#include "copying.h"

void dvs_party_init(struct dvs_core *c)
{
	dvs_u32 i;

	dvs_list_init(&c->free_parties);
	dvs_list_init(&c->lingering);
	for (i = 0; i < c->limits.sides; i++) {
		struct dvs_party *p = &c->party[i];

		dvs_list_init(&p->of_call);
		dvs_list_init(&p->of_loan);
		dvs_list_init(&p->of_chan);
		dvs_list_init(&p->lingering);
		dvs_list_init(&p->bulk.link);
		dvs_list_init(&p->out.link);
		p->bulk.side = &p->side;
		dvs_list_push(&c->free_parties, &p->link);
	}
}

/* ---- opening ---- */

/* Is the call a sendrec to this endpoint? */
static int awaits(const struct dvs_call *call, dvs_s32 nr)
{
	if (call->operation)
		return call->operation->dst.nr == nr;
	return call->req.dst && call->req.dst->addr.nr == nr;
}

/* The call by which the endpoint waits: best for the requester itself to answer. */
static struct dvs_call *waiting(const struct dvs_ep *ep, dvs_s32 requester)
{
	struct dvs_call *found = (void *)0;
	struct dvs_list *p;

	dvs_for_each(p, &ep->senders) {
		struct dvs_call *call = dvs_entry(p, struct dvs_call, link);

		if (call->what != DVS_CALL_SENDREC || call->state != DVS_CALL_WAITING)
			continue;
		if (awaits(call, requester))
			return call;
		if (!found)
			found = call;
	}
	dvs_for_each(p, &ep->receivers) {
		struct dvs_call *call = dvs_entry(p, struct dvs_call, link);

		if (!found && call->state == DVS_CALL_WAITING)
			found = call;
	}
	return found;
}

int dvs_party_waits(const struct dvs_ep *ep)
{
	return waiting(ep, DVS_NONE) != (void *)0;
}

static dvs_s32 check_size(const struct dvs_copy_side *what)
{
	if (!what->bytes || (!what->grant && what->address + what->bytes < what->address))
		return DVS_ERANGE;
	return what->bytes > DVS_COPY_MAX ? DVS_E2BIG : DVS_OK;
}

int dvs_party_depend(struct dvs_core *c, struct dvs_chan *ch)
{
	/* No peer can take the places of all others. */
	if (ch->copies >= (c->limits.sides + 3) / 4)
		return 0;
	ch->copies++;
	return 1;
}

static struct dvs_party *allocate(struct dvs_core *c, const struct dvs_party_order *order)
{
	struct dvs_party *p;

	if (dvs_list_empty(&c->free_parties) ||
	    (order->chan && !dvs_party_depend(c, order->chan)))
		return (void *)0;
	p = dvs_entry(c->free_parties.next, struct dvs_party, link);
	dvs_list_del(&p->link);
	dvs_list_push(&order->ep->parties, &p->link);
	c->stats.sides++;
	p->side = (struct dvs_side){
		.ep = order->ep,
		.address = order->what.address,
		.bytes = (dvs_u32)order->what.bytes,
		.writes = (dvs_u8)order->writes,
	};
	p->state = DVS_PARTY_OPEN;
	p->opening = p->ready = p->running = p->cancelled = p->sends = 0;
	p->fetch = DVS_FETCH_NONE;
	p->busy = p->moved = p->unacked = 0;
	p->result = DVS_OK;
	p->what = order->what;
	p->copying = (void *)0;
	p->held = (void *)0;
	p->requester = order->chan;
	p->chan = (void *)0;
	p->loan = (void *)0;
	return p;
}

dvs_s32 dvs_party_make(struct dvs_core *c, const struct dvs_party_order *order,
		       struct dvs_party **made)
{
	dvs_s32 result = check_size(&order->what);
	struct dvs_loan *loan = (void *)0;
	struct dvs_call *call = (void *)0;
	struct dvs_party *p;

	if (result)
		return result;
	if (order->what.grant)
		loan = dvs_loan_find(c, order);
	else
		call = order->own ? order->own : waiting(order->ep, order->requester.nr);
	if (!loan && !call)
		return DVS_EPROCSTS;
	p = allocate(c, order);
	if (!p)
		return DVS_EALLOCMEM;
	p->side.call = call;
	if (call)
		dvs_list_push(&call->sides, &p->of_call);
	p->loan = loan;
	if (loan) {
		p->side.region = loan->region;
		dvs_list_push(&loan->parties, &p->of_loan);
	}
	*made = p;
	return DVS_OK;
}

void dvs_party_start(struct dvs_core *c, struct dvs_party *p)
{
	dvs_s32 result;

	p->opening = 1;
	result = c->ops.copy_open(c->ctx, &p->side);
	if (!result)
		return;
	p->opening = 0;
	dvs_party_close(c, p, result);
}

/* ---- closing ---- */

void dvs_party_settle(struct dvs_core *c, struct dvs_party *p)
{
	if (p->state != DVS_PARTY_OVER || p->opening || p->running || p->busy ||
	    !dvs_list_empty(&p->out.link))
		return;
	if (p->sends && dvs_bulk_in_use(&c->channels, &p->bulk)) {
		if (dvs_list_empty(&p->lingering))
			dvs_list_push(&c->lingering, &p->lingering);
		return;
	}
	dvs_list_del(&p->lingering);
	p->state = DVS_PARTY_FREE;
	dvs_list_del(&p->of_chan);
	if (p->requester)
		p->requester->copies--;
	if (p->chan)
		p->chan->copies--;
	dvs_list_del(&p->link);
	dvs_list_push(&c->free_parties, &p->link);
	c->stats.sides--;
	if (p->ready)
		c->ops.copy_close(c->ctx, &p->side);
}

/* A destination that has not got all takes back what it asked the source for. */
static void stop_fetching(struct dvs_core *c, struct dvs_party *p)
{
	int told = p->fetch == DVS_FETCH_SENT && p->moved != p->side.bytes;

	p->fetch = DVS_FETCH_NONE;
	dvs_list_del(&p->out.link);
	if (!told || !p->chan || c->stopped)
		return;
	p->out.type = DVS_OUT_UNFETCH;
	dvs_chan_queue(&c->channels, p->chan, &p->out, DVS_CLASS_ANSWER, c->now);
}

static void leave_call(struct dvs_core *c, struct dvs_party *p)
{
	struct dvs_call *call = p->side.call;

	p->side.call = (void *)0;
	dvs_list_del(&p->of_call);
	if (call && call->state == DVS_CALL_LEAVING && dvs_list_empty(&call->sides)) {
		call->state = DVS_CALL_DONE;
		dvs_call_wake(c, call);
	}
}

/* Nobody touches its memory any more: all may hear of its end. */
static void over(struct dvs_core *c, struct dvs_party *p)
{
	struct dvs_copying *cp = p->copying;
	struct dvs_held *h = p->held;

	p->copying = (void *)0;
	p->held = (void *)0;
	if (!p->result) {
		if (p->what.other_vm == c->id.vm)
			p->side.ep->lclcopy++;
		else
			p->side.ep->rmtcopy++;
	}
	leave_call(c, p);
	dvs_list_del(&p->of_loan);
	if (p->loan)
		dvs_loan_left(c, p->loan);
	p->loan = (void *)0;
	if (h) {
		h->party = (void *)0;
		dvs_held_answer(c, &h->req, !p->result ? DVS_K_COPIED :
				p->cancelled ? DVS_K_CANCELLED : DVS_K_FAILED, p->result);
	}
	if (cp)
		dvs_copy_share_over(c, cp, p->side.writes ? DVS_DESTINATION : DVS_SOURCE,
				    p->result);
	if (p->side.writes)
		stop_fetching(c, p);
	dvs_party_settle(c, p);
}

void dvs_party_close(struct dvs_core *c, struct dvs_party *p, dvs_s32 result)
{
	if (p->state != DVS_PARTY_OPEN)
		return;
	p->state = DVS_PARTY_OVER;
	p->result = result;
	if (p->sends)
		dvs_bulk_drop(&c->channels, &p->bulk);
	/* With the device, the shell's say has gone. */
	if (!p->busy || c->stopped)
		over(c, p);
}

void dvs_party_rest(struct dvs_core *c, struct dvs_party *p)
{
	if (--p->busy == 0 && p->state == DVS_PARTY_OVER)
		over(c, p);
}

int DVS_HOT dvs_party_leave(struct dvs_core *c, struct dvs_call *call)
{
	struct dvs_list *p = call->sides.next;

	while (p != &call->sides) {
		struct dvs_party *side = dvs_entry(p, struct dvs_party, of_call);

		p = p->next;
		if (side->state != DVS_PARTY_OPEN)
			continue;
		dvs_party_close(c, side, DVS_EPROCSTS);
		p = call->sides.next; /* one end may have brought others */
	}
	return dvs_list_empty(&call->sides);
}

void dvs_party_abandon(struct dvs_core *c, struct dvs_call *call)
{
	if (dvs_party_leave(c, call))
		return;
	while (!dvs_list_empty(&call->sides)) {
		struct dvs_party *p = dvs_entry(call->sides.next, struct dvs_party, of_call);

		dvs_list_del(&p->of_call);
		p->side.call = (void *)0;
	}
}

/* Its endpoint is over, or that of the other side. */
static dvs_s32 died(const struct dvs_party *p, int other)
{
	int destination = other ? !p->side.writes : p->side.writes;

	return destination ? DVS_EDSTDIED : DVS_ESRCDIED;
}

void dvs_party_stop(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_list *p = ep->parties.next;

	while (p != &ep->parties) {
		struct dvs_party *side = dvs_entry(p, struct dvs_party, link);

		p = p->next;
		if (side->state != DVS_PARTY_OPEN)
			continue;
		dvs_party_close(c, side, died(side, 0));
		p = ep->parties.next;
	}
	/* What only lingers does so without its endpoint. */
	while (!dvs_list_empty(&ep->parties))
		dvs_list_del(ep->parties.next);
}

void dvs_party_device_gone(struct dvs_core *c)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.sides; i++) {
		struct dvs_party *p = &c->party[i];

		if (p->state == DVS_PARTY_OPEN)
			dvs_party_close(c, p, DVS_ENOTCONN);
		else if (p->state == DVS_PARTY_OVER && p->busy)
			over(c, p);
		dvs_list_del(&p->out.link);
		dvs_party_settle(c, p);
	}
}

void dvs_party_peer_gone(struct dvs_core *c, struct dvs_chan *ch, dvs_s32 cut_off)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.sides; i++) {
		struct dvs_party *p = &c->party[i];

		if (p->state == DVS_PARTY_FREE)
			continue;
		if (p->requester == ch)
			p->requester = (void *)0;
		if (p->chan == ch) {
			p->chan = (void *)0;
			dvs_list_del(&p->of_chan);
			dvs_list_del(&p->out.link);
		}
		if (p->what.other_vm == ch->vm && p->what.other_inc == ch->inc)
			dvs_party_close(c, p, cut_off ? cut_off : died(p, 1));
		dvs_party_settle(c, p);
	}
}

void dvs_party_peer_refused(struct dvs_core *c, struct dvs_chan *ch)
{
	struct dvs_list *p = ch->sides.next;

	while (p != &ch->sides) {
		struct dvs_party *side = dvs_entry(p, struct dvs_party, of_chan);

		p = p->next;
		if (side->state != DVS_PARTY_OPEN)
			continue;
		dvs_party_close(c, side, DVS_ERSCBUSY);
		p = ch->sides.next;
	}
}

void dvs_party_room(struct dvs_core *c)
{
	struct dvs_list *p, *tmp;

	dvs_for_each_safe(p, tmp, &c->lingering)
		dvs_party_settle(c, dvs_entry(p, struct dvs_party, lingering));
}
