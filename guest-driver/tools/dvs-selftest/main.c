// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * dvs-selftest [--unplug]: tests of /dev/dvs within one VM, by the endpoint
 * numbers 0 to 29. With --unplug, and as root, those in which the driver lets go of
 * the device; they disturb everybody else.
 *
 * dvs-selftest --puppet EP: serves actors at EP until whoever directs them ends it.
 * dvs-selftest --matrix EP EP: every call between the actors of two puppets, which may
 * be in different VMs (or of one, named twice); uses the numbers 10 to 20, 40 and 41.
 *
 * dvs-selftest --copies EP EP EP: copies between the actors of three puppets, which are
 * in different VMs.
 *
 * dvs-selftest --storm FIRST COUNT NUMBERS SECONDS SEED: COUNT processes at the numbers
 * from FIRST on that do anything with anybody and are killed at any time.
 *
 * TAP on standard output; exit status 0 if all tests passed, 1 if not, 2 if they
 * could not be run.
 */
#include "actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tests' numbers are servers', which may make every call. */
int selftest_base;

static void tests_all(void)
{
	tests_bind();
	tests_messages();
	tests_errors();
	tests_waits();
	tests_identity();
	tests_calls();
	tests_uring();
	tests_input();
	tests_copy();
	tests_stress();
}

static int usage(void)
{
	fprintf(stderr, "usage: dvs-selftest [--unplug | --puppet EP | --matrix EP EP |\n"
		"                     --copies EP EP EP |\n"
		"                     --storm FIRST COUNT NUMBERS SECONDS SEED]\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct dvs dvs;
	int err;

	if (argc == 4 && !strcmp(what, "--after-exec"))
		return identity_after_exec(atoi(argv[2]), atoi(argv[3]));
	err = dvs_open(&dvs, 0);
	if (err) {
		fprintf(stderr, "dvs-selftest: %s\n", dvs_strerror(err));
		return 2;
	}
	dvs_close(&dvs);
	if (argc == 3 && !strcmp(what, "--puppet"))
		return puppet_run(atoi(argv[2]));
	if (argc == 4 && !strcmp(what, "--matrix"))
		return matrix_run(atoi(argv[2]), atoi(argv[3]));
	if (argc == 5 && !strcmp(what, "--copies"))
		return matrix_copies_run((int[]){ atoi(argv[2]), atoi(argv[3]), atoi(argv[4]) });
	if (argc == 7 && !strcmp(what, "--storm"))
		return storm_run(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]),
				 (unsigned int)atoi(argv[6]));
	if (argc == 2 && !strcmp(what, "--unplug"))
		tests_unplug();
	else if (argc == 1)
		tests_all();
	else
		return usage();
	return tap_end();
}
