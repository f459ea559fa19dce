// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: handing on, waking, waiting for endpoints, and what is told of them. */
#define _GNU_SOURCE
#include "selftest.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static void serve_in_one_call(void)
{
	struct dvs client = bound(EP(0)), server = bound(EP(1));
	struct peer first = { .dvs = &client, .op = OP_SENDREC, .to = dvs_address(EP(1)),
			      .value = 1, .timeout_ms = SOON };
	struct peer second = first;
	struct dvs_received got;
	uint32_t value;

	second.value = 2;
	peer_start(&first);
	CHECK_RESULT(dvs_receive(&server, ANY, 0, &value, 4, &got, SOON), 0);
	peer_start(&second);
	value += 10;
	CHECK_RESULT(dvs_reply_receive(&server, got.from, got.token, &value, 4, ANY, 0,
				       &value, 4, &got, SOON), 0);
	CHECK(value == 2 && got.came == DVS_CAME_REQUEST);
	CHECK_RESULT(peer_join(&first), 0);
	CHECK(first.got == 11);
	value += 10;
	CHECK_RESULT(dvs_reply_receive(&server, got.from, got.token, &value, 4, ANY, 0,
				       &value, 4, &got, NOWAIT), DVS_EAGAIN);
	CHECK_RESULT(peer_join(&second), 0);
	CHECK(second.got == 12);
	/* A reply that fails receives nothing. */
	CHECK_RESULT(dvs_notify(&client, dvs_address(EP(1)), SOON), 0);
	CHECK_RESULT(dvs_reply_receive(&server, dvs_address(EP(0)), 0, &value, 4, ANY, 0,
				       &value, 4, &got, SOON), DVS_EPROCSTS);
	CHECK_RESULT(dvs_receive(&server, ANY, 0, &value, 4, &got, NOWAIT), 0);
	CHECK(got.came == DVS_CAME_NOTIFY);
	dvs_close(&client);
	dvs_close(&server);
}

static void values(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct dvs_received got;
	uint32_t value;

	CHECK_RESULT(dvs_notify(&a, dvs_address(EP(1)), SOON), 0);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, SOON), 0);
	CHECK((int64_t)got.token == -1);
	CHECK_RESULT(dvs_notify_value(&a, dvs_address(EP(1)), 4, SOON), 0);
	CHECK_RESULT(dvs_notify_value(&a, dvs_address(EP(1)), INT64_MIN, SOON), 0);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, SOON), 0);
	CHECK(got.came == DVS_CAME_NOTIFY && (int64_t)got.token == INT64_MIN);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, NOWAIT), DVS_EAGAIN);
	dvs_close(&a);
	dvs_close(&b);
}

static void relays(void)
{
	struct dvs client = bound(EP(0)), first = bound(EP(1)), second = bound(EP(2));
	struct peer call = { .dvs = &client, .op = OP_SENDREC, .to = dvs_address(EP(1)),
			     .value = 7, .timeout_ms = SOON };
	struct dvs_received got;
	char message[MESSAGE_MAX];
	uint32_t value;

	memset(message, 'r', sizeof(message));
	peer_start(&call);
	CHECK_RESULT(dvs_receive(&first, ANY, 0, &value, 4, &got, SOON), 0);
	CHECK_RESULT(dvs_relay(&first, got.from, got.token, dvs_address(EP(2)), message,
			       sizeof(message), SOON), 0);
	CHECK_RESULT(dvs_relay(&first, got.from, 0, dvs_address(EP(2)), message, 4, SOON),
		     DVS_EPROCSTS);
	memset(message, 0, sizeof(message));
	CHECK_RESULT(dvs_receive(&second, ANY, 0, message, sizeof(message), &got, SOON), 0);
	CHECK(got.from.ep == EP(0) && got.length == MESSAGE_MAX && message[MESSAGE_MAX - 1] == 'r');
	value = 8;
	CHECK_RESULT(dvs_reply(&second, got.from, got.token, &value, 4, SOON), 0);
	CHECK_RESULT(peer_join(&call), 0);
	CHECK(call.got == 8 && call.received.from.ep == EP(2));
	dvs_close(&client);
	dvs_close(&first);
	dvs_close(&second);
}

static void wakes(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer receiver = { .dvs = &b, .op = OP_RECEIVE, .to = ANY, .timeout_ms = SOON };
	struct dvs_received got;
	uint32_t value;

	peer_start(&receiver);
	peer_wait_asleep(&receiver);
	CHECK_RESULT(dvs_wakeup(&a, EP(1)), 0);
	CHECK_RESULT(peer_join(&receiver), DVS_EWOKENUP);
	CHECK_RESULT(dvs_wakeup(&a, EP(1)), DVS_EPROCRUN);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, SOON), DVS_EWOKENUP);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, NOWAIT), DVS_EAGAIN);
	CHECK_RESULT(dvs_wakeup(&a, EP(9)), DVS_ENOTBIND);
	dvs_close(&a);
	dvs_close(&b);
}

static void awaits(void)
{
	struct dvs_address found;
	struct dvs dvs;
	int status;
	pid_t pid;

	CHECK_RESULT(dvs_open(&dvs, 0), 0);
	CHECK_RESULT(dvs_await(&dvs, DVS_AWAIT_UNBIND, EP(0), NULL, SOON), 0);
	CHECK_RESULT(dvs_await(&dvs, DVS_AWAIT_BIND, EP(0), &found, 50), DVS_ETIMEDOUT);
	CHECK_RESULT(dvs_await(&dvs, DVS_AWAIT_OWN, 0, &found, 50), DVS_ETIMEDOUT);
	pid = child_fork();
	if (!pid) {
		usleep(50000);
		bound(EP(0));
		usleep(50000);
		_exit(0);
	}
	CHECK_RESULT(dvs_await(&dvs, DVS_AWAIT_BIND, EP(0), &found, SOON), 0);
	CHECK(found.ep == EP(0) && found.generation);
	CHECK_RESULT(dvs_await(&dvs, DVS_AWAIT_BIND, EP(0), &found, SOON), 0);
	CHECK_RESULT(dvs_await(&dvs, DVS_AWAIT_UNBIND, EP(0), NULL, SOON), 0);
	status = child_status(pid);
	CHECK(status == 0);
	CHECK_RESULT(dvs_bind(&dvs, EP(0), DVS_BIND_THREAD), 0);
	CHECK_RESULT(dvs_await(&dvs, DVS_AWAIT_OWN, 0, &found, NOWAIT), 0);
	CHECK(found.ep == EP(0));
	/* A thread keeps its endpoint beyond the file. */
	CHECK_RESULT(dvs_unbind(&dvs), 0);
	dvs_close(&dvs);
}

static void tells_state(void)
{
	struct dvs a = bound(EP(0)), own;
	struct peer receiver = { .dvs = &a, .op = OP_RECEIVE, .to = ANY, .timeout_ms = SOON };
	struct dvs_address found;
	struct dvs_state state;

	CHECK_RESULT(dvs_open(&own, 0), 0);
	CHECK_RESULT(dvs_getep(&own, getpid(), &found), DVS_ENOTBIND);
	CHECK_RESULT(dvs_getep(&own, 0x7fffffff, &found), DVS_EBADPID);
	CHECK_RESULT(dvs_bind(&own, EP(1), DVS_BIND_PROCESS), 0);
	CHECK_RESULT(dvs_getep(&own, getpid(), &found), 0);
	CHECK(found.ep == EP(1) && found.generation == own.generation);
	peer_start(&receiver);
	peer_wait_asleep(&receiver);
	CHECK_RESULT(dvs_state(&own, EP(0), &state), 0);
	CHECK(state.rts == DVS_STATE_RECEIVING && state.getfrom == DVS_ADDR_ANY);
	CHECK(state.pid == getpid() && !strncmp((char *)state.name, "dvs-selftest", 16));
	CHECK_RESULT(dvs_notify(&own, dvs_address(EP(0)), SOON), 0);
	CHECK_RESULT(peer_join(&receiver), 0);
	CHECK_RESULT(dvs_state(&own, EP(1), &state), 0);
	CHECK(state.rts == 0 && state.lclsent == 1 && state.misc & DVS_MISC_GRPLEADER);
	CHECK_RESULT(dvs_state(&own, EP(9), &state), DVS_ENOTBIND);
	CHECK_RESULT(dvs_unbind(&own), 0);
	dvs_close(&a);
	dvs_close(&own);
}

static void privileges(void)
{
	struct dvs server = bound(EP(0)), user = { .fd = -1 };
	struct dvs_received got;
	struct dvs_privilege may;
	struct dvs_info info;
	uint32_t value = 0;
	int allowed;

	CHECK_RESULT(dvs_info(&server, &info), 0);
	CHECK_RESULT(dvs_open(&user, 0), 0);
	CHECK_RESULT(dvs_bind(&user, (int)(info.nr_sysprocs - info.nr_tasks), DVS_BIND_FILE), 0);
	CHECK_RESULT(dvs_send(&user, dvs_address(EP(0)), &value, 4, SOON), DVS_EBADCALL);
	CHECK_RESULT(dvs_sendrec(&user, dvs_address(EP(0)), &value, 4, &value, 4, &got, NOWAIT),
		     DVS_EAGAIN);
	CHECK_RESULT(dvs_get_privilege(&user, EP(0), &may), 0);
	CHECK(may.level == 1 && may.ipc_to == UINT64_MAX);
	/* Of oneself nothing changes, so that it may be tried. */
	allowed = !geteuid() && info.features & DVS_INFO_ADMIN;
	CHECK_RESULT(dvs_set_privilege(&server, EP(0), &may), allowed ? 0 : DVS_EPRIVILEGES);
	dvs_close(&server);
	dvs_close(&user);
}

/* Two processes that ask each other: the second is told. */
static void cycles(void)
{
	struct dvs_received got;
	struct dvs_state state;
	struct dvs dvs;
	uint32_t value = 0;
	pid_t pid = child_fork();

	if (!pid) {
		dvs = bound(EP(1));
		dvs_await(&dvs, DVS_AWAIT_BIND, EP(0), NULL, SOON);
		_exit(dvs_sendrec(&dvs, dvs_address(EP(0)), &value, 4, &value, 4, &got, SOON) ?
		      1 : 0);
	}
	dvs = bound(EP(0));
	do {
		usleep(1000);
	} while (dvs_state(&dvs, EP(1), &state) || !(state.rts & DVS_STATE_SENDING));
	CHECK_RESULT(dvs_sendrec(&dvs, dvs_address(EP(1)), &value, 4, &value, 4, &got, SOON),
		     DVS_ELOCKED);
	CHECK_RESULT(dvs_receive(&dvs, ANY, 0, &value, 4, &got, SOON), 0);
	CHECK_RESULT(dvs_reply(&dvs, got.from, got.token, &value, 4, SOON), 0);
	CHECK(child_status(pid) == 0);
	dvs_close(&dvs);
}

/* An administrator gives a process an endpoint, and takes it away again. */
static void others(void)
{
	struct dvs_address found;
	struct dvs_info info;
	struct dvs dvs;
	pid_t pid;

	CHECK_RESULT(dvs_open(&dvs, 0), 0);
	CHECK_RESULT(dvs_info(&dvs, &info), 0);
	pid = child_fork();
	if (!pid) {
		if (dvs_await(&dvs, DVS_AWAIT_OWN, 0, &found, SOON) || found.ep != EP(0))
			_exit(1);
		pause();
		_exit(2);
	}
	if (geteuid() || !(info.features & DVS_INFO_ADMIN)) {
		CHECK_RESULT(dvs_bind_process(&dvs, EP(0), pid, 0), DVS_EPRIVILEGES);
		CHECK_RESULT(dvs_unbind_other(&dvs, EP(0), SOON), DVS_EPRIVILEGES);
		kill(pid, SIGTERM);
	} else {
		CHECK_RESULT(dvs_bind_process(&dvs, EP(0), 0x7fffffff, 0), DVS_EBADPID);
		CHECK_RESULT(dvs_bind_process(&dvs, EP(0), pid, 0), 0);
		CHECK_RESULT(dvs_getep(&dvs, pid, &found), 0);
		CHECK(found.ep == EP(0));
		usleep(50000);
		CHECK_RESULT(dvs_unbind_other(&dvs, EP(0), SOON), 0);
		CHECK_RESULT(dvs_unbind_other(&dvs, EP(0), SOON), DVS_ENOTBIND);
	}
	CHECK(child_status(pid) == -SIGTERM);
	dvs_close(&dvs);
}

void tests_calls(void)
{
	tap_run("reply and receive in one call", serve_in_one_call);
	tap_run("notifications with values", values);
	tap_run("a request is handed on", relays);
	tap_run("a receiver is woken up", wakes);
	tap_run("binds and unbinds are awaited", awaits);
	tap_run("state and endpoint of a process", tells_state);
	tap_run("privileges of users and servers", privileges);
	tap_run("a cycle of requests", cycles);
	tap_run("endpoints of other processes", others);
}
