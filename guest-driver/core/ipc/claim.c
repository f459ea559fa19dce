// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/*
 * Requests that an endpoint took in another VM, and came here with. Their senders'
 * cores come for the answers, in their own time; an answer given before waits.
 */
#include "ipc.h"

/* Tokens of servers are counted up from one: no honest core gets here. */
#define TOKEN_MAX (1ull << 62)

void dvs_claim_init(struct dvs_core *c)
{
	dvs_u32 i;

	dvs_list_init(&c->free_claims);
	dvs_list_init(&c->answered);
	for (i = 0; i < c->limits.endpoints; i++)
		dvs_list_push(&c->free_claims, &c->claim[i].link);
}

void dvs_claim_free(struct dvs_core *c, struct dvs_claim *claim)
{
	claim->used = 0;
	claim->ep = (void *)0;
	dvs_list_del(&claim->link);
	dvs_list_push(&c->free_claims, &claim->link);
}

struct dvs_claim *dvs_claim_make(struct dvs_core *c, struct dvs_ep *ep,
				 const struct dvs_handed *r)
{
	struct dvs_claim *claim;

	if (r->value >= TOKEN_MAX)
		return (void *)0;
	/* An answer that nobody has come for gives its place: its sender has left long ago. */
	if (dvs_list_empty(&c->free_claims) && !dvs_list_empty(&c->answered))
		dvs_claim_free(c, dvs_entry(c->answered.next, struct dvs_claim, link));
	if (dvs_list_empty(&c->free_claims))
		return (void *)0;
	claim = dvs_entry(c->free_claims.next, struct dvs_claim, link);
	dvs_list_del(&claim->link);
	dvs_list_push(&ep->moving.claims, &claim->link);
	claim->used = 1;
	claim->ep = ep;
	claim->vm = r->vm;
	claim->inc = r->inc;
	claim->src.nr = r->nr;
	claim->src.gen = r->gen;
	claim->op = r->op;
	claim->token = r->value;
	claim->handed = 0;
	claim->answer = 0;
	/* The endpoint's next requests have other tokens. */
	if (c->next_token < r->value)
		c->next_token = r->value;
	return claim;
}

struct dvs_claim *DVS_HOT dvs_claim_of(struct dvs_ep *ep, struct dvs_addr src, dvs_u64 token)
{
	struct dvs_list *p;

	dvs_for_each(p, &ep->moving.claims) {
		struct dvs_claim *claim = dvs_entry(p, struct dvs_claim, link);

		if (dvs_matches(src, claim->src) && (!token || token == claim->token))
			return claim;
	}
	return (void *)0;
}

void dvs_claim_answer(struct dvs_core *c, struct dvs_claim *claim, dvs_u8 kind,
		      struct dvs_addr to, const void *data, dvs_u32 len)
{
	claim->ep = (void *)0;
	claim->answer = kind;
	claim->to = to;
	claim->len = len;
	dvs_copy(claim->payload, data, len);
	dvs_list_del(&claim->link);
	dvs_list_push(&c->answered, &claim->link);
}

void dvs_claims_fail(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_addr nowhere = { .nr = DVS_NONE };

	while (!dvs_list_empty(&ep->moving.claims))
		dvs_claim_answer(c, dvs_entry(ep->moving.claims.next, struct dvs_claim, link),
				 DVS_K_FAILED, nowhere, (void *)0, 0);
}

void dvs_claims_drop(struct dvs_core *c, struct dvs_ep *ep)
{
	while (!dvs_list_empty(&ep->moving.claims))
		dvs_claim_free(c, dvs_entry(ep->moving.claims.next, struct dvs_claim, link));
}

void dvs_claims_gone(struct dvs_core *c, dvs_u32 vm, dvs_u32 inc)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++)
		if (c->claim[i].used && c->claim[i].vm == vm && !dvs_before(inc, c->claim[i].inc))
			dvs_claim_free(c, &c->claim[i]);
}

static struct dvs_claim *find(struct dvs_core *c, dvs_u32 vm, dvs_u32 inc, dvs_u64 op)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_claim *claim = &c->claim[i];

		if (claim->used && claim->vm == vm && claim->inc == inc && claim->op == op &&
		    (!claim->ep || claim->ep->state == DVS_EP_BOUND))
			return claim;
	}
	return (void *)0;
}

/* Its answer is not given yet: the request is open as it was in the other VM. */
static void open_again(struct dvs_claim *claim, struct dvs_req *req)
{
	req->dst = claim->ep;
	req->kind = DVS_KIND_REQUEST;
	req->token = claim->token;
	req->handed = claim->handed;
	dvs_list_push(&claim->ep->open, &req->link);
}

int dvs_claim_come(struct dvs_core *c, struct dvs_held *h)
{
	struct dvs_req *req = &h->req;
	struct dvs_claim *claim = find(c, req->chan->vm, req->chan->inc, req->op);

	if (!claim)
		return 0;
	if (claim->ep) {
		claim->ep->peers |= 1ull << req->chan->index;
		open_again(claim, req);
	} else if (claim->answer == DVS_K_RPL) {
		dvs_held_reply(c, req, claim->payload, claim->len);
	} else if (claim->answer == DVS_K_REDIRECT) {
		dvs_held_redirect(c, req, claim->to, claim->payload, claim->len);
	} else {
		dvs_held_answer(c, req, DVS_K_FAILED, DVS_ESRCDIED);
	}
	dvs_claim_free(c, claim);
	return 1;
}

void dvs_claim_here(struct dvs_core *c, struct dvs_op *op)
{
	struct dvs_claim *claim = find(c, c->id.vm, c->id.incarnation, op->id);
	struct dvs_call *call = op->call;
	struct dvs_addr server = op->dst;

	if (!claim) {
		dvs_op_finish(c, op, DVS_ESRCDIED);
		return;
	}
	dvs_op_free(c, op);
	if (!call) {
		dvs_claim_free(c, claim);
		return;
	}
	if (claim->ep) {
		call->req.call = call;
		call->req.chan = (void *)0;
		call->req.src = call->ep->addr;
		open_again(claim, &call->req);
	} else if (claim->answer == DVS_K_RPL) {
		dvs_call_replied(call, server, claim->payload, claim->len);
		dvs_call_finish(c, call, DVS_OK);
	} else if (claim->answer == DVS_K_REDIRECT) {
		dvs_relay_anew(c, call, claim->to, claim->payload, claim->len);
	} else {
		dvs_call_finish(c, call, DVS_ESRCDIED);
	}
	dvs_claim_free(c, claim);
}
