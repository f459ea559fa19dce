// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* A server hands a request on to another, which answers the client itself. */
#include "ipc.h"

void dvs_relay_anew(struct dvs_core *c, struct dvs_call *client, struct dvs_addr dst,
		    const void *data, dvs_u32 len)
{
	dvs_s32 result = dvs_check_destination(c, client->ep, dst);

	if (!result)
		result = dvs_check_ipc_to(c, client->ep, dst.nr);
	if (result) {
		dvs_call_finish(c, client, result);
		return;
	}
	dvs_copy(client->send_buf, data, len);
	client->send_len = len;
	client->req.token = 0;
	/* The first server has taken it: whether the next one waits was not the question. */
	client->flags &= ~DVS_CALL_NOWAIT;
	dvs_call_send(c, client, dst, 1);
}

void dvs_relay_redirected(struct dvs_core *c, struct dvs_call *call, const struct dvs_frame *f,
			  const void *payload)
{
	struct dvs_addr dst = { .nr = f->src_ep, .gen = f->src_gen };

	dvs_relay_anew(c, call, dst, payload, f->len);
}

static dvs_s32 check(const struct dvs_core *c, const struct dvs_ep *ep, struct dvs_addr dst,
		     const struct dvs_call *call)
{
	dvs_s32 result = dvs_check_caller(c, ep, DVS_MAY_RELAY);

	if (!result)
		result = dvs_check_destination(c, ep, dst);
	if (!result)
		result = dvs_check_ipc_to(c, ep, dst.nr);
	return result ? result : dvs_check_size(call);
}

/* To dst, which other VMs know as `to`. */
static void hand_on(struct dvs_core *c, struct dvs_req *open, struct dvs_addr dst,
		    struct dvs_addr to, const struct dvs_call *call)
{
	dvs_list_del(&open->link);
	if (open->call)
		dvs_relay_anew(c, open->call, dst, call->send_buf, call->send_len);
	else
		dvs_held_redirect(c, open, to, call->send_buf, call->send_len);
}

int dvs_relay(struct dvs_core *c, struct dvs_call *call, struct dvs_ep *ep,
	      struct dvs_addr client, dvs_u64 token, struct dvs_addr dst, dvs_u64 now)
{
	dvs_s32 result = check(c, ep, dst, call);
	struct dvs_claim *claim;
	struct dvs_ep *local;
	struct dvs_req *open;
	struct dvs_addr to;

	if (result)
		return result;
	claim = dvs_claim_of(ep, client, token);
	open = dvs_queue_open(ep, client.nr, client.gen, token);
	local = dvs_ep_lookup(c, dst.nr, DVS_EP_BOUND);
	if (!open && !claim)
		return DVS_EPROCSTS;
	/* Nobody answers itself. */
	if (dst.nr == (claim ? claim->src.nr : open->src.nr))
		return DVS_EBADDEST;
	if (local && !dvs_ep_is(local, dst.gen))
		return DVS_EENDPOINT;
	dvs_call_begin(c, call, ep, DVS_CALL_RELAY, 0, now);
	to = local && dst.gen ? dvs_ep_outside(local) : dst;
	if (claim)
		dvs_claim_answer(c, claim, DVS_K_REDIRECT, to, call->send_buf, call->send_len);
	else
		hand_on(c, open, dst, to, call);
	dvs_call_finish(c, call, DVS_OK);
	return dvs_call_end_start(c, call);
}
