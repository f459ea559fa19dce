// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvk-tests: what the others get when an endpoint's process ends, by a kill or in order. */
#include "tests.h"

static void receives_and_holds(void)
{
	message m;

	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	idle();
}

static void queued_sender(void)
{
	message m;

	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_send_T(SERVER(1), &m, SOON), EDVSDSTDIED);
}

static void queued_caller(void)
{
	message m;

	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, SOON), EDVSDSTDIED);
}

static void waiting_caller(void)
{
	message m;

	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, SOON), EDVSSRCDIED);
}

static void waiting_receiver(void)
{
	message m;

	CHECK_RET(dvk_receive_T(SERVER(1), &m, SOON), EDVSSRCDIED);
}

static void waiting_for_end(void)
{
	CHECK_RET(dvk_wait4unbind_T(SERVER(1), SOON), OK);
}

/* `waits` is in the state of these flags when the victim is killed. */
static void killed(void (*victim)(void), void (*waits)(void), unsigned long flags)
{
	pid_t victim_pid = peer_start(SERVER(1), victim), pid;

	pid = peer_start(SERVER(2), waits);
	wait_state(SERVER(2), flags);
	process_kill(victim_pid);
	CHECK(process_end(pid) == 0);
}

static void send_queued(void)
{
	killed(idle, queued_sender, SENDING);
}

static void receive_waiting(void)
{
	killed(idle, waiting_receiver, RECEIVING);
}

static void sendrec_queued(void)
{
	killed(idle, queued_caller, SENDING);
}

/* Of a request that was taken nobody knows what came of it. */
static void sendrec_taken(void)
{
	pid_t victim = peer_start(SERVER(1), receives_and_holds), pid;

	pid = peer_start(SERVER(2), waiting_caller);
	wait_reply(SERVER(2), SERVER(1));
	process_kill(victim);
	CHECK(process_end(pid) == 0);
}

static void wait4unbind(void)
{
	killed(idle, waiting_for_end, WAITUNBIND);
}

static void notifies(void)
{
	CHECK_RET(dvk_notify(SERVER(0)), OK);
}

static void notify_cleared(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = peer_start(SERVER(1), notifies);
	CHECK(process_end(pid) == 0);
	CHECK_RET(dvk_wait4unbind_T(SERVER(1), SOON), OK);
	CHECK_RET(dvk_receive_T(ANY, &m, TIMEOUT_NOWAIT), EDVSAGAIN);
}

static void unbinds(void)
{
	wait_state(SERVER(2), SENDING);
	wait_state(SERVER(3), RECEIVING);
	CHECK_RET(dvk_unbind(dcid, SELF), OK);
}

/* Who unbinds itself lives on, but not for the others. */
static void unbound(void)
{
	pid_t victim = peer_start(SERVER(1), unbinds), sender, receiver;

	sender = peer_start(SERVER(2), queued_sender);
	receiver = peer_start(SERVER(3), waiting_receiver);
	CHECK(process_end(victim) == 0);
	CHECK(process_end(sender) == 0);
	CHECK(process_end(receiver) == 0);
}

/* What a dead process had queued is not received. */
static void sender_dies(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(1));
	pid = peer_start(SERVER(2), queued_sender);
	wait_state(SERVER(2), SENDING);
	process_kill(pid);
	CHECK_RET(dvk_wait4unbind_T(SERVER(2), SOON), OK);
	CHECK_RET(dvk_receive_T(ANY, &m, TIMEOUT_NOWAIT), EDVSAGAIN);
}

void tests_death(void)
{
	tap_run("death: a queued send gives -109", send_queued);
	tap_run("death: a waiting receive gives -108", receive_waiting);
	tap_run("death: a queued sendrec gives -109", sendrec_queued);
	tap_run("death: a sendrec that was taken gives -108", sendrec_taken);
	tap_run("death: wait4unbind ends", wait4unbind);
	tap_run("death: the bit of a notification is cleared", notify_cleared);
	tap_run("death: unbind is one", unbound);
	tap_run("death: of a sender in the queue", sender_dies);
}
