// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: many threads and processes, and kills in the middle. */
#include "selftest.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVERS		4
#define CLIENTS		8
#define CALLS		500
#define KILLS		60

/* Answers until it gets the request ~0. */
static void *serve(void *arg)
{
	const struct dvs *dvs = arg;
	struct dvs_received got;
	uint32_t value, answer;
	int result;

	do {
		CHECK_RESULT(dvs_receive(dvs, ANY, 0, &value, 4, &got, FOREVER), 0);
		if (got.came != DVS_CAME_REQUEST)
			continue;
		answer = ~value;
		result = dvs_reply(dvs, got.from, got.token, &answer, 4, SOON);
		/* Clients of the last test are killed, and others bind their numbers again. */
		if (result != DVS_EDSTDIED && result != DVS_EPROCSTS &&
		    result != DVS_EENDPOINT)
			CHECK_RESULT(result, 0);
	} while (got.came != DVS_CAME_REQUEST || value != ~0u);
	return NULL;
}

static void stop_server(const struct dvs *dvs, int ep)
{
	uint32_t value = ~0u;
	struct dvs_received got;

	CHECK_RESULT(dvs_sendrec(dvs, dvs_address(ep), &value, 4, &value, 4, &got, SOON), 0);
}

/* Many threads call by one endpoint at once: each gets its own answers. */
static void *call(void *arg)
{
	const struct dvs *dvs = arg;
	struct dvs_received got;
	uint32_t i, sent, value;

	for (i = 0; i < CALLS; i++) {
		sent = (uint32_t)(uintptr_t)&got * 2654435761u + i;
		if (sent == ~0u)
			continue;
		CHECK_RESULT(dvs_sendrec(dvs, dvs_address(EP(0)), &sent, 4, &value, 4, &got,
					 FOREVER), 0);
		CHECK(value == ~sent);
	}
	return NULL;
}

static void many_threads(void)
{
	struct dvs server = bound(EP(0)), own = bound(EP(1)), shared = bound(EP(2));
	pthread_t servers[SERVERS], clients[CLIENTS];
	int i;

	for (i = 0; i < SERVERS; i++)
		CHECK(pthread_create(&servers[i], NULL, serve, &server) == 0);
	for (i = 0; i < CLIENTS; i++)
		CHECK(pthread_create(&clients[i], NULL, call, i % 2 ? &shared : &own) == 0);
	for (i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	for (i = 0; i < SERVERS; i++)
		stop_server(&own, EP(0));
	for (i = 0; i < SERVERS; i++)
		pthread_join(servers[i], NULL);
	dvs_close(&server);
	dvs_close(&own);
	dvs_close(&shared);
}

/* A client that calls and notifies until it is killed. */
static void victim(int ep, uint32_t owner)
{
	struct dvs_received got;
	uint32_t value;
	struct dvs dvs;

	if (dvs_open(&dvs, 0) || dvs_bind(&dvs, ep, owner))
		_exit(1);
	for (value = 0;; value++) {
		uint32_t sent = value & 0x7fffffff;

		dvs_notify(&dvs, dvs_address(EP(0)), FOREVER);
		dvs_sendrec(&dvs, dvs_address(EP(0)), &sent, 4, &sent, 4, &got, FOREVER);
	}
}

static void kills(void)
{
	struct dvs server = bound(EP(0)), own;
	pthread_t thread;
	pid_t pids[4];
	int i, n;

	CHECK(pthread_create(&thread, NULL, serve, &server) == 0);
	for (i = 0; i < KILLS; i++) {
		for (n = 0; n < 4; n++) {
			pids[n] = child_fork();
			if (!pids[n])
				victim(EP(10 + n), n % 2 ? DVS_BIND_FILE : DVS_BIND_PROCESS);
		}
		usleep(1000u * (unsigned int)(i % 8));
		for (n = 0; n < 4; n++)
			kill(pids[n], SIGKILL);
		for (n = 0; n < 4; n++)
			CHECK(child_status(pids[n]) == -SIGKILL);
	}
	own = bound(EP(1));
	stop_server(&own, EP(0));
	pthread_join(thread, NULL);
	dvs_close(&server);
	dvs_close(&own);
	/* All their numbers are free again. */
	for (n = 0; n < 4; n++) {
		own = bound(EP(10 + n));
		dvs_close(&own);
	}
}

/* Threads that die of the kill of their process in every kind of wait. */
static void killed_in_waits(void)
{
	struct dvs target = bound(EP(0));
	int i;

	for (i = 0; i < 20; i++) {
		pid_t pid = child_fork();

		if (!pid) {
			struct dvs dvs = bound(EP(1));
			struct peer receiver = { .dvs = &dvs, .op = OP_RECEIVE, .to = ANY,
						 .timeout_ms = FOREVER };
			struct peer sender = { .dvs = &dvs, .op = OP_SEND,
					       .to = dvs_address(EP(0)), .timeout_ms = FOREVER };
			struct peer caller = sender;

			caller.op = OP_SENDREC;
			peer_start(&receiver);
			peer_start(&sender);
			peer_start(&caller);
			peer_wait_asleep(&receiver);
			peer_wait_asleep(&sender);
			peer_wait_asleep(&caller);
			kill(getpid(), SIGKILL);
		}
		CHECK(child_status(pid) == -SIGKILL);
	}
	dvs_close(&target);
}

void tests_stress(void)
{
	tap_run("8 client threads, 4 server threads", many_threads);
	tap_run("240 clients killed in the middle", kills);
	tap_run("kills of waiting threads", killed_in_waits);
}
