// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Lets Rust use a struct dvs_call without knowing its layout. */
#include "../ipc/ipc.h"

struct dvs_shim_result {
	dvs_s32 result;
	dvs_s32 from;
	dvs_u32 from_gen;
	dvs_u32 len;
	dvs_u64 token;
	dvs_u32 kind;
	dvs_u32 reserved;
};

dvs_size dvs_shim_call_size(void);
void dvs_shim_call_prepare(struct dvs_call *call, void *send, dvs_u32 send_len,
			   void *recv, dvs_u32 recv_cap);
void dvs_shim_call_result(const struct dvs_call *call, struct dvs_shim_result *out);
struct dvs_ep *dvs_shim_call_endpoint(const struct dvs_call *call);

dvs_size dvs_shim_call_size(void)
{
	return sizeof(struct dvs_call);
}

void dvs_shim_call_prepare(struct dvs_call *call, void *send, dvs_u32 send_len,
			   void *recv, dvs_u32 recv_cap)
{
	call->send_buf = send;
	call->send_len = send_len;
	call->recv_buf = recv;
	call->recv_cap = recv_cap;
}

void dvs_shim_call_result(const struct dvs_call *call, struct dvs_shim_result *out)
{
	out->result = call->result;
	out->from = call->peer.nr;
	out->from_gen = call->peer.gen;
	out->len = call->recv_len;
	out->token = call->token;
	out->kind = call->kind;
	out->reserved = 0;
}

struct dvs_ep *dvs_shim_call_endpoint(const struct dvs_call *call)
{
	return call->what == DVS_CALL_BIND || call->what == DVS_CALL_ADOPT ? call->ep : (void *)0;
}
