// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* What local processes do. */
#include <stddef.h>

#include "events.h"

static struct dvs_ep *endpoint(struct shell *s, struct input *in)
{
	struct dvs_ep *ep = &s->core->ep[take8(in) % s->core->limits.endpoints];

	return ep->state == DVS_EP_BOUND ? ep : NULL;
}

void begin(struct shell *s, struct input *in, dvs_u8 what)
{
	struct dvs_ep *ep = endpoint(s, in);
	struct dvs_addr a = address(in);
	dvs_u8 b = take8(in);
	struct slot_call *c = shell_call(s, size(in), size(in), what == 2);
	int r;

	if (!c)
		return;
	/* The core may wake it before this returns to the shell only if it is done. */
	switch (what) {
	case 0:
		r = dvs_bind(s->core, &c->call, a.nr, s->now);
		break;
	case 1:
		r = dvs_send(s->core, &c->call, ep, a, b & (DVS_CALL_NOWAIT | DVS_CALL_SOLE), s->now);
		break;
	case 2:
		r = dvs_sendrec(s->core, &c->call, ep, a, b & (DVS_CALL_NOWAIT | DVS_CALL_SOLE),
				s->now);
		break;
	case 3:
		r = dvs_receive(s->core, &c->call, ep, b & 4 ? a : (struct dvs_addr){ DVS_ANY, 0 },
				b & 3, s->now);
		break;
	case 4:
		r = dvs_reply(s->core, &c->call, ep, a, b & 1 ? b >> 1 : 0, s->now);
		break;
	default:
		r = dvs_notify(s->core, &c->call, ep, a, b & 2 ? (b >> 3) - 1 : DVS_SELF,
			       b & 1 ? b : DVS_NO_VALUE, s->now);
	}
	shell_started(s, c, r);
}

void begin_other(struct shell *s, struct input *in)
{
	struct dvs_ep *ep = endpoint(s, in);
	struct dvs_addr a = address(in), to = address(in);
	dvs_u8 b = take8(in);
	const struct dvs_privileges some = {
		.calls = ~(dvs_u64)(b & 0x7c), .ipc_to = ~0ull, .level = b & 1,
	};
	struct slot_call *c = shell_call(s, size(in), 0, 0);
	struct dvs_endpoint_state state;
	int r;

	if (!c)
		return;
	switch (b >> 4 & 7) {
	case 0: case 1:
		r = dvs_relay(s->core, &c->call, ep, a, 0, to, s->now);
		break;
	case 2:
		r = dvs_wakeup(s->core, &c->call, ep, a.nr, s->now);
		break;
	case 3:
		r = dvs_await_bind(s->core, &c->call, ep, a.nr, s->now);
		break;
	case 4:
		r = dvs_await_unbind(s->core, &c->call, ep, a.nr, s->now);
		break;
	case 5:
		r = dvs_privileges_set(s->core, &c->call, a.nr, &some, s->now);
		break;
	case 6:
		r = dvs_state(s->core, &c->call, a.nr, &state, s->now);
		break;
	default:
		if (ep)
			dvs_ep_shutdown(s->core, ep, s->now);
		r = DVS_OK;
	}
	shell_started(s, c, r);
}

void begin_copy(struct shell *s, struct input *in)
{
	struct dvs_ep *ep = endpoint(s, in);
	dvs_u8 b = take8(in);
	struct dvs_copy_request r = {
		.src = { .ep = address(in), .address = take8(in) },
		.dst = { .ep = address(in), .address = take8(in) },
		.bytes = b & 1 ? take32(in) % (DVS_COPY_MAX + 2) : take8(in),
	};
	struct slot_call *c = shell_call(s, 0, 0, 0);

	if (!c || s->work_used > WORKS / 4)
		return;
	if (b & 2)
		r.src.grant = s->core->loan[b >> 6].id;
	if (b & 4)
		r.dst.grant = s->core->loan[b >> 6].id;
	if (b & 8)
		r.src.ep.nr = DVS_SELF;
	shell_started(s, c, dvs_vcopy(s->core, &c->call, ep, &r, s->now));
}

void grant(struct shell *s, struct input *in)
{
	struct dvs_ep *ep = endpoint(s, in);
	dvs_u8 b = take8(in);
	dvs_u64 id;
	int r;

	if (b & 1)
		r = dvs_revoke(s->core, ep, s->core->loan[b >> 6].id, s->now);
	else
		r = dvs_lend(s->core, ep, address(in), b >> 1 & 3, take32(in), s, &id, s->now);
	CHECK(r <= 0 || (b & 1 && r == DVS_PENDING));
}

void reply_open(struct shell *s, struct input *in)
{
	struct dvs_ep *ep = endpoint(s, in);
	struct slot_call *c = shell_call(s, size(in), 0, 0);
	struct dvs_req *req;

	if (!c || !ep || dvs_list_empty(&ep->open))
		return;
	req = dvs_entry(ep->open.next, struct dvs_req, link);
	shell_started(s, c, dvs_reply(s->core, &c->call, ep, req->src, req->token, s->now));
}

void leave(struct shell *s, struct input *in, int abandon)
{
	struct slot_call *c = &s->calls[take8(in) % CALLS];
	int r;

	if (!c->busy)
		return;
	r = abandon ? dvs_call_abandon(s->core, &c->call, s->now)
		    : dvs_call_cancel(s->core, &c->call, DVS_ETIMEDOUT, s->now);
	CHECK(r <= 0 || (!abandon && r == DVS_PENDING));
	c->busy = r == DVS_PENDING;
}

void unbind(struct shell *s, struct input *in)
{
	struct dvs_ep *ep = endpoint(s, in);

	if (ep)
		dvs_unbind(s->core, ep, s->now);
}
