/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * Copies within the IPC: what their requester knows of the two sides, the sides
 * that are in this VM, and the grants that may open memory to them. How memory
 * is touched is in ../copy.h.
 */
#ifndef DVS_COPYING_H
#define DVS_COPYING_H

#include "ipc.h"

enum dvs_party_state {
	DVS_PARTY_FREE,
	DVS_PARTY_OPEN,
	DVS_PARTY_OVER,		/* its copy is over; somebody may still be using its memory */
};

enum dvs_fetch_state {
	DVS_FETCH_NONE,
	DVS_FETCH_QUEUED,
	DVS_FETCH_SENT,
};

/* One side of a copy that is in this VM. */
struct dvs_party {
	struct dvs_side side;
	struct dvs_list link;		/* in its endpoint, or free */
	struct dvs_list of_call;
	struct dvs_list of_loan;
	struct dvs_list of_chan;
	struct dvs_list lingering;	/* frames on the queue refer to it */
	struct dvs_bulk_out bulk;
	struct dvs_out out;		/* FETCH, and then the CANCEL of it */
	dvs_u8 state;
	dvs_u8 opening;			/* the shell makes its memory ready */
	dvs_u8 ready;			/* it has: to be closed */
	dvs_u8 running;			/* the shell copies from or to its twin */
	dvs_u8 cancelled;		/* by the requester */
	dvs_u8 fetch;
	dvs_u8 sends;			/* its data is queued */
	dvs_u32 busy;			/* pieces that are just being copied */
	dvs_u32 moved;			/* bytes sent, or arrived */
	dvs_u32 unacked;		/* frames sent that have not arrived */
	dvs_s32 result;
	dvs_u64 fetch_op;		/* id of the FETCH, in the destination's VM */
	struct dvs_copy_side what;
	struct dvs_copying *copying;	/* of the requester, if it is in this VM */
	struct dvs_held *held;		/* its request, if it is not */
	struct dvs_chan *requester;	/* its VM, if it is not */
	struct dvs_chan *chan;		/* where data goes to or comes from, once that is known */
	struct dvs_loan *loan;
};

/* Memory of an endpoint that another one may use: a grant. */
struct dvs_loan {
	struct dvs_list link;		/* in its endpoint, or free */
	struct dvs_ep *ep;
	dvs_u64 id;
	struct dvs_addr to;
	dvs_u32 rights;
	dvs_u8 revoked;
	dvs_u64 bytes;
	void *region;
	struct dvs_list parties;
};

enum dvs_share_state {
	DVS_SHARE_LOCATING,
	DVS_SHARE_FOUND,
	DVS_SHARE_ASKED,	/* its core has to answer */
	DVS_SHARE_OVER,
};

/* What the requester knows of one side. */
struct dvs_share {
	dvs_u8 state;
	struct dvs_addr at;
	struct dvs_chan *chan;		/* NULL: in this VM */
	struct dvs_op *op;
	struct dvs_party *party;
};

#define DVS_SOURCE		0
#define DVS_DESTINATION		1

/* A copy that an endpoint of this VM has asked for. */
struct dvs_copying {
	struct dvs_list link;		/* free */
	struct dvs_call *call;
	struct dvs_ep *ep;
	dvs_u64 id;
	dvs_s32 result;			/* first failure */
	dvs_s32 why;			/* the caller wants to leave */
	dvs_u8 moved;			/* it failed since a location was not so any more */
	dvs_u8 attempts;
	dvs_u8 deciding;		/* whoever changes a share finds out later what follows */
	struct dvs_copy_request request;
	struct dvs_share share[2];
};

/* Who asks for a side, and for which. */
struct dvs_party_order {
	struct dvs_ep *ep;
	struct dvs_addr requester;
	struct dvs_chan *chan;		/* of the requester; NULL: in this VM */
	struct dvs_call *own;		/* the requester's call, if the side is its own memory */
	int writes;
	struct dvs_copy_side what;
};

/* ---- copy.c: the requester of a copy ---- */
void dvs_copy_init(struct dvs_core *c);
/* A side is in this VM, or in that of the channel. */
void dvs_copy_found(struct dvs_core *c, struct dvs_copying *cp, int which,
		    struct dvs_addr at, struct dvs_chan *chan);
/* What the core of a side has to know. */
void dvs_copy_fill(struct dvs_core *c, const struct dvs_copying *cp, int which, void *payload);
/* A side is over. */
void dvs_copy_share_over(struct dvs_core *c, struct dvs_copying *cp, int which, dvs_s32 result);
/* The caller wants to leave. Returns as dvs_call_cancel. */
int dvs_copy_cancel(struct dvs_core *c, struct dvs_call *call, dvs_s32 why);
/* A side in this VM was about to move: it is looked for again. */
void dvs_copy_again(struct dvs_core *c, struct dvs_copying *cp);
/* The caller has left. */
void dvs_copy_drop(struct dvs_core *c, struct dvs_call *call);

/* ---- party.c: the sides in this VM ---- */
void dvs_party_init(struct dvs_core *c);
/* Is it allowed now? Makes the side, which nobody uses yet. */
dvs_s32 dvs_party_make(struct dvs_core *c, const struct dvs_party_order *order,
		       struct dvs_party **made);
/* Has its memory made ready. */
void dvs_party_start(struct dvs_core *c, struct dvs_party *p);
void dvs_party_close(struct dvs_core *c, struct dvs_party *p, dvs_s32 result);
/* A piece of it has been copied: who waits for that goes on. */
void dvs_party_rest(struct dvs_core *c, struct dvs_party *p);
/* Gives its place back if nobody uses it any more. */
void dvs_party_settle(struct dvs_core *c, struct dvs_party *p);
/* Counts a side to a channel that it depends on; 0: the peer has too many. */
int dvs_party_depend(struct dvs_core *c, struct dvs_chan *ch);
/* Does its process wait in a call, so that its memory may be used? */
int dvs_party_waits(const struct dvs_ep *ep);
/* The call has ended. 0: somebody still touches its memory. */
int dvs_party_leave(struct dvs_core *c, struct dvs_call *call);
/* The call ends whatever is being touched. */
void dvs_party_abandon(struct dvs_core *c, struct dvs_call *call);
/* The endpoint is over. */
void dvs_party_stop(struct dvs_core *c, struct dvs_ep *ep);
void dvs_party_device_gone(struct dvs_core *c);
/* cut_off: as of dvs_op_peer_gone. */
void dvs_party_peer_gone(struct dvs_core *c, struct dvs_chan *ch, dvs_s32 cut_off);
void dvs_party_peer_refused(struct dvs_core *c, struct dvs_chan *ch);
/* Queues have room: some may not be referred to any more. */
void dvs_party_room(struct dvs_core *c);

/* ---- carry.c: data from side to side ---- */
/* Sends, as soon as the memory is ready and the destination is known. */
void dvs_party_send(struct dvs_core *c, struct dvs_party *p);
void dvs_party_fill(struct dvs_core *c, struct dvs_party *p, struct dvs_frame *f, void *payload);
int dvs_party_bulk_fill(struct dvs_core *c, struct dvs_party *p, struct dvs_frame *f);
void dvs_party_bulk_acked(struct dvs_core *c, struct dvs_party *p);
/* Data has come; the place for it, or NULL. */
struct dvs_party *dvs_party_data(struct dvs_core *c, struct dvs_chan *ch,
				 const struct dvs_frame *f);

/* ---- serve.c: copies that other VMs ask for ---- */
void dvs_serve_copy(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f,
		    const void *payload);
/* A request of these, whose endpoint is bound here. */
void dvs_serve_held(struct dvs_core *c, struct dvs_ep *ep, struct dvs_held *h);
void dvs_serve_fetch(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f,
		     const void *payload);
/* Looks for the FETCH that this source waits for. */
void dvs_serve_source(struct dvs_core *c, struct dvs_party *p);
/* The destination does not want the data any more. */
void dvs_serve_unfetch(struct dvs_core *c, struct dvs_chan *ch, dvs_u64 op);

/* ---- grant.c ---- */
void dvs_loan_init(struct dvs_core *c);
/* The grant that covers this use of the endpoint's memory, or NULL. */
struct dvs_loan *dvs_loan_find(struct dvs_core *c, const struct dvs_party_order *order);
void dvs_loan_left(struct dvs_core *c, struct dvs_loan *l);
/* The endpoint is over. */
void dvs_loan_stop(struct dvs_core *c, struct dvs_ep *ep);

/* ---- operation.c: requests of copies to other VMs ---- */
/* Finds out where a side of a copy is; then dvs_copy_found. */
int dvs_op_locate(struct dvs_core *c, struct dvs_copying *cp, int which, struct dvs_addr dst);
/* Sends the request of a copy to where it was found. */
void dvs_op_ask(struct dvs_core *c, struct dvs_op *op);
/* Which side of its copy it is about. */
static inline int dvs_op_side(const struct dvs_op *op)
{
	return op->kind == DVS_K_COPY_OUT ? DVS_SOURCE : DVS_DESTINATION;
}

#endif
