// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: what arrives, in what order. */
#include "selftest.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void send_receive(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer receiver = { .dvs = &b, .op = OP_RECEIVE, .to = ANY, .timeout_ms = SOON };
	uint32_t value = 4711;

	peer_start(&receiver);
	CHECK_RESULT(dvs_send(&a, dvs_address(EP(1)), &value, sizeof(value), SOON), 0);
	CHECK_RESULT(peer_join(&receiver), 0);
	CHECK(receiver.got == value && receiver.received.length == sizeof(value));
	CHECK(receiver.received.came == DVS_CAME_MESSAGE);
	CHECK(receiver.received.from.ep == EP(0));
	CHECK(receiver.received.from.generation == a.generation);
	dvs_close(&a);
	dvs_close(&b);
}

static void request_reply(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer client = { .dvs = &a, .op = OP_SENDREC, .to = dvs_address(EP(1)),
			       .value = 1, .timeout_ms = SOON };
	struct dvs_received got;
	uint32_t value;

	peer_start(&client);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, sizeof(value), &got, SOON), 0);
	CHECK(value == 1 && got.came == DVS_CAME_REQUEST && got.from.ep == EP(0));
	value = 2;
	CHECK_RESULT(dvs_reply(&b, got.from, got.token, &value, sizeof(value), SOON), 0);
	CHECK_RESULT(peer_join(&client), 0);
	CHECK(client.got == 2 && client.received.came == DVS_CAME_REPLY);
	CHECK(client.received.from.ep == EP(1));
	/* A request is answered once. */
	CHECK_RESULT(dvs_reply(&b, got.from, got.token, &value, sizeof(value), SOON),
		     DVS_EPROCSTS);
	dvs_close(&a);
	dvs_close(&b);
}

/* As the reference has it: a send to who waits in sendrec is the reply. */
static void send_is_reply(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer client = { .dvs = &a, .op = OP_SENDREC, .to = dvs_address(EP(1)),
			       .timeout_ms = SOON };
	struct dvs_received got;
	uint32_t value;

	peer_start(&client);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, sizeof(value), &got, SOON), 0);
	value = 3;
	CHECK_RESULT(dvs_send(&b, dvs_address(EP(0)), &value, sizeof(value), SOON), 0);
	CHECK_RESULT(peer_join(&client), 0);
	CHECK(client.got == 3);
	dvs_close(&a);
	dvs_close(&b);
}

static void sizes(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	static const uint32_t lengths[] = { 0, 1, 47, MESSAGE_MAX };
	uint8_t out[MESSAGE_MAX + 1], in[MESSAGE_MAX];
	struct dvs_received got;
	struct peer client;
	size_t i;

	memset(out, 0xa5, sizeof(out));
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		client = (struct peer){ .dvs = &a, .op = OP_SENDREC, .to = dvs_address(EP(1)),
					.timeout_ms = SOON };
		peer_start(&client);
		CHECK_RESULT(dvs_receive(&b, ANY, 0, in, sizeof(in), &got, SOON), 0);
		CHECK_RESULT(dvs_reply(&b, got.from, got.token, out, lengths[i], SOON), 0);
		CHECK_RESULT(peer_join(&client), 0);
		CHECK(client.received.length == lengths[i]);
	}
	CHECK_RESULT(dvs_send(&a, dvs_address(EP(1)), out, MESSAGE_MAX + 1, SOON), DVS_EMSGSIZE);
	CHECK_RESULT(dvs_send(&a, dvs_address(EP(1)), out, UINT32_MAX, SOON), DVS_EMSGSIZE);
	dvs_close(&a);
	dvs_close(&b);
}

static void cut_to_fit(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer sender = { .dvs = &a, .op = OP_SEND, .to = dvs_address(EP(1)),
			       .value = 0x01020304, .timeout_ms = SOON };
	uint8_t in[4] = { 9, 9, 9, 9 };
	struct dvs_received got;

	peer_start(&sender);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, in, 2, &got, SOON), 0);
	CHECK(got.length == 4 && in[0] == 4 && in[1] == 3 && in[2] == 9);
	CHECK_RESULT(peer_join(&sender), 0);
	dvs_close(&a);
	dvs_close(&b);
}

static void notifications(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1)), c = bound(EP(2));
	struct peer sender = { .dvs = &a, .op = OP_SEND, .to = dvs_address(EP(1)),
			       .timeout_ms = SOON };
	struct dvs_received got;
	uint32_t value;

	peer_start(&sender);
	peer_wait_asleep(&sender);
	CHECK_RESULT(dvs_notify(&c, dvs_address(EP(1)), SOON), 0);
	CHECK_RESULT(dvs_notify(&c, dvs_address(EP(1)), SOON), 0);
	/* Before messages, and twice is once. */
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, sizeof(value), &got, SOON), 0);
	CHECK(got.came == DVS_CAME_NOTIFY && got.from.ep == EP(2) && got.length == 0);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, sizeof(value), &got, SOON), 0);
	CHECK(got.came == DVS_CAME_MESSAGE);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, sizeof(value), &got, NOWAIT), DVS_EAGAIN);
	CHECK_RESULT(peer_join(&sender), 0);
	dvs_close(&a);
	dvs_close(&b);
	dvs_close(&c);
}

/* Who is asked for comes, whoever else waits; the others stay in their order. */
static void filters(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1)), c = bound(EP(2)), d = bound(EP(3));
	struct peer first = { .dvs = &a, .op = OP_SEND, .to = dvs_address(EP(3)),
			      .value = 1, .timeout_ms = SOON };
	struct peer second = { .dvs = &b, .op = OP_SENDREC, .to = dvs_address(EP(3)),
			       .value = 2, .timeout_ms = SOON };
	struct peer third = { .dvs = &c, .op = OP_SEND, .to = dvs_address(EP(3)),
			      .value = 3, .timeout_ms = SOON };
	struct dvs_received got;
	uint32_t value;

	peer_start(&first);
	peer_wait_asleep(&first);
	peer_start(&second);
	peer_wait_asleep(&second);
	peer_start(&third);
	peer_wait_asleep(&third);
	CHECK_RESULT(dvs_receive(&d, dvs_address(EP(2)), 0, &value, 4, &got, SOON), 0);
	CHECK(value == 3);
	CHECK_RESULT(dvs_receive(&d, ANY, DVS_IO_REQUESTS, &value, 4, &got, SOON), 0);
	CHECK(value == 2 && got.came == DVS_CAME_REQUEST);
	CHECK_RESULT(dvs_receive(&d, ANY, DVS_IO_REQUESTS, &value, 4, &got, NOWAIT), DVS_EAGAIN);
	CHECK_RESULT(dvs_receive(&d, ANY, 0, &value, 4, &got, SOON), 0);
	CHECK(value == 1);
	/* Without its token: the oldest open request. */
	CHECK_RESULT(dvs_reply(&d, dvs_address(EP(1)), 0, &value, 4, SOON), 0);
	CHECK_RESULT(peer_join(&first), 0);
	CHECK_RESULT(peer_join(&second), 0);
	CHECK_RESULT(peer_join(&third), 0);
	dvs_close(&a);
	dvs_close(&b);
	dvs_close(&c);
	dvs_close(&d);
}

static int client_process(int count)
{
	struct dvs_received got;
	struct dvs dvs;
	uint32_t i, value;

	if (dvs_open(&dvs, 0) || dvs_bind(&dvs, EP(1), DVS_BIND_FILE))
		return 1;
	for (i = 0; i < (uint32_t)count; i++) {
		if (dvs_sendrec(&dvs, dvs_address(EP(0)), &i, 4, &value, 4, &got, SOON))
			return 2;
		if (value != ~i)
			return 3;
	}
	return 0;
}

static void two_processes(void)
{
	struct dvs server = bound(EP(0));
	struct dvs_received got;
	uint32_t i, value = 0;
	pid_t pid = child_fork();

	if (!pid)
		_exit(client_process(1000));
	for (i = 0; i < 1000; i++) {
		CHECK_RESULT(dvs_receive(&server, ANY, 0, &value, 4, &got, SOON), 0);
		CHECK(value == i);
		value = ~value;
		CHECK_RESULT(dvs_reply(&server, got.from, got.token, &value, 4, SOON), 0);
	}
	CHECK(child_status(pid) == 0);
	dvs_close(&server);
}

void tests_messages(void)
{
	tap_run("send and receive", send_receive);
	tap_run("sendrec and reply", request_reply);
	tap_run("a send to who waits in sendrec is the reply", send_is_reply);
	tap_run("all sizes up to the largest", sizes);
	tap_run("a message is cut to the buffer", cut_to_fit);
	tap_run("notifications come first and once", notifications);
	tap_run("receive from one, requests only, any", filters);
	tap_run("1000 calls between two processes", two_processes);
}
