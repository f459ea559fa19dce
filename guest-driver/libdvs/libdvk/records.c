// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* libdvk: the records that tell about the DVS, and privileges. */
#define _GNU_SOURCE
#include "internal.h"

#include <stdio.h>
#include <string.h>

/* Bit 0 stands for no call. */
#define CALLS_ALL	((1ULL << DVK_NR_CALLS) - 2)

/* A node or DC in a map of them; one that the map has no place for is not in it. */
static unsigned long bit_of(__u32 number)
{
	return number < 64 ? 1UL << number : 0;
}

long dvk_getdvsinfo(dvs_usr_t *dvs)
{
	struct dvs_info info;
	long ret = dvk_info(&info);

	if (ret)
		return ret;
	if (!dvs)
		return EDVSFAULT;
	memset(dvs, 0, sizeof(*dvs));
	strcpy(dvs->d_name, "dvs");
	dvs->d_nr_dcs = NR_DCS;
	dvs->d_nr_nodes = NR_NODES;
	dvs->d_nr_procs = (int)info.nr_procs;
	dvs->d_nr_tasks = (int)info.nr_tasks;
	dvs->d_nr_sysprocs = (int)info.nr_sysprocs;
	dvs->d_max_copybuf = MAXCOPYBUF;
	dvs->d_max_copylen = MAXCOPYLEN;
	dvs->d_version = DVS_VERSION;
	dvs->d_flags = DVK_IOCTL | DVK_INITIALIZED;
	dvs->d_size_proc = sizeof(proc_usr_t);
	local_nodeid = (int)info.nodeid;
	return local_nodeid;
}

/* All that the caller may run on, which says what is there. */
static void cpus(cpu_set_t *set)
{
	if (sched_getaffinity(0, sizeof(*set), set))
		memset(set, 0, sizeof(*set));
}

long dvk_getdcinfo(int dcid, dc_usr_t *dc)
{
	struct dvs_info info;
	long ret = dvk_info_of_own(dcid, &info);

	if (ret)
		return ret;
	if (!dc)
		return EDVSFAULT;
	memset(dc, 0, sizeof(*dc));
	dc->dc_dcid = (int)info.dcid;
	dc->dc_flags = DC_RUNNING;
	dc->dc_nr_procs = (int)info.nr_procs;
	dc->dc_nr_tasks = (int)info.nr_tasks;
	dc->dc_nr_sysprocs = (int)info.nr_sysprocs;
	dc->dc_nr_nodes = NR_NODES;
	dc->dc_nodes = bit_of(info.nodeid);
	dc->dc_warn2proc = NONE;
	/* The DC's part on this machine begins with its first process. */
	dc->dc_pid = 1;
	memcpy(dc->dc_name, info.dc_name, sizeof(dc->dc_name));
	dc->dc_name[sizeof(dc->dc_name) - 1] = 0;
	cpus(&dc->dc_cpumask);
	return OK;
}

/* A node that is not this one is shown as free: its host does not tell. */
long dvk_getnodeinfo(int nodeid, node_usr_t *node)
{
	struct dvs_info info;
	long ret = dvk_info(&info);

	if (ret)
		return ret;
	if (nodeid < 0 || nodeid >= NR_NODES)
		return EDVSBADNODEID;
	if (!node)
		return EDVSFAULT;
	memset(node, 0, sizeof(*node));
	node->n_nodeid = nodeid;
	node->n_proxies = NO_PROXIES;
	snprintf(node->n_name, sizeof(node->n_name), "node%d", nodeid);
	if ((__u32)nodeid == info.nodeid) {
		node->n_flags = NODE_ATTACHED | NODE_SCONNECTED | NODE_RCONNECTED;
		node->n_dcs = bit_of(info.dcid);
	}
	return OK;
}

static void proc_fill_local(proc_usr_t *proc, const struct dvs_state *state)
{
	proc->p_rts_flags = state->rts;
	proc->p_misc_flags = state->misc;
	proc->p_lpid = state->pid;
	proc->p_vpid = state->pid;
	proc->p_getfrom = state->getfrom;
	proc->p_sendto = state->sendto;
	proc->p_lclsent = state->lclsent;
	proc->p_rmtsent = state->rmtsent;
	proc->p_lclcopy = state->lclcopy;
	proc->p_rmtcopy = state->rmtcopy;
	memcpy(proc->p_name, state->name, sizeof(proc->p_name));
	proc->p_name[sizeof(proc->p_name) - 1] = 0;
	cpus(&proc->p_cpumask);
}

static void proc_fill(proc_usr_t *proc, int nr, const struct dvs_info *info,
		      const struct dvs_state *state)
{
	memset(proc, 0, sizeof(*proc));
	proc->p_nr = nr;
	proc->p_endpoint = nr;
	proc->p_dcid = (int)info->dcid;
	proc->p_nodeid = (int)info->nodeid;
	proc->p_nodemap = bit_of(info->nodeid);
	proc->p_lpid = PROC_NO_PID;
	proc->p_vpid = PROC_NO_PID;
	proc->p_getfrom = NONE;
	proc->p_sendto = NONE;
	proc->p_waitmigr = NONE;
	proc->p_waitunbind = NONE;
	proc->p_proxy = NONE;
	if (state->result == DVS_OK) {
		proc_fill_local(proc, state);
	} else if (state->result == DVS_ERMTPROC) {
		proc->p_rts_flags = REMOTE;
	} else {
		proc->p_rts_flags = SLOT_FREE;
		proc->p_endpoint = NONE;
		proc->p_nodemap = 0;
	}
}

long dvk_getprocinfo(int dcid, int nr, proc_usr_t *proc)
{
	struct dvs_state state = { .ep = nr };
	struct dvs_info info;
	long ret = dvk_info_of_own(dcid, &info);

	if (ret)
		return ret;
	if (nr < -(int)info.nr_tasks || nr >= (int)info.nr_procs)
		return EDVSRANGE;
	if (!proc)
		return EDVSFAULT;
	ret = dvk_call(DVS_IOC_STATE, &state);
	if (ret)
		return ret;
	if (state.result && state.result != DVS_ENOTBIND && state.result != DVS_ERMTPROC)
		return state.result;
	proc_fill(proc, nr, &info, &state);
	return OK;
}

/* There are no proxies: hosts talk to each other by themselves. */
long dvk_getproxyinfo(int pxid, proc_usr_t *sender, proc_usr_t *receiver)
{
	(void)pxid;
	(void)sender;
	(void)receiver;
	return EDVSBADPROXY;
}

static void map_set(bitchunk_t *chunks, int count, __u64 bits)
{
	int i;

	for (i = 0; i < count; i++)
		chunks[i] = (bitchunk_t)(bits >> (i * BITCHUNK_BITS));
}

static __u64 map_get(const bitchunk_t *chunks, int count)
{
	__u64 bits = 0;
	int i;

	for (i = 0; i < count; i++)
		bits |= (__u64)chunks[i] << (i * BITCHUNK_BITS);
	return bits;
}

static long privilege_run(int dcid, struct dvs_privilege *privilege)
{
	struct dvs_info info;
	long ret = dvk_info_of(dcid, &info);

	if (!ret)
		ret = dvk_resolve(&privilege->ep);
	if (!ret)
		ret = dvk_call(DVS_IOC_PRIVILEGE, privilege);
	return ret ? ret : privilege->result;
}

long dvk_getpriv(int dcid, int endpoint, priv_usr_t *priv)
{
	struct dvs_privilege privilege = { .ep = endpoint };
	long ret = privilege_run(dcid, &privilege);

	if (ret)
		return ret;
	if (!priv)
		return EDVSFAULT;
	memset(priv, 0, sizeof(*priv));
	priv->priv_id = (dvk_id_t)privilege.ep;
	priv->priv_warn = NONE;
	priv->priv_level = (int)privilege.level;
	map_set(priv->priv_ipc_from.chunk, NR_SYS_CHUNKS, ~0ULL);
	map_set(priv->priv_ipc_to.chunk, NR_SYS_CHUNKS, privilege.ipc_to);
	map_set(priv->priv_dvk_allowed.chunk, NR_DVK_CHUNKS, privilege.calls);
	return OK;
}

/* Above tasks there is nobody here: the levels of the system and the kernel are a task's. */
long dvk_setpriv(int dcid, int endpoint, priv_usr_t *priv)
{
	struct dvs_privilege privilege = { .ep = endpoint, .flags = DVS_PRIVILEGE_SET };

	if (!priv)
		return EDVSFAULT;
	if (priv->priv_level < USER_PRIV || priv->priv_level > KERNEL_PRIV)
		return EDVSBADVALUE;
	privilege.level = (__u32)MIN(priv->priv_level, TASK_PRIV);
	privilege.ipc_to = map_get(priv->priv_ipc_to.chunk, NR_SYS_CHUNKS);
	privilege.calls = map_get(priv->priv_dvk_allowed.chunk, NR_DVK_CHUNKS) & CALLS_ALL;
	return privilege_run(dcid, &privilege);
}
