// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: the director's side of actors. */
#include "actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A puppet waits for an actor as long as half a minute. */
#define PUPPET_MS	60000

_Static_assert(sizeof(struct order) <= MESSAGE_MAX, "an order is one message");
_Static_assert(sizeof(struct report) <= MESSAGE_MAX, "a report is one message");

static struct dvs director;

void director_open(int ep)
{
	director = bound(ep);
}

static void command(int puppet, const struct order *order, struct report *report)
{
	struct dvs_received got;
	int result = dvs_sendrec(&director, dvs_address(puppet), order, sizeof(*order), report,
				 sizeof(*report), &got, PUPPET_MS);

	if (result || got.length != sizeof(*report)) {
		printf("Bail out! the puppet at %d does not answer: %s\n", puppet,
		       dvs_strerror(result));
		exit(2);
	}
}

static struct report simple(const struct actor *actor, enum order_what what)
{
	struct order order = { .what = what, .actor = actor->number };
	struct report report;

	command(actor->puppet, &order, &report);
	return report;
}

struct actor actor_hire(int puppet, int ep)
{
	struct order order = { .what = ORDER_HIRE };
	struct dvs_bind bind = { .ep = ep, .owner = DVS_BIND_FILE };
	struct actor actor = { .puppet = puppet };
	struct report report;

	command(puppet, &order, &report);
	CHECK(report.error == 0);
	actor.number = report.actor;
	actor.area = report.area;
	actor.pid = report.pid;
	if (ep == DVS_ADDR_NONE)
		return actor;
	CHECK_RESULT(actor_call(&actor, DVS_IOC_BIND, &bind, NULL, NULL), 0);
	actor.ep = ep;
	actor.generation = bind.generation;
	return actor;
}

void actor_start(const struct actor *actor, uint32_t ioctl, const void *args, const char *text)
{
	struct order order = { .what = ORDER_START, .actor = actor->number, .ioctl = ioctl };
	struct report report;

	memcpy(order.args, args, _IOC_SIZE(ioctl));
	if (text)
		strncpy((char *)order.text, text, TEXT_MAX - 1);
	command(actor->puppet, &order, &report);
	CHECK(report.error == 0);
}

void actor_asleep(const struct actor *actor)
{
	CHECK(simple(actor, ORDER_ASLEEP).error == 0);
}

/* Where the structure of each ioctl has its result. */
static const size_t result_at[] = {
	[_IOC_NR(DVS_IOC_BIND)] = offsetof(struct dvs_bind, result),
	[_IOC_NR(DVS_IOC_UNBIND)] = offsetof(struct dvs_unbind, result),
	[_IOC_NR(DVS_IOC_SEND)] = offsetof(struct dvs_io, result),
	[_IOC_NR(DVS_IOC_RECEIVE)] = offsetof(struct dvs_io, result),
	[_IOC_NR(DVS_IOC_SENDREC)] = offsetof(struct dvs_io, result),
	[_IOC_NR(DVS_IOC_REPLY)] = offsetof(struct dvs_io, result),
	[_IOC_NR(DVS_IOC_NOTIFY)] = offsetof(struct dvs_io, result),
	[_IOC_NR(DVS_IOC_REPLY_RECEIVE)] = offsetof(struct dvs_io, result),
	[_IOC_NR(DVS_IOC_RELAY)] = offsetof(struct dvs_io, result),
	[_IOC_NR(DVS_IOC_WAKEUP)] = offsetof(struct dvs_wakeup, result),
	[_IOC_NR(DVS_IOC_AWAIT)] = offsetof(struct dvs_await, result),
	[_IOC_NR(DVS_IOC_GETEP)] = offsetof(struct dvs_getep, result),
	[_IOC_NR(DVS_IOC_PRIVILEGE)] = offsetof(struct dvs_privilege, result),
	[_IOC_NR(DVS_IOC_STATE)] = offsetof(struct dvs_state, result),
	[_IOC_NR(DVS_IOC_COPY)] = offsetof(struct dvs_copy, result),
	[_IOC_NR(DVS_IOC_GRANT)] = offsetof(struct dvs_grant, result),
};

int actor_wait(const struct actor *actor, uint32_t ioctl, void *args, char *text)
{
	struct report report = simple(actor, ORDER_WAIT);
	int32_t result;

	if (args)
		memcpy(args, report.args, _IOC_SIZE(ioctl));
	if (text)
		memcpy(text, report.text, TEXT_MAX);
	memcpy(&result, report.args + result_at[_IOC_NR(ioctl)], sizeof(result));
	return report.error ? -report.error : result;
}

int actor_call(const struct actor *actor, uint32_t ioctl, void *args, const char *text,
	       char *back)
{
	actor_start(actor, ioctl, args, text);
	return actor_wait(actor, ioctl, args, back);
}

static int area_command(const struct actor *actor, enum order_what what, uint64_t offset,
			uint64_t bytes, uint64_t seed)
{
	struct area_order area = { .offset = offset, .bytes = bytes, .seed = seed };
	struct order order = { .what = what, .actor = actor->number };
	struct report report;

	memcpy(order.args, &area, sizeof(area));
	command(actor->puppet, &order, &report);
	return report.error;
}

void actor_fill(const struct actor *actor, uint64_t offset, uint64_t bytes, uint64_t seed)
{
	CHECK(area_command(actor, ORDER_FILL, offset, bytes, seed) == 0);
}

bool actor_holds(const struct actor *actor, uint64_t offset, uint64_t bytes, uint64_t seed)
{
	return area_command(actor, ORDER_SUM, offset, bytes, seed) == 0;
}

void actor_kill(const struct actor *actor)
{
	simple(actor, ORDER_KILL);
}

void puppet_end(int puppet)
{
	struct order order = { .what = ORDER_END };
	struct report report;

	command(puppet, &order, &report);
}

/* ---- messages ---- */

static struct dvs_io io_to(int ep, int64_t timeout_ms)
{
	struct dvs_io io = { .id = DVS_ID_FILE, .ep = ep, .timeout_ms = timeout_ms };

	return io;
}

void start_send(const struct actor *actor, int to, const char *text, int64_t timeout_ms)
{
	struct dvs_io io = io_to(to, timeout_ms);

	io.send_len = TEXT_MAX;
	actor_start(actor, DVS_IOC_SEND, &io, text);
}

void start_sendrec(const struct actor *actor, int to, const char *text, int64_t timeout_ms)
{
	struct dvs_io io = io_to(to, timeout_ms);

	io.send_len = TEXT_MAX;
	io.recv_len = TEXT_MAX;
	actor_start(actor, DVS_IOC_SENDREC, &io, text);
}

void start_receive(const struct actor *actor, int from, uint32_t flags, int64_t timeout_ms)
{
	struct dvs_io io = io_to(from, timeout_ms);

	io.recv_len = TEXT_MAX;
	io.flags = flags;
	actor_start(actor, DVS_IOC_RECEIVE, &io, NULL);
}

int do_send(const struct actor *actor, int to, const char *text, int64_t timeout_ms)
{
	struct dvs_io io;

	start_send(actor, to, text, timeout_ms);
	return actor_wait(actor, DVS_IOC_SEND, &io, NULL);
}

int do_receive(const struct actor *actor, int from, int64_t timeout_ms, struct dvs_io *io,
	       char *text)
{
	start_receive(actor, from, 0, timeout_ms);
	return actor_wait(actor, DVS_IOC_RECEIVE, io, text);
}

int do_reply(const struct actor *actor, int to, uint64_t token, const char *text)
{
	struct dvs_io io = io_to(to, SOON);

	io.send_len = TEXT_MAX;
	io.token = token;
	return actor_call(actor, DVS_IOC_REPLY, &io, text, NULL);
}

int do_notify(const struct actor *actor, int to)
{
	struct dvs_io io = io_to(to, SOON);

	return actor_call(actor, DVS_IOC_NOTIFY, &io, NULL, NULL);
}
