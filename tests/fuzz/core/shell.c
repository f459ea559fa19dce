// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The shell around the core: calls, a small transmit ring, a small control queue, a clock. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static void wake(void *ctx, struct dvs_call *call)
{
	struct slot_call *c = (struct slot_call *)call;

	(void)ctx;
	CHECK(c->busy);
	CHECK(call->result <= 0);
	c->busy = 0;
}

static void readable(void *ctx, struct dvs_ep *ep)
{
	(void)ctx;
	CHECK(dvs_ep_readable(ep));
}

static int transmit(void *ctx, dvs_u32 slot, dvs_u32 len)
{
	struct shell *s = ctx;

	CHECK(!s->stopped && slot < s->slot_count);
	CHECK(len >= DVS_FRAME_HEADER && len <= DVS_MSG_FRAME_MAX);
	if (s->ring_used == RING) {
		s->room_wanted = 1;
		return 1;
	}
	s->ring[s->ring_used].slot = slot;
	s->ring[s->ring_used].len = len;
	s->ring_used++;
	return 0;
}

static int reusable(void *ctx, dvs_u32 slot)
{
	struct shell *s = ctx;
	dvs_u32 i;

	for (i = 0; i < s->ring_used; i++)
		if (s->ring[i].slot == slot) {
			s->room_wanted = 1;
			return 0;
		}
	return 1;
}

static int control(void *ctx, const struct dvs_ctl_request *request)
{
	struct shell *s = ctx;

	CHECK(!s->stopped);
	if (s->control_used == CONTROLS) {
		s->room_wanted = 1;
		return 1;
	}
	s->control[s->control_used++] = *request;
	return 0;
}

static void timer(void *ctx, dvs_u64 at_ns)
{
	struct shell *s = ctx;

	s->timer_at = at_ns;
}

static void describe(void *ctx, struct dvs_ep *ep, struct dvs_endpoint_state *state)
{
	(void)ctx;
	CHECK(ep->addr.nr == state->nr && ep->addr.gen == state->gen);
}

static void released(void *ctx, struct dvs_ep *ep)
{
	(void)ctx;
	(void)ep;
}

static int bulk_transmit(void *ctx, dvs_u32 slot, struct dvs_side *side, dvs_u64 offset,
			 dvs_u32 len)
{
	struct shell *s = ctx;

	CHECK(!s->stopped && slot < s->core->limits.peers * DVS_BULK_WINDOW);
	CHECK(len <= DVS_BULK_PAYLOAD_MAX && !side == !len);
	if (side)
		CHECK(side->shell == s && offset + len <= side->bytes);
	if (s->bulk_used == RING) {
		s->room_wanted = 1;
		return 1;
	}
	s->bulk[s->bulk_used].slot = slot;
	s->bulk[s->bulk_used].len = len;
	s->bulk[s->bulk_used].side = side;
	s->bulk_used++;
	return 0;
}

static int bulk_reusable(void *ctx, dvs_u32 slot)
{
	struct shell *s = ctx;
	dvs_u32 i;

	for (i = 0; i < s->bulk_used; i++)
		if (s->bulk[i].slot == slot) {
			s->room_wanted = 1;
			return 0;
		}
	return 1;
}

static void add_work(struct shell *s, dvs_u8 what, struct dvs_side *side, struct dvs_side *dst)
{
	CHECK(s->work_used < WORKS);
	s->work[s->work_used].what = what;
	s->work[s->work_used].side = side;
	s->work[s->work_used].dst = dst;
	s->work_used++;
}

static dvs_s32 copy_open(void *ctx, struct dvs_side *side)
{
	struct shell *s = ctx;

	CHECK(!s->stopped && side->bytes && !side->call == !!side->region);
	if (side->address % 16 == 7)
		return DVS_EALLOCMEM;
	side->shell = s;
	add_work(s, SHELL_OPEN, side, NULL);
	return 0;
}

static void copy_close(void *ctx, struct dvs_side *side)
{
	struct shell *s = ctx;
	dvs_u32 i;

	CHECK(side->shell == s);
	side->shell = NULL;
	for (i = 0; i < s->bulk_used; i++)
		CHECK(s->bulk[i].side != side);
	for (i = 0; i < s->work_used; i++)
		CHECK(s->work[i].side != side && s->work[i].dst != side);
}

static void copy_run(void *ctx, struct dvs_side *src, struct dvs_side *dst)
{
	CHECK(src->shell == ctx && dst->shell == ctx && src->bytes == dst->bytes);
	add_work(ctx, SHELL_RUN, src, dst);
}

static void unlent(void *ctx, void *region)
{
	CHECK(region == ctx);
}

static const struct dvs_ops ops = {
	.wake = wake,
	.readable = readable,
	.transmit = transmit,
	.reusable = reusable,
	.control = control,
	.timer = timer,
	.describe = describe,
	.released = released,
	.bulk_transmit = bulk_transmit,
	.bulk_reusable = bulk_reusable,
	.copy_open = copy_open,
	.copy_close = copy_close,
	.copy_run = copy_run,
	.unlent = unlent,
};

void shell_init(struct shell *s, dvs_u8 flavour)
{
	const struct dvs_limits limits = {
		.endpoints = flavour & 1 ? 3 : 6,
		.peers = flavour & 32 ? 2 : 4,
		.operations = 64,
		.destinations = flavour & 2 ? 4 : 16,
		.credits = flavour & 4 ? 8 : 12,
		.window = 32,
		.copies = 4,
		.sides = flavour & 4 ? 4 : 16,
		.grants = 4,
	};
	const struct dvs_identity identity = {
		.vm = ME, .incarnation = MY_LIFE, .nr_tasks = 4, .nr_procs = 100, .nr_sysprocs = 14,
		.flags = DVS_CONFIG_ADMIN,
	};

	memset(s, 0, sizeof(*s));
	s->now = 1000000000;
	s->timer_at = DVS_NEVER;
	s->slot_count = dvs_core_slots(&limits);
	s->memory = aligned_alloc(16, dvs_core_size(&limits));
	s->slots = malloc((size_t)s->slot_count * DVS_MSG_FRAME_MAX);
	CHECK(s->memory && s->slots);
	s->core = dvs_core_init(s->memory, s->slots, &limits, &identity, &ops, s);
	CHECK(s->core);
}

void shell_free(struct shell *s)
{
	dvs_u32 i;

	for (i = 0; i < CALLS; i++) {
		free(s->calls[i].send);
		free(s->calls[i].recv);
	}
	free(s->slots);
	free(s->memory);
}

struct slot_call *shell_call(struct shell *s, dvs_u32 send_len, dvs_u32 recv_cap, int sendrec)
{
	dvs_u32 room = sendrec && send_len < DVS_MSG_PAYLOAD_MAX ? DVS_MSG_PAYLOAD_MAX : send_len;
	struct slot_call *c = s->calls;

	while (c < s->calls + CALLS && c->busy)
		c++;
	if (c == s->calls + CALLS)
		return NULL;
	free(c->send);
	free(c->recv);
	/* What is left of an earlier call must not matter. */
	memset(c, 0xa5, sizeof(*c));
	c->busy = 0;
	c->send = room ? calloc(1, room) : NULL;
	c->recv = recv_cap ? calloc(1, recv_cap) : NULL;
	c->call.send_buf = c->send;
	c->call.send_len = send_len;
	c->call.recv_buf = c->recv;
	c->call.recv_cap = recv_cap;
	return c;
}

void shell_started(struct shell *s, struct slot_call *c, int result)
{
	CHECK(result <= 0 || result == DVS_PENDING || result == DVS_RUN);
	c->busy = result > 0;
	if (result == DVS_RUN) {
		struct dvs_side *src, *dst;

		dvs_copy_sides(&c->call, &src, &dst);
		add_work(s, SHELL_RUN, src, dst);
	}
}

static void give_room(struct shell *s)
{
	if (s->room_wanted) {
		s->room_wanted = 0;
		dvs_core_room(s->core, s->now);
	}
}

/* Of the life that the VM is in, or of one before it. */
static int is_mine(const struct shell *s, dvs_u32 inc)
{
	return inc >= MY_LIFE && inc <= my_life(s);
}

dvs_u32 shell_take_frame(struct shell *s, void *buffer)
{
	dvs_u32 len = s->ring[0].len;
	const struct dvs_frame *f = buffer;

	if (!s->ring_used)
		return 0;
	memcpy(buffer, (char *)s->slots + (size_t)s->ring[0].slot * DVS_MSG_FRAME_MAX, len);
	CHECK(f->len == len - DVS_FRAME_HEADER);
	CHECK(f->src_vm == ME && is_mine(s, f->src_inc) &&
	      (f->dst_vm == DVS_VM_NODE) ==
		      (f->kind == DVS_K_TELL || f->kind == DVS_K_ORDERED));
	CHECK(f->kind > DVS_K_NODE_LAST && !f->reserved);
	s->ring_used--;
	memmove(s->ring, s->ring + 1, s->ring_used * sizeof(s->ring[0]));
	give_room(s);
	return len;
}

dvs_u32 shell_take_bulk(struct shell *s)
{
	const struct dvs_frame *f;

	if (!s->bulk_used)
		return 0;
	f = dvs_core_bulk_header(s->core, s->bulk[0].slot);
	CHECK(f->len == s->bulk[0].len && f->seq && !f->reserved);
	CHECK(f->src_vm == ME && is_mine(s, f->src_inc) && f->dst_vm != DVS_VM_NODE);
	CHECK(f->kind == (f->len ? DVS_K_BULK_DATA : DVS_K_BULK_NOP));
	s->bulk_used--;
	memmove(s->bulk, s->bulk + 1, s->bulk_used * sizeof(s->bulk[0]));
	give_room(s);
	return 1;
}

void shell_bulk(struct shell *s, const struct dvs_frame *f)
{
	struct dvs_side *side;
	dvs_u64 offset;

	if (s->work_used == WORKS / 2)
		return;
	side = dvs_core_bulk(s->core, f, DVS_FRAME_HEADER + f->len, &offset, s->now);
	if (!side)
		return;
	CHECK(side->writes && side->shell == s && offset + f->len <= side->bytes);
	add_work(s, SHELL_WRITE, side, NULL);
}

int shell_work(struct shell *s, dvs_u8 pick, int fails)
{
	struct dvs_side *side, *dst;
	dvs_u32 i;
	dvs_u8 what;

	if (!s->work_used)
		return 0;
	i = pick % s->work_used;
	what = s->work[i].what;
	side = s->work[i].side;
	dst = s->work[i].dst;
	s->work_used--;
	memmove(s->work + i, s->work + i + 1, (s->work_used - i) * sizeof(s->work[0]));
	switch (what) {
	case SHELL_OPEN:
		if (fails)
			side->shell = NULL;
		dvs_copy_opened(s->core, side, fails ? DVS_EINVAL : DVS_OK, s->now);
		break;
	case SHELL_RUN:
		if (!fails && dvs_copy_begin(side, dst))
			add_work(s, SHELL_PIECE, side, dst);
		else
			dvs_copy_ran(s->core, side, dst, DVS_EINVAL, s->now);
		break;
	case SHELL_PIECE:
		dvs_copy_end(s->core, side, dst, s->now);
		dvs_copy_ran(s->core, side, dst, DVS_OK, s->now);
		break;
	default:
		dvs_bulk_written(s->core, side, s->now);
	}
	return 1;
}

int shell_take_control(struct shell *s, struct dvs_ctl_request *request)
{
	if (!s->control_used)
		return 0;
	*request = s->control[0];
	s->control_used--;
	memmove(s->control, s->control + 1, s->control_used * sizeof(s->control[0]));
	give_room(s);
	return 1;
}

void shell_frame(struct shell *s, const struct dvs_frame *f, const void *payload)
{
	dvs_u32 len = DVS_FRAME_HEADER + f->len;
	char *buffer = malloc(len);

	CHECK(buffer);
	memcpy(buffer, f, sizeof(*f));
	memcpy(buffer + sizeof(*f), payload, f->len);
	dvs_core_frame(s->core, buffer, len, s->now);
	free(buffer);
}

void shell_run_timer(struct shell *s)
{
	if (s->timer_at == DVS_NEVER)
		return;
	if (s->now < s->timer_at)
		s->now = s->timer_at;
	s->timer_at = DVS_NEVER;
	dvs_core_timer(s->core, s->now);
}

void shell_stop(struct shell *s)
{
	dvs_u32 i;

	dvs_core_stop(s->core);
	s->stopped = 1;
	s->work_used = 0;
	for (i = 0; i < CALLS; i++)
		CHECK(!s->calls[i].busy);
	for (i = 0; i < s->core->limits.endpoints; i++)
		if (s->core->ep[i].state == DVS_EP_BOUND)
			dvs_unbind(s->core, &s->core->ep[i], s->now);
	CHECK(s->core->stats.endpoints == 0);
}
