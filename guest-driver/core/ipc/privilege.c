// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Privileges of the endpoints of this VM. The node has them too, for what crosses VMs. */
#include "ipc.h"

void dvs_privileges_default(const struct dvs_core *c, struct dvs_ep *ep)
{
	int system = dvs_number_system(c, ep->addr.nr);

	ep->privileges = (struct dvs_privileges){
		.calls = system ? DVS_CALLS_SERVER : DVS_CALLS_USER,
		.ipc_to = ~0ull,
		.level = system ? DVS_LEVEL_SERVER : DVS_LEVEL_USER,
	};
	if (ep->addr.nr < 0)
		ep->privileges.level = DVS_LEVEL_TASK;
}

static dvs_s32 find(struct dvs_core *c, dvs_s32 nr, struct dvs_ep **ep)
{
	if (c->stopped)
		return DVS_ENOTCONN;
	if (!dvs_number_valid(c, nr))
		return DVS_ERANGE;
	*ep = dvs_ep_lookup(c, nr, DVS_EP_BOUND);
	return *ep ? DVS_OK : DVS_ENOTBIND;
}

int dvs_privileges_get(struct dvs_core *c, dvs_s32 nr, struct dvs_privileges *privileges)
{
	struct dvs_ep *ep;
	dvs_s32 result = find(c, nr, &ep);

	if (!result)
		*privileges = ep->privileges;
	return result;
}

/* Asks for what the first of the setters wants. */
static void ask(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_call *call = dvs_entry(ep->setters.next, struct dvs_call, link);

	ep->nonce = ++c->next_nonce;
	ep->wanted = call->privileges;
	call->token = ep->nonce;
	dvs_ep_ask(c, ep);
}

int dvs_privileges_set(struct dvs_core *c, struct dvs_call *call, dvs_s32 nr,
		       const struct dvs_privileges *privileges, dvs_u64 now)
{
	struct dvs_ep *ep;
	dvs_s32 result = find(c, nr, &ep);

	if (!c->stopped && !(c->id.flags & DVS_CONFIG_ADMIN))
		return DVS_EPRIVILEGES;
	if (!result && privileges->level > DVS_LEVEL_TASK)
		result = DVS_EINVAL;
	if (result)
		return result;
	dvs_call_begin(c, call, (void *)0, DVS_CALL_PRIVILEGE, 0, now);
	call->privileges = *privileges;
	dvs_list_push(&ep->setters, &call->link);
	if (ep->ctl == DVS_CTL_IDLE)
		ask(c, ep);
	return dvs_call_started(call);
}

void dvs_privileges_result(struct dvs_core *c, const struct dvs_frame *f)
{
	struct dvs_ep *ep = dvs_ep_lookup(c, f->dst_ep, DVS_EP_BOUND);
	struct dvs_call *call;

	if (!ep || ep->ctl == DVS_CTL_IDLE || ep->nonce != f->op)
		return;
	ep->ctl = DVS_CTL_IDLE;
	/* Also if who asked for it has left: the node has it so. */
	if (!f->result) {
		ep->privileges = ep->wanted;
		dvs_op_rights_taken(c, ep);
	}
	if (dvs_list_empty(&ep->setters))
		return;
	call = dvs_entry(ep->setters.next, struct dvs_call, link);
	if (call->token == f->op)
		dvs_call_finish(c, call, f->result ? dvs_clamp_error(f->result) : DVS_OK);
	if (!dvs_list_empty(&ep->setters))
		ask(c, ep);
}
