// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* libdvk: binding, unbinding, waiting for either, and what migrates. */
#include "internal.h"

#include <string.h>

/*
 * A number that was bound. EBUSY, which is what the driver says of a process
 * that has an endpoint, would look like a task's number: the caller takes for
 * errors only what is below EDVSERRCODE.
 */
static long bind_run(struct dvs_bind *bind)
{
	long ret = dvk_call(DVS_IOC_BIND, bind);

	if (ret)
		return ret;
	if (bind->result == DVS_EBUSY)
		return EDVSSLOTUSED;
	return bind->result ? bind->result : bind->ep;
}

/* The first thread's endpoint is its process's. */
static long bind_self(int pid, int endpoint)
{
	struct dvs_bind bind = { .ep = endpoint, .owner = DVS_BIND_PROCESS };

	if (pid != PROC_NO_PID && pid != getpid()) {
		if (pid != (int)syscall(SYS_gettid))
			return EDVSBADPID;
		bind.owner = DVS_BIND_THREAD;
	}
	return bind_run(&bind);
}

static long bind_pid(int pid, int endpoint, __u32 flags)
{
	struct dvs_bind bind = {
		.ep = endpoint,
		.owner = DVS_BIND_PID,
		.pid = pid,
		.flags = flags,
	};

	return pid <= 0 ? EDVSBADPID : bind_run(&bind);
}

/* The host knows where endpoints are: all that is to be done is to look. */
static long bind_remote(int endpoint, int nodeid)
{
	struct dvs_state state = { .ep = endpoint };
	long ret;

	if (nodeid < 0 || nodeid >= NR_NODES)
		return EDVSBADNODEID;
	ret = dvk_call(DVS_IOC_STATE, &state);
	if (ret)
		return ret;
	if (state.result == DVS_OK)
		return EDVSSLOTUSED;
	return state.result == DVS_ERMTPROC ? endpoint : state.result;
}

long dvk_bind_X(int kind, int dcid, int pid, int endpoint, int nodeid)
{
	struct dvs_info info;
	long ret = dvk_info_of(dcid, &info);

	if (ret)
		return ret;
	switch (kind) {
	case SELF_BIND:
		return bind_self(pid, endpoint);
	case LCL_BIND:
	case USERMODE_BIND:
		return bind_pid(pid, endpoint, 0);
	case RMT_BIND:
		return bind_remote(endpoint, nodeid);
	case BKUP_BIND:
		if (nodeid < 0 || nodeid >= NR_NODES)
			return EDVSBADNODEID;
		return bind_pid(pid, endpoint, DVS_BIND_BACKUP);
	case REPLICA_BIND:
		return bind_pid(pid, endpoint, DVS_BIND_REPLICA);
	default:
		return EDVSBINDTYPE;
	}
}

long (dvk_rmtbind)(int dcid, const char *name, int endpoint, int nodeid)
{
	if (name && strnlen(name, MAXPROCNAME) == MAXPROCNAME)
		return EDVSNAMESIZE;
	return dvk_bind_X(RMT_BIND, dcid, PROC_NO_PID, endpoint, nodeid);
}

long dvk_unbind_T(int dcid, int endpoint, unsigned long timeout)
{
	struct dvs_unbind unbind = { .id = DVS_ID_TASK };
	struct dvs_info info;
	int own;
	long ret = dvk_info_of(dcid, &info);

	if (ret)
		return ret;
	if (endpoint != SELF && (dvk_own(&own) || endpoint != own)) {
		unbind.id = DVS_ID_NUMBER;
		unbind.ep = endpoint;
		unbind.timeout_ms = dvk_timeout((long)timeout);
	}
	ret = dvk_call(DVS_IOC_UNBIND, &unbind);
	return ret ? ret : unbind.result;
}

long dvk_wait4bindep_X(int kind, int endpoint, unsigned long timeout)
{
	struct dvs_await await = { .timeout_ms = dvk_timeout((long)timeout) };
	long ret;

	if (kind != WAIT_BIND && kind != WAIT_UNBIND)
		return EDVSINVAL;
	if (kind == WAIT_BIND && endpoint == SELF) {
		await.what = DVS_AWAIT_OWN;
	} else {
		await.what = kind == WAIT_BIND ? DVS_AWAIT_BIND : DVS_AWAIT_UNBIND;
		await.ep = endpoint;
	}
	ret = dvk_call(DVS_IOC_AWAIT, &await);
	if (ret || await.result)
		return ret ? ret : await.result;
	return kind == WAIT_BIND ? await.ep : OK;
}

long dvk_getep(int pid)
{
	struct dvs_getep getep = { .pid = pid };
	long ret = dvk_call(DVS_IOC_GETEP, &getep);

	if (ret)
		return ret;
	return getep.result ? getep.result : getep.ep;
}

/*
 * Said in every node there; here the endpoint's own virtual machine decides, and the
 * others need not be told. The process at the new place adopts it: see dvs_adopt(3).
 */
long dvk_migrate_X(int step, int pid, int dcid, int endpoint, int nodeid)
{
	static const __u32 steps[] = {
		[MIGR_START] = DVS_MIGRATE_START,
		[MIGR_COMMIT] = DVS_MIGRATE_COMMIT,
		[MIGR_ROLLBACK] = DVS_MIGRATE_ROLLBACK,
	};
	struct dvs_migrate migrate = {
		.ep = endpoint, .timeout_ms = DVS_TIMEOUT_FOREVER,
	};
	struct dvs_info info;
	long ret = dvk_info_of(dcid, &info);

	(void)pid;
	(void)nodeid;
	if (!ret && (step < MIGR_START || step > MIGR_ROLLBACK))
		ret = EDVSINVAL;
	if (!ret) {
		migrate.what = steps[step];
		ret = dvk_call(DVS_IOC_MIGRATE, &migrate);
	}
	if (ret)
		return ret;
	if (migrate.result == DVS_ERMTPROC && step != MIGR_COMMIT)
		return OK;
	return migrate.result;
}
