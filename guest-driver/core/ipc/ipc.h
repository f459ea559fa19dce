/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * IPC on top of the channels: who is bound, who waits for whom, and what a
 * death means to the others. Frames of one channel come exactly once and in
 * order; nothing here sees a number of the channel.
 */
#ifndef DVS_IPC_H
#define DVS_IPC_H

#include "objects.h"

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
/* Delivers to the destination, wherever it is. */
void dvs_call_send(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst, int request);
/* A call that waits for its destination in this VM begins anew, wherever that is now. */
void dvs_call_again(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst);
/* It gets this reply. */
void dvs_call_replied(struct dvs_call *call, struct dvs_addr server, const void *data, dvs_u32 len);
/* It is done, and whoever waits for it is not here. */
void dvs_call_wake(struct dvs_core *c, struct dvs_call *call);
/* Its result if it is done by now, else DVS_PENDING. */
int dvs_call_started(struct dvs_call *call);
/* Tells the peers of deaths that the call brought, then as dvs_call_started. */
int dvs_call_end_start(struct dvs_core *c, struct dvs_call *call);

/* Would this call, which has to wait at dst, never end? */
int dvs_call_closes_cycle(const struct dvs_core *c, const struct dvs_call *call,
			  const struct dvs_ep *dst);

/* ---- state.c ---- */
/* The node asks for the state of the endpoints. */
void dvs_state_asked(struct dvs_core *c, const struct dvs_frame *f);
/* Answers it if that is still to be done and there is room. */
void dvs_state_tell(struct dvs_core *c);
/* A frame to the node, to be filled in. NULL: there is no room; dvs_core_room follows. */
struct dvs_frame *dvs_node_frame(struct dvs_core *c, dvs_u8 kind, dvs_u64 op);
/* Sends it. Not 0: as above. */
int dvs_node_send(struct dvs_core *c, const struct dvs_frame *f);

/* ---- order.c ---- */
/* The node orders something. */
void dvs_order_taken(struct dvs_core *c, const struct dvs_frame *f);
/* 0: the call that has ended is not one of an order. */
int dvs_order_ended(struct dvs_core *c, const struct dvs_call *call);
/* Tells the node of those that have ended, as far as there is room. */
void dvs_order_tell(struct dvs_core *c);
/* The node has forgotten them. */
void dvs_orders_drop(struct dvs_core *c);

/* ---- relay.c ---- */
/* The client's call begins anew, with this message to another server. */
void dvs_relay_anew(struct dvs_core *c, struct dvs_call *client, struct dvs_addr dst,
		    const void *data, dvs_u32 len);
/* The other VM's server has handed the request on: the call goes there. */
void dvs_relay_redirected(struct dvs_core *c, struct dvs_call *call, const struct dvs_frame *f,
			  const void *payload);

/* ---- await.c ---- */
/* Puts the question, or that it is not wanted any more, on the control queue, also once more. */
void dvs_await_ask(struct dvs_core *c, struct dvs_awaited *a);
/* 0: the answer is to no question of these. */
int dvs_await_found(struct dvs_core *c, const struct dvs_frame *f);
int dvs_await_refused(struct dvs_core *c, dvs_u64 nonce, dvs_s32 result);
/* A call has ended, maybe the last that waited. */
void dvs_await_left(struct dvs_core *c, const struct dvs_call *call);
void dvs_await_device_gone(struct dvs_core *c);

/* ---- check.c: what a call may, in the reference's order; 0 or the call's result ---- */
/* Is this a number that can be addressed? */
int dvs_number_valid(const struct dvs_core *c, dvs_s32 nr);
/* Is it one of the system's: a task or a server? */
int dvs_number_system(const struct dvs_core *c, dvs_s32 nr);
dvs_s32 dvs_check_caller(const struct dvs_core *c, const struct dvs_ep *ep, dvs_u32 may);
dvs_s32 dvs_check_destination(const struct dvs_core *c, const struct dvs_ep *ep,
			      struct dvs_addr dst);
/* May it send there? */
dvs_s32 dvs_check_ipc_to(const struct dvs_core *c, const struct dvs_ep *ep, dvs_s32 nr);
dvs_s32 dvs_check_size(const struct dvs_call *call);

/* ---- privilege.c ---- */
/* What an endpoint may from its bind on. */
void dvs_privileges_default(const struct dvs_core *c, struct dvs_ep *ep);
void dvs_privileges_result(struct dvs_core *c, const struct dvs_frame *f);
/* The endpoint is bound anew: the node is to know of its privileges what it knew before. */
void dvs_privileges_renew(struct dvs_core *c, struct dvs_ep *ep);

/* ---- renew.c: this VM has a new life for the others, in which its processes go on ---- */
void dvs_renew(struct dvs_core *c, dvs_u32 incarnation);
/* The result of a bind of an endpoint that its process has had all the time. */
void dvs_rebound(struct dvs_core *c, struct dvs_ep *ep, const struct dvs_frame *f);
/* Does the node let it send? */
int dvs_settled(const struct dvs_ep *ep);
/* The node knows the endpoint and its privileges again: what waited for that goes. */
void dvs_settle(struct dvs_core *c, struct dvs_ep *ep);
/* An address as this VM's own messages have it, also if it names an endpoint here as others know it. */
struct dvs_addr dvs_known_here(const struct dvs_core *c, struct dvs_addr addr);

/* ---- endpoint.c ---- */
struct dvs_ep *dvs_ep_lookup(const struct dvs_core *c, dvs_s32 nr, int state);
/* A free place for a number that is to be bound or adopted; NULL: none. */
struct dvs_ep *dvs_ep_allocate(struct dvs_core *c, dvs_s32 nr, int state);
/* One of that number whose directory entry is not known to be free yet. */
struct dvs_ep *dvs_ep_leaving(struct dvs_core *c, dvs_s32 nr);
void dvs_ep_release(struct dvs_core *c, struct dvs_ep *ep);
/* Ends these calls, which are linked by their member `link`. */
void dvs_ep_fail_calls(struct dvs_core *c, struct dvs_list *calls, dvs_s32 result);
/* Tells the VMs that remember it of its end, or of its new place. */
void dvs_ep_announce(struct dvs_core *c, const struct dvs_ep *ep);
void dvs_ep_bound(struct dvs_core *c, const struct dvs_frame *f);
void dvs_ep_unbound(struct dvs_core *c, const struct dvs_frame *f);
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
/* Serves the calls that wait at it, as far as it goes: its messages were held back. */
void dvs_queue_serve(struct dvs_core *c, struct dvs_ep *ep);
/* Serves a receiving call from what waits at its endpoint. 0: nothing fits. */
int dvs_queue_take(struct dvs_core *c, struct dvs_ep *ep, struct dvs_call *call);
struct dvs_req *dvs_queue_open(struct dvs_ep *ep, dvs_s32 nr, dvs_u32 gen, dvs_u64 token);
/* The receiving call that waits for such a message, or NULL. */
struct dvs_call *dvs_queue_receiver(struct dvs_ep *dst, const struct dvs_req *req);
/* Fails all who wait at a dead endpoint. */
void dvs_queue_fail_all(struct dvs_core *c, struct dvs_ep *ep);

/* ---- note.c: notifications ---- */
/* Of the source with this bit, to an endpoint of this VM. Returns the notifier's result. */
dvs_s32 dvs_note_local(struct dvs_core *c, dvs_u32 source, struct dvs_ep *dst, dvs_s64 value);
/* Serves a receiving call from the bits of its endpoint. 0: none fits. */
int dvs_note_take(struct dvs_core *c, struct dvs_ep *ep, struct dvs_call *call);
/* Takes back what this endpoint notified others of; takes away what waits at it. */
void dvs_note_clear(struct dvs_core *c, struct dvs_ep *ep);
/* What it notified others of stays, although it is in this VM no more. */
void dvs_note_part(struct dvs_core *c, struct dvs_ep *ep);
/* The call that had to wait notifies. */
void dvs_note_again(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst);
/* The next bit from *source on, which then is after it: who, and its value. 0: none. */
int dvs_note_at(struct dvs_core *c, struct dvs_ep *ep, dvs_u32 *source, struct dvs_addr *src,
		dvs_s64 *value);

/* ---- held.c: requests of other VMs ---- */
/* Stores a request; NULL: there were no credits for it. */
struct dvs_held *dvs_held_store(struct dvs_core *c, struct dvs_chan *ch,
				const struct dvs_frame *f, const void *payload);
void dvs_held_frame(struct dvs_core *c, struct dvs_chan *ch,
		    const struct dvs_frame *f, const void *payload);
/* A notification that came with its endpoint. 0: no room. */
int dvs_held_adopt(struct dvs_core *c, struct dvs_ep *ep, struct dvs_addr src, dvs_u64 value);
/* What had to wait goes to its endpoint, which is bound here. */
void dvs_held_accept(struct dvs_core *c, struct dvs_ep *ep, struct dvs_held *h, int nowait);
/* … which is not. */
void dvs_held_not_here(struct dvs_core *c, struct dvs_held *h);
void dvs_held_cancel(struct dvs_core *c, struct dvs_chan *ch, dvs_u64 op);
void dvs_held_answer(struct dvs_core *c, struct dvs_req *req, dvs_u8 kind, dvs_s32 result);
void dvs_held_reply(struct dvs_core *c, struct dvs_req *req, const void *data, dvs_u32 len);
/* Hands a request on: its sender is to send it, with this message, to dst. */
void dvs_held_redirect(struct dvs_core *c, struct dvs_req *req, struct dvs_addr dst,
		       const void *data, dvs_u32 len);
void dvs_held_free(struct dvs_core *c, struct dvs_req *req);
void dvs_held_fill(struct dvs_core *c, struct dvs_chan *ch, struct dvs_held *h,
		   struct dvs_frame *f, void *payload);
void dvs_held_sender_died(struct dvs_core *c, struct dvs_chan *ch, struct dvs_addr src);
/*
 * The other VM, or (cut_off) this one, is gone for the other. In the latter case
 * the senders live: their notifications stay, as long as nobody needs the room.
 */
void dvs_held_peer_gone(struct dvs_core *c, struct dvs_chan *ch, dvs_s32 cut_off);
/* The generation of an endpoint is known now: those that meant another one leave. */
void dvs_held_check_generation(struct dvs_core *c, struct dvs_ep *ep);
/* The endpoint did not come to be: its early messages find nothing here. */
void dvs_held_reject_all(struct dvs_core *c, struct dvs_ep *ep);

/* ---- operation.c: requests to other VMs ---- */
int dvs_op_start(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst,
		 dvs_u8 kind, dvs_u32 flags);
/* Its destination's location is known (result 0), or cannot be. */
void dvs_op_located(struct dvs_core *c, struct dvs_op *op, struct dvs_dest *d, dvs_s32 result);
/* Nothing keeps it from being sent but credits and slots. */
void dvs_op_go(struct dvs_core *c, struct dvs_op *op);
/* A request of this VM that its endpoint took and then went with to that VM. NULL: no room. */
struct dvs_op *dvs_op_of_taken(struct dvs_core *c, struct dvs_call *call, struct dvs_addr dst);
/* It goes to that VM. */
void dvs_op_follow(struct dvs_core *c, struct dvs_op *op, struct dvs_chan *ch);
/* Sends a notification that came back once more, if its endpoint has another VM. */
void dvs_op_renotify(struct dvs_core *c, struct dvs_ep *ep, struct dvs_addr dst,
		     struct dvs_chan *missed, dvs_u64 value);
/* Its destination is in this VM. */
void dvs_op_located_here(struct dvs_core *c, struct dvs_op *op);
void dvs_op_answer(struct dvs_core *c, struct dvs_chan *ch,
		   const struct dvs_frame *f, const void *payload);
void dvs_op_fill(struct dvs_core *c, struct dvs_op *op, struct dvs_frame *f, void *payload);
void dvs_op_fill_cancel(struct dvs_core *c, struct dvs_op *op, struct dvs_frame *f);
/* It goes on without its caller, who has got its result or is getting it. */
void dvs_op_detach(struct dvs_op *op);
/* The operation is over. */
void dvs_op_free(struct dvs_core *c, struct dvs_op *op);
/* … and who waits for it gets its result. */
void dvs_op_finish(struct dvs_core *c, struct dvs_op *op, dvs_s32 result);
/* The result where its destination is dead. */
dvs_s32 dvs_op_died(const struct dvs_op *op);

/* ---- ending.c: operations that end without an answer ---- */
/* Its caller leaves. Returns as dvs_call_cancel. */
int dvs_op_cancel(struct dvs_core *c, struct dvs_op *op, dvs_s32 why);
/* Nobody waits for the operation any more, not even for the receiver's decision. */
void dvs_op_leave(struct dvs_core *c, struct dvs_op *op, dvs_s32 why);
/* Its caller leaves without waiting for the receiver's decision. Returns the call's result. */
dvs_s32 dvs_op_abandon(struct dvs_core *c, struct dvs_op *op);
/* Who waits for it gets this result now; the receiver is told that nobody waits any more. */
void dvs_op_give_up(struct dvs_core *c, struct dvs_op *op, dvs_s32 why);
/* Everything that this endpoint has under way to other VMs is forgotten. */
void dvs_op_source_died(struct dvs_core *c, struct dvs_ep *ep);
/* cut_off: the result for whoever waits; 0: the other VM is dead, and that is the result. */
void dvs_op_peer_gone(struct dvs_core *c, struct dvs_chan *ch, dvs_s32 cut_off);
void dvs_op_peer_refused(struct dvs_core *c, struct dvs_chan *ch);
/* It may do less than before: what it may not do any more ends. */
void dvs_op_rights_taken(struct dvs_core *c, struct dvs_ep *ep);

/* ---- destination.c: where far endpoints are ---- */
struct dvs_dest *dvs_dest_get(struct dvs_core *c, dvs_s32 nr);
/* What is known of that number, or NULL. */
struct dvs_dest *dvs_dest_find(const struct dvs_core *c, dvs_s32 nr);
/* It is known to be there, without a look-up. */
void dvs_dest_set(struct dvs_core *c, struct dvs_addr addr, struct dvs_chan *ch);
/* Puts the question on the control queue, also once more. */
void dvs_dest_ask(struct dvs_core *c, struct dvs_dest *d);
/* Asks where it is, unless that is under way. */
void dvs_dest_look_up(struct dvs_core *c, struct dvs_dest *d);
/* What was known of its location is not so. */
void dvs_dest_forget(struct dvs_dest *d);
/* … by an answer from there: this life of it is over, or about to be. */
void dvs_dest_missed(struct dvs_dest *d, struct dvs_chan *ch, dvs_u32 gen);
/* … if that is what is known of it. Nobody will tell of its death any more: who waits for that looks again. */
void dvs_dest_not_there(struct dvs_core *c, struct dvs_chan *ch, struct dvs_addr addr);
/* A request to this endpoint has its frame, and the other core learns from it who remembers it. */
void dvs_dest_told(struct dvs_core *c, const struct dvs_chan *ch, struct dvs_addr addr);
/* Requests on this channel are taken back: perhaps the other core has learnt of none. */
void dvs_dest_doubt(struct dvs_core *c, const struct dvs_chan *ch);
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
/* The device is gone: whoever waits for a location or a far endpoint ends. */
void dvs_dest_device_gone(struct dvs_core *c);
void dvs_dest_fill_watch(struct dvs_core *c, struct dvs_dest *d, struct dvs_frame *f);

/* ---- control.c ---- */
/* Puts a request on the control queue if it can. */
void dvs_control_ask(struct dvs_core *c, dvs_u8 *state, const struct dvs_ctl_request *request);
/* What is to be said of an endpoint now, also once more. */
void dvs_ep_ask(struct dvs_core *c, struct dvs_ep *ep);
/* Returns how many were asked again. */
dvs_u32 dvs_control_ask_again(struct dvs_core *c, enum dvs_again which);
void dvs_control_timer(struct dvs_core *c);

/* ---- core.c ---- */
/* What the channels ask of the layer above. */
extern const struct dvs_chan_user dvs_ipc_user;
/* Tells the peers of deaths that the event brought. */
void dvs_core_flush(struct dvs_core *c);

/* An id that no object had lately at this place of its table. */
static inline dvs_u64 dvs_new_id(struct dvs_core *c, dvs_u32 place)
{
	return (dvs_u64)(++c->op_salt & 0x7fffffff) << 32 | place;
}

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

/*
 * Does the endpoint go by this generation? 0 is any. In this VM it keeps its first
 * one, whatever life the VM is in; other VMs know that of the last bind.
 */
static inline int dvs_ep_is(const struct dvs_ep *ep, dvs_u32 gen)
{
	return !gen || gen == ep->addr.gen || gen == ep->gen;
}

/* Its address as other VMs know it. */
static inline struct dvs_addr dvs_ep_outside(const struct dvs_ep *ep)
{
	return (struct dvs_addr){ .nr = ep->addr.nr, .gen = ep->gen };
}

static inline int dvs_matches(struct dvs_addr filter, struct dvs_addr src)
{
	return (filter.nr == DVS_ANY || filter.nr == src.nr) &&
	       (filter.gen == 0 || filter.gen == src.gen);
}

#endif
