// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvk-tests: copies from and to processes that wait in sendrec. */
#include "tests.h"

#define BYTES	(2 * MAXCOPYBUF + 1000)

/* At the same address in each process, each with its own. */
static char buffer[BYTES];
static char fill;

static int filled_with(char with)
{
	size_t i;

	for (i = 0; i < BYTES; i++)
		if (buffer[i] != with)
			return 0;
	return 1;
}

/* Lends its buffer for the time of the call; afterwards it holds m1_i1. */
static void lender(void)
{
	message m;

	memset(buffer, fill, BYTES);
	m.m_type = 1;
	m.m1_p1 = buffer;
	CHECK_RET(dvk_sendrec_T(SERVER(0), &m, SOON), OK);
	CHECK(filled_with((char)m.m1_i1));
}

static pid_t lender_start(int nr, char with, message *m)
{
	pid_t pid;

	fill = with;
	pid = peer_start(nr, lender);
	CHECK_RET(dvk_receive_T(nr, m, SOON), OK);
	return pid;
}

static void lender_end(pid_t pid, message *m, char holds)
{
	m->m1_i1 = holds;
	CHECK_RET(dvk_send_T(m->m_source, m, SOON), OK);
	CHECK(process_end(pid) == 0);
}

/* As the reference's programs check it. */
static void check_copied(long ret)
{
	tap_check(ret == 0 || ret == BYTES, __FILE__, __LINE__, "vcopy", ret);
}

static void from_self(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = lender_start(SERVER(1), 'a', &m);
	memset(buffer, 'b', BYTES);
	check_copied(dvk_vcopy(SERVER(0), buffer, m.m_source, m.m1_p1, BYTES));
	CHECK(filled_with('b'));
	lender_end(pid, &m, 'b');
}

static void to_self(void)
{
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = lender_start(SERVER(1), 'a', &m);
	memset(buffer, 'b', BYTES);
	check_copied(dvk_vcopy(m.m_source, m.m1_p1, SELF, buffer, BYTES));
	CHECK(filled_with('a'));
	lender_end(pid, &m, 'a');
}

static void between_others(void)
{
	message source, target;
	pid_t first, second;

	bind_self(SERVER(0));
	first = lender_start(SERVER(1), 'a', &source);
	second = lender_start(SERVER(2), 'b', &target);
	memset(buffer, 'c', BYTES);
	check_copied(dvk_vcopy(SERVER(1), source.m1_p1, SERVER(2), target.m1_p1, BYTES));
	CHECK(filled_with('c'));
	lender_end(second, &target, 'a');
	lender_end(first, &source, 'a');
}

static void within_self(void)
{
	static char other[BYTES];

	bind_self(SERVER(0));
	memset(other, 'd', BYTES);
	memset(buffer, 'c', BYTES);
	check_copied(dvk_vcopy(SELF, other, SERVER(0), buffer, BYTES));
	CHECK(filled_with('d'));
}

static void largest(void)
{
	char *from = malloc(MAXCOPYLEN + 1), *to = malloc(MAXCOPYLEN + 1);

	if (!from || !to)
		exit(2);
	CHECK_RET(dvk_vcopy(SELF, from, SELF, to, 1), EDVSNOTBIND);
	bind_self(SERVER(0));
	memset(from, 'x', MAXCOPYLEN + 1);
	memset(to, 'y', MAXCOPYLEN + 1);
	CHECK(dvk_vcopy(SELF, from, SELF, to, MAXCOPYLEN) >= 0);
	CHECK(memcmp(from, to, MAXCOPYLEN) == 0);
	CHECK(to[MAXCOPYLEN] == 'y');
	CHECK_RET(dvk_vcopy(SELF, from, SELF, to, MAXCOPYLEN + 1), EDVS2BIG);
	CHECK_RET(dvk_vcopy(SELF, from, SELF, to, 0), EDVSRANGE);
	CHECK_RET(dvk_vcopy(SELF, from, SELF, to, -1), EDVSRANGE);
	free(from);
	free(to);
}

static void parties(void)
{
	pid_t pid;

	bind_self(SERVER(0));
	pid = peer_start(SERVER(1), idle);
	/* It does not wait, so its memory is its own. */
	CHECK_RET(dvk_vcopy(SERVER(1), buffer, SELF, buffer, 100), EDVSPROCSTS);
	CHECK_RET(dvk_vcopy(SELF, buffer, SERVER(1), buffer, 100), EDVSPROCSTS);
	process_kill(pid);
	CHECK_RET(dvk_wait4unbind_T(SERVER(1), SOON), OK);
	CHECK_RET(dvk_vcopy(SERVER(1), buffer, SELF, buffer, 100), EDVSSRCDIED);
	CHECK_RET(dvk_vcopy(SELF, buffer, SERVER(1), buffer, 100), EDVSDSTDIED);
}

static void user_denied(void)
{
	bind_self(USER(0));
	CHECK_RET(dvk_vcopy(SELF, buffer, SELF, buffer, 100), EDVSBADCALL);
}

void tests_vcopy(void)
{
	tap_run("vcopy from the caller", from_self);
	tap_run("vcopy to the caller", to_self);
	tap_run("vcopy between two others", between_others);
	tap_run("vcopy within the caller", within_self);
	tap_run("vcopy: sizes", largest);
	tap_run("vcopy: parties that do not wait, or are dead", parties);
	tap_run("vcopy: not by a user", user_denied);
}
