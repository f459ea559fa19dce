// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/*
 * The requester of a copy: finds both sides, asks their cores, and waits until
 * both are over. If one fails the other is cancelled; the first failure is the
 * result. A side that was not where it had been remembered is looked up anew.
 */
#include "copying.h"

/* Look-ups of one copy before its party counts as dead. */
#define ATTEMPTS	3

void dvs_copy_init(struct dvs_core *c)
{
	dvs_u32 i;

	dvs_list_init(&c->free_copyings);
	for (i = 0; i < c->limits.copies; i++)
		dvs_list_push(&c->free_copyings, &c->copying[i].link);
}

static const struct dvs_copy_end *end_of(const struct dvs_copying *cp, int which)
{
	return which == DVS_SOURCE ? &cp->request.src : &cp->request.dst;
}

static dvs_s32 check_end(const struct dvs_core *c, const struct dvs_ep *ep,
			 struct dvs_copy_end *end, dvs_u64 bytes)
{
	if (end->ep.nr == DVS_SELF)
		end->ep = ep->addr;
	if (!dvs_number_valid(c, end->ep.nr))
		return DVS_ERANGE;
	if (end->ep.nr == DVS_HARDWARE)
		return DVS_EBADDEST;
	if (end->ep.nr != ep->addr.nr && dvs_check_ipc_to(c, ep, end->ep.nr))
		return DVS_ETRAPDENIED;
	return end->address + bytes < end->address ? DVS_ERANGE : DVS_OK;
}

static dvs_s32 check(const struct dvs_core *c, const struct dvs_ep *ep,
		     struct dvs_copy_request *r)
{
	dvs_s32 result = dvs_check_caller(c, ep, DVS_MAY_VCOPY);

	if (!result)
		result = check_end(c, ep, &r->src, r->bytes);
	if (!result)
		result = check_end(c, ep, &r->dst, r->bytes);
	if (!result && !r->bytes)
		result = DVS_ERANGE;
	if (!result && r->bytes > DVS_COPY_MAX)
		result = DVS_E2BIG;
	return result;
}

/* ---- its end ---- */

static void free_copying(struct dvs_core *c, struct dvs_copying *cp)
{
	cp->call->copying = (void *)0;
	cp->call = (void *)0;
	dvs_list_push(&c->free_copyings, &cp->link);
	c->stats.copies--;
}

static void advance(struct dvs_core *c, struct dvs_copying *cp);

static void begin(struct dvs_core *c, struct dvs_copying *cp);

static void conclude(struct dvs_core *c, struct dvs_copying *cp)
{
	struct dvs_call *call = cp->call;
	dvs_s32 result = cp->result;

	if (cp->moved && !cp->why && cp->attempts < ATTEMPTS) {
		begin(c, cp);
		return;
	}
	if (!result) {
		c->stats.copies_done++;
		c->stats.copied_bytes += cp->request.bytes;
	}
	free_copying(c, cp);
	dvs_call_finish(c, call, result);
}

/* Ends a side, at once or when its core has answered. */
static void stop_share(struct dvs_core *c, struct dvs_copying *cp, int which, dvs_s32 why)
{
	struct dvs_share *s = &cp->share[which];

	if (s->state == DVS_SHARE_OVER)
		return;
	if (s->op) {
		if (dvs_op_cancel(c, s->op, why) == DVS_PENDING)
			return;
		s->op = (void *)0;
	} else if (s->party) {
		dvs_party_close(c, s->party, why);
		return;
	}
	s->state = DVS_SHARE_OVER;
	if (!cp->result)
		cp->result = why;
}

void dvs_copy_share_over(struct dvs_core *c, struct dvs_copying *cp, int which, dvs_s32 result)
{
	struct dvs_share *s = &cp->share[which];

	s->state = DVS_SHARE_OVER;
	s->op = (void *)0;
	s->party = (void *)0;
	if (!cp->result)
		cp->result = result;
	advance(c, cp);
}

/* ---- its course ---- */

static struct dvs_copy_side what_of(const struct dvs_core *c, const struct dvs_copying *cp,
				    int which)
{
	const struct dvs_share *other = &cp->share[!which];
	const struct dvs_copy_end *end = end_of(cp, which);
	const struct dvs_ep *here = other->chan ? (void *)0 :
				    dvs_ep_lookup(c, other->at.nr, DVS_EP_BOUND);

	return (struct dvs_copy_side){
		.address = end->address,
		.bytes = cp->request.bytes,
		.grant = end->grant,
		.id = cp->id,
		.requester_vm = c->id.vm,
		.requester_inc = c->id.incarnation,
		.other_vm = other->chan ? other->chan->vm : c->id.vm,
		.other_inc = other->chan ? other->chan->inc : c->id.incarnation,
		.other_ep = other->at.nr,
		.other_gen = here ? here->gen : other->at.gen,
	};
}

void dvs_copy_fill(struct dvs_core *c, const struct dvs_copying *cp, int which, void *payload)
{
	struct dvs_copy_side what = what_of(c, cp, which);

	__builtin_memcpy(payload, &what, sizeof(what));
}

static dvs_s32 open_here(struct dvs_core *c, struct dvs_copying *cp, int which)
{
	struct dvs_share *s = &cp->share[which];
	struct dvs_party_order order = {
		.ep = dvs_ep_lookup(c, s->at.nr, DVS_EP_BOUND),
		.requester = cp->ep->addr,
		.own = s->at.nr == cp->ep->addr.nr ? cp->call : (void *)0,
		.writes = which == DVS_DESTINATION,
		.what = what_of(c, cp, which),
	};
	dvs_s32 result;

	/* It began to move since it was found: another look-up waits for where it goes. */
	cp->moved |= order.ep && dvs_move_holds_copies(order.ep);
	if (!order.ep || order.ep->addr.gen != s->at.gen || cp->moved)
		return which == DVS_SOURCE ? DVS_ESRCDIED : DVS_EDSTDIED;
	result = dvs_party_make(c, &order, &s->party);
	if (!result)
		s->party->copying = cp;
	return result;
}

/* Both sides are in this VM, and the caller is just here: it does the work itself. */
static int runs_now(const struct dvs_copying *cp)
{
	return cp->call->state == DVS_CALL_STARTING && !cp->share[DVS_SOURCE].chan &&
	       !cp->share[DVS_DESTINATION].chan;
}

/* Both sides are found. */
static void ask(struct dvs_core *c, struct dvs_copying *cp)
{
	int run = runs_now(cp);
	int which;

	for (which = DVS_DESTINATION; which >= DVS_SOURCE && !cp->result; which--) {
		struct dvs_share *s = &cp->share[which];

		s->state = DVS_SHARE_ASKED;
		if (s->chan) {
			dvs_op_ask(c, s->op);
			continue;
		}
		cp->result = open_here(c, cp, which);
		if (cp->result)
			s->state = DVS_SHARE_OVER;
		else if (run)
			s->party->running = 1;
	}
	if (run && cp->result && cp->share[DVS_DESTINATION].party)
		cp->share[DVS_DESTINATION].party->running = 0;
	for (which = DVS_DESTINATION; which >= DVS_SOURCE && !run; which--)
		if (cp->share[which].party && !cp->result)
			dvs_party_start(c, cp->share[which].party);
}

/* What follows from the states of the shares; whoever is at it already goes on itself. */
static void advance(struct dvs_core *c, struct dvs_copying *cp)
{
	struct dvs_share *src = &cp->share[DVS_SOURCE], *dst = &cp->share[DVS_DESTINATION];

	if (cp->deciding)
		return;
	cp->deciding = 1;
	if (!cp->result && src->state == DVS_SHARE_FOUND && dst->state == DVS_SHARE_FOUND)
		ask(c, cp);
	if (cp->result) {
		stop_share(c, cp, DVS_SOURCE, cp->result);
		stop_share(c, cp, DVS_DESTINATION, cp->result);
	}
	cp->deciding = 0;
	if (src->state == DVS_SHARE_OVER && dst->state == DVS_SHARE_OVER)
		conclude(c, cp);
}

void dvs_copy_found(struct dvs_core *c, struct dvs_copying *cp, int which,
		    struct dvs_addr at, struct dvs_chan *chan)
{
	struct dvs_share *s = &cp->share[which];

	s->state = DVS_SHARE_FOUND;
	s->at = at;
	s->chan = chan;
	if (!chan)
		s->op = (void *)0; /* it only looked, and is over */
	advance(c, cp);
}

static void locate(struct dvs_core *c, struct dvs_copying *cp, int which)
{
	struct dvs_addr want = end_of(cp, which)->ep;
	struct dvs_ep *here = dvs_ep_lookup(c, want.nr, DVS_EP_BOUND);
	dvs_s32 result = DVS_OK;

	if (!here)
		result = dvs_op_locate(c, cp, which, want);
	else if (!dvs_ep_is(here, want.gen))
		result = DVS_EENDPOINT;
	else if (!dvs_move_stalls_copy(here, &cp->call->req))
		dvs_copy_found(c, cp, which, here->addr, (void *)0);
	if (result)
		dvs_copy_share_over(c, cp, which, result);
}

static void begin(struct dvs_core *c, struct dvs_copying *cp)
{
	cp->id = dvs_new_id(c, (dvs_u32)(cp - c->copying));
	cp->result = DVS_OK;
	cp->moved = 0;
	cp->attempts++;
	cp->deciding = 1;
	cp->share[DVS_SOURCE] = (struct dvs_share){ .state = DVS_SHARE_LOCATING };
	cp->share[DVS_DESTINATION] = (struct dvs_share){ .state = DVS_SHARE_LOCATING };
	locate(c, cp, DVS_SOURCE);
	if (!cp->result)
		locate(c, cp, DVS_DESTINATION);
	cp->deciding = 0;
	advance(c, cp);
}

void dvs_copy_again(struct dvs_core *c, struct dvs_copying *cp)
{
	int which;

	cp->deciding = 1;
	for (which = DVS_SOURCE; which <= DVS_DESTINATION && !cp->result; which++)
		if (cp->share[which].state == DVS_SHARE_LOCATING && !cp->share[which].op)
			locate(c, cp, which);
	cp->deciding = 0;
	advance(c, cp);
}

/* ---- the call ---- */

int dvs_vcopy(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
	      const struct dvs_copy_request *request, dvs_u64 now)
{
	struct dvs_copy_request r = *request;
	dvs_s32 result = check(c, ep, &r);
	struct dvs_copying *cp;

	if (result)
		return result;
	if (dvs_list_empty(&c->free_copyings))
		return DVS_EALLOCMEM;
	dvs_call_begin(c, call, ep, DVS_CALL_COPY, 0, now);
	cp = dvs_entry(c->free_copyings.next, struct dvs_copying, link);
	dvs_list_del(&cp->link);
	c->stats.copies++;
	call->copying = cp;
	call->req.call = call;
	cp->call = call;
	cp->ep = ep;
	cp->why = DVS_OK;
	cp->attempts = 0;
	cp->request = r;
	begin(c, cp);
	dvs_core_flush(c);
	result = dvs_call_started(call);
	if (result == DVS_PENDING && cp->share[DVS_SOURCE].party &&
	    cp->share[DVS_SOURCE].party->running)
		return DVS_RUN;
	return result;
}

void dvs_copy_sides(const struct dvs_call *call, struct dvs_side **src, struct dvs_side **dst)
{
	*src = &call->copying->share[DVS_SOURCE].party->side;
	*dst = &call->copying->share[DVS_DESTINATION].party->side;
}

int dvs_copy_cancel(struct dvs_core *c, struct dvs_call *call, dvs_s32 why)
{
	struct dvs_copying *cp = call->copying;

	if (cp->why)
		return DVS_PENDING;
	cp->why = why;
	cp->deciding = 1;
	stop_share(c, cp, DVS_SOURCE, why);
	stop_share(c, cp, DVS_DESTINATION, why);
	cp->deciding = 0;
	if (cp->share[DVS_SOURCE].state == DVS_SHARE_OVER &&
	    cp->share[DVS_DESTINATION].state == DVS_SHARE_OVER) {
		dvs_s32 result = cp->result;

		free_copying(c, cp);
		return result;
	}
	return DVS_PENDING;
}

void dvs_copy_drop(struct dvs_core *c, struct dvs_call *call)
{
	struct dvs_copying *cp = call->copying;
	int which;

	for (which = DVS_SOURCE; which <= DVS_DESTINATION; which++) {
		struct dvs_share *s = &cp->share[which];

		if (s->op)
			dvs_op_leave(c, s->op, cp->why ? cp->why : DVS_EINTR);
		if (s->party) {
			s->party->copying = (void *)0;
			dvs_party_close(c, s->party, DVS_EINTR);
		}
		s->op = (void *)0;
		s->party = (void *)0;
	}
	free_copying(c, cp);
}
