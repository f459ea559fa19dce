/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* dvk-tests: what its files share. The headers are included as programs of the DVS do it. */
#ifndef TESTS_H
#define TESTS_H

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DVS_USERSPACE	1
#define cpumask_t	cpu_set_t

#include "../include/com/dvs_config.h"
#include "../include/com/config.h"
#include "../include/com/com.h"
#include "../include/com/const.h"
#include "../include/com/cmd.h"
#include "../include/com/types.h"
#include "../include/com/timers.h"
#include "../include/com/ipc.h"
#include "../include/com/kipc.h"
#include "../include/com/endpoint.h"
#include "../include/com/macros.h"
#include "../include/com/priv_usr.h"
#include "../include/com/dc_usr.h"
#include "../include/com/node_usr.h"
#include "../include/com/proc_sts.h"
#include "../include/com/proc_usr.h"
#include "../include/com/proxy_sts.h"
#include "../include/com/proxy_usr.h"
#include "../include/com/dvs_usr.h"
#include "../include/com/dvk_calls.h"
#include "../include/com/dvk_ioctl.h"
#include "../include/com/dvs_errno.h"
#include "../include/dvk/dvk_ioparm.h"
#include "../include/com/stub_dvkcall.h"

extern int dvk_fd;

/* Bounds what should never take that long. */
#define SOON		10000

/* Numbers of the tests: servers, who may make every call, and users. */
#define SERVER(n)	(first_server + (n))
#define USER(n)		(first_user + (n))
extern int first_server, first_user;

/* The DC of this virtual machine; whether it and this process may administer it. */
extern int dcid;
extern int admin;

/* ---- tap.c ---- */
/* A test runs in a process of its own and is ok if no check in it failed. */
void tap_run(const char *name, void (*test)(void));
/* The same for a test of what only an administrator may do. */
void tap_run_admin(const char *name, void (*test)(void));
int tap_end(void);
void tap_check(int good, const char *file, int line, const char *what, long got);
/* Whether this makes a line. */
int tap_prints(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* How many checks of this process have failed. */
int tap_failed(void);

#define CHECK(condition)	tap_check((condition) != 0, __FILE__, __LINE__, #condition, 0)
#define CHECK_RET(call, expected) do {						\
	long ret_ = (call);							\
	tap_check(ret_ == (expected), __FILE__, __LINE__, #call " == " #expected, ret_);	\
} while (0)

/* ---- peer.c ---- */
/* Starts a process that binds `nr` and runs; its exit status tells of failed checks. */
pid_t peer_start(int nr, void (*run)(void));
/* Starts a process that has no endpoint. */
pid_t process_start(void (*run)(void));
/* Waits for a process: 0, or that its checks failed, or minus the signal that ended it. */
int process_end(pid_t pid);
void process_kill(pid_t pid);
/* Binds this process; checks it. */
void bind_self(int nr);
/* Waits until the process of `nr` has this flag (p_rts_flags). */
void wait_state(int nr, unsigned long flag);
/* Waits until its request was taken: it only waits for the reply of `from`. */
void wait_reply(int nr, int from);
/* Waits for ever. */
void idle(void);
/* Answers one request, adding 1 to its m_type. */
void echo(void);
long now_ms(void);

/* ---- tests ---- */
void tests_bind(void);
void tests_messages(void);
void tests_notify(void);
void tests_vcopy(void);
void tests_waits(void);
void tests_death(void);
void tests_info(void);
void tests_priv(void);
void tests_config(void);

#endif
