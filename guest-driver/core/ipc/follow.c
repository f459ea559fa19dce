// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Finding an endpoint that has another VM than before. */
#include "ipc.h"

/*
 * It is notified again only if that VM was sent a notification for this number: no
 * other one can make this VM's endpoints speak. Whether it has another VM, the
 * directory says; if it has not, the notification is lost with it.
 */
void dvs_follow_bounced(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f)
{
	struct dvs_addr dst = { .nr = f->src_ep, .gen = f->src_gen };
	struct dvs_ep *ep = dvs_ep_lookup(c, f->dst_ep, DVS_EP_BOUND);
	struct dvs_dest *d = dvs_dest_find(c, dst.nr);

	dvs_dest_not_there(c, ch, dst);
	if (!d || !(d->noted & 1ull << ch->index) || !dst.gen)
		return;
	if (ep && ep->gen && ep->gen == f->dst_gen)
		dvs_op_renotify(c, ep, dst, ch, f->arg);
}

static void watch(struct dvs_core *c, struct dvs_call *call, struct dvs_addr addr)
{
	dvs_s32 result;

	dvs_list_del(&call->wait);
	call->filter = addr;
	result = dvs_dest_watch(c, call);
	if (result)
		dvs_call_finish(c, call, result);
}

void dvs_follow_watch(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_list *p, *tmp;
	dvs_u32 i;

	while (!dvs_list_empty(&ep->leavers))
		watch(c, dvs_entry(ep->leavers.next, struct dvs_call, wait), dvs_ep_outside(ep));
	for (i = 0; i < c->limits.endpoints; i++)
		dvs_for_each_safe(p, tmp, &c->ep[i].receivers) {
			struct dvs_call *call = dvs_entry(p, struct dvs_call, link);

			if (call->filter.nr == ep->addr.nr && dvs_ep_is(ep, call->filter.gen))
				watch(c, call, (struct dvs_addr){
					.nr = ep->addr.nr,
					.gen = call->filter.gen ? ep->gen : 0,
				});
		}
}
