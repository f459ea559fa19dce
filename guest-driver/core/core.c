// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Hands events to the layer that they belong to: see core.h. */
#include "ipc/copying.h"

void *dvs_core_bulk_header(struct dvs_core *c, dvs_u32 slot)
{
	return &c->channels.bulk_slot[slot].header;
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
	case DVS_OUT_FETCH:
	case DVS_OUT_UNFETCH:
		dvs_party_fill(c, dvs_entry(out, struct dvs_party, out), f, payload);
		break;
	case DVS_OUT_ADOPTED:
		dvs_adopt_fill(c, dvs_entry(out, struct dvs_ep, moving.out), f);
		break;
	}
}

static int bulk_fill(void *user, struct dvs_bulk_out *out, struct dvs_frame *f)
{
	return dvs_party_bulk_fill(user, dvs_entry(out, struct dvs_party, bulk), f);
}

static void bulk_acked(void *user, struct dvs_bulk_out *out)
{
	dvs_party_bulk_acked(user, dvs_entry(out, struct dvs_party, bulk));
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
	case DVS_K_COPY_IN:
	case DVS_K_COPY_OUT:
		dvs_serve_copy(c, ch, f, payload);
		break;
	case DVS_K_FETCH:
		dvs_serve_fetch(c, ch, f, payload);
		break;
	case DVS_K_ADOPT:
		dvs_move_asked(c, ch, f, payload);
		break;
	case DVS_K_ADOPTED:
		dvs_move_adopted(c, ch, f);
		break;
	case DVS_K_MOVED:
		dvs_dest_not_there(c, ch, src);
		break;
	case DVS_K_BOUNCED:
		dvs_follow_bounced(c, ch, f);
		break;
	case DVS_K_CANCEL:
		dvs_held_cancel(c, ch, f->op);
		break;
	case DVS_K_DIED:
		if (src.nr == DVS_ANY) {
			dvs_dest_some_died(c, ch);
			break;
		}
		dvs_held_sender_died(c, ch, src);
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
	case DVS_K_REDIRECT:
	case DVS_K_CANCELLED:
	case DVS_K_FAILED:
	case DVS_K_COPIED:
	case DVS_K_ELSEWHERE:
	case DVS_K_HAND:
		dvs_op_answer(c, ch, f, payload);
		break;
	default:
		c->stats.malformed_dropped++;
	}
}

static void refused(void *user, struct dvs_chan *ch)
{
	dvs_op_peer_refused(user, ch);
	dvs_party_peer_refused(user, ch);
	dvs_dest_forget_peer(user, ch, DVS_ERSCBUSY);
}

static void gone(void *user, struct dvs_chan *ch, int renewed)
{
	struct dvs_core *c = user;
	dvs_s32 cut_off = renewed ? DVS_ENOTCONN : DVS_OK;
	dvs_u32 i;

	dvs_held_peer_gone(c, ch, cut_off);
	dvs_op_peer_gone(c, ch, cut_off);
	dvs_party_peer_gone(c, ch, cut_off);
	dvs_dest_forget_peer(c, ch, cut_off ? cut_off : DVS_ESRCDIED);
	dvs_move_peer_gone(c, ch);
	dvs_adopt_peer_gone(c, ch);
	for (i = 0; i < c->limits.endpoints; i++) {
		c->ep[i].peers &= ~(1ull << ch->index);
		dvs_move_told(c, &c->ep[i], ch);
		dvs_ep_release_if_over(c, &c->ep[i]);
	}
}

const struct dvs_chan_user dvs_ipc_user = {
	.fill = fill,
	.more = more,
	.frame = take_frame,
	.bulk_fill = bulk_fill,
	.bulk_acked = bulk_acked,
	.refused = refused,
	.gone = gone,
};

void dvs_core_stop(struct dvs_core *c)
{
	dvs_u32 i;

	c->stopped = 1;
	c->channels.full = 1; /* for ever: nothing is sent any more */
	c->channels.bulk_full = 1;
	for (i = 0; i < c->limits.endpoints; i++)
		dvs_ep_device_gone(c, &c->ep[i]);
	dvs_await_device_gone(c);
	dvs_dest_device_gone(c);
	dvs_party_device_gone(c);
}

dvs_u32 dvs_core_incarnation(const struct dvs_core *c)
{
	return c->id.incarnation;
}

void dvs_core_stats(const struct dvs_core *c, struct dvs_stats *stats)
{
	dvs_u32 i;

	*stats = c->stats;
	stats->unacknowledged = 0;
	stats->bulk_unacknowledged = 0;
	for (i = 0; i < c->channels.count; i++) {
		const struct dvs_chan *ch = &c->channels.chan[i];

		if (ch->vm == DVS_VM_NODE)
			continue;
		stats->unacknowledged += ch->window.next_seq - ch->window.una;
		stats->bulk_unacknowledged += ch->bulk.window.next_seq - ch->bulk.window.una;
	}
}

/* ---- events ---- */

void DVS_HOT dvs_core_flush(struct dvs_core *c)
{
	dvs_u32 i;

	if (c->restless)
		dvs_move_proceed(c);
	if (!c->died)
		return;
	c->died = 0;
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
			dvs_control_ask_again(c, DVS_AGAIN_ALL);
		break;
	case DVS_K_GONE:
		dvs_claims_gone(c, (dvs_u32)f->arg, (dvs_u32)(f->arg >> 32));
		dvs_channels_gone(&c->channels, (dvs_u32)f->arg, (dvs_u32)(f->arg >> 32));
		break;
	case DVS_K_BOUND:
		dvs_ep_bound(c, f);
		break;
	case DVS_K_UNBOUND:
		dvs_ep_unbound(c, f);
		break;
	case DVS_K_FOUND:
		if (!dvs_await_found(c, f))
			dvs_dest_found(c, f);
		break;
	case DVS_K_ASK:
		dvs_state_asked(c, f);
		break;
	case DVS_K_PRIVILEGED:
		dvs_privileges_result(c, f);
		break;
	case DVS_K_OFFERED:
		dvs_move_offered(c, f);
		break;
	case DVS_K_ORDER:
		dvs_order_taken(c, f);
		break;
	case DVS_K_RENEWED:
		dvs_renew(c, (dvs_u32)f->arg);
		break;
	default:
		c->stats.malformed_dropped++;
	}
}

/* Copies the header of a frame once and checks that it is whole and for this VM. */
static int take_header(struct dvs_core *c, struct dvs_frame *f, const void *buffer,
		       dvs_u32 len, dvs_u32 max)
{
	if (len >= sizeof(*f))
		__builtin_memcpy(f, buffer, sizeof(*f));
	if (len >= sizeof(*f) && len <= max && f->len == len - sizeof(*f) &&
	    f->dst_vm == c->id.vm &&
	    /* Which life is over does not matter to the next one: the news may come twice, or late. */
	    (f->dst_inc == c->id.incarnation || f->kind == DVS_K_RENEWED))
		return 1;
	c->stats.malformed_dropped++;
	return 0;
}

struct dvs_side *dvs_core_bulk(struct dvs_core *c, const void *header, dvs_u32 len,
			       dvs_u64 *offset, dvs_u64 now)
{
	struct dvs_party *p = (void *)0;
	struct dvs_chan *ch;
	struct dvs_frame f;

	c->now = now;
	if (c->stopped || !take_header(c, &f, header, len, DVS_BULK_FRAME_MAX))
		return (void *)0;
	if (f.kind < DVS_K_BULK_DATA || f.kind > DVS_K_BULK_NOP || f.src_vm == DVS_VM_NODE ||
	    f.src_vm == c->id.vm) {
		c->stats.malformed_dropped++;
		return (void *)0;
	}
	ch = dvs_channels_bulk(&c->channels, &f, now);
	if (ch && f.kind == DVS_K_BULK_DATA)
		p = dvs_party_data(c, ch, &f);
	dvs_core_flush(c);
	*offset = f.arg;
	return p ? &p->side : (void *)0;
}

void dvs_core_frame(struct dvs_core *c, const void *buffer, dvs_u32 len, dvs_u64 now)
{
	struct dvs_frame f;

	c->now = now;
	if (c->stopped || !take_header(c, &f, buffer, len, DVS_MSG_FRAME_MAX))
		return;
	c->stats.frames_received++;
	if (f.kind <= DVS_K_NODE_LAST)
		take_node_frame(c, &f);
	else if (f.src_vm == DVS_VM_NODE || f.src_vm == c->id.vm || f.kind >= DVS_K_BULK_DATA)
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
		dvs_control_ask_again(c, DVS_AGAIN_UNASKED);
	}
	dvs_channels_room(&c->channels, now);
	dvs_state_tell(c);
	dvs_order_tell(c);
	dvs_party_room(c);
}

void dvs_core_timer(struct dvs_core *c, dvs_u64 now)
{
	dvs_u64 next;

	c->now = now;
	if (c->stopped)
		return;
	next = dvs_channels_timer(&c->channels, now);
	dvs_control_timer(c);
	dvs_channels_arm(&c->channels, next);
	if (c->control_at != DVS_NEVER)
		dvs_channels_arm(&c->channels, c->control_at);
}
