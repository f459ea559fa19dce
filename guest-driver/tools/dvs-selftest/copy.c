// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: long copies, from and to pages that are not there yet, and with a client that is killed. */
#define _GNU_SOURCE
#include "selftest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SERVER		EP(1)
#define LONGEST		(3u << 20)
#define OFFSET		123

/* What a client tells the server. */
struct offer {
	uint64_t address;	/* of its memory */
};

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 31 + i / 4099 + 1);
}

static uint8_t *fresh_memory(void)
{
	uint8_t *memory = mmap(NULL, LONGEST + OFFSET, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return memory;
}

static uint8_t *patterned_memory(void)
{
	uint8_t *memory = fresh_memory();
	size_t i;

	for (i = 0; i < LONGEST + OFFSET; i++)
		memory[i] = byte_at(i);
	return memory;
}

static struct dvs_place place(int ep, uint64_t address)
{
	struct dvs_place place = { dvs_address(ep), address, 0 };

	return place;
}

/*
 * A process with memory of its own, which it tells the server in a sendrec. Its
 * exit status is the first byte of its memory once it has got the answer.
 */
static pid_t client_start(void)
{
	struct offer offer = { 0 };
	uint8_t *memory;
	struct dvs dvs;
	pid_t pid = child_fork();

	if (pid)
		return pid;
	memory = patterned_memory();
	offer.address = (uintptr_t)memory;
	if (dvs_open(&dvs, 0) || dvs_bind(&dvs, EP(0), DVS_BIND_FILE))
		_exit(200);
	if (dvs_sendrec(&dvs, dvs_address(SERVER), &offer, sizeof(offer), &offer, sizeof(offer),
			&(struct dvs_received){ 0 }, SOON))
		_exit(202);
	_exit(memory[0]);
}

static struct dvs_received take_offer(const struct dvs *server, struct offer *offer)
{
	struct dvs_received got = { 0 };

	CHECK_RESULT(dvs_receive(server, ANY, 0, offer, sizeof(*offer), &got, SOON), 0);
	return got;
}

static void let_go(const struct dvs *server, struct dvs_received client)
{
	CHECK_RESULT(dvs_reply(server, client.from, client.token, "", 0, SOON), 0);
}

static void to_and_from_a_client(void)
{
	static const uint32_t sizes[] = { 1, 100, 4096, 65536, 70000, 1 << 20, LONGEST };
	uint8_t *own = fresh_memory();
	struct dvs server = bound(SERVER);
	pid_t pid = client_start();
	struct dvs_received client;
	uint64_t copied;
	struct offer offer;
	size_t i, n, wrong;

	client = take_offer(&server, &offer);
	for (n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
		/* Pages that nobody has touched yet are brought in. */
		madvise(own, LONGEST, MADV_DONTNEED);
		CHECK_RESULT(dvs_copy(&server, place(EP(0), offer.address + OFFSET),
				      place(SERVER, (uintptr_t)own), sizes[n], &copied,
				      SOON), 0);
		CHECK(copied == sizes[n]);
		for (wrong = i = 0; i < sizes[n]; i++)
			wrong += own[i] != byte_at(i + OFFSET);
		CHECK(!wrong && own[sizes[n]] == 0);
	}
	own[0] = 77;
	CHECK_RESULT(dvs_copy(&server, place(DVS_ADDR_SELF, (uintptr_t)own),
			      place(EP(0), offer.address), LONGEST, NULL, SOON), 0);
	let_go(&server, client);
	CHECK(child_status(pid) == 77);
	munmap(own, LONGEST + OFFSET);
	dvs_close(&server);
}

/* The client is killed at some moment of a long copy. */
static void killed_meanwhile(void)
{
	uint8_t *own = fresh_memory();
	struct dvs server = bound(SERVER);
	int round, result = 0;

	for (round = 0; round < 20; round++) {
		pid_t pid = client_start(), killer;
		struct offer offer;

		take_offer(&server, &offer);
		killer = child_fork();
		if (!killer) {
			usleep((useconds_t)round * 100);
			kill(pid, SIGKILL);
			_exit(0);
		}
		while (!result)
			result = dvs_copy(&server, place(EP(0), offer.address),
					  place(SERVER, (uintptr_t)own), LONGEST, NULL, SOON);
		CHECK(result == DVS_ESRCDIED || result == DVS_EPROCSTS);
		CHECK(child_status(killer) == 0);
		CHECK(child_status(pid) == -SIGKILL);
		result = 0;
	}
	munmap(own, LONGEST + OFFSET);
	dvs_close(&server);
}

void tests_copy(void)
{
	tap_run("copies to and from a waiting client, of every size", to_and_from_a_client);
	tap_run("a party may be killed in the middle of a copy", killed_meanwhile);
}
