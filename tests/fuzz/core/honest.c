// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The end of a run: everybody who is honest still gets what he asks for. */
#include <string.h>

#include "harness.h"

#define HONEST		9
#define HONEST_LIFE	900
#define HONEST_EP	90
#define HONEST_GEN	990
#define OWN_EP		(-2)

static void answer_control(struct shell *s, const struct dvs_ctl_request *r)
{
	struct dvs_frame f = { .dst_vm = ME, .dst_inc = my_life(s), .op = r->nonce, .dst_ep = r->ep };

	switch (r->op) {
	case DVS_CTL_BIND:
		f.kind = DVS_K_BOUND;
		f.dst_gen = ++s->next_gen;
		break;
	case DVS_CTL_UNBIND:
		f.kind = DVS_K_UNBOUND;
		f.dst_gen = r->gen;
		break;
	case DVS_CTL_AWAIT: /* of what is never bound */
	case DVS_CTL_FORGET:
		return;
	case DVS_CTL_PRIVILEGE:
		f.kind = DVS_K_PRIVILEGED;
		f.dst_gen = r->gen;
		break;
	default:
		CHECK(r->op == DVS_CTL_LOOKUP);
		f.kind = DVS_K_FOUND;
		f.dst_gen = HONEST_GEN;
		f.arg = HONEST | (dvs_u64)HONEST_LIFE << 32;
		if (r->ep != HONEST_EP)
			f.result = DVS_EDSTDIED;
	}
	shell_frame(s, &f, "");
}

/* The honest VM has got a frame: it acknowledges, and takes messages. */
static void answer_frame(struct shell *s, const struct dvs_frame *in, dvs_u32 *seq)
{
	struct dvs_frame f = {
		.kind = DVS_K_ACK, .src_vm = HONEST, .src_inc = HONEST_LIFE, .dst_vm = ME,
		.dst_inc = my_life(s), .ack = in->seq + 1, .credit = 64, .op = in->op,
	};

	/* The node carries nothing of a life that is over. */
	if (in->dst_vm != HONEST || in->kind == DVS_K_ACK || in->src_inc != my_life(s))
		return;
	if (in->kind == DVS_K_MSG) {
		f.kind = DVS_K_TAKEN;
		f.seq = (*seq)++;
	}
	shell_frame(s, &f, "");
}

static void settle(struct shell *s, dvs_u32 *seq)
{
	struct dvs_ctl_request r;
	dvs_u64 buffer[DVS_MSG_FRAME_MAX / 8];
	int busy = 1, rounds = 0;

	while (busy) {
		busy = 0;
		while (shell_take_control(s, &r)) {
			answer_control(s, &r);
			busy = 1;
		}
		while (shell_take_frame(s, buffer)) {
			answer_frame(s, (struct dvs_frame *)buffer, seq);
			busy = 1;
		}
		while (shell_take_bulk(s))
			busy = 1;
		while (shell_work(s, 0, 0))
			busy = 1;
		CHECK(++rounds < 10000);
		check_core(s);
	}
}

/* What the node has said, and what was said to it, may be lost. */
static void retry_all(struct shell *s)
{
	struct dvs_frame f = { .kind = DVS_K_RETRY, .dst_vm = ME, .dst_inc = my_life(s) };

	shell_frame(s, &f, "");
}

static void leave_all(struct shell *s)
{
	dvs_u32 i;

	for (i = 0; i < CALLS; i++)
		if (s->calls[i].busy) {
			CHECK(dvs_call_abandon(s->core, &s->calls[i].call, s->now) <= 0);
			s->calls[i].busy = 0;
		}
	for (i = 0; i < s->core->limits.endpoints; i++)
		if (s->core->ep[i].state == DVS_EP_BOUND)
			dvs_unbind(s->core, &s->core->ep[i], s->now);
	check_core(s);
}

/* A VM more than there is room for is refused; so one makes room. */
static void make_room(struct shell *s)
{
	struct dvs_frame f = { .kind = DVS_K_GONE, .dst_vm = ME, .dst_inc = my_life(s) };
	const struct dvs_chan *ch = &s->core->channels.chan[0];

	f.arg = ch->vm | (dvs_u64)ch->inc << 32;
	if (s->core->stats.peers == s->core->limits.peers)
		shell_frame(s, &f, "");
}

void honest_end(struct shell *s)
{
	static const struct dvs_addr far = { .nr = HONEST_EP };
	struct slot_call *bind, *send;
	dvs_u32 seq = 1;

	leave_all(s);
	retry_all(s);
	settle(s, &seq);
	make_room(s);
	settle(s, &seq);
	bind = shell_call(s, 0, 0, 0);
	shell_started(s, bind, dvs_bind(s->core, &bind->call, OWN_EP, s->now));
	settle(s, &seq);
	CHECK(!bind->busy && bind->call.result == DVS_OK);
	send = shell_call(s, 8, 0, 0);
	shell_started(s, send, dvs_send(s->core, &send->call, dvs_ep_find(s->core, OWN_EP),
					far, 0, s->now));
	settle(s, &seq);
	CHECK(!send->busy && send->call.result == DVS_OK);
}
