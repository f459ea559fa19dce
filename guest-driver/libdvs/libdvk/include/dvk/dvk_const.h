/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Limits, magic numbers, numbers of the calls, bit maps. */
#ifndef DVK_CONST_H
#define DVK_CONST_H

/* Programs that have these of their own keep them. */
#ifndef OK
#define OK		0
#endif
#ifndef TRUE
#define TRUE		1
#endif
#ifndef FALSE
#define FALSE		0
#endif
#ifndef MIN
#define MIN(x, y)	((x) < (y) ? (x) : (y))
#endif
#ifndef MAX
#define MAX(x, y)	((x) > (y) ? (x) : (y))
#endif

#define DVK_FILE_NAME	"/dev/dvs"
#define DVS_VERSION	202202	/* of the DVS whose calls these are */

/* What a DVS can have at most; how much this one has, dvk_getdvsinfo and dvk_getdcinfo say. */
#define NR_DCS		32
#define NR_NODES	32
#define NR_FIXED_TASKS	3
#define NR_SYSTASKS	NR_NODES
#define NR_TASKS	(NR_FIXED_TASKS + NR_SYSTASKS)
#define NR_PROCS	(256 - NR_TASKS)
#define NR_SERVERS	(32 - NR_FIXED_TASKS)
#define NR_SYS_PROCS	(NR_SERVERS + NR_TASKS)
#define NR_USR_PROCS	(NR_PROCS - NR_SYS_PROCS)

#define MAXCOPYBUF	65536
#define MAXCOPYLEN	(16 * MAXCOPYBUF)	/* of one dvk_vcopy */
#define MAXPROCNAME	16
#define MAXDCNAME	16
#define MAXNODENAME	16
#define MAXPROXYNAME	16

/* Addresses that stand for no single endpoint. */
#define ANY		0x7ace
#define NONE		0x6ace
#define SELF		0x8ace
#define _MAX_MAGIC_PROC	(SELF)

#define LOCALNODE	(-1)
#define PROC_NO_PID	(-1)

/* Tasks. */
#define KERNEL		(-1)
#define HARDWARE	KERNEL
#define SYSTEM		(-2)
#define SYSTASK(node)	(SYSTEM - (node))
#define SLOTS		(SYSTEM - NR_SYSTASKS)
#define CLOCK		(SLOTS - 1)
#define IDLE		(CLOCK - 1)
#define PROXY		IDLE

/* An endpoint with its generation; here the generation is always 0. */
#define _ENDPOINT_GENERATION_SIZE	(NR_TASKS + _MAX_MAGIC_PROC + 1)
#define _ENDPOINT_MAX_GENERATION	(0x7fffffff / _ENDPOINT_GENERATION_SIZE - 1)
#define _ENDPOINT(g, p)			((g) * _ENDPOINT_GENERATION_SIZE + (p))
#define _ENDPOINT_G(e)			(((e) + NR_TASKS) / _ENDPOINT_GENERATION_SIZE)
#define _ENDPOINT_P(e) \
	((((e) + NR_TASKS) % _ENDPOINT_GENERATION_SIZE) - NR_TASKS)

/* Waiting time in milliseconds. */
#define TIMEOUT_FOREVER		(-1)
#define TIMEOUT_NOWAIT		0
#define TIMEOUT_MOLCALL		30000
#define TIMEOUT_MS		60000
#define HELLO_PERIOD		30000

#define SELF_BIND		0
#define LCL_BIND		1
#define RMT_BIND		2
#define BKUP_BIND		3
#define REPLICA_BIND		4
#define USERMODE_BIND		5
#define MAX_BIND_TYPE		USERMODE_BIND

#define WAIT_BIND		0
#define WAIT_UNBIND		1

#define MIGR_START		0
#define MIGR_COMMIT		1
#define MIGR_ROLLBACK		2

#define CONNECT_SPROXY		1
#define CONNECT_RPROXY		2
#define DISCONNECT_SPROXY	3
#define DISCONNECT_RPROXY	4
#define NO_PROXIES		(-1)

/* The calls, as the bits of priv_dvk_allowed number them. */
#define DVK_DCINIT		1
#define DVK_SEND		2
#define DVK_RECEIVE		3
#define DVK_NOTIFY		4
#define DVK_SENDREC		5
#define DVK_RCVRQST		6
#define DVK_REPLY		7
#define DVK_DCEND		8
#define DVK_BIND		9
#define DVK_UNBIND		10
#define DVK_GETPRIV		11
#define DVK_SETPRIV		12
#define DVK_VCOPY		13
#define DVK_GETDCINFO		14
#define DVK_GETPROCINFO		15
#define DVK_RELAY		16
#define DVK_PROXYBIND		17
#define DVK_PROXYUNBIND		18
#define DVK_GETNODEINFO		19
#define DVK_PUT2LCL		20
#define DVK_GET2RMT		21
#define DVK_ADDNODE		22
#define DVK_DELNODE		23
#define DVK_DVSINIT		24
#define DVK_DVSEND		25
#define DVK_GETEP		26
#define DVK_GETDVSINFO		27
#define DVK_PROXYCONN		28
#define DVK_WAIT4BIND		29
#define DVK_MIGRATE		30
#define DVK_NODEUP		31
#define DVK_NODEDOWN		32
#define DVK_GETPROXYINFO	33
#define DVK_WAKEUPEP		34
#define DVK_NR_CALLS		35
#define NR_DVK_CALLS		DVK_NR_CALLS

/* Bits of a word. */
#ifndef TEST_BIT
#define SET_BIT(bitmap, bit)	((bitmap) |= (1UL << (bit)))
#define CLR_BIT(bitmap, bit)	((bitmap) &= ~(1UL << (bit)))
#define TEST_BIT(bitmap, bit)	((bitmap) & (1UL << (bit)))
#endif

/* Maps of more bits than a word has: structures with an array `chunk`. */
typedef unsigned short bitchunk_t;
typedef short dvk_id_t;

#define BITCHUNK_BITS		((int)sizeof(bitchunk_t) * 8)
#define BITMAP_CHUNKS(bits)	(((bits) + BITCHUNK_BITS - 1) / BITCHUNK_BITS)
#define NR_SYS_CHUNKS		BITMAP_CHUNKS(NR_SYS_PROCS)
#define NR_DVK_CHUNKS		BITMAP_CHUNKS(NR_DVK_CALLS)

typedef struct { bitchunk_t chunk[BITMAP_CHUNKS(NR_DVK_CALLS)]; } dvk_map_t;
typedef struct { bitchunk_t chunk[BITMAP_CHUNKS(NR_SYS_PROCS)]; } ipc_map_t;
typedef struct { bitchunk_t chunk[BITMAP_CHUNKS(NR_DCS)]; } dc_map_t;
typedef struct { bitchunk_t chunk[BITMAP_CHUNKS(NR_NODES)]; } node_map_t;

#ifndef get_sys_bit
#define get_sys_bit(map, bit) \
	((map).chunk[(bit) / BITCHUNK_BITS] & (1 << ((bit) % BITCHUNK_BITS)))
#define set_sys_bit(map, bit) \
	((map).chunk[(bit) / BITCHUNK_BITS] |= (1 << ((bit) % BITCHUNK_BITS)))
#define unset_sys_bit(map, bit) \
	((map).chunk[(bit) / BITCHUNK_BITS] &= ~(1 << ((bit) % BITCHUNK_BITS)))
#define get_node_bit(map, bit)		get_sys_bit(map, bit)
#define set_node_bit(map, bit)		set_sys_bit(map, bit)
#define unset_node_bit(map, bit)	unset_sys_bit(map, bit)
#endif

#endif
