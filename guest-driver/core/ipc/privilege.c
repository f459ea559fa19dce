// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Privileges of the endpoints of this VM. The node has them too, for what crosses VMs. */
#include "ipc.h"

/* What the node lets an endpoint of this number do once it has bound it. */
static struct dvs_privileges default_of(const struct dvs_core *c, dvs_s32 nr)
{
	int system = dvs_number_system(c, nr);

	return (struct dvs_privileges){
		.calls = system ? DVS_CALLS_SERVER : DVS_CALLS_USER,
		.ipc_to = ~0ull,
		.level = nr < 0 ? DVS_LEVEL_TASK : system ? DVS_LEVEL_SERVER : DVS_LEVEL_USER,
	};
}

void dvs_privileges_default(const struct dvs_core *c, struct dvs_ep *ep)
{
	ep->privileges = default_of(c, ep->addr.nr);
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

static void ask(struct dvs_core *c, struct dvs_ep *ep, const struct dvs_privileges *wanted)
{
	ep->nonce = ++c->next_nonce;
	ep->wanted = *wanted;
	dvs_ep_ask(c, ep);
}

/* Asks for what the first of the setters wants, if there is one. */
static void ask_for_first(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_call *call = dvs_entry(ep->setters.next, struct dvs_call, link);

	if (dvs_list_empty(&ep->setters))
		return;
	ask(c, ep, &call->privileges);
	call->token = ep->nonce;
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
	if (!result && ep->moving.state)
		result = DVS_EMIGRATE;
	if (result)
		return result;
	dvs_call_begin(c, call, (void *)0, DVS_CALL_PRIVILEGE, 0, now);
	call->privileges = *privileges;
	dvs_list_push(&ep->setters, &call->link);
	if (ep->ctl == DVS_CTL_IDLE)
		ask_for_first(c, ep);
	return dvs_call_started(call);
}

/* The node does not change what it has bound it with: it may do what both allow. */
static void narrow(const struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_privileges most = default_of(c, ep->addr.nr), *has = &ep->privileges;

	has->calls &= most.calls;
	has->ipc_to &= most.ipc_to;
	if (has->level > most.level)
		has->level = most.level;
}

void dvs_privileges_renew(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_privileges bound = default_of(c, ep->addr.nr), *has = &ep->privileges;

	ep->restoring = has->calls != bound.calls || has->ipc_to != bound.ipc_to ||
			has->level != bound.level;
	if (ep->restoring) {
		ask(c, ep, has);
		return;
	}
	dvs_settle(c, ep);
	ask_for_first(c, ep);
}

void dvs_privileges_result(struct dvs_core *c, const struct dvs_frame *f)
{
	struct dvs_ep *ep = dvs_ep_lookup(c, f->dst_ep, DVS_EP_BOUND);
	struct dvs_call *call;

	if (!ep || !ep->gen || ep->ctl == DVS_CTL_IDLE || ep->nonce != f->op)
		return;
	ep->ctl = DVS_CTL_IDLE;
	/* Also if who asked for it has left: the node has it so. */
	if (!f->result)
		ep->privileges = ep->wanted;
	else if (ep->restoring)
		narrow(c, ep);
	if (!f->result || ep->restoring)
		dvs_op_rights_taken(c, ep);
	if (ep->restoring) {
		ep->restoring = 0;
		dvs_settle(c, ep);
	}
	call = dvs_entry(ep->setters.next, struct dvs_call, link);
	if (!dvs_list_empty(&ep->setters) && call->token == f->op)
		dvs_call_finish(c, call, f->result ? dvs_clamp_error(f->result) : DVS_OK);
	ask_for_first(c, ep);
}
