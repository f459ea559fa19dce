/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * IPC on top of the channels: who is bound, who waits for whom, and what a
 * death means to the others. Frames of one channel come exactly once and in
 * order; nothing here sees a number of the channel.
 */
#ifndef DVS_IPC_H
#define DVS_IPC_H

#include "../channel/channel.h"

#define DVS_BUCKETS		256
#define DVS_OP_WATCH		(1ull << 63)	/* ids of watches, apart from those of operations */

enum dvs_ep_state {
	DVS_EP_FREE,
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

struct dvs_ep {
	struct dvs_core *core;
	void *owner;
	dvs_u32 index;
	struct dvs_list hash;
	struct dvs_addr addr;
	dvs_u8 state;
	dvs_u8 ctl;
	dvs_u8 released;	/* state OVER: the node has released the number */
	dvs_u64 nonce;
	dvs_u64 peers;		/* channels whose VMs are to be told of its death */
	struct dvs_list receivers;	/* calls */
	struct dvs_list senders;	/* calls */
	struct dvs_list binders;	/* calls that want this number next, or wait for it */
	struct dvs_list notes;		/* far notifications: dvs_req */
	struct dvs_list queue;		/* dvs_req not taken */
	struct dvs_list open;		/* dvs_req taken, not answered */
	dvs_u64 *local_notes;	/* a bit per endpoint of this VM */
};

/* A request of another VM, held here until its answer has its frame. */
struct dvs_held {
	struct dvs_req req;
	struct dvs_list link;	/* in its channel, or free */
	struct dvs_out out;
	dvs_u8 answer;		/* DVS_K_* to be sent; 0: none yet */
	dvs_s32 result;
	struct dvs_addr want;	/* whom the sender meant */
	dvs_u8 payload[DVS_MSG_PAYLOAD_MAX];
};

enum dvs_op_state {
	DVS_OP_FREE,
	DVS_OP_LOOKUP,		/* waits for the location */
	DVS_OP_QUEUED,		/* waits for a credit or a slot */
	DVS_OP_SENT,
	DVS_OP_CANCELLING,
};

/* A call, or a notification, on its way to an endpoint of another VM. */
struct dvs_op {
	struct dvs_list link;	/* in its channel, in its destination's waiters, or free */
	struct dvs_out out;
	dvs_u64 id;
	dvs_u8 kind;		/* DVS_K_MSG, DVS_K_REQ, DVS_K_NTF; DVS_K_NOP: only asks whether dst lives */
	dvs_u8 flags;
	dvs_u8 state;
	dvs_u8 pinned;		/* dst.gen was looked up after the call began */
	dvs_s32 why;		/* of a cancellation */
	struct dvs_call *call;	/* NULL: the caller has gone */
	struct dvs_ep *ep;
	struct dvs_addr dst;	/* gen: what it was resolved to, 0 before */
	dvs_u32 want_gen;	/* what the caller asked for, 0: any */
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
	dvs_u32 index;
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
	DVS_CALL_DONE,
};

enum dvs_call_what {
	DVS_CALL_BIND,
	DVS_CALL_SEND,
	DVS_CALL_SENDREC,
	DVS_CALL_RECEIVE,
	DVS_CALL_REPLY,
	DVS_CALL_NOTIFY,
};

/* Marks of struct dvs_out: which object it sits in, and what it says. */
enum dvs_out_type {
	DVS_OUT_OP,
	DVS_OUT_CANCEL,
	DVS_OUT_HELD,
	DVS_OUT_WATCH,
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
	dvs_u8 stopped;
	dvs_u8 control_full;
	dvs_u32 note_words;
	dvs_u32 dest_hand;	/* next destination to be forgotten */
	dvs_u32 op_salt;
	struct dvs_ep *ep;
	struct dvs_dest *dest;
	struct dvs_op *op;
	struct dvs_list free_ops;
	struct dvs_list free_held;
	struct dvs_list ep_hash[DVS_BUCKETS];
	struct dvs_list dest_hash[DVS_BUCKETS];
};

static inline dvs_u32 dvs_bucket(dvs_s32 nr)
{
	return (dvs_u32)nr % DVS_BUCKETS;
}

/* ---- call.c ---- */
/* Delivers or queues at an endpoint of this VM. */
void dvs_call_send_local(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *dst,
			 dvs_u32 gen, dvs_u8 kind);
void dvs_call_begin(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
		    dvs_u8 what, dvs_u32 flags, dvs_u64 now);
/* Ends a call: wakes it unless it is still being started. */
void dvs_call_finish(struct dvs_core *c, struct dvs_call *call, dvs_s32 result);
/* Its result if it is done by now, else DVS_PENDING. */
int dvs_call_started(struct dvs_call *call);
/* Is this a number that can be addressed? */
int dvs_number_valid(const struct dvs_core *c, dvs_s32 nr);

/* ---- endpoint.c ---- */
struct dvs_ep *dvs_ep_lookup(struct dvs_core *c, dvs_s32 nr, int state);
void dvs_ep_bound(struct dvs_core *c, const struct dvs_frame *f);
void dvs_ep_unbound(struct dvs_core *c, const struct dvs_frame *f);
void dvs_ep_ask(struct dvs_core *c, struct dvs_ep *ep);
void dvs_ep_release_if_over(struct dvs_core *c, struct dvs_ep *ep);
/* The device is gone: the calls of the endpoint end, and nothing more is heard of it. */
void dvs_ep_device_gone(struct dvs_core *c, struct dvs_ep *ep);
/* Next death that this channel's VM is to be told: fills the frame, or 0. */
int dvs_ep_next_death(struct dvs_core *c, struct dvs_chan *ch, struct dvs_frame *f);
/* Refused by the node. */
int dvs_ep_refused(struct dvs_core *c, dvs_u64 nonce, dvs_s32 result);
/* Ends everything that an endpoint takes part in, in this VM and towards others. */
void dvs_ep_stop(struct dvs_core *c, struct dvs_ep *ep);

/* ---- queue.c: messages at an endpoint of this VM ---- */
/* Hands the message to a waiting receiver. 0: nobody waits for it. */
int dvs_queue_deliver(struct dvs_core *c, struct dvs_ep *dst, struct dvs_req *req);
void dvs_queue_add(struct dvs_core *c, struct dvs_ep *dst, struct dvs_req *req);
/* Serves a receiving call from what waits at its endpoint. 0: nothing fits. */
int dvs_queue_take(struct dvs_core *c, struct dvs_ep *ep, struct dvs_call *call);
struct dvs_req *dvs_queue_open(struct dvs_ep *ep, dvs_s32 nr, dvs_u32 gen, dvs_u64 token);
void dvs_queue_notify_local(struct dvs_core *c, struct dvs_ep *src, struct dvs_ep *dst);
/* Fails all who wait at a dead endpoint. */
void dvs_queue_fail_all(struct dvs_core *c, struct dvs_ep *ep);

/* ---- held.c: requests of other VMs ---- */
void dvs_held_frame(struct dvs_core *c, struct dvs_chan *ch,
		    const struct dvs_frame *f, const void *payload);
void dvs_held_cancel(struct dvs_core *c, struct dvs_chan *ch, dvs_u64 op);
void dvs_held_answer(struct dvs_core *c, struct dvs_req *req, dvs_u8 kind, dvs_s32 result);
void dvs_held_reply(struct dvs_core *c, struct dvs_req *req, const void *data, dvs_u32 len);
void dvs_held_free(struct dvs_core *c, struct dvs_req *req);
void dvs_held_fill(struct dvs_core *c, struct dvs_chan *ch, struct dvs_held *h,
		   struct dvs_frame *f, void *payload);
/* The sender, or its whole VM (src NULL), is dead. */
void dvs_held_sender_died(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_addr *src);
/* The generation of an endpoint is known now: those that meant another one leave. */
void dvs_held_check_generation(struct dvs_core *c, struct dvs_ep *ep);
/* The endpoint did not come to be: its early messages find nothing here. */
void dvs_held_reject_all(struct dvs_core *c, struct dvs_ep *ep);

/* ---- operation.c: requests to other VMs ---- */
int dvs_op_start(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst,
		 dvs_u8 kind, dvs_u32 flags);
/* Its destination's location is known (result 0), or cannot be. */
void dvs_op_located(struct dvs_core *c, struct dvs_op *op, struct dvs_dest *d, dvs_s32 result);
/* Its destination is in this VM. */
void dvs_op_located_here(struct dvs_core *c, struct dvs_op *op);
void dvs_op_answer(struct dvs_core *c, struct dvs_chan *ch,
		   const struct dvs_frame *f, const void *payload);
void dvs_op_fill(struct dvs_core *c, struct dvs_op *op, struct dvs_frame *f, void *payload);
void dvs_op_fill_cancel(struct dvs_core *c, struct dvs_op *op, struct dvs_frame *f);
/* Its caller leaves. Returns as dvs_call_cancel. */
int dvs_op_cancel(struct dvs_core *c, struct dvs_op *op, dvs_s32 why);
/* Its caller leaves without waiting for the receiver's decision. Returns the call's result. */
dvs_s32 dvs_op_abandon(struct dvs_core *c, struct dvs_op *op);
/* Everything that this endpoint has under way to other VMs is forgotten. */
void dvs_op_source_died(struct dvs_core *c, struct dvs_ep *ep);
void dvs_op_peer_gone(struct dvs_core *c, struct dvs_chan *ch);
void dvs_op_peer_refused(struct dvs_core *c, struct dvs_chan *ch);

/* ---- destination.c: where far endpoints are ---- */
struct dvs_dest *dvs_dest_get(struct dvs_core *c, dvs_s32 nr);
/* Puts the question on the control queue, also once more. */
void dvs_dest_ask(struct dvs_core *c, struct dvs_dest *d);
/* Asks where it is, unless that is under way. */
void dvs_dest_look_up(struct dvs_core *c, struct dvs_dest *d);
/* What was known of its location is not so. */
void dvs_dest_forget(struct dvs_dest *d);
void dvs_dest_found(struct dvs_core *c, const struct dvs_frame *f);
int dvs_dest_refused(struct dvs_core *c, dvs_u64 nonce, dvs_s32 result);
/* A receiving call waits for this far endpoint to speak or die. */
int dvs_dest_watch(struct dvs_core *c, struct dvs_call *call);
void dvs_dest_watch_missed(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f);
void dvs_dest_died(struct dvs_core *c, struct dvs_chan *ch, struct dvs_addr addr);
/* Endpoints of that VM died, and it does not know any more which. */
void dvs_dest_some_died(struct dvs_core *c, struct dvs_chan *ch);
/* This channel leads nowhere any more: who waits for its endpoints gets `result`. */
void dvs_dest_forget_peer(struct dvs_core *c, struct dvs_chan *ch, dvs_s32 result);
void dvs_dest_fill_watch(struct dvs_core *c, struct dvs_dest *d, struct dvs_frame *f);

/* ---- core.c ---- */
/* Puts a request about an endpoint or destination on the control queue if it can. */
void dvs_control_ask(struct dvs_core *c, dvs_u8 *state, const struct dvs_ctl_request *request);
/* Tells the peers of deaths that the event brought. */
void dvs_core_flush(struct dvs_core *c);

/* A buffer of no bytes may be nowhere. */
static inline void dvs_copy(void *to, const void *from, dvs_u32 len)
{
	if (len)
		__builtin_memcpy(to, from, len);
}

/* Only errors that the DVS knows reach a caller: what another VM or the node says may be anything. */
static inline dvs_s32 dvs_clamp_error(dvs_s32 result)
{
	return result < 0 && result > -1000 ? result : DVS_EINVAL;
}

static inline int dvs_matches(struct dvs_addr filter, struct dvs_addr src)
{
	return (filter.nr == DVS_ANY || filter.nr == src.nr) &&
	       (filter.gen == 0 || filter.gen == src.gen);
}

#endif
