// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* What an endpoint takes along to its new VM, and what becomes of all who wait for it in the old one. */
#include "copying.h"

#define RECORDS_MAX (DVS_MSG_PAYLOAD_MAX / sizeof(struct dvs_handed))

/* ---- before: whose request is it ---- */

int dvs_hand_prepare(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_list *p;

	ep->moving.next_note = 0;
	dvs_for_each(p, &ep->open) {
		struct dvs_req *req = dvs_entry(p, struct dvs_req, link);

		if (!req->call)
			continue;
		req->call->operation = dvs_op_of_taken(c, req->call, dvs_ep_outside(ep));
		if (!req->call->operation)
			return 0;
	}
	return 1;
}

void dvs_hand_undo(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_list *p;

	dvs_for_each(p, &ep->open) {
		struct dvs_req *req = dvs_entry(p, struct dvs_req, link);

		req->handed = 0;
		if (req->call && req->call->operation)
			dvs_op_free(c, req->call->operation);
	}
	dvs_for_each(p, &ep->notes)
		dvs_entry(p, struct dvs_req, link)->handed = 0;
	dvs_for_each(p, &ep->moving.claims)
		dvs_entry(p, struct dvs_claim, link)->handed = 0;
}

/* ---- meanwhile: the records ---- */

struct dvs_ep *dvs_hand_find(struct dvs_core *c, const struct dvs_chan *ch, dvs_u64 op)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_ep *ep = &c->ep[i];

		if (ep->state == DVS_EP_BOUND && ep->moving.state >= DVS_MOVE_OFFERING &&
		    ep->moving.chan == ch && ep->moving.op == op)
			return ep;
	}
	return (void *)0;
}

static struct dvs_handed request(const struct dvs_core *c, const struct dvs_req *req)
{
	struct dvs_addr src = req->call ? dvs_ep_outside(req->call->ep) : req->src;

	return (struct dvs_handed){
		.what = DVS_HAND_REQUEST,
		.vm = req->call ? c->id.vm : req->chan->vm,
		.inc = req->call ? c->id.incarnation : req->chan->inc,
		.nr = src.nr,
		.gen = src.gen,
		.op = req->call ? req->call->operation->id : req->op,
		.value = req->token,
	};
}

static struct dvs_handed claim_record(const struct dvs_claim *claim)
{
	return (struct dvs_handed){
		.what = DVS_HAND_REQUEST,
		.vm = claim->vm,
		.inc = claim->inc,
		.nr = claim->src.nr,
		.gen = claim->src.gen,
		.op = claim->op,
		.value = claim->token,
	};
}

static struct dvs_handed note(struct dvs_addr src, dvs_u64 value)
{
	return (struct dvs_handed){
		.what = DVS_HAND_NOTE, .nr = src.nr, .gen = src.gen, .value = value,
	};
}

/* The next of these that no record was made of. */
static struct dvs_req *next_of(struct dvs_list *list)
{
	struct dvs_list *p;

	dvs_for_each(p, list) {
		struct dvs_req *req = dvs_entry(p, struct dvs_req, link);

		if (!req->handed) {
			req->handed = 1;
			return req;
		}
	}
	return (void *)0;
}

static struct dvs_claim *next_claim(struct dvs_ep *ep)
{
	struct dvs_list *p;

	dvs_for_each(p, &ep->moving.claims) {
		struct dvs_claim *claim = dvs_entry(p, struct dvs_claim, link);

		if (!claim->handed) {
			claim->handed = 1;
			return claim;
		}
	}
	return (void *)0;
}

/* Makes the next record. 0: there are no more. */
static int next_record(struct dvs_core *c, struct dvs_ep *ep, struct dvs_handed *r)
{
	dvs_u32 woken_place = c->limits.endpoints + 1;
	struct dvs_claim *claim = next_claim(ep);
	struct dvs_req *req = claim ? (void *)0 : next_of(&ep->open);
	struct dvs_addr src;
	dvs_s64 value;

	if (claim) {
		*r = claim_record(claim);
		return 1;
	}
	if (req) {
		*r = request(c, req);
		return 1;
	}
	req = next_of(&ep->notes);
	if (req) {
		*r = note(req->src, req->token);
		return 1;
	}
	if (dvs_note_at(c, ep, &ep->moving.next_note, &src, &value)) {
		*r = note(src, (dvs_u64)value);
		return 1;
	}
	if (!ep->woken || ep->moving.next_note != woken_place)
		return 0;
	ep->moving.next_note++;
	*r = (struct dvs_handed){ .what = DVS_HAND_WOKEN };
	return 1;
}

int dvs_hand_fill(struct dvs_core *c, struct dvs_ep *ep, struct dvs_frame *f, void *payload)
{
	struct dvs_handed *records = payload;
	dvs_u32 n = 0;

	while (n < RECORDS_MAX && next_record(c, ep, &records[n]))
		n++;
	f->kind = DVS_K_HAND;
	f->op = ep->moving.op;
	f->src_ep = ep->addr.nr;
	f->src_gen = ep->gen;
	f->len = n * (dvs_u32)sizeof(*records);
	f->arg = n == RECORDS_MAX;
	return f->arg != 0;
}

/* ---- afterwards ---- */

/* Not taken yet: it was not executed, and its sender tries the new place. */
static void send_on(struct dvs_core *c, struct dvs_list *list, struct dvs_addr addr)
{
	struct dvs_list waiting;

	dvs_list_move(&waiting, list);
	while (!dvs_list_empty(&waiting)) {
		struct dvs_req *req = dvs_entry(waiting.next, struct dvs_req, link);

		dvs_list_del(&req->link);
		if (req->call)
			dvs_call_again(c, req->call, addr);
		else
			dvs_held_not_here(c, dvs_entry(req, struct dvs_held, req));
	}
}

/* Taken, and not answered: the answer comes from the new place. */
static void answer_elsewhere(struct dvs_core *c, struct dvs_ep *ep, struct dvs_chan *chan)
{
	while (!dvs_list_empty(&ep->open)) {
		struct dvs_req *req = dvs_entry(ep->open.next, struct dvs_req, link);

		dvs_list_del(&req->link);
		if (!req->call)
			dvs_held_answer(c, req, DVS_K_ELSEWHERE, DVS_OK);
		else if (chan && req->call->operation)
			dvs_op_follow(c, req->call->operation, chan);
		else
			dvs_call_finish(c, req->call, DVS_ESRCDIED);
	}
}

static void drop_notes(struct dvs_core *c, struct dvs_ep *ep)
{
	while (!dvs_list_empty(&ep->notes))
		dvs_held_free(c, dvs_entry(ep->notes.next, struct dvs_req, link));
	dvs_note_part(c, ep);
	dvs_note_clear(c, ep);
}

/* Its process here has it no more. */
static void leave_process(struct dvs_core *c, struct dvs_ep *ep)
{
	dvs_loan_stop(c, ep);
	dvs_ep_fail_calls(c, &ep->receivers, DVS_EMIGRATE);
	dvs_ep_fail_calls(c, &ep->senders, DVS_EMIGRATE);
}

void dvs_hand_gone(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_addr addr = dvs_ep_outside(ep);
	struct dvs_chan *chan = ep->moving.chan;

	ep->state = DVS_EP_OVER;
	ep->moving.moved = 1;
	ep->moving.chan = (void *)0;
	leave_process(c, ep);
	if (chan)
		dvs_dest_set(c, addr, chan);
	dvs_follow_watch(c, ep);
	send_on(c, &ep->queue, addr);
	send_on(c, &ep->moving.stalled, addr);
	answer_elsewhere(c, ep, chan);
	dvs_held_reject_all(c, ep);
	drop_notes(c, ep);
	dvs_claims_drop(c, ep);
	dvs_ep_announce(c, ep);
	/* The node has to know that this VM has it no more; the directory knows better. */
	ep->nonce = ++c->next_nonce;
	dvs_ep_ask(c, ep);
	c->ops.released(c->ctx, ep);
	dvs_ep_release_if_over(c, ep);
}

void dvs_hand_here(struct dvs_core *c, struct dvs_ep *ep, struct dvs_call *adopter)
{
	leave_process(c, ep);
	c->ops.released(c->ctx, ep);
	ep->owner = (void *)0;
	dvs_move_arrived(c, ep);
	adopter->ep = ep;
	adopter->peer = ep->addr;
	dvs_call_finish(c, adopter, DVS_OK);
}
