// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The shell of a core between threads: see vm.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vm.h"

void check_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
	abort();
}

dvs_u64 clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (dvs_u64)now.tv_sec * 1000000000u + (dvs_u64)now.tv_nsec;
}

static void wake(void *ctx, struct dvs_call *call)
{
	struct waiter *w = (struct waiter *)call;

	(void)ctx;
	w->done = 1;
	pthread_cond_signal(&w->wake);
}

static void readable(void *ctx, struct dvs_ep *ep)
{
	(void)ctx;
	CHECK(dvs_ep_readable(ep));
}

static int transmit(void *ctx, dvs_u32 slot, dvs_u32 len)
{
	struct vm *vm = ctx;
	int full;

	pthread_mutex_lock(&vm->ring_lock);
	full = vm->ring_used == RING;
	if (full) {
		vm->room_wanted = 1;
	} else {
		vm->ring[vm->ring_used].slot = slot;
		vm->ring[vm->ring_used].len = len;
		vm->ring_used++;
	}
	pthread_mutex_unlock(&vm->ring_lock);
	return full;
}

static int reusable(void *ctx, dvs_u32 slot)
{
	struct vm *vm = ctx;
	dvs_u32 i;
	int busy = 0;

	pthread_mutex_lock(&vm->ring_lock);
	for (i = 0; i < vm->ring_used; i++)
		busy |= vm->ring[i].slot == slot;
	vm->room_wanted |= busy;
	pthread_mutex_unlock(&vm->ring_lock);
	return !busy;
}

static int control(void *ctx, const struct dvs_ctl_request *request)
{
	struct vm *vm = ctx;
	int full;

	pthread_mutex_lock(&vm->ring_lock);
	full = vm->control_used == CONTROLS;
	if (full)
		vm->room_wanted = 1;
	else
		vm->control[vm->control_used++] = *request;
	pthread_mutex_unlock(&vm->ring_lock);
	return full;
}

static void timer(void *ctx, dvs_u64 at_ns)
{
	struct vm *vm = ctx;

	vm->timer_at = at_ns;
}

static void released(void *ctx, struct dvs_ep *ep)
{
	(void)ctx;
	(void)ep;
}

static const struct dvs_ops ops = {
	.wake = wake,
	.readable = readable,
	.transmit = transmit,
	.reusable = reusable,
	.control = control,
	.timer = timer,
	.released = released,
};

void vm_start(struct vm *vm, dvs_u32 id)
{
	const struct dvs_limits limits = { .endpoints = 64, .credits = 16, .window = 32 };
	const struct dvs_identity identity = {
		.vm = id, .incarnation = 100 + id, .nr_tasks = 34, .nr_procs = 221,
		.nr_sysprocs = 200,
	};

	memset(vm, 0, sizeof(*vm));
	vm->id = id;
	vm->timer_at = ~0ull;
	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->ring_lock, NULL);
	vm->slots = aligned_alloc(16, (size_t)dvs_core_slots(&limits) * DVS_MSG_FRAME_MAX);
	vm->core = dvs_core_init(aligned_alloc(16, dvs_core_size(&limits)), vm->slots, &limits,
				 &identity, &ops, vm);
	CHECK(vm->core);
}

void vm_end(struct vm *vm)
{
	free(vm->slots);
	free(vm->core);
	pthread_mutex_destroy(&vm->lock);
	pthread_mutex_destroy(&vm->ring_lock);
}

void waiter_init(struct waiter *w)
{
	pthread_condattr_t attributes;

	memset(w, 0, sizeof(*w));
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	w->call.send_buf = w->send;
	w->call.recv_buf = w->recv;
	w->call.recv_cap = sizeof(w->recv);
}

void waiter_end(struct waiter *w)
{
	pthread_cond_destroy(&w->wake);
}

/* Until it is done, or that time has come. */
static int wait_until(struct vm *vm, struct waiter *w, dvs_u64 at_ns)
{
	struct timespec at = { .tv_sec = (time_t)(at_ns / 1000000000u),
			       .tv_nsec = (long)(at_ns % 1000000000u) };
	int late = 0;

	while (!w->done && !late)
		late = pthread_cond_timedwait(&w->wake, &vm->lock, &at);
	return w->done;
}

int vm_wait(struct vm *vm, struct waiter *w, int result, int ms)
{
	if (result != DVS_PENDING)
		return result;
	while (!ms && !w->done)
		pthread_cond_wait(&w->wake, &vm->lock);
	if (!w->done && !wait_until(vm, w, clock_ns() + (dvs_u64)ms * 1000000u)) {
		result = dvs_call_cancel(vm->core, &w->call, DVS_ETIMEDOUT, clock_ns());
		if (result != DVS_PENDING)
			return result;
		if (!wait_until(vm, w, clock_ns() + DVS_CANCEL_GRACE_NS))
			return dvs_call_abandon(vm->core, &w->call, clock_ns());
	}
	w->done = 0;
	return w->call.result;
}

/* The device sees each aligned word as it is at some moment, like a bus. */
static void read_slot(void *to, const void *from, dvs_u32 len)
{
	const dvs_u32 *words = from;
	dvs_u32 *copy = to;
	dvs_u32 i;

	for (i = 0; i < (len + 3) / 4; i++)
		copy[i] = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
}

/* With the ring's lock, which is given back. */
static void give_room(struct vm *vm)
{
	int wanted = vm->room_wanted;

	vm->room_wanted = 0;
	pthread_mutex_unlock(&vm->ring_lock);
	if (!wanted)
		return;
	pthread_mutex_lock(&vm->lock);
	dvs_core_room(vm->core, clock_ns());
	pthread_mutex_unlock(&vm->lock);
}

dvs_u32 vm_take_frame(struct vm *vm, void *buffer)
{
	dvs_u32 slot, len;

	pthread_mutex_lock(&vm->ring_lock);
	if (!vm->ring_used) {
		pthread_mutex_unlock(&vm->ring_lock);
		return 0;
	}
	slot = vm->ring[0].slot;
	len = vm->ring[0].len;
	pthread_mutex_unlock(&vm->ring_lock);
	read_slot(buffer, vm->slots + (size_t)slot * DVS_MSG_FRAME_MAX, len);
	pthread_mutex_lock(&vm->ring_lock);
	vm->ring_used--;
	memmove(vm->ring, vm->ring + 1, vm->ring_used * sizeof(vm->ring[0]));
	give_room(vm);
	return len;
}

int vm_take_control(struct vm *vm, struct dvs_ctl_request *request)
{
	pthread_mutex_lock(&vm->ring_lock);
	if (!vm->control_used) {
		pthread_mutex_unlock(&vm->ring_lock);
		return 0;
	}
	*request = vm->control[0];
	vm->control_used--;
	memmove(vm->control, vm->control + 1, vm->control_used * sizeof(vm->control[0]));
	give_room(vm);
	return 1;
}

void vm_frame(struct vm *vm, const void *frame, dvs_u32 len)
{
	pthread_mutex_lock(&vm->lock);
	dvs_core_frame(vm->core, frame, len, clock_ns());
	dvs_core_batch_end(vm->core, clock_ns());
	pthread_mutex_unlock(&vm->lock);
}

void vm_run_timer(struct vm *vm)
{
	dvs_u64 now = clock_ns();

	pthread_mutex_lock(&vm->lock);
	if (vm->timer_at <= now) {
		vm->timer_at = ~0ull;
		dvs_core_timer(vm->core, now);
	}
	pthread_mutex_unlock(&vm->lock);
}
