// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* What an endpoint does, as programs of this VM and the node may know it. */
#include "ipc.h"

#define RECORDS_MAX (DVS_MSG_PAYLOAD_MAX / sizeof(struct dvs_endpoint_state))

static void show_sending(const struct dvs_call *call, struct dvs_endpoint_state *s)
{
	/* Of a far request only its own VM knows whether it was taken. */
	int taken = !call->operation && call->req.token;

	if (call->operation)
		s->sendto = call->operation->dst.nr;
	else if (call->req.dst)
		s->sendto = call->req.dst->addr.nr;
	if (call->what == DVS_CALL_SENDREC) {
		s->rts |= DVS_RTS_RECEIVING;
		s->getfrom = s->sendto;
	}
	if (taken)
		s->sendto = DVS_NONE;
	else
		s->rts |= DVS_RTS_SENDING;
}

/* It asked for a copy, or takes part in one while it waits. */
static dvs_u32 on_copy(const struct dvs_call *call)
{
	return call->copying || !dvs_list_empty(&call->sides) ? DVS_RTS_ONCOPY : 0;
}

static void show_calls(const struct dvs_ep *ep, struct dvs_endpoint_state *s)
{
	struct dvs_list *p;

	dvs_for_each(p, &ep->receivers) {
		const struct dvs_call *call = dvs_entry(p, struct dvs_call, link);

		s->rts |= DVS_RTS_RECEIVING | on_copy(call);
		s->getfrom = call->filter.nr;
	}
	dvs_for_each(p, &ep->senders) {
		const struct dvs_call *call = dvs_entry(p, struct dvs_call, link);

		s->rts |= on_copy(call);
		if (call->what == DVS_CALL_SEND || call->what == DVS_CALL_SENDREC)
			show_sending(call, s);
		else if (call->what == DVS_CALL_AWAIT_BIND)
			s->rts |= DVS_RTS_WAITBIND;
		else if (call->what == DVS_CALL_AWAIT_UNBIND)
			s->rts |= DVS_RTS_WAITUNBIND;
	}
}

static dvs_u32 count(const struct dvs_list *list)
{
	struct dvs_list *p;
	dvs_u32 n = 0;

	dvs_for_each(p, list)
		n++;
	return n;
}

static dvs_u32 count_notes(const struct dvs_ep *ep)
{
	dvs_u32 w, n = count(&ep->notes);
	dvs_u64 bits;

	for (w = 0; w < ep->core->note_words; w++)
		for (bits = ep->local_notes[w]; bits; bits &= bits - 1)
			n++;
	return n;
}

static void show(struct dvs_core *c, struct dvs_ep *ep, struct dvs_endpoint_state *s)
{
	dvs_u32 notes = count_notes(ep);

	*s = (struct dvs_endpoint_state){
		.nr = ep->addr.nr,
		.gen = ep->addr.gen,
		.misc = (notes ? DVS_MIS_NOTIFY : 0) | (ep->woken ? DVS_MIS_WOKENUP : 0),
		.getfrom = DVS_NONE,
		.sendto = DVS_NONE,
		.pid = -1,
		.queued = count(&ep->queue) + notes,
		.lclsent = ep->lclsent,
		.rmtsent = ep->rmtsent,
		.lclcopy = ep->lclcopy,
		.rmtcopy = ep->rmtcopy,
	};
	show_calls(ep, s);
	if (ep->moving.state)
		s->rts |= DVS_RTS_MIGRATE;
	c->ops.describe(c->ctx, ep, s);
}

/* The first endpoint that is bound from *place on; NULL: there is none. */
static struct dvs_ep *bound_at(struct dvs_core *c, dvs_u32 *place)
{
	while (*place < c->limits.endpoints) {
		struct dvs_ep *ep = &c->ep[(*place)++];

		if (ep->state == DVS_EP_BOUND)
			return ep;
	}
	return (void *)0;
}

int dvs_state_at(struct dvs_core *c, dvs_u32 *place, struct dvs_endpoint_state *state)
{
	struct dvs_ep *ep = bound_at(c, place);

	if (ep)
		show(c, ep, state);
	return ep != (void *)0;
}

int dvs_state(struct dvs_core *c, struct dvs_call *call, dvs_s32 nr,
	      struct dvs_endpoint_state *state, dvs_u64 now)
{
	struct dvs_ep *local = dvs_ep_lookup(c, nr, DVS_EP_BOUND);
	struct dvs_addr dst = { .nr = nr, .gen = 0 };
	int result;

	if (c->stopped)
		return DVS_ENOTCONN;
	if (!dvs_number_valid(c, nr))
		return DVS_ERANGE;
	if (local) {
		show(c, local, state);
		return DVS_OK;
	}
	dvs_call_begin(c, call, (void *)0, DVS_CALL_STATE, 0, now);
	result = dvs_op_start(c, call, dst, DVS_K_NOP, 0);
	if (result)
		dvs_call_finish(c, call, result);
	return dvs_call_end_start(c, call);
}

/* ---- to the node ---- */

void dvs_state_asked(struct dvs_core *c, const struct dvs_frame *f)
{
	c->tell_nonce = f->op;
	c->tell_from = f->arg;
	c->tell_wanted = 1;
	dvs_state_tell(c);
}

/* As bound_at, of those that the node knows. */
static struct dvs_ep *known_at(struct dvs_core *c, dvs_u32 *place)
{
	struct dvs_ep *ep;

	do {
		ep = bound_at(c, place);
	} while (ep && !ep->gen);
	return ep;
}

/* Copies as many records as fit; returns where to go on, 0: that was all. */
static dvs_u64 fill(struct dvs_core *c, struct dvs_frame *f)
{
	struct dvs_endpoint_state *records = (struct dvs_endpoint_state *)(f + 1);
	dvs_u32 place = c->tell_from < c->limits.endpoints ? (dvs_u32)c->tell_from
							   : c->limits.endpoints;
	struct dvs_ep *ep = known_at(c, &place);
	dvs_u32 n;

	for (n = 0; ep && n < RECORDS_MAX; n++) {
		show(c, ep, &records[n]);
		records[n].gen = ep->gen;
		ep = known_at(c, &place);
	}
	f->len = n * (dvs_u32)sizeof(*records);
	return ep ? ep->index : 0;
}

struct dvs_frame *dvs_node_frame(struct dvs_core *c, dvs_u8 kind, dvs_u64 op)
{
	dvs_u32 slot = dvs_core_slots(&c->limits) - 1;
	struct dvs_frame *f = (struct dvs_frame *)(c->channels.slots +
						   (dvs_size)slot * DVS_MSG_FRAME_MAX);

	if (c->stopped || !c->ops.reusable(c->ctx, slot))
		return (void *)0;
	__builtin_memset(f, 0, sizeof(*f));
	f->kind = kind;
	f->src_vm = c->id.vm;
	f->src_inc = c->id.incarnation;
	f->dst_vm = DVS_VM_NODE;
	f->op = op;
	return f;
}

int dvs_node_send(struct dvs_core *c, const struct dvs_frame *f)
{
	dvs_u32 slot = dvs_core_slots(&c->limits) - 1;

	return c->ops.transmit(c->ctx, slot, (dvs_u32)sizeof(*f) + f->len);
}

void dvs_state_tell(struct dvs_core *c)
{
	struct dvs_frame *f;

	if (!c->tell_wanted)
		return;
	f = dvs_node_frame(c, DVS_K_TELL, c->tell_nonce);
	if (!f)
		return;
	f->arg = fill(c, f);
	if (!dvs_node_send(c, f))
		c->tell_wanted = 0;
}
