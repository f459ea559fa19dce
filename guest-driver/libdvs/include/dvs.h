/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * libdvs: the calls of /dev/dvs as C functions.
 *
 * Every function returns 0 or a negative number: one of DVS_E* (linux/dvs.h),
 * what the DVS says of the call, or -errno if the call could not be carried out
 * (-ENODEV: the device is gone, -EFAULT, -ENOMEM; of dvs_open whatever open(2)
 * gives). The two sets do not overlap but for -EINVAL, which means the same.
 *
 * A handle may be used by many threads at once, except in dvs_open, dvs_bind,
 * dvs_unbind and dvs_close.
 */
#ifndef DVS_H
#define DVS_H

#include <stddef.h>
#include <stdint.h>

#include <linux/dvs.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DVS_DEVICE	"/dev/dvs"

/* An open /dev/dvs, and whose endpoint its calls are about. */
struct dvs {
	int fd;
	uint32_t id;		/* DVS_ID_* */
	uint32_t generation;	/* of the endpoint bound by dvs_bind */
};

/* An endpoint; generation 0 stands for whichever is bound now. */
struct dvs_address {
	int32_t ep;
	uint32_t generation;
};

/* What a receive or sendrec got. */
struct dvs_received {
	struct dvs_address from;
	uint32_t came;		/* DVS_CAME_* */
	uint32_t length;	/* bytes of the message, maybe more than fitted */
	uint64_t token;		/* DVS_CAME_REQUEST: for dvs_reply */
};

/* One side of a copy: memory of the process of an endpoint, or a part of what it lent. */
struct dvs_place {
	struct dvs_address ep;
	uint64_t address;	/* there; with a grant: offset in its region */
	uint64_t grant;		/* 0: none */
};

static inline struct dvs_address dvs_address(int32_t ep)
{
	struct dvs_address address = { ep, 0 };

	return address;
}

/* flags: 0 or O_NONBLOCK (a receive then never waits). The file is closed at exec. */
int dvs_open(struct dvs *dvs, int flags);
void dvs_close(struct dvs *dvs);
int dvs_info(const struct dvs *dvs, struct dvs_info *info);

/*
 * owner: DVS_BIND_FILE, DVS_BIND_PROCESS or DVS_BIND_THREAD. Later calls on the
 * handle are about that endpoint. -16 (DVS_EBUSY): the owner has one already.
 */
int dvs_bind(struct dvs *dvs, int32_t ep, uint32_t owner);
int dvs_unbind(struct dvs *dvs);

/* timeout_ms: DVS_TIMEOUT_FOREVER, DVS_TIMEOUT_NOWAIT, or what the call may take. */
int dvs_send(const struct dvs *dvs, struct dvs_address to, const void *message, size_t length,
	     int64_t timeout_ms);
/* flags: 0 or DVS_IO_REQUESTS; from: an endpoint or dvs_address(DVS_ADDR_ANY). */
int dvs_receive(const struct dvs *dvs, struct dvs_address from, uint32_t flags, void *buffer,
		size_t size, struct dvs_received *received, int64_t timeout_ms);
/* message and buffer may be the same memory. */
int dvs_sendrec(const struct dvs *dvs, struct dvs_address to, const void *message, size_t length,
		void *buffer, size_t size, struct dvs_received *received, int64_t timeout_ms);
/* token: of the request, as received; 0: the oldest open one of `to`. */
int dvs_reply(const struct dvs *dvs, struct dvs_address to, uint64_t token, const void *message,
	      size_t length, int64_t timeout_ms);
int dvs_notify(const struct dvs *dvs, struct dvs_address to, int64_t timeout_ms);
/* With a value, which the receiver finds as the token; of several that wait it finds the last. */
int dvs_notify_value(const struct dvs *dvs, struct dvs_address to, int64_t value,
		     int64_t timeout_ms);
/*
 * A server's loop in one call: dvs_reply to `to`, then dvs_receive from `from`. If
 * the reply fails, nothing is received.
 */
int dvs_reply_receive(const struct dvs *dvs, struct dvs_address to, uint64_t token,
		      const void *message, size_t length, struct dvs_address from, uint32_t flags,
		      void *buffer, size_t size, struct dvs_received *received,
		      int64_t timeout_ms);

/*
 * Hands a request that was received (its token, or 0: the oldest of `client`) on to
 * `to`, with this message. `to` answers the client.
 */
int dvs_relay(const struct dvs *dvs, struct dvs_address client, uint64_t token,
	      struct dvs_address to, const void *message, size_t length, int64_t timeout_ms);

/* Ends a receive from any of an endpoint of this VM, or its next one, with DVS_EWOKENUP. */
int dvs_wakeup(const struct dvs *dvs, int32_t ep);
/*
 * what: DVS_AWAIT_BIND or DVS_AWAIT_UNBIND: until `ep` is bound in any VM, or is
 * not bound. DVS_AWAIT_OWN: until the calling thread or process has an endpoint.
 * `found` (may be NULL) tells which endpoint that is, unless what is DVS_AWAIT_UNBIND.
 */
int dvs_await(const struct dvs *dvs, uint32_t what, int32_t ep, struct dvs_address *found,
	      int64_t timeout_ms);
/* The endpoint of a process or thread. */
int dvs_getep(const struct dvs *dvs, int32_t pid, struct dvs_address *found);
/* Also if the result is DVS_ERMTPROC: then its generation and VM are told. */
int dvs_state(const struct dvs *dvs, int32_t ep, struct dvs_state *state);

/*
 * For administrators: CAP_SYS_ADMIN in a VM that has DVS_INFO_ADMIN. Binds an
 * endpoint to another process; takes one from whoever has it, whose process is
 * told to terminate and is waited for.
 */
int dvs_bind_process(const struct dvs *dvs, int32_t ep, int32_t pid, uint32_t flags);
int dvs_unbind_other(const struct dvs *dvs, int32_t ep, int64_t timeout_ms);

/* What an endpoint of this VM may do; setting it needs CAP_SYS_ADMIN, and DVS_INFO_ADMIN of the VM. */
int dvs_get_privilege(const struct dvs *dvs, int32_t ep, struct dvs_privilege *privilege);
int dvs_set_privilege(const struct dvs *dvs, int32_t ep, const struct dvs_privilege *privilege);

/*
 * Copies bytes from one process to another. Either may be the caller, by its
 * number or as dvs_address(DVS_ADDR_SELF); any other has to wait in a receive
 * or sendrec, or to have lent the memory. A copy of at most 1 MiB happens whole
 * or fails; of longer ones the pieces before a failure have been copied.
 * *copied (NULL: not wanted) tells how many bytes are known to have arrived.
 */
int dvs_copy(const struct dvs *dvs, struct dvs_place from, struct dvs_place to, uint64_t bytes,
	     uint64_t *copied, int64_t timeout_ms);
/*
 * Lends memory of the calling process to an endpoint, or to all of the DC
 * (dvs_address(DVS_ADDR_ANY)), until it is revoked or the lender's endpoint is
 * given up. rights: DVS_GRANT_READ, DVS_GRANT_WRITE or both. After dvs_revoke
 * the memory is not touched any more; copies that were using it have failed.
 */
int dvs_grant(const struct dvs *dvs, struct dvs_address to, uint32_t rights, void *memory,
	      size_t size, uint64_t *grant);
int dvs_revoke(const struct dvs *dvs, uint64_t grant);

/*
 * Moves an endpoint whose process is moved by other means (a checkpoint, a program
 * that saves its state), to another VM or another process. The first three are for
 * the endpoint's own process and for CAP_SYS_ADMIN, in its VM.
 *
 * dvs_migrate_start returns when nothing of the endpoint is under way; whoever calls
 * it waits from now on. The process at the new place calls dvs_adopt with the token,
 * before or after dvs_migrate_commit, which returns when it has the endpoint (vm: in
 * that VM alone; 0: in any). The old process then gets DVS_EMIGRATE. After
 * dvs_migrate_rollback, all goes on as before. Until commit has been called a later
 * start gives the same token.
 */
int dvs_migrate_start(const struct dvs *dvs, int32_t ep, uint64_t *token, int64_t timeout_ms);
int dvs_migrate_commit(const struct dvs *dvs, int32_t ep, uint32_t vm, int64_t timeout_ms);
int dvs_migrate_rollback(const struct dvs *dvs, int32_t ep, int64_t timeout_ms);
/* owner and later calls: as for dvs_bind. */
int dvs_adopt(struct dvs *dvs, int32_t ep, uint64_t token, uint32_t owner, int64_t timeout_ms);

/* A sentence for a result of any function here; constant, never NULL. */
const char *dvs_strerror(int result);

#ifdef __cplusplus
}
#endif

#endif
