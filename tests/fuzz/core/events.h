/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* What can happen to the core: each takes from the input what it needs to know. */
#ifndef EVENTS_H
#define EVENTS_H

#include "harness.h"

#define VMS		4	/* hostile ones: 2 to 5 */

/* ---- processes.c ---- */
/* Begins a call; `what`: 0 bind, 1 send, 2 sendrec, 3 receive, 4 reply, 5 notify. */
void begin(struct shell *s, struct input *in, dvs_u8 what);
/* Calls about endpoints rather than with messages. */
void begin_other(struct shell *s, struct input *in);
void begin_copy(struct shell *s, struct input *in);
/* Lends memory, or revokes that. */
void grant(struct shell *s, struct input *in);
/* A server answers whom it owes an answer. */
void reply_open(struct shell *s, struct input *in);
void leave(struct shell *s, struct input *in, int abandon);
void unbind(struct shell *s, struct input *in);

/* ---- peers.c ---- */
/* The channel to this VM, or NULL. */
const struct dvs_chan *channel(const struct shell *s, dvs_u32 vm);
/* A frame that fits the channel as it is, but for some fields. */
void say(struct shell *s, struct input *in);
/* What another VM says of a copy: one that is under way here, or a new one. */
void say_copy(struct shell *s, struct input *in);
/* Any bytes at all. */
void say_raw(struct shell *s, struct input *in);

/* ---- node.c ---- */
/* It answers a request on the control queue. */
void node_answer(struct shell *s, struct input *in);
/* It speaks unasked. */
void node_event(struct shell *s, struct input *in);

#endif
