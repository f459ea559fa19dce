/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * /dev/dvs: what programs say to the driver.
 *
 * Every ioctl takes one fixed-size structure without implicit padding;
 * reserved fields must be zero. An ioctl returns 0 when the call was carried
 * out; its outcome is then in `result`: 0 or a number of the DVS (EDVS*,
 * negative). It returns -1 with errno only when the call could not be carried
 * out: EFAULT (address), EINVAL (reserved field, flag or size), ENODEV (the
 * device is gone), ENOTTY (unknown ioctl), ENOMEM.
 */
#ifndef _UAPI_LINUX_DVS_H
#define _UAPI_LINUX_DVS_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DVS_ABI_VERSION		1

/*
 * Results of the calls: the DVS's own numbers (EDVS*). The core's errors.h says
 * the same; the module includes both, so that the compiler finds a difference.
 */
#define DVS_OK			0
#define DVS_EINTR		(-4)
#define DVS_E2BIG		(-7)
#define DVS_EAGAIN		(-11)
#define DVS_EBUSY		(-16)
#define DVS_EINVAL		(-22)
#define DVS_ERANGE		(-34)
#define DVS_ENOSYS		(-38)
#define DVS_EBADDEST		(-55)
#define DVS_ETIMEDOUT		(-61)
#define DVS_ENOTCONN		(-64)
#define DVS_ESHUTDOWN		(-65)
#define DVS_EMSGSIZE		(-73)
#define DVS_ELOCKED		(-101)
#define DVS_EBADCALL		(-102)
#define DVS_ESRCDIED		(-108)
#define DVS_EDSTDIED		(-109)
#define DVS_ETRAPDENIED		(-110)
#define DVS_EBADDCID		(-302)
#define DVS_EBADPROC		(-304)
#define DVS_EBADPID		(-305)
#define DVS_EENDPOINT		(-306)
#define DVS_ERMTPROC		(-308)
#define DVS_ENOTBIND		(-310)
#define DVS_EPROCRUN		(-320)
#define DVS_EPROCSTS		(-324)
#define DVS_EONCOPY		(-328)
#define DVS_EMIGRATE		(-332)
#define DVS_EGRPLEADER		(-334)
#define DVS_EPRIVILEGES		(-335)
#define DVS_EBINDTYPE		(-336)
#define DVS_ESLOTUSED		(-337)
#define DVS_ERSCBUSY		(-342)
#define DVS_EALLOCMEM		(-344)
#define DVS_EWOKENUP		(-348)

/* Whose endpoint a call is about. */
#define DVS_ID_FILE		0	/* the open file's: native programs */
#define DVS_ID_TASK		1	/* the thread's, if it bound one, else its process's */
#define DVS_ID_NUMBER		2	/* unbind: the endpoint of this number, whoever has it (privileged) */

/* Addresses that stand for no single endpoint. */
#define DVS_ADDR_ANY		31438
#define DVS_ADDR_NONE		27342
#define DVS_ADDR_SELF		35534
#define DVS_ADDR_HARDWARE	(-1)

/* Waiting time in milliseconds. */
#define DVS_TIMEOUT_FOREVER	(-1)
#define DVS_TIMEOUT_NOWAIT	0

#define DVS_INFO_ADMIN		0x1	/* features: this VM may administer its DC */

struct dvs_info {
	__u32 abi_version;	/* DVS_ABI_VERSION */
	__u32 features;		/* DVS_INFO_* */
	__u32 vm;
	__u32 incarnation;
	__u32 dcid;
	__u32 max_message;	/* bytes */
	__u32 max_endpoints;	/* of this VM */
	__u32 nr_tasks;
	__u32 nr_procs;
	__u32 nr_sysprocs;
	__u32 nodeid;		/* of the host */
	__u32 reserved;
	__u8 dc_name[16];	/* padded with zeros */
};

/* Bind: who gets the endpoint. */
#define DVS_BIND_FILE		0	/* this open file, until it is closed */
#define DVS_BIND_PROCESS	1	/* the calling process, until it exits */
#define DVS_BIND_THREAD		2	/* the calling thread, until it exits */
#define DVS_BIND_PID		3	/* the process `pid`, until it exits (privileged) */

/* Bind: what is recorded of the endpoint and shown with it. */
#define DVS_BIND_BACKUP		0x1	/* stands by for another one */
#define DVS_BIND_REPLICA	0x2	/* one of several that do the same */

struct dvs_bind {
	__s32 ep;		/* number wanted */
	__u32 owner;		/* DVS_BIND_FILE to DVS_BIND_PID */
	__u32 generation;	/* out */
	__s32 result;		/* out */
	__s32 pid;		/* DVS_BIND_PID; otherwise zero */
	__u32 flags;		/* DVS_BIND_BACKUP, DVS_BIND_REPLICA */
	__u64 reserved;
};

struct dvs_unbind {
	__u32 id;		/* DVS_ID_* */
	__s32 result;		/* out */
	__s32 ep;		/* DVS_ID_NUMBER; otherwise zero */
	__u32 reserved0;
	__s64 timeout_ms;	/* DVS_ID_NUMBER: how long to wait until its process has left */
};

#define DVS_IO_REQUESTS		0x1	/* receive: only what sendrec sent */
#define DVS_IO_VALUE		0x2	/* notify: `token` is a value for the receiver */
#define DVS_IO_SOURCE		0x4	/* notify: in the name of `from` (privileged) */

/* What came. */
#define DVS_CAME_MESSAGE	1	/* by send */
#define DVS_CAME_REQUEST	2	/* by sendrec: it awaits a reply */
#define DVS_CAME_NOTIFY		3	/* `token` is its value; -1 unless the notifier gave one */
#define DVS_CAME_REPLY		4

/*
 * One structure for all calls with messages. Each reads id, ep, generation and
 * timeout_ms, and of the others:
 *
 *   send           send_*
 *   receive        recv_*, flags (REQUESTS)
 *   sendrec        send_*, recv_*
 *   reply          send_*, token
 *   notify         flags (VALUE: token; SOURCE: from)
 *   relay          send_*, token, from, from_generation: hands the request `token`
 *                  (0: the oldest of `from`) on to `ep`, which answers the client
 *   reply_receive  as reply to ep, then as receive from `from`; a reply that fails
 *                  ends the call with its result and nothing is received
 *
 * All others must be zero on entry; `from` to `result` and the token of a receive
 * are only written. timeout_ms is for the whole call. A receive on a file opened
 * with O_NONBLOCK waits as little as one with DVS_TIMEOUT_NOWAIT.
 *
 * io_uring makes these calls too (IORING_OP_URING_CMD), where the driver offers it:
 * cmd_op is the ioctl's number, the command area the structure's address and zeros.
 */
struct dvs_io {
	__u32 id;		/* DVS_ID_FILE or DVS_ID_TASK */
	__u32 flags;		/* DVS_IO_* */
	__s32 ep;		/* destination; receive: source or DVS_ADDR_ANY */
	__u32 generation;	/* of ep; 0: whichever is bound now */
	__u64 send_buf;		/* address */
	__u64 recv_buf;		/* address */
	__u32 send_len;		/* bytes */
	__u32 recv_len;		/* in: size of recv_buf; out: bytes of the message, maybe more than fitted */
	__s64 timeout_ms;	/* DVS_TIMEOUT_*, or the time the whole call may take */
	__u64 token;		/* in and out: names a request; 0 in: the oldest */
	__s32 from;		/* out: source */
	__u32 from_generation;	/* out */
	__u32 came;		/* out: DVS_CAME_* */
	__s32 result;		/* out */
	__u64 reserved[2];
};

/* Ends a receive from any of an endpoint of this VM, or the next one, with DVS_EWOKENUP. */
struct dvs_wakeup {
	__s32 ep;
	__s32 result;		/* out */
	__u32 id;		/* DVS_ID_*: of the caller */
	__u32 reserved;
};

#define DVS_AWAIT_BIND		0	/* until `ep` is bound, in any VM */
#define DVS_AWAIT_UNBIND	1	/* until `ep` is not bound */
#define DVS_AWAIT_OWN		2	/* until the calling thread or process has an endpoint */

struct dvs_await {
	__u32 what;		/* DVS_AWAIT_* */
	__s32 ep;		/* in; AWAIT_OWN: out */
	__s64 timeout_ms;
	__u32 generation;	/* out, unless AWAIT_UNBIND */
	__s32 result;		/* out */
	__u64 reserved;
};

/* Which endpoint has a process of the caller's pid namespace? */
struct dvs_getep {
	__s32 pid;
	__s32 ep;		/* out */
	__u32 generation;	/* out */
	__s32 result;		/* out */
};

#define DVS_PRIVILEGE_SET	0x1	/* privileged; otherwise the record is read */

/* What an endpoint of this VM may do. */
struct dvs_privilege {
	__s32 ep;
	__u32 flags;		/* DVS_PRIVILEGE_SET */
	__u64 calls;		/* a bit for each call that it may make, by the DVS's numbers */
	__u64 ipc_to;		/* a bit for each system endpoint it may send to: number + nr_tasks */
	__u32 level;		/* 0 user, 1 server, 2 task */
	__s32 result;		/* out */
	__u64 reserved;
};

/* State of an endpoint: the flags have the DVS's values. */
#define DVS_STATE_SENDING	0x4
#define DVS_STATE_RECEIVING	0x8
#define DVS_STATE_ONCOPY	0x400
#define DVS_STATE_MIGRATE	0x800	/* it is being moved: its process sleeps in its calls */
#define DVS_STATE_WAITUNBIND	0x20000
#define DVS_STATE_WAITBIND	0x40000
#define DVS_MISC_NOTIFY		0x4
#define DVS_MISC_BACKUP		0x10
#define DVS_MISC_GRPLEADER	0x20
#define DVS_MISC_REPLICATED	0x80
#define DVS_MISC_WOKENUP	0x200

struct dvs_state {
	__s32 ep;		/* number */
	__s32 result;		/* out: DVS_ENOTBIND: nobody has it; DVS_ERMTPROC: another VM, `vm` tells */
	__u32 generation;	/* the rest is out */
	__u32 vm;
	__u32 rts;		/* DVS_STATE_*; 0: runs */
	__u32 misc;		/* DVS_MISC_* */
	__s32 getfrom;		/* receiving: from whom; else DVS_ADDR_NONE */
	__s32 sendto;		/* sending: to whom; else DVS_ADDR_NONE */
	__s32 pid;		/* in the caller's pid namespace; -1: not known */
	__u32 queued;		/* what waits for it */
	__u32 lclsent;
	__u32 rmtsent;
	__u32 lclcopy;
	__u32 rmtcopy;
	__u8 name[16];		/* of the process */
	__u64 reserved;
};

/*
 * Copies memory of the process of one endpoint to that of another, whole or not
 * at all. Either may be the caller; any other has to be waiting in a receive or
 * sendrec, or to have lent the memory by a grant. Longer copies are cut.
 */
struct dvs_copy {
	__u32 id;		/* DVS_ID_*: of the caller */
	__u32 flags;		/* zero */
	__s32 src;
	__u32 src_generation;	/* 0: whichever is bound now */
	__s32 dst;
	__u32 dst_generation;
	__u64 src_addr;		/* address there; with a grant: offset in its region */
	__u64 dst_addr;
	__u64 src_grant;	/* 0: none */
	__u64 dst_grant;
	__u64 bytes;
	__s64 timeout_ms;
	__u64 copied;		/* out: bytes known to have arrived, all or those of the pieces before a failure */
	__s32 result;		/* out */
	__u32 reserved;
};

#define DVS_GRANT_READ		0x1
#define DVS_GRANT_WRITE		0x2

/* Lends memory of the caller to another endpoint. */
struct dvs_grant {
	__u32 id;		/* DVS_ID_*: who lends */
	__u32 rights;		/* DVS_GRANT_*; 0: revoke `grant` */
	__s32 ep;		/* who may use it; DVS_ADDR_ANY: anybody of the DC */
	__u32 generation;	/* of ep; 0: any */
	__u64 address;
	__u64 bytes;
	__u64 grant;		/* out; revoke: in. Never 0 */
	__s32 result;		/* out */
	__u32 reserved;
};

#define DVS_MIGRATE_START	0	/* returns when the endpoint is quiescent, with its token */
#define DVS_MIGRATE_COMMIT	1	/* lets it go; returns when whoever adopts it has it */
#define DVS_MIGRATE_ROLLBACK	2	/* it stays, and all goes on as before */
#define DVS_MIGRATE_ADOPT	3	/* binds the caller to it, by its token, in this VM or another */

/*
 * Moves an endpoint whose process is moved by other means. The first three are for
 * its own process and for CAP_SYS_ADMIN, in its VM. From START on, calls of its
 * process sleep; those by io_uring fail with DVS_EMIGRATE instead.
 */
struct dvs_migrate {
	__u32 what;		/* DVS_MIGRATE_* */
	__s32 ep;		/* number */
	__s64 timeout_ms;
	__u64 token;		/* START: out; ADOPT: in */
	__u32 vm;		/* COMMIT: which VM may adopt it, 0: any; otherwise zero */
	__u32 owner;		/* ADOPT: DVS_BIND_FILE to DVS_BIND_THREAD; otherwise zero */
	__u32 generation;	/* out: ADOPT */
	__s32 result;		/* out */
	__u64 reserved;
};

#define DVS_IOC_MAGIC		0xE4
#define DVS_IOC_INFO		_IOR(DVS_IOC_MAGIC, 0, struct dvs_info)
#define DVS_IOC_BIND		_IOWR(DVS_IOC_MAGIC, 1, struct dvs_bind)
#define DVS_IOC_UNBIND		_IOWR(DVS_IOC_MAGIC, 2, struct dvs_unbind)
#define DVS_IOC_SEND		_IOWR(DVS_IOC_MAGIC, 3, struct dvs_io)
#define DVS_IOC_RECEIVE		_IOWR(DVS_IOC_MAGIC, 4, struct dvs_io)
#define DVS_IOC_SENDREC		_IOWR(DVS_IOC_MAGIC, 5, struct dvs_io)
#define DVS_IOC_REPLY		_IOWR(DVS_IOC_MAGIC, 6, struct dvs_io)
#define DVS_IOC_NOTIFY		_IOWR(DVS_IOC_MAGIC, 7, struct dvs_io)
#define DVS_IOC_REPLY_RECEIVE	_IOWR(DVS_IOC_MAGIC, 8, struct dvs_io)
#define DVS_IOC_RELAY		_IOWR(DVS_IOC_MAGIC, 9, struct dvs_io)
#define DVS_IOC_WAKEUP		_IOWR(DVS_IOC_MAGIC, 10, struct dvs_wakeup)
#define DVS_IOC_AWAIT		_IOWR(DVS_IOC_MAGIC, 11, struct dvs_await)
#define DVS_IOC_GETEP		_IOWR(DVS_IOC_MAGIC, 12, struct dvs_getep)
#define DVS_IOC_PRIVILEGE	_IOWR(DVS_IOC_MAGIC, 13, struct dvs_privilege)
#define DVS_IOC_STATE		_IOWR(DVS_IOC_MAGIC, 14, struct dvs_state)
#define DVS_IOC_COPY		_IOWR(DVS_IOC_MAGIC, 15, struct dvs_copy)
#define DVS_IOC_GRANT		_IOWR(DVS_IOC_MAGIC, 16, struct dvs_grant)
#define DVS_IOC_MIGRATE		_IOWR(DVS_IOC_MAGIC, 17, struct dvs_migrate)

#endif
