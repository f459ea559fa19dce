/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * A channel joins one life of this VM with one life of another: what its user
 * queues arrives there exactly once, in order, or the other VM is gone.
 *
 * Every frame has a number. The receiver takes only the number it expects, so
 * that a repeated or early frame has no effect; the sender keeps a frame in its
 * slot until it is acknowledged and sends all unacknowledged ones again when
 * the fabric says RETRY or, if nobody says anything, when the backstop timer
 * fires. Requests need a credit of the receiver, so that it can always store
 * them; everything else belongs to a request and has its room there.
 *
 * Frames are built when there is a slot for them: the user queues a struct
 * dvs_out and is asked to fill the frame then.
 */
#ifndef DVS_CHANNEL_H
#define DVS_CHANNEL_H

#include "../core.h"
#include "bulk.h"

/* Far below the backstop, and above the round trip of a slow RPC, whose reply acknowledges for free. */
#define DVS_ACK_DELAY_NS	200000000ull
/* A peer that has acknowledged nothing for so long is out of reach. */
#define DVS_STALLED_NS		(2 * DVS_ACK_DELAY_NS)

enum dvs_class {
	DVS_CLASS_ANSWER,	/* never waits for a credit */
	DVS_CLASS_REQUEST,
};

/* Something to be sent, in a list of its channel until its frame is built. */
struct dvs_out {
	struct dvs_list link;
	dvs_u8 type;		/* the user's own mark */
};

struct dvs_chan {
	dvs_u32 vm;		/* 0: not in use */
	dvs_u32 inc;
	dvs_u32 index;
	dvs_u8 heard;		/* the peer has spoken or acknowledged */
	dvs_u8 ack_now;		/* a lone acknowledgement is wanted at the end of the batch */
	dvs_u8 died_scan;	/* the user may have more answers: ask it */
	dvs_u8 deaths_lost;	/* the user's: there were more deaths than it could remember */

	struct dvs_window window;

	/* sending */
	dvs_u32 requests_sent;
	dvs_u32 requests_allowed;
	dvs_u64 progress_at;	/* when una last moved, or the window stopped being empty */
	dvs_u32 mark;		/* the user's: it waits until the frames before have arrived */
	struct dvs_list answers;
	struct dvs_list requests;

	/* receiving */
	dvs_u32 finished;	/* requests of the peer whose room is free again */
	dvs_u32 granted;	/* as last told */
	dvs_u64 ack_at;

	struct dvs_bulk bulk;

	/* the user's */
	dvs_u32 held;		/* requests of the peer stored here */
	struct dvs_list ops;
	struct dvs_list held_list;
	dvs_u32 copies;		/* sides of copies here that depend on the peer */
	struct dvs_list sides;	/* of them, those whose data goes there or comes from there */
};

/* What the channels ask of their user. */
struct dvs_chan_user {
	/* Build the frame: kind, flags, result, op, arg, endpoints, len, payload. */
	void (*fill)(void *user, struct dvs_chan *ch, struct dvs_out *out,
		     struct dvs_frame *frame, void *payload);
	/* One more answer that the user keeps elsewhere. 0: none. */
	int (*more)(void *user, struct dvs_chan *ch, struct dvs_frame *frame);
	/* A frame in order, exactly once. */
	void (*frame)(void *user, struct dvs_chan *ch,
		      const struct dvs_frame *frame, const void *payload);
	/* Build the header of the next data of `out`: len, op, arg (offset), endpoints. 0: it was the last. */
	int (*bulk_fill)(void *user, struct dvs_bulk_out *out, struct dvs_frame *f);
	/* One more frame of it has arrived. */
	void (*bulk_acked)(void *user, struct dvs_bulk_out *out);
	/* The peer has no room for a channel with this VM. */
	void (*refused)(void *user, struct dvs_chan *ch);
	/* The other VM's life is over, or (renewed) this one's; the channel is freed on return. */
	void (*gone)(void *user, struct dvs_chan *ch, int renewed);
};

struct dvs_channels {
	struct dvs_chan *chan;
	dvs_u32 count;
	dvs_u32 window;
	dvs_u32 credits;
	dvs_u32 my_vm;
	dvs_u32 my_inc;
	dvs_u32 refusals;	/* refused peers so far: picks a slot */
	dvs_u8 full;		/* the queue was full: room follows */
	dvs_u8 bulk_full;	/* the same of the bulk queue */
	dvs_u8 *slots;
	struct dvs_bulk_slot *bulk_slot;	/* DVS_BULK_WINDOW for each channel */
	dvs_u64 armed_at;
	const struct dvs_ops *ops;
	void *ctx;
	const struct dvs_chan_user *user;
	void *user_ctx;
	struct dvs_stats *stats;
};

#define DVS_REFUSAL_SLOTS	8

/* The open channel to this life of a VM, or a new one; NULL: no room, or that life is over. */
struct dvs_chan *dvs_chan_open(struct dvs_channels *cs, dvs_u32 vm, dvs_u32 inc);
void dvs_chan_queue(struct dvs_channels *cs, struct dvs_chan *ch,
		    struct dvs_out *out, enum dvs_class class, dvs_u64 now);
/* Sends what can be sent now. */
void dvs_chan_pump(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now);
/* The peer is to be told of what it did soon, also if no frame goes there. */
void dvs_chan_owe(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now);
/* Is this the next frame of the class? Others have no effect. */
int dvs_chan_arrived(struct dvs_channels *cs, struct dvs_chan *ch, struct dvs_window *w,
		     dvs_u32 seq);
/* Room that one request of the peer used is free; it is told soon, also if no frame goes there. */
void dvs_chan_finished(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now);
/* Unacknowledged requests of this source are not wanted any more: all, or those that `unwanted` says. */
void dvs_chan_forget(struct dvs_channels *cs, struct dvs_chan *ch, struct dvs_addr src,
		     int (*unwanted)(void *user, const struct dvs_frame *frame), void *user);
/* Is there a request of this source that has not arrived, as far as known? */
int dvs_chan_sends(const struct dvs_channels *cs, const struct dvs_chan *ch, struct dvs_addr src);
/* Remembers how far has been sent; 0: something is still to be built. Have those frames arrived? */
int dvs_chan_mark(struct dvs_chan *ch);
int dvs_chan_passed(const struct dvs_chan *ch);
/* The header of a frame to the other end, and what each frame says as it is put on a queue. */
void dvs_chan_header(const struct dvs_channels *cs, const struct dvs_chan *ch,
		     struct dvs_frame *f);
void dvs_chan_stamp(const struct dvs_channels *cs, const struct dvs_chan *ch,
		    struct dvs_frame *f);
/* Is that life of a VM known to be over, since a later one was heard of? */
int dvs_chan_over(const struct dvs_channels *cs, dvs_u32 vm, dvs_u32 inc);
/* Has the peer left frames unacknowledged for so long? */
int dvs_chan_stalled(const struct dvs_chan *ch, dvs_u64 now, dvs_u64 ns);

void dvs_channels_init(struct dvs_channels *cs);
void dvs_channels_frame(struct dvs_channels *cs, const struct dvs_frame *frame,
			const void *payload, dvs_u64 now);
/* The channel whose next bulk frame this is, or NULL. */
struct dvs_chan *dvs_channels_bulk(struct dvs_channels *cs, const struct dvs_frame *frame,
				   dvs_u64 now);
void dvs_channels_retry(struct dvs_channels *cs, dvs_u32 vm, dvs_u64 now);
void dvs_channels_gone(struct dvs_channels *cs, dvs_u32 vm, dvs_u32 inc);
/* This VM has a new life: every channel is over. */
void dvs_channels_renew(struct dvs_channels *cs, dvs_u32 inc);
void dvs_channels_batch_end(struct dvs_channels *cs, dvs_u64 now);
void dvs_channels_room(struct dvs_channels *cs, dvs_u64 now);
/* Returns when it wants to be called next. */
dvs_u64 dvs_channels_timer(struct dvs_channels *cs, dvs_u64 now);
void dvs_channels_arm(struct dvs_channels *cs, dvs_u64 at);

#endif
