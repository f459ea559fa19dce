// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: wrong destinations, and deaths of either side. */
#include "selftest.h"

#include <unistd.h>

static void destinations(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct dvs_received got;
	uint32_t value = 0;

	CHECK_RESULT(dvs_send(&a, dvs_address(EP(0)), &value, 4, SOON), DVS_EBADDEST);
	CHECK_RESULT(dvs_sendrec(&a, dvs_address(EP(0)), &value, 4, &value, 4, &got, SOON),
		     DVS_EBADDEST);
	CHECK_RESULT(dvs_send(&a, dvs_address(-1), &value, 4, SOON), DVS_EBADDEST);
	CHECK_RESULT(dvs_send(&a, dvs_address(100000), &value, 4, SOON), DVS_ERANGE);
	CHECK_RESULT(dvs_send(&a, ANY, &value, 4, SOON), DVS_ERANGE);
	CHECK_RESULT(dvs_receive(&a, dvs_address(100000), 0, &value, 4, &got, SOON), DVS_ERANGE);
	CHECK_RESULT(dvs_send(&a, dvs_address(EP(9)), &value, 4, SOON), DVS_EDSTDIED);
	CHECK_RESULT(dvs_notify(&a, dvs_address(EP(9)), SOON), DVS_EDSTDIED);
	CHECK_RESULT(dvs_sendrec(&a, dvs_address(EP(9)), &value, 4, &value, 4, &got, SOON),
		     DVS_EDSTDIED);
	CHECK_RESULT(dvs_reply(&a, dvs_address(EP(1)), 0, &value, 4, SOON), DVS_EPROCSTS);
	CHECK_RESULT(dvs_reply(&a, dvs_address(EP(9)), 0, &value, 4, SOON), DVS_EDSTDIED);
	dvs_close(&a);
	dvs_close(&b);
}

static void destination_dies(enum op op)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer sender = { .dvs = &a, .op = op, .to = dvs_address(EP(1)),
			       .timeout_ms = SOON };

	peer_start(&sender);
	peer_wait_asleep(&sender);
	dvs_close(&b);
	CHECK_RESULT(peer_join(&sender), DVS_EDSTDIED);
	dvs_close(&a);
}

static void destination_dies_send(void)
{
	destination_dies(OP_SEND);
}

static void destination_dies_sendrec(void)
{
	destination_dies(OP_SENDREC);
}

static void server_dies(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer client = { .dvs = &a, .op = OP_SENDREC, .to = dvs_address(EP(1)),
			       .timeout_ms = SOON };
	struct dvs_received got;
	uint32_t value;

	peer_start(&client);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, SOON), 0);
	dvs_close(&b);
	CHECK_RESULT(peer_join(&client), DVS_ESRCDIED);
	dvs_close(&a);
}

static void source_dies(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer receiver = { .dvs = &a, .op = OP_RECEIVE, .to = dvs_address(EP(1)),
				 .timeout_ms = SOON };

	peer_start(&receiver);
	peer_wait_asleep(&receiver);
	dvs_close(&b);
	CHECK_RESULT(peer_join(&receiver), DVS_ESRCDIED);
	dvs_close(&a);
}

static void client_leaves(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer client = { .dvs = &a, .op = OP_SENDREC, .to = dvs_address(EP(1)),
			       .timeout_ms = 50 };
	struct dvs_received got;
	uint32_t value;

	peer_start(&client);
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, SOON), 0);
	CHECK_RESULT(peer_join(&client), DVS_ETIMEDOUT);
	CHECK_RESULT(dvs_reply(&b, got.from, got.token, &value, 4, SOON), DVS_EPROCSTS);
	dvs_close(&a);
	CHECK_RESULT(dvs_reply(&b, got.from, got.token, &value, 4, SOON), DVS_EDSTDIED);
	dvs_close(&b);
}

/* The others' calls on an endpoint end when one thread unbinds it. */
static void unbind_under_way(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1));
	struct peer receiver = { .dvs = &a, .op = OP_RECEIVE, .to = ANY, .timeout_ms = SOON };
	struct peer sender = { .dvs = &a, .op = OP_SEND, .to = dvs_address(EP(1)),
			       .timeout_ms = SOON };
	struct dvs_received got;
	uint32_t value;

	peer_start(&receiver);
	peer_start(&sender);
	peer_wait_asleep(&receiver);
	peer_wait_asleep(&sender);
	CHECK_RESULT(dvs_unbind(&a), 0);
	CHECK_RESULT(peer_join(&receiver), DVS_ENOTBIND);
	CHECK_RESULT(peer_join(&sender), DVS_ENOTBIND);
	/* Its message went with it. */
	CHECK_RESULT(dvs_receive(&b, ANY, 0, &value, 4, &got, NOWAIT), DVS_EAGAIN);
	dvs_close(&a);
	dvs_close(&b);
}

void tests_errors(void)
{
	tap_run("wrong destinations", destinations);
	tap_run("the destination of a send dies", destination_dies_send);
	tap_run("the destination of a sendrec dies before it takes it", destination_dies_sendrec);
	tap_run("the server dies after it has taken the request", server_dies);
	tap_run("the source of a receive dies", source_dies);
	tap_run("a client that has left gets no reply", client_leaves);
	tap_run("an unbind ends the calls under way", unbind_under_way);
}
