// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: what programs should not say to the driver. */
#include "selftest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOWHERE		((void *)8)
#define KERNEL		0xffff888000000000ull

static int failure(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) ? errno : 0;
}

static const unsigned long io_calls[] = {
	DVS_IOC_SEND, DVS_IOC_RECEIVE, DVS_IOC_SENDREC, DVS_IOC_REPLY, DVS_IOC_NOTIFY,
	DVS_IOC_RELAY, DVS_IOC_REPLY_RECEIVE,
};

static void unknown_calls(void)
{
	struct dvs dvs = bound(EP(0));
	char space[256] = { 0 };

	CHECK(failure(dvs.fd, _IOWR(DVS_IOC_MAGIC, 200, struct dvs_io), space) == ENOTTY);
	CHECK(failure(dvs.fd, _IOWR(0x12, 3, struct dvs_io), space) == ENOTTY);
	/* The right number with another size is another call. */
	CHECK(failure(dvs.fd, _IOWR(DVS_IOC_MAGIC, 3, char[16]), space) == ENOTTY);
	CHECK(failure(dvs.fd, _IOR(DVS_IOC_MAGIC, 0, char[65]), space) == ENOTTY);
	CHECK(read(dvs.fd, space, 1) == -1 && errno == EINVAL);
	CHECK(write(dvs.fd, space, 1) == -1 && errno == EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, dvs.fd, 0) == MAP_FAILED);
	dvs_close(&dvs);
}

static void bad_addresses(void)
{
	struct dvs dvs = bound(EP(0));
	void *bad[] = { NULL, NOWHERE, (void *)KERNEL };
	size_t i, n;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(failure(dvs.fd, DVS_IOC_INFO, bad[i]) == EFAULT);
		CHECK(failure(dvs.fd, DVS_IOC_BIND, bad[i]) == EFAULT);
		CHECK(failure(dvs.fd, DVS_IOC_UNBIND, bad[i]) == EFAULT);
		for (n = 0; n < sizeof(io_calls) / sizeof(io_calls[0]); n++)
			CHECK(failure(dvs.fd, io_calls[n], bad[i]) == EFAULT);
	}
	dvs_close(&dvs);
}

static void bad_buffers(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer sender = { .dvs = &b, .op = OP_SEND, .to = dvs_address(EP(0)),
			       .value = 3, .timeout_ms = SOON };
	struct dvs_received got;
	uint32_t value = 0;

	CHECK_RESULT(dvs_send(&a, dvs_address(EP(1)), NOWHERE, 4, SOON), -EFAULT);
	CHECK_RESULT(dvs_send(&a, dvs_address(EP(1)), (void *)KERNEL, 4, SOON), -EFAULT);
	peer_start(&sender);
	peer_wait_asleep(&sender);
	CHECK_RESULT(dvs_receive(&a, ANY, 0, NOWHERE, 4, &got, SOON), -EFAULT);
	CHECK_RESULT(dvs_receive(&a, ANY, 0, (void *)KERNEL, 4, &got, SOON), -EFAULT);
	/* The message is still there. */
	CHECK_RESULT(dvs_receive(&a, ANY, 0, &value, 4, &got, SOON), 0);
	CHECK(value == 3);
	CHECK_RESULT(peer_join(&sender), 0);
	dvs_close(&a);
	dvs_close(&b);
}

static void check_io(const struct dvs *dvs, unsigned long call, struct dvs_io io)
{
	tap_check(failure(dvs->fd, call, &io) == EINVAL, __FILE__, __LINE__,
		  "call %lu of a bad structure: not EINVAL", call & 0xff);
}

static void bad_fields(void)
{
	struct dvs dvs = bound(EP(0));
	char byte[4];
	size_t n;

	for (n = 0; n < sizeof(io_calls) / sizeof(io_calls[0]); n++) {
		const struct dvs_io good = { .ep = EP(1) };
		unsigned long call = io_calls[n];
		struct dvs_io io;

#define BAD(field, value) do { io = good; io.field = (value); check_io(&dvs, call, io); } while (0)
		BAD(id, 2);
		BAD(flags, 0x80000000);
		BAD(timeout_ms, -2);
		BAD(timeout_ms, INT64_MIN);
		BAD(reserved[0], 1);
		BAD(reserved[1], 1);
		if (call != DVS_IOC_RECEIVE && call != DVS_IOC_REPLY_RECEIVE)
			BAD(flags, DVS_IO_REQUESTS);
		if (call != DVS_IOC_NOTIFY)
			BAD(flags, DVS_IO_VALUE);
		if (call == DVS_IOC_SEND || call == DVS_IOC_SENDREC || call == DVS_IOC_NOTIFY)
			BAD(token, 1);
		if (call == DVS_IOC_RECEIVE || call == DVS_IOC_NOTIFY) {
			BAD(send_buf, (uintptr_t)byte);
			BAD(send_len, 1);
		}
		if (call != DVS_IOC_RECEIVE && call != DVS_IOC_SENDREC &&
		    call != DVS_IOC_REPLY_RECEIVE) {
			BAD(recv_buf, (uintptr_t)byte);
			BAD(recv_len, 1);
		}
#undef BAD
	}
	dvs_close(&dvs);
}

static void bad_binds(void)
{
	struct dvs_bind bind = { .ep = EP(0), .owner = 4 };
	struct dvs_unbind unbind = { .id = 3 };
	struct dvs dvs;

	CHECK_RESULT(dvs_open(&dvs, 0), 0);
	CHECK(failure(dvs.fd, DVS_IOC_BIND, &bind) == EINVAL);
	bind.owner = DVS_BIND_FILE;
	bind.reserved = 1;
	CHECK(failure(dvs.fd, DVS_IOC_BIND, &bind) == EINVAL);
	bind.reserved = 0;
	bind.pid = 1;
	CHECK(failure(dvs.fd, DVS_IOC_BIND, &bind) == EINVAL);
	bind.pid = 0;
	bind.flags = 0x4;
	CHECK(failure(dvs.fd, DVS_IOC_BIND, &bind) == EINVAL);
	CHECK(failure(dvs.fd, DVS_IOC_UNBIND, &unbind) == EINVAL);
	unbind.id = DVS_ID_FILE;
	unbind.ep = 1;
	CHECK(failure(dvs.fd, DVS_IOC_UNBIND, &unbind) == EINVAL);
	dvs_close(&dvs);
}

/* Random structures: any answer will do, but no harm. */
static void noise(void)
{
	struct dvs dvs = bound(EP(0));
	unsigned int seed = 1, i, n;
	struct dvs_io io;

	for (i = 0; i < 20000; i++) {
		uint8_t *bytes = (uint8_t *)&io;

		memset(&io, 0, sizeof(io));
		for (n = 0; n < 6; n++)
			bytes[(unsigned int)rand_r(&seed) % sizeof(io)] = (uint8_t)rand_r(&seed);
		/* It must not wait. */
		io.timeout_ms = DVS_TIMEOUT_NOWAIT;
		ioctl(dvs.fd, io_calls[i % (sizeof(io_calls) / sizeof(io_calls[0]))], &io);
	}
	CHECK_RESULT(dvs_unbind(&dvs), 0);
	dvs_close(&dvs);
}

void tests_input(void)
{
	tap_run("unknown calls and sizes", unknown_calls);
	tap_run("structures that are not there", bad_addresses);
	tap_run("buffers that are not there", bad_buffers);
	tap_run("reserved and unused fields", bad_fields);
	tap_run("bind and unbind with bad fields", bad_binds);
	tap_run("20000 random structures", noise);
}
