// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* What is checked before a call begins, in the reference's order. */
#include "ipc.h"

int dvs_number_valid(const struct dvs_core *c, dvs_s32 nr)
{
	return nr >= -c->id.nr_tasks && nr < c->id.nr_procs && nr != DVS_ANY &&
	       nr != DVS_NONE && nr != DVS_SELF;
}

int DVS_HOT dvs_number_system(const struct dvs_core *c, dvs_s32 nr)
{
	return nr < c->id.nr_sysprocs - c->id.nr_tasks;
}

int dvs_ep_may(const struct dvs_ep *ep, dvs_u32 call)
{
	return (ep->privileges.calls & 1ull << call) != 0;
}

dvs_s32 DVS_HOT dvs_check_caller(const struct dvs_core *c, const struct dvs_ep *ep, dvs_u32 may)
{
	if (c->stopped)
		return DVS_ENOTCONN;
	if (ep && ep->state == DVS_EP_OVER && ep->moving.moved)
		return DVS_EMIGRATE;
	if (!ep || ep->state != DVS_EP_BOUND)
		return DVS_ENOTBIND;
	if (ep->moving.state)
		return DVS_EMIGRATE;
	return dvs_ep_may(ep, may) ? DVS_OK : DVS_EBADCALL;
}

dvs_s32 DVS_HOT dvs_check_destination(const struct dvs_core *c, const struct dvs_ep *ep,
			      struct dvs_addr dst)
{
	if (!dvs_number_valid(c, dst.nr))
		return DVS_ERANGE;
	if (dst.nr == DVS_HARDWARE || (ep && dst.nr == ep->addr.nr))
		return DVS_EBADDEST;
	return DVS_OK;
}

dvs_s32 DVS_HOT dvs_check_ipc_to(const struct dvs_core *c, const struct dvs_ep *ep, dvs_s32 nr)
{
	dvs_u32 bit = (dvs_u32)(nr + c->id.nr_tasks);

	if (!dvs_number_system(c, nr))
		return ep->privileges.level >= DVS_LEVEL_SERVER ? DVS_OK : DVS_ETRAPDENIED;
	/* Where there are more system endpoints than bits, the others are open to all. */
	if (bit >= 64 || ep->privileges.ipc_to & 1ull << bit)
		return DVS_OK;
	return DVS_ETRAPDENIED;
}

dvs_s32 DVS_HOT dvs_check_size(const struct dvs_call *call)
{
	return call->send_len > DVS_MSG_PAYLOAD_MAX ? DVS_EMSGSIZE : DVS_OK;
}
