/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* dvs-selftest: what its files share. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <dvs.h>

#define ANY		dvs_address(DVS_ADDR_ANY)
#define FOREVER		DVS_TIMEOUT_FOREVER
#define NOWAIT		DVS_TIMEOUT_NOWAIT
/* Bounds what should never take that long. */
#define SOON		10000
#define MESSAGE_MAX	432

/* Endpoint numbers of the tests: EP(0), EP(1) … */
#define EP(n)		(selftest_base + (n))
extern int selftest_base;

/* ---- tap.c ---- */
/* Checks inside a test; all are reported, a test is ok if none failed. */
void tap_check(bool good, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void tap_run(const char *name, void (*test)(void));
/* The same for a test with a title of its own: its checks stand between the two. */
void tap_begin(void);
void tap_report(const char *name);
/* Prints the plan; the exit status of the program. */
int tap_end(void);

#define CHECK(condition) \
	tap_check((condition), __FILE__, __LINE__, "%s", #condition)
/* Compares results of calls. */
#define CHECK_RESULT(call, expected) do {					\
	int result_ = (call), expected_ = (expected);				\
	tap_check(result_ == expected_, __FILE__, __LINE__,			\
		  "%s: %d (%s), not %d", #call, result_, dvs_strerror(result_),	\
		  expected_);							\
} while (0)

/* ---- peer.c ---- */
enum op { OP_SEND, OP_RECEIVE, OP_SENDREC, OP_BIND, OP_UNBIND };

/* A call in a thread of its own. Fill the first part, then start. */
struct peer {
	const struct dvs *dvs;
	enum op op;
	struct dvs_address to;
	uint32_t value;		/* the message; OP_BIND: owner */
	int64_t timeout_ms;
	/* after peer_join */
	int result;
	uint32_t got;
	struct dvs_received received;
	/* private */
	pthread_t thread;
	volatile pid_t tid;
};

void peer_start(struct peer *peer);
/* Waits until its call sleeps in the kernel. */
void peer_wait_asleep(const struct peer *peer);
int peer_join(struct peer *peer);

/* Opens the device and binds a number to the file; checks both. */
struct dvs bound(int ep);
/* Milliseconds of the monotonic clock. */
int64_t now_ms(void);
/* fork; the child is killed when the thread that forked it ends. */
pid_t child_fork(void);
/* Waits for a child; its exit status, or minus the signal that ended it. */
int child_status(pid_t pid);

/* ---- storm.c ---- */
/*
 * So many processes, at the numbers from `first` on, for so many seconds, in a DC
 * with the numbers 0 to `numbers` - 1; exit status of the program.
 */
int storm_run(int first, int count, int numbers, int seconds, unsigned int seed);

/* ---- tests ---- */
void tests_bind(void);
void tests_messages(void);
void tests_errors(void);
void tests_waits(void);
void tests_identity(void);
void tests_input(void);
void tests_calls(void);
void tests_uring(void);
void tests_copy(void);
void tests_stress(void);
void tests_unplug(void);
/* What the program does when a test has executed it anew; its exit status. */
int identity_after_exec(int fd, int ep);

#endif
