/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * The numbers of one class of frames of a channel, in both directions, and the
 * backstop timer of what it has sent: the same for messages and for bulk data.
 */
#ifndef DVS_WINDOW_H
#define DVS_WINDOW_H

#include "../core.h"

#define DVS_BACKSTOP_MIN_NS	1000000000ull
#define DVS_BACKSTOP_MAX_NS	30000000000ull
#define DVS_NEVER		(~0ull)

struct dvs_channels;

struct dvs_window {
	/* sending */
	dvs_u32 next_seq;	/* of the next new frame */
	dvs_u32 next_tx;	/* next to be put on the queue */
	dvs_u32 next_first;	/* next to be put there for the first time */
	dvs_u32 una;		/* oldest that is not acknowledged */
	dvs_u64 backstop_at;
	dvs_u64 backstop_ns;

	/* receiving */
	dvs_u32 expect;		/* number of the next frame */
	dvs_u32 acked;		/* expect, as last told */
};

void dvs_window_start(struct dvs_window *w);
/* Frame next_tx is on the queue. Is it there for the first time? */
int dvs_window_sent(struct dvs_window *w);
/* From now on, unless it runs already. */
void dvs_window_arm_backstop(struct dvs_channels *cs, struct dvs_window *w, dvs_u64 now);
/* Does this acknowledge anything? What has no number yet cannot be: a lying peer is not believed. */
int dvs_window_covers(const struct dvs_window *w, dvs_u32 ack);
/* All before `ack`, which is covered, has arrived. */
void dvs_window_acknowledged(struct dvs_channels *cs, struct dvs_window *w, dvs_u32 ack,
			     dvs_u64 now);
/* Has the backstop's time come? It does not run any more then. */
int dvs_window_expired(struct dvs_window *w, dvs_u64 now);
/* The backstop has found something to do: the next time it waits longer. */
void dvs_window_back_off(struct dvs_channels *cs, struct dvs_window *w);

/* Serial number arithmetic: is a before b? */
static inline int dvs_before(dvs_u32 a, dvs_u32 b)
{
	return (dvs_s32)(a - b) < 0;
}

#endif
