// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvk-tests: send, receive, sendrec, rcvrqst, reply, relay, wakeup. */
#include "tests.h"

static void sends_two(void)
{
	message m;

	memset(&m, 0, sizeof(m));
	m.m_type = 1;
	m.m1_i1 = 100;
	m.m1_p1 = (char *)&m;
	CHECK_RET(dvk_send(SERVER(0), (long)&m), OK);
	m.m_type = 2;
	CHECK_RET(dvk_send_T(SERVER(0), &m, SOON), OK);
}

static void send_receive(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = peer_start(SERVER(1), sends_two);
	wait_state(SERVER(1), SENDING);
	memset(&m, 0xff, sizeof(m));
	CHECK_RET(dvk_receive(ANY, (long)&m), OK);
	CHECK(m.m_source == SERVER(1) && m.m_type == 1 && m.m1_i1 == 100 && m.m1_p1);
	CHECK_RET(dvk_receive_T(SERVER(1), &m, SOON), OK);
	CHECK(m.m_source == SERVER(1) && m.m_type == 2);
	CHECK(process_end(pid) == 0);
}

/* What was not asked for stays. */
static void receive_selects(void)
{
	pid_t first, second;
	message m;

	bind_self(SERVER(0));
	first = peer_start(SERVER(1), sends_two);
	wait_state(SERVER(1), SENDING);
	second = peer_start(SERVER(2), sends_two);
	wait_state(SERVER(2), SENDING);
	CHECK_RET(dvk_receive_T(SERVER(2), &m, SOON), OK);
	CHECK(m.m_source == SERVER(2));
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	CHECK(m.m_source == SERVER(1));
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	CHECK(process_end(first) == 0);
	CHECK(process_end(second) == 0);
}

static void destinations(void)
{
	message m;

	memset(&m, 0, sizeof(m));
	bind_self(SERVER(0));
	CHECK_RET(dvk_send_T(SERVER(0), &m, SOON), EDVSBADDEST);
	CHECK_RET(dvk_send_T(HARDWARE, &m, SOON), EDVSBADDEST);
	CHECK_RET(dvk_send_T(100000, &m, SOON), EDVSRANGE);
	CHECK_RET(dvk_send_T(SERVER(9), &m, SOON), EDVSDSTDIED);
	CHECK_RET(dvk_sendrec_T(SERVER(9), &m, SOON), EDVSDSTDIED);
	CHECK_RET(dvk_send_T(SERVER(9), NULL, SOON), EDVSFAULT);
	CHECK_RET(dvk_reply_T(SERVER(9), &m, SOON), EDVSDSTDIED);
}

static void sendrec(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = peer_start(SERVER(1), echo);
	memset(&m, 0, sizeof(m));
	m.m_type = 20;
	m.m2_l1 = 1L << 40;
	CHECK_RET(dvk_sendrec(SERVER(1), (long)&m), OK);
	CHECK(m.m_source == SERVER(1) && m.m_type == 21 && m.m2_l1 == 1L << 40);
	CHECK(process_end(pid) == 0);
}

static void user_client(void)
{
	message m;

	m.m_type = 7;
	CHECK_RET(dvk_sendrec_T(SERVER(0), &m, SOON), OK);
	CHECK(m.m_source == SERVER(0) && m.m_type == 8);
}

/* Neither a notification nor a plain message is a request. */
static void rcvrqst_reply(void)
{
	pid_t sender, client;
	message m;

	bind_self(SERVER(0));
	sender = peer_start(SERVER(1), sends_two);
	wait_state(SERVER(1), SENDING);
	CHECK_RET(dvk_rcvrqst_T(&m, TIMEOUT_NOWAIT), EDVSAGAIN);
	client = peer_start(USER(0), user_client);
	CHECK_RET(dvk_rcvrqst((long)&m), OK);
	CHECK(m.m_source == USER(0) && m.m_type == 7);
	m.m_type++;
	CHECK_RET(dvk_reply(m.m_source, (long)&m), OK);
	CHECK_RET(dvk_reply_T(USER(0), &m, SOON), EDVSPROCSTS);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	CHECK(process_end(client) == 0);
	CHECK(process_end(sender) == 0);
}

static void relay_client(void)
{
	message m;

	m.m_type = 30;
	CHECK_RET(dvk_sendrec_T(SERVER(0), &m, SOON), OK);
	/* The second server has answered, with what the first made of the request. */
	CHECK(m.m_source == SERVER(1) && m.m_type == 41);
}

static void relay_second(void)
{
	message m;

	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	CHECK(m.m_source == USER(0) && m.m_type == 40);
	m.m_type++;
	CHECK_RET(dvk_reply_T(m.m_source, &m, SOON), OK);
}

static void relay(void)
{
	pid_t client, second;
	message m;

	bind_self(SERVER(0));
	second = peer_start(SERVER(1), relay_second);
	client = peer_start(USER(0), relay_client);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	CHECK(m.m_source == USER(0) && m.m_type == 30);
	m.m_type = 40;
	CHECK_RET(dvk_relay(SERVER(1), &m), OK);
	/* It is not this one's to answer any more. */
	CHECK_RET(dvk_relay(SERVER(1), &m), EDVSPROCSTS);
	CHECK(process_end(client) == 0);
	CHECK(process_end(second) == 0);
}

static void woken(void)
{
	message m;

	CHECK_RET(dvk_receive_T(ANY, &m, SOON), EDVSWOKENUP);
}

static void wakeup(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = peer_start(SERVER(1), woken);
	wait_state(SERVER(1), RECEIVING);
	CHECK_RET(dvk_wakeup(dcid, SERVER(1)), OK);
	CHECK(process_end(pid) == 0);
	/* Who does not wait is told at its next receive. */
	CHECK_RET(dvk_wakeup(dcid, SERVER(0)), EDVSPROCRUN);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), EDVSWOKENUP);
	CHECK_RET(dvk_receive_T(ANY, &m, TIMEOUT_NOWAIT), EDVSAGAIN);
	CHECK_RET(dvk_wakeup(dcid + 1, SERVER(0)), EDVSBADDCID);
}

static void *locked_thread(void *arg)
{
	message m;

	(void)arg;
	CHECK_RET(dvk_tbind(dcid, SERVER(1)), SERVER(1));
	m.m_type = 1;
	CHECK_RET(dvk_sendrec_T(SERVER(2), &m, SOON), OK);
	return NULL;
}

static void *locking_thread(void *arg)
{
	message m;

	(void)arg;
	CHECK_RET(dvk_tbind(dcid, SERVER(2)), SERVER(2));
	wait_state(SERVER(1), SENDING);
	m.m_type = 2;
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, SOON), EDVSLOCKED);
	echo();
	return NULL;
}

/* Two that would wait for each other for ever. */
static void locked(void)
{
	pthread_t a, b;

	CHECK(pthread_create(&b, NULL, locking_thread, NULL) == 0);
	CHECK_RET(dvk_wait4bindep_T(SERVER(2), SOON), SERVER(2));
	CHECK(pthread_create(&a, NULL, locked_thread, NULL) == 0);
	CHECK(pthread_join(a, NULL) == 0);
	CHECK(pthread_join(b, NULL) == 0);
}

void tests_messages(void)
{
	tap_run("send, receive", send_receive);
	tap_run("receive from one of several", receive_selects);
	tap_run("destinations that are none", destinations);
	tap_run("sendrec answered by send", sendrec);
	tap_run("rcvrqst, reply", rcvrqst_reply);
	tap_run("relay: the second server answers", relay);
	tap_run("wakeup", wakeup);
	tap_run("a cycle of sendrec is refused", locked);
}
