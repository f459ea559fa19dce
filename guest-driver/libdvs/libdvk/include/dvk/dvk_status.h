/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Flags of processes, nodes, proxies and the DVS, as the records show them. */
#ifndef DVK_STATUS_H
#define DVK_STATUS_H

/* p_rts_flags: why a process does not run. */
#define PROC_RUNNING		0x0
#define BIT_SLOT_FREE		0
#define BIT_NO_MAP		1
#define BIT_SENDING		2
#define BIT_RECEIVING		3
#define BIT_SIGNALED		4
#define BIT_NO_ENDPOINT		9
#define BIT_ONCOPY		10
#define BIT_MIGRATE		11
#define BIT_REMOTE		12
#define BIT_RMTOPER		13
#define BIT_WAITMIGR		15
#define BIT_WAITUNBIND		17
#define BIT_WAITBIND		18

enum proc_status {
	SLOT_FREE = 1 << BIT_SLOT_FREE,		/* nobody has this number */
	NO_MAP = 1 << BIT_NO_MAP,
	SENDING = 1 << BIT_SENDING,		/* waits until p_sendto takes a message */
	RECEIVING = 1 << BIT_RECEIVING,		/* waits for a message of p_getfrom */
	SIGNALED = 1 << BIT_SIGNALED,
	NO_ENDPOINT = 1 << BIT_NO_ENDPOINT,
	ONCOPY = 1 << BIT_ONCOPY,		/* its memory is being copied */
	MIGRATING = 1 << BIT_MIGRATE,
	REMOTE = 1 << BIT_REMOTE,		/* in another virtual machine */
	RMTOPER = 1 << BIT_RMTOPER,
	WAITMIGR = 1 << BIT_WAITMIGR,
	WAITUNBIND = 1 << BIT_WAITUNBIND,
	WAITBIND = 1 << BIT_WAITBIND
};

/* p_misc_flags. */
#define GENERIC_PROC		0
#define MIS_BIT_PROXY		0
#define MIS_BIT_CONNECTED	1
#define MIS_BIT_NOTIFY		2
#define MIS_BIT_NEEDMIGR	3
#define MIS_BIT_RMTBACKUP	4
#define MIS_BIT_GRPLEADER	5
#define MIS_BIT_KTHREAD		6
#define MIS_BIT_REPLICATED	7
#define MIS_BIT_KILLED		8
#define MIS_BIT_WOKENUP		9
#define MIS_BIT_USERMODE	10
#define MIS_BIT_RMTINFO		11
#define MIS_BIT_NOMIGRATE	12
#define MIS_BIT_ATOMIC		13
#define MIS_BIT_ENQUEUED	14

enum mis_status {
	MIS_PROXY = 1 << MIS_BIT_PROXY,
	MIS_CONNECTED = 1 << MIS_BIT_CONNECTED,
	MIS_NOTIFY = 1 << MIS_BIT_NOTIFY,	/* a notification waits for it */
	MIS_NEEDMIG = 1 << MIS_BIT_NEEDMIGR,
	MIS_RMTBACKUP = 1 << MIS_BIT_RMTBACKUP,	/* bound by dvk_bkupbind */
	MIS_GRPLEADER = 1 << MIS_BIT_GRPLEADER,	/* a process's endpoint, not a thread's */
	MIS_KTHREAD = 1 << MIS_BIT_KTHREAD,
	MIS_REPLICATED = 1 << MIS_BIT_REPLICATED,	/* bound by dvk_replbind */
	MIS_KILLED = 1 << MIS_BIT_KILLED,
	MIS_WOKENUP = 1 << MIS_BIT_WOKENUP,	/* its next receive from ANY ends with EDVSWOKENUP */
	MIS_USERMODE = 1 << MIS_BIT_USERMODE,
	MIS_RMTINFO = 1 << MIS_BIT_RMTINFO,
	MIS_NOMIGRATE = 1 << MIS_BIT_NOMIGRATE,
	MIS_ATOMIC = 1 << MIS_BIT_ATOMIC,
	MIS_ENQUEUED = 1 << MIS_BIT_ENQUEUED
};

/* n_flags of a node. */
#define NODE_FREE		0
#define NODE_BIT_ATTACHED	1
#define NODE_BIT_SCONNECTED	2
#define NODE_BIT_RCONNECTED	3
#define NODE_ATTACHED		(1 << NODE_BIT_ATTACHED)
#define NODE_SCONNECTED		(1 << NODE_BIT_SCONNECTED)
#define NODE_RCONNECTED		(1 << NODE_BIT_RCONNECTED)

/* px_flags of a pair of proxies. */
#define PX_BIT_INUSE		0
#define PX_BIT_SCONNECTED	1
#define PX_BIT_RCONNECTED	2
#define PROXIES_FREE		0

enum px_status {
	PROXIES_INUSE = 1 << PX_BIT_INUSE,
	PROXIES_SCONNECTED = 1 << PX_BIT_SCONNECTED,
	PROXIES_RCONNECTED = 1 << PX_BIT_RCONNECTED
};

/* dc_flags. */
#define DC_RUNNING		0
#define DC_FREE			2

/* d_flags. */
#define DVS_RUNNING		0
#define DVS_NO_INIT		(-1)
#define DVS_BIT_IPC		0
#define DVS_BIT_IOCTL		1
#define DVS_BIT_USERMODE	2
#define DVS_BIT_INITIALIZED	8

enum dvs_flags {
	DVK_IPC = 1 << DVS_BIT_IPC,
	DVK_IOCTL = 1 << DVS_BIT_IOCTL,
	DVK_USERMODE = 1 << DVS_BIT_USERMODE,
	DVK_INITIALIZED = 1 << DVS_BIT_INITIALIZED
};

/* priv_level. */
#define USER_PRIV		0
#define SERVER_PRIV		1
#define TASK_PRIV		2
#define SYSTEM_PRIV		3
#define KERNEL_PRIV		4
#define PROXY_PRIV		5

#endif
