// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: every call between actors in one VM and in two, copies also in three. */
#include "actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct actor a, b, c;

static int puppets[3];
/* Which puppet each of the three actors works for; the last needs three of them. */
static const char * const placements[] = { "000", "010", "001", "011", "012" };
static size_t placement_count;

bool together(const struct actor *one, const struct actor *other)
{
	return one->puppet == other->puppet;
}

static void play(const char *placement, const char *name, void (*test)(void))
{
	struct actor *actors[] = { &a, &b, &c };
	char title[96];
	int i;

	snprintf(title, sizeof(title), "%s [%s]", name, placement);
	tap_begin();
	for (i = 0; i < 3; i++)
		*actors[i] = actor_hire(puppets[placement[i] - '0'], EP(10 + i));
	test();
	for (i = 0; i < 3; i++)
		actor_kill(actors[i]);
	tap_report(title);
}

void matrix_test(const char *name, void (*test)(void))
{
	size_t i;

	for (i = 0; i < placement_count; i++)
		play(placements[i], name, test);
}

int matrix_run(int here, int there)
{
	puppets[0] = here;
	puppets[1] = there;
	placement_count = here == there ? 1 : 4;
	director_open(EP(20));
	matrix_messages();
	matrix_deaths();
	matrix_naming();
	matrix_copies();
	puppet_end(here);
	if (there != here)
		puppet_end(there);
	return tap_end();
}

int matrix_copies_run(const int eps[3])
{
	int i;

	memcpy(puppets, eps, sizeof(puppets));
	placement_count = sizeof(placements) / sizeof(*placements);
	director_open(EP(20));
	matrix_copies();
	for (i = 0; i < 3; i++)
		puppet_end(puppets[i]);
	return tap_end();
}

/* ---- messages ---- */

/* a → b, whoever comes first. */
static void send_first(void)
{
	char text[TEXT_MAX];
	struct dvs_io io;

	start_send(&a, b.ep, "one", SOON);
	actor_asleep(&a);
	CHECK_RESULT(do_receive(&b, DVS_ADDR_ANY, SOON, &io, text), 0);
	CHECK(!strcmp(text, "one") && io.came == DVS_CAME_MESSAGE && io.from == a.ep);
	CHECK(io.from_generation == a.generation && io.recv_len == TEXT_MAX);
	CHECK_RESULT(actor_wait(&a, DVS_IOC_SEND, NULL, NULL), 0);
}

static void receive_first(void)
{
	char text[TEXT_MAX];
	struct dvs_io io;

	start_receive(&b, a.ep, 0, SOON);
	actor_asleep(&b);
	CHECK_RESULT(do_send(&a, b.ep, "two", SOON), 0);
	CHECK_RESULT(actor_wait(&b, DVS_IOC_RECEIVE, &io, text), 0);
	CHECK(!strcmp(text, "two") && io.from == a.ep);
}

static void take_request(const struct actor *server, const char *expected, struct dvs_io *io)
{
	char text[TEXT_MAX];

	CHECK_RESULT(do_receive(server, DVS_ADDR_ANY, SOON, io, text), 0);
	CHECK(io->came == DVS_CAME_REQUEST && !strcmp(text, expected));
}

static void expect_reply(const struct actor *client, const struct actor *server,
			 const char *expected)
{
	char text[TEXT_MAX];
	struct dvs_io io;

	CHECK_RESULT(actor_wait(client, DVS_IOC_SENDREC, &io, text), 0);
	CHECK(io.came == DVS_CAME_REPLY && io.from == server->ep && !strcmp(text, expected));
}

static void request_reply(void)
{
	struct dvs_io io;

	start_sendrec(&a, b.ep, "ask", SOON);
	take_request(&b, "ask", &io);
	CHECK_RESULT(do_reply(&b, a.ep, io.token, "answer"), 0);
	expect_reply(&a, &b, "answer");
	CHECK_RESULT(do_reply(&b, a.ep, io.token, "again"), DVS_EPROCSTS);
}

static void send_is_reply(void)
{
	struct dvs_io io;

	start_sendrec(&a, b.ep, "ask", SOON);
	take_request(&b, "ask", &io);
	CHECK_RESULT(do_send(&b, a.ep, "sent", SOON), 0);
	expect_reply(&a, &b, "sent");
}

/* Nobody but the server ends a sendrec. */
static void nothing_else_replies(void)
{
	struct dvs_io io;

	start_sendrec(&a, b.ep, "ask", SOON);
	take_request(&b, "ask", &io);
	CHECK_RESULT(do_notify(&c, a.ep), 0);
	start_send(&c, a.ep, "third", SOON);
	actor_asleep(&c);
	CHECK_RESULT(do_reply(&b, a.ep, 0, "answer"), 0);
	expect_reply(&a, &b, "answer");
	CHECK_RESULT(do_receive(&a, DVS_ADDR_ANY, SOON, &io, NULL), 0);
	CHECK(io.came == DVS_CAME_NOTIFY && io.from == c.ep);
	CHECK_RESULT(do_receive(&a, DVS_ADDR_ANY, SOON, &io, NULL), 0);
	CHECK(io.came == DVS_CAME_MESSAGE);
	CHECK_RESULT(actor_wait(&c, DVS_IOC_SEND, NULL, NULL), 0);
}

static void reply_receive(void)
{
	struct dvs_io io, next = { .ep = a.ep, .send_len = TEXT_MAX, .recv_len = TEXT_MAX,
				   .from = DVS_ADDR_ANY, .timeout_ms = SOON };
	char text[TEXT_MAX];

	start_sendrec(&a, b.ep, "first", SOON);
	take_request(&b, "first", &io);
	next.token = io.token;
	start_sendrec(&c, b.ep, "second", SOON);
	CHECK_RESULT(actor_call(&b, DVS_IOC_REPLY_RECEIVE, &next, "reply", text), 0);
	CHECK(next.from == c.ep && next.came == DVS_CAME_REQUEST && !strcmp(text, "second"));
	expect_reply(&a, &b, "reply");
	CHECK_RESULT(do_reply(&b, c.ep, next.token, "end"), 0);
	expect_reply(&c, &b, "end");
}

static void notifications(void)
{
	struct dvs_io io, note = { .ep = b.ep, .flags = DVS_IO_VALUE, .timeout_ms = SOON };

	start_send(&a, b.ep, "message", SOON);
	actor_asleep(&a);
	CHECK_RESULT(do_notify(&c, b.ep), 0);
	note.token = 7;
	CHECK_RESULT(actor_call(&c, DVS_IOC_NOTIFY, &note, NULL, NULL), 0);
	/* A round trip behind it: what was sent before has arrived. */
	CHECK_RESULT(do_send(&c, b.ep, "late", 200), DVS_ETIMEDOUT);
	CHECK_RESULT(do_receive(&b, DVS_ADDR_ANY, SOON, &io, NULL), 0);
	CHECK(io.came == DVS_CAME_NOTIFY && io.from == c.ep && io.token == 7);
	CHECK_RESULT(do_receive(&b, DVS_ADDR_ANY, SOON, &io, NULL), 0);
	CHECK(io.came == DVS_CAME_MESSAGE && io.from == a.ep);
	CHECK_RESULT(do_receive(&b, DVS_ADDR_ANY, 0, &io, NULL), DVS_EAGAIN);
	CHECK_RESULT(actor_wait(&a, DVS_IOC_SEND, NULL, NULL), 0);
}

static void only_requests(void)
{
	struct dvs_io io;

	start_send(&a, b.ep, "message", SOON);
	actor_asleep(&a);
	CHECK_RESULT(do_notify(&c, b.ep), 0);
	start_sendrec(&c, b.ep, "request", SOON);
	actor_asleep(&c);
	start_receive(&b, DVS_ADDR_ANY, DVS_IO_REQUESTS, SOON);
	CHECK_RESULT(actor_wait(&b, DVS_IOC_RECEIVE, &io, NULL), 0);
	CHECK(io.came == DVS_CAME_REQUEST && io.from == c.ep);
	CHECK_RESULT(do_reply(&b, c.ep, io.token, "done"), 0);
	expect_reply(&c, &b, "done");
	CHECK_RESULT(do_receive(&b, c.ep, SOON, &io, NULL), 0);
	CHECK(io.came == DVS_CAME_NOTIFY);
	CHECK_RESULT(do_receive(&b, a.ep, SOON, &io, NULL), 0);
	CHECK_RESULT(actor_wait(&a, DVS_IOC_SEND, NULL, NULL), 0);
}

/* A request is handed on, and who got it answers the client. */
static void relay(void)
{
	struct dvs_io io, on = { .ep = c.ep, .from = a.ep, .send_len = TEXT_MAX,
				 .timeout_ms = SOON };

	start_sendrec(&a, b.ep, "ask", SOON);
	take_request(&b, "ask", &io);
	on.token = io.token;
	CHECK_RESULT(actor_call(&b, DVS_IOC_RELAY, &on, "handed on", NULL), 0);
	take_request(&c, "handed on", &io);
	CHECK(io.from == a.ep && io.from_generation == a.generation);
	CHECK_RESULT(do_reply(&c, a.ep, io.token, "from c"), 0);
	expect_reply(&a, &c, "from c");
	on.token = 0;
	CHECK_RESULT(actor_call(&b, DVS_IOC_RELAY, &on, "nothing", NULL), DVS_EPROCSTS);
}

static void no_wait(void)
{
	struct dvs_io io;

	CHECK_RESULT(do_send(&a, b.ep, "now", 0), DVS_EAGAIN);
	start_sendrec(&a, b.ep, "now", 0);
	CHECK_RESULT(actor_wait(&a, DVS_IOC_SENDREC, NULL, NULL), DVS_EAGAIN);
	CHECK_RESULT(do_receive(&b, a.ep, 0, &io, NULL), DVS_EAGAIN);
	start_receive(&b, a.ep, 0, SOON);
	actor_asleep(&b);
	CHECK_RESULT(do_send(&a, b.ep, "now", 0), 0);
	CHECK_RESULT(actor_wait(&b, DVS_IOC_RECEIVE, NULL, NULL), 0);
}

/* What was given up does not come later. */
static void time_outs(void)
{
	struct dvs_io io;

	CHECK_RESULT(do_send(&a, b.ep, "late", 100), DVS_ETIMEDOUT);
	start_sendrec(&a, b.ep, "late", 100);
	CHECK_RESULT(actor_wait(&a, DVS_IOC_SENDREC, NULL, NULL), DVS_ETIMEDOUT);
	CHECK_RESULT(do_receive(&b, a.ep, 100, &io, NULL), DVS_ETIMEDOUT);
	CHECK_RESULT(do_receive(&b, DVS_ADDR_ANY, 0, &io, NULL), DVS_EAGAIN);
	/* Taken, but not answered in time: the answer finds nobody. */
	start_sendrec(&a, b.ep, "slow", 300);
	take_request(&b, "slow", &io);
	CHECK_RESULT(actor_wait(&a, DVS_IOC_SENDREC, NULL, NULL), DVS_ETIMEDOUT);
	CHECK_RESULT(do_reply(&b, a.ep, io.token, "too late"), DVS_EPROCSTS);
}

static void in_order(void)
{
	char text[TEXT_MAX];
	struct dvs_io io;
	int i;

	for (i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "%d", i);
		start_send(&a, b.ep, text, SOON);
		CHECK_RESULT(do_receive(&b, i % 2 ? a.ep : DVS_ADDR_ANY, SOON, &io, text), 0);
		CHECK_RESULT(actor_wait(&a, DVS_IOC_SEND, NULL, NULL), 0);
		CHECK(i == (int)strtol(text, NULL, 10));
	}
}

static void bad_destinations(void)
{
	struct dvs_io stale = { .ep = b.ep, .generation = b.generation - 1, .timeout_ms = SOON };

	CHECK_RESULT(do_send(&a, EP(13), "nobody", SOON), DVS_EDSTDIED);
	CHECK_RESULT(do_send(&a, 9999, "nowhere", SOON), DVS_ERANGE);
	CHECK_RESULT(do_send(&a, a.ep, "self", SOON), DVS_EBADDEST);
	CHECK_RESULT(actor_call(&a, DVS_IOC_SEND, &stale, NULL, NULL), DVS_EENDPOINT);
	CHECK_RESULT(do_reply(&a, b.ep, 0, "no request"), DVS_EPROCSTS);
	CHECK_RESULT(do_reply(&a, EP(13), 0, "no client"), DVS_EDSTDIED);
	CHECK_RESULT(do_notify(&a, EP(13)), DVS_EDSTDIED);
}

void matrix_messages(void)
{
	matrix_test("the sender comes first", send_first);
	matrix_test("the receiver comes first", receive_first);
	matrix_test("sendrec and reply", request_reply);
	matrix_test("a send is the reply", send_is_reply);
	matrix_test("nothing else ends a sendrec", nothing_else_replies);
	matrix_test("reply and receive in one", reply_receive);
	matrix_test("notifications", notifications);
	matrix_test("only requests", only_requests);
	matrix_test("relay", relay);
	matrix_test("without waiting", no_wait);
	matrix_test("time-outs", time_outs);
	matrix_test("in order", in_order);
	matrix_test("wrong destinations", bad_destinations);
}
