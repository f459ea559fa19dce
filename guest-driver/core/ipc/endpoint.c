// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* The life of an endpoint: bind, unbind, and what its death means to others. */
#include "copying.h"

struct dvs_ep *DVS_HOT dvs_ep_lookup(const struct dvs_core *c, dvs_s32 nr, int state)
{
	const struct dvs_list *head = &c->ep_hash[dvs_bucket(nr)];
	struct dvs_list *p;

	dvs_for_each(p, head) {
		struct dvs_ep *ep = dvs_entry(p, struct dvs_ep, hash);

		if (ep->addr.nr == nr && ep->state == state)
			return ep;
	}
	return (void *)0;
}

void dvs_ep_release(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_list_del(&ep->hash);
	ep->state = DVS_EP_FREE;
	c->stats.endpoints--;
}

/*
 * One that waits for nothing but silent VMs to take the news of its death gives
 * its place: they are told that some died, and have to look for themselves.
 */
static struct dvs_ep *reclaim(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_u32 i;

	if (ep->state != DVS_EP_OVER || !ep->released || ep->moving.telling)
		return (void *)0;
	for (i = 0; i < c->channels.count; i++)
		if (ep->peers & 1ull << i)
			c->channels.chan[i].deaths_lost = 1;
	ep->peers = 0;
	dvs_ep_release_if_over(c, ep);
	return ep;
}

static struct dvs_ep *find_place(struct dvs_core *c)
{
	struct dvs_ep *ep = (void *)0;
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++)
		if (c->ep[i].state == DVS_EP_FREE)
			return &c->ep[i];
	for (i = 0; !ep && i < c->limits.endpoints; i++)
		ep = reclaim(c, &c->ep[i]);
	return ep;
}

struct dvs_ep *dvs_ep_allocate(struct dvs_core *c, dvs_s32 nr, int state)
{
	struct dvs_ep *ep = find_place(c);

	if (!ep)
		return (void *)0;
	ep->addr.nr = nr;
	ep->addr.gen = 0;
	ep->state = (dvs_u8)state;
	ep->ctl = DVS_CTL_IDLE;
	ep->released = 0;
	ep->woken = 0;
	ep->restoring = 0;
	ep->gen = 0;
	ep->lclsent = 0;
	ep->rmtsent = 0;
	ep->lclcopy = 0;
	ep->rmtcopy = 0;
	ep->owner = (void *)0;
	ep->peers = 0;
	ep->nonce = ++c->next_nonce;
	ep->bind_nonce = ep->nonce;
	ep->moving.taking = 0;
	ep->moving.moved = 0;
	ep->moving.result = DVS_OK;
	ep->moving.chan = (void *)0;
	dvs_privileges_default(c, ep);
	dvs_list_push(&c->ep_hash[dvs_bucket(nr)], &ep->hash);
	c->stats.endpoints++;
	return ep;
}

static void start_binding(struct dvs_core *c, struct dvs_call *call, dvs_s32 nr)
{
	struct dvs_ep *ep = dvs_ep_allocate(c, nr, DVS_EP_BINDING);

	if (!ep) {
		dvs_call_finish(c, call, DVS_EALLOCMEM);
		return;
	}
	dvs_list_push(&ep->binders, &call->link);
	dvs_ep_ask(c, ep);
}

struct dvs_ep *dvs_ep_leaving(struct dvs_core *c, dvs_s32 nr)
{
	struct dvs_list *head = &c->ep_hash[dvs_bucket(nr)];
	struct dvs_list *p;

	dvs_for_each(p, head) {
		struct dvs_ep *ep = dvs_entry(p, struct dvs_ep, hash);

		if (ep->addr.nr == nr && ep->state == DVS_EP_OVER && !ep->released)
			return ep;
	}
	return (void *)0;
}

int dvs_bind(struct dvs_core *c, struct dvs_call *call, dvs_s32 nr, dvs_u64 now)
{
	struct dvs_ep *before;

	if (c->stopped)
		return DVS_ENOTCONN;
	if (!dvs_number_valid(c, nr))
		return DVS_ERANGE;
	/* Whoever asked for it may have left: the bind under way is for who asks next. */
	before = dvs_ep_lookup(c, nr, DVS_EP_BINDING);
	if (dvs_ep_lookup(c, nr, DVS_EP_BOUND) || dvs_ep_lookup(c, nr, DVS_EP_ADOPTING) || (before && !dvs_list_empty(&before->binders)))
		return DVS_ESLOTUSED;
	dvs_call_begin(c, call, (void *)0, DVS_CALL_BIND, 0, now);
	if (!before)
		before = dvs_ep_leaving(c, nr);
	if (before)
		dvs_list_push(&before->binders, &call->link);
	else
		start_binding(c, call, nr);
	return dvs_call_started(call);
}

void dvs_ep_bound(struct dvs_core *c, const struct dvs_frame *f)
{
	struct dvs_ep *ep = dvs_ep_lookup(c, f->dst_ep, DVS_EP_BINDING);
	struct dvs_call *call = (void *)0;

	if (!ep)
		ep = dvs_ep_lookup(c, f->dst_ep, DVS_EP_BOUND);
	if (!ep || ep->gen || ep->nonce != f->op || (!f->result && !f->dst_gen))
		return;
	ep->ctl = DVS_CTL_IDLE;
	if (ep->state == DVS_EP_BOUND) {
		dvs_rebound(c, ep, f);
		return;
	}
	if (!dvs_list_empty(&ep->binders))
		call = dvs_entry(ep->binders.next, struct dvs_call, link);
	if (f->result) {
		dvs_s32 result = f->result < 0 ? f->result : DVS_EINVAL;

		if (ep->moving.taking) {
			/* It is not offered any more. */
			result = result == DVS_ENOTBIND ? DVS_EPROCSTS : result;
			dvs_adopt_failed(c, ep, result);
		}
		dvs_held_reject_all(c, ep);
		/* Who sent here early has heard that it is not here: nobody is to be told more. */
		ep->peers = 0;
		/*
		 * It may have been asked twice and be granted the second time:
		 * whatever comes of it is given back.
		 */
		ep->state = DVS_EP_OVER;
		ep->nonce = ++c->next_nonce;
		dvs_ep_ask(c, ep);
		if (call)
			dvs_call_finish(c, call, result);
		return;
	}
	ep->state = DVS_EP_BOUND;
	ep->addr.gen = f->dst_gen;
	ep->gen = f->dst_gen;
	if (ep->moving.taking)
		dvs_adopt_bound(c, ep, f);
	dvs_held_check_generation(c, ep);
	if (!call) { /* the binder left meanwhile */
		dvs_unbind(c, ep, c->now);
		return;
	}
	call->ep = ep;
	call->peer = ep->addr;
	dvs_call_finish(c, call, DVS_OK);
}

void dvs_ep_fail_calls(struct dvs_core *c, struct dvs_list *calls, dvs_s32 result)
{
	while (!dvs_list_empty(calls))
		dvs_call_finish(c, dvs_entry(calls->next, struct dvs_call, link), result);
}

/* Local processes that wait for the dead one to speak. */
static void fail_local_receivers(struct dvs_core *c, struct dvs_addr dead)
{
	struct dvs_list *p, *tmp;
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++) {
		dvs_for_each_safe(p, tmp, &c->ep[i].receivers) {
			struct dvs_call *call = dvs_entry(p, struct dvs_call, link);

			if (call->filter.nr == dead.nr && dvs_matches(call->filter, dead))
				dvs_call_finish(c, call, DVS_ESRCDIED);
		}
	}
}

static void end_leavers(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 result)
{
	while (!dvs_list_empty(&ep->leavers))
		dvs_call_finish(c, dvs_entry(ep->leavers.next, struct dvs_call, wait), result);
}

void dvs_ep_announce(struct dvs_core *c, const struct dvs_ep *ep)
{
	dvs_u32 i;

	for (i = 0; i < c->channels.count; i++)
		if (ep->peers & 1ull << i) {
			dvs_chan_forget(&c->channels, &c->channels.chan[i], dvs_ep_outside(ep),
					(void *)0, (void *)0);
			dvs_dest_doubt(c, &c->channels.chan[i]);
			c->channels.chan[i].died_scan = 1;
			c->died = 1;
		}
}

void dvs_ep_stop(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_s32 result = c->stopped ? DVS_ENOTCONN : DVS_ENOTBIND;

	dvs_move_stop(c, ep, result);
	ep->state = DVS_EP_OVER;
	dvs_party_stop(c, ep);
	dvs_loan_stop(c, ep);
	dvs_ep_fail_calls(c, &ep->senders, result);
	dvs_ep_fail_calls(c, &ep->receivers, result);
	dvs_ep_fail_calls(c, &ep->setters, result);
	dvs_op_source_died(c, ep);
	dvs_queue_fail_all(c, ep);
	dvs_claims_fail(c, ep);
	dvs_held_reject_all(c, ep);
	fail_local_receivers(c, ep->addr);
	end_leavers(c, ep, c->stopped ? DVS_ENOTCONN : DVS_OK);
	dvs_note_clear(c, ep);
}

void dvs_unbind(struct dvs_core *c, struct dvs_ep *ep, dvs_u64 now)
{
	c->now = now;
	if (!dvs_move_unbind(c, ep))
		return;
	dvs_ep_stop(c, ep);
	/* Who sent here while the node did not know it has heard that it is not here. */
	if (!ep->gen)
		ep->peers = 0;
	if (c->stopped) {
		ep->released = 1;
		ep->peers = 0;
	} else {
		dvs_ep_announce(c, ep);
		ep->nonce = ++c->next_nonce;
		dvs_ep_ask(c, ep);
		dvs_core_flush(c);
	}
	dvs_ep_release_if_over(c, ep);
}

void dvs_ep_device_gone(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_loan_stop(c, ep);
	dvs_ep_fail_calls(c, &ep->binders, DVS_ENOTCONN);
	dvs_ep_fail_calls(c, &ep->senders, DVS_ENOTCONN);
	dvs_ep_fail_calls(c, &ep->receivers, DVS_ENOTCONN);
	dvs_ep_fail_calls(c, &ep->setters, DVS_ENOTCONN);
	end_leavers(c, ep, DVS_ENOTCONN);
	if (ep->state == DVS_EP_BOUND) {
		dvs_move_stop(c, ep, DVS_ENOTCONN);
	} else if (ep->state == DVS_EP_BINDING) {
		dvs_held_reject_all(c, ep);
		dvs_ep_release(c, ep);
	} else if (ep->state == DVS_EP_OVER) {
		ep->released = 1;
		ep->peers = 0;
		ep->moving.telling = 0;
		dvs_move_finish(c, ep, DVS_CALL_MOVE_COMMIT, DVS_OK);
		dvs_ep_release_if_over(c, ep);
	}
}

void dvs_ep_release_if_over(struct dvs_core *c, struct dvs_ep *ep)
{
	if (ep->state != DVS_EP_OVER || !ep->released || ep->peers || ep->moving.telling ||
	    !dvs_list_empty(&ep->moving.out.link))
		return;
	dvs_ep_release(c, ep);
	c->ops.released(c->ctx, ep);
}

void dvs_ep_unbound(struct dvs_core *c, const struct dvs_frame *f)
{
	struct dvs_ep *ep = dvs_ep_leaving(c, f->dst_ep);
	struct dvs_call *next = (void *)0;
	dvs_s32 nr = f->dst_ep;

	if (!ep || ep->nonce != f->op)
		return;
	ep->released = 1;
	ep->ctl = DVS_CTL_IDLE;
	if (!dvs_list_empty(&ep->binders)) {
		next = dvs_entry(ep->binders.next, struct dvs_call, link);
		dvs_list_del(&next->link);
	}
	dvs_ep_fail_calls(c, &ep->binders, DVS_ESLOTUSED);
	dvs_ep_release_if_over(c, ep);
	if (next && next->what == DVS_CALL_ADOPT)
		dvs_adopt_start(c, next, nr);
	else if (next)
		start_binding(c, next, nr);
}

int dvs_ep_next_death(struct dvs_core *c, struct dvs_chan *ch, struct dvs_frame *f)
{
	dvs_u32 i;

	if (ch->deaths_lost) {
		ch->deaths_lost = 0;
		f->kind = DVS_K_DIED;
		f->src_ep = DVS_ANY;
		return 1;
	}
	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_ep *ep = &c->ep[i];

		if (ep->state != DVS_EP_OVER || !(ep->peers & 1ull << ch->index))
			continue;
		f->kind = ep->moving.moved ? DVS_K_MOVED : DVS_K_DIED;
		f->src_ep = ep->addr.nr;
		f->src_gen = ep->gen;
		ep->peers &= ~(1ull << ch->index);
		dvs_ep_release_if_over(c, ep);
		return 1;
	}
	return 0;
}

int dvs_ep_refused(struct dvs_core *c, dvs_u64 nonce, dvs_s32 result)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_ep *ep = &c->ep[i];
		struct dvs_frame f = { .op = nonce, .dst_ep = ep->addr.nr, .result = result };

		if (ep->nonce != nonce || ep->ctl < DVS_CTL_ASKED)
			continue;
		if (ep->state == DVS_EP_OVER)
			dvs_ep_unbound(c, &f);
		else if (ep->moving.state >= DVS_MOVE_OFFERING)
			dvs_move_offered(c, &f);
		else if (ep->gen)
			dvs_privileges_result(c, &f);
		else
			dvs_ep_bound(c, &f);
		return 1;
	}
	return 0;
}

int dvs_ep_readable(const struct dvs_ep *ep)
{
	dvs_u32 i;

	if (ep->moving.state)
		return 0;
	for (i = 0; i < ep->core->note_words; i++)
		if (ep->local_notes[i])
			return 1;
	return !dvs_list_empty(&ep->notes) || !dvs_list_empty(&ep->queue);
}

struct dvs_addr dvs_ep_addr(const struct dvs_ep *ep)
{
	return ep->addr;
}

void dvs_ep_set_owner(struct dvs_ep *ep, void *owner)
{
	ep->owner = owner;
}

void *dvs_ep_owner(const struct dvs_ep *ep)
{
	return ep->owner;
}

struct dvs_ep *dvs_ep_find(struct dvs_core *c, dvs_s32 nr)
{
	return dvs_ep_lookup(c, nr, DVS_EP_BOUND);
}
