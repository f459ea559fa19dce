// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: endpoints of processes and threads, over fork, exec, exit and kill. */
#define _GNU_SOURCE
#include "selftest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct dvs opened(void)
{
	struct dvs dvs = { .fd = -1 };

	CHECK_RESULT(dvs_open(&dvs, 0), 0);
	return dvs;
}

/* Echoes one request and ends, or waits to be killed. */
static int echo_process(struct dvs *dvs, int ep, bool take)
{
	struct dvs_received got;
	uint32_t value;

	if (dvs_bind(dvs, ep, DVS_BIND_PROCESS))
		return 1;
	if (dvs_send(dvs, dvs_address(EP(0)), &ep, sizeof(ep), SOON))
		return 2;
	if (take && dvs_receive(dvs, ANY, 0, &value, 4, &got, SOON))
		return 3;
	if (!take) {
		pause();
		return 4;
	}
	return dvs_reply(dvs, got.from, got.token, &value, 4, SOON) ? 5 : 0;
}

/* The reference's way: open once, fork, and parent and child bind over the same file. */
static void fork_after_open(void)
{
	struct dvs dvs = opened();
	struct dvs_received got;
	uint32_t value = 5;
	pid_t pid;

	CHECK_RESULT(dvs_bind(&dvs, EP(0), DVS_BIND_PROCESS), 0);
	CHECK_RESULT(dvs_bind(&dvs, EP(1), DVS_BIND_PROCESS), DVS_EBUSY);
	pid = child_fork();
	if (!pid) {
		/* A child has none of its own until it binds. */
		if (dvs_send(&dvs, dvs_address(EP(2)), &value, 4, SOON) != DVS_ENOTBIND)
			_exit(9);
		_exit(echo_process(&dvs, EP(1), true));
	}
	CHECK_RESULT(dvs_receive(&dvs, dvs_address(DVS_ADDR_ANY), 0, &value, 4, &got, SOON), 0);
	CHECK(got.from.ep == EP(1));
	value = 5;
	CHECK_RESULT(dvs_sendrec(&dvs, dvs_address(EP(1)), &value, 4, &value, 4, &got, SOON), 0);
	CHECK(value == 5);
	CHECK(child_status(pid) == 0);
	/* Its end unbound it, though this process holds the file. */
	CHECK_RESULT(dvs_send(&dvs, dvs_address(EP(1)), &value, 4, SOON), DVS_EDSTDIED);
	CHECK_RESULT(dvs_unbind(&dvs), 0);
	dvs_close(&dvs);
}

static void killed(void)
{
	struct dvs dvs = opened();
	struct peer client = { .dvs = &dvs, .op = OP_SENDREC, .to = dvs_address(EP(1)),
			       .timeout_ms = SOON };
	struct dvs_received got;
	uint32_t value;
	pid_t pid;

	CHECK_RESULT(dvs_bind(&dvs, EP(0), DVS_BIND_PROCESS), 0);
	pid = child_fork();
	if (!pid)
		_exit(echo_process(&dvs, EP(1), false));
	CHECK_RESULT(dvs_receive(&dvs, ANY, 0, &value, 4, &got, SOON), 0);
	peer_start(&client);
	peer_wait_asleep(&client);
	kill(pid, SIGKILL);
	CHECK_RESULT(peer_join(&client), DVS_EDSTDIED);
	CHECK(child_status(pid) == -SIGKILL);
	CHECK_RESULT(dvs_unbind(&dvs), 0);
	CHECK_RESULT(dvs_bind(&dvs, EP(1), DVS_BIND_PROCESS), 0);
	CHECK_RESULT(dvs_unbind(&dvs), 0);
	dvs_close(&dvs);
}

static void *thread_binds(void *arg)
{
	struct dvs dvs = *(struct dvs *)arg;
	struct dvs_received got;
	uint32_t value = 0;

	/* Until it binds, its process's endpoint is its own. */
	CHECK_RESULT(dvs_send(&dvs, dvs_address(EP(0)), &value, 4, SOON), DVS_EBADDEST);
	CHECK_RESULT(dvs_bind(&dvs, EP(1), DVS_BIND_THREAD), 0);
	value = 11;
	CHECK_RESULT(dvs_sendrec(&dvs, dvs_address(EP(0)), &value, 4, &value, 4, &got, SOON), 0);
	CHECK(value == 12);
	return NULL;
}

static void threads(void)
{
	struct dvs dvs = opened();
	struct dvs_received got;
	pthread_t thread;
	uint32_t value;

	CHECK_RESULT(dvs_bind(&dvs, EP(0), DVS_BIND_PROCESS), 0);
	CHECK(pthread_create(&thread, NULL, thread_binds, &dvs) == 0);
	CHECK_RESULT(dvs_receive(&dvs, ANY, 0, &value, 4, &got, SOON), 0);
	CHECK(value == 11 && got.from.ep == EP(1));
	value++;
	CHECK_RESULT(dvs_reply(&dvs, got.from, got.token, &value, 4, SOON), 0);
	CHECK(pthread_join(thread, NULL) == 0);
	/* pthread_join returns shortly before the kernel has ended the thread. */
	while (dvs_notify(&dvs, dvs_address(EP(1)), SOON) == 0)
		usleep(1000);
	CHECK_RESULT(dvs_notify(&dvs, dvs_address(EP(1)), SOON), DVS_EDSTDIED);
	CHECK_RESULT(dvs_unbind(&dvs), 0);
	dvs_close(&dvs);
}

int identity_after_exec(int fd, int ep)
{
	struct dvs dvs = { .fd = fd, .id = DVS_ID_TASK };
	uint32_t value = 21;

	return dvs_send(&dvs, dvs_address(ep), &value, sizeof(value), SOON) ? 1 : 0;
}

static void exec_process(struct dvs *dvs)
{
	char fd[16], ep[16];

	if (dvs_bind(dvs, EP(1), DVS_BIND_PROCESS))
		_exit(8);
	fcntl(dvs->fd, F_SETFD, 0);
	snprintf(fd, sizeof(fd), "%d", dvs->fd);
	snprintf(ep, sizeof(ep), "%d", EP(0));
	execl("/proc/self/exe", "dvs-selftest", "--after-exec", fd, ep, NULL);
	_exit(9);
}

static void exec_keeps(void)
{
	struct dvs dvs = opened();
	struct dvs_received got;
	uint32_t value = 0;
	pid_t pid;

	CHECK_RESULT(dvs_bind(&dvs, EP(0), DVS_BIND_PROCESS), 0);
	pid = child_fork();
	if (!pid)
		exec_process(&dvs);
	CHECK_RESULT(dvs_receive(&dvs, ANY, 0, &value, 4, &got, SOON), 0);
	CHECK(value == 21 && got.from.ep == EP(1));
	CHECK(child_status(pid) == 0);
	CHECK_RESULT(dvs_unbind(&dvs), 0);
	dvs_close(&dvs);
}

/* A file's and a process's endpoint over one open file. */
static void both(void)
{
	struct dvs dvs = opened(), process;
	struct dvs_received got;
	uint32_t value;

	CHECK_RESULT(dvs_bind(&dvs, EP(0), DVS_BIND_FILE), 0);
	process = dvs;
	CHECK_RESULT(dvs_bind(&process, EP(1), DVS_BIND_PROCESS), 0);
	CHECK_RESULT(dvs_notify(&process, dvs_address(EP(0)), SOON), 0);
	CHECK_RESULT(dvs_receive(&dvs, ANY, 0, &value, 4, &got, NOWAIT), 0);
	CHECK(got.from.ep == EP(1));
	CHECK_RESULT(dvs_unbind(&process), 0);
	dvs_close(&dvs);
}

void tests_identity(void)
{
	tap_run("fork after open: parent and child", fork_after_open);
	tap_run("a killed process is unbound", killed);
	tap_run("threads with an endpoint and without", threads);
	tap_run("exec keeps the endpoint", exec_keeps);
	tap_run("a file's and a process's endpoint at once", both);
}
