// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause
/* What is known of the location of far endpoints, and who waits for them to speak or die. */
#include "ipc.h"

struct dvs_dest *dvs_dest_find(const struct dvs_core *c, dvs_s32 nr)
{
	const struct dvs_list *head = &c->dest_hash[dvs_bucket(nr)];
	struct dvs_list *p;

	dvs_for_each(p, head) {
		struct dvs_dest *d = dvs_entry(p, struct dvs_dest, hash);

		if (d->addr.nr == nr)
			return d;
	}
	return (void *)0;
}

static int evictable(const struct dvs_dest *d)
{
	return dvs_list_empty(&d->ops) && dvs_list_empty(&d->watchers) &&
	       d->ctl == DVS_CTL_IDLE;
}

struct dvs_dest *dvs_dest_get(struct dvs_core *c, dvs_s32 nr)
{
	struct dvs_dest *d = dvs_dest_find(c, nr);
	dvs_u32 i;

	for (i = 0; !d && i < c->limits.destinations; i++) {
		struct dvs_dest *old = &c->dest[c->dest_hand++ % c->limits.destinations];

		if (!old->used || evictable(old))
			d = old;
	}
	if (!d || (d->used && d->addr.nr == nr))
		return d;
	if (!d->used)
		c->stats.destinations++;
	dvs_list_del(&d->out.link); /* of a watch that nobody waits for any more */
	dvs_list_del(&d->hash);
	dvs_list_push(&c->dest_hash[dvs_bucket(nr)], &d->hash);
	d->used = 1;
	d->known = 0;
	d->watch = DVS_WATCH_NONE;
	d->told = 0;
	d->noted = 0;
	d->addr.nr = nr;
	d->addr.gen = 0;
	d->chan = (void *)0;
	d->missed = (void *)0;
	return d;
}

void dvs_dest_ask(struct dvs_core *c, struct dvs_dest *d)
{
	struct dvs_ctl_request r = { .op = DVS_CTL_LOOKUP, .ep = d->addr.nr };

	if (d->ctl == DVS_CTL_IDLE)
		d->nonce = ++c->next_nonce;
	r.nonce = d->nonce;
	dvs_control_ask(c, &d->ctl, &r);
}

void dvs_dest_look_up(struct dvs_core *c, struct dvs_dest *d)
{
	if (d->ctl == DVS_CTL_IDLE)
		dvs_dest_ask(c, d);
}

/* That the far endpoint is over fails who wants to hear of it, and is what others wait for. */
static void end_watch(struct dvs_core *c, struct dvs_call *call, dvs_s32 result)
{
	int over = result == DVS_ESRCDIED || result == DVS_EENDPOINT;

	dvs_call_finish(c, call, over && call->what == DVS_CALL_AWAIT_UNBIND ? DVS_OK : result);
}

static void fail_watchers(struct dvs_core *c, struct dvs_dest *d, dvs_s32 result)
{
	while (!dvs_list_empty(&d->watchers))
		end_watch(c, dvs_entry(d->watchers.next, struct dvs_call, wait), result);
}

/* Fails those who wait for this generation, or for all others. */
static void fail_some(struct dvs_core *c, struct dvs_dest *d, struct dvs_addr addr, int matching,
		      dvs_s32 result)
{
	struct dvs_list *p, *tmp;

	dvs_for_each_safe(p, tmp, &d->watchers) {
		struct dvs_call *call = dvs_entry(p, struct dvs_call, wait);

		if (dvs_matches(call->filter, addr) == matching)
			end_watch(c, call, result);
	}
}

/* Who waits for the end of whichever is bound waits for the end of this one from now on. */
static void pin(struct dvs_dest *d)
{
	struct dvs_list *p;

	dvs_for_each(p, &d->watchers) {
		struct dvs_call *call = dvs_entry(p, struct dvs_call, wait);

		if (call->what == DVS_CALL_AWAIT_UNBIND && !call->filter.gen)
			call->filter.gen = d->addr.gen;
	}
}

void dvs_dest_forget(struct dvs_dest *d)
{
	d->known = 0;
	d->watch = DVS_WATCH_NONE;
	d->told = 0;
	d->chan = (void *)0;
	dvs_list_del(&d->out.link);
}

void dvs_dest_missed(struct dvs_dest *d, struct dvs_chan *ch, dvs_u32 gen)
{
	dvs_dest_forget(d);
	d->missed = ch;
	d->addr.gen = gen;
}

void dvs_dest_not_there(struct dvs_core *c, struct dvs_chan *ch, struct dvs_addr addr)
{
	struct dvs_dest *d = dvs_dest_find(c, addr.nr);

	if (!d || !d->known || d->chan != ch || d->addr.gen != addr.gen)
		return;
	dvs_dest_missed(d, ch, addr.gen);
	if (!dvs_list_empty(&d->watchers))
		dvs_dest_look_up(c, d);
}

void dvs_dest_set(struct dvs_core *c, struct dvs_addr addr, struct dvs_chan *ch)
{
	struct dvs_dest *d = dvs_dest_get(c, addr.nr);

	if (!d)
		return;
	dvs_dest_forget(d);
	d->known = 1;
	d->chan = ch;
	d->addr.gen = addr.gen;
	d->missed = (void *)0;
}

void dvs_dest_told(struct dvs_core *c, const struct dvs_chan *ch, struct dvs_addr addr)
{
	struct dvs_dest *d = dvs_dest_find(c, addr.nr);

	if (d && d->known && d->chan == ch && d->addr.gen == addr.gen)
		d->told = 1;
}

void dvs_dest_doubt(struct dvs_core *c, const struct dvs_chan *ch)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.destinations; i++)
		if (c->dest[i].chan == ch)
			c->dest[i].told = 0;
}

/* The life that was known is over: who waits for another one looks again. */
static void lose(struct dvs_core *c, struct dvs_dest *d, dvs_s32 result)
{
	dvs_dest_forget(d);
	fail_some(c, d, d->addr, 1, result);
	if (!dvs_list_empty(&d->watchers))
		dvs_dest_look_up(c, d);
}

static void queue_watch(struct dvs_core *c, struct dvs_dest *d)
{
	if (dvs_list_empty(&d->watchers) || d->watch != DVS_WATCH_NONE)
		return;
	d->watch = DVS_WATCH_QUEUED;
	d->out.type = DVS_OUT_WATCH;
	dvs_chan_queue(&c->channels, d->chan, &d->out, DVS_CLASS_REQUEST, c->now);
}

void dvs_dest_fill_watch(struct dvs_core *c, struct dvs_dest *d, struct dvs_frame *f)
{
	(void)c;
	f->kind = DVS_K_WATCH;
	f->dst_ep = d->addr.nr;
	f->dst_gen = d->addr.gen;
	f->op = DVS_OP_WATCH | d->index;
	d->watch = DVS_WATCH_SENT;
	d->told = 1;
}

int dvs_dest_watch(struct dvs_core *c, struct dvs_call *call)
{
	struct dvs_dest *d = dvs_dest_get(c, call->filter.nr);

	if (!d)
		return DVS_EALLOCMEM;
	dvs_list_push(&d->watchers, &call->wait);
	/* A remembered location that has not the wanted life says nothing. */
	if (d->known && dvs_matches(call->filter, d->addr))
		queue_watch(c, d);
	else
		dvs_dest_look_up(c, d);
	return DVS_OK;
}

static void fail_all(struct dvs_core *c, struct dvs_dest *d, dvs_s32 ops, dvs_s32 watchers)
{
	fail_watchers(c, d, watchers);
	while (!dvs_list_empty(&d->ops))
		dvs_op_located(c, dvs_entry(d->ops.next, struct dvs_op, link), d, ops);
}

/* It hears of the end of an endpoint of this VM as all do here; one that waits for another end does not. */
static void watch_here(struct dvs_call *call, struct dvs_ep *local)
{
	if (call->what == DVS_CALL_RECEIVE) {
		dvs_list_del(&call->wait);
	} else if (call->filter.gen && dvs_ep_is(local, call->filter.gen)) {
		dvs_list_del(&call->wait);
		dvs_list_push(&local->leavers, &call->wait);
	}
}

/* It was bound in this very VM while the question was under way, or has come here. */
static void found_here(struct dvs_core *c, struct dvs_dest *d)
{
	struct dvs_ep *local = dvs_ep_lookup(c, d->addr.nr, DVS_EP_BOUND);
	struct dvs_list *p, *tmp;

	if (local) {
		fail_some(c, d, local->addr, 0, DVS_EENDPOINT);
		dvs_for_each_safe(p, tmp, &d->watchers)
			watch_here(dvs_entry(p, struct dvs_call, wait), local);
	}
	fail_watchers(c, d, DVS_ESRCDIED);
	while (!dvs_list_empty(&d->ops))
		dvs_op_located_here(c, dvs_entry(d->ops.next, struct dvs_op, link));
}

static void found_at(struct dvs_core *c, struct dvs_dest *d, struct dvs_chan *ch, dvs_u32 gen)
{
	int missed = d->missed == ch && d->addr.gen == gen;

	/* A watch is about what it was sent to. */
	if (d->known && (d->chan != ch || d->addr.gen != gen))
		dvs_dest_forget(d);
	d->known = 1;
	d->chan = ch;
	d->addr.gen = gen;
	d->missed = (void *)0;
	fail_some(c, d, d->addr, 0, DVS_EENDPOINT);
	pin(d);
	/* Where it said that the endpoint is not, the directory still has it: it is dying. */
	if (missed)
		fail_watchers(c, d, DVS_ESRCDIED);
	queue_watch(c, d);
	while (d->known && !dvs_list_empty(&d->ops))
		dvs_op_located(c, dvs_entry(d->ops.next, struct dvs_op, link), d, DVS_OK);
	/* Nor is that remembered: nobody will tell of its death any more. */
	if (missed && d->known && d->chan == ch)
		dvs_dest_forget(d);
}

/* It is in another VM, by this answer. */
static void found_in(struct dvs_core *c, struct dvs_dest *d, const struct dvs_frame *f)
{
	dvs_u32 vm = (dvs_u32)f->arg, inc = (dvs_u32)(f->arg >> 32);
	struct dvs_chan *ch;

	if (vm == DVS_VM_NODE || dvs_chan_over(&c->channels, vm, inc)) {
		fail_all(c, d, DVS_EDSTDIED, DVS_ESRCDIED);
		return;
	}
	ch = dvs_chan_open(&c->channels, vm, inc);
	if (ch)
		found_at(c, d, ch, f->dst_gen);
	else
		fail_all(c, d, DVS_ERSCBUSY, DVS_ERSCBUSY);
}

void dvs_dest_found(struct dvs_core *c, const struct dvs_frame *f)
{
	struct dvs_dest *d = dvs_dest_find(c, f->dst_ep);
	dvs_s32 result = f->result ? dvs_clamp_error(f->result) : DVS_OK;
	dvs_u32 vm = (dvs_u32)f->arg;

	if (!d || d->ctl == DVS_CTL_IDLE || d->nonce != f->op)
		return;
	d->ctl = DVS_CTL_IDLE;
	if (result || vm == c->id.vm)
		dvs_dest_forget(d);
	if (dvs_list_empty(&d->ops) && dvs_list_empty(&d->watchers))
		return; /* a channel is not opened for nobody */
	if (result)
		fail_all(c, d, result, result == DVS_EDSTDIED ? DVS_ESRCDIED : result);
	else if (vm == c->id.vm)
		found_here(c, d);
	else
		found_in(c, d, f);
}

int dvs_dest_refused(struct dvs_core *c, dvs_u64 nonce, dvs_s32 result)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.destinations; i++) {
		struct dvs_dest *d = &c->dest[i];

		if (!d->used || d->ctl < DVS_CTL_ASKED || d->nonce != nonce)
			continue;
		d->ctl = DVS_CTL_IDLE;
		fail_all(c, d, result, result);
		return 1;
	}
	return 0;
}

void dvs_dest_watch_missed(struct dvs_core *c, struct dvs_chan *ch, const struct dvs_frame *f)
{
	struct dvs_addr addr = { .nr = f->src_ep, .gen = f->src_gen };
	struct dvs_dest *d = dvs_dest_find(c, addr.nr);

	if (d && d->watch == DVS_WATCH_SENT && f->op == (DVS_OP_WATCH | d->index))
		dvs_dest_not_there(c, ch, addr);
}

void dvs_dest_died(struct dvs_core *c, struct dvs_chan *ch, struct dvs_addr addr)
{
	struct dvs_dest *d = dvs_dest_find(c, addr.nr);

	if (d && d->known && d->chan == ch && d->addr.gen == addr.gen)
		lose(c, d, DVS_ESRCDIED);
}

void dvs_dest_some_died(struct dvs_core *c, struct dvs_chan *ch)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.destinations; i++) {
		struct dvs_dest *d = &c->dest[i];

		if (!d->used || !d->known || d->chan != ch)
			continue;
		dvs_dest_forget(d);
		if (!dvs_list_empty(&d->watchers))
			dvs_dest_look_up(c, d);
	}
}

void dvs_dest_forget_peer(struct dvs_core *c, struct dvs_chan *ch, dvs_s32 result)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.destinations; i++) {
		struct dvs_dest *d = &c->dest[i];

		if (d->missed == ch)
			d->missed = (void *)0;
		d->noted &= ~(1ull << ch->index);
		if (d->used && d->known && d->chan == ch)
			lose(c, d, result);
	}
}

void dvs_dest_device_gone(struct dvs_core *c)
{
	dvs_u32 i;

	for (i = 0; i < c->limits.destinations; i++)
		if (c->dest[i].used)
			fail_all(c, &c->dest[i], DVS_ENOTCONN, DVS_ENOTCONN);
}
