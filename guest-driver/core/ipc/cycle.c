// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Endpoints of this VM that wait for each other in a circle, and nobody else to end it. */
#include "ipc.h"

/* Whom the one thread that can use this endpoint waits for; NULL: nobody here, or it has more. */
static const struct dvs_ep *waits_for(const struct dvs_ep *ep)
{
	struct dvs_list *p;

	dvs_for_each(p, &ep->senders) {
		const struct dvs_call *call = dvs_entry(p, struct dvs_call, link);
		int sends = call->what == DVS_CALL_SEND || call->what == DVS_CALL_SENDREC;

		if (sends && call->state == DVS_CALL_WAITING && !call->operation &&
		    (call->flags & DVS_CALL_SOLE))
			return call->req.dst;
	}
	return (void *)0;
}

int dvs_call_closes_cycle(const struct dvs_core *c, const struct dvs_call *call,
			  const struct dvs_ep *dst)
{
	dvs_u32 i;

	if (!(call->flags & DVS_CALL_SOLE))
		return 0;
	for (i = 0; dst && i < c->limits.endpoints; i++) {
		if (dst == call->ep)
			return 1;
		dst = waits_for(dst);
	}
	return 0;
}
