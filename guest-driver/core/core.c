// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Making a core, and handing events to the layer they belong to: see core.h. */
#include "ipc/ipc.h"

#define ALIGN16(n) (((n) + 15) & ~(dvs_size)15)

struct layout {
	struct dvs_limits limits;
	dvs_u32 note_words;
	dvs_size eps, dests, ops, chans, held, notes, total;
};

static dvs_u32 or_default(dvs_u32 value, dvs_u32 standard)
{
	return value ? value : standard;
}

static dvs_size place(dvs_size *at, dvs_u64 count, dvs_size size)
{
	dvs_size start = *at;

	*at = ALIGN16(start + count * size);
	return start;
}

static int lay_out(const struct dvs_limits *wanted, struct layout *l)
{
	struct dvs_limits *m = &l->limits;
	dvs_size at = ALIGN16(sizeof(struct dvs_core));

	m->endpoints = or_default(wanted->endpoints, 256);
	m->peers = or_default(wanted->peers, 32);
	m->operations = or_default(wanted->operations, 1024);
	m->destinations = or_default(wanted->destinations, 512);
	m->credits = or_default(wanted->credits, 64);
	m->window = or_default(wanted->window, 64);
	if (m->endpoints > 65536 || m->peers > 64 || m->operations > 65536 ||
	    m->destinations > 65536 || m->credits > 4096 || m->window > 4096 ||
	    m->credits < DVS_CREDIT_INITIAL || m->window < 2 * DVS_ACK_EVERY ||
	    (m->window & (m->window - 1)))
		return 0;
	l->note_words = (m->endpoints + 63) / 64;
	l->eps = place(&at, m->endpoints, sizeof(struct dvs_ep));
	l->dests = place(&at, m->destinations, sizeof(struct dvs_dest));
	l->ops = place(&at, m->operations, sizeof(struct dvs_op));
	l->chans = place(&at, m->peers, sizeof(struct dvs_chan));
	l->held = place(&at, (dvs_u64)m->peers * m->credits, sizeof(struct dvs_held));
	l->notes = place(&at, (dvs_u64)m->endpoints * l->note_words, sizeof(dvs_u64));
	l->total = at;
	return 1;
}

dvs_size dvs_core_size(const struct dvs_limits *limits)
{
	struct layout l;

	return lay_out(limits, &l) ? l.total : 0;
}

dvs_u32 dvs_core_slots(const struct dvs_limits *limits)
{
	struct layout l;

	if (!lay_out(limits, &l))
		return 0;
	return l.limits.peers * (l.limits.window + 1) + DVS_REFUSAL_SLOTS;
}

/* ---- what the channels ask for ---- */

static void fill(void *user, struct dvs_chan *ch, struct dvs_out *out,
		 struct dvs_frame *f, void *payload)
{
	struct dvs_core *c = user;

	switch (out->type) {
	case DVS_OUT_OP:
		dvs_op_fill(c, dvs_entry(out, struct dvs_op, out), f, payload);
		break;
	case DVS_OUT_CANCEL:
		dvs_op_fill_cancel(c, dvs_entry(out, struct dvs_op, out), f);
		break;
	case DVS_OUT_HELD:
		dvs_held_fill(c, ch, dvs_entry(out, struct dvs_held, out), f, payload);
		break;
	case DVS_OUT_WATCH:
		dvs_dest_fill_watch(c, dvs_entry(out, struct dvs_dest, out), f);
		break;
	}
}

static int more(void *user, struct dvs_chan *ch, struct dvs_frame *f)
{
	return dvs_ep_next_death(user, ch, f);
}

static void take_frame(void *user, struct dvs_chan *ch,
		       const struct dvs_frame *f, const void *payload)
{
	struct dvs_core *c = user;
	struct dvs_addr src = { .nr = f->src_ep, .gen = f->src_gen };

	switch (f->kind) {
	case DVS_K_MSG:
	case DVS_K_REQ:
	case DVS_K_NTF:
	case DVS_K_WATCH:
		dvs_held_frame(c, ch, f, payload);
		break;
	case DVS_K_CANCEL:
		dvs_held_cancel(c, ch, f->op);
		break;
	case DVS_K_DIED:
		if (src.nr == DVS_ANY) {
			dvs_dest_some_died(c, ch);
			break;
		}
		dvs_held_sender_died(c, ch, &src);
		dvs_dest_died(c, ch, src);
		break;
	case DVS_K_NOP:
		dvs_chan_finished(&c->channels, ch, c->now);
		break;
	case DVS_K_NOTHERE:
		if (f->op & DVS_OP_WATCH) {
			dvs_dest_watch_missed(c, ch, f);
			break;
		}
		dvs_op_answer(c, ch, f, payload);
		break;
	case DVS_K_TAKEN:
	case DVS_K_RPL:
	case DVS_K_CANCELLED:
	case DVS_K_FAILED:
		dvs_op_answer(c, ch, f, payload);
		break;
	default:
		c->stats.malformed_dropped++;
	}
}

static void refused(void *user, struct dvs_chan *ch)
{
	dvs_op_peer_refused(user, ch);
	dvs_dest_forget_peer(user, ch, DVS_ERSCBUSY);
}

static void gone(void *user, struct dvs_chan *ch)
{
	struct dvs_core *c = user;
	dvs_u32 i;

	dvs_held_sender_died(c, ch, (void *)0);
	dvs_op_peer_gone(c, ch);
	dvs_dest_forget_peer(c, ch, DVS_ESRCDIED);
	for (i = 0; i < c->limits.endpoints; i++) {
		c->ep[i].peers &= ~(1ull << ch->index);
		dvs_ep_release_if_over(c, &c->ep[i]);
	}
}

static const struct dvs_chan_user ipc_user = {
	.fill = fill,
	.more = more,
	.frame = take_frame,
	.refused = refused,
	.gone = gone,
};

/* ---- making it ---- */

static void init_pools(struct dvs_core *c, const struct layout *l, struct dvs_held *held)
{
	dvs_u64 *notes = (dvs_u64 *)((char *)c + l->notes);
	dvs_u32 i;

	for (i = 0; i < DVS_BUCKETS; i++) {
		dvs_list_init(&c->ep_hash[i]);
		dvs_list_init(&c->dest_hash[i]);
	}
	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_ep *ep = &c->ep[i];

		ep->core = c;
		ep->index = i;
		ep->local_notes = notes + (dvs_size)i * l->note_words;
		dvs_list_init(&ep->hash);
		dvs_list_init(&ep->receivers);
		dvs_list_init(&ep->senders);
		dvs_list_init(&ep->binders);
		dvs_list_init(&ep->notes);
		dvs_list_init(&ep->queue);
		dvs_list_init(&ep->open);
	}
	for (i = 0; i < c->limits.destinations; i++) {
		c->dest[i].index = i;
		dvs_list_init(&c->dest[i].hash);
		dvs_list_init(&c->dest[i].ops);
		dvs_list_init(&c->dest[i].watchers);
		dvs_list_init(&c->dest[i].out.link);
	}
	dvs_list_init(&c->free_ops);
	dvs_list_init(&c->free_held);
	for (i = 0; i < c->limits.operations; i++) {
		dvs_list_init(&c->op[i].out.link);
		dvs_list_push(&c->free_ops, &c->op[i].link);
	}
	for (i = 0; i < c->limits.peers * c->limits.credits; i++)
		dvs_list_push(&c->free_held, &held[i].link);
}

struct dvs_core *dvs_core_init(void *memory, void *slots,
			       const struct dvs_limits *limits,
			       const struct dvs_identity *identity,
			       const struct dvs_ops *ops, void *ctx)
{
	struct dvs_core *c = memory;
	struct layout l;

	if (!lay_out(limits, &l) || identity->vm == DVS_VM_NODE ||
	    identity->nr_tasks < 0 || identity->nr_procs < 0)
		return (void *)0;
	__builtin_memset(memory, 0, l.total);
	__builtin_memset(slots, 0, (dvs_size)dvs_core_slots(limits) * DVS_MSG_FRAME_MAX);
	c->id = *identity;
	c->limits = l.limits;
	c->ops = *ops;
	c->ctx = ctx;
	c->note_words = l.note_words;
	c->control_at = DVS_NEVER;
	c->control_ns = DVS_BACKSTOP_MIN_NS;
	c->ep = (struct dvs_ep *)((char *)memory + l.eps);
	c->dest = (struct dvs_dest *)((char *)memory + l.dests);
	c->op = (struct dvs_op *)((char *)memory + l.ops);
	c->channels = (struct dvs_channels){
		.chan = (struct dvs_chan *)((char *)memory + l.chans),
		.count = l.limits.peers,
		.window = l.limits.window,
		.credits = l.limits.credits,
		.my_vm = identity->vm,
		.my_inc = identity->incarnation,
		.slots = slots,
		.ops = &c->ops,
		.ctx = ctx,
		.user = &ipc_user,
		.user_ctx = c,
		.stats = &c->stats,
	};
	dvs_channels_init(&c->channels);
	init_pools(c, &l, (struct dvs_held *)((char *)memory + l.held));
	return c;
}

void dvs_core_stop(struct dvs_core *c)
{
	dvs_u32 i;

	c->stopped = 1;
	c->channels.full = 1; /* for ever: nothing is sent any more */
	for (i = 0; i < c->limits.endpoints; i++)
		dvs_ep_device_gone(c, &c->ep[i]);
}

void dvs_core_stats(const struct dvs_core *c, struct dvs_stats *stats)
{
	dvs_u32 i;

	*stats = c->stats;
	stats->unacknowledged = 0;
	for (i = 0; i < c->channels.count; i++)
		if (c->channels.chan[i].vm != DVS_VM_NODE)
			stats->unacknowledged += c->channels.chan[i].next_seq -
						 c->channels.chan[i].una;
}

/* ---- control requests ---- */

void dvs_control_ask(struct dvs_core *c, dvs_u8 *state, const struct dvs_ctl_request *request)
{
	if (c->control_full || c->ops.control(c->ctx, request)) {
		c->control_full = 1;
		*state = DVS_CTL_WANTED;
		return;
	}
	*state = DVS_CTL_ASKED;
	if (c->control_at == DVS_NEVER) {
		c->control_at = c->now + c->control_ns;
		dvs_channels_arm(&c->channels, c->control_at);
	}
}

enum again {
	AGAIN_UNASKED,	/* what found no room on the queue */
	AGAIN_OVERDUE,	/* what has waited for a whole interval of the timer */
	AGAIN_ALL,
};

/* Is it to be asked now? A tick of the timer marks what it sees waiting for the first time. */
static int is_due(dvs_u8 *state, enum again which)
{
	switch (*state) {
	case DVS_CTL_WANTED:
		return which != AGAIN_OVERDUE;
	case DVS_CTL_OVERDUE:
		return which != AGAIN_UNASKED;
	case DVS_CTL_ASKED:
		if (which == AGAIN_OVERDUE)
			*state = DVS_CTL_OVERDUE;
		return which == AGAIN_ALL;
	default:
		return 0;
	}
}

/* Returns how many were asked again. */
static dvs_u32 ask_again(struct dvs_core *c, enum again which)
{
	dvs_u32 i, asked = 0;

	for (i = 0; i < c->limits.endpoints; i++)
		if (is_due(&c->ep[i].ctl, which)) {
			dvs_ep_ask(c, &c->ep[i]);
			/* The next tick comes a whole interval later. */
			is_due(&c->ep[i].ctl, which);
			asked++;
		}
	for (i = 0; i < c->limits.destinations; i++)
		if (is_due(&c->dest[i].ctl, which)) {
			dvs_dest_ask(c, &c->dest[i]);
			is_due(&c->dest[i].ctl, which);
			asked++;
		}
	return asked;
}

static int awaits_results(const struct dvs_core *c)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++)
		if (c->ep[i].ctl >= DVS_CTL_ASKED)
			return 1;
	for (i = 0; i < c->limits.destinations; i++)
		if (c->dest[i].ctl >= DVS_CTL_ASKED)
			return 1;
	return 0;
}

static void control_timer(struct dvs_core *c)
{
	if (c->control_at > c->now)
		return;
	c->control_at = DVS_NEVER;
	if (ask_again(c, AGAIN_OVERDUE)) {
		c->stats.backstop_fired++;
		c->control_ns *= 2;
		if (c->control_ns > DVS_BACKSTOP_MAX_NS)
			c->control_ns = DVS_BACKSTOP_MAX_NS;
	}
	if (awaits_results(c))
		c->control_at = c->now + c->control_ns;
	else
		c->control_ns = DVS_BACKSTOP_MIN_NS;
}

void dvs_core_refused(struct dvs_core *c, dvs_u64 nonce, dvs_u32 status, dvs_u64 now)
{
	c->now = now;
	/* After BUSY, RETRY(all) or the backstop asks again. */
	if (c->stopped || status == DVS_CTL_BUSY)
		return;
	if (!dvs_ep_refused(c, nonce, DVS_EINVAL))
		dvs_dest_refused(c, nonce, DVS_EINVAL);
	dvs_core_flush(c);
}

/* ---- events ---- */

void dvs_core_flush(struct dvs_core *c)
{
	dvs_u32 i;

	for (i = 0; i < c->channels.count; i++)
		if (c->channels.chan[i].vm != DVS_VM_NODE && c->channels.chan[i].died_scan)
			dvs_chan_pump(&c->channels, &c->channels.chan[i], c->now);
}

static void take_node_frame(struct dvs_core *c, const struct dvs_frame *f)
{
	switch (f->kind) {
	case DVS_K_RETRY:
		dvs_channels_retry(&c->channels, (dvs_u32)f->arg, c->now);
		if (f->arg == 0)
			ask_again(c, AGAIN_ALL);
		break;
	case DVS_K_GONE:
		dvs_channels_gone(&c->channels, (dvs_u32)f->arg, (dvs_u32)(f->arg >> 32));
		break;
	case DVS_K_BOUND:
		dvs_ep_bound(c, f);
		break;
	case DVS_K_UNBOUND:
		dvs_ep_unbound(c, f);
		break;
	case DVS_K_FOUND:
		dvs_dest_found(c, f);
		break;
	default:
		c->stats.malformed_dropped++;
	}
}

void dvs_core_frame(struct dvs_core *c, const void *buffer, dvs_u32 len, dvs_u64 now)
{
	struct dvs_frame f;

	c->now = now;
	if (c->stopped)
		return;
	if (len >= sizeof(f))
		__builtin_memcpy(&f, buffer, sizeof(f));
	if (len < sizeof(f) || len > DVS_MSG_FRAME_MAX || f.len != len - sizeof(f) ||
	    f.dst_vm != c->id.vm || f.dst_inc != c->id.incarnation) {
		c->stats.malformed_dropped++;
		return;
	}
	c->stats.frames_received++;
	if (f.kind <= DVS_K_NODE_LAST)
		take_node_frame(c, &f);
	else if (f.src_vm == DVS_VM_NODE || f.src_vm == c->id.vm)
		c->stats.malformed_dropped++;
	else
		dvs_channels_frame(&c->channels, &f,
				   (const char *)buffer + sizeof(f), now);
	dvs_core_flush(c);
}

void dvs_core_batch_end(struct dvs_core *c, dvs_u64 now)
{
	c->now = now;
	if (!c->stopped)
		dvs_channels_batch_end(&c->channels, now);
}

void dvs_core_room(struct dvs_core *c, dvs_u64 now)
{
	c->now = now;
	if (c->stopped)
		return;
	if (c->control_full) {
		c->control_full = 0;
		ask_again(c, AGAIN_UNASKED);
	}
	dvs_channels_room(&c->channels, now);
}

void dvs_core_timer(struct dvs_core *c, dvs_u64 now)
{
	dvs_u64 next;

	c->now = now;
	if (c->stopped)
		return;
	next = dvs_channels_timer(&c->channels, now);
	control_timer(c);
	dvs_channels_arm(&c->channels, next);
	if (c->control_at != DVS_NEVER)
		dvs_channels_arm(&c->channels, c->control_at);
}
