// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* What is true of the core's structures between any two events. */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

void check_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
	abort();
}

/* Length of a list whose links are sound. */
static dvs_u32 length(const struct dvs_list *head)
{
	const struct dvs_list *p;
	dvs_u32 n = 0;

	dvs_for_each(p, head) {
		CHECK(p->next->prev == p && p->prev->next == p);
		CHECK(++n < 100000);
	}
	return n;
}

static int contains(const struct dvs_list *head, const struct dvs_list *member)
{
	const struct dvs_list *p;

	dvs_for_each(p, head)
		if (p == member)
			return 1;
	return 0;
}

/* Nobody waits for a location without it being asked for, or for a death without a watch. */
static dvs_u32 check_destination(const struct dvs_dest *d)
{
	const struct dvs_list *p;

	if (!d->used) {
		CHECK(dvs_list_empty(&d->ops) && dvs_list_empty(&d->watchers));
		return 0;
	}
	CHECK(dvs_list_empty(&d->ops) || d->ctl != DVS_CTL_IDLE);
	if (!length(&d->watchers))
		return length(&d->ops);
	CHECK(d->ctl != DVS_CTL_IDLE || (d->known && d->watch != DVS_WATCH_NONE));
	dvs_for_each(p, &d->watchers) {
		const struct dvs_call *call = dvs_entry(p, struct dvs_call, wait);

		CHECK(call->what == DVS_CALL_RECEIVE || call->what == DVS_CALL_AWAIT_UNBIND);
		CHECK(call->state == DVS_CALL_WAITING);
		CHECK(call->filter.nr == d->addr.nr);
		CHECK(d->ctl != DVS_CTL_IDLE || dvs_matches(call->filter, d->addr));
	}
	return length(&d->ops);
}

static void check_operation(const struct dvs_core *c, const struct dvs_op *op)
{
	CHECK(!op->call || op->call->operation == op);
	CHECK(!op->copy || (!op->call && op->copy->call && op->copy->call->copying == op->copy));
	switch (op->state) {
	case DVS_OP_FREE:
		CHECK(!op->call && !op->copy && !op->ep && !op->chan && dvs_list_empty(&op->out.link));
		return;
	case DVS_OP_LOOKUP:
		CHECK(!op->chan && (op->call || op->copy) && dvs_list_empty(&op->out.link));
		break;
	case DVS_OP_PLACED:
		CHECK(contains(&op->chan->ops, &op->link) && dvs_list_empty(&op->out.link));
		CHECK(c->stopped || op->copy);
		break;
	case DVS_OP_WAITING:
		CHECK(contains(&op->chan->ops, &op->link));
		CHECK(contains(&op->ep->waiting, &op->out.link));
		CHECK(c->stopped || !op->ep->gen || op->ep->restoring);
		break;
	case DVS_OP_QUEUED:
		CHECK(contains(&op->chan->ops, &op->link));
		CHECK(contains(&op->chan->requests, &op->out.link));
		CHECK(c->stopped || !(op->call || op->copy) == (op->kind == DVS_K_NTF));
		break;
	case DVS_OP_SENT:
		CHECK(contains(&op->chan->ops, &op->link) && dvs_list_empty(&op->out.link));
		CHECK(c->stopped || op->call || op->copy);
		break;
	default:
		CHECK(op->state == DVS_OP_CANCELLING && contains(&op->chan->ops, &op->link));
		/* Without a caller it lasts no longer than until its CANCEL is built. */
		CHECK(c->stopped || op->call || op->copy ||
		      contains(&op->chan->answers, &op->out.link));
	}
	CHECK(op->ep ? op->ep->state == DVS_EP_BOUND : op->kind == DVS_K_NOP);
}

/* Its frames that are not acknowledged: at most `limit`, those on the queue among them. */
static dvs_u32 check_window(const struct dvs_window *w, dvs_u32 limit)
{
	dvs_u32 unacked = w->next_seq - w->una;

	CHECK(unacked <= limit && w->next_tx - w->una <= unacked);
	return unacked;
}

/* What has to be sent has a way to be sent, and a time when that is looked at again. */
static dvs_u32 check_channel(const struct shell *s, const struct dvs_chan *ch)
{
	const struct dvs_core *c = s->core;
	const struct dvs_window *w = &ch->window;
	dvs_u32 unacked = check_window(w, c->limits.window), sendable;
	const struct dvs_list *p;

	CHECK(ch->held == length(&ch->held_list) && ch->held <= c->limits.credits);
	dvs_for_each(p, &ch->held_list) {
		const struct dvs_held *h = dvs_entry(p, struct dvs_held, link);

		CHECK(h->req.chan == ch && !h->req.call);
		if (h->answer)
			CHECK(contains(&ch->answers, &h->out.link));
		else if (h->party)
			CHECK(h->party->held == h && h->party->state != DVS_PARTY_FREE);
		else if (!h->fetch)
			CHECK(!dvs_list_empty(&h->req.link) && h->req.len <= DVS_MSG_PAYLOAD_MAX);
	}
	length(&ch->ops);
	sendable = length(&ch->answers) ||
		   (length(&ch->requests) && dvs_before(ch->requests_sent, ch->requests_allowed));
	if (c->stopped)
		return ch->held;
	CHECK(!sendable || unacked == c->limits.window || c->channels.full);
	CHECK(w->next_tx == w->next_seq || c->channels.full);
	CHECK(!c->channels.full || s->room_wanted);
	if (w->next_tx != w->una || length(&ch->requests))
		CHECK(w->backstop_at != DVS_NEVER || c->channels.full);
	CHECK(s->timer_at <= w->backstop_at && s->timer_at <= ch->ack_at);
	return ch->held;
}

/* The bulk class of a channel: as above. */
static void check_bulk(const struct shell *s, const struct dvs_chan *ch)
{
	const struct dvs_core *c = s->core;
	const struct dvs_bulk *b = &ch->bulk;
	const struct dvs_window *w = &b->window;
	dvs_u32 unacked = check_window(w, DVS_BULK_WINDOW);

	if (c->stopped)
		return;
	CHECK(!length(&b->ready) || unacked == DVS_BULK_WINDOW || c->channels.bulk_full ||
	      !dvs_before(w->next_seq - 1, b->allowed));
	CHECK(w->next_tx == w->next_seq || c->channels.bulk_full);
	CHECK(!c->channels.bulk_full || s->room_wanted);
	CHECK(w->next_tx == w->una || w->backstop_at != DVS_NEVER);
	CHECK(s->timer_at <= w->backstop_at);
}

static dvs_u32 check_party(const struct shell *s, const struct dvs_party *p)
{
	const struct dvs_core *c = s->core;

	if (p->state == DVS_PARTY_FREE) {
		CHECK(!p->busy && !p->opening && !p->running && !p->held && !p->copying);
		CHECK(dvs_list_empty(&p->of_call) && dvs_list_empty(&p->of_loan));
		CHECK(dvs_list_empty(&p->of_chan) && dvs_list_empty(&p->bulk.link));
		CHECK(dvs_list_empty(&p->out.link) && dvs_list_empty(&p->lingering));
		return 0;
	}
	CHECK(!p->held || p->held->party == p);
	CHECK(p->moved <= p->side.bytes);
	if (c->stopped)
		return 1;
	CHECK(!p->chan || contains(&p->chan->sides, &p->of_chan));
	CHECK(!p->side.call || contains(&p->side.call->sides, &p->of_call));
	if (p->state == DVS_PARTY_OPEN) {
		CHECK(p->held || p->copying);
		CHECK(p->side.ep->state == DVS_EP_BOUND);
		CHECK(p->loan ? !p->loan->revoked : p->side.call != NULL);
	} else {
		CHECK(p->busy || p->opening || p->running || !dvs_list_empty(&p->out.link) ||
		      (contains(&c->lingering, &p->lingering) && s->room_wanted));
	}
	return 1;
}

/* Either has at most one thing that answers for it, which knows whose it is. */
static void check_share(const struct dvs_copying *cp, const struct dvs_share *share)
{
	CHECK(!share->op || (share->op->copy == cp && !share->party));
	CHECK(!share->party || (share->party->copying == cp && !share->chan));
	CHECK(share->op || share->party || share->state == DVS_SHARE_OVER ||
	      (share->state == DVS_SHARE_FOUND && !share->chan));
}

static void check_copies(const struct shell *s)
{
	const struct dvs_core *c = s->core;
	dvs_u32 i, sides = 0, copies = 0;

	for (i = 0; i < c->limits.sides; i++)
		sides += check_party(s, &c->party[i]);
	CHECK(sides + length(&c->free_parties) == c->limits.sides && sides == c->stats.sides);
	for (i = 0; i < c->limits.copies; i++) {
		const struct dvs_copying *cp = &c->copying[i];

		if (!cp->call)
			continue;
		CHECK(cp->call->copying == cp && !cp->deciding && cp->ep->state == DVS_EP_BOUND);
		check_share(cp, &cp->share[DVS_SOURCE]);
		check_share(cp, &cp->share[DVS_DESTINATION]);
		copies++;
	}
	CHECK(copies + length(&c->free_copyings) == c->limits.copies);
	CHECK(copies == c->stats.copies);
}

static void check_endpoint(const struct dvs_core *c, const struct dvs_ep *ep)
{
	int none = !length(&ep->receivers) && !length(&ep->senders) && !length(&ep->notes) &&
		   !length(&ep->open) && !length(&ep->setters) && !length(&ep->leavers) &&
		   !length(&ep->values);

	CHECK(none || ep->state == DVS_EP_BOUND);
	CHECK(!length(&ep->queue) || ep->state == DVS_EP_BOUND);
	CHECK(!length(&ep->early) || ep->state == DVS_EP_BOUND || ep->state == DVS_EP_BINDING);
	CHECK(!length(&ep->early) || !ep->gen);
	CHECK(!length(&ep->waiting) || ep->state == DVS_EP_BOUND);
	CHECK(!length(&ep->binders) || ep->state == DVS_EP_BINDING || ep->state == DVS_EP_OVER);
	CHECK(length(&ep->binders) <= 1 || ep->state == DVS_EP_OVER);
	if (ep->state == DVS_EP_BINDING || (ep->state == DVS_EP_OVER && !ep->released) ||
	    (ep->state == DVS_EP_BOUND && (!ep->gen || ep->restoring)))
		CHECK(ep->ctl != DVS_CTL_IDLE || c->stopped);
	else if (length(&ep->setters))
		CHECK(ep->ctl != DVS_CTL_IDLE || c->stopped);
	else if (ep->state != DVS_EP_BOUND)
		CHECK(ep->ctl == DVS_CTL_IDLE || c->stopped);
	if (ep->state == DVS_EP_OVER)
		CHECK(!ep->released || ep->peers);
}

/* Nobody waits for a bind without the node being asked for it, and it is asked for nobody else. */
static int check_awaited(const struct dvs_core *c, const struct dvs_awaited *a)
{
	if (!a->used) {
		CHECK(a->ctl == DVS_CTL_IDLE);
		return 0;
	}
	CHECK(c->stopped || a->ctl != DVS_CTL_IDLE);
	CHECK(c->stopped || (length(&a->calls) == 0) == a->forget);
	return a->ctl == DVS_CTL_WANTED;
}

static void check_counts(const struct shell *s, dvs_u32 held, dvs_u32 looking)
{
	const struct dvs_core *c = s->core;
	struct dvs_stats stats;
	dvs_u32 i, states[DVS_OP_CANCELLING + 1] = { 0 };

	for (i = 0; i < c->limits.operations; i++)
		states[c->op[i].state]++;
	CHECK(states[DVS_OP_FREE] == length(&c->free_ops));
	CHECK(states[DVS_OP_LOOKUP] == looking);
	dvs_core_stats(c, &stats);
	CHECK(stats.operations == c->limits.operations - states[DVS_OP_FREE]);
	CHECK(stats.requests == held);
	CHECK(held + length(&c->free_held) == c->limits.peers * c->limits.credits);
	CHECK(stats.peers <= c->limits.peers);
	CHECK(stats.endpoints <= c->limits.endpoints);
	CHECK(stats.destinations <= c->limits.destinations);
	CHECK(stats.unacknowledged <= c->limits.peers * c->limits.window);
}

/* Notifications that came in an earlier life wait at endpoints, and are answered nowhere. */
static dvs_u32 check_orphans(const struct dvs_core *c)
{
	const struct dvs_list *p;

	dvs_for_each(p, &c->orphans) {
		const struct dvs_held *h = dvs_entry(p, struct dvs_held, link);

		CHECK(!h->req.chan && h->req.kind == DVS_KIND_NOTIFY && !h->answer && !h->party);
		CHECK(contains(&h->req.dst->notes, &h->req.link));
	}
	return length(&c->orphans);
}

void check_core(const struct shell *s)
{
	const struct dvs_core *c = s->core;
	dvs_u32 i, held = 0, looking = 0;
	int wanted = 0;

	for (i = 0; i < c->limits.endpoints; i++) {
		check_endpoint(c, &c->ep[i]);
		wanted |= c->ep[i].ctl == DVS_CTL_WANTED;
	}
	for (i = 0; i < c->limits.destinations; i++) {
		looking += check_destination(&c->dest[i]);
		wanted |= c->dest[i].ctl == DVS_CTL_WANTED;
	}
	for (i = 0; i < c->limits.endpoints; i++)
		wanted |= check_awaited(c, &c->awaited[i]);
	for (i = 0; i < c->limits.operations; i++)
		check_operation(c, &c->op[i]);
	for (i = 0; i < c->channels.count; i++)
		if (c->channels.chan[i].vm != DVS_VM_NODE)
			held += check_channel(s, &c->channels.chan[i]);
	for (i = 0; i < c->channels.count; i++)
		if (c->channels.chan[i].vm != DVS_VM_NODE)
			check_bulk(s, &c->channels.chan[i]);
	held += check_orphans(c);
	check_copies(s);
	CHECK(!wanted || (c->control_full && s->room_wanted) || c->stopped);
	CHECK(s->timer_at <= c->control_at || c->stopped);
	check_counts(s, held, looking);
}
