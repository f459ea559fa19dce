// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Numbers are bound, freed and waited for. */
#include <pthread.h>

#include "faked.h"

static void *binds_thread(void *arg)
{
	(void)arg;
	CHECK_RET(dvk_tbind(DC, 5), 5);
	CHECK(bound.owner == DVS_BIND_THREAD && !bound.pid);
	CHECK_RET(dvk_bind(DC, 5), 5);
	CHECK(bound.owner == DVS_BIND_PROCESS);
	return NULL;
}

void binds(void)
{
	pthread_t thread;

	CHECK_RET(dvk_bind(DC, -4), -4);
	CHECK(bound.ep == -4 && bound.owner == DVS_BIND_PROCESS && !bound.pid && !bound.flags);
	CHECK_RET(dvk_tbind(DC, 5), 5);
	CHECK(bound.owner == DVS_BIND_PROCESS);
	CHECK(pthread_create(&thread, NULL, binds_thread, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK_RET(dvk_lclbind(DC, 100, 5), 5);
	CHECK(bound.owner == DVS_BIND_PID && bound.pid == 100 && !bound.flags);
	CHECK_RET(dvk_umbind(DC, 100, 5), 5);
	CHECK_RET(dvk_replbind(DC, 100, 5), 5);
	CHECK(bound.owner == DVS_BIND_PID && bound.flags == DVS_BIND_REPLICA);
	CHECK_RET(dvk_bkupbind(DC, 100, 5, 1), 5);
	CHECK(bound.owner == DVS_BIND_PID && bound.flags == DVS_BIND_BACKUP);
	CHECK_RET(dvk_bkupbind(DC, 100, 5, NR_NODES), EDVSBADNODEID);
	CHECK_RET(dvk_lclbind(DC, 0, 5), EDVSBADPID);
	CHECK_RET(dvk_bind_X(SELF_BIND, DC, 1, 5, LOCALNODE), EDVSBADPID);
	CHECK_RET(dvk_bind_X(6, DC, 1, 5, LOCALNODE), EDVSBINDTYPE);
	CHECK_RET(dvk_bind(DC + 1, 5), EDVSBADDCID);
	CHECK_RET(dvk_bind(-1, 5), EDVSBADDCID);
	result = DVS_EBUSY;
	CHECK_RET(dvk_bind(DC, 5), EDVSSLOTUSED);
	result = DVS_ERMTPROC;
	CHECK_RET(dvk_rmtbind(DC, "far", 5, 1), 5);
	CHECK_RET(dvk_rmtbind(DC, "0123456789abcdef", 5, 1), EDVSNAMESIZE);
	CHECK_RET(dvk_rmtbind(DC, "far", 5, -1), EDVSBADNODEID);
	result = DVS_ENOTBIND;
	CHECK_RET(dvk_rmtbind(DC, "far", 5, 1), EDVSNOTBIND);
	result = 0;
	CHECK_RET(dvk_rmtbind(DC, "far", 5, 1), EDVSSLOTUSED);
}

void unbinds_and_waits(void)
{
	CHECK_RET(dvk_unbind(DC, SELF), 0);
	CHECK(unbound.id == DVS_ID_TASK && !unbound.ep && !unbound.timeout_ms);
	CHECK_RET(dvk_unbind(DC, OWN), 0);
	CHECK(unbound.id == DVS_ID_TASK && !unbound.ep);
	CHECK_RET(dvk_unbind_T(DC, 9, 50), 0);
	CHECK(unbound.id == DVS_ID_NUMBER && unbound.ep == 9 && unbound.timeout_ms == 50);
	CHECK_RET(dvk_unbind(DC, 9), 0);
	CHECK(unbound.timeout_ms == DVS_TIMEOUT_FOREVER);
	CHECK_RET(dvk_unbind(DC + 1, 9), EDVSBADDCID);
	CHECK_RET(dvk_wait4bind(), OWN);
	CHECK(awaited.what == DVS_AWAIT_OWN && awaited.timeout_ms == DVS_TIMEOUT_FOREVER);
	CHECK_RET(dvk_wait4bindep_T(-9, 30), -9);
	CHECK(awaited.what == DVS_AWAIT_BIND && awaited.ep == -9 && awaited.timeout_ms == 30);
	CHECK_RET(dvk_wait4unbind(9), 0);
	CHECK(awaited.what == DVS_AWAIT_UNBIND && awaited.ep == 9);
	CHECK_RET(dvk_wait4bindep_X(2, 9, 0), EDVSINVAL);
	CHECK_RET(dvk_getep(100), 101);
	CHECK_RET(dvk_wakeup(DC, 9), 0);
	CHECK(woken.ep == 9 && woken.id == DVS_ID_TASK);
	CHECK_RET(dvk_wakeup(DC + 1, 9), EDVSBADDCID);
	result = DVS_ETIMEDOUT;
	CHECK_RET(dvk_wait4bindep_T(9, 30), -61);
	CHECK_RET(dvk_getep(100), -61);
	result = 0;
}
