// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Requests on the control queue: each is asked until its result has come. */
#include "ipc.h"

void dvs_control_ask(struct dvs_core *c, dvs_u8 *state, const struct dvs_ctl_request *request)
{
	if (c->control_full || c->ops.control(c->ctx, request)) {
		c->control_full = 1;
		*state = DVS_CTL_WANTED;
		return;
	}
	*state = DVS_CTL_ASKED;
	if (c->control_at == DVS_NEVER) {
		c->control_at = c->now + c->control_ns;
		dvs_channels_arm(&c->channels, c->control_at);
	}
}

/* Is the directory asked to offer it, or who has it? */
static int offered(const struct dvs_ep *ep)
{
	return ep->moving.state == DVS_MOVE_OFFERING || !ep->moving.asked;
}

void dvs_ep_ask(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_ctl_request r = {
		.op = ep->state == DVS_EP_OVER ? DVS_CTL_UNBIND : DVS_CTL_BIND,
		.nonce = ep->nonce,
		.ep = ep->addr.nr,
		.gen = ep->gen,
	};

	if (ep->state == DVS_EP_BINDING && ep->moving.taking) {
		r.op = DVS_CTL_TAKE;
		r.gen = ep->moving.gen;
		r.calls = ep->moving.token;
	} else if (ep->state == DVS_EP_BOUND && ep->gen && ep->moving.state >= DVS_MOVE_OFFERING) {
		r.op = DVS_CTL_OFFER;
		r.calls = offered(ep) ? ep->moving.token : 0;
	} else if (ep->state == DVS_EP_BOUND && ep->gen) {
		r.op = DVS_CTL_PRIVILEGE;
		r.calls = ep->wanted.calls;
		r.ipc_to = ep->wanted.ipc_to;
		r.level = ep->wanted.level;
	}
	dvs_control_ask(c, &ep->ctl, &r);
}

/* Is it to be asked now? A tick of the timer marks what it sees waiting for the first time. */
static int is_due(dvs_u8 *state, enum dvs_again which)
{
	switch (*state) {
	case DVS_CTL_WANTED:
		return which != DVS_AGAIN_OVERDUE;
	case DVS_CTL_OVERDUE:
		return which != DVS_AGAIN_UNASKED;
	case DVS_CTL_ASKED:
		if (which == DVS_AGAIN_OVERDUE)
			*state = DVS_CTL_OVERDUE;
		return which == DVS_AGAIN_ALL;
	default:
		return 0;
	}
}

dvs_u32 dvs_control_ask_again(struct dvs_core *c, enum dvs_again which)
{
	dvs_u32 i, asked = 0;

	for (i = 0; i < c->limits.endpoints; i++)
		if (is_due(&c->ep[i].ctl, which)) {
			dvs_ep_ask(c, &c->ep[i]);
			/* The next tick comes a whole interval later. */
			is_due(&c->ep[i].ctl, which);
			asked++;
		}
	for (i = 0; i < c->limits.destinations; i++)
		if (is_due(&c->dest[i].ctl, which)) {
			dvs_dest_ask(c, &c->dest[i]);
			is_due(&c->dest[i].ctl, which);
			asked++;
		}
	/* Of these no result is overdue, however long it takes. */
	for (i = 0; i < c->limits.endpoints && which != DVS_AGAIN_OVERDUE; i++)
		if (c->awaited[i].used && is_due(&c->awaited[i].ctl, which)) {
			dvs_await_ask(c, &c->awaited[i]);
			asked++;
		}
	return asked;
}

static int awaits_results(const struct dvs_core *c)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++)
		if (c->ep[i].ctl >= DVS_CTL_ASKED)
			return 1;
	for (i = 0; i < c->limits.destinations; i++)
		if (c->dest[i].ctl >= DVS_CTL_ASKED)
			return 1;
	return 0;
}

void dvs_control_timer(struct dvs_core *c)
{
	if (c->control_at > c->now)
		return;
	c->control_at = DVS_NEVER;
	if (dvs_control_ask_again(c, DVS_AGAIN_OVERDUE)) {
		c->stats.backstop_fired++;
		c->control_ns *= 2;
		if (c->control_ns > DVS_BACKSTOP_MAX_NS)
			c->control_ns = DVS_BACKSTOP_MAX_NS;
	}
	if (awaits_results(c))
		c->control_at = c->now + c->control_ns;
	else
		c->control_ns = DVS_BACKSTOP_MIN_NS;
}

void dvs_core_refused(struct dvs_core *c, dvs_u64 nonce, dvs_u32 status, dvs_u64 now)
{
	c->now = now;
	/* After BUSY, RETRY(all) or the backstop asks again. */
	if (c->stopped || status == DVS_CTL_BUSY)
		return;
	if (!dvs_ep_refused(c, nonce, DVS_EINVAL) && !dvs_await_refused(c, nonce, DVS_EINVAL))
		dvs_dest_refused(c, nonce, DVS_EINVAL);
	dvs_core_flush(c);
}
