// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * dvs-selftest [--unplug] [BASE]: tests of /dev/dvs within one VM, by the
 * endpoint numbers BASE (default 30) to BASE + 29. With --unplug, and as root,
 * those in which the driver lets go of the device; they disturb everybody else.
 * TAP on standard output; exit status 0 if all tests passed, 1 if not, 2 if they
 * could not be run.
 */
#include "selftest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int selftest_base = 30;

static void tests_all(void)
{
	tests_bind();
	tests_messages();
	tests_errors();
	tests_waits();
	tests_identity();
	tests_input();
	tests_stress();
}

int main(int argc, char **argv)
{
	bool unplug = argc > 1 && !strcmp(argv[1], "--unplug");
	int rest = 1 + unplug;
	struct dvs dvs;
	int err;

	if (argc == 4 && !strcmp(argv[1], "--after-exec"))
		return identity_after_exec(atoi(argv[2]), atoi(argv[3]));
	if (argc > rest)
		selftest_base = atoi(argv[rest]);
	if (argc > rest + 1 || selftest_base <= 0) {
		fprintf(stderr, "usage: dvs-selftest [--unplug] [first endpoint number]\n");
		return 2;
	}
	err = dvs_open(&dvs, 0);
	if (err) {
		fprintf(stderr, "dvs-selftest: %s\n", dvs_strerror(err));
		return 2;
	}
	dvs_close(&dvs);
	if (unplug)
		tests_unplug();
	else
		tests_all();
	return tap_end();
}
