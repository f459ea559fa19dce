// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: binding and unbinding of open files. */
#include "selftest.h"

#include <unistd.h>

static void info(void)
{
	struct dvs_info info;
	struct dvs dvs;

	CHECK_RESULT(dvs_open(&dvs, 0), 0);
	CHECK_RESULT(dvs_info(&dvs, &info), 0);
	CHECK(info.abi_version == DVS_ABI_VERSION);
	CHECK(info.vm != 0 && info.vm != UINT32_MAX);
	CHECK(info.max_message >= 48 && info.max_message <= MESSAGE_MAX);
	CHECK(info.max_endpoints > 0);
	CHECK(info.nr_sysprocs <= info.nr_tasks + info.nr_procs);
	dvs_close(&dvs);
}

static void range(void)
{
	struct dvs_info info;
	struct dvs dvs;

	CHECK_RESULT(dvs_open(&dvs, 0), 0);
	CHECK_RESULT(dvs_info(&dvs, &info), 0);
	CHECK_RESULT(dvs_bind(&dvs, (int)info.nr_procs, DVS_BIND_FILE), DVS_ERANGE);
	CHECK_RESULT(dvs_bind(&dvs, -(int)info.nr_tasks - 1, DVS_BIND_FILE), DVS_ERANGE);
	CHECK_RESULT(dvs_bind(&dvs, DVS_ADDR_ANY, DVS_BIND_FILE), DVS_ERANGE);
	CHECK_RESULT(dvs_bind(&dvs, DVS_ADDR_NONE, DVS_BIND_FILE), DVS_ERANGE);
	CHECK_RESULT(dvs_bind(&dvs, DVS_ADDR_SELF, DVS_BIND_FILE), DVS_ERANGE);
	/* None of these left anything behind. */
	CHECK_RESULT(dvs_bind(&dvs, EP(0), DVS_BIND_FILE), 0);
	dvs_close(&dvs);
}

static void in_use(void)
{
	struct dvs a = bound(EP(0)), b;

	CHECK_RESULT(dvs_open(&b, 0), 0);
	CHECK_RESULT(dvs_bind(&b, EP(0), DVS_BIND_FILE), DVS_ESLOTUSED);
	CHECK_RESULT(dvs_bind(&a, EP(1), DVS_BIND_FILE), DVS_EBUSY);
	CHECK_RESULT(dvs_bind(&b, EP(1), DVS_BIND_FILE), 0);
	dvs_close(&a);
	dvs_close(&b);
}

static void unbound(void)
{
	struct dvs_received got;
	struct dvs dvs;
	char byte = 0;

	CHECK_RESULT(dvs_open(&dvs, 0), 0);
	CHECK_RESULT(dvs_unbind(&dvs), DVS_ENOTBIND);
	CHECK_RESULT(dvs_send(&dvs, dvs_address(EP(1)), &byte, 1, SOON), DVS_ENOTBIND);
	CHECK_RESULT(dvs_receive(&dvs, ANY, 0, &byte, 1, &got, SOON), DVS_ENOTBIND);
	CHECK_RESULT(dvs_sendrec(&dvs, dvs_address(EP(1)), &byte, 1, &byte, 1, &got, SOON),
		     DVS_ENOTBIND);
	CHECK_RESULT(dvs_reply(&dvs, dvs_address(EP(1)), 0, &byte, 1, SOON), DVS_ENOTBIND);
	CHECK_RESULT(dvs_notify(&dvs, dvs_address(EP(1)), SOON), DVS_ENOTBIND);
	CHECK_RESULT(dvs_bind(&dvs, EP(0), DVS_BIND_FILE), 0);
	CHECK_RESULT(dvs_unbind(&dvs), 0);
	CHECK_RESULT(dvs_unbind(&dvs), DVS_ENOTBIND);
	dvs_close(&dvs);
}

static void generations(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct dvs_address old = { EP(0), a.generation };
	char byte = 0;

	dvs_close(&a);
	a = bound(EP(0));
	CHECK(a.generation > old.generation);
	CHECK_RESULT(dvs_send(&b, old, &byte, 1, SOON), DVS_EENDPOINT);
	CHECK_RESULT(dvs_notify(&b, old, SOON), DVS_EENDPOINT);
	old.generation = a.generation;
	CHECK_RESULT(dvs_notify(&b, old, SOON), 0);
	dvs_close(&a);
	dvs_close(&b);
}

/* The endpoint is the open file's, not the descriptor's. */
static void duplicated_file(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1)), copy = a;

	copy.fd = dup(a.fd);
	dvs_close(&a);
	CHECK_RESULT(dvs_notify(&b, dvs_address(EP(0)), SOON), 0);
	dvs_close(&copy);
	CHECK_RESULT(dvs_notify(&b, dvs_address(EP(0)), SOON), DVS_EDSTDIED);
	dvs_close(&b);
}

static void again_and_again(void)
{
	int i;

	for (i = 0; i < 200; i++) {
		struct dvs dvs = bound(EP(i % 3));

		if (i & 1)
			CHECK_RESULT(dvs_unbind(&dvs), 0);
		dvs_close(&dvs);
	}
}

void tests_bind(void)
{
	tap_run("info", info);
	tap_run("numbers out of range are refused", range);
	tap_run("a number and a file are bound once", in_use);
	tap_run("calls without an endpoint are refused", unbound);
	tap_run("a new bind has a new generation", generations);
	tap_run("an endpoint lives as long as its open file", duplicated_file);
	tap_run("200 binds and unbinds", again_and_again);
}
