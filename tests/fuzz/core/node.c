// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* What the node says. */
#include "events.h"

static void node_say(struct shell *s, struct input *in, struct dvs_frame f)
{
	dvs_u8 b = take8(in);

	f.dst_vm = ME;
	f.dst_inc = my_life(s);
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

void node_answer(struct shell *s, struct input *in)
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
		f.arg = ME | (dvs_u64)my_life(s) << 32;
	node_say(s, in, f);
}

void node_event(struct shell *s, struct input *in)
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
	/* Not so far that the numbers of lives come round. */
	if (f.kind == DVS_K_RENEWED)
		f.arg = my_life(s) + b % 8;
	node_say(s, in, f);
}
