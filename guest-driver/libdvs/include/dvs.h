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

/* A sentence for a result of any function here; constant, never NULL. */
const char *dvs_strerror(int result);

#ifdef __cplusplus
}
#endif

#endif
