// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Data of copies from one VM to another: see bulk.h. */
#include "channel.h"

void dvs_bulk_start(struct dvs_bulk *b)
{
	dvs_window_start(&b->window);
	b->allowed = DVS_CREDIT_INITIAL;
	dvs_list_init(&b->ready);
}

static dvs_u32 base_of(const struct dvs_chan *ch)
{
	return ch->index * DVS_BULK_WINDOW;
}

static struct dvs_bulk_slot *slot_of(const struct dvs_channels *cs, const struct dvs_chan *ch,
				     dvs_u32 seq)
{
	return &cs->bulk_slot[base_of(ch) + seq % DVS_BULK_WINDOW];
}

static int reusable(struct dvs_channels *cs, const struct dvs_bulk_slot *s)
{
	return cs->ops->bulk_reusable(cs->ctx, (dvs_u32)(s - cs->bulk_slot));
}

/* A frame that nobody wants any more goes out again as the bare keeper of its number. */
static int strip(struct dvs_channels *cs, struct dvs_bulk_slot *s)
{
	if (!s->unwanted || s->header.kind == DVS_K_BULK_NOP)
		return 1;
	/* What the device may be reading stays as it is. */
	if (!reusable(cs, s))
		return 0;
	s->header.kind = DVS_K_BULK_NOP;
	s->header.len = 0;
	s->out = (void *)0;
	return 1;
}

static int post(struct dvs_channels *cs, struct dvs_chan *ch, struct dvs_bulk_slot *s)
{
	if (!strip(cs, s)) {
		cs->bulk_full = 1;
		return 0;
	}
	dvs_chan_stamp(cs, ch, &s->header);
	if (cs->ops->bulk_transmit(cs->ctx, (dvs_u32)(s - cs->bulk_slot),
				   s->out ? s->out->side : (void *)0, s->offset,
				   s->header.len)) {
		cs->bulk_full = 1;
		return 0;
	}
	ch->bulk.window.acked = ch->bulk.window.expect;
	return 1;
}

/* Sends frames that have their number, up to the newest. */
static int send_numbered(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	struct dvs_window *w = &ch->bulk.window;

	while (w->next_tx != w->next_seq) {
		if (cs->bulk_full || !post(cs, ch, slot_of(cs, ch, w->next_tx)))
			return 0;
		if (dvs_window_sent(w))
			cs->stats->bulk_sent++;
		else
			cs->stats->bulk_sent_again++;
		dvs_window_arm_backstop(cs, w, now);
	}
	return 1;
}

/* Builds the next new frame in its slot. 0: there is none, or it has to wait. */
static int build_next(struct dvs_channels *cs, struct dvs_chan *ch)
{
	struct dvs_bulk *b = &ch->bulk;
	struct dvs_window *w = &b->window;
	struct dvs_bulk_slot *s = slot_of(cs, ch, w->next_seq);
	struct dvs_bulk_out *out;

	if (dvs_list_empty(&b->ready) || w->next_seq - w->una >= DVS_BULK_WINDOW ||
	    !dvs_before(w->next_seq - 1, b->allowed))
		return 0;
	if (!reusable(cs, s)) {
		cs->bulk_full = 1;
		return 0;
	}
	out = dvs_entry(b->ready.next, struct dvs_bulk_out, link);
	dvs_list_del(&out->link);
	dvs_chan_header(cs, ch, &s->header);
	s->header.seq = w->next_seq++;
	s->out = out;
	s->unwanted = 0;
	/* Copies under way at once take turns. */
	if (cs->user->bulk_fill(cs->user_ctx, out, &s->header))
		dvs_list_push(&b->ready, &out->link);
	s->offset = s->header.arg;
	return 1;
}

void dvs_bulk_pump(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	while (send_numbered(cs, ch, now))
		if (cs->bulk_full || !build_next(cs, ch))
			break;
}

void dvs_bulk_queue(struct dvs_channels *cs, struct dvs_chan *ch,
		    struct dvs_bulk_out *out, dvs_u64 now)
{
	out->base = base_of(ch);
	dvs_list_push(&ch->bulk.ready, &out->link);
	dvs_bulk_pump(cs, ch, now);
}

void dvs_bulk_drop(struct dvs_channels *cs, struct dvs_bulk_out *out)
{
	dvs_u32 i;

	dvs_list_del(&out->link);
	for (i = out->base; i < out->base + DVS_BULK_WINDOW; i++)
		if (cs->bulk_slot[i].out == out)
			cs->bulk_slot[i].unwanted = 1;
}

int dvs_bulk_in_use(struct dvs_channels *cs, struct dvs_bulk_out *out)
{
	int in_use = 0;
	dvs_u32 i;

	for (i = out->base; i < out->base + DVS_BULK_WINDOW; i++) {
		struct dvs_bulk_slot *s = &cs->bulk_slot[i];

		if (s->out != out)
			continue;
		if (reusable(cs, s))
			s->out = (void *)0;
		else
			in_use = 1;
	}
	return in_use;
}

void dvs_bulk_acknowledged(struct dvs_channels *cs, struct dvs_chan *ch,
			   const struct dvs_frame *f, dvs_u64 now)
{
	struct dvs_window *w = &ch->bulk.window;
	dvs_u32 seq;

	if (dvs_before(ch->bulk.allowed, f->bulk_credit))
		ch->bulk.allowed = f->bulk_credit;
	if (!dvs_window_covers(w, f->bulk_ack))
		return;
	for (seq = w->una; seq != f->bulk_ack; seq++) {
		struct dvs_bulk_slot *s = slot_of(cs, ch, seq);

		if (s->out && !s->unwanted)
			cs->user->bulk_acked(cs->user_ctx, s->out);
	}
	dvs_window_acknowledged(cs, w, f->bulk_ack, now);
}

void dvs_bulk_send_again(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	ch->bulk.window.next_tx = ch->bulk.window.una;
	dvs_bulk_pump(cs, ch, now);
}

void dvs_bulk_timer(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	struct dvs_window *w = &ch->bulk.window;

	if (!dvs_window_expired(w, now) || w->una == w->next_seq)
		return;
	dvs_window_back_off(cs, w);
	dvs_bulk_send_again(cs, ch, now);
	/* Also if there was no room on the queue. */
	dvs_window_arm_backstop(cs, w, now);
}
