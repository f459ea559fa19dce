// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvk-tests: results in the form of TAP (Test Anything Protocol). */
#include "tests.h"

#include <stdarg.h>

/* A test that takes longer hangs, and is ended. */
#define LIMIT_SECONDS	60

static unsigned int tests, failed_tests;
static int failed_checks;

void tap_check(int good, const char *file, int line, const char *what, long got)
{
	if (good)
		return;
	__atomic_add_fetch(&failed_checks, 1, __ATOMIC_RELAXED);
	printf("# %s:%d: failed: %s (%ld)\n", file, line, what, got);
	fflush(stdout);
}

int tap_failed(void)
{
	return failed_checks;
}

int tap_prints(const char *format, ...)
{
	char line[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return length > 0 && length < (int)sizeof(line) && line[length - 1] == '\n';
}

void tap_run(const char *name, void (*test)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		alarm(LIMIT_SECONDS);
		test();
		exit(tap_failed() != 0);
	}
	status = process_end(pid);
	tests++;
	if (status)
		failed_tests++;
	if (status < 0)
		printf("# ended by signal %d\n", -status);
	printf("%sok %u - %s\n", status ? "not " : "", tests, name);
	fflush(stdout);
}

void tap_run_admin(const char *name, void (*test)(void))
{
	if (admin) {
		tap_run(name, test);
		return;
	}
	tests++;
	printf("ok %u - %s # SKIP this virtual machine or process may not administer\n",
	       tests, name);
	fflush(stdout);
}

int tap_end(void)
{
	printf("1..%u\n", tests);
	if (failed_tests)
		printf("# %u of %u tests failed\n", failed_tests, tests);
	return failed_tests != 0;
}
