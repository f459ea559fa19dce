// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Numbers of frames, and their backstop: see window.h. */
#include "channel.h"

void dvs_window_start(struct dvs_window *w)
{
	w->next_seq = 1;
	w->next_tx = 1;
	w->next_first = 1;
	w->una = 1;
	w->backstop_at = DVS_NEVER;
	w->backstop_ns = DVS_BACKSTOP_MIN_NS;
	w->expect = 1;
	w->acked = 1;
}

int dvs_window_sent(struct dvs_window *w)
{
	int first = !dvs_before(w->next_tx, w->next_first);

	w->next_tx++;
	if (first)
		w->next_first = w->next_tx;
	return first;
}

void dvs_window_arm_backstop(struct dvs_channels *cs, struct dvs_window *w, dvs_u64 now)
{
	if (w->backstop_at != DVS_NEVER)
		return;
	w->backstop_at = now + w->backstop_ns;
	dvs_channels_arm(cs, w->backstop_at);
}

int dvs_window_covers(const struct dvs_window *w, dvs_u32 ack)
{
	return dvs_before(w->una, ack) && !dvs_before(w->next_seq, ack);
}

void dvs_window_acknowledged(struct dvs_channels *cs, struct dvs_window *w, dvs_u32 ack,
			     dvs_u64 now)
{
	w->una = ack;
	if (dvs_before(w->next_tx, ack))
		w->next_tx = ack;
	w->backstop_ns = DVS_BACKSTOP_MIN_NS;
	w->backstop_at = w->una == w->next_tx ? DVS_NEVER : now + w->backstop_ns;
	dvs_channels_arm(cs, w->backstop_at);
}

int dvs_window_expired(struct dvs_window *w, dvs_u64 now)
{
	if (w->backstop_at > now)
		return 0;
	w->backstop_at = DVS_NEVER;
	return 1;
}

void dvs_window_back_off(struct dvs_channels *cs, struct dvs_window *w)
{
	cs->stats->backstop_fired++;
	w->backstop_ns *= 2;
	if (w->backstop_ns > DVS_BACKSTOP_MAX_NS)
		w->backstop_ns = DVS_BACKSTOP_MAX_NS;
}
