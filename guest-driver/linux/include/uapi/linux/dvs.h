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
#define DVS_E2BIG		(-7)
#define DVS_EINTR		(-4)
#define DVS_EAGAIN		(-11)
#define DVS_EBUSY		(-16)
#define DVS_EINVAL		(-22)
#define DVS_ERANGE		(-34)
#define DVS_ENOSYS		(-38)
#define DVS_EBADDEST		(-55)
#define DVS_ETIMEDOUT		(-61)
#define DVS_ENOTCONN		(-64)
#define DVS_EMSGSIZE		(-73)
#define DVS_ELOCKED		(-101)
#define DVS_EBADCALL		(-102)
#define DVS_ESRCDIED		(-108)
#define DVS_EDSTDIED		(-109)
#define DVS_ETRAPDENIED		(-110)
#define DVS_EENDPOINT		(-306)
#define DVS_ENOTBIND		(-310)
#define DVS_EPROCRUN		(-320)
#define DVS_EPROCSTS		(-324)
#define DVS_ESLOTUSED		(-337)
#define DVS_EALLOCMEM		(-344)

/* Whose endpoint a call is about. */
#define DVS_ID_FILE		0	/* the open file's: native programs */
#define DVS_ID_TASK		1	/* the thread's, if it bound one, else its process's */

/* Addresses that stand for no single endpoint. */
#define DVS_ADDR_ANY		31438
#define DVS_ADDR_NONE		27342
#define DVS_ADDR_SELF		35534

/* Waiting time in milliseconds. */
#define DVS_TIMEOUT_FOREVER	(-1)
#define DVS_TIMEOUT_NOWAIT	0

struct dvs_info {
	__u32 abi_version;	/* DVS_ABI_VERSION */
	__u32 features;		/* none defined yet */
	__u32 vm;
	__u32 incarnation;
	__u32 dcid;
	__u32 max_message;	/* bytes */
	__u32 max_endpoints;	/* of this VM */
	__u32 nr_tasks;
	__u32 nr_procs;
	__u32 nr_sysprocs;
	__u32 reserved[6];
};

/* Bind: who gets the endpoint. */
#define DVS_BIND_FILE		0	/* this open file, until it is closed */
#define DVS_BIND_PROCESS	1	/* the calling process, until it exits */
#define DVS_BIND_THREAD		2	/* the calling thread, until it exits */

struct dvs_bind {
	__s32 ep;		/* number wanted */
	__u32 owner;		/* DVS_BIND_* */
	__u32 generation;	/* out */
	__s32 result;		/* out */
	__u64 reserved[2];
};

struct dvs_unbind {
	__u32 id;		/* DVS_ID_* */
	__s32 result;		/* out */
	__u64 reserved[2];
};

#define DVS_IO_REQUESTS		0x1	/* receive: only what sendrec sent */

/* What came. */
#define DVS_CAME_MESSAGE	1	/* by send */
#define DVS_CAME_REQUEST	2	/* by sendrec: it awaits a reply */
#define DVS_CAME_NOTIFY		3
#define DVS_CAME_REPLY		4

/*
 * One structure for send, receive, sendrec, reply and notify. A call reads id,
 * ep, generation, timeout_ms and, of the others, those it needs: send_* if it
 * sends, recv_* and flags if it receives, token if it replies. All others must
 * be zero on entry; `from` to `result` and the token of a receive are only
 * written. A receive on a file opened with O_NONBLOCK waits as little as one
 * with DVS_TIMEOUT_NOWAIT.
 */
struct dvs_io {
	__u32 id;		/* DVS_ID_* */
	__u32 flags;		/* DVS_IO_* */
	__s32 ep;		/* destination; receive: source or DVS_ADDR_ANY */
	__u32 generation;	/* of ep; 0: whichever is bound now */
	__u64 send_buf;		/* address */
	__u64 recv_buf;		/* address */
	__u32 send_len;		/* bytes */
	__u32 recv_len;		/* in: size of recv_buf; out: bytes of the message, maybe more than fitted */
	__s64 timeout_ms;	/* DVS_TIMEOUT_*, or the time the whole call may take */
	__u64 token;		/* reply in: request to answer, 0: the oldest of ep; receive out: of the request */
	__s32 from;		/* out: source */
	__u32 from_generation;	/* out */
	__u32 came;		/* out: DVS_CAME_* */
	__s32 result;		/* out */
	__u64 reserved[2];
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

#endif
