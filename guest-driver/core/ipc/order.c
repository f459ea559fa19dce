// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/*
 * Moves of endpoints that somebody outside asks for. The node orders; it is done here as if a
 * process of this VM had made the call, and the node is told how the call has ended.
 */
#include "ipc.h"

static struct dvs_order *by_op(struct dvs_core *c, dvs_u64 op)
{
	dvs_u32 i;

	for (i = 0; i < DVS_ORDERS; i++)
		if (c->order[i].state != DVS_ORDER_FREE && c->order[i].op == op)
			return &c->order[i];
	return (void *)0;
}

/* Whoever has ordered it does not hear of it any more. */
static void drop(struct dvs_core *c, struct dvs_order *order)
{
	if (order->state == DVS_ORDER_RUNS &&
	    dvs_call_cancel(c, &order->call, DVS_ETIMEDOUT, c->now) == DVS_PENDING)
		(void)dvs_call_abandon(c, &order->call, c->now);
	order->state = DVS_ORDER_FREE;
}

/* A place for one more. A node does not order so many, but an earlier one may have. */
static struct dvs_order *make_room(struct dvs_core *c)
{
	struct dvs_order *order;
	dvs_u32 i;

	for (i = 0; i < DVS_ORDERS; i++)
		if (c->order[i].state == DVS_ORDER_FREE)
			return &c->order[i];
	order = &c->order[c->order_hand++ % DVS_ORDERS];
	drop(c, order);
	return order;
}

static void ended(struct dvs_core *c, struct dvs_order *order)
{
	order->state = DVS_ORDER_ENDED;
	dvs_order_tell(c);
}

static int begin(struct dvs_core *c, struct dvs_call *call, const struct dvs_frame *f)
{
	switch ((dvs_u32)f->arg) {
	case DVS_ORDER_START:
		return dvs_migrate_start(c, call, f->dst_ep, f->op, c->now);
	case DVS_ORDER_COMMIT:
		return dvs_migrate_commit(c, call, f->dst_ep, (dvs_u32)(f->arg >> 32), c->now);
	default:
		return dvs_migrate_rollback(c, call, f->dst_ep, c->now);
	}
}

void dvs_order_taken(struct dvs_core *c, const struct dvs_frame *f)
{
	struct dvs_order *order = by_op(c, f->op);
	dvs_u32 what = (dvs_u32)f->arg;

	if (!f->op || what < DVS_ORDER_START || what > DVS_ORDER_CANCEL) {
		c->stats.malformed_dropped++;
		return;
	}
	if (what == DVS_ORDER_CANCEL) {
		if (order && order->state == DVS_ORDER_RUNS &&
		    dvs_call_cancel(c, &order->call, DVS_ETIMEDOUT, c->now) != DVS_PENDING)
			ended(c, order);
		return;
	}
	if (order)
		return; /* it comes again */
	order = make_room(c);
	order->op = f->op;
	order->state = DVS_ORDER_RUNS;
	if (begin(c, &order->call, f) != DVS_PENDING)
		ended(c, order);
}

int dvs_order_ended(struct dvs_core *c, const struct dvs_call *call)
{
	dvs_u32 i;

	for (i = 0; i < DVS_ORDERS; i++) {
		if (call == &c->order[i].call) {
			ended(c, &c->order[i]);
			return 1;
		}
	}
	return 0;
}

void dvs_order_tell(struct dvs_core *c)
{
	dvs_u32 i;

	for (i = 0; i < DVS_ORDERS; i++) {
		struct dvs_order *order = &c->order[i];
		struct dvs_frame *f;

		if (order->state != DVS_ORDER_ENDED)
			continue;
		f = dvs_node_frame(c, DVS_K_ORDERED, order->op);
		if (!f)
			return;
		f->result = order->call.result;
		f->arg = order->call.result ? 0 : order->call.token;
		if (dvs_node_send(c, f))
			return;
		order->state = DVS_ORDER_FREE;
	}
}

void dvs_orders_drop(struct dvs_core *c)
{
	dvs_u32 i;

	for (i = 0; i < DVS_ORDERS; i++)
		drop(c, &c->order[i]);
}
