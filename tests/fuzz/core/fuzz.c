// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* From bytes to events: see harness.h. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define VMS		4	/* hostile ones: 2 to 5 */
#define EVENTS_MAX	400

/* ---- local processes ---- */

static struct dvs_ep *endpoint(struct shell *s, struct input *in)
{
	struct dvs_ep *ep = &s->core->ep[take8(in) % s->core->limits.endpoints];

	return ep->state == DVS_EP_BOUND ? ep : NULL;
}

static void begin(struct shell *s, struct input *in, dvs_u8 what)
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

/* Calls about endpoints rather than with messages. */
static void begin_other(struct shell *s, struct input *in)
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

static void begin_copy(struct shell *s, struct input *in)
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

static void grant(struct shell *s, struct input *in)
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

/* A server answers whom it owes an answer. */
static void reply_open(struct shell *s, struct input *in)
{
	struct dvs_ep *ep = endpoint(s, in);
	struct slot_call *c = shell_call(s, size(in), 0, 0);
	struct dvs_req *req;

	if (!c || !ep || dvs_list_empty(&ep->open))
		return;
	req = dvs_entry(ep->open.next, struct dvs_req, link);
	shell_started(s, c, dvs_reply(s->core, &c->call, ep, req->src, req->token, s->now));
}

static void leave(struct shell *s, struct input *in, int abandon)
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

static void unbind(struct shell *s, struct input *in)
{
	struct dvs_ep *ep = endpoint(s, in);

	if (ep)
		dvs_unbind(s->core, ep, s->now);
}

/* ---- hostile VMs ---- */

static const struct dvs_chan *channel(const struct shell *s, dvs_u32 vm)
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

/* What another VM says of a copy: one that is under way here, or a new one. */
static void say_copy(struct shell *s, struct input *in)
{
	dvs_u8 b = take8(in), pick = take8(in), twist = take8(in);
	dvs_u32 vm = 2 + (b >> 4) % VMS;
	const struct dvs_chan *ch = channel(s, vm);
	const struct dvs_party *p = &s->core->party[pick % s->core->limits.sides];
	const struct dvs_ep *ep = &s->core->ep[pick % s->core->limits.endpoints];
	struct dvs_copy_side what = p->what;
	struct dvs_frame f = {
		.src_vm = vm, .src_inc = ch ? ch->inc : vm, .dst_vm = ME, .dst_inc = MY_LIFE,
		.seq = ch ? ch->window.expect : 1, .ack = ch ? ch->window.next_tx : 1, .credit = 64,
		.bulk_ack = ch ? ch->bulk.window.next_tx - (twist & 1) : 1, .bulk_credit = 100,
		.src_ep = pick % 12, .src_gen = 7, .dst_ep = ep->addr.nr, .dst_gen = ep->addr.gen,
		.op = pick, .len = sizeof(what),
	};

	if (b & 8) {
		what = (struct dvs_copy_side){
			.bytes = 1 + take32(in) % DVS_COPY_MAX, .id = pick & 3,
			.requester_vm = twist & 2 ? vm : 2, .requester_inc = f.src_inc,
			.other_vm = twist & 4 ? ME : twist & 8 ? vm : 3, .other_inc = f.src_inc,
		};
		if (twist & 4)
			what.other_inc = MY_LIFE;
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
static void say(struct shell *s, struct input *in)
{
	dvs_u8 b = take8(in), twist = take8(in), pick = take8(in);
	dvs_u32 vm = 2 + (b >> 4) % VMS;
	const struct dvs_chan *ch = channel(s, vm);
	const struct dvs_op *op = ch ? operation(s, ch, pick) : NULL;
	const struct dvs_ep *ep = &s->core->ep[pick % s->core->limits.endpoints];
	static const dvs_u8 payload[DVS_MSG_PAYLOAD_MAX];
	struct dvs_frame f = {
		.kind = kinds[b & 15], .src_vm = vm, .src_inc = ch ? ch->inc : vm,
		.dst_vm = ME, .dst_inc = MY_LIFE, .seq = ch ? ch->window.expect : 1,
		.ack = ch ? ch->window.next_tx : 1, .credit = ch ? ch->requests_sent + pick % 16 : 8,
		.src_ep = pick % 12, .src_gen = 7, .dst_ep = ep->addr.nr, .dst_gen = ep->addr.gen,
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

/* Any bytes at all. */
static void say_raw(struct shell *s, struct input *in)
{
	dvs_u8 buffer[DVS_MSG_FRAME_MAX + 8];
	dvs_u32 i, len = size(in) + 8;

	for (i = 0; i < len; i++)
		buffer[i] = take8(in);
	dvs_core_frame(s->core, buffer, len, s->now);
}

/* ---- the node ---- */

static void node_say(struct shell *s, struct input *in, struct dvs_frame f)
{
	dvs_u8 b = take8(in);

	f.dst_vm = ME;
	f.dst_inc = MY_LIFE;
	if (b & 1)
		f.result = 100 - (dvs_s32)take8(in) * 7;
	if (b & 2)
		f.op = take8(in);
	if (b & 4)
		f.dst_ep = number(in);
	if (b & 8)
		f.arg = take8(in) % 6 | (dvs_u64)(take8(in) % 6) << 32;
	shell_frame(s, &f, "");
}

static void node_answer(struct shell *s, struct input *in)
{
	static const dvs_u8 results[] = {
		DVS_K_BOUND, DVS_K_UNBOUND, DVS_K_FOUND, DVS_K_FOUND, 0, DVS_K_PRIVILEGED,
	};
	struct dvs_ctl_request r;
	struct dvs_frame f = { 0 };
	dvs_u8 b = take8(in);
	dvs_u32 vm = 2 + b % VMS;
	const struct dvs_chan *ch;

	if (!shell_take_control(s, &r))
		return;
	if (b > 0xf0) {
		dvs_core_refused(s->core, r.nonce, b & 3, s->now);
		return;
	}
	if (r.op == DVS_CTL_FORGET)
		return;
	f.kind = results[r.op - DVS_CTL_BIND];
	f.op = r.nonce;
	f.dst_ep = r.ep;
	f.dst_gen = r.op == DVS_CTL_UNBIND || r.op == DVS_CTL_PRIVILEGE ? r.gen : 1u + b % 8;
	if (r.op == DVS_CTL_BIND)
		f.dst_gen = ++s->next_gen;
	ch = channel(s, vm);
	if (r.op == DVS_CTL_LOOKUP && b < 0xe0)
		f.arg = vm | (dvs_u64)(ch ? ch->inc : vm) << 32;
	else if (r.op == DVS_CTL_LOOKUP)
		f.arg = ME | (dvs_u64)MY_LIFE << 32;
	node_say(s, in, f);
}

static void node_event(struct shell *s, struct input *in)
{
	dvs_u8 b = take8(in);
	const struct dvs_chan *ch = channel(s, 2 + b % VMS);
	struct dvs_frame f = { .kind = b & 0x80 ? DVS_K_RETRY : DVS_K_GONE };

	if (f.kind == DVS_K_GONE)
		f.arg = ch ? ch->vm | (dvs_u64)ch->inc << 32 : 2;
	else
		f.arg = b & 0x40 ? 2 + b % VMS : 0;
	if (b & 0x20)
		f.kind = take8(in) % 16;
	node_say(s, in, f);
}

static void pass(struct shell *s, struct input *in)
{
	dvs_u8 b = take8(in);

	s->now += (dvs_u64)b << 20;
	if (b & 1)
		shell_run_timer(s);
}

static void device(struct shell *s, struct input *in)
{
	dvs_u64 buffer[DVS_MSG_FRAME_MAX / 8];
	dvs_u32 n = 1 + take8(in) % 16;

	while (n-- && shell_take_frame(s, buffer))
		;
}

static void event_of_copies(struct shell *s, struct input *in, dvs_u8 b)
{
	switch (b % 12) {
	case 0: case 1:
		begin_copy(s, in);
		break;
	case 2:
		grant(s, in);
		break;
	case 3: case 4: case 5:
		say_copy(s, in);
		break;
	case 6: case 7:
		shell_work(s, take8(in), 0);
		break;
	case 8:
		shell_work(s, take8(in), 1);
		break;
	case 9: case 10:
		shell_take_bulk(s);
		break;
	default:
		dvs_core_batch_end(s->core, s->now);
	}
}

static void event(struct shell *s, struct input *in)
{
	dvs_u8 b = take8(in);

	switch (b % 21) {
	case 0: case 1: case 2: case 3: case 4: case 5:
		begin(s, in, b % 21);
		break;
	case 6:
		reply_open(s, in);
		break;
	case 7:
		leave(s, in, b & 0x40);
		break;
	case 8:
		unbind(s, in);
		break;
	case 9: case 10: case 11: case 12:
		say(s, in);
		break;
	case 13:
		say_raw(s, in);
		break;
	case 14: case 15:
		node_answer(s, in);
		break;
	case 16:
		node_event(s, in);
		break;
	case 17:
		pass(s, in);
		break;
	case 18:
		device(s, in);
		break;
	case 19:
		begin_other(s, in);
		break;
	default:
		event_of_copies(s, in, b / 21);
	}
}

/* Most of what can happen needs endpoints. */
static void bind_some(struct shell *s)
{
	struct dvs_ctl_request r;
	dvs_s32 nr;

	for (nr = 0; nr < 2; nr++) {
		struct dvs_frame f = { .kind = DVS_K_BOUND, .dst_vm = ME, .dst_inc = MY_LIFE };
		struct slot_call *c = shell_call(s, 0, 0, 0);

		shell_started(s, c, dvs_bind(s->core, &c->call, nr, s->now));
		CHECK(shell_take_control(s, &r));
		f.op = r.nonce;
		f.dst_ep = nr;
		f.dst_gen = ++s->next_gen;
		shell_frame(s, &f, "");
		CHECK(!c->busy && c->call.result == DVS_OK);
	}
}

/*
 * Numbers that count up for as long as a VM lives are near their end: those of
 * the core at once, those of a channel as soon as nothing of it is on its way.
 */
#define AGE	0xfffffff0u

static void age_core(struct dvs_core *c)
{
	c->op_salt = AGE;
	c->next_nonce = ~0ull - 3;
	c->next_token = ~0ull - 3;
}

static void age_channel(struct dvs_chan *ch)
{
	struct dvs_window *w = &ch->window;

	if (ch->vm == DVS_VM_NODE || w->expect >= AGE / 2 || w->next_seq != w->una ||
	    w->una >= AGE / 2)
		return;
	w->next_seq += AGE;
	w->next_tx += AGE;
	w->next_first += AGE;
	w->una += AGE;
	ch->requests_sent += AGE;
	ch->requests_allowed += AGE;
	w->expect += AGE;
	w->acked += AGE;
	ch->finished += AGE;
	ch->granted += AGE;
	ch->bulk.window.expect += AGE;
	ch->bulk.window.acked += AGE;
}

int LLVMFuzzerTestOneInput(const dvs_u8 *data, dvs_size size)
{
	struct input in = { .at = data, .left = size };
	struct shell *s = malloc(sizeof(*s));
	dvs_u8 flavour = take8(&in);
	int events = 0;
	dvs_u32 i;

	CHECK(s);
	shell_init(s, flavour);
	if (flavour & 64)
		age_core(s->core);
	if (flavour & 16)
		bind_some(s);
	while (in.left && events++ < EVENTS_MAX) {
		event(s, &in);
		check_core(s);
		for (i = 0; (flavour & 64) && i < s->core->channels.count; i++)
			age_channel(&s->core->channels.chan[i]);
	}
	if (flavour & 8)
		honest_end(s);
	shell_stop(s);
	check_core(s);
	shell_free(s);
	free(s);
	return 0;
}
