/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Drives the guest's core from bytes: the bytes are the local processes, the
 * node and hostile VMs at once. It sees the core's own structures, to make
 * frames that get far and to check after each event that all of them agree.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include "../../../guest-driver/core/ipc/copying.h"

#define CALLS		24
#define RING		24
#define CONTROLS	4
#define WORKS		64
#define ME		1
/* The first life of the VM; the node may give it others. */
#define MY_LIFE		100

/* What the core asked for, and what is begun and not ended. */
enum shell_work {
	SHELL_OPEN,
	SHELL_RUN,
	SHELL_PIECE,
	SHELL_WRITE,
};

/* The bytes that are left; zeros when they are used up. */
struct input {
	const dvs_u8 *at;
	dvs_size left;
};

struct slot_call {
	struct dvs_call call;
	int busy;
	void *send;	/* exactly as long as said, so that the sanitizer sees more */
	void *recv;
};

struct shell {
	struct dvs_core *core;
	void *memory;
	void *slots;
	dvs_u32 slot_count;
	dvs_u64 now;
	dvs_u64 timer_at;
	int stopped;
	int room_wanted;
	dvs_u32 next_gen;
	struct slot_call calls[CALLS];
	struct { dvs_u32 slot, len; } ring[RING];
	dvs_u32 ring_used;
	struct { dvs_u32 slot, len; struct dvs_side *side; } bulk[RING];
	dvs_u32 bulk_used;
	struct { struct dvs_side *side, *dst; dvs_u8 what; } work[WORKS];	/* enum shell_work */
	dvs_u32 work_used;
	struct dvs_ctl_request control[CONTROLS];
	dvs_u32 control_used;
};

static inline dvs_u32 my_life(const struct shell *s)
{
	return s->core->id.incarnation;
}

/* ---- input.c ---- */
dvs_u8 take8(struct input *in);
dvs_u32 take32(struct input *in);
/* An endpoint number, a length of a message, an address. */
dvs_s32 number(struct input *in);
dvs_u32 size(struct input *in);
struct dvs_addr address(struct input *in);

/* ---- shell.c ---- */
void shell_init(struct shell *s, dvs_u8 flavour);
void shell_free(struct shell *s);
/* A call that is not under way, with new buffers; NULL: all are. A sendrec's message may be exchanged. */
struct slot_call *shell_call(struct shell *s, dvs_u32 send_len, dvs_u32 recv_cap, int sendrec);
/* What a starting function returned. */
void shell_started(struct shell *s, struct slot_call *call, int result);
/* The device takes a frame from the ring into `buffer`; its length, 0: none is there. */
dvs_u32 shell_take_frame(struct shell *s, void *buffer);
/* The node takes a control request; 0: none is there. */
int shell_take_control(struct shell *s, struct dvs_ctl_request *request);
void shell_frame(struct shell *s, const struct dvs_frame *f, const void *payload);
/* The same of the bulk queues. */
dvs_u32 shell_take_bulk(struct shell *s);
void shell_bulk(struct shell *s, const struct dvs_frame *f);
/* Does a piece of the work of copies; 0: there is none. `fails`: what may, does. */
int shell_work(struct shell *s, dvs_u8 pick, int fails);
void shell_run_timer(struct shell *s);
void shell_stop(struct shell *s);

/* ---- check.c ---- */
/* Aborts unless all structures of the core agree with each other. */
void check_core(const struct shell *s);

/* ---- honest.c ---- */
/* All callers leave; then an honest VM and a local process still get what they ask for. */
void honest_end(struct shell *s);

#define CHECK(what) \
	do { \
		if (!(what)) \
			check_failed(#what, __FILE__, __LINE__); \
	} while (0)

void check_failed(const char *what, const char *file, int line) __attribute__((noreturn));

#endif
