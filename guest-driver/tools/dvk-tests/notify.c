// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvk-tests: notifications and the message that tells of one. */
#include "tests.h"

static void check_notify(message *m, int source, int value)
{
	CHECK(m->m_source == source);
	CHECK(m->m_type == NOTIFY_FROM(source));
	CHECK(m->NOTIFY_FLAGS == 0);
	CHECK(m->NOTIFY_ARG == value);
	CHECK(m->NOTIFY_TIMESTAMP.tv_sec > 0);
}

/* It stays: its end would clear the bit. */
/* Receives what never comes: others see by it that what was before is done. */
static void rest(void)
{
	message m;

	(void)dvk_receive(ANY, (long)&m);
}

static void notifies_twice(void)
{
	CHECK_RET(dvk_notify(SERVER(0)), OK);
	CHECK_RET(dvk_notify(SERVER(0)), OK);
	rest();
}

/* One bit for each source. */
static void notify(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = peer_start(SERVER(1), notifies_twice);
	wait_state(SERVER(1), RECEIVING);
	memset(&m, 0xff, sizeof(m));
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	check_notify(&m, SERVER(1), HARDWARE);
	CHECK_RET(dvk_receive_T(ANY, &m, TIMEOUT_NOWAIT), EDVSAGAIN);
	process_kill(pid);
}

static void notified(void)
{
	message m;

	CHECK_RET(dvk_receive_T(SERVER(0), &m, SOON), OK);
	check_notify(&m, SERVER(0), HARDWARE);
}

/* It ends a receive that waits. */
static void notify_waiting(void)
{
	pid_t pid;

	bind_self(SERVER(0));
	pid = peer_start(SERVER(1), notified);
	wait_state(SERVER(1), RECEIVING);
	CHECK_RET(dvk_notify(SERVER(1)), OK);
	CHECK(process_end(pid) == 0);
}

static void notifies_with_value(void)
{
	CHECK_RET(dvk_ntfy_value(SELF, SERVER(0), 1), OK);
	CHECK_RET(dvk_ntfy_value(SERVER(1), SERVER(0), 77), OK);
	rest();
}

/* The last value counts. */
static void ntfy_value(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = peer_start(SERVER(1), notifies_with_value);
	wait_state(SERVER(1), RECEIVING);
	CHECK_RET(dvk_receive_T(SERVER(1), &m, SOON), OK);
	check_notify(&m, SERVER(1), 77);
	CHECK_RET(dvk_receive_T(ANY, &m, TIMEOUT_NOWAIT), EDVSAGAIN);
	process_kill(pid);
}

static void notifies_and_sends(void)
{
	message m;

	memset(&m, 0, sizeof(m));
	m.m_type = 3;
	CHECK_RET(dvk_notify(SERVER(0)), OK);
	CHECK_RET(dvk_send_T(SERVER(0), &m, SOON), OK);
}

static void notify_comes_first(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = peer_start(SERVER(1), notifies_and_sends);
	wait_state(SERVER(1), SENDING);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	check_notify(&m, SERVER(1), HARDWARE);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	CHECK(m.m_type == 3);
	CHECK(process_end(pid) == 0);
}

static void sources_child(void)
{
	message m;

	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	check_notify(&m, SERVER(2), HARDWARE);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	check_notify(&m, SERVER(2), 5);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	check_notify(&m, HARDWARE, HARDWARE);
}

static void sources(void)
{
	pid_t source, pid;

	bind_self(SERVER(0));
	source = peer_start(SERVER(2), idle);
	pid = peer_start(SERVER(1), sources_child);
	wait_state(SERVER(1), RECEIVING);
	CHECK_RET(dvk_src_notify(SERVER(2), SERVER(1)), OK);
	wait_state(SERVER(1), RECEIVING);
	CHECK_RET(dvk_ntfy_value(SERVER(2), SERVER(1), 5), OK);
	wait_state(SERVER(1), RECEIVING);
	CHECK_RET(dvk_hdw_notify(dcid, SERVER(1)), OK);
	CHECK(process_end(pid) == 0);
	process_kill(source);
}

static void notify_errors(void)
{
	pid_t pid = peer_start(USER(0), idle);

	CHECK_RET(dvk_notify(SERVER(1)), EDVSNOTBIND);
	bind_self(SERVER(0));
	CHECK_RET(dvk_notify(SERVER(0)), EDVSBADDEST);
	CHECK_RET(dvk_notify(HARDWARE), EDVSBADDEST);
	CHECK_RET(dvk_notify(USER(0)), EDVSBADDEST);
	CHECK_RET(dvk_notify(SERVER(9)), EDVSDSTDIED);
	CHECK_RET(dvk_notify(100000), EDVSRANGE);
	CHECK_RET(dvk_hdw_notify(dcid + 1, SERVER(0)), EDVSBADDCID);
	process_kill(pid);
}

void tests_notify(void)
{
	tap_run("notify and its message", notify);
	tap_run("notify of one that waits", notify_waiting);
	tap_run("ntfy_value", ntfy_value);
	tap_run("a notification comes before messages", notify_comes_first);
	tap_run_admin("src_notify, ntfy_value of another, hdw_notify", sources);
	tap_run("notify: errors", notify_errors);
}
