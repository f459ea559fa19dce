// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* What is told of the node, of endpoints and of what they may; what can be set of it. */
#include <errno.h>
#include <string.h>

#include "faked.h"

void records(void)
{
	node_usr_t node;
	dvs_usr_t dvs;
	dc_usr_t dc;

	CHECK(local_nodeid == DVS_NO_INIT);
	CHECK_RET(dvk_getdvsinfo(&dvs), NODE);
	CHECK(local_nodeid == NODE);
	CHECK(dvs.d_nr_procs == 221 && dvs.d_nr_tasks == 34 && dvs.d_nr_sysprocs == 64);
	CHECK_RET(dvk_getdcinfo(DC, &dc), 0);
	CHECK(dc.dc_dcid == DC && dc.dc_nodes == 1 << NODE && dc.dc_flags == 0);
	CHECK(strcmp(dc.dc_name, "a name as long.") == 0);
	CHECK_RET(dvk_getdcinfo(-1, &dc), 0);
	CHECK_RET(dvk_getdcinfo(DC + 1, &dc), EDVSBADDCID);
	own_bound = 0;
	CHECK_RET(dvk_getdcinfo(-1, &dc), EDVSNOTBIND);
	own_bound = 1;
	CHECK_RET(dvk_getnodeinfo(NODE, &node), 0);
	CHECK(node.n_flags == 0xE && node.n_dcs == 1 << DC);
	CHECK_RET(dvk_getnodeinfo(0, &node), 0);
	CHECK(node.n_flags == NODE_FREE && node.n_nodeid == 0);
	CHECK_RET(dvk_getnodeinfo(32, &node), EDVSBADNODEID);
}

void processes(void)
{
	proc_usr_t proc;

	memset(&state, 0, sizeof(state));
	state.rts = DVS_STATE_RECEIVING;
	state.misc = DVS_MISC_GRPLEADER;
	state.getfrom = DVS_ADDR_ANY;
	state.sendto = DVS_ADDR_NONE;
	state.pid = 555;
	state.lclsent = 4000000000u;
	memcpy(state.name, "a process's name", 16);
	CHECK_RET(dvk_getprocinfo(DC, 9, &proc), 0);
	CHECK(proc.p_nr == 9 && proc.p_endpoint == 9 && proc.p_rts_flags == RECEIVING);
	CHECK(proc.p_misc_flags == MIS_GRPLEADER && proc.p_getfrom == ANY && proc.p_sendto == NONE);
	CHECK(proc.p_lpid == 555 && proc.p_nodeid == NODE && proc.p_lclsent == 4000000000u);
	CHECK(strcmp(proc.p_name, "a process's nam") == 0);
	result = DVS_ERMTPROC;
	CHECK_RET(dvk_getprocinfo(-1, 9, &proc), 0);
	CHECK(proc.p_rts_flags == REMOTE && proc.p_lpid == PROC_NO_PID && proc.p_endpoint == 9);
	result = DVS_ENOTBIND;
	CHECK_RET(dvk_getprocinfo(DC, 9, &proc), 0);
	CHECK(proc.p_rts_flags == SLOT_FREE && proc.p_endpoint == NONE && !proc.p_nodemap);
	result = DVS_ENOTCONN;
	CHECK_RET(dvk_getprocinfo(DC, 9, &proc), EDVSNOTCONN);
	result = 0;
	CHECK_RET(dvk_getprocinfo(DC, 221, &proc), EDVSRANGE);
	CHECK_RET(dvk_getprocinfo(DC, -35, &proc), EDVSRANGE);
	CHECK_RET(dvk_getprocinfo(DC, -34, &proc), 0);
}

void privileges(void)
{
	priv_usr_t priv;

	privilege.calls = 0x24000420;
	privilege.ipc_to = ~0ULL;
	privilege.level = 0;
	CHECK_RET(dvk_getpriv(DC, 40, &priv), 0);
	CHECK(priv.priv_level == USER_PRIV && priv.priv_id == 40);
	CHECK(get_sys_bit(priv.priv_dvk_allowed, DVK_SENDREC));
	CHECK(get_sys_bit(priv.priv_dvk_allowed, DVK_WAIT4BIND));
	CHECK(!get_sys_bit(priv.priv_dvk_allowed, DVK_SEND));
	CHECK(get_sys_bit(priv.priv_ipc_to, 63) && get_sys_bit(priv.priv_ipc_from, 0));
	memset(&priv.priv_dvk_allowed, 0xff, sizeof(priv.priv_dvk_allowed));
	unset_sys_bit(priv.priv_dvk_allowed, DVK_VCOPY);
	unset_sys_bit(priv.priv_ipc_to, 63);
	priv.priv_level = KERNEL_PRIV;
	CHECK_RET(dvk_setpriv(DC, SELF, &priv), 0);
	CHECK(privilege.ep == OWN && privilege.flags == DVS_PRIVILEGE_SET);
	CHECK(privilege.calls == (0x7fffffffeULL & ~(1ULL << DVK_VCOPY)));
	CHECK(privilege.ipc_to == ~0ULL >> 1 && privilege.level == 2);
	priv.priv_level = PROXY_PRIV;
	CHECK_RET(dvk_setpriv(DC, 40, &priv), EDVSBADVALUE);
	CHECK_RET(dvk_setpriv(DC + 1, 40, &priv), EDVSBADVALUE);
	priv.priv_level = USER_PRIV;
	CHECK_RET(dvk_setpriv(DC + 1, 40, &priv), EDVSBADDCID);
	result = DVS_EPRIVILEGES;
	CHECK_RET(dvk_setpriv(DC, 40, &priv), EDVSPRIVILEGES);
	result = 0;
}

void configuration(void)
{
	dc_usr_t dc = { .dc_dcid = DC };
	unsigned int before;

	CHECK_RET(dvk_dvs_init(NODE, NULL), NODE);
	CHECK_RET(dvk_dvs_init(NODE + 1, NULL), EDVSPRIVILEGES);
	CHECK_RET(dvk_dc_init(&dc), NODE);
	dc.dc_dcid++;
	CHECK_RET(dvk_dc_init(&dc), EDVSPRIVILEGES);
	CHECK_RET(dvk_add_node(DC, NODE), 0);
	CHECK_RET(dvk_add_node(DC, NODE + 1), EDVSPRIVILEGES);
	CHECK_RET(dvk_add_node(DC + 1, NODE), EDVSBADDCID);
	CHECK_RET(dvk_node_up("n", NODE, 0), 0);
	CHECK_RET(dvk_node_up("n", NODE + 1, 0), EDVSPRIVILEGES);
	before = calls;
	CHECK_RET(dvk_dvs_end(), EDVSPRIVILEGES);
	CHECK_RET(dvk_dc_end(DC), EDVSPRIVILEGES);
	CHECK_RET(dvk_del_node(DC, NODE), EDVSPRIVILEGES);
	CHECK_RET(dvk_node_down(NODE), EDVSPRIVILEGES);
	CHECK_RET(dvk_proxies_bind("p", 0, 1, 2, 3), EDVSPRIVILEGES);
	CHECK_RET(dvk_proxies_unbind(0), EDVSPRIVILEGES);
	CHECK_RET(dvk_proxy_conn(0, CONNECT_SPROXY), EDVSPRIVILEGES);
	CHECK_RET(dvk_get2rmt(NULL, NULL), EDVSNOSYS);
	CHECK_RET(dvk_put2lcl(NULL, NULL), EDVSNOSYS);
	CHECK_RET(dvk_getproxyinfo(0, NULL, NULL), EDVSBADPROXY);
	CHECK(calls == before);
	CHECK_RET(dvk_migr_start(DC, 9), 0);
	CHECK(migrated.what == DVS_MIGRATE_START && migrated.ep == 9);
	fails_with = ENODEV;
	CHECK_RET(dvk_dvs_init(NODE, NULL), EDVSNODEV);
	CHECK_RET(dvk_add_node(DC, NODE), EDVSNODEV);
	fails_with = 0;
}
