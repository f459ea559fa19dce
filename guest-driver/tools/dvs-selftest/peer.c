// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: calls in threads of their own, and small helpers. */
#define _GNU_SOURCE
#include "selftest.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int run(struct peer *peer)
{
	struct dvs own = *peer->dvs;

	switch (peer->op) {
	case OP_SEND:
		return dvs_send(&own, peer->to, &peer->value, sizeof(peer->value),
				peer->timeout_ms);
	case OP_RECEIVE:
		return dvs_receive(&own, peer->to, 0, &peer->got, sizeof(peer->got),
				   &peer->received, peer->timeout_ms);
	case OP_SENDREC:
		return dvs_sendrec(&own, peer->to, &peer->value, sizeof(peer->value),
				   &peer->got, sizeof(peer->got), &peer->received,
				   peer->timeout_ms);
	case OP_BIND:
		return dvs_bind(&own, peer->to.ep, peer->value);
	default:
		return dvs_unbind(&own);
	}
}

static void *thread(void *arg)
{
	struct peer *peer = arg;

	peer->tid = gettid();
	peer->result = run(peer);
	return NULL;
}

void peer_start(struct peer *peer)
{
	peer->tid = 0;
	if (pthread_create(&peer->thread, NULL, thread, peer)) {
		perror("pthread_create");
		exit(2);
	}
}

static bool asleep(pid_t tid)
{
	char path[64], line[256] = "";
	const char *state;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	stat = fopen(path, "r");
	if (!stat)
		return true;
	state = fgets(line, sizeof(line), stat) ? strrchr(line, ')') : NULL;
	fclose(stat);
	return state && state[2] == 'S';
}

void peer_wait_asleep(const struct peer *peer)
{
	while (!peer->tid || !asleep(peer->tid))
		sched_yield();
}

int peer_join(struct peer *peer)
{
	pthread_join(peer->thread, NULL);
	return peer->result;
}

struct dvs bound(int ep)
{
	struct dvs dvs = { .fd = -1 };

	CHECK_RESULT(dvs_open(&dvs, 0), 0);
	CHECK_RESULT(dvs_bind(&dvs, ep, DVS_BIND_FILE), 0);
	return dvs;
}

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

pid_t child_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0) {
		perror("fork");
		exit(2);
	}
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* It may have ended before. */
		if (getppid() != parent)
			_exit(2);
	}
	return pid;
}

int child_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
