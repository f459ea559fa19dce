// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: results in the form of TAP (Test Anything Protocol). */
#include "selftest.h"

#include <stdarg.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int tests, failed_tests, failed_checks;

void tap_check(bool good, const char *file, int line, const char *format, ...)
{
	va_list args;

	if (good)
		return;
	pthread_mutex_lock(&lock);
	failed_checks++;
	printf("# %s:%d: failed: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	pthread_mutex_unlock(&lock);
}

static int64_t started;

void tap_begin(void)
{
	started = now_ms();
	failed_checks = 0;
}

void tap_report(const char *name)
{
	tests++;
	if (failed_checks)
		failed_tests++;
	printf("%sok %u - %s # %lld ms\n", failed_checks ? "not " : "", tests, name,
	       (long long)(now_ms() - started));
	fflush(stdout);
}

void tap_run(const char *name, void (*test)(void))
{
	tap_begin();
	test();
	tap_report(name);
}

int tap_end(void)
{
	printf("1..%u\n", tests);
	if (failed_tests)
		printf("# %u of %u tests failed\n", failed_tests, tests);
	return failed_tests != 0;
}
