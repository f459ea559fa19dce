// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* libdvk: messages, notifications, copies. */
#include "internal.h"

#include <string.h>

_Static_assert(sizeof(message) == 48, "the message of 64-bit programs");

static __u64 address_of(const void *memory)
{
	return (__u64)(unsigned long)memory;
}

static struct dvs_io io_to(int endpoint, long timeout)
{
	struct dvs_io io = {
		.id = DVS_ID_TASK,
		.ep = endpoint,
		.timeout_ms = dvk_timeout(timeout),
	};

	return io;
}

static void io_send(struct dvs_io *io, const message *m)
{
	io->send_buf = address_of(m);
	io->send_len = sizeof(*m);
}

static void io_receive(struct dvs_io *io, message *m)
{
	io->recv_buf = address_of(m);
	io->recv_len = sizeof(*m);
}

static long io_run(unsigned long request, struct dvs_io *io)
{
	long ret = dvk_call(request, io);

	return ret ? ret : io->result;
}

/* Notifications have no message of their own: this is how the DVS shows them. */
static void message_of_notify(message *m, const struct dvs_io *io)
{
	memset(m, 0, sizeof(*m));
	m->m_type = NOTIFY_FROM(io->from);
	m->NOTIFY_ARG = (int)(__s64)io->token;
	clock_gettime(CLOCK_REALTIME, &m->NOTIFY_TIMESTAMP);
}

/* A native program may have sent less than a message: the rest reads as zeros. */
static void message_fill(message *m, __u32 length)
{
	if (length < sizeof(*m))
		memset((char *)m + length, 0, sizeof(*m) - length);
}

static long io_run_receive(unsigned long request, struct dvs_io *io, message *m)
{
	long ret = io_run(request, io);

	if (ret)
		return ret;
	if (io->came == DVS_CAME_NOTIFY)
		message_of_notify(m, io);
	else
		message_fill(m, io->recv_len);
	m->m_source = io->from;
	return OK;
}

long (dvk_send_T)(int endpoint, message *m, long timeout)
{
	struct dvs_io io = io_to(endpoint, timeout);

	io_send(&io, m);
	return io_run(DVS_IOC_SEND, &io);
}

long (dvk_receive_T)(int endpoint, message *m, long timeout)
{
	struct dvs_io io = io_to(endpoint, timeout);

	io_receive(&io, m);
	return io_run_receive(DVS_IOC_RECEIVE, &io, m);
}

long (dvk_sendrec_T)(int endpoint, message *m, long timeout)
{
	struct dvs_io io = io_to(endpoint, timeout);

	io_send(&io, m);
	io_receive(&io, m);
	return io_run_receive(DVS_IOC_SENDREC, &io, m);
}

long (dvk_rcvrqst_T)(message *m, long timeout)
{
	struct dvs_io io = io_to(ANY, timeout);

	io.flags = DVS_IO_REQUESTS;
	io_receive(&io, m);
	return io_run_receive(DVS_IOC_RECEIVE, &io, m);
}

long (dvk_reply_T)(int endpoint, message *m, long timeout)
{
	struct dvs_io io = io_to(endpoint, timeout);

	io_send(&io, m);
	return io_run(DVS_IOC_REPLY, &io);
}

/* The client is the one that the message names, as it does since it was received. */
long (dvk_relay)(int endpoint, message *m)
{
	struct dvs_io io = io_to(endpoint, TIMEOUT_FOREVER);

	if (!m)
		return EDVSFAULT;
	io.from = m->m_source;
	io_send(&io, m);
	return io_run(DVS_IOC_RELAY, &io);
}

/*
 * To notify in the name of another endpoint is privileged, so the caller's own
 * number is none. Hardware notifies a DC, which stands in place of the value.
 */
long dvk_notify_X(int nr, int endpoint, int value)
{
	struct dvs_io io = io_to(endpoint, TIMEOUT_FOREVER);
	struct dvs_info info;
	int own = SELF;
	long ret = OK;

	if (nr == HARDWARE)
		ret = dvk_info_of(value, &info);
	else if (nr != SELF)
		ret = dvk_own(&own);
	if (ret)
		return ret;
	if (nr != SELF && nr != own) {
		io.flags |= DVS_IO_SOURCE;
		io.from = nr;
	}
	if (nr != HARDWARE && value != HARDWARE) {
		io.flags |= DVS_IO_VALUE;
		io.token = (__u64)(__s64)value;
	}
	return io_run(DVS_IOC_NOTIFY, &io);
}

/* 0: what the reference's own programs take for success, as they do the number of bytes. */
long dvk_vcopy(int src_ep, void *src_addr, int dst_ep, void *dst_addr, int bytes)
{
	struct dvs_copy copy = {
		.id = DVS_ID_TASK,
		.src_addr = address_of(src_addr),
		.dst_addr = address_of(dst_addr),
		.bytes = bytes > 0 ? (__u64)bytes : 0,
		.timeout_ms = DVS_TIMEOUT_FOREVER,
	};
	long ret = dvk_resolve(&src_ep);

	if (!ret)
		ret = dvk_resolve(&dst_ep);
	if (ret)
		return ret;
	/* The driver would cut it; a caller without an endpoint is told that first. */
	if (bytes > MAXCOPYLEN) {
		ret = dvk_own(&src_ep);
		return ret ? ret : EDVS2BIG;
	}
	copy.src = src_ep;
	copy.dst = dst_ep;
	ret = dvk_call(DVS_IOC_COPY, &copy);
	return ret ? ret : copy.result;
}

long dvk_wakeup(int dcid, int endpoint)
{
	struct dvs_wakeup wakeup = { .ep = endpoint, .id = DVS_ID_TASK };
	struct dvs_info info;
	long ret = dvk_info_of(dcid, &info);

	if (!ret)
		ret = dvk_call(DVS_IOC_WAKEUP, &wakeup);
	return ret ? ret : wakeup.result;
}
