// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* What hostile VMs say. */
#include <stddef.h>

#include "events.h"

const struct dvs_chan *channel(const struct shell *s, dvs_u32 vm)
{
	dvs_u32 i;

	for (i = 0; i < s->core->channels.count; i++)
		if (s->core->channels.chan[i].vm == vm)
			return &s->core->channels.chan[i];
	return NULL;
}

/* An operation that this VM may answer, if there is one. */
static const struct dvs_op *operation(const struct shell *s, const struct dvs_chan *ch, dvs_u8 pick)
{
	const struct dvs_core *c = s->core;
	dvs_u32 i;

	for (i = 0; i < c->limits.operations; i++) {
		const struct dvs_op *op = &c->op[(i + pick) % c->limits.operations];

		if (op->chan == ch && op->state >= DVS_OP_SENT)
			return op;
	}
	return NULL;
}

static const dvs_u8 kinds[] = {
	DVS_K_ACK, DVS_K_REFUSED, DVS_K_MSG, DVS_K_REQ, DVS_K_NTF, DVS_K_WATCH, DVS_K_CANCEL,
	DVS_K_DIED, DVS_K_NOP, DVS_K_TAKEN, DVS_K_RPL, DVS_K_CANCELLED, DVS_K_FAILED,
	DVS_K_NOTHERE, DVS_K_REDIRECT, DVS_K_COPIED, DVS_K_FETCH,
};

void say_copy(struct shell *s, struct input *in)
{
	dvs_u8 b = take8(in), pick = take8(in), twist = take8(in);
	dvs_u32 vm = 2 + (b >> 4) % VMS;
	const struct dvs_chan *ch = channel(s, vm);
	const struct dvs_party *p = &s->core->party[pick % s->core->limits.sides];
	const struct dvs_ep *ep = &s->core->ep[pick % s->core->limits.endpoints];
	struct dvs_copy_side what = p->what;
	struct dvs_frame f = {
		.src_vm = vm, .src_inc = ch ? ch->inc : vm, .dst_vm = ME, .dst_inc = my_life(s),
		.seq = ch ? ch->window.expect : 1, .ack = ch ? ch->window.next_tx : 1, .credit = 64,
		.bulk_ack = ch ? ch->bulk.window.next_tx - (twist & 1) : 1, .bulk_credit = 100,
		.src_ep = pick % 12, .src_gen = 7, .dst_ep = ep->addr.nr, .dst_gen = ep->gen,
		.op = pick, .len = sizeof(what),
	};

	if (b & 8) {
		what = (struct dvs_copy_side){
			.bytes = 1 + take32(in) % DVS_COPY_MAX, .id = pick & 3,
			.requester_vm = twist & 2 ? vm : 2, .requester_inc = f.src_inc,
			.other_vm = twist & 4 ? ME : twist & 8 ? vm : 3, .other_inc = f.src_inc,
		};
		if (twist & 4)
			what.other_inc = my_life(s);
		if (twist & 16)
			what.grant = s->core->loan[twist >> 6].id;
	}
	switch (b & 3) {
	case 0: case 1:
		f.kind = DVS_K_COPY_IN + (b & 1);
		break;
	case 2:
		f.kind = DVS_K_FETCH;
		what.other_vm = vm;
		what.other_inc = f.src_inc;
		break;
	default:
		f.kind = twist & 32 ? DVS_K_BULK_NOP : DVS_K_BULK_DATA;
		f.seq = ch ? ch->bulk.window.expect + (twist == 255) : 1;
		f.op = what.id;
		f.arg = p->moved + (twist & 64 ? take8(in) : 0);
		f.dst_ep = (dvs_s32)what.requester_vm;
		f.dst_gen = what.requester_inc;
		f.len = 1 + take32(in) % DVS_BULK_PAYLOAD_MAX;
		if (!(twist & 128) && f.len > p->side.bytes - p->moved)
			f.len = p->side.bytes - p->moved;
		shell_bulk(s, &f);
		return;
	}
	shell_frame(s, &f, &what);
}

/* A frame that fits the channel as it is; `twist` says which fields are anything instead. */
void say(struct shell *s, struct input *in)
{
	dvs_u8 b = take8(in), twist = take8(in), pick = take8(in);
	dvs_u32 vm = 2 + (b >> 4) % VMS;
	const struct dvs_chan *ch = channel(s, vm);
	const struct dvs_op *op = ch ? operation(s, ch, pick) : NULL;
	const struct dvs_ep *ep = &s->core->ep[pick % s->core->limits.endpoints];
	static const dvs_u8 payload[DVS_MSG_PAYLOAD_MAX];
	struct dvs_frame f = {
		.kind = kinds[b & 15], .src_vm = vm, .src_inc = ch ? ch->inc : vm,
		.dst_vm = ME, .dst_inc = my_life(s), .seq = ch ? ch->window.expect : 1,
		.ack = ch ? ch->window.next_tx : 1, .credit = ch ? ch->requests_sent + pick % 16 : 8,
		.src_ep = pick % 12, .src_gen = 7, .dst_ep = ep->addr.nr, .dst_gen = ep->gen,
		.op = op ? op->id : pick, .len = pick,
	};

	if (ch && f.kind == DVS_K_DIED) {
		f.src_ep = s->core->dest[pick % s->core->limits.destinations].addr.nr;
		f.src_gen = s->core->dest[pick % s->core->limits.destinations].addr.gen;
		f.src_ep = pick > 0xf0 ? DVS_ANY : f.src_ep;
	}
	if (f.kind == DVS_K_NOTHERE && (pick & 1)) {
		const struct dvs_dest *d = &s->core->dest[pick % s->core->limits.destinations];

		f.op = DVS_OP_WATCH | d->index;
		f.src_ep = d->addr.nr;
		f.src_gen = d->addr.gen;
	}
	f.seq = twist & 1 ? take32(in) : f.seq;
	f.ack = twist & 2 ? take32(in) : f.ack;
	f.credit = twist & 4 ? take32(in) : f.credit;
	f.src_ep = twist & 8 ? number(in) : f.src_ep;
	f.dst_gen = twist & 16 ? take8(in) : f.dst_gen;
	f.op = twist & 32 ? (dvs_u64)take32(in) << 32 | take8(in) : f.op;
	f.flags = twist & 64 ? take8(in) : 0;
	f.src_inc += twist & 128 ? take8(in) % 3 - 1 : 0;
	f.result = (dvs_s32)f.arg - pick;
	shell_frame(s, &f, payload);
}

void say_raw(struct shell *s, struct input *in)
{
	dvs_u8 buffer[DVS_MSG_FRAME_MAX + 8];
	dvs_u32 i, len = size(in) + 8;

	for (i = 0; i < len; i++)
		buffer[i] = take8(in);
	dvs_core_frame(s->core, buffer, len, s->now);
}
