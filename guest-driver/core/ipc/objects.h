/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * What the core keeps: endpoints, operations, destinations, what waits for other
 * VMs, and the core itself. All of it is in pools that are made once (pools.c).
 */
#ifndef DVS_OBJECTS_H
#define DVS_OBJECTS_H

#include "../channel/channel.h"
#include "moving.h"

#define DVS_BUCKETS		256
#define DVS_OP_WATCH		(1ull << 63)	/* ids of watches, apart from those of operations */

enum dvs_ep_state {
	DVS_EP_FREE,
	DVS_EP_ADOPTING,	/* another VM has it, and was asked for it */
	DVS_EP_BINDING,		/* the node was asked */
	DVS_EP_BOUND,
	DVS_EP_OVER,		/* unbound here: the node and the peers are being told */
};

/* What is still to be said to the node about an endpoint or a destination. */
enum dvs_ctl_state {
	DVS_CTL_IDLE,
	DVS_CTL_WANTED,		/* not on the control queue yet */
	DVS_CTL_ASKED,
	DVS_CTL_OVERDUE,	/* asked, and not answered since the timer's last tick */
};

/* Which requests are put on the control queue once more. */
enum dvs_again {
	DVS_AGAIN_UNASKED,	/* what found no room on the queue */
	DVS_AGAIN_OVERDUE,	/* what has waited for a whole interval of the timer */
	DVS_AGAIN_ALL,
};

struct dvs_ep {
	struct dvs_core *core;
	void *owner;
	dvs_u32 index;
	struct dvs_list hash;
	struct dvs_addr addr;
	dvs_u8 state;
	dvs_u8 ctl;
	dvs_u8 released;	/* state OVER: the node has released the number */
	dvs_u8 woken;		/* the next receive from any is over at once */
	dvs_u8 restoring;	/* its privileges are asked for again, in a new life of this VM */
	dvs_u32 gen;		/* as other VMs know it; 0: the node does not know it, or not in this life */
	dvs_u64 nonce;
	dvs_u64 bind_nonce;	/* in each life of this VM it is bound by this one */
	dvs_u64 peers;		/* channels whose VMs are to be told of its death */
	dvs_u32 lclsent;	/* messages sent within the VM, and to others */
	dvs_u32 rmtsent;
	dvs_u32 lclcopy;	/* copies it took part in, likewise */
	dvs_u32 rmtcopy;
	struct dvs_privileges privileges;
	struct dvs_privileges wanted;	/* what the node is asked to agree to */
	struct dvs_list setters;	/* calls that set its privileges, the first one's is asked for */
	struct dvs_list receivers;	/* calls */
	struct dvs_list senders;	/* calls */
	struct dvs_list binders;	/* calls that want this number next, or wait for it */
	struct dvs_list leavers;	/* calls that wait for its end, by their member `wait` */
	struct dvs_list notes;		/* far notifications: dvs_req */
	struct dvs_list queue;		/* dvs_req not taken */
	struct dvs_list early;		/* far dvs_req for a bind whose result is not known */
	struct dvs_list waiting;	/* operations, until the node knows it again: their member out.link */
	struct dvs_list open;		/* dvs_req taken, not answered */
	struct dvs_list parties;	/* its sides of copies */
	struct dvs_list loans;
	dvs_u64 *local_notes;	/* a bit per endpoint of this VM, and one for the hardware */
	struct dvs_list values;		/* dvs_value: of those bits that have one */
	struct dvs_moving moving;
};

/* A number that is to be bound somewhere. One place for all who wait for it. */
struct dvs_awaited {
	dvs_u8 used;
	dvs_u8 forget;		/* nobody waits any more: the node is to be told */
	dvs_u8 ctl;
	dvs_s32 nr;
	dvs_u64 nonce;
	struct dvs_list calls;	/* by their member `wait` */
};

/* The value of a notification of this VM that waits. */
struct dvs_value {
	struct dvs_list link;	/* at its endpoint, or free */
	dvs_u32 source;		/* index of the source's bit */
	dvs_s64 value;
};

/* A request of another VM, held here until its answer has its frame. */
struct dvs_held {
	struct dvs_req req;
	struct dvs_list link;	/* in its channel, or free */
	struct dvs_out out;
	dvs_u8 answer;		/* DVS_K_* to be sent; 0: none yet */
	dvs_s32 result;
	struct dvs_addr want;	/* whom the sender meant */
	struct dvs_party *party;	/* COPY_IN, COPY_OUT: the side of the copy */
	dvs_u8 fetch;		/* FETCH: waits for the request that it belongs to */
	dvs_u8 taken;		/* dst took it in another VM */
	dvs_u8 adopted;		/* a notification that came with its endpoint: it has no channel */
	dvs_u8 copies;		/* COPY_IN, COPY_OUT; 0: no copy */
	_Alignas(8) dvs_u8 payload[DVS_MSG_PAYLOAD_MAX];
};

enum dvs_op_state {
	DVS_OP_FREE,
	DVS_OP_LOOKUP,		/* waits for the location */
	DVS_OP_PLACED,		/* of a copy: waits for the location of the other side */
	DVS_OP_WAITING,		/* waits until the node knows its endpoint */
	DVS_OP_QUEUED,		/* waits for a credit or a slot */
	DVS_OP_SENT,
	DVS_OP_CANCELLING,
};

/* A call, or a notification, on its way to an endpoint of another VM. */
struct dvs_op {
	struct dvs_list link;	/* in its channel, in its destination's waiters, or free */
	struct dvs_out out;
	dvs_u64 id;
	dvs_u8 kind;		/* DVS_K_MSG, DVS_K_REQ, DVS_K_NTF; DVS_K_NOP: only asks where dst lives */
	dvs_u8 flags;
	dvs_u8 state;
	dvs_u8 pinned;		/* dst.gen was looked up after the call began */
	dvs_s32 why;		/* of a cancellation */
	struct dvs_call *call;	/* NULL: the caller has gone */
	struct dvs_copying *copy;	/* COPY_IN, COPY_OUT: what it is a part of; NULL: as call */
	struct dvs_ep *ep;
	struct dvs_addr dst;	/* gen: what it was resolved to, 0 before */
	dvs_u32 want_gen;	/* what the caller asked for, 0: any */
	dvs_u64 arg;		/* of a notification: its value */
	struct dvs_chan *chan;
	struct dvs_chan *missed;	/* where dst was not, by an answer from there */
};

enum dvs_watch_state {
	DVS_WATCH_NONE,
	DVS_WATCH_QUEUED,
	DVS_WATCH_SENT,
};

/* Where a far endpoint is, as far as known. */
struct dvs_dest {
	dvs_u8 used;
	dvs_u8 known;
	dvs_u8 ctl;
	dvs_u8 watch;
	dvs_u8 told;		/* its core was sent something for it, so that it will tell of its death */
	dvs_u32 index;
	dvs_u64 noted;		/* channels to which a notification for it was sent */
	struct dvs_list hash;
	struct dvs_addr addr;
	struct dvs_chan *chan;
	struct dvs_chan *missed;	/* where it was not, by an answer from there */
	dvs_u64 nonce;
	struct dvs_list ops;		/* operations that wait for the location */
	struct dvs_list watchers;	/* calls, by their member `wait` */
	struct dvs_out out;
};

/* States of a call. */
enum dvs_call_state {
	DVS_CALL_STARTING,
	DVS_CALL_WAITING,
	DVS_CALL_LEAVING,	/* has its result, and waits until nobody touches its memory */
	DVS_CALL_DONE,
};

enum dvs_call_what {
	DVS_CALL_BIND,
	DVS_CALL_SEND,
	DVS_CALL_SENDREC,
	DVS_CALL_RECEIVE,
	DVS_CALL_REPLY,
	DVS_CALL_NOTIFY,
	DVS_CALL_PRIVILEGE,
	DVS_CALL_RELAY,
	DVS_CALL_WAKEUP,
	DVS_CALL_AWAIT_BIND,
	DVS_CALL_AWAIT_UNBIND,
	DVS_CALL_STATE,
	DVS_CALL_COPY,
	DVS_CALL_ADOPT,
	DVS_CALL_MOVE_START,
	DVS_CALL_MOVE_COMMIT,
	DVS_CALL_MOVE_ROLLBACK,
	DVS_CALL_MOVE_STAY,
};

/* Marks of struct dvs_out: which object it sits in, and what it says. */
enum dvs_out_type {
	DVS_OUT_OP,
	DVS_OUT_CANCEL,
	DVS_OUT_HELD,
	DVS_OUT_WATCH,
	DVS_OUT_FETCH,
	DVS_OUT_UNFETCH,
	DVS_OUT_ADOPTED,
};

/* Orders of the node that are under way at once. */
#define DVS_ORDERS	4

enum dvs_order_state {
	DVS_ORDER_FREE,
	DVS_ORDER_RUNS,
	DVS_ORDER_ENDED,	/* and the node has not been told */
};

struct dvs_order {
	struct dvs_call call;
	dvs_u64 op;
	dvs_u8 state;		/* enum dvs_order_state */
};

struct dvs_core {
	struct dvs_identity id;
	struct dvs_limits limits;
	struct dvs_ops ops;
	void *ctx;
	struct dvs_stats stats;
	struct dvs_channels channels;
	dvs_u64 now;		/* of the event under way */
	dvs_u64 next_nonce;
	dvs_u64 next_token;
	dvs_u64 control_at;	/* backstop of control requests */
	dvs_u64 control_ns;
	dvs_u64 tell_nonce;	/* the node asked for the state of the endpoints */
	dvs_u64 tell_from;
	dvs_u8 tell_wanted;	/* and has no answer yet */
	dvs_u8 order_hand;	/* the next order to be dropped */
	dvs_u8 stopped;
	dvs_u8 control_full;
	dvs_u8 died;		/* some channel was given died_scan, and was not pumped since */
	dvs_u32 restless;	/* endpoints that are not quiescent yet, or fresh, or whose move not all know of */
	dvs_u32 note_words;
	dvs_u32 dest_hand;	/* next destination to be forgotten */
	dvs_u32 op_salt;
	struct dvs_ep *ep;
	struct dvs_dest *dest;
	struct dvs_op *op;
	struct dvs_awaited *awaited;	/* as many as there may be endpoints */
	struct dvs_copying *copying;
	struct dvs_party *party;
	struct dvs_loan *loan;
	struct dvs_claim *claim;	/* as many as there may be endpoints */
	struct dvs_list free_ops;
	struct dvs_list free_held;
	struct dvs_list free_values;
	struct dvs_list free_copyings;
	struct dvs_list free_parties;
	struct dvs_list free_loans;
	struct dvs_list lingering;	/* parties */
	struct dvs_list orphans;	/* dvs_held: notifications that came in an earlier life of this VM */
	struct dvs_list adopted;	/* dvs_held: those that came with their endpoints */
	struct dvs_list free_adopted;
	struct dvs_list free_claims;
	struct dvs_list answered;	/* dvs_claim, the oldest first */
	struct dvs_list ep_hash[DVS_BUCKETS];
	struct dvs_list dest_hash[DVS_BUCKETS];
	struct dvs_order order[DVS_ORDERS];
};

#endif
