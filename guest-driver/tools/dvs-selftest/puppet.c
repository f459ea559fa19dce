// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: the puppet: it forks actors and hands them orders. */
#define _GNU_SOURCE
#include "actor.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ACTORS_MAX	16
/* Bounds every wait of a test that went wrong. */
#define PATIENCE_MS	30000

struct hand {
	pid_t pid;		/* 0: not hired */
	int fd;			/* orders there, reports back */
	bool busy;		/* a call was started and not waited for */
	uint64_t area;
};

static struct hand hands[ACTORS_MAX];

/* ---- in the actor's process ---- */

static bool is_io(uint32_t request)
{
	return _IOC_SIZE(request) == sizeof(struct dvs_io) && _IOC_NR(request) >= 3 &&
	       _IOC_NR(request) <= 9;
}

/* Puts the buffers of this process into the structure. */
static void place_buffers(const struct order *order, struct report *report)
{
	struct dvs_io *io = (struct dvs_io *)report->args;

	if (!is_io(order->ioctl))
		return;
	io->send_buf = io->send_len ? (uintptr_t)order->text : 0;
	io->recv_buf = io->recv_len ? (uintptr_t)report->text : 0;
}

static void area_order(uint64_t *area, const struct order *order, struct report *report)
{
	struct area_order what;
	uint64_t i;

	memcpy(&what, order->args, sizeof(what));
	if (what.offset % 8 || what.bytes > AREA_SIZE || what.offset > AREA_SIZE - what.bytes) {
		report->error = EINVAL;
		return;
	}
	for (i = what.offset / 8; i < (what.offset + what.bytes) / 8; i++) {
		if (order->what == ORDER_FILL)
			area[i] = i * 8 - what.offset + what.seed;
		else if (area[i] != i * 8 - what.offset + what.seed)
			report->error = EILSEQ;
	}
}

static void act(int fd, int dvs, uint64_t *area)
{
	struct report report;
	struct order order;

	while (read(fd, &order, sizeof(order)) == sizeof(order)) {
		memset(&report, 0, sizeof(report));
		if (order.what == ORDER_FILL || order.what == ORDER_SUM) {
			area_order(area, &order, &report);
		} else {
			memcpy(report.args, order.args, sizeof(report.args));
			place_buffers(&order, &report);
			if (ioctl(dvs, order.ioctl, report.args))
				report.error = errno;
		}
		if (write(fd, &report, sizeof(report)) != sizeof(report))
			break;
	}
	_exit(0);
}

/* ---- in the puppet's process ---- */

static void hire(struct report *report)
{
	uint64_t *area = mmap(NULL, AREA_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct dvs dvs = { .fd = -1 };
	struct hand *hand = hands;
	int fds[2];

	while (hand < hands + ACTORS_MAX && hand->pid)
		hand++;
	if (hand == hands + ACTORS_MAX || area == MAP_FAILED || dvs_open(&dvs, 0) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds)) {
		report->error = ENOMEM;
		return;
	}
	hand->pid = child_fork();
	if (!hand->pid) {
		close(fds[0]);
		act(fds[1], dvs.fd, area);
	}
	/* The file is the actor's alone: with its end the endpoint goes. */
	dvs_close(&dvs);
	munmap(area, AREA_SIZE);
	close(fds[1]);
	hand->fd = fds[0];
	hand->busy = false;
	report->actor = (uint32_t)(hand - hands);
	report->area = (uintptr_t)area;
	report->pid = hand->pid;
}

static void take_report(struct hand *hand, struct report *report)
{
	struct pollfd poll_fd = { .fd = hand->fd, .events = POLLIN };

	hand->busy = false;
	if (poll(&poll_fd, 1, PATIENCE_MS) != 1)
		report->error = ETIMEDOUT;
	else if (read(hand->fd, report, sizeof(*report)) != sizeof(*report))
		report->error = EPIPE;
}

static void give_order(struct hand *hand, const struct order *order, struct report *report)
{
	if (hand->busy)
		report->error = EBUSY;
	else if (write(hand->fd, order, sizeof(*order)) != sizeof(*order))
		report->error = EPIPE;
	else
		hand->busy = true;
}

/* Sleeps in ioctl (system call 16 of x86-64), or its report is there. */
static bool settled(const struct hand *hand)
{
	struct pollfd poll_fd = { .fd = hand->fd, .events = POLLIN };
	char path[32], line[8] = "";
	FILE *file;

	if (poll(&poll_fd, 1, 0) == 1)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/syscall", hand->pid);
	file = fopen(path, "r");
	if (!file)
		return true;
	if (!fgets(line, sizeof(line), file))
		line[0] = 0;
	fclose(file);
	return !strncmp(line, "16 ", 3);
}

static void wait_asleep(const struct hand *hand, struct report *report)
{
	int64_t end = now_ms() + PATIENCE_MS;

	while (!settled(hand)) {
		if (now_ms() > end) {
			report->error = ETIMEDOUT;
			return;
		}
		sched_yield();
	}
}

static void fire(struct hand *hand)
{
	kill(hand->pid, SIGKILL);
	child_status(hand->pid);
	close(hand->fd);
	hand->pid = 0;
}

static void obey(const struct order *order, struct report *report)
{
	struct hand *hand = &hands[order->actor % ACTORS_MAX];

	if (order->what == ORDER_HIRE) {
		hire(report);
		return;
	}
	if (!hand->pid) {
		report->error = ESRCH;
		return;
	}
	switch (order->what) {
	case ORDER_START:
		give_order(hand, order, report);
		break;
	case ORDER_FILL:
	case ORDER_SUM:
		give_order(hand, order, report);
		if (!report->error)
			take_report(hand, report);
		break;
	case ORDER_ASLEEP:
		wait_asleep(hand, report);
		break;
	case ORDER_WAIT:
		take_report(hand, report);
		break;
	case ORDER_KILL:
		fire(hand);
		break;
	default:
		report->error = EINVAL;
	}
}

int puppet_run(int ep)
{
	struct dvs dvs = bound(ep);
	struct dvs_received got;
	struct report report;
	struct order order;
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	printf("puppet at endpoint %d\n", ep);
	fflush(stdout);
	do {
		if (dvs_receive(&dvs, ANY, DVS_IO_REQUESTS, &order, sizeof(order), &got, FOREVER))
			return 2;
		memset(&report, 0, sizeof(report));
		if (got.length != sizeof(order))
			report.error = EINVAL;
		else if (order.what != ORDER_END)
			obey(&order, &report);
		dvs_reply(&dvs, got.from, got.token, &report, sizeof(report), SOON);
	} while (got.length != sizeof(order) || order.what != ORDER_END);
	for (i = 0; i < ACTORS_MAX; i++)
		if (hands[i].pid)
			fire(&hands[i]);
	return 0;
}
