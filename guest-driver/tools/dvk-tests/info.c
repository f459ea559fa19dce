// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvk-tests: the records, and the macros that print them. */
#include "tests.h"

static void getdvsinfo(void)
{
	dvs_usr_t dvs, *dvs_ptr = &dvs;
	long node = dvk_getdvsinfo(dvs_ptr);

	CHECK(node >= 0 && node < NR_NODES);
	CHECK(tap_prints(DVS_USR_FORMAT, DVS_USR_FIELDS(dvs_ptr)));
	CHECK(tap_prints(DVS_MAX_FORMAT, DVS_MAX_FIELDS(dvs_ptr)));
	CHECK(tap_prints(DVS_VER_FORMAT, DVS_VER_FIELDS(dvs_ptr)));
	CHECK(dvs.d_nr_dcs == NR_DCS && dvs.d_nr_nodes == NR_NODES);
	CHECK(dvs.d_nr_tasks > 0 && dvs.d_nr_procs > 0);
	CHECK(dvs.d_nr_sysprocs <= dvs.d_nr_tasks + dvs.d_nr_procs);
	CHECK(dvs.d_max_copybuf == MAXCOPYBUF && dvs.d_max_copylen == MAXCOPYLEN);
	CHECK(dvs.d_size_proc == sizeof(proc_usr_t));
	CHECK_RET(dvk_getdvsinfo(NULL), EDVSFAULT);
}

static void getdcinfo(void)
{
	dc_usr_t dc, *dc_ptr = &dc;
	dvs_usr_t dvs;

	CHECK_RET(dvk_getdcinfo(-1, dc_ptr), EDVSNOTBIND);
	CHECK_RET(dvk_getdcinfo(dcid, dc_ptr), OK);
	CHECK(tap_prints(DC_USR1_FORMAT, DC_USR1_FIELDS(dc_ptr)));
	CHECK(tap_prints(DC_USR2_FORMAT, DC_USR2_FIELDS(dc_ptr)));
	CHECK(tap_prints(DC_CPU_FORMAT, DC_CPU_FIELDS(dc_ptr)));
	CHECK(tap_prints(DC_WARN_FORMAT, DC_WARN_FIELDS(dc_ptr)));
	CHECK(dc.dc_dcid == dcid && dc.dc_flags == DC_RUNNING);
	CHECK(TEST_BIT(dc.dc_nodes, dvk_getdvsinfo(&dvs)));
	CHECK(CPU_COUNT(&dc.dc_cpumask) > 0);
	bind_self(SERVER(0));
	CHECK_RET(dvk_getdcinfo(-1, dc_ptr), OK);
	CHECK(dc.dc_dcid == dcid);
	CHECK_RET(dvk_getdcinfo(dcid + 1, dc_ptr), EDVSBADDCID);
	CHECK_RET(dvk_getdcinfo(-2, dc_ptr), EDVSBADDCID);
	CHECK_RET(dvk_getdcinfo(dcid, NULL), EDVSFAULT);
}

static void getnodeinfo(void)
{
	node_usr_t node, *node_ptr = &node;
	dvs_usr_t dvs;
	int nodeid = (int)dvk_getdvsinfo(&dvs);

	CHECK_RET(dvk_getnodeinfo(nodeid, node_ptr), OK);
	CHECK(tap_prints(NODE_USR_FORMAT, NODE_USR_FIELDS(node_ptr)));
	CHECK(tap_prints(NODE_TIME_FORMAT, NODE_TIME_FIELDS(node_ptr)));
	CHECK(node.n_nodeid == nodeid && node.n_flags == 0xE);
	CHECK(TEST_BIT(node.n_dcs, dcid));
	CHECK_RET(dvk_getnodeinfo((nodeid + 1) % NR_NODES, node_ptr), OK);
	CHECK(node.n_flags == NODE_FREE && node.n_dcs == 0);
	CHECK_RET(dvk_getnodeinfo(NR_NODES, node_ptr), EDVSBADNODEID);
	CHECK_RET(dvk_getnodeinfo(-1, node_ptr), EDVSBADNODEID);
}

static void receiver(void)
{
	message m;

	dvk_receive_T(ANY, &m, SOON);
}

static void sender(void)
{
	message m;

	memset(&m, 0, sizeof(m));
	dvk_send_T(SERVER(0), &m, SOON);
}

static void getprocinfo(void)
{
	proc_usr_t proc, *proc_ptr = &proc;
	pid_t waits, sends;

	bind_self(SERVER(0));
	waits = peer_start(SERVER(1), receiver);
	wait_state(SERVER(1), RECEIVING);
	CHECK_RET(dvk_getprocinfo(dcid, SERVER(1), proc_ptr), OK);
	CHECK(tap_prints(PROC_USR_FORMAT, PROC_USR_FIELDS(proc_ptr)));
	CHECK(tap_prints(PROC_WAIT_FORMAT, PROC_WAIT_FIELDS(proc_ptr)));
	CHECK(tap_prints(PROC_COUNT_FORMAT, PROC_COUNT_FIELDS(proc_ptr)));
	CHECK(tap_prints(PROC_CPU_FORMAT, PROC_CPU_FIELDS(proc_ptr)));
	CHECK(proc.p_nr == SERVER(1) && proc.p_endpoint == SERVER(1) && proc.p_dcid == dcid);
	CHECK(proc.p_rts_flags == RECEIVING && proc.p_getfrom == ANY && proc.p_sendto == NONE);
	CHECK((proc.p_misc_flags & MIS_GRPLEADER) != 0);
	CHECK(proc.p_lpid == waits && proc.p_vpid == waits);
	CHECK(TEST_BIT(proc.p_nodemap, proc.p_nodeid));
	CHECK(strcmp(proc.p_name, "dvk-tests") == 0);
	sends = peer_start(SERVER(2), sender);
	wait_state(SERVER(2), SENDING);
	CHECK_RET(dvk_getprocinfo(-1, SERVER(2), proc_ptr), OK);
	CHECK(proc.p_sendto == SERVER(0) && proc.p_getfrom == NONE);
	CHECK_RET(dvk_getprocinfo(dcid, SERVER(0), proc_ptr), OK);
	CHECK(proc.p_rts_flags == PROC_RUNNING && proc.p_lpid == getpid());
	process_kill(waits);
	process_kill(sends);
	CHECK_RET(dvk_wait4unbind_T(SERVER(1), SOON), OK);
	CHECK_RET(dvk_getprocinfo(dcid, SERVER(1), proc_ptr), OK);
	CHECK(proc.p_rts_flags == SLOT_FREE);
}

static void getprocinfo_counts(void)
{
	unsigned long sent;
	proc_usr_t proc;
	message m;
	pid_t pid;

	bind_self(SERVER(0));
	pid = peer_start(SERVER(1), echo);
	CHECK_RET(dvk_getprocinfo(dcid, SERVER(0), &proc), OK);
	sent = proc.p_lclsent;
	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, SOON), OK);
	CHECK_RET(dvk_getprocinfo(dcid, SERVER(0), &proc), OK);
	CHECK(proc.p_lclsent == sent + 1 && proc.p_rmtsent == 0);
	CHECK(process_end(pid) == 0);
}

static void info_errors(void)
{
	proc_usr_t proc;
	dvs_usr_t dvs;

	CHECK(dvk_getdvsinfo(&dvs) >= 0);
	CHECK_RET(dvk_getprocinfo(-1, SERVER(0), &proc), EDVSNOTBIND);
	CHECK_RET(dvk_getprocinfo(dcid + 1, SERVER(0), &proc), EDVSBADDCID);
	CHECK_RET(dvk_getprocinfo(dcid, dvs.d_nr_procs, &proc), EDVSRANGE);
	CHECK_RET(dvk_getprocinfo(dcid, -dvs.d_nr_tasks - 1, &proc), EDVSRANGE);
	CHECK_RET(dvk_getprocinfo(dcid, SERVER(0), NULL), EDVSFAULT);
	CHECK_RET(dvk_getproxyinfo(0, &proc, &proc), EDVSBADPROXY);
}

void tests_info(void)
{
	tap_run("getdvsinfo", getdvsinfo);
	tap_run("getdcinfo", getdcinfo);
	tap_run("getnodeinfo", getnodeinfo);
	tap_run("getprocinfo", getprocinfo);
	tap_run("getprocinfo: counters", getprocinfo_counts);
	tap_run("information: errors", info_errors);
}
