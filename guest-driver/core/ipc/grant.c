// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* Grants: memory that an endpoint lends to another for copies. */
#include "copying.h"

void dvs_loan_init(struct dvs_core *c)
{
	dvs_u32 i;

	dvs_list_init(&c->free_loans);
	for (i = 0; i < c->limits.grants; i++) {
		dvs_list_init(&c->loan[i].parties);
		dvs_list_push(&c->free_loans, &c->loan[i].link);
	}
}

static struct dvs_loan *find(struct dvs_core *c, const struct dvs_ep *ep, dvs_u64 id)
{
	dvs_u32 index = (dvs_u32)id;
	struct dvs_loan *l;

	if (index >= c->limits.grants)
		return (void *)0;
	l = &c->loan[index];
	return l->ep == ep && l->id == id ? l : (void *)0;
}

dvs_s32 dvs_lend(struct dvs_core *c, struct dvs_ep *ep, struct dvs_addr to, dvs_u32 rights,
		 dvs_u64 bytes, void *region, dvs_u64 *grant, dvs_u64 now)
{
	struct dvs_loan *l;

	c->now = now;
	if (c->stopped)
		return DVS_ENOTCONN;
	if (!ep || ep->state != DVS_EP_BOUND)
		return DVS_ENOTBIND;
	if (!rights || rights & ~(dvs_u32)(DVS_LEND_READ | DVS_LEND_WRITE))
		return DVS_EINVAL;
	if (!bytes || (to.nr != DVS_ANY && !dvs_number_valid(c, to.nr)))
		return DVS_ERANGE;
	if (dvs_list_empty(&c->free_loans))
		return DVS_EALLOCMEM;
	l = dvs_entry(c->free_loans.next, struct dvs_loan, link);
	dvs_list_del(&l->link);
	dvs_list_push(&ep->loans, &l->link);
	l->ep = ep;
	/* Never 0, and never the same again for as long as anybody could remember it. */
	l->id = (dvs_u64)((++c->op_salt & 0x7fffffff) | 1u << 31) << 32 | (dvs_u32)(l - c->loan);
	l->to = dvs_known_here(c, to);
	l->rights = rights;
	l->revoked = 0;
	l->bytes = bytes;
	l->region = region;
	c->stats.grants++;
	*grant = l->id;
	return DVS_OK;
}

struct dvs_loan *dvs_loan_find(struct dvs_core *c, const struct dvs_party_order *order)
{
	const struct dvs_copy_side *what = &order->what;
	struct dvs_loan *l = find(c, order->ep, what->grant);
	dvs_u32 right = order->writes ? DVS_LEND_WRITE : DVS_LEND_READ;

	if (!l || l->revoked || !(l->rights & right) || !dvs_matches(l->to, order->requester) ||
	    what->address > l->bytes || what->bytes > l->bytes - what->address)
		return (void *)0;
	return l;
}

/* Ends what uses it. 0: a piece is just being copied. */
static int revoke(struct dvs_core *c, struct dvs_loan *l)
{
	struct dvs_list *p = l->parties.next;

	l->revoked = 1;
	while (p != &l->parties) {
		struct dvs_party *party = dvs_entry(p, struct dvs_party, of_loan);

		p = p->next;
		if (party->state != DVS_PARTY_OPEN)
			continue;
		dvs_party_close(c, party, DVS_EPROCSTS);
		p = l->parties.next; /* one end may have brought others */
	}
	if (!dvs_list_empty(&l->parties))
		return 0;
	/* The last to leave may have freed it. */
	if (l->ep)
		dvs_loan_left(c, l);
	return 1;
}

void dvs_loan_left(struct dvs_core *c, struct dvs_loan *l)
{
	if (!l->revoked || !dvs_list_empty(&l->parties))
		return;
	l->ep = (void *)0;
	dvs_list_del(&l->link);
	dvs_list_push(&c->free_loans, &l->link);
	c->stats.grants--;
	c->ops.unlent(c->ctx, l->region);
}

int dvs_revoke(struct dvs_core *c, struct dvs_ep *ep, dvs_u64 grant, dvs_u64 now)
{
	struct dvs_loan *l;
	int over;

	c->now = now;
	if (c->stopped)
		return DVS_ENOTCONN;
	if (!ep || ep->state != DVS_EP_BOUND)
		return DVS_ENOTBIND;
	l = find(c, ep, grant);
	if (!l)
		return DVS_EINVAL;
	over = revoke(c, l);
	dvs_core_flush(c);
	return over ? DVS_OK : DVS_PENDING;
}

void dvs_loan_stop(struct dvs_core *c, struct dvs_ep *ep)
{
	struct dvs_list *p, *tmp;

	dvs_for_each_safe(p, tmp, &ep->loans) {
		struct dvs_loan *l = dvs_entry(p, struct dvs_loan, link);

		/* A piece that is just being copied ends on its own. */
		if (!revoke(c, l))
			dvs_list_del(&l->link);
	}
}
