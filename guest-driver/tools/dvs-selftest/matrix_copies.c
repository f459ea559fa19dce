// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: copies between memories and by grants, in every shape. */
#include "actor.h"

#define KIB	1024ull

static const uint64_t sizes[] = { 8, 4096, 64 * KIB, 200 * KIB + 8, 1024 * KIB, 3 * 1024 * KIB };

static int copy(const struct actor *requester, const struct actor *from, uint64_t src_offset,
		const struct actor *to, uint64_t dst_offset, uint64_t bytes)
{
	struct dvs_copy what = {
		.id = DVS_ID_FILE, .src = from->ep, .dst = to->ep,
		.src_addr = from->area + src_offset, .dst_addr = to->area + dst_offset,
		.bytes = bytes, .timeout_ms = SOON,
	};
	int result = actor_call(requester, DVS_IOC_COPY, &what, NULL, NULL);

	CHECK(result || what.copied == bytes);
	return result;
}

/* The client waits in sendrec while its server copies. */
static void client_waits(const struct actor *client, const struct actor *server)
{
	struct dvs_io io;

	start_sendrec(client, server->ep, "copy", SOON);
	CHECK_RESULT(do_receive(server, client->ep, SOON, &io, NULL), 0);
}

static void client_goes_on(const struct actor *client, const struct actor *server)
{
	CHECK_RESULT(do_reply(server, client->ep, 0, "copied"), 0);
	CHECK_RESULT(actor_wait(client, DVS_IOC_SENDREC, NULL, NULL), 0);
}

/* An actor in a call does not fill its area: that is done before. */
static void from_client(void)
{
	size_t i;

	actor_fill(&a, 0, AREA_SIZE, 5);
	client_waits(&a, &b);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		CHECK_RESULT(copy(&b, &a, 0, &b, 24, sizes[i]), 0);
		CHECK(actor_holds(&b, 24, sizes[i], 5));
	}
	client_goes_on(&a, &b);
}

static void to_client(void)
{
	client_waits(&a, &b);
	actor_fill(&b, 8, 1024 * KIB, 6);
	CHECK_RESULT(copy(&b, &b, 8, &a, 4096, 1024 * KIB), 0);
	client_goes_on(&a, &b);
	CHECK(actor_holds(&a, 4096, 1024 * KIB, 6));
}

/* c waits for the requester too; b copies from one client to the other. */
static void between_clients(void)
{
	actor_fill(&a, 0, 512 * KIB, 7);
	client_waits(&a, &b);
	client_waits(&c, &b);
	CHECK_RESULT(copy(&b, &a, 0, &c, 64, 512 * KIB), 0);
	client_goes_on(&a, &b);
	client_goes_on(&c, &b);
	CHECK(actor_holds(&c, 64, 512 * KIB, 7));
}

static void refused(void)
{
	struct actor nobody = { .ep = EP(14), .area = 4096 };

	CHECK_RESULT(copy(&b, &a, 0, &b, 0, 4096), DVS_EPROCSTS);
	CHECK_RESULT(copy(&b, &nobody, 0, &b, 0, 4096), DVS_ESRCDIED);
	CHECK_RESULT(copy(&b, &b, 0, &nobody, 0, 4096), DVS_EDSTDIED);
	client_waits(&a, &b);
	CHECK_RESULT(copy(&b, &a, 0, &b, 0, 0), DVS_ERANGE);
	/* Memory that is not there. */
	CHECK_RESULT(copy(&b, &a, -a.area, &b, 0, 4096), DVS_EINVAL);
	CHECK_RESULT(copy(&b, &b, 0, &a, -a.area, 4096), DVS_EINVAL);
	CHECK_RESULT(copy(&b, &b, -b.area, &a, 0, 4096), DVS_EINVAL);
	/* And it still works. */
	actor_fill(&b, 0, 4096, 8);
	CHECK_RESULT(copy(&b, &b, 0, &a, 0, 4096), 0);
	client_goes_on(&a, &b);
	CHECK(actor_holds(&a, 0, 4096, 8));
}

static uint64_t lend(const struct actor *lender, const struct actor *to, uint32_t rights,
		     uint64_t offset, uint64_t bytes)
{
	struct dvs_grant grant = { .id = DVS_ID_FILE, .rights = rights, .ep = to->ep,
				   .address = lender->area + offset, .bytes = bytes };

	CHECK_RESULT(actor_call(lender, DVS_IOC_GRANT, &grant, NULL, NULL), 0);
	return grant.grant;
}

static int copy_from_grant(const struct actor *requester, const struct actor *from,
			   uint64_t grant, uint64_t offset, uint64_t bytes)
{
	struct dvs_copy what = {
		.id = DVS_ID_FILE, .src = from->ep, .src_addr = offset, .src_grant = grant,
		.dst = requester->ep, .dst_addr = requester->area, .bytes = bytes,
		.timeout_ms = SOON,
	};

	return actor_call(requester, DVS_IOC_COPY, &what, NULL, NULL);
}

static int copy_to_grant(const struct actor *requester, const struct actor *to, uint64_t grant,
			 uint64_t offset, uint64_t bytes)
{
	struct dvs_copy what = {
		.id = DVS_ID_FILE, .src = requester->ep, .src_addr = requester->area,
		.dst = to->ep, .dst_addr = offset, .dst_grant = grant, .bytes = bytes,
		.timeout_ms = SOON,
	};

	return actor_call(requester, DVS_IOC_COPY, &what, NULL, NULL);
}

/* a lends and goes on; b uses it when it likes. */
static void grants(void)
{
	struct dvs_grant revoke = { .id = DVS_ID_FILE };
	uint64_t reading, writing;

	actor_fill(&a, 0, 256 * KIB, 9);
	reading = lend(&a, &b, DVS_GRANT_READ, 0, 256 * KIB);
	writing = lend(&a, &b, DVS_GRANT_WRITE, 512 * KIB, 64 * KIB);
	CHECK_RESULT(copy_from_grant(&b, &a, reading, 8, 256 * KIB - 8), 0);
	CHECK(actor_holds(&b, 0, 256 * KIB - 8, 17));
	CHECK_RESULT(copy_to_grant(&b, &a, writing, 0, 64 * KIB), 0);
	CHECK(actor_holds(&a, 512 * KIB, 64 * KIB, 17));
	/* No more than was lent, in no other way, to nobody else. */
	CHECK_RESULT(copy_from_grant(&b, &a, reading, 8, 256 * KIB), DVS_EPROCSTS);
	CHECK(copy_to_grant(&b, &a, reading, 0, 8) != 0);
	CHECK(copy_from_grant(&b, &a, writing, 0, 8) != 0);
	CHECK(copy_from_grant(&c, &a, reading, 0, 8) != 0);
	revoke.grant = reading;
	CHECK_RESULT(actor_call(&a, DVS_IOC_GRANT, &revoke, NULL, NULL), 0);
	CHECK(copy_from_grant(&b, &a, reading, 0, 8) != 0);
	CHECK(actor_holds(&a, 0, 256 * KIB, 9));
}

void matrix_copies(void)
{
	matrix_test("copies from a client", from_client);
	matrix_test("copies to a client", to_client);
	matrix_test("copies between clients", between_clients);
	matrix_test("copies that are refused", refused);
	matrix_test("grants", grants);
}
