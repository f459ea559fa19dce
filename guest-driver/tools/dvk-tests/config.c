// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvk-tests: the calls of configuration, which is the host's now. */
#include "tests.h"

static int nodeid;

static void node_find(void)
{
	dvs_usr_t dvs;

	nodeid = (int)dvk_getdvsinfo(&dvs);
	CHECK(nodeid >= 0);
}

static void dvs(void)
{
	dvs_usr_t dvs;

	node_find();
	memset(&dvs, 0, sizeof(dvs));
	dvs.d_nr_procs = NR_PROCS;
	CHECK_RET(dvk_dvs_init(nodeid, &dvs), nodeid);
	CHECK_RET(dvk_dvs_init(nodeid + 1, &dvs), EDVSPRIVILEGES);
	CHECK_RET(dvk_dvs_init(-1, &dvs), EDVSPRIVILEGES);
	CHECK_RET(dvk_dvs_end(), EDVSPRIVILEGES);
}

static void dc(void)
{
	dc_usr_t dc;

	node_find();
	memset(&dc, 0, sizeof(dc));
	dc.dc_dcid = dcid;
	CHECK_RET(dvk_dc_init(&dc), nodeid);
	dc.dc_dcid = dcid + 1;
	CHECK_RET(dvk_dc_init(&dc), EDVSPRIVILEGES);
	CHECK_RET(dvk_dc_init(NULL), EDVSFAULT);
	CHECK_RET(dvk_dc_end(dcid), EDVSPRIVILEGES);
	CHECK_RET(dvk_dc_end(dcid + 1), EDVSPRIVILEGES);
}

static void nodes(void)
{
	node_find();
	CHECK_RET(dvk_add_node(dcid, nodeid), OK);
	CHECK_RET(dvk_add_node(dcid, nodeid + 1), EDVSPRIVILEGES);
	CHECK_RET(dvk_add_node(dcid + 1, nodeid), EDVSBADDCID);
	CHECK_RET(dvk_del_node(dcid, nodeid), EDVSPRIVILEGES);
	CHECK_RET(dvk_node_up("node", nodeid, 0), OK);
	CHECK_RET(dvk_node_up("node", nodeid + 1, 0), EDVSPRIVILEGES);
	CHECK_RET(dvk_node_down(nodeid), EDVSPRIVILEGES);
}

static void proxies(void)
{
	static proxy_payload_t payload;
	cmd_t header, *header_ptr = &header;

	memset(&header, 0, sizeof(header));
	CHECK(tap_prints(HDR_FORMAT, HDR_FIELDS(header_ptr)));
	CHECK_RET(dvk_proxies_bind("proxy", 0, getpid(), getpid(), MAXCOPYBUF), EDVSPRIVILEGES);
	CHECK_RET(dvk_proxies_unbind(0), EDVSPRIVILEGES);
	CHECK_RET(dvk_proxy_conn(0, CONNECT_SPROXY), EDVSPRIVILEGES);
	CHECK_RET(dvk_get2rmt(&header, &payload), EDVSNOSYS);
	CHECK_RET(dvk_get2rmt_T(&header, &payload, SOON), EDVSNOSYS);
	CHECK_RET(dvk_put2lcl(&header, &payload), EDVSNOSYS);
	CHECK_RET(dvk_put2lcl_T(&header, &payload, SOON), EDVSNOSYS);
}

static void migration(void)
{
	bind_self(SERVER(0));
	CHECK_RET(dvk_migr_rollback(dcid, SERVER(0)), EDVSMIGRATE);
	CHECK_RET(dvk_migr_commit(getpid(), dcid, SERVER(0), 0), EDVSPROCSTS);
	CHECK_RET(dvk_migr_start(dcid, SERVER(0)), OK);
	CHECK_RET(dvk_migr_start(dcid, SERVER(0)), OK);
	CHECK_RET(dvk_migr_rollback(dcid, SERVER(0)), OK);
	CHECK_RET(dvk_migr_start(dcid + 1, SERVER(0)), EDVSBADDCID);
}

void tests_config(void)
{
	tap_run("dvs_init, dvs_end", dvs);
	tap_run("dc_init, dc_end", dc);
	tap_run("add_node, del_node, node_up, node_down", nodes);
	tap_run("proxies", proxies);
	tap_run("migrate", migration);
}
