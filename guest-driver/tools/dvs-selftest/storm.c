// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * dvs-selftest: a storm: many processes that make any call with anybody, and are
 * killed at any time. What comes of a call is not checked, only that everything
 * can be had again: whoever started the storm looks at what is left afterwards.
 */
#include "actor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX	256
#define AREA		(256u << 10)
/* Numbers below are servers, as the DC's default has it. */
#define SERVERS		30

struct wild {
	struct dvs dvs;
	int ep;
	int numbers;		/* of the DC: 0 to this less one */
	unsigned int seed;
	uint8_t *area;
};

static unsigned int dice(struct wild *wild, unsigned int sides)
{
	return (unsigned int)rand_r(&wild->seed) % sides;
}

static struct dvs_address anybody(struct wild *wild)
{
	return dvs_address((int)dice(wild, (unsigned int)wild->numbers));
}

static struct dvs_address a_server(struct wild *wild)
{
	return dvs_address((int)dice(wild, SERVERS));
}

static void copy(struct wild *wild, struct dvs_address client)
{
	struct dvs_copy what = {
		.id = DVS_ID_FILE, .timeout_ms = dice(wild, 100),
		.src = wild->ep, .src_addr = (uintptr_t)wild->area,
		/* Forked after the mapping was made: it is at the same place in all. */
		.dst = client.ep, .dst_generation = client.generation,
		.dst_addr = (uintptr_t)wild->area, .bytes = 1 + dice(wild, AREA),
	};
	/* What comes of it depends on what becomes of the client. */
	(void)!ioctl(wild->dvs.fd, DVS_IOC_COPY, &what);
}

static void serve(struct wild *wild)
{
	uint8_t buffer[MESSAGE_MAX];
	struct dvs_received got;

	if (dvs_receive(&wild->dvs, dvs_address(DVS_ADDR_ANY), 0, buffer, sizeof(buffer), &got,
			dice(wild, 20)))
		return;
	if (got.came != DVS_CAME_REQUEST || dice(wild, 8) == 0)
		return;
	if (dice(wild, 4) == 0)
		copy(wild, got.from);
	dvs_reply(&wild->dvs, got.from, got.token, buffer, dice(wild, MESSAGE_MAX + 1), 1000);
}

static void call(struct wild *wild)
{
	uint8_t buffer[MESSAGE_MAX];
	struct dvs_received got;

	dvs_sendrec(&wild->dvs, a_server(wild), buffer, dice(wild, MESSAGE_MAX + 1), buffer,
		    sizeof(buffer), &got, dice(wild, 200));
}

static void one_deed(struct wild *wild)
{
	uint8_t buffer[MESSAGE_MAX] = { 0 };

	if (wild->ep >= SERVERS) {
		call(wild);
		return;
	}
	switch (dice(wild, 8)) {
	case 0:
		call(wild);
		break;
	case 1:
		dvs_send(&wild->dvs, anybody(wild), buffer, dice(wild, MESSAGE_MAX + 1),
			 dice(wild, 50));
		break;
	case 2:
		dvs_notify(&wild->dvs, a_server(wild), 100);
		break;
	default:
		serve(wild);
	}
}

static void run_wild(struct wild *wild)
{
	if (dvs_open(&wild->dvs, 0))
		_exit(1);
	/* The number's last holder may be dying. */
	if (dvs_bind(&wild->dvs, wild->ep, dice(wild, 2) ? DVS_BIND_FILE : DVS_BIND_PROCESS))
		_exit(0);
	for (;;)
		one_deed(wild);
}

int storm_run(int first, int count, int numbers, int seconds, unsigned int seed)
{
	struct wild wild = { .numbers = numbers, .seed = seed };
	static pid_t pids[PROCESSES_MAX];
	unsigned long kills = 0;
	int64_t end = now_ms() + seconds * 1000ll;
	int i;

	wild.area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (wild.area == MAP_FAILED || count < 1 || count > PROCESSES_MAX)
		return 2;
	printf("storm of %d processes, seed %u\n", count, seed);
	fflush(stdout);
	while (now_ms() < end) {
		i = (int)dice(&wild, (unsigned int)count);
		if (pids[i] && dice(&wild, 4)) {
			kill(pids[i], SIGKILL);
			kills += child_status(pids[i]) == -SIGKILL;
			pids[i] = 0;
		}
		if (!pids[i]) {
			pids[i] = child_fork();
			if (!pids[i]) {
				wild.ep = first + i;
				wild.seed = seed ^ (unsigned int)getpid() * 2654435761u;
				run_wild(&wild);
			}
		}
		/* Pace, not waiting: that many are killed each second. */
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	for (i = 0; i < count; i++)
		if (pids[i])
			kill(pids[i], SIGKILL);
	for (i = 0; i < count; i++)
		if (pids[i])
			child_status(pids[i]);
	printf("storm over, %lu killed\n", kills);
	return 0;
}
