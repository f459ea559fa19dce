// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvk-tests: bind, tbind, lclbind and its relatives, unbind, waiting for either. */
#include "tests.h"

static void bind_child(void)
{
	message m;

	/* It has none of its parent's. */
	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_send_T(SERVER(0), &m, SOON), EDVSNOTBIND);
	bind_self(SERVER(1));
	CHECK_RET(dvk_getep(getpid()), SERVER(1));
	echo();
}

/* Parent and child bind different endpoints over the file that was open before the fork. */
static void bind_over_one_file(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = process_start(bind_child);
	CHECK_RET(dvk_wait4bindep_T(SERVER(1), SOON), SERVER(1));
	m.m_type = 10;
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, SOON), OK);
	CHECK(m.m_type == 11 && m.m_source == SERVER(1));
	CHECK(process_end(pid) == 0);
	/* Its end unbound it, though others hold the file. */
	CHECK_RET(dvk_wait4unbind_T(SERVER(1), SOON), OK);
	CHECK_RET(dvk_send_T(SERVER(1), &m, SOON), EDVSDSTDIED);
}

static void bind_errors(void)
{
	message m;

	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_send_T(SERVER(1), &m, SOON), EDVSNOTBIND);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), EDVSNOTBIND);
	CHECK_RET(dvk_unbind(dcid, SELF), EDVSNOTBIND);
	CHECK_RET(dvk_wait4bind_T(TIMEOUT_NOWAIT), EDVSAGAIN);
	CHECK_RET(dvk_bind(dcid + 1, SERVER(0)), EDVSBADDCID);
	CHECK_RET(dvk_bind(-1, SERVER(0)), EDVSBADDCID);
	CHECK_RET(dvk_bind(dcid, 100000), EDVSRANGE);
	CHECK_RET(dvk_bind(dcid, ANY), EDVSRANGE);
	CHECK_RET(dvk_bind(dcid, NONE), EDVSRANGE);
	CHECK_RET(dvk_bind_X(MAX_BIND_TYPE + 1, dcid, -1, SERVER(0), LOCALNODE), EDVSBINDTYPE);
	CHECK_RET(dvk_bind_X(SELF_BIND, dcid, 1, SERVER(0), LOCALNODE), EDVSBADPID);
	bind_self(SERVER(0));
	CHECK_RET(dvk_bind(dcid, SERVER(1)), EDVSSLOTUSED);
	CHECK_RET(dvk_unbind(dcid, SERVER(0)), OK);
	bind_self(SERVER(1));
	CHECK_RET(dvk_unbind(dcid, SELF), OK);
}

static void slot_used(void)
{
	pid_t pid = peer_start(SERVER(1), idle);

	CHECK_RET(dvk_bind(dcid, SERVER(1)), EDVSSLOTUSED);
	process_kill(pid);
	CHECK_RET(dvk_wait4unbind_T(SERVER(1), SOON), OK);
	bind_self(SERVER(1));
}

static void *tbind_thread(void *arg)
{
	message m;

	(void)arg;
	/* Until it binds it is its process. */
	CHECK_RET(dvk_wait4bind_T(SOON), SERVER(0));
	CHECK_RET(dvk_tbind(dcid, SERVER(1)), SERVER(1));
	CHECK_RET(dvk_wait4bind_T(SOON), SERVER(1));
	m.m_type = 5;
	CHECK_RET(dvk_sendrec_T(SERVER(0), &m, SOON), OK);
	CHECK(m.m_type == 6 && m.m_source == SERVER(0));
	return NULL;
}

static void tbind(void)
{
	pthread_t thread;
	message m;

	/* The first thread's endpoint is its process's. */
	CHECK_RET(dvk_tbind(dcid, SERVER(0)), SERVER(0));
	CHECK(pthread_create(&thread, NULL, tbind_thread, NULL) == 0);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), OK);
	CHECK(m.m_source == SERVER(1) && m.m_type == 5);
	m.m_type++;
	CHECK_RET(dvk_reply_T(m.m_source, &m, SOON), OK);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK_RET(dvk_wait4unbind_T(SERVER(1), SOON), OK);
}

/* It waits until its parent has bound it. */
static void lclbind_child(void)
{
	CHECK_RET(dvk_wait4bind_T(SOON), SERVER(1));
	echo();
}

static void lclbind(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = process_start(lclbind_child);
	CHECK_RET(dvk_getep(pid), EDVSNOTBIND);
	CHECK_RET(dvk_lclbind(dcid, pid, SERVER(1)), SERVER(1));
	CHECK_RET(dvk_getep(pid), SERVER(1));
	m.m_type = 1;
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, SOON), OK);
	CHECK(m.m_type == 2);
	CHECK(process_end(pid) == 0);
	CHECK_RET(dvk_lclbind(dcid, pid, SERVER(1)), EDVSBADPID);
	CHECK_RET(dvk_lclbind(dcid, 0, SERVER(1)), EDVSBADPID);
}

static void bound_with(long bound, int nr, unsigned long misc, pid_t pid)
{
	proc_usr_t proc;

	CHECK_RET(bound, nr);
	CHECK_RET(dvk_getprocinfo(dcid, nr, &proc), OK);
	CHECK((proc.p_misc_flags & (MIS_RMTBACKUP | MIS_REPLICATED)) == misc);
	CHECK(proc.p_lpid == pid);
	process_kill(pid);
	CHECK_RET(dvk_wait4unbind_T(nr, SOON), OK);
}

static void other_kinds(void)
{
	pid_t pid = process_start(idle);

	bound_with(dvk_replbind(dcid, pid, SERVER(1)), SERVER(1), MIS_REPLICATED, pid);
	pid = process_start(idle);
	bound_with(dvk_bkupbind(dcid, pid, SERVER(2), 0), SERVER(2), MIS_RMTBACKUP, pid);
	pid = process_start(idle);
	bound_with(dvk_umbind(dcid, pid, SERVER(3)), SERVER(3), 0, pid);
	CHECK_RET(dvk_bkupbind(dcid, getpid(), SERVER(1), NR_NODES), EDVSBADNODEID);
	CHECK_RET(dvk_replbind(dcid, getpid(), SERVER(1)), SERVER(1));
}

/* A location is not declared but found; here nothing is in another virtual machine. */
static void rmtbind(void)
{
	bind_self(SERVER(0));
	CHECK_RET(dvk_rmtbind(dcid, "server", SERVER(0), 1), EDVSSLOTUSED);
	CHECK_RET(dvk_rmtbind(dcid, "server", SERVER(9), 1), EDVSNOTBIND);
	CHECK_RET(dvk_rmtbind(dcid, "server", SERVER(9), NR_NODES), EDVSBADNODEID);
	CHECK_RET(dvk_rmtbind(dcid, "a name of sixteen", SERVER(9), 1), EDVSNAMESIZE);
	CHECK_RET(dvk_rmtbind(dcid + 1, "server", SERVER(9), 1), EDVSBADDCID);
}

static void unbind_child(void)
{
	message m;

	signal(SIGTERM, SIG_IGN);
	CHECK_RET(dvk_receive_T(ANY, &m, SOON), EDVSSHUTDOWN);
}

static void unbind_other(void)
{
	pid_t pid;

	bind_self(SERVER(0));
	CHECK_RET(dvk_unbind_T(dcid, SERVER(1), SOON), EDVSNOTBIND);
	pid = peer_start(SERVER(1), unbind_child);
	wait_state(SERVER(1), RECEIVING);
	CHECK_RET(dvk_unbind_T(dcid, SERVER(1), SOON), OK);
	CHECK(process_end(pid) == 0);
	/* The signal ends a process that does not expect it. */
	pid = peer_start(SERVER(1), idle);
	CHECK_RET(dvk_unbind_T(dcid, SERVER(1), SOON), OK);
	CHECK(process_end(pid) == -SIGTERM);
}

static void late_child(void)
{
	wait_state(SERVER(0), WAITBIND);
	bind_self(SERVER(1));
	wait_state(SERVER(0), WAITUNBIND);
	CHECK_RET(dvk_unbind(dcid, SELF), OK);
}

static void wait_bind_unbind(void)
{
	pid_t pid;

	bind_self(SERVER(0));
	CHECK_RET(dvk_wait4unbind(SERVER(1)), OK);
	CHECK_RET(dvk_wait4bindep_T(SERVER(1), TIMEOUT_NOWAIT), EDVSAGAIN);
	CHECK_RET(dvk_wait4bindep_T(SERVER(1), 30), EDVSTIMEDOUT);
	CHECK_RET(dvk_wait4unbind_T(SERVER(0), 30), EDVSTIMEDOUT);
	pid = process_start(late_child);
	CHECK_RET(dvk_wait4bindep(SERVER(1)), SERVER(1));
	CHECK_RET(dvk_wait4unbind(SERVER(1)), OK);
	CHECK(process_end(pid) == 0);
	CHECK_RET(dvk_wait4bindep_X(WAIT_UNBIND + 1, SERVER(1), SOON), EDVSINVAL);
}

static void getep(void)
{
	bind_self(SERVER(0));
	CHECK_RET(dvk_getep(getpid()), SERVER(0));
	CHECK_RET(dvk_getep(getppid()), EDVSNOTBIND);
	CHECK_RET(dvk_getep(0x7ffffff0), EDVSBADPID);
}

void tests_bind(void)
{
	tap_run("bind: parent and child over one file", bind_over_one_file);
	tap_run("bind: errors", bind_errors);
	tap_run("bind: a number that is used", slot_used);
	tap_run("tbind", tbind);
	tap_run_admin("lclbind of a child in wait4bind", lclbind);
	tap_run_admin("replbind, bkupbind, umbind", other_kinds);
	tap_run("rmtbind", rmtbind);
	tap_run_admin("unbind of others", unbind_other);
	tap_run("wait4bindep, wait4unbind", wait_bind_unbind);
	tap_run("getep", getep);
}
