// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: the calls by io_uring, without a library. */
#define _GNU_SOURCE
#include "selftest.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES	16

struct ring {
	int fd;
	struct io_uring_params params;
	uint8_t *rings;
	struct io_uring_sqe *sqes;
};

static uint32_t *word(const struct ring *ring, uint32_t offset)
{
	return (uint32_t *)(ring->rings + offset);
}

static bool ring_open(struct ring *ring)
{
	size_t size;

	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &ring->params);
	if (ring->fd < 0)
		return false;
	size = ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
	ring->rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			   ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, ENTRIES * sizeof(*ring->sqes), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	return ring->rings != MAP_FAILED && ring->sqes != MAP_FAILED;
}

static void submit(struct ring *ring, const struct dvs *dvs, unsigned long call,
		   struct dvs_io *io)
{
	uint32_t tail = *word(ring, ring->params.sq_off.tail), index = tail % ENTRIES;
	uint64_t address = (uintptr_t)io;
	struct io_uring_sqe *sqe = &ring->sqes[index];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = dvs->fd;
	sqe->cmd_op = (uint32_t)call;
	sqe->user_data = address;
	memcpy(sqe->cmd, &address, sizeof(address));
	word(ring, ring->params.sq_off.array)[index] = index;
	__atomic_store_n(word(ring, ring->params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	CHECK(syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1);
}

/* The next that is complete; NULL: none is, and `wait` is false. */
static struct dvs_io *complete(struct ring *ring, bool wait, int *result)
{
	uint32_t *head = word(ring, ring->params.cq_off.head);
	const struct io_uring_cqe *cqe;
	struct dvs_io *io;

	syscall(SYS_io_uring_enter, ring->fd, 0, wait, IORING_ENTER_GETEVENTS, NULL, 0);
	if (*head == __atomic_load_n(word(ring, ring->params.cq_off.tail), __ATOMIC_ACQUIRE))
		return NULL;
	cqe = (struct io_uring_cqe *)(ring->rings + ring->params.cq_off.cqes) +
	      *head % ring->params.cq_entries;
	*result = cqe->res;
	io = (struct dvs_io *)(uintptr_t)cqe->user_data;
	/* The kernel may write there from here on. */
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return io;
}

static struct dvs_io receive_any(uint32_t *value, int64_t timeout_ms)
{
	struct dvs_io io = {
		.ep = DVS_ADDR_ANY, .timeout_ms = timeout_ms,
		.recv_buf = (uintptr_t)value, .recv_len = sizeof(*value),
	};

	return io;
}

static void batch(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	uint32_t sent[4] = { 1, 2, 3, 4 }, got[4] = { 0 }, sum = 0;
	struct dvs_io sends[4], receives[4];
	struct ring ring;
	int i, result;

	CHECK(ring_open(&ring));
	for (i = 0; i < 4; i++) {
		receives[i] = receive_any(&got[i], FOREVER);
		submit(&ring, &b, DVS_IOC_RECEIVE, &receives[i]);
	}
	CHECK(!complete(&ring, false, &result));
	for (i = 0; i < 4; i++) {
		sends[i] = (struct dvs_io){ .ep = EP(1), .timeout_ms = SOON,
					    .send_buf = (uintptr_t)&sent[i], .send_len = 4 };
		submit(&ring, &a, DVS_IOC_SEND, &sends[i]);
	}
	for (i = 0; i < 8; i++) {
		struct dvs_io *io = complete(&ring, true, &result);

		CHECK(io && result == 0);
		CHECK(io && io->result == DVS_OK);
	}
	for (i = 0; i < 4; i++) {
		sum += got[i];
		CHECK(receives[i].from == EP(0) && receives[i].came == DVS_CAME_MESSAGE);
	}
	CHECK(sum == 10);
	close(ring.fd);
	dvs_close(&a);
	dvs_close(&b);
}

/* The endpoint of the test is given up, soon. */
static void check_over(void)
{
	struct dvs dvs;

	CHECK_RESULT(dvs_open(&dvs, 0), 0);
	CHECK_RESULT(dvs_await(&dvs, DVS_AWAIT_UNBIND, EP(0), NULL, SOON), 0);
	dvs_close(&dvs);
}

static void ends(void)
{
	struct dvs a = bound(EP(0));
	struct dvs_io io, bad = { .id = 9 };
	struct ring ring;
	uint32_t value;
	int result = 0;

	CHECK(ring_open(&ring));
	io = receive_any(&value, 50);
	submit(&ring, &a, DVS_IOC_RECEIVE, &io);
	CHECK(complete(&ring, true, &result) == &io);
	CHECK(result == 0 && io.result == DVS_ETIMEDOUT);
	io = receive_any(&value, NOWAIT);
	submit(&ring, &a, DVS_IOC_RECEIVE, &io);
	CHECK(complete(&ring, true, &result) == &io);
	CHECK(result == 0 && io.result == DVS_EAGAIN);
	submit(&ring, &a, DVS_IOC_RECEIVE, &bad);
	CHECK(complete(&ring, true, &result) == &bad && result == -EINVAL);
	submit(&ring, &a, DVS_IOC_BIND, &io);
	CHECK(complete(&ring, true, &result) == &io && result == -ENOTTY);
	submit(&ring, &a, DVS_IOC_RECEIVE, NULL);
	CHECK(!complete(&ring, true, &result) && result == -EFAULT);
	/* A close ends what waits, and gives the endpoint up. */
	io = receive_any(&value, FOREVER);
	submit(&ring, &a, DVS_IOC_RECEIVE, &io);
	dvs_close(&a);
	CHECK(complete(&ring, true, &result) == &io);
	CHECK(result == 0 && io.result == DVS_EINTR);
	check_over();
	a = bound(EP(0));
	/* So does that of the ring. */
	io = receive_any(&value, FOREVER);
	submit(&ring, &a, DVS_IOC_RECEIVE, &io);
	close(ring.fd);
	dvs_close(&a);
	check_over();
}

/* Neither an exit nor an exec is kept by what its program waits for. */
static void leaves(bool exec)
{
	int64_t start = now_ms();
	pid_t pid = child_fork();

	if (!pid) {
		struct dvs a = bound(EP(0));
		struct ring ring;
		uint32_t value;
		struct dvs_io io = receive_any(&value, FOREVER);

		if (!ring_open(&ring))
			_exit(1);
		submit(&ring, &a, DVS_IOC_RECEIVE, &io);
		if (exec)
			/* Two numbers are one too many: it says so and ends. */
			execl("/proc/self/exe", "dvs-selftest", "1", "2", NULL);
		_exit(0);
	}
	CHECK(child_status(pid) == (exec ? 2 : 0));
	CHECK(now_ms() - start < SOON);
	check_over();
}

static void exits(void)
{
	leaves(false);
}

static void execs(void)
{
	leaves(true);
}

/* Not every kernel that the driver runs on has an io_uring that it can serve. */
static bool supported(void)
{
	struct dvs a = bound(EP(0));
	uint32_t value;
	struct dvs_io io = receive_any(&value, NOWAIT);
	struct ring ring;
	int result = -EOPNOTSUPP;

	if (ring_open(&ring)) {
		submit(&ring, &a, DVS_IOC_RECEIVE, &io);
		complete(&ring, true, &result);
		close(ring.fd);
	}
	dvs_close(&a);
	return result != -EOPNOTSUPP;
}

void tests_uring(void)
{
	if (!supported()) {
		printf("# this kernel has no io_uring for the driver: its calls are not tested\n");
		return;
	}
	tap_run("a batch by io_uring", batch);
	tap_run("ends of calls by io_uring", ends);
	tap_run("an exit with calls by io_uring", exits);
	tap_run("an exec with calls by io_uring", execs);
}
