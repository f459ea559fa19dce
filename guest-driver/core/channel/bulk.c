// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Data of copies from one VM to another: see bulk.h. */
#include "channel.h"

void dvs_bulk_start(struct dvs_bulk *b)
{
	b->next_seq = 1;
	b->next_tx = 1;
	b->next_first = 1;
	b->una = 1;
	b->allowed = DVS_CREDIT_INITIAL;
	b->backstop_at = DVS_NEVER;
	b->backstop_ns = DVS_BACKSTOP_MIN_NS;
	b->expect = 1;
	b->acked = 1;
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
	ch->bulk.acked = ch->bulk.expect;
	return 1;
}

static void arm_backstop(struct dvs_channels *cs, struct dvs_bulk *b, dvs_u64 now)
{
	if (b->backstop_at != DVS_NEVER)
		return;
	b->backstop_at = now + b->backstop_ns;
	dvs_channels_arm(cs, b->backstop_at);
}

static void count_sent(struct dvs_channels *cs, struct dvs_bulk *b)
{
	if (dvs_before(b->next_tx, b->next_first)) {
		cs->stats->bulk_sent_again++;
		return;
	}
	cs->stats->bulk_sent++;
	b->next_first = b->next_tx + 1;
}

/* Sends frames that have their number, up to the newest. */
static int send_numbered(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	struct dvs_bulk *b = &ch->bulk;

	while (b->next_tx != b->next_seq) {
		if (cs->bulk_full || !post(cs, ch, slot_of(cs, ch, b->next_tx)))
			return 0;
		count_sent(cs, b);
		b->next_tx++;
		arm_backstop(cs, b, now);
	}
	return 1;
}

/* Builds the next new frame in its slot. 0: there is none, or it has to wait. */
static int build_next(struct dvs_channels *cs, struct dvs_chan *ch)
{
	struct dvs_bulk *b = &ch->bulk;
	struct dvs_bulk_slot *s = slot_of(cs, ch, b->next_seq);
	struct dvs_bulk_out *out;

	if (dvs_list_empty(&b->ready) || b->next_seq - b->una >= DVS_BULK_WINDOW ||
	    !dvs_before(b->next_seq - 1, b->allowed))
		return 0;
	if (!reusable(cs, s)) {
		cs->bulk_full = 1;
		return 0;
	}
	out = dvs_entry(b->ready.next, struct dvs_bulk_out, link);
	dvs_list_del(&out->link);
	dvs_chan_header(cs, ch, &s->header);
	s->header.seq = b->next_seq++;
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
	struct dvs_bulk *b = &ch->bulk;

	if (dvs_before(b->allowed, f->bulk_credit))
		b->allowed = f->bulk_credit;
	/* A frame that has not left yet cannot have arrived. */
	if (!dvs_before(b->una, f->bulk_ack) || dvs_before(b->next_seq, f->bulk_ack))
		return;
	if (dvs_before(b->next_tx, f->bulk_ack))
		b->next_tx = f->bulk_ack;
	while (b->una != f->bulk_ack) {
		struct dvs_bulk_slot *s = slot_of(cs, ch, b->una++);

		if (s->out && !s->unwanted)
			cs->user->bulk_acked(cs->user_ctx, s->out);
	}
	b->backstop_ns = DVS_BACKSTOP_MIN_NS;
	b->backstop_at = b->una == b->next_tx ? DVS_NEVER : now + b->backstop_ns;
	dvs_channels_arm(cs, b->backstop_at);
}

int dvs_bulk_expected(struct dvs_channels *cs, struct dvs_chan *ch,
		      const struct dvs_frame *f, dvs_u64 now)
{
	struct dvs_bulk *b = &ch->bulk;

	if (f->seq != b->expect) {
		if (dvs_before(f->seq, b->expect)) {
			cs->stats->duplicates_dropped++;
			ch->ack_now = 1; /* our acknowledgement was lost */
		} else {
			cs->stats->gaps_dropped++;
		}
		return 0;
	}
	b->expect++;
	if (ch->ack_at == DVS_NEVER) {
		ch->ack_at = now + DVS_ACK_DELAY_NS;
		dvs_channels_arm(cs, ch->ack_at);
	}
	return 1;
}

void dvs_bulk_send_again(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	ch->bulk.next_tx = ch->bulk.una;
	dvs_bulk_pump(cs, ch, now);
}

void dvs_bulk_timer(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	struct dvs_bulk *b = &ch->bulk;

	if (b->backstop_at > now)
		return;
	b->backstop_at = DVS_NEVER;
	if (b->una == b->next_seq)
		return;
	cs->stats->backstop_fired++;
	b->backstop_ns *= 2;
	if (b->backstop_ns > DVS_BACKSTOP_MAX_NS)
		b->backstop_ns = DVS_BACKSTOP_MAX_NS;
	dvs_bulk_send_again(cs, ch, now);
	/* Also if there was no room on the queue. */
	arm_backstop(cs, b, now);
}
