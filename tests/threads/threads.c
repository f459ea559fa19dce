// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Two VMs with servers, clients and notifiers, each a thread; a carrier for each
 * VM's frames, which loses some; and a thread that keeps the time. What the
 * thread sanitizer finds in the core ends the program, and so does an answer
 * that is not the request's.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vm.h"

#define SERVERS		2	/* in each VM: numbers 0 and 1, 10 and 11 */
#define CLIENTS		3	/* in each VM: 20 to 22, 30 to 32 */

static struct vm vms[VMS];
static int over;		/* callers begin nothing more */
static int silent;		/* and nothing is carried any more */
static dvs_u64 answered[VMS];	/* requests, by VM of the client; under its lock */

/* ---- the node ---- */

static pthread_mutex_t directory_lock = PTHREAD_MUTEX_INITIALIZER;
static struct { dvs_u32 vm, gen; } directory[64];
static dvs_u32 generations;

/* Decides on a request; the answer goes to whoever asked. */
static void node_answer(struct vm *vm, const struct dvs_ctl_request *r)
{
	struct dvs_frame f = { .dst_vm = vm->id, .dst_inc = 100 + vm->id, .op = r->nonce,
			       .dst_ep = r->ep, .dst_gen = r->gen };

	CHECK(r->ep >= 0 && r->ep < 64);
	pthread_mutex_lock(&directory_lock);
	if (r->op == DVS_CTL_BIND) {
		f.kind = DVS_K_BOUND;
		f.dst_gen = ++generations;
		directory[r->ep].vm = vm->id;
		directory[r->ep].gen = f.dst_gen;
	} else if (r->op == DVS_CTL_UNBIND) {
		f.kind = DVS_K_UNBOUND;
		directory[r->ep].vm = 0;
	} else {
		f.kind = DVS_K_FOUND;
		f.dst_gen = directory[r->ep].gen;
		f.arg = directory[r->ep].vm | (dvs_u64)(100 + directory[r->ep].vm) << 32;
		f.result = directory[r->ep].vm ? DVS_OK : DVS_EDSTDIED;
	}
	pthread_mutex_unlock(&directory_lock);
	vm_frame(vm, &f, sizeof(f));
}

/* Every so many frames are lost, and the node says later that it is worth trying again. */
static int carry_one(struct vm *vm, dvs_u32 number)
{
	struct dvs_frame retry = { .kind = DVS_K_RETRY, .dst_vm = vm->id, .dst_inc = 100 + vm->id };
	dvs_u64 buffer[DVS_MSG_FRAME_MAX / 8];
	dvs_u32 len = vm_take_frame(vm, buffer);
	const struct dvs_frame *f = (const struct dvs_frame *)buffer;

	if (!len)
		return 0;
	CHECK(f->dst_vm >= 1 && f->dst_vm <= VMS);
	if (number % 97)
		vm_frame(&vms[f->dst_vm - 1], buffer, len);
	else
		vm_frame(vm, &retry, sizeof(retry));
	return 1;
}

static void *carrier(void *arg)
{
	struct vm *vm = arg;
	struct dvs_ctl_request request;
	dvs_u32 number = 0;

	while (!__atomic_load_n(&silent, __ATOMIC_RELAXED)) {
		int busy = carry_one(vm, ++number);

		if (vm_take_control(vm, &request)) {
			node_answer(vm, &request);
			busy = 1;
		}
		if (!busy)
			sched_yield();
	}
	return NULL;
}

static void *keep_time(void *arg)
{
	struct vm *vm = arg;

	while (!__atomic_load_n(&silent, __ATOMIC_RELAXED)) {
		struct timespec tick = { .tv_nsec = 1000000 };

		vm_run_timer(vm);
		nanosleep(&tick, NULL);
	}
	return NULL;
}

/* ---- the processes ---- */

struct process {
	pthread_t thread;
	struct vm *vm;
	dvs_s32 nr;
};

static struct dvs_ep *bind_number(struct vm *vm, struct waiter *w, dvs_s32 nr)
{
	int result = dvs_bind(vm->core, &w->call, nr, clock_ns());

	CHECK(vm_wait(vm, w, result, 0) == DVS_OK);
	return w->call.ep;
}

static void serve(struct vm *vm, struct waiter *w, struct dvs_ep *ep)
{
	static const struct dvs_addr any = { .nr = DVS_ANY };
	int result = dvs_receive(vm->core, &w->call, ep, any, 0, clock_ns());

	if (vm_wait(vm, w, result, 20) || w->call.kind != DVS_KIND_REQUEST)
		return;
	memcpy(w->send, w->recv, w->call.recv_len);
	w->call.send_len = w->call.recv_len;
	result = dvs_reply(vm->core, &w->call, ep, w->call.peer, w->call.token, clock_ns());
	/* The client may have left. */
	(void)vm_wait(vm, w, result, 0);
}

static void ask(struct vm *vm, struct waiter *w, struct dvs_ep *ep, dvs_u32 turn)
{
	struct dvs_addr dst = { .nr = (dvs_s32)(turn % SERVERS + 10 * (turn / 7 % VMS)) };
	int result;

	if (turn % 5 == 0) {
		result = dvs_notify(vm->core, &w->call, ep, dst, DVS_SELF, turn, clock_ns());
		(void)vm_wait(vm, w, result, 0);
		return;
	}
	memcpy(w->send, &turn, sizeof(turn));
	w->call.send_len = sizeof(turn);
	result = dvs_sendrec(vm->core, &w->call, ep, dst, 0, clock_ns());
	if (vm_wait(vm, w, result, turn % 11 ? 0 : 1) == DVS_OK) {
		CHECK(w->call.recv_len == sizeof(turn));
		CHECK(!memcmp(w->recv, &turn, sizeof(turn)));
		answered[vm->id - 1]++;
	}
}

static void *live(void *arg)
{
	struct process *p = arg;
	struct vm *vm = p->vm;
	struct waiter *w = malloc(sizeof(*w));
	struct dvs_ep *ep;
	dvs_u32 turn = 0;

	CHECK(w);
	waiter_init(w);
	pthread_mutex_lock(&vm->lock);
	ep = bind_number(vm, w, p->nr);
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		if (p->nr < 20)
			serve(vm, w, ep);
		else
			ask(vm, w, ep, turn++);
		if (turn % 400 == 399) {
			dvs_unbind(vm->core, ep, clock_ns());
			ep = bind_number(vm, w, p->nr);
			turn++;
		}
		/* Others want the lock as well. */
		pthread_mutex_unlock(&vm->lock);
		pthread_mutex_lock(&vm->lock);
	}
	dvs_unbind(vm->core, ep, clock_ns());
	pthread_mutex_unlock(&vm->lock);
	waiter_end(w);
	free(w);
	return NULL;
}

/* ---- all together ---- */

static int start_processes(struct process *p, struct vm *vm)
{
	dvs_s32 base = (dvs_s32)(vm->id - 1) * 10;
	int i;

	for (i = 0; i < SERVERS + CLIENTS; i++) {
		p[i].vm = vm;
		p[i].nr = i < SERVERS ? base + i : 20 + base + i - SERVERS;
		CHECK(!pthread_create(&p[i].thread, NULL, live, &p[i]));
	}
	return i;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 3, count = 0, i;
	static struct process processes[VMS * (SERVERS + CLIENTS)];
	pthread_t helpers[2 * VMS];
	struct timespec run = { .tv_sec = seconds };

	for (i = 0; i < VMS; i++)
		vm_start(&vms[i], (dvs_u32)i + 1);
	for (i = 0; i < VMS; i++) {
		CHECK(!pthread_create(&helpers[2 * i], NULL, carrier, &vms[i]));
		CHECK(!pthread_create(&helpers[2 * i + 1], NULL, keep_time, &vms[i]));
		count += start_processes(processes + count, &vms[i]);
	}
	nanosleep(&run, NULL);
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	for (i = 0; i < count; i++)
		CHECK(!pthread_join(processes[i].thread, NULL));
	__atomic_store_n(&silent, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 2 * VMS; i++)
		CHECK(!pthread_join(helpers[i], NULL));
	printf("%llu and %llu requests answered, nothing found\n",
	       (unsigned long long)answered[0], (unsigned long long)answered[1]);
	CHECK(answered[0] && answered[1]);
	for (i = 0; i < VMS; i++)
		vm_end(&vms[i]);
	return EXIT_SUCCESS;
}
