// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvk-tests: time-outs, no wait, signals. */
#include "tests.h"

/* Not before the time, and soon after it. */
static void check_time(long start, long timeout)
{
	long took = now_ms() - start;

	tap_check(took >= timeout && took < timeout + 1000, __FILE__, __LINE__, "time", took);
}

static void timeouts(void)
{
	pid_t pid = peer_start(SERVER(1), idle);
	long start = now_ms();
	message m;

	bind_self(SERVER(0));
	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_receive_T(ANY, &m, 30), EDVSTIMEDOUT);
	check_time(start, 30);
	start = now_ms();
	CHECK_RET(dvk_send_T(SERVER(1), &m, 30), EDVSTIMEDOUT);
	check_time(start, 30);
	start = now_ms();
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, 30), EDVSTIMEDOUT);
	check_time(start, 30);
	start = now_ms();
	CHECK_RET(dvk_rcvrqst_T(&m, 30), EDVSTIMEDOUT);
	check_time(start, 30);
	start = now_ms();
	CHECK_RET(dvk_wait4unbind_T(SERVER(1), 30), EDVSTIMEDOUT);
	check_time(start, 30);
	process_kill(pid);
}

static void takes_and_holds(void)
{
	message m;

	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	idle();
}

/* One time-out for both halves. */
static void timeout_of_reply(void)
{
	pid_t pid = peer_start(SERVER(1), takes_and_holds);
	long start = now_ms();
	message m;

	bind_self(SERVER(0));
	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, 50), EDVSTIMEDOUT);
	check_time(start, 50);
	process_kill(pid);
}

/* What the parent sends when the process may go on. */
static sigset_t go_on(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return set;
}

static void wait_signal(void)
{
	sigset_t set = go_on();
	int signal;

	CHECK(sigwait(&set, &signal) == 0);
}

static void receives_late(void)
{
	message m;

	wait_signal();
	CHECK_RET(dvk_receive_T(ANY, &m, TIMEOUT_NOWAIT), EDVSAGAIN);
}

static void timed_out_is_not_received(void)
{
	sigset_t set = go_on();
	message m;
	pid_t pid;

	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	pid = peer_start(SERVER(1), receives_late);
	bind_self(SERVER(0));
	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_send_T(SERVER(1), &m, 20), EDVSTIMEDOUT);
	kill(pid, SIGUSR1);
	CHECK(process_end(pid) == 0);
}

static void receives_one(void)
{
	message m;

	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
}

static void nowait(void)
{
	pid_t pid = peer_start(SERVER(1), idle);
	message m;

	bind_self(SERVER(0));
	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_receive_T(ANY, &m, TIMEOUT_NOWAIT), EDVSAGAIN);
	CHECK_RET(dvk_send_T(SERVER(1), &m, TIMEOUT_NOWAIT), EDVSAGAIN);
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, TIMEOUT_NOWAIT), EDVSAGAIN);
	process_kill(pid);
	CHECK_RET(dvk_wait4unbind_T(SERVER(1), SOON), OK);
	pid = peer_start(SERVER(1), receives_one);
	wait_state(SERVER(1), RECEIVING);
	CHECK_RET(dvk_send_T(SERVER(1), &m, TIMEOUT_NOWAIT), OK);
	CHECK(process_end(pid) == 0);
}

static void on_signal(int number)
{
	(void)number;
}

static void signal_soon(void)
{
	struct sigaction action;
	struct itimerval timer;

	memset(&action, 0, sizeof(action));
	memset(&timer, 0, sizeof(timer));
	action.sa_handler = on_signal;
	timer.it_value.tv_usec = 50000;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void interrupted(void)
{
	pid_t pid = peer_start(SERVER(1), idle);
	message m;

	bind_self(SERVER(0));
	memset(&m, 0, sizeof(m));
	signal_soon();
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), EDVSINTR);
	signal_soon();
	CHECK_RET(dvk_send_T(SERVER(1), &m, SOON), EDVSINTR);
	signal_soon();
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, SOON), EDVSINTR);
	signal_soon();
	CHECK_RET(dvk_wait4unbind_T(SERVER(1), SOON), EDVSINTR);
	signal_soon();
	CHECK_RET(dvk_wait4bindep_T(SERVER(2), SOON), EDVSINTR);
	process_kill(pid);
}

void tests_waits(void)
{
	tap_run("time-outs", timeouts);
	tap_run("the time-out of a sendrec covers the reply", timeout_of_reply);
	tap_run("what timed out is not received later", timed_out_is_not_received);
	tap_run("no wait", nowait);
	tap_run("a signal interrupts", interrupted);
}
