/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * libdvk on the host: what it asks of the driver and what it makes of the
 * answers. The linker puts the driver of these files in place of ioctl.
 */
#ifndef FAKED_H
#define FAKED_H

#include <stdio.h>

#include "../include/com/com.h"
#include "../include/com/stub_dvkcall.h"

#include <linux/dvs.h>

#define NODE	3
#define DC	2
#define OWN	7

/* ---- driver.c: what the next call of a kind will say, and what it was asked ---- */
extern int own_bound;
extern int fails_with;		/* errno of every call */
extern int result;
extern struct dvs_io io;
extern struct dvs_bind bound;
extern struct dvs_unbind unbound;
extern struct dvs_await awaited;
extern struct dvs_copy copied;
extern struct dvs_wakeup woken;
extern struct dvs_migrate migrated;
extern struct dvs_privilege privilege;
extern struct dvs_state state;
extern unsigned long last;
extern unsigned int calls;

/* What a receive gets. */
extern unsigned int came;
extern int from;
extern unsigned long long token;
extern const char *text;
extern unsigned int length;

/* ---- main.c ---- */
extern int failed;

#define CHECK(condition) do {						\
	if (!(condition)) {						\
		printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);	\
		failed = 1;						\
	}								\
} while (0)
#define CHECK_RET(call, expected) do {					\
	long ret_ = (call);						\
	if (ret_ != (expected)) {					\
		printf("%s:%d: %s gives %ld\n", __FILE__, __LINE__, #call, ret_);	\
		failed = 1;						\
	}								\
} while (0)

/* ---- messages.c ---- */
void sends(void);
void receives(void);
void receives_notify(void);
void notifies(void);
void copies(void);
void formats(void);

/* ---- endpoints.c ---- */
void binds(void);
void unbinds_and_waits(void);

/* ---- records.c ---- */
/* Comes first: nothing has asked for the node's number yet. */
void records(void);
void processes(void);
void privileges(void);
void configuration(void);

#endif
