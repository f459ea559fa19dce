// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: time-outs, no wait, signals, poll. */
#include "selftest.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

static void nowait(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer receiver = { .dvs = &b, .op = OP_RECEIVE, .to = ANY, .timeout_ms = SOON };
	struct dvs_received got;
	uint32_t value = 7;

	CHECK_RESULT(dvs_receive(&a, ANY, 0, &value, 4, &got, NOWAIT), DVS_EAGAIN);
	CHECK_RESULT(dvs_send(&a, dvs_address(EP(1)), &value, 4, NOWAIT), DVS_EAGAIN);
	CHECK_RESULT(dvs_sendrec(&a, dvs_address(EP(1)), &value, 4, &value, 4, &got, NOWAIT),
		     DVS_EAGAIN);
	peer_start(&receiver);
	peer_wait_asleep(&receiver);
	CHECK_RESULT(dvs_send(&a, dvs_address(EP(1)), &value, 4, NOWAIT), 0);
	CHECK_RESULT(peer_join(&receiver), 0);
	CHECK(receiver.got == 7);
	dvs_close(&a);
	dvs_close(&b);
}

static void nonblocking_file(void)
{
	struct dvs_received got;
	struct dvs dvs;
	uint32_t value;

	CHECK_RESULT(dvs_open(&dvs, O_NONBLOCK), 0);
	CHECK_RESULT(dvs_bind(&dvs, EP(0), DVS_BIND_FILE), 0);
	CHECK_RESULT(dvs_receive(&dvs, ANY, 0, &value, 4, &got, FOREVER), DVS_EAGAIN);
	dvs_close(&dvs);
}

/* Not before the time, and soon after it. */
static void check_time(int64_t start, int64_t timeout)
{
	int64_t took = now_ms() - start;

	tap_check(took >= timeout && took < timeout + 1000, __FILE__, __LINE__,
		  "a time-out of %lld ms took %lld ms", (long long)timeout, (long long)took);
}

static void timeouts(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct dvs_received got;
	uint32_t value = 0;
	int64_t start;

	start = now_ms();
	CHECK_RESULT(dvs_receive(&a, ANY, 0, &value, 4, &got, 30), DVS_ETIMEDOUT);
	check_time(start, 30);
	start = now_ms();
	CHECK_RESULT(dvs_send(&a, dvs_address(EP(1)), &value, 4, 30), DVS_ETIMEDOUT);
	check_time(start, 30);
	start = now_ms();
	CHECK_RESULT(dvs_sendrec(&a, dvs_address(EP(1)), &value, 4, &value, 4, &got, 30),
		     DVS_ETIMEDOUT);
	check_time(start, 30);
	/* What timed out is not delivered later. */
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, NOWAIT), DVS_EAGAIN);
	dvs_close(&a);
	dvs_close(&b);
}

static void on_signal(int number)
{
	(void)number;
}

static void signal_soon(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct itimerval timer = { .it_value.tv_usec = 30000 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void interrupted(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct dvs_received got;
	uint32_t value = 0;

	signal_soon();
	CHECK_RESULT(dvs_receive(&a, ANY, 0, &value, 4, &got, FOREVER), DVS_EINTR);
	signal_soon();
	CHECK_RESULT(dvs_send(&a, dvs_address(EP(1)), &value, 4, FOREVER), DVS_EINTR);
	signal_soon();
	CHECK_RESULT(dvs_sendrec(&a, dvs_address(EP(1)), &value, 4, &value, 4, &got, FOREVER),
		     DVS_EINTR);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, NOWAIT), DVS_EAGAIN);
	dvs_close(&a);
	dvs_close(&b);
}

static short polled(const struct dvs *dvs, int timeout)
{
	struct pollfd fd = { .fd = dvs->fd, .events = POLLIN };

	CHECK(poll(&fd, 1, timeout) >= 0);
	return fd.revents;
}

static void readiness(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer sender = { .dvs = &a, .op = OP_SEND, .to = dvs_address(EP(1)),
			       .timeout_ms = SOON };
	struct dvs_received got;
	uint32_t value;

	CHECK(polled(&b, 0) == 0);
	peer_start(&sender);
	CHECK(polled(&b, SOON) == POLLIN);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, NOWAIT), 0);
	CHECK_RESULT(peer_join(&sender), 0);
	CHECK(polled(&b, 0) == 0);
	CHECK_RESULT(dvs_notify(&a, dvs_address(EP(1)), SOON), 0);
	CHECK(polled(&b, 0) == POLLIN);
	dvs_close(&a);
	dvs_close(&b);
}

/* The file is watched before it has an endpoint, and the event comes while epoll waits. */
static void epoll(void)
{
	struct dvs a = bound(EP(0)), b;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct peer sender = { .dvs = &a, .op = OP_SEND, .to = dvs_address(EP(1)),
			       .timeout_ms = SOON };
	struct dvs_received got;
	int fd = epoll_create1(0);
	uint32_t value;

	CHECK_RESULT(dvs_open(&b, 0), 0);
	CHECK(epoll_ctl(fd, EPOLL_CTL_ADD, b.fd, &event) == 0);
	CHECK(epoll_wait(fd, &event, 1, 0) == 0);
	CHECK_RESULT(dvs_bind(&b, EP(1), DVS_BIND_FILE), 0);
	peer_start(&sender);
	CHECK(epoll_wait(fd, &event, 1, SOON) == 1);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, NOWAIT), 0);
	CHECK_RESULT(peer_join(&sender), 0);
	close(fd);
	dvs_close(&a);
	dvs_close(&b);
}

void tests_waits(void)
{
	tap_run("no wait", nowait);
	tap_run("a receive on a non-blocking file", nonblocking_file);
	tap_run("time-outs", timeouts);
	tap_run("a signal interrupts", interrupted);
	tap_run("poll", readiness);
	tap_run("epoll, edge-triggered, before the bind", epoll);
}
