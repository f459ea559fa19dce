// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/*
 * Notifications: one bit per source, and the value of the last where it has one.
 * Bits are kept for the sources of this VM; those of others are held requests.
 */
#include "ipc.h"

/* Bits are numbered by the place of their source; the one after all is the hardware's. */
static struct dvs_addr source_addr(const struct dvs_core *c, dvs_u32 source)
{
	struct dvs_addr hardware = { .nr = DVS_HARDWARE, .gen = 0 };

	return source == c->limits.endpoints ? hardware : c->ep[source].addr;
}

/* The same as other VMs know it. */
static struct dvs_addr outside(const struct dvs_core *c, dvs_u32 source)
{
	return source == c->limits.endpoints ? source_addr(c, source)
					     : dvs_ep_outside(&c->ep[source]);
}

static struct dvs_value *find(const struct dvs_ep *ep, dvs_u32 source)
{
	struct dvs_list *p;

	dvs_for_each(p, &ep->values) {
		struct dvs_value *v = dvs_entry(p, struct dvs_value, link);

		if (v->source == source)
			return v;
	}
	return (void *)0;
}

static void drop(struct dvs_core *c, struct dvs_value *v)
{
	dvs_list_del(&v->link);
	dvs_list_push(&c->free_values, &v->link);
}

/* The value of a bit that is being taken. */
static dvs_s64 take_value(struct dvs_core *c, struct dvs_ep *ep, dvs_u32 source)
{
	struct dvs_value *v = find(ep, source);
	dvs_s64 value = v ? v->value : DVS_NO_VALUE;

	if (v)
		drop(c, v);
	return value;
}

static dvs_s32 keep_value(struct dvs_core *c, struct dvs_ep *ep, dvs_u32 source, dvs_s64 value)
{
	struct dvs_value *v;

	if (value == DVS_NO_VALUE) {
		(void)take_value(c, ep, source);
		return DVS_OK;
	}
	v = find(ep, source);
	if (!v && dvs_list_empty(&c->free_values))
		return DVS_EALLOCMEM;
	if (!v) {
		v = dvs_entry(c->free_values.next, struct dvs_value, link);
		dvs_list_del(&v->link);
		dvs_list_push(&ep->values, &v->link);
		v->source = source;
	}
	v->value = value;
	return DVS_OK;
}

static void give(struct dvs_core *c, struct dvs_call *receiver, struct dvs_addr src, dvs_s64 value)
{
	receiver->peer = src;
	receiver->kind = DVS_KIND_NOTIFY;
	receiver->token = (dvs_u64)value;
	dvs_call_finish(c, receiver, DVS_OK);
}

dvs_s32 dvs_note_local(struct dvs_core *c, dvs_u32 source, struct dvs_ep *dst, dvs_s64 value)
{
	struct dvs_req note = { .src = source_addr(c, source), .kind = DVS_KIND_NOTIFY };
	struct dvs_call *receiver = dvs_queue_receiver(dst, &note);
	dvs_s32 result;

	if (receiver) {
		give(c, receiver, note.src, value);
		return DVS_OK;
	}
	result = keep_value(c, dst, source, value);
	if (result)
		return result;
	dst->local_notes[source / 64] |= 1ull << (source % 64);
	c->ops.readable(c->ctx, dst);
	return DVS_OK;
}

int DVS_HOT dvs_note_take(struct dvs_core *c, struct dvs_ep *ep, struct dvs_call *call)
{
	dvs_u32 w;

	for (w = 0; w < c->note_words; w++) {
		dvs_u64 bits = ep->local_notes[w];

		while (bits) {
			dvs_u32 b = (dvs_u32)__builtin_ctzll(bits);
			struct dvs_addr src = source_addr(c, w * 64 + b);

			bits &= bits - 1;
			if (!dvs_matches(call->filter, src))
				continue;
			ep->local_notes[w] &= ~(1ull << b);
			give(c, call, src, take_value(c, ep, w * 64 + b));
			return 1;
		}
	}
	return 0;
}

void dvs_note_clear(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_u32 w = ep->index / 64, i;
	dvs_u64 bit = 1ull << (ep->index % 64);

	for (i = 0; i < c->limits.endpoints; i++) {
		if (!(c->ep[i].local_notes[w] & bit))
			continue;
		c->ep[i].local_notes[w] &= ~bit;
		(void)take_value(c, &c->ep[i], ep->index);
	}
	__builtin_memset(ep->local_notes, 0, c->note_words * sizeof(*ep->local_notes));
	while (!dvs_list_empty(&ep->values))
		drop(c, dvs_entry(ep->values.next, struct dvs_value, link));
}

int dvs_note_at(struct dvs_core *c, struct dvs_ep *ep, dvs_u32 *source, struct dvs_addr *src,
		dvs_s64 *value)
{
	for (; *source <= c->limits.endpoints; (*source)++) {
		struct dvs_value *v;

		if (!(ep->local_notes[*source / 64] & 1ull << (*source % 64)))
			continue;
		v = find(ep, *source);
		*src = outside(c, *source);
		*value = v ? v->value : DVS_NO_VALUE;
		(*source)++;
		return 1;
	}
	return 0;
}

void dvs_note_part(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_u64 bit = 1ull << (ep->index % 64);
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_ep *at = &c->ep[i];

		if (at != ep && (at->local_notes[ep->index / 64] & bit))
			(void)dvs_held_adopt(c, at, dvs_ep_outside(ep),
					     (dvs_u64)take_value(c, at, ep->index));
	}
}

/* In whose name; NULL: nobody's of this VM. */
static struct dvs_ep *find_source(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 source)
{
	if (source == DVS_SELF || source == DVS_HARDWARE)
		return ep;
	return dvs_ep_lookup(c, source, DVS_EP_BOUND);
}

static dvs_s32 check(struct dvs_core *c, const struct dvs_ep *ep, const struct dvs_ep *src,
		     struct dvs_addr dst, dvs_s32 source)
{
	/* The hardware may notify whoever asks for that in its name. */
	dvs_s32 result = dvs_check_destination(c, source == DVS_HARDWARE ? (void *)0 : src, dst);

	if (!result && !dvs_number_system(c, dst.nr))
		result = DVS_EBADDEST;
	if (!result)
		result = dvs_check_ipc_to(c, ep, dst.nr);
	/* The node goes by the source that is named: it must be allowed to that one as well. */
	if (!result && !(src->privileges.calls & 1ull << DVS_MAY_NOTIFY))
		result = DVS_EBADCALL;
	return result ? result : dvs_check_ipc_to(c, src, dst.nr);
}

static void notify(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *src,
		   struct dvs_addr dst, int hardware)
{
	struct dvs_ep *local = dvs_ep_lookup(c, dst.nr, DVS_EP_BOUND);
	dvs_s32 result;

	if (!local && hardware) {
		result = DVS_ERMTPROC;
	} else if (!local) {
		result = dvs_op_start(c, call, dst, DVS_K_NTF, 0);
		if (!result)
			return; /* the operation ends the call */
	} else if (!dvs_ep_is(local, dst.gen)) {
		result = DVS_EENDPOINT;
	} else if (dvs_move_stalls(local, &call->req)) {
		call->req.call = call;
		call->filter.nr = hardware ? DVS_HARDWARE : src->addr.nr;
		return; /* the call goes on when it is known where dst will be */
	} else {
		src->lclsent++;
		result = dvs_note_local(c, hardware ? c->limits.endpoints : src->index, local,
					(dvs_s64)call->req.token);
	}
	dvs_call_finish(c, call, result);
}

void dvs_note_again(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst)
{
	notify(c, call, call->ep, dst, call->filter.nr == DVS_HARDWARE);
}

int dvs_notify(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
	       struct dvs_addr dst, dvs_s32 source, dvs_s64 value, dvs_u64 now)
{
	dvs_s32 result = dvs_check_caller(c, ep, DVS_MAY_NOTIFY);
	struct dvs_ep *src = (void *)0;

	if (!result) {
		src = find_source(c, ep, source);
		result = src ? check(c, ep, src, dst, source) : DVS_ENOTBIND;
	}
	if (result)
		return result;
	dvs_call_begin(c, call, src, DVS_CALL_NOTIFY, 0, now);
	call->req.token = (dvs_u64)value;
	notify(c, call, src, dst, source == DVS_HARDWARE);
	return dvs_call_end_start(c, call);
}
