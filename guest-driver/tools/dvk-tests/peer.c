// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvk-tests: other processes, and small helpers. */
#include "tests.h"

#include <sys/prctl.h>

pid_t process_start(void (*run)(void))
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(2);
	}
	if (!pid) {
		/* It ends with its test. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(2);
		run();
		fflush(stdout);
		_exit(tap_failed() != 0);
	}
	return pid;
}

static int peer_nr, peer_pipe[2];
static void (*peer_runs)(void);

static void peer_run(void)
{
	bind_self(peer_nr);
	close(peer_pipe[0]);
	close(peer_pipe[1]);
	peer_runs();
}

/* The pipe ends when the peer has bound, or has failed to. */
pid_t peer_start(int nr, void (*run)(void))
{
	char byte;
	pid_t pid;

	peer_nr = nr;
	peer_runs = run;
	CHECK(pipe(peer_pipe) == 0);
	pid = process_start(peer_run);
	close(peer_pipe[1]);
	CHECK(read(peer_pipe[0], &byte, 1) == 0);
	close(peer_pipe[0]);
	return pid;
}

int process_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void process_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	CHECK(process_end(pid) == -SIGKILL);
}

void bind_self(int nr)
{
	CHECK_RET(dvk_bind(dcid, nr), nr);
}

/* Nothing signals what another process does. */
static void wait_until(int nr, unsigned long mask, unsigned long flags, int from)
{
	long end = now_ms() + SOON;
	proc_usr_t proc;

	do {
		usleep(1000);
		memset(&proc, 0, sizeof(proc));
		if (dvk_getprocinfo(dcid, nr, &proc) == OK && (proc.p_rts_flags & mask) == flags &&
		    (from == ANY || proc.p_getfrom == from))
			return;
	} while (now_ms() < end);
	tap_check(0, __FILE__, __LINE__, "p_rts_flags", (long)proc.p_rts_flags);
}

void wait_state(int nr, unsigned long flag)
{
	wait_until(nr, flag, flag, ANY);
}

void wait_reply(int nr, int from)
{
	wait_until(nr, ~0ul, RECEIVING, from);
}

void idle(void)
{
	for (;;)
		pause();
}

void echo(void)
{
	message m;

	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	m.m_type++;
	CHECK_RET(dvk_send_T(m.m_source, &m, SOON), OK);
}

long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
