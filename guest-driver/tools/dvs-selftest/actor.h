/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dvs-selftest: actors, processes that make calls when told, here or in
 * another VM.
 *
 * A puppet serves an endpoint: it forks actors and hands them orders. Whoever
 * directs the play talks to puppets by sendrec, so a test says nothing of the
 * place where its actors are.
 */
#ifndef ACTOR_H
#define ACTOR_H

#include "selftest.h"

#define ARGS_MAX	128
#define TEXT_MAX	200
/* Memory of an actor that copies go to and come from. */
#define AREA_SIZE	(4u << 20)

enum order_what {
	ORDER_HIRE,		/* fork an actor, which opens the device */
	ORDER_START,		/* begin a call */
	ORDER_ASLEEP,		/* wait until it sleeps in its call, or has ended it */
	ORDER_WAIT,		/* wait for the end of the call */
	ORDER_FILL,		/* fill its area: each 8 bytes with their own offset + seed */
	ORDER_SUM,		/* compare the area with that; args: bytes, seed */
	ORDER_KILL,		/* SIGKILL */
	ORDER_END,		/* the puppet itself */
};

struct order {
	uint32_t what;
	uint32_t actor;
	uint32_t ioctl;
	uint32_t reserved;
	uint8_t args[ARGS_MAX];	/* the ioctl's structure; FILL, SUM: struct area_order */
	uint8_t text[TEXT_MAX];	/* what a send sends */
};

struct area_order {
	uint64_t offset;
	uint64_t bytes;
	uint64_t seed;
};

struct report {
	int32_t error;		/* errno of the ioctl, or of the puppet; 0: carried out */
	uint32_t actor;
	uint64_t area;		/* HIRE: address of the actor's area */
	int32_t pid;
	uint32_t reserved;
	uint8_t args[ARGS_MAX];	/* as the ioctl left it */
	uint8_t text[TEXT_MAX];	/* what a receive received */
};

/* ---- puppet.c ---- */
/* Serves `ep` until ORDER_END; exit status of the program. */
int puppet_run(int ep);

/* ---- actor.c: the director's side ---- */
struct actor {
	int puppet;		/* endpoint */
	uint32_t number;
	int ep;			/* bound as, or 0 */
	uint32_t generation;
	uint64_t area;
	int pid;
};

/* The director's own endpoint, by which it talks to puppets. */
void director_open(int ep);
struct actor actor_hire(int puppet, int ep);
/* Begins a call; `text` is what it sends. */
void actor_start(const struct actor *actor, uint32_t ioctl, const void *args, const char *text);
void actor_asleep(const struct actor *actor);
/* Result of the call that was begun; fills what is not NULL: its structure, what it received. */
int actor_wait(const struct actor *actor, uint32_t ioctl, void *args, char *text);
int actor_call(const struct actor *actor, uint32_t ioctl, void *args, const char *text,
	       char *back);
void actor_fill(const struct actor *actor, uint64_t offset, uint64_t bytes, uint64_t seed);
bool actor_holds(const struct actor *actor, uint64_t offset, uint64_t bytes, uint64_t seed);
void actor_kill(const struct actor *actor);
void puppet_end(int puppet);

/* Messages: started, and run to the end. */
void start_send(const struct actor *actor, int to, const char *text, int64_t timeout_ms);
void start_sendrec(const struct actor *actor, int to, const char *text, int64_t timeout_ms);
void start_receive(const struct actor *actor, int from, uint32_t flags, int64_t timeout_ms);
int do_send(const struct actor *actor, int to, const char *text, int64_t timeout_ms);
int do_receive(const struct actor *actor, int from, int64_t timeout_ms, struct dvs_io *io,
	       char *text);
int do_reply(const struct actor *actor, int to, uint64_t token, const char *text);
int do_notify(const struct actor *actor, int to);

/* ---- matrix*.c ---- */
/* All calls between actors in the places of two puppets (or one, twice). */
int matrix_run(int here, int there);
int matrix_copies_run(const int eps[3]);
void matrix_messages(void);
void matrix_deaths(void);
void matrix_naming(void);
void matrix_copies(void);
/* The actors of the test under way, bound as EP(10), EP(11), EP(12) …, in its placement. */
extern struct actor a, b, c;
/* Runs the test in every placement. */
void matrix_test(const char *name, void (*test)(void));
/* Whether both are in one VM. */
bool together(const struct actor *one, const struct actor *other);

#endif
