// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* libdvk on the host: what the compiler can check. */
#include <stddef.h>

#include "../include/com/com.h"
#include "../include/com/ipc.h"
#include "../include/com/cmd.h"
#include "../include/com/stub_dvkcall.h"

#include <linux/dvs.h>

#define SAME(a, b)	_Static_assert((a) == (b), #a " == " #b)

/* Records that programs hand to each other, or that hold addresses of them. */
SAME(sizeof(message), 48);
SAME(offsetof(message, m_type), 4);
SAME(offsetof(message, m_u), 8);
SAME(offsetof(message, m1_p1), 24);
SAME(offsetof(message, m2_l1), 24);
SAME(offsetof(message, m3_ca1), 24);
SAME(offsetof(message, m4_l5), 40);
SAME(offsetof(message, m5_i1), 12);
SAME(sizeof(((message *)0)->m6_ca1), 32);
SAME(offsetof(message, m7_p2), 32);
SAME(offsetof(message, m8_p4), 40);
SAME(offsetof(message, m9_t1), 16);
SAME(offsetof(message, mA_ia), 16);
SAME(offsetof(message, mB_md5), 16);
SAME(sizeof(((message *)0)->mC_ca1), 10);
SAME(offsetof(cmd_t, c_batch_nr), 36);
SAME(offsetof(cmd_t, c_flags), 40);
SAME(offsetof(cmd_t, c_snd_seq), 48);
SAME(offsetof(cmd_t, c_ack_seq), 56);
SAME(offsetof(cmd_t, c_timestamp), 64);
SAME(offsetof(cmd_t, c_msg), 80);
SAME(offsetof(cmd_t, c_vcopy), 128);
SAME(sizeof(((proc_usr_t *)0)->p_name), 16);
SAME(sizeof(((dc_usr_t *)0)->dc_name), 16);
SAME(sizeof(ipc_map_t), 8);
SAME(sizeof(dvk_map_t), 6);

SAME(NR_TASKS, 35);
SAME(NR_PROCS, 221);
SAME(NR_SYS_PROCS, 64);
SAME(MAXCOPYLEN, 1 << 20);
SAME(SLOTS, -34);
SAME(CLOCK, -35);
SAME(IDLE, -36);
SAME(SYSTASK(3), -5);
SAME(_ENDPOINT_GENERATION_SIZE, 35570);
SAME(_ENDPOINT_P(_ENDPOINT(2, -3)), -3);
SAME(_ENDPOINT_G(_ENDPOINT(2, -3)), 2);

SAME(ANY, DVS_ADDR_ANY);
SAME(NONE, DVS_ADDR_NONE);
SAME(SELF, DVS_ADDR_SELF);
SAME(HARDWARE, DVS_ADDR_HARDWARE);
SAME(SENDING, DVS_STATE_SENDING);
SAME(RECEIVING, DVS_STATE_RECEIVING);
SAME(ONCOPY, DVS_STATE_ONCOPY);
SAME(WAITUNBIND, DVS_STATE_WAITUNBIND);
SAME(WAITBIND, DVS_STATE_WAITBIND);
SAME(MIS_NOTIFY, DVS_MISC_NOTIFY);
SAME(MIS_RMTBACKUP, DVS_MISC_BACKUP);
SAME(MIS_GRPLEADER, DVS_MISC_GRPLEADER);
SAME(MIS_REPLICATED, DVS_MISC_REPLICATED);
SAME(MIS_WOKENUP, DVS_MISC_WOKENUP);

/* The numbers of the driver are the numbers of the DVS. */
SAME(EDVSINTR, DVS_EINTR);
SAME(EDVS2BIG, DVS_E2BIG);
SAME(EDVSAGAIN, DVS_EAGAIN);
SAME(EDVSBUSY, DVS_EBUSY);
SAME(EDVSINVAL, DVS_EINVAL);
SAME(EDVSRANGE, DVS_ERANGE);
SAME(EDVSNOSYS, DVS_ENOSYS);
SAME(EDVSBADDEST, DVS_EBADDEST);
SAME(EDVSTIMEDOUT, DVS_ETIMEDOUT);
SAME(EDVSNOTCONN, DVS_ENOTCONN);
SAME(EDVSSHUTDOWN, DVS_ESHUTDOWN);
SAME(EDVSMSGSIZE, DVS_EMSGSIZE);
SAME(EDVSLOCKED, DVS_ELOCKED);
SAME(EDVSBADCALL, DVS_EBADCALL);
SAME(EDVSSRCDIED, DVS_ESRCDIED);
SAME(EDVSDSTDIED, DVS_EDSTDIED);
SAME(EDVSTRAPDENIED, DVS_ETRAPDENIED);
SAME(EDVSBADDCID, DVS_EBADDCID);
SAME(EDVSBADPROC, DVS_EBADPROC);
SAME(EDVSBADPID, DVS_EBADPID);
SAME(EDVSENDPOINT, DVS_EENDPOINT);
SAME(EDVSRMTPROC, DVS_ERMTPROC);
SAME(EDVSNOTBIND, DVS_ENOTBIND);
SAME(EDVSPROCRUN, DVS_EPROCRUN);
SAME(EDVSPROCSTS, DVS_EPROCSTS);
SAME(EDVSONCOPY, DVS_EONCOPY);
SAME(EDVSGRPLEADER, DVS_EGRPLEADER);
SAME(EDVSPRIVILEGES, DVS_EPRIVILEGES);
SAME(EDVSBINDTYPE, DVS_EBINDTYPE);
SAME(EDVSSLOTUSED, DVS_ESLOTUSED);
SAME(EDVSRSCBUSY, DVS_ERSCBUSY);
SAME(EDVSALLOCMEM, DVS_EALLOCMEM);
SAME(EDVSWOKENUP, DVS_EWOKENUP);
