// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Sending, acknowledging and time: see channel.h. */
#include "channel.h"

static dvs_u32 ack_slot(const struct dvs_channels *cs, const struct dvs_chan *ch)
{
	return ch->index * (cs->window + 1) + cs->window;
}

static dvs_u32 seq_slot(const struct dvs_channels *cs, const struct dvs_chan *ch, dvs_u32 seq)
{
	return ch->index * (cs->window + 1) + seq % cs->window;
}

static struct dvs_frame *at(const struct dvs_channels *cs, dvs_u32 slot)
{
	return (struct dvs_frame *)(cs->slots + (dvs_size)slot * DVS_MSG_FRAME_MAX);
}

static dvs_u32 grant(const struct dvs_channels *cs, const struct dvs_chan *ch)
{
	return ch->finished + cs->credits;
}

void dvs_channels_arm(struct dvs_channels *cs, dvs_u64 at_ns)
{
	if (at_ns < cs->armed_at) {
		cs->armed_at = at_ns;
		cs->ops->timer(cs->ctx, at_ns);
	}
}

void dvs_chan_owe(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	if (ch->ack_at == DVS_NEVER) {
		ch->ack_at = now + DVS_ACK_DELAY_NS;
		dvs_channels_arm(cs, ch->ack_at);
	}
}

void dvs_chan_finished(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	ch->finished++;
	dvs_chan_owe(cs, ch, now);
}

/*
 * The acknowledgements in a frame are written when it is put on the queue,
 * possibly while an earlier posting of the same slot is being read: each field
 * is one aligned word, and both its old and its new value are true.
 */
void dvs_chan_stamp(const struct dvs_channels *cs, const struct dvs_chan *ch,
		    struct dvs_frame *f)
{
	__atomic_store_n(&f->ack, ch->window.expect, __ATOMIC_RELAXED);
	__atomic_store_n(&f->credit, grant(cs, ch), __ATOMIC_RELAXED);
	__atomic_store_n(&f->bulk_ack, ch->bulk.window.expect, __ATOMIC_RELAXED);
	__atomic_store_n(&f->bulk_credit, dvs_bulk_grant(&ch->bulk), __ATOMIC_RELAXED);
}

/* Puts a built frame on the queue. */
static int post(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u32 slot)
{
	struct dvs_frame *f = at(cs, slot);

	dvs_chan_stamp(cs, ch, f);
	if (cs->ops->transmit(cs->ctx, slot, (dvs_u32)sizeof(*f) + f->len)) {
		cs->full = 1;
		return 0;
	}
	ch->window.acked = ch->window.expect;
	ch->granted = grant(cs, ch);
	ch->bulk.window.acked = ch->bulk.window.expect;
	ch->ack_at = DVS_NEVER;
	ch->ack_now = 0;
	return 1;
}

void dvs_chan_header(const struct dvs_channels *cs, const struct dvs_chan *ch,
		     struct dvs_frame *f)
{
	__builtin_memset(f, 0, sizeof(*f));
	f->src_vm = cs->my_vm;
	f->src_inc = cs->my_inc;
	f->dst_vm = ch->vm;
	f->dst_inc = ch->inc;
}

/* Sends frames that have their number, up to the newest. */
static int send_numbered(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	struct dvs_window *w = &ch->window;

	while (w->next_tx != w->next_seq) {
		if (cs->full || !post(cs, ch, seq_slot(cs, ch, w->next_tx)))
			return 0;
		if (w->next_tx == w->una)
			w->backstop_at = DVS_NEVER; /* it ran for a credit, or from before */
		if (dvs_window_sent(w))
			cs->stats->frames_sent++;
		else
			cs->stats->frames_sent_again++;
		dvs_window_arm_backstop(cs, w, now);
	}
	return 1;
}

static int has_credit(const struct dvs_chan *ch)
{
	return dvs_before(ch->requests_sent, ch->requests_allowed);
}

/* Requests wait for nothing but a credit. */
static int starved(const struct dvs_chan *ch)
{
	return !dvs_list_empty(&ch->requests) && !has_credit(ch);
}

/* The slot of the next new frame, with its header; NULL: it has to wait. */
static struct dvs_frame *begin_next(struct dvs_channels *cs, struct dvs_chan *ch)
{
	dvs_u32 slot = seq_slot(cs, ch, ch->window.next_seq);

	if (ch->window.next_seq - ch->window.una >= cs->window)
		return (void *)0;
	if (!cs->ops->reusable(cs->ctx, slot)) {
		cs->full = 1;
		return (void *)0;
	}
	dvs_chan_header(cs, ch, at(cs, slot));
	return at(cs, slot);
}

static void end_next(struct dvs_chan *ch, struct dvs_frame *f, int request, dvs_u64 now)
{
	if (ch->window.next_seq == ch->window.una)
		ch->progress_at = now;
	f->seq = ch->window.next_seq++;
	ch->requests_sent += request;
}

/* Builds the next new frame in its slot. 0: there is none, or it has to wait. */
static int build_next(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	int request = dvs_list_empty(&ch->answers) && !ch->died_scan;
	struct dvs_list *from = request ? &ch->requests : &ch->answers;
	struct dvs_frame *f;

	if (request && (dvs_list_empty(from) || !has_credit(ch)))
		return 0;
	f = begin_next(cs, ch);
	if (!f)
		return 0;
	if (!dvs_list_empty(from)) {
		struct dvs_out *out = dvs_entry(from->next, struct dvs_out, link);

		dvs_list_del(&out->link);
		cs->user->fill(cs->user_ctx, ch, out, f, f + 1);
	} else if (!cs->user->more(cs->user_ctx, ch, f)) {
		ch->died_scan = 0;
		return build_next(cs, ch, now);
	}
	end_next(ch, f, request, now);
	return 1;
}

/*
 * The grant that requests wait for may be what got lost, and nothing else may be
 * on its way that would be sent again: a frame that asks for nothing, and takes
 * the room of a request only until it arrives, makes the peer tell it once more.
 */
static void probe(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	struct dvs_frame *f = begin_next(cs, ch);

	if (!f)
		return;
	f->kind = DVS_K_NOP;
	end_next(ch, f, 1, now);
}

static int owes_acknowledgement(const struct dvs_channels *cs, const struct dvs_chan *ch)
{
	/* A peer that never spoke gets its credits with the first frame to it. */
	return ch->heard &&
	       (ch->ack_now || ch->window.expect - ch->window.acked >= DVS_ACK_EVERY ||
		ch->bulk.window.expect - ch->bulk.window.acked >= DVS_BULK_ACK_EVERY ||
		grant(cs, ch) - ch->granted >= (cs->credits + 1) / 2);
}

static void send_acknowledgement(struct dvs_channels *cs, struct dvs_chan *ch)
{
	dvs_u32 slot = ack_slot(cs, ch);
	struct dvs_frame *f = at(cs, slot);

	ch->ack_now = 1; /* stays if there is no room now */
	if (cs->full)
		return;
	if (f->dst_vm != ch->vm || f->dst_inc != ch->inc || f->src_inc != cs->my_inc ||
	    f->kind != DVS_K_ACK) {
		if (!cs->ops->reusable(cs->ctx, slot)) {
			cs->full = 1;
			return;
		}
		dvs_chan_header(cs, ch, f);
		f->kind = DVS_K_ACK;
	}
	if (post(cs, ch, slot))
		cs->stats->acks_sent++;
}

void dvs_chan_pump(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	while (send_numbered(cs, ch, now))
		if (cs->full || !build_next(cs, ch, now))
			break;
	if (starved(ch))
		dvs_window_arm_backstop(cs, &ch->window, now);
}

void dvs_chan_queue(struct dvs_channels *cs, struct dvs_chan *ch,
		    struct dvs_out *out, enum dvs_class class, dvs_u64 now)
{
	dvs_list_push(class == DVS_CLASS_REQUEST ? &ch->requests : &ch->answers, &out->link);
	dvs_chan_pump(cs, ch, now);
}

static int is_request_of(const struct dvs_frame *f, struct dvs_addr src)
{
	return f->kind >= DVS_K_REQUEST_FIRST && f->kind <= DVS_K_REQUEST_LAST &&
	       f->src_ep == src.nr && f->src_gen == src.gen;
}

void dvs_chan_forget(struct dvs_channels *cs, struct dvs_chan *ch, struct dvs_addr src,
		     int (*unwanted)(void *user, const struct dvs_frame *frame), void *user)
{
	dvs_u32 seq;

	for (seq = ch->window.una; seq != ch->window.next_seq; seq++) {
		struct dvs_frame *f = at(cs, seq_slot(cs, ch, seq));

		if (is_request_of(f, src) && (!unwanted || unwanted(user, f)))
			__atomic_store_n(&f->kind, DVS_K_NOP, __ATOMIC_RELAXED);
	}
}

int dvs_chan_sends(const struct dvs_channels *cs, const struct dvs_chan *ch, struct dvs_addr src)
{
	dvs_u32 seq;

	for (seq = ch->window.una; seq != ch->window.next_seq; seq++)
		if (is_request_of(at(cs, seq_slot(cs, ch, seq)), src))
			return 1;
	return 0;
}

int dvs_chan_mark(struct dvs_chan *ch)
{
	if (!dvs_list_empty(&ch->answers) || ch->died_scan)
		return 0;
	ch->mark = ch->window.next_seq;
	return 1;
}

int dvs_chan_passed(const struct dvs_chan *ch)
{
	return !dvs_before(ch->window.una, ch->mark);
}

int dvs_chan_stalled(const struct dvs_chan *ch, dvs_u64 now, dvs_u64 ns)
{
	return ch->window.una != ch->window.next_seq && now - ch->progress_at > ns;
}

/* The peer may have missed anything from the oldest unacknowledged frame on. */
static void send_again(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	/* A lone acknowledgement may be what got lost; a peer that never spoke has none to get. */
	ch->ack_now = ch->heard && ch->window.una == ch->window.next_tx;
	ch->window.next_tx = ch->window.una;
	dvs_chan_pump(cs, ch, now);
	if (ch->ack_now)
		send_acknowledgement(cs, ch);
}

void dvs_channels_retry(struct dvs_channels *cs, dvs_u32 vm, dvs_u64 now)
{
	dvs_u32 i;

	cs->stats->retries++;
	for (i = 0; i < cs->count; i++) {
		if (cs->chan[i].vm == DVS_VM_NODE || (vm != 0 && cs->chan[i].vm != vm))
			continue;
		send_again(cs, &cs->chan[i], now);
		dvs_bulk_send_again(cs, &cs->chan[i], now);
	}
}

void dvs_channels_batch_end(struct dvs_channels *cs, dvs_u64 now)
{
	dvs_u32 i;

	(void)now;
	for (i = 0; i < cs->count; i++)
		if (cs->chan[i].vm != DVS_VM_NODE && owes_acknowledgement(cs, &cs->chan[i]))
			send_acknowledgement(cs, &cs->chan[i]);
}

void dvs_channels_room(struct dvs_channels *cs, dvs_u64 now)
{
	dvs_u32 i;

	cs->full = 0;
	cs->bulk_full = 0;
	for (i = 0; i < cs->count && !cs->full; i++)
		if (cs->chan[i].vm != DVS_VM_NODE)
			dvs_chan_pump(cs, &cs->chan[i], now);
	for (i = 0; i < cs->count && !cs->bulk_full; i++)
		if (cs->chan[i].vm != DVS_VM_NODE)
			dvs_bulk_pump(cs, &cs->chan[i], now);
	dvs_channels_batch_end(cs, now);
}

static void run_backstop(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	dvs_window_back_off(cs, &ch->window);
	if (ch->window.una == ch->window.next_seq)
		probe(cs, ch, now);
	send_again(cs, ch, now);
	/* Also if there was no room on the queue. */
	dvs_window_arm_backstop(cs, &ch->window, now);
}

static void run_timers(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now)
{
	if (ch->ack_at <= now) {
		ch->ack_at = DVS_NEVER;
		send_acknowledgement(cs, ch);
	}
	if (dvs_window_expired(&ch->window, now) &&
	    (ch->window.una != ch->window.next_seq || starved(ch)))
		run_backstop(cs, ch, now);
	dvs_bulk_timer(cs, ch, now);
}

dvs_u64 dvs_channels_timer(struct dvs_channels *cs, dvs_u64 now)
{
	dvs_u64 next = DVS_NEVER;
	dvs_u32 i;

	cs->armed_at = DVS_NEVER;
	for (i = 0; i < cs->count; i++) {
		struct dvs_chan *ch = &cs->chan[i];

		if (ch->vm == DVS_VM_NODE)
			continue;
		run_timers(cs, ch, now);
		if (ch->ack_at < next)
			next = ch->ack_at;
		if (ch->window.backstop_at < next)
			next = ch->window.backstop_at;
		if (ch->bulk.window.backstop_at < next)
			next = ch->bulk.window.backstop_at;
	}
	return next;
}
