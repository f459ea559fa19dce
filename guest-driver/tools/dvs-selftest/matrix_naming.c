// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: names, states and privileges, whoever is where. */
#include "actor.h"

static int bind_to(const struct actor *actor, int ep, uint32_t *generation)
{
	struct dvs_bind bind = { .ep = ep, .owner = DVS_BIND_FILE };
	int result = actor_call(actor, DVS_IOC_BIND, &bind, NULL, NULL);

	*generation = bind.generation;
	return result;
}

static void awaited(void)
{
	struct dvs_await bound = { .what = DVS_AWAIT_BIND, .ep = EP(14), .timeout_ms = SOON };
	struct dvs_await gone = { .what = DVS_AWAIT_UNBIND, .ep = EP(14), .timeout_ms = SOON };
	struct actor late = actor_hire(b.puppet, DVS_ADDR_NONE);
	uint32_t generation;

	actor_start(&a, DVS_IOC_AWAIT, &bound, NULL);
	actor_asleep(&a);
	CHECK_RESULT(bind_to(&late, EP(14), &generation), 0);
	CHECK_RESULT(actor_wait(&a, DVS_IOC_AWAIT, &bound, NULL), 0);
	CHECK(bound.generation == generation);
	actor_start(&a, DVS_IOC_AWAIT, &gone, NULL);
	actor_asleep(&a);
	actor_kill(&late);
	CHECK_RESULT(actor_wait(&a, DVS_IOC_AWAIT, &gone, NULL), 0);
	/* At once, and in vain. */
	CHECK_RESULT(actor_call(&a, DVS_IOC_AWAIT, &gone, NULL, NULL), 0);
	bound.ep = b.ep;
	CHECK_RESULT(actor_call(&a, DVS_IOC_AWAIT, &bound, NULL, NULL), 0);
	CHECK(bound.generation == b.generation);
	gone.ep = b.ep;
	gone.timeout_ms = 100;
	CHECK_RESULT(actor_call(&a, DVS_IOC_AWAIT, &gone, NULL, NULL), DVS_ETIMEDOUT);
}

static void taken(void)
{
	struct actor second = actor_hire(b.puppet, DVS_ADDR_NONE);
	uint32_t generation;

	CHECK_RESULT(bind_to(&second, a.ep, &generation), DVS_ESLOTUSED);
	CHECK_RESULT(bind_to(&second, 9999, &generation), DVS_ERANGE);
	CHECK_RESULT(bind_to(&second, EP(14), &generation), 0);
	actor_kill(&second);
}

static void states(void)
{
	struct dvs_state state = { .ep = b.ep };

	start_receive(&b, a.ep, 0, 500);
	actor_asleep(&b);
	if (together(&a, &b)) {
		CHECK_RESULT(actor_call(&a, DVS_IOC_STATE, &state, NULL, NULL), 0);
		CHECK(state.rts == DVS_STATE_RECEIVING && state.getfrom == a.ep);
		CHECK(state.generation == b.generation && state.pid == b.pid);
	} else {
		CHECK_RESULT(actor_call(&a, DVS_IOC_STATE, &state, NULL, NULL), DVS_ERMTPROC);
		CHECK(state.generation == b.generation && state.vm != 0);
	}
	CHECK_RESULT(actor_wait(&b, DVS_IOC_RECEIVE, NULL, NULL), DVS_ETIMEDOUT);
	state.ep = EP(14);
	CHECK_RESULT(actor_call(&a, DVS_IOC_STATE, &state, NULL, NULL), DVS_ENOTBIND);
}

static void wake_up(void)
{
	struct dvs_wakeup wakeup = { .ep = b.ep, .id = DVS_ID_FILE };
	struct dvs_io io;

	if (!together(&a, &b)) {
		CHECK_RESULT(actor_call(&a, DVS_IOC_WAKEUP, &wakeup, NULL, NULL), DVS_ERMTPROC);
		return;
	}
	start_receive(&b, DVS_ADDR_ANY, 0, SOON);
	actor_asleep(&b);
	CHECK_RESULT(actor_call(&a, DVS_IOC_WAKEUP, &wakeup, NULL, NULL), 0);
	CHECK_RESULT(actor_wait(&b, DVS_IOC_RECEIVE, NULL, NULL), DVS_EWOKENUP);
	/* Not waiting: the next receive from any ends so. */
	CHECK_RESULT(actor_call(&a, DVS_IOC_WAKEUP, &wakeup, NULL, NULL), DVS_EPROCRUN);
	CHECK_RESULT(do_receive(&b, a.ep, 0, &io, NULL), DVS_EAGAIN);
	CHECK_RESULT(do_receive(&b, DVS_ADDR_ANY, SOON, &io, NULL), DVS_EWOKENUP);
	CHECK_RESULT(do_receive(&b, DVS_ADDR_ANY, 0, &io, NULL), DVS_EAGAIN);
}

/* A user may ask servers, and nothing else. */
static void users(void)
{
	struct actor user = actor_hire(a.puppet, 40), other = actor_hire(b.puppet, 41);
	struct dvs_io io;

	start_sendrec(&user, b.ep, "ask", SOON);
	CHECK_RESULT(do_receive(&b, DVS_ADDR_ANY, SOON, &io, NULL), 0);
	CHECK_RESULT(do_reply(&b, user.ep, io.token, "answer"), 0);
	CHECK_RESULT(actor_wait(&user, DVS_IOC_SENDREC, NULL, NULL), 0);
	CHECK_RESULT(do_send(&user, b.ep, "no", SOON), DVS_EBADCALL);
	CHECK_RESULT(do_receive(&user, DVS_ADDR_ANY, 0, &io, NULL), DVS_EBADCALL);
	CHECK_RESULT(do_notify(&user, b.ep), DVS_EBADCALL);
	start_sendrec(&user, other.ep, "no", SOON);
	CHECK_RESULT(actor_wait(&user, DVS_IOC_SENDREC, NULL, NULL), DVS_ETRAPDENIED);
	CHECK_RESULT(do_notify(&b, user.ep), DVS_EBADDEST);
	actor_kill(&user);
	actor_kill(&other);
}

/* A cycle of waits inside one VM is refused to who would close it. */
static void locked(void)
{
	if (!together(&a, &b))
		return;
	start_sendrec(&a, b.ep, "ask", 1000);
	actor_asleep(&a);
	start_sendrec(&b, a.ep, "ask back", SOON);
	CHECK_RESULT(actor_wait(&b, DVS_IOC_SENDREC, NULL, NULL), DVS_ELOCKED);
	CHECK_RESULT(actor_wait(&a, DVS_IOC_SENDREC, NULL, NULL), DVS_ETIMEDOUT);
}

void matrix_naming(void)
{
	matrix_test("await bind and unbind", awaited);
	matrix_test("numbers that others have", taken);
	matrix_test("states", states);
	matrix_test("wakeup", wake_up);
	matrix_test("users", users);
	matrix_test("cycles of waits", locked);
}
