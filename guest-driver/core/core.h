/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * The core of a guest: endpoints, rendezvous and notifications (ipc/) on top
 * of exactly-once channels to other VMs (channel/).
 *
 * It is a state machine. Events go in by the functions below (a call of a
 * local process, a frame, the time), actions come out by struct dvs_ops. It
 * allocates nothing after dvs_core_init, reads no clock, takes no lock and
 * never blocks. The shell around it (a kernel module, a test, a simulator)
 *
 *  - makes every call below under one lock of its own,
 *  - gives the time as nanoseconds of one clock that never goes back,
 *  - does not call the core from inside an action.
 */
#ifndef DVS_CORE_H
#define DVS_CORE_H

#include "errors.h"
#include "list.h"
#include "types.h"
#include "wire.h"

struct dvs_core;
struct dvs_ep;
struct dvs_op;
struct dvs_dest;
struct dvs_chan;

/* Addresses that stand for no single endpoint. */
#define DVS_ANY		31438
#define DVS_NONE	27342
#define DVS_SELF	35534
#define DVS_HARDWARE	(-1)

/* The address of an endpoint; generation 0 stands for "whichever is bound now". */
struct dvs_addr {
	dvs_s32 nr;
	dvs_u32 gen;
};

/* Sizes of the pools, fixed for the life of a core. Zero: the default. */
struct dvs_limits {
	dvs_u32 endpoints;	/* bound in this VM at once; 256 */
	dvs_u32 peers;		/* VMs talked to at once; 32, at most 64 */
	dvs_u32 operations;	/* calls to other VMs under way at once; 1024 */
	dvs_u32 destinations;	/* remembered locations of far endpoints; 512 */
	dvs_u32 credits;	/* requests that one peer may have here at once; 64 */
	dvs_u32 window;		/* unacknowledged frames per peer, a power of two from 32 on; 64 */
	dvs_u32 copies;		/* that were asked for here and are under way at once; 256 */
	dvs_u32 sides;		/* of copies under way, that are here; 512 */
	dvs_u32 grants;		/* 1024 */
	dvs_u32 bulk_payload;	/* bytes in a bulk frame, as the device allows; DVS_BULK_PAYLOAD_MAX */
};

#define DVS_BULK_PAYLOAD_MIN	4096

/* What the node told of this VM, from the device's configuration space. */
struct dvs_identity {
	dvs_u32 vm;
	dvs_u32 incarnation;
	dvs_s32 nr_tasks;
	dvs_s32 nr_procs;
	dvs_s32 nr_sysprocs;
	dvs_u32 flags;		/* DVS_CONFIG_* */
};

/* What an endpoint may do: DVS_MAY_*, whom it may send to, DVS_LEVEL_* (wire.h). */
struct dvs_privileges {
	dvs_u64 calls;
	dvs_u64 ipc_to;
	dvs_u32 level;
	dvs_u32 reserved;
};

#include "copy.h"
#include "migrate.h"

/* How a message came to be. */
enum dvs_kind {
	DVS_KIND_NONE = 0,
	DVS_KIND_MESSAGE = 1,	/* send */
	DVS_KIND_REQUEST = 2,	/* sendrec: waits for a reply */
	DVS_KIND_NOTIFY = 3,
	DVS_KIND_REPLY = 4,
};

/* A message waiting at an endpoint, or taken and not answered yet. Private to the core. */
struct dvs_req {
	struct dvs_list link;
	struct dvs_ep *dst;
	struct dvs_call *call;		/* sender, if it is in this VM */
	struct dvs_chan *chan;		/* sender's VM, if it is not */
	dvs_u64 op;			/* the sender's id of it, if it is not */
	dvs_u64 token;			/* the receiver's id of it; of a notification its value */
	struct dvs_addr src;
	const void *data;
	dvs_u32 len;
	dvs_u8 kind;
	dvs_u8 handed;			/* a record of it went to another VM with dst */
};

/*
 * A call of a local process under way. The shell provides the memory and keeps
 * it until the call is done: when the starting function returns something else
 * than DVS_PENDING, or by the action `wake`, or by dvs_call_abandon.
 *
 * The shell fills the fields above the line; all others are the core's.
 */
struct dvs_call {
	/*
	 * Kernel memory, stable while the call is under way. Of a sendrec it has
	 * DVS_MSG_PAYLOAD_MAX bytes: a relay puts the message there that goes on.
	 */
	void *send_buf;
	dvs_u32 send_len;		/* at most DVS_MSG_PAYLOAD_MAX */
	void *recv_buf;
	dvs_u32 recv_cap;
	/* ---- */
	dvs_s32 result;			/* valid when done: 0 or an error */
	dvs_u32 recv_len;		/* bytes of the message, maybe more than recv_cap took */
	struct dvs_addr peer;		/* received from; bound as */
	dvs_u8 kind;			/* enum dvs_kind of what was received */
	dvs_u64 token;			/* of a request received: names it in dvs_reply; of a notification: its value */

	dvs_u8 what;
	dvs_u8 state;
	dvs_u8 flags;
	dvs_u8 deciding;		/* adopt: the directory is asked */
	struct dvs_list link;		/* in a list of its endpoint */
	struct dvs_list wait;		/* among those who watch a far endpoint */
	struct dvs_ep *ep;
	struct dvs_addr filter;
	struct dvs_privileges privileges;	/* to be set */
	struct dvs_dest *dest;
	struct dvs_op *operation;
	struct dvs_copying *copying;	/* that it asked for */
	struct dvs_list sides;		/* of copies that use the memory of its process */
	struct dvs_req req;
};

/* Actions. `ctx` is what dvs_core_init was given. */
struct dvs_ops {
	/* The call is done; its memory is the shell's again. */
	void (*wake)(void *ctx, struct dvs_call *call);
	/* Something can be received at the endpoint: for poll. */
	void (*readable)(void *ctx, struct dvs_ep *ep);
	/*
	 * Put the frame at index `slot` of the slot memory, `len` bytes, on the
	 * message transmit queue. The same slot may be given again while it is
	 * still on the queue. Not 0: the queue is full; dvs_core_room follows
	 * when it has room again.
	 */
	int (*transmit)(void *ctx, dvs_u32 slot, dvs_u32 len);
	/*
	 * Is the slot off the queue, so that it may be written anew? 0: no;
	 * dvs_core_room follows when it is.
	 */
	int (*reusable)(void *ctx, dvs_u32 slot);
	/*
	 * Put the request (copied by the callee) on the control queue. Not 0:
	 * full; dvs_core_room follows.
	 */
	int (*control)(void *ctx, const struct dvs_ctl_request *request);
	/* Call dvs_core_timer at this time; ~0: not needed. Replaces what was asked before. */
	void (*timer)(void *ctx, dvs_u64 at_ns);
	/* Fill in what the core does not know of an endpoint: pid, name, more bits of misc. */
	void (*describe)(void *ctx, struct dvs_ep *ep, struct dvs_endpoint_state *state);
	/*
	 * No shell reference to the endpoint may be left: its slot is free again,
	 * or it was taken away, since its number is another's in a new life of this VM.
	 */
	void (*released)(void *ctx, struct dvs_ep *ep);
	/*
	 * Put a frame on the bulk transmit queue: the header of this slot (see
	 * dvs_core_bulk_header) and then `len` bytes of the side from `offset` on;
	 * NULL: nothing. Otherwise as transmit and reusable.
	 */
	int (*bulk_transmit)(void *ctx, dvs_u32 slot, struct dvs_side *side, dvs_u64 offset,
			     dvs_u32 len);
	int (*bulk_reusable)(void *ctx, dvs_u32 slot);
	/*
	 * Make the memory of the side ready for use; dvs_copy_opened follows. The
	 * call and the region are looked at now: they may be gone before that.
	 * Not 0: it cannot be, with this result.
	 */
	dvs_s32 (*copy_open)(void *ctx, struct dvs_side *side);
	/* No use of an opened side is left. After dvs_core_stop, those in use are the shell's to close. */
	void (*copy_close)(void *ctx, struct dvs_side *side);
	/* Copy from one opened side to the other. */
	void (*copy_run)(void *ctx, struct dvs_side *src, struct dvs_side *dst);
	/* No new use is made of the region of a grant. */
	void (*unlent)(void *ctx, void *region);
};

/* Counters, all since init. */
struct dvs_stats {
	dvs_u64 frames_sent;
	dvs_u64 frames_sent_again;
	dvs_u64 frames_received;
	dvs_u64 duplicates_dropped;
	dvs_u64 gaps_dropped;
	dvs_u64 malformed_dropped;
	dvs_u64 acks_sent;		/* lone ones */
	dvs_u64 backstop_fired;
	dvs_u64 retries;		/* RETRY frames taken */
	dvs_u64 gone;			/* channels that ended */
	dvs_u64 renewals;		/* new lives of this VM */
	dvs_u64 local_messages;
	dvs_u64 remote_messages;
	dvs_u64 bulk_sent;
	dvs_u64 bulk_sent_again;
	dvs_u64 bulk_received;
	dvs_u64 copies_done;		/* that were asked for here */
	dvs_u64 copied_bytes;
	dvs_u32 endpoints;		/* in use now */
	dvs_u32 peers;
	dvs_u32 operations;
	dvs_u32 requests;		/* of other VMs, held here now */
	dvs_u32 destinations;
	dvs_u32 unacknowledged;
	dvs_u32 copies;
	dvs_u32 sides;
	dvs_u32 grants;
	dvs_u32 bulk_unacknowledged;
};

/* What a starting function returns when the call goes on: `wake` ends it. */
#define DVS_PENDING	1

/* Flags of a call. */
#define DVS_CALL_NOWAIT		0x01	/* fail with DVS_EAGAIN rather than wait for the peer */
#define DVS_CALL_REQUESTS	0x02	/* receive: only what sendrec sent */
/*
 * send, sendrec: no other thread can use this endpoint. A call that would close a
 * cycle of such ones, each waiting for the next, then fails with DVS_ELOCKED.
 */
#define DVS_CALL_SOLE		0x04

/* Bytes of memory for a core; 0 if a limit is out of range. */
dvs_size dvs_core_size(const struct dvs_limits *limits);
/* Number of slots of DVS_MSG_FRAME_MAX bytes each that the shell provides. */
dvs_u32 dvs_core_slots(const struct dvs_limits *limits);
/*
 * Makes a core in `memory` (aligned to 16, dvs_core_size bytes). `slots` is the
 * memory that the device reads frames from; both outlive the core. NULL if a
 * limit or the identity is out of range.
 */
struct dvs_core *dvs_core_init(void *memory, void *slots,
			       const struct dvs_limits *limits,
			       const struct dvs_identity *identity,
			       const struct dvs_ops *ops, void *ctx);
/* The device is gone for good: every call under way ends with DVS_ENOTCONN, every later one too. */
void dvs_core_stop(struct dvs_core *core);
void dvs_core_stats(const struct dvs_core *core, struct dvs_stats *stats);
/* Which life of this VM it is: as dvs_core_init was told, until the node gives it another one. */
dvs_u32 dvs_core_incarnation(const struct dvs_core *core);

/* ---- calls ----
 * Each returns a result (0 or negative: done) or DVS_PENDING.
 */

/* Binds an endpoint number to the caller; call->ep and call->peer tell it when done. */
int dvs_bind(struct dvs_core *core, struct dvs_call *call, dvs_s32 nr, dvs_u64 now);
/* Gives up an endpoint (unbind, exit, kill). What waits on it or at it fails as the reference says. */
void dvs_unbind(struct dvs_core *core, struct dvs_ep *ep, dvs_u64 now);

int dvs_send(struct dvs_core *core, struct dvs_call *call, struct dvs_ep *ep,
	     struct dvs_addr dst, dvs_u32 flags, dvs_u64 now);
int dvs_sendrec(struct dvs_core *core, struct dvs_call *call, struct dvs_ep *ep,
		struct dvs_addr dst, dvs_u32 flags, dvs_u64 now);
int dvs_receive(struct dvs_core *core, struct dvs_call *call, struct dvs_ep *ep,
		struct dvs_addr from, dvs_u32 flags, dvs_u64 now);
/* token: the request to answer, as told at its receipt; 0: the oldest open one of dst. */
int dvs_reply(struct dvs_core *core, struct dvs_call *call, struct dvs_ep *ep,
	      struct dvs_addr dst, dvs_u64 token, dvs_u64 now);
/*
 * In the name of `source`: DVS_SELF, another endpoint of this VM, or DVS_HARDWARE
 * if dst is in this VM. Of two notifications of a source that wait, the later value stays.
 */
int dvs_notify(struct dvs_core *core, struct dvs_call *call, struct dvs_ep *ep,
	       struct dvs_addr dst, dvs_s32 source, dvs_s64 value, dvs_u64 now);
#define DVS_NO_VALUE	(-1)

/*
 * Hands a request of `client` (token as in dvs_reply) on to dst, with the message
 * of this call: dst answers the client, whose own privileges decide whether it may
 * ask there. That, and whether dst lives, is the client's concern alone.
 */
int dvs_relay(struct dvs_core *core, struct dvs_call *call, struct dvs_ep *ep,
	      struct dvs_addr client, dvs_u64 token, struct dvs_addr dst, dvs_u64 now);
/* Ends a receive from any of an endpoint of this VM, or its next one, with DVS_EWOKENUP. */
int dvs_wakeup(struct dvs_core *core, struct dvs_call *call, struct dvs_ep *ep, dvs_s32 nr,
	       dvs_u64 now);

/*
 * Wait until an endpoint is bound, in any VM (call->peer tells it), or until it is
 * not. The caller's endpoint may be NULL: it has none.
 */
int dvs_await_bind(struct dvs_core *core, struct dvs_call *call, struct dvs_ep *ep, dvs_s32 nr,
		   dvs_u64 now);
int dvs_await_unbind(struct dvs_core *core, struct dvs_call *call, struct dvs_ep *ep, dvs_s32 nr,
		     dvs_u64 now);
/* Ends the calls of an endpoint with DVS_ESHUTDOWN: its process is being asked to leave. */
void dvs_ep_shutdown(struct dvs_core *core, struct dvs_ep *ep, dvs_u64 now);

/*
 * The state of an endpoint of this VM, which `state` has on return. Otherwise a
 * look-up decides between DVS_ENOTBIND and DVS_ERMTPROC; of the latter call->peer
 * tells the generation and call->token the VM.
 */
int dvs_state(struct dvs_core *core, struct dvs_call *call, dvs_s32 nr,
	      struct dvs_endpoint_state *state, dvs_u64 now);
/* The state of the first endpoint bound in this VM from *place on, which then is after it. 0: none. */
int dvs_state_at(struct dvs_core *core, dvs_u32 *place, struct dvs_endpoint_state *state);

/* The privileges of an endpoint of this VM. */
int dvs_privileges_get(struct dvs_core *core, dvs_s32 nr, struct dvs_privileges *privileges);
/* Takes effect when the node has agreed, which it does for a VM with DVS_CONFIG_ADMIN alone. */
int dvs_privileges_set(struct dvs_core *core, struct dvs_call *call, dvs_s32 nr,
		       const struct dvs_privileges *privileges, dvs_u64 now);

/*
 * The caller wants to leave (`why`: DVS_ETIMEDOUT or DVS_EINTR). Returns the
 * final result if the call is done by this, or DVS_PENDING if the receiver's
 * core has to decide: `wake` tells, with success if the message was taken
 * after all. The shell waits for that at most DVS_CANCEL_GRACE_NS, then
 * calls dvs_call_abandon.
 */
int dvs_call_cancel(struct dvs_core *core, struct dvs_call *call, dvs_s32 why, dvs_u64 now);
/* Ends the call now, whatever the receiver decides later; returns its result. */
int dvs_call_abandon(struct dvs_core *core, struct dvs_call *call, dvs_u64 now);
#define DVS_CANCEL_GRACE_NS	100000000ull

/* Is there something that a receive from ANY would get without waiting? */
int dvs_ep_readable(const struct dvs_ep *ep);
struct dvs_addr dvs_ep_addr(const struct dvs_ep *ep);
/* Has it the right to this call (DVS_MAY_*)? The shell asks for those that only it knows. */
int dvs_ep_may(const struct dvs_ep *ep, dvs_u32 call);
/* The shell's own pointer of an endpoint. */
void dvs_ep_set_owner(struct dvs_ep *ep, void *owner);
void *dvs_ep_owner(const struct dvs_ep *ep);
/* The endpoint bound as `nr` in this VM, or NULL. */
struct dvs_ep *dvs_ep_find(struct dvs_core *core, dvs_s32 nr);

/* ---- device ---- */

/* A frame came in a receive buffer; `len` is what the device says it wrote. Copied before return. */
void dvs_core_frame(struct dvs_core *core, const void *buffer, dvs_u32 len, dvs_u64 now);
/* A batch of frames is over: acknowledgements that cannot ride on traffic are considered. */
void dvs_core_batch_end(struct dvs_core *core, dvs_u64 now);
/* The answer to a control request was not DVS_CTL_ACCEPTED. */
void dvs_core_refused(struct dvs_core *core, dvs_u64 nonce, dvs_u32 status, dvs_u64 now);
/* A queue that was full has room again. */
void dvs_core_room(struct dvs_core *core, dvs_u64 now);
void dvs_core_timer(struct dvs_core *core, dvs_u64 now);

#endif
