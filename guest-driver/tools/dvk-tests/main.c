// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * dvk-tests [SERVER [USER]]: tests of the calls of the DVS within one virtual
 * machine, by programs as they were written for it. Uses the endpoint numbers
 * SERVER (default 4) to SERVER + 9 and USER (default 150) to USER + 9. What only
 * an administrator may do is skipped where it may not be done. TAP on standard
 * output; exit status 0 if all tests passed, 1 if not, 2 if they could not be run.
 */
#include "tests.h"

int first_server = 4, first_user = 150;
int dcid = -1;
int admin;

static int dc_find(void)
{
	dc_usr_t dc;
	int id;

	for (id = 0; id < NR_DCS; id++)
		if (dvk_getdcinfo(id, &dc) == OK)
			return id;
	return -1;
}

/* Setting what is set already changes nothing, if it may be done. */
static void administer(void)
{
	priv_usr_t priv;

	bind_self(SERVER(0));
	CHECK_RET(dvk_getpriv(dcid, SERVER(0), &priv), OK);
	exit(dvk_setpriv(dcid, SERVER(0), &priv) != OK);
}

static void tests_all(void)
{
	tests_bind();
	tests_messages();
	tests_notify();
	tests_vcopy();
	tests_waits();
	tests_death();
	tests_info();
	tests_priv();
	tests_config();
}

int main(int argc, char *argv[])
{
	long ret;

	if (argc > 1)
		first_server = atoi(argv[1]);
	if (argc > 2)
		first_user = atoi(argv[2]);
	ret = dvk_open();
	if (ret < 0) {
		fprintf(stderr, "dvk-tests: dvk_open gives %ld\n", ret);
		return 2;
	}
	dcid = dc_find();
	if (dcid < 0) {
		fprintf(stderr, "dvk-tests: no DC is this virtual machine's\n");
		return 2;
	}
	admin = process_end(process_start(administer)) == 0;
	tests_all();
	return tap_end();
}
