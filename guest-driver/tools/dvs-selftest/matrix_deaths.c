// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: what the death of one actor is to the others (reference §2.6). */
#include "actor.h"

/* Ways for b to leave. */
static void unbind(const struct actor *actor)
{
	struct dvs_unbind what = { .id = DVS_ID_FILE };

	CHECK_RESULT(actor_call(actor, DVS_IOC_UNBIND, &what, NULL, NULL), 0);
}

static void queued(void (*leave)(const struct actor *actor))
{
	start_send(&a, b.ep, "queued", SOON);
	start_sendrec(&c, b.ep, "queued", SOON);
	actor_asleep(&a);
	actor_asleep(&c);
	leave(&b);
	CHECK_RESULT(actor_wait(&a, DVS_IOC_SEND, NULL, NULL), DVS_EDSTDIED);
	CHECK_RESULT(actor_wait(&c, DVS_IOC_SENDREC, NULL, NULL), DVS_EDSTDIED);
}

static void taken_or_awaited(void (*leave)(const struct actor *actor))
{
	struct dvs_io io;

	start_sendrec(&a, b.ep, "taken", SOON);
	CHECK_RESULT(do_receive(&b, DVS_ADDR_ANY, SOON, &io, NULL), 0);
	start_receive(&c, b.ep, 0, SOON);
	actor_asleep(&c);
	leave(&b);
	CHECK_RESULT(actor_wait(&a, DVS_IOC_SENDREC, NULL, NULL), DVS_ESRCDIED);
	CHECK_RESULT(actor_wait(&c, DVS_IOC_RECEIVE, NULL, NULL), DVS_ESRCDIED);
}

static void notified(void (*leave)(const struct actor *actor))
{
	struct dvs_await gone = { .what = DVS_AWAIT_UNBIND, .ep = b.ep, .timeout_ms = SOON };
	struct dvs_io io;

	CHECK_RESULT(do_notify(&b, a.ep), 0);
	leave(&b);
	CHECK_RESULT(actor_call(&a, DVS_IOC_AWAIT, &gone, NULL, NULL), 0);
	CHECK_RESULT(do_receive(&a, DVS_ADDR_ANY, 200, &io, NULL), DVS_ETIMEDOUT);
}

static void queued_unbind(void)
{
	queued(unbind);
}

static void queued_kill(void)
{
	queued(actor_kill);
}

static void taken_unbind(void)
{
	taken_or_awaited(unbind);
}

static void taken_kill(void)
{
	taken_or_awaited(actor_kill);
}

static void notified_unbind(void)
{
	notified(unbind);
}

static void notified_kill(void)
{
	notified(actor_kill);
}

/* A client that dies leaves nothing at its server. */
static void client_dies(void)
{
	struct dvs_io io;

	start_send(&a, b.ep, "dying", SOON);
	actor_asleep(&a);
	actor_kill(&a);
	CHECK_RESULT(do_send(&c, b.ep, "alive", 100), DVS_ETIMEDOUT);
	start_send(&c, b.ep, "alive", SOON);
	CHECK_RESULT(do_receive(&b, DVS_ADDR_ANY, SOON, &io, NULL), 0);
	CHECK(io.from == c.ep);
	CHECK_RESULT(actor_wait(&c, DVS_IOC_SEND, NULL, NULL), 0);
	CHECK_RESULT(do_receive(&b, DVS_ADDR_ANY, 0, &io, NULL), DVS_EAGAIN);
}

/* The number bound anew is another endpoint. */
static void generations(void)
{
	struct dvs_io old = { .ep = b.ep, .generation = b.generation, .timeout_ms = SOON };
	struct actor next;

	unbind(&b);
	next = actor_hire(b.puppet, b.ep);
	CHECK(next.generation > b.generation);
	CHECK_RESULT(actor_call(&a, DVS_IOC_SEND, &old, NULL, NULL), DVS_EENDPOINT);
	start_receive(&next, DVS_ADDR_ANY, 0, SOON);
	CHECK_RESULT(do_send(&a, b.ep, "to whoever it is", SOON), 0);
	CHECK_RESULT(actor_wait(&next, DVS_IOC_RECEIVE, NULL, NULL), 0);
	actor_kill(&next);
}

void matrix_deaths(void)
{
	matrix_test("queued at who unbinds", queued_unbind);
	matrix_test("queued at who is killed", queued_kill);
	matrix_test("taken by who unbinds", taken_unbind);
	matrix_test("taken by who is killed", taken_kill);
	matrix_test("a notification of who unbinds", notified_unbind);
	matrix_test("a notification of who is killed", notified_kill);
	matrix_test("a client dies", client_dies);
	matrix_test("generations", generations);
}
