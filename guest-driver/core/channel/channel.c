// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Opening, closing and receiving: see channel.h. Sending is in transmit.c. */
#include "channel.h"

static struct dvs_chan *find(const struct dvs_channels *cs, dvs_u32 vm)
{
	dvs_u32 i;

	for (i = 0; i < cs->count; i++)
		if (cs->chan[i].vm == vm)
			return &cs->chan[i];
	return (void *)0;
}

static void start(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u32 vm, dvs_u32 inc)
{
	dvs_u32 index = ch->index;

	__builtin_memset(ch, 0, sizeof(*ch));
	ch->index = index;
	ch->vm = vm;
	ch->inc = inc;
	dvs_window_start(&ch->window);
	ch->requests_allowed = DVS_CREDIT_INITIAL;
	ch->granted = DVS_CREDIT_INITIAL;
	ch->ack_at = DVS_NEVER;
	dvs_list_init(&ch->answers);
	dvs_list_init(&ch->requests);
	dvs_list_init(&ch->ops);
	dvs_list_init(&ch->held_list);
	dvs_list_init(&ch->sides);
	dvs_bulk_start(&ch->bulk);
	cs->stats->peers++;
}

static void stop(struct dvs_channels *cs, struct dvs_chan *ch, int renewed)
{
	cs->user->gone(cs->user_ctx, ch, renewed);
	ch->vm = DVS_VM_NODE;
	cs->stats->peers--;
	cs->stats->gone++;
}

struct dvs_chan *dvs_chan_open(struct dvs_channels *cs, dvs_u32 vm, dvs_u32 inc)
{
	struct dvs_chan *ch = find(cs, vm);

	if (ch && ch->inc == inc)
		return ch;
	if (ch) {
		if (dvs_before(inc, ch->inc))
			return (void *)0;
		stop(cs, ch, 0);
	} else {
		ch = find(cs, DVS_VM_NODE);
		if (!ch)
			return (void *)0;
	}
	start(cs, ch, vm, inc);
	return ch;
}

int dvs_chan_over(const struct dvs_channels *cs, dvs_u32 vm, dvs_u32 inc)
{
	const struct dvs_chan *ch = find(cs, vm);

	return ch && dvs_before(inc, ch->inc);
}

void dvs_channels_init(struct dvs_channels *cs)
{
	dvs_u32 i;

	for (i = 0; i < cs->count; i++) {
		cs->chan[i].vm = DVS_VM_NODE;
		cs->chan[i].index = i;
	}
	cs->armed_at = DVS_NEVER;
}

void dvs_channels_gone(struct dvs_channels *cs, dvs_u32 vm, dvs_u32 inc)
{
	struct dvs_chan *ch = find(cs, vm);

	if (vm != DVS_VM_NODE && ch && !dvs_before(inc, ch->inc))
		stop(cs, ch, 0);
}

void dvs_channels_renew(struct dvs_channels *cs, dvs_u32 inc)
{
	dvs_u8 full = cs->full, bulk_full = cs->bulk_full;
	dvs_u32 i;

	/* What the end of one brings for another is not sent: that one ends as well. */
	cs->full = 1;
	cs->bulk_full = 1;
	for (i = 0; i < cs->count; i++)
		if (cs->chan[i].vm != DVS_VM_NODE)
			stop(cs, &cs->chan[i], 1);
	cs->my_inc = inc;
	cs->full = full;
	cs->bulk_full = bulk_full;
}

static void take_acknowledgement(struct dvs_channels *cs, struct dvs_chan *ch,
				 const struct dvs_frame *f, dvs_u64 now)
{
	if (dvs_window_covers(&ch->window, f->ack)) {
		ch->heard = 1;
		ch->progress_at = now;
		dvs_window_acknowledged(cs, &ch->window, f->ack, now);
	}
	if (dvs_before(ch->requests_allowed, f->credit))
		ch->requests_allowed = f->credit;
}

int dvs_chan_arrived(struct dvs_channels *cs, struct dvs_chan *ch, struct dvs_window *w,
		     dvs_u32 seq)
{
	if (dvs_before(seq, w->expect)) {
		cs->stats->duplicates_dropped++;
		ch->ack_now = 1; /* our acknowledgement was lost */
		return 0;
	}
	if (seq != w->expect) {
		cs->stats->gaps_dropped++;
		return 0;
	}
	w->expect++;
	return 1;
}

static void take_numbered(struct dvs_channels *cs, struct dvs_chan *ch,
			  const struct dvs_frame *f, const void *payload, dvs_u64 now)
{
	if (!dvs_chan_arrived(cs, ch, &ch->window, f->seq))
		return;
	cs->user->frame(cs->user_ctx, ch, f, payload);
	/* What the user sent at once has acknowledged it. */
	if (ch->window.acked != ch->window.expect)
		dvs_chan_owe(cs, ch, now);
}

static int stopped_meanwhile(const struct dvs_chan *ch, const struct dvs_frame *f)
{
	return ch->vm != f->src_vm || ch->inc != f->src_inc;
}

/* Tells a VM for which there is no channel left that nothing of it is executed. */
static void refuse(struct dvs_channels *cs, const struct dvs_frame *f)
{
	dvs_u32 slot = cs->count * (cs->window + 1) + cs->refusals % DVS_REFUSAL_SLOTS;
	struct dvs_frame *answer = (struct dvs_frame *)(cs->slots + (dvs_size)slot * DVS_MSG_FRAME_MAX);

	if (!cs->ops->reusable(cs->ctx, slot))
		return;
	cs->refusals++;
	__builtin_memset(answer, 0, sizeof(*answer));
	answer->kind = DVS_K_REFUSED;
	answer->src_vm = cs->my_vm;
	answer->src_inc = cs->my_inc;
	answer->dst_vm = f->src_vm;
	answer->dst_inc = f->src_inc;
	/* Without room on the queue the refusal is lost: the peer asks again. */
	(void)cs->ops->transmit(cs->ctx, slot, sizeof(*answer));
}

void dvs_channels_frame(struct dvs_channels *cs, const struct dvs_frame *f,
			const void *payload, dvs_u64 now)
{
	struct dvs_chan *ch;
	int numbered = f->kind > DVS_K_UNNUMBERED_LAST;

	ch = find(cs, f->src_vm);
	if (!ch || ch->inc != f->src_inc) {
		if (!numbered || (ch && dvs_before(f->src_inc, ch->inc))) {
			cs->stats->malformed_dropped++;
			return;
		}
		ch = dvs_chan_open(cs, f->src_vm, f->src_inc);
		if (!ch) {
			refuse(cs, f);
			return;
		}
	}
	if (f->kind == DVS_K_REFUSED) {
		if (!ch->heard)
			cs->user->refused(cs->user_ctx, ch);
		return;
	}
	ch->heard = 1;
	take_acknowledgement(cs, ch, f, now);
	dvs_bulk_acknowledged(cs, ch, f, now);
	if (numbered)
		take_numbered(cs, ch, f, payload, now);
	if (stopped_meanwhile(ch, f))
		return;
	dvs_chan_pump(cs, ch, now);
	dvs_bulk_pump(cs, ch, now);
}

struct dvs_chan *dvs_channels_bulk(struct dvs_channels *cs, const struct dvs_frame *f, dvs_u64 now)
{
	struct dvs_chan *ch = find(cs, f->src_vm);
	int expected;

	/* Data comes only where it was asked for, by a frame of the channel. */
	if (!ch || ch->inc != f->src_inc) {
		cs->stats->malformed_dropped++;
		return (void *)0;
	}
	ch->heard = 1;
	cs->stats->bulk_received++;
	take_acknowledgement(cs, ch, f, now);
	dvs_bulk_acknowledged(cs, ch, f, now);
	expected = dvs_chan_arrived(cs, ch, &ch->bulk.window, f->seq);
	if (expected)
		dvs_chan_owe(cs, ch, now);
	dvs_chan_pump(cs, ch, now);
	dvs_bulk_pump(cs, ch, now);
	return expected ? ch : (void *)0;
}
