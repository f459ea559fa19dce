/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * Copies from the memory of one process to that of another, by a third, each in
 * any VM. The core says who may, when, and what a death means; memory is touched
 * by the shell alone, in these steps (actions are in struct dvs_ops):
 *
 *  - A side of the copy is here: `copy_open`; the shell makes its memory ready,
 *    at leisure, and says dvs_copy_opened.
 *  - Its data goes to another VM: `bulk_transmit` names a header of the core's and
 *    the part of the side that follows it in the frame.
 *  - Its data comes from another VM: dvs_core_bulk names the place for the payload
 *    of a frame; the shell writes it and says dvs_bulk_written.
 *  - Both sides are here: `copy_run`; the shell copies in small pieces, each between
 *    dvs_copy_begin and dvs_copy_end, and then says dvs_copy_ran.
 *  - `copy_close`: nothing uses the side any more.
 *
 * Nobody leaves its own call while its memory is being touched: so pieces are
 * bounded, and do not wait for anything.
 */
#ifndef DVS_COPY_H
#define DVS_COPY_H

#include "types.h"

/* Bytes that one call can copy. */
#define DVS_COPY_MAX		1048576u

/* What a copy is from, or to. */
struct dvs_copy_end {
	struct dvs_addr ep;	/* number DVS_SELF: the caller */
	dvs_u64 address;	/* with a grant: offset in its region */
	dvs_u64 grant;		/* 0: none */
};

struct dvs_copy_request {
	struct dvs_copy_end src;
	struct dvs_copy_end dst;
	dvs_u64 bytes;
};

/* One side of a copy that is in this VM, as the shell sees it. */
struct dvs_side {
	struct dvs_ep *ep;
	struct dvs_call *call;	/* under way in the process whose memory it is; NULL with a grant */
	void *region;		/* of the grant, as it was given to dvs_lend */
	dvs_u64 address;	/* in the process; with a grant: offset in its region */
	dvs_u32 bytes;
	dvs_u8 writes;		/* the destination */
	void *shell;		/* the shell's own */
};

/* What dvs_vcopy may return besides: the shell runs the copy between these two sides, as for `copy_run`. */
#define DVS_RUN			2

/* Copies; at most DVS_COPY_MAX bytes. With DVS_RUN the call waits and has these two sides. */
int dvs_vcopy(struct dvs_core *core, struct dvs_call *call, struct dvs_ep *ep,
	      const struct dvs_copy_request *request, dvs_u64 now);
void dvs_copy_sides(const struct dvs_call *call, struct dvs_side **src, struct dvs_side **dst);

/* The memory of the side is ready (0), or cannot be (a result). */
void dvs_copy_opened(struct dvs_core *core, struct dvs_side *side, dvs_s32 result, dvs_u64 now);
/* May a piece be copied now? 0: the copy is over. */
int dvs_copy_begin(struct dvs_side *src, struct dvs_side *dst);
void dvs_copy_end(struct dvs_core *core, struct dvs_side *src, struct dvs_side *dst, dvs_u64 now);
/* All is copied (0), or no more can be. */
void dvs_copy_ran(struct dvs_core *core, struct dvs_side *src, struct dvs_side *dst,
		  dvs_s32 result, dvs_u64 now);

/*
 * A frame came on the bulk receive queue; `len` is what the device says it wrote,
 * of which `header` is the beginning. If its payload is wanted, the side and the
 * offset in it where the len - DVS_FRAME_HEADER bytes belong; else NULL.
 */
struct dvs_side *dvs_core_bulk(struct dvs_core *core, const void *header, dvs_u32 len,
			       dvs_u64 *offset, dvs_u64 now);
void dvs_bulk_written(struct dvs_core *core, struct dvs_side *side, dvs_u64 now);
/* Number of slots of bulk frames, and the DVS_FRAME_HEADER bytes at the beginning of one. */
dvs_u32 dvs_core_bulk_slots(const struct dvs_limits *limits);
void *dvs_core_bulk_header(struct dvs_core *core, dvs_u32 slot);

#define DVS_LEND_READ		0x1
#define DVS_LEND_WRITE		0x2

/*
 * Lends `bytes` of the endpoint's memory to `to` (number DVS_ANY: anybody), until
 * it is revoked or the endpoint is over: then the action `unlent` gives `region` back.
 */
dvs_s32 dvs_lend(struct dvs_core *core, struct dvs_ep *ep, struct dvs_addr to, dvs_u32 rights,
		 dvs_u64 bytes, void *region, dvs_u64 *grant, dvs_u64 now);
/*
 * Ends the copies that use it. DVS_PENDING: a piece is just being copied; to be
 * asked again, until it is DVS_EINVAL: there is no such grant any more.
 */
int dvs_revoke(struct dvs_core *core, struct dvs_ep *ep, dvs_u64 grant, dvs_u64 now);

#endif
