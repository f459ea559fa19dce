// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/*
 * An endpoint that comes from another VM: its core is asked for what it takes
 * along, and then the directory for the endpoint.
 */
#include "ipc.h"

/* Tells the old VM how it went. */
static void say(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 result)
{
	ep->moving.result = result;
	ep->moving.out.type = DVS_OUT_ADOPTED;
	if (ep->moving.chan)
		dvs_chan_queue(&c->channels, ep->moving.chan, &ep->moving.out, DVS_CLASS_ANSWER,
			       c->now);
}

void dvs_adopt_fill(struct dvs_core *c, struct dvs_ep *ep, struct dvs_frame *f)
{
	f->kind = DVS_K_ADOPTED;
	f->op = ep->moving.op;
	f->result = ep->moving.result;
	f->dst_ep = ep->addr.nr;
	f->dst_gen = ep->moving.gen;
	ep->moving.chan = (void *)0;
	dvs_ep_release_if_over(c, ep);
}

static void drop_notes(struct dvs_core *c, struct dvs_ep *ep)
{
	while (!dvs_list_empty(&ep->notes))
		dvs_held_free(c, dvs_entry(ep->notes.next, struct dvs_req, link));
}

void dvs_adopt_failed(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 result)
{
	ep->moving.taking = 0;
	drop_notes(c, ep);
	dvs_claims_drop(c, ep);
	say(c, ep, result);
}

void dvs_adopt_left(struct dvs_core *c, struct dvs_call *call)
{
	struct dvs_ep *ep = call->ep;

	if (!ep || ep->state != DVS_EP_ADOPTING)
		return;
	drop_notes(c, ep);
	dvs_claims_drop(c, ep);
	call->ep = (void *)0;
	ep->state = DVS_EP_OVER;
	ep->released = 1;
	ep->peers = 0;
	dvs_ep_release_if_over(c, ep);
}

/* ---- what it takes along ---- */

static dvs_s32 take_record(struct dvs_core *c, struct dvs_ep *ep, const struct dvs_handed *r)
{
	struct dvs_addr src = { .nr = r->nr, .gen = r->gen };

	switch (r->what) {
	case DVS_HAND_REQUEST:
		return dvs_claim_make(c, ep, r) ? DVS_OK : DVS_EALLOCMEM;
	case DVS_HAND_NOTE:
		return dvs_held_adopt(c, ep, src, r->value) ? DVS_OK : DVS_EALLOCMEM;
	case DVS_HAND_WOKEN:
		ep->woken = 1;
		return DVS_OK;
	default:
		return DVS_EINVAL;
	}
}

static dvs_s32 take_records(struct dvs_core *c, struct dvs_ep *ep, const struct dvs_frame *f,
			    const char *payload)
{
	struct dvs_handed r;
	dvs_s32 result = DVS_OK;
	dvs_u32 at;

	if (f->len % sizeof(r))
		return DVS_EINVAL;
	for (at = 0; at < f->len && !result; at += sizeof(r)) {
		__builtin_memcpy(&r, payload + at, sizeof(r));
		result = take_record(c, ep, &r);
	}
	return result;
}

void dvs_adopt_handed(struct dvs_core *c, struct dvs_op *op, const struct dvs_frame *f,
		      const void *payload)
{
	struct dvs_call *call = op->call;
	struct dvs_ep *ep = call ? call->ep : (void *)0;
	int leaving = op->state == DVS_OP_CANCELLING;
	dvs_s32 why = leaving ? op->why : DVS_OK;

	if (ep && !ep->moving.result)
		ep->moving.result = take_records(c, ep, f, payload);
	if (f->arg)
		return;
	if (ep) {
		ep->moving.chan = op->chan;
		ep->moving.op = op->id;
		ep->moving.gen = op->dst.gen;
		why = why ? why : ep->moving.result;
	}
	dvs_op_free(c, op);
	if (!ep)
		return; /* the CANCEL is on its way */
	if (why) {
		say(c, ep, leaving ? DVS_EDSTDIED : why);
		dvs_call_finish(c, call, why);
		return;
	}
	ep->state = DVS_EP_BINDING;
	call->deciding = 1;
	ep->moving.taking = 1;
	ep->nonce = ++c->next_nonce;
	ep->bind_nonce = ep->nonce;
	dvs_ep_ask(c, ep);
}

/* ---- it has come ---- */

/* Notifications of sources of this VM are bits, as if they had been made here. */
static void sort_notes(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_list *p, *tmp;

	dvs_for_each_safe(p, tmp, &ep->notes) {
		struct dvs_req *req = dvs_entry(p, struct dvs_req, link);
		struct dvs_ep *src = dvs_ep_lookup(c, req->src.nr, DVS_EP_BOUND);

		if (!src || src->gen != req->src.gen)
			continue;
		(void)dvs_note_local(c, src->index, ep, (dvs_s64)req->token);
		dvs_held_free(c, req);
	}
}

void dvs_adopt_bound(struct dvs_core *c, struct dvs_ep *ep, const struct dvs_frame *f)
{
	ep->moving.taking = 0;
	ep->privileges.calls = f->arg;
	ep->privileges.ipc_to = f->bulk_ack | (dvs_u64)f->bulk_credit << 32;
	ep->privileges.level = f->src_gen;
	sort_notes(c, ep);
	dvs_move_arrived(c, ep);
	say(c, ep, DVS_OK);
}

void dvs_adopt_peer_gone(struct dvs_core *c, struct dvs_chan *ch)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_ep *ep = &c->ep[i];

		if (ep->moving.chan != ch || ep->moving.state != DVS_MOVE_NONE)
			continue;
		ep->moving.chan = (void *)0;
		dvs_list_del(&ep->moving.out.link);
		dvs_ep_release_if_over(c, ep);
	}
}

/* ---- the call ---- */

void dvs_adopt_start(struct dvs_core *c, struct dvs_call *call, dvs_s32 nr)
{
	struct dvs_ep *ep = dvs_ep_allocate(c, nr, DVS_EP_ADOPTING);
	struct dvs_addr dst = { .nr = nr, .gen = 0 };
	dvs_s32 result = DVS_EALLOCMEM;

	if (ep) {
		dvs_list_push(&ep->binders, &call->link);
		ep->moving.token = call->req.token;
		call->ep = ep;
		call->send_len = 0;
		result = dvs_op_start(c, call, dst, DVS_K_ADOPT, 0);
	}
	if (result)
		dvs_call_finish(c, call, result);
}

/* From another process of this VM. */
static void adopt_here(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
		       dvs_u64 token)
{
	if (ep->moving.state == DVS_MOVE_NONE) {
		dvs_call_finish(c, call, DVS_EPROCSTS);
	} else if (ep->moving.token != token) {
		dvs_call_finish(c, call, DVS_EPRIVILEGES);
	} else {
		call->req.call = call;
		call->req.dst = ep;
		dvs_list_push(&ep->moving.adopters, &call->req.link);
		dvs_move_next(c, ep);
	}
}

int dvs_adopt_undecided(const struct dvs_call *call)
{
	return call->what == DVS_CALL_ADOPT && __atomic_load_n(&call->deciding, __ATOMIC_RELAXED);
}

int dvs_adopt(struct dvs_core *c, struct dvs_call *call, dvs_s32 nr, dvs_u64 token, dvs_u64 now)
{
	struct dvs_ep *ep;

	if (c->stopped)
		return DVS_ENOTCONN;
	if (!dvs_number_valid(c, nr))
		return DVS_ERANGE;
	if (dvs_ep_lookup(c, nr, DVS_EP_BINDING) || dvs_ep_lookup(c, nr, DVS_EP_ADOPTING))
		return DVS_ESLOTUSED;
	dvs_call_begin(c, call, (void *)0, DVS_CALL_ADOPT, 0, now);
	call->req.token = token;
	ep = dvs_ep_lookup(c, nr, DVS_EP_BOUND);
	if (ep) {
		adopt_here(c, call, ep, token);
		return dvs_call_end_start(c, call);
	}
	ep = dvs_ep_leaving(c, nr);
	if (ep)
		dvs_list_push(&ep->binders, &call->link);
	else
		dvs_adopt_start(c, call, nr);
	return dvs_call_end_start(c, call);
}
