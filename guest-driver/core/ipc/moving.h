/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * Endpoints that move to another VM, or to another process of this one, without
 * their clients noticing (docs/endpoint-migration.md): migrate.c lets an endpoint
 * go, adopt.c takes one, claim.c has the requests that another VM took, and
 * follow.c is what the cores of all others do.
 */
#ifndef DVS_MOVING_H
#define DVS_MOVING_H

#include "../channel/channel.h"

struct dvs_held;

enum dvs_move_state {
	DVS_MOVE_NONE,
	DVS_MOVE_STARTING,	/* something of its process is still under way */
	DVS_MOVE_READY,		/* quiescent */
	DVS_MOVE_AGREED,	/* and whoever adopts it may have it */
	DVS_MOVE_OFFERING,	/* the directory is asked to offer it */
	DVS_MOVE_HANDING,	/* its adopter is being told what it takes along, and takes it */
	DVS_MOVE_WITHDRAWING,	/* the directory is asked who has it */
};

/* How an endpoint leaves this VM, or comes. */
struct dvs_moving {
	dvs_u8 state;		/* enum dvs_move_state, of one that leaves */
	dvs_u8 back;		/* once withdrawn it does not move at all */
	dvs_u8 leave;		/* and its process has left meanwhile */
	dvs_u8 taking;		/* it comes: the directory was asked for it */
	dvs_u8 moved;		/* it is over here, and lives on elsewhere */
	dvs_u8 asked;		/* to withdraw: the directory, and not only told of the offer */
	dvs_u8 fresh;		/* it has come, and its process has not waited in a call yet */
	dvs_s32 result;		/* why it is withdrawn; what its old VM is told */
	dvs_u32 vm;		/* which VM may adopt it; 0: any */
	dvs_u32 gen;		/* it comes: in this generation */
	dvs_u32 next_note;	/* bit of the next source that is handed over */
	dvs_u64 telling;	/* channels whose VMs have not heard that it has moved */
	dvs_u64 marked;		/* of them, those that are being told */
	dvs_u64 token;
	struct dvs_chan *chan;	/* its new VM, or its old one */
	dvs_u64 op;		/* the id that its new VM has given the ADOPT */
	struct dvs_out out;	/* ADOPTED */
	struct dvs_list calls;		/* start, commit, rollback, stay: by their member `wait` */
	struct dvs_list adopters;	/* dvs_req */
	struct dvs_list stalled;	/* dvs_req that came while nobody knew where it will be */
	struct dvs_list claims;		/* dvs_claim that are not answered */
};

/* A request that an endpoint took in another VM. Its sender's core comes for the answer. */
struct dvs_claim {
	struct dvs_list link;	/* at its endpoint, among the answered, or free */
	struct dvs_ep *ep;	/* NULL: it is answered */
	dvs_u32 vm;		/* the sender's, and its life */
	dvs_u32 inc;
	struct dvs_addr src;
	dvs_u64 op;		/* the sender's id of it */
	dvs_u64 token;		/* the receiver's */
	dvs_u8 used;
	dvs_u8 handed;		/* on its way to yet another VM */
	dvs_u8 answer;		/* DVS_K_RPL, DVS_K_REDIRECT or DVS_K_FAILED */
	dvs_u32 len;
	struct dvs_addr to;	/* REDIRECT */
	_Alignas(8) dvs_u8 payload[DVS_MSG_PAYLOAD_MAX];
};

/* ---- depart.c: one that leaves ---- */
/* Something has happened: those that start may be quiescent, and all may know of those that moved. */
void dvs_move_proceed(struct dvs_core *c);
/* One that has agreed goes, if somebody adopts it. */
void dvs_move_next(struct dvs_core *c, struct dvs_ep *ep);
void dvs_move_offered(struct dvs_core *c, const struct dvs_frame *f);
/* It stays what it was before the offer, or (back) it does not move at all. */
void dvs_move_stays(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 why);
/* Another VM asks for it. */
void dvs_move_asked(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f,
		    const void *payload);
/* That VM has it, or could not take it. */
void dvs_move_adopted(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f);
/* The adopter has left. */
void dvs_move_adopter_left(struct dvs_core *c, struct dvs_chan *ch, dvs_u64 op);
void dvs_move_peer_gone(struct dvs_core *c, struct dvs_chan *ch);
/* Its process leaves. 0: it is decided later whether the endpoint goes with it. */
int dvs_move_unbind(struct dvs_core *c, struct dvs_ep *ep);
/* It has come to its new process. */
void dvs_move_arrived(struct dvs_core *c, struct dvs_ep *ep);
/* What came meanwhile arrives now. */
void dvs_move_resume(struct dvs_core *c, struct dvs_ep *ep);
/* The steps that calls bring. */
void dvs_move_set(struct dvs_core *c, struct dvs_ep *ep, enum dvs_move_state state);
void dvs_move_back(struct dvs_core *c, struct dvs_ep *ep);
void dvs_move_withdraw(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 why);
/* Ends those calls that wait for this. */
void dvs_move_finish(struct dvs_core *c, struct dvs_ep *ep, dvs_u8 what, dvs_s32 result);
/* All know that it has moved: its commit has nothing to fear from the end of this VM any more. */
void dvs_move_all_told(struct dvs_core *c, struct dvs_ep *ep);
/* This VM will hear nothing any more. */
void dvs_move_told(struct dvs_core *c, struct dvs_ep *ep, const struct dvs_chan *ch);
/* A call leaves that starts, commits, takes back or waits. Returns as dvs_call_cancel. */
int dvs_move_cancel(struct dvs_core *c, struct dvs_call *call, dvs_s32 why);
/* The endpoint is over: so is what waits for it here. */
void dvs_move_stop(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 result);
/* Has it to wait until it is known where the endpoint will be? Then it does. */
int dvs_move_stalls(struct dvs_ep *ep, struct dvs_req *req);
/* The same for a copy from or to it. */
int dvs_move_holds_copies(const struct dvs_ep *ep);
int dvs_move_stalls_copy(struct dvs_ep *ep, struct dvs_req *req);

/* ---- hand.c: what it takes along ---- */
/* Requests of this VM's own callers get the id by which they will be known. 0: no room. */
int dvs_hand_prepare(struct dvs_core *c, struct dvs_ep *ep);
void dvs_hand_undo(struct dvs_core *c, struct dvs_ep *ep);
/* Builds the next HAND of the answer. 0: it was the last. */
int dvs_hand_fill(struct dvs_core *c, struct dvs_ep *ep, struct dvs_frame *f, void *payload);
/* The endpoint whose hand-over to this channel's VM has this id, or NULL. */
struct dvs_ep *dvs_hand_find(struct dvs_core *c, const struct dvs_chan *ch, dvs_u64 op);
/* It has another VM: everybody who waits here goes there. */
void dvs_hand_gone(struct dvs_core *c, struct dvs_ep *ep);
/* It has another process of this VM. */
void dvs_hand_here(struct dvs_core *c, struct dvs_ep *ep, struct dvs_call *adopter);

/* ---- adopt.c: one that comes ---- */
void dvs_adopt_start(struct dvs_core *c, struct dvs_call *call, dvs_s32 nr);
/* The call that adopts has ended, with or without it. */
void dvs_adopt_left(struct dvs_core *c, struct dvs_call *call);
void dvs_adopt_handed(struct dvs_core *c, struct dvs_op *op, const struct dvs_frame *f,
		      const void *payload);
/* The directory has given it: it is bound here now. */
void dvs_adopt_bound(struct dvs_core *c, struct dvs_ep *ep, const struct dvs_frame *f);
void dvs_adopt_failed(struct dvs_core *c, struct dvs_ep *ep, dvs_s32 result);
void dvs_adopt_fill(struct dvs_core *c, struct dvs_ep *ep, struct dvs_frame *f);
void dvs_adopt_peer_gone(struct dvs_core *c, struct dvs_chan *ch);

/* ---- claim.c ---- */
void dvs_claim_init(struct dvs_core *c);
/* Of the VM `vm`, in its life `inc`. NULL: no room. */
struct dvs_claim *dvs_claim_make(struct dvs_core *c, struct dvs_ep *ep,
				 const struct dvs_handed *record);
void dvs_claim_free(struct dvs_core *c, struct dvs_claim *claim);
/* The one that a reply of the endpoint means; token 0: the oldest of that source. */
struct dvs_claim *dvs_claim_of(struct dvs_ep *ep, struct dvs_addr src, dvs_u64 token);
void dvs_claim_answer(struct dvs_core *c, struct dvs_claim *claim, dvs_u8 kind,
		      struct dvs_addr to, const void *data, dvs_u32 len);
/* The endpoint is over: that is the answer. */
void dvs_claims_fail(struct dvs_core *c, struct dvs_ep *ep);
/* They went with their endpoint, or their endpoint did not come. */
void dvs_claims_drop(struct dvs_core *c, struct dvs_ep *ep);
void dvs_claims_gone(struct dvs_core *c, dvs_u32 vm, dvs_u32 inc);
/* The sender's core has come. 0: there is no such claim. */
int dvs_claim_come(struct dvs_core *c, struct dvs_held *h);
/* The sender is in this very VM. */
void dvs_claim_here(struct dvs_core *c, struct dvs_op *op);

/* ---- follow.c: where an endpoint went ---- */
/* This notification did not find its endpoint there. */
void dvs_follow_bounced(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f);
/* A receive from it, or a wait for its end, goes on while it is in another VM. */
void dvs_follow_watch(struct dvs_core *c, struct dvs_ep *ep);

#endif
