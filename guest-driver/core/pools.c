// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Making a core: its pools, one behind the other in the memory that it is given. */
#include "ipc/copying.h"

/* Values of notifications that wait; a notification without one takes none. */
#define DVS_VALUES(endpoints) (4 * (dvs_u64)(endpoints))

#define ALIGN16(n) (((n) + 15) & ~(dvs_size)15)

struct layout {
	struct dvs_limits limits;
	dvs_u32 note_words;
	dvs_size eps, dests, ops, chans, held, notes, values, awaited, copyings, parties, loans;
	dvs_size claims, bulk, total;
};

static dvs_u32 or_default(dvs_u32 value, dvs_u32 standard)
{
	return value ? value : standard;
}

static dvs_size place(dvs_size *at, dvs_u64 count, dvs_size size)
{
	dvs_size start = *at;

	*at = ALIGN16(start + count * size);
	return start;
}

/* As many as all peers have credits for. Notifications that came with their endpoints have others. */
static dvs_u32 held_places(const struct dvs_limits *m)
{
	return m->peers * m->credits;
}

static int lay_out(const struct dvs_limits *wanted, struct layout *l)
{
	struct dvs_limits *m = &l->limits;
	dvs_size at = ALIGN16(sizeof(struct dvs_core));

	m->endpoints = or_default(wanted->endpoints, 256);
	m->peers = or_default(wanted->peers, 32);
	m->operations = or_default(wanted->operations, 1024);
	m->destinations = or_default(wanted->destinations, 512);
	m->credits = or_default(wanted->credits, 64);
	m->window = or_default(wanted->window, 64);
	m->copies = or_default(wanted->copies, 256);
	m->sides = or_default(wanted->sides, 512);
	m->grants = or_default(wanted->grants, 1024);
	m->bulk_payload = or_default(wanted->bulk_payload, DVS_BULK_PAYLOAD_MAX);
	if (m->endpoints > 65536 || m->peers > 64 || m->operations > 65536 ||
	    m->destinations > 65536 || m->credits > 4096 || m->window > 4096 ||
	    m->credits < DVS_CREDIT_INITIAL || m->window < 2 * DVS_ACK_EVERY ||
	    (m->window & (m->window - 1)) || m->copies > 65536 || m->sides > 65536 ||
	    m->grants > 65536 || m->bulk_payload < DVS_BULK_PAYLOAD_MIN ||
	    m->bulk_payload > DVS_BULK_PAYLOAD_MAX)
		return 0;
	l->note_words = m->endpoints / 64 + 1;
	l->eps = place(&at, m->endpoints, sizeof(struct dvs_ep));
	l->dests = place(&at, m->destinations, sizeof(struct dvs_dest));
	l->ops = place(&at, m->operations, sizeof(struct dvs_op));
	l->chans = place(&at, m->peers, sizeof(struct dvs_chan));
	l->held = place(&at, (dvs_u64)held_places(m) + m->endpoints, sizeof(struct dvs_held));
	l->notes = place(&at, (dvs_u64)m->endpoints * l->note_words, sizeof(dvs_u64));
	l->values = place(&at, DVS_VALUES(m->endpoints), sizeof(struct dvs_value));
	l->awaited = place(&at, m->endpoints, sizeof(struct dvs_awaited));
	l->copyings = place(&at, m->copies, sizeof(struct dvs_copying));
	l->parties = place(&at, m->sides, sizeof(struct dvs_party));
	l->loans = place(&at, m->grants, sizeof(struct dvs_loan));
	l->claims = place(&at, m->endpoints, sizeof(struct dvs_claim));
	at = (at + DVS_BULK_STRIDE - 1) & ~(dvs_size)(DVS_BULK_STRIDE - 1);
	l->bulk = place(&at, (dvs_u64)m->peers * DVS_BULK_WINDOW, sizeof(struct dvs_bulk_slot));
	l->total = at;
	return 1;
}

dvs_size dvs_core_size(const struct dvs_limits *limits)
{
	struct layout l;

	return lay_out(limits, &l) ? l.total : 0;
}

dvs_u32 dvs_core_slots(const struct dvs_limits *limits)
{
	struct layout l;

	if (!lay_out(limits, &l))
		return 0;
	/* The last one is for what the node is told. */
	return l.limits.peers * (l.limits.window + 1) + DVS_REFUSAL_SLOTS + 1;
}

dvs_u32 dvs_core_bulk_slots(const struct dvs_limits *limits)
{
	struct layout l;

	return lay_out(limits, &l) ? l.limits.peers * DVS_BULK_WINDOW : 0;
}


static void init_endpoints(struct dvs_core *c, dvs_u64 *notes)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.endpoints; i++) {
		struct dvs_ep *ep = &c->ep[i];

		ep->core = c;
		ep->index = i;
		ep->local_notes = notes + (dvs_size)i * c->note_words;
		dvs_list_init(&ep->hash);
		dvs_list_init(&ep->receivers);
		dvs_list_init(&ep->senders);
		dvs_list_init(&ep->binders);
		dvs_list_init(&ep->setters);
		dvs_list_init(&ep->leavers);
		dvs_list_init(&ep->notes);
		dvs_list_init(&ep->values);
		dvs_list_init(&ep->queue);
		dvs_list_init(&ep->early);
		dvs_list_init(&ep->waiting);
		dvs_list_init(&ep->open);
		dvs_list_init(&ep->parties);
		dvs_list_init(&ep->loans);
		dvs_list_init(&ep->moving.out.link);
		dvs_list_init(&ep->moving.calls);
		dvs_list_init(&ep->moving.adopters);
		dvs_list_init(&ep->moving.stalled);
		dvs_list_init(&ep->moving.claims);
	}
}

static void init_pools(struct dvs_core *c, const struct layout *l, struct dvs_held *held)
{
	struct dvs_value *values = (struct dvs_value *)((char *)c + l->values);
	dvs_u32 i;

	for (i = 0; i < DVS_BUCKETS; i++) {
		dvs_list_init(&c->ep_hash[i]);
		dvs_list_init(&c->dest_hash[i]);
	}
	for (i = 0; i < c->limits.destinations; i++) {
		c->dest[i].index = i;
		dvs_list_init(&c->dest[i].hash);
		dvs_list_init(&c->dest[i].ops);
		dvs_list_init(&c->dest[i].watchers);
		dvs_list_init(&c->dest[i].out.link);
	}
	dvs_list_init(&c->free_ops);
	dvs_list_init(&c->free_held);
	dvs_list_init(&c->orphans);
	dvs_list_init(&c->adopted);
	dvs_list_init(&c->free_adopted);
	dvs_list_init(&c->free_values);
	for (i = 0; i < c->limits.operations; i++) {
		dvs_list_init(&c->op[i].out.link);
		dvs_list_push(&c->free_ops, &c->op[i].link);
	}
	for (i = 0; i < held_places(&c->limits) + c->limits.endpoints; i++)
		dvs_list_push(i < held_places(&c->limits) ? &c->free_held : &c->free_adopted,
			      &held[i].link);
	for (i = 0; i < DVS_VALUES(c->limits.endpoints); i++)
		dvs_list_push(&c->free_values, &values[i].link);
	init_endpoints(c, (dvs_u64 *)((char *)c + l->notes));
	dvs_copy_init(c);
	dvs_party_init(c);
	dvs_loan_init(c);
	dvs_claim_init(c);
}

struct dvs_core *dvs_core_init(void *memory, void *slots,
			       const struct dvs_limits *limits,
			       const struct dvs_identity *identity,
			       const struct dvs_ops *ops, void *ctx)
{
	struct dvs_core *c = memory;
	struct layout l;

	if (!lay_out(limits, &l) || identity->vm == DVS_VM_NODE ||
	    identity->nr_tasks < 0 || identity->nr_procs < 0)
		return (void *)0;
	__builtin_memset(memory, 0, l.total);
	__builtin_memset(slots, 0, (dvs_size)dvs_core_slots(limits) * DVS_MSG_FRAME_MAX);
	c->id = *identity;
	c->limits = l.limits;
	c->ops = *ops;
	c->ctx = ctx;
	c->note_words = l.note_words;
	c->control_at = DVS_NEVER;
	c->control_ns = DVS_BACKSTOP_MIN_NS;
	c->ep = (struct dvs_ep *)((char *)memory + l.eps);
	c->dest = (struct dvs_dest *)((char *)memory + l.dests);
	c->op = (struct dvs_op *)((char *)memory + l.ops);
	c->awaited = (struct dvs_awaited *)((char *)memory + l.awaited);
	c->copying = (struct dvs_copying *)((char *)memory + l.copyings);
	c->party = (struct dvs_party *)((char *)memory + l.parties);
	c->loan = (struct dvs_loan *)((char *)memory + l.loans);
	c->claim = (struct dvs_claim *)((char *)memory + l.claims);
	c->channels = (struct dvs_channels){
		.chan = (struct dvs_chan *)((char *)memory + l.chans),
		.count = l.limits.peers,
		.window = l.limits.window,
		.credits = l.limits.credits,
		.my_vm = identity->vm,
		.my_inc = identity->incarnation,
		.slots = slots,
		.bulk_slot = (struct dvs_bulk_slot *)((char *)memory + l.bulk),
		.ops = &c->ops,
		.ctx = ctx,
		.user = &dvs_ipc_user,
		.user_ctx = c,
		.stats = &c->stats,
	};
	dvs_channels_init(&c->channels);
	init_pools(c, &l, (struct dvs_held *)((char *)memory + l.held));
	return c;
}
