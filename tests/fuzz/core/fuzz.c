// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* From bytes to events, one after another: see harness.h. */
#include <stdlib.h>

#include "events.h"

#define EVENTS_MAX	400

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
