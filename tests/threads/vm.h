/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A VM around the guest's core as the kernel module is one: every call under one
 * lock, and a device that reads frames from the slots without it.
 */
#ifndef VM_H
#define VM_H

#include <pthread.h>

#include "../../guest-driver/core/core.h"

#define VMS		2
#define RING		32
#define CONTROLS	16

/* A call, and the thread that waits for it. */
struct waiter {
	struct dvs_call call;	/* first: the core names it */
	pthread_cond_t wake;
	int done;
	char send[DVS_MSG_PAYLOAD_MAX];
	char recv[DVS_MSG_PAYLOAD_MAX];
};

struct vm {
	dvs_u32 id;
	pthread_mutex_t lock;	/* the core's */
	struct dvs_core *core;
	dvs_u8 *slots;
	dvs_u64 timer_at;
	/* The transmit ring: what the device has not read yet, first come first served. */
	pthread_mutex_t ring_lock;
	struct { dvs_u32 slot, len; } ring[RING];
	dvs_u32 ring_used;
	int room_wanted;
	struct dvs_ctl_request control[CONTROLS];
	dvs_u32 control_used;
};

dvs_u64 clock_ns(void);
void vm_start(struct vm *vm, dvs_u32 id);
void vm_end(struct vm *vm);

void waiter_init(struct waiter *w);
void waiter_end(struct waiter *w);
/*
 * With the lock held: waits for the call of which the core returned `result`, at
 * most `ms` milliseconds (0: for ever), and gives its result.
 */
int vm_wait(struct vm *vm, struct waiter *w, int result, int ms);

/* The device takes one frame into `buffer`, without the core's lock. 0: none is there. */
dvs_u32 vm_take_frame(struct vm *vm, void *buffer);
/* The node takes one control request. 0: none is there. */
int vm_take_control(struct vm *vm, struct dvs_ctl_request *request);
void vm_frame(struct vm *vm, const void *frame, dvs_u32 len);
void vm_run_timer(struct vm *vm);

#define CHECK(what) \
	do { \
		if (!(what)) \
			check_failed(#what, __FILE__, __LINE__); \
	} while (0)

void check_failed(const char *what, const char *file, int line) __attribute__((noreturn));

#endif
