/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * The bulk class of a channel: data of copies, on queues of its own so that no
 * message waits behind it. Numbers, acknowledgements, RETRY and the backstop
 * are as for messages. Every frame needs a credit; since the receiver takes a
 * frame out of its buffer at once, its credits are just a window.
 *
 * A frame is a header in a slot of the core's and, behind it, memory that only
 * the shell knows: some bytes of one side of a copy, from an offset on.
 */
#ifndef DVS_BULK_H
#define DVS_BULK_H

#include "window.h"

/* Unacknowledged frames per peer. */
#define DVS_BULK_WINDOW		16
/* A receiver acknowledges at the latest when so many frames are not acknowledged. */
#define DVS_BULK_ACK_EVERY	4
/* Distance of the slots: none crosses the end of a page. */
#define DVS_BULK_STRIDE		128

struct dvs_chan;
struct dvs_channels;

/* Something whose data is sent, in the list of its channel while it has more to say. */
struct dvs_bulk_out {
	struct dvs_list link;
	struct dvs_side *side;
	dvs_u32 base;		/* first slot of its channel */
};

struct dvs_bulk_slot {
	union {
		struct {
			struct dvs_frame header;	/* what the device reads */
			struct dvs_bulk_out *out;	/* whose data follows it; NULL: none */
			dvs_u64 offset;
			dvs_u8 unwanted;
		};
		dvs_u8 stride[DVS_BULK_STRIDE];
	};
};

_Static_assert(sizeof(struct dvs_bulk_slot) == DVS_BULK_STRIDE, "slot of a bulk frame");

/* The part of a channel that is about its bulk class. */
struct dvs_bulk {
	struct dvs_window window;
	dvs_u32 allowed;	/* frames that may have been sent in all */
	struct dvs_list ready;
};

void dvs_bulk_start(struct dvs_bulk *b);
/* There is something to be sent. */
void dvs_bulk_queue(struct dvs_channels *cs, struct dvs_chan *ch,
		    struct dvs_bulk_out *out, dvs_u64 now);
/* Nothing of it is wanted any more: what is not acknowledged only keeps its numbers. */
void dvs_bulk_drop(struct dvs_channels *cs, struct dvs_bulk_out *out);
/* Does a frame on the queue refer to it? Room follows when none does any more. */
int dvs_bulk_in_use(struct dvs_channels *cs, struct dvs_bulk_out *out);
void dvs_bulk_pump(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now);
void dvs_bulk_acknowledged(struct dvs_channels *cs, struct dvs_chan *ch,
			   const struct dvs_frame *f, dvs_u64 now);
void dvs_bulk_send_again(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now);
void dvs_bulk_timer(struct dvs_channels *cs, struct dvs_chan *ch, dvs_u64 now);

/* Frames that the peer may have sent in all. */
static inline dvs_u32 dvs_bulk_grant(const struct dvs_bulk *b)
{
	return b->window.expect - 1 + DVS_BULK_WINDOW;
}

#endif
