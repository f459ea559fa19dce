// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The driver: it says what it is told to, and remembers what it was asked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "faked.h"

int own_bound = 1;
int fails_with;
int result;
struct dvs_io io;
struct dvs_bind bound;
struct dvs_unbind unbound;
struct dvs_await awaited;
struct dvs_copy copied;
struct dvs_wakeup woken;
struct dvs_migrate migrated;
struct dvs_privilege privilege;
struct dvs_state state;
unsigned long last;
unsigned int calls;

/* What a receive gets. */
unsigned int came;
int from;
unsigned long long token;
const char *text = "";
unsigned int length;

static void drive_io(unsigned long request, struct dvs_io *asked)
{
	io = *asked;
	asked->result = result;
	if (result || (request != DVS_IOC_RECEIVE && request != DVS_IOC_SENDREC))
		return;
	memcpy((void *)(unsigned long)asked->recv_buf, text, length);
	asked->recv_len = length;
	asked->came = came;
	asked->from = from;
	asked->token = token;
}

static void drive_await(struct dvs_await *asked)
{
	if (asked->what == DVS_AWAIT_OWN && asked->timeout_ms == DVS_TIMEOUT_NOWAIT) {
		asked->ep = OWN;
		asked->result = own_bound ? 0 : DVS_EAGAIN;
		return;
	}
	awaited = *asked;
	if (asked->what == DVS_AWAIT_OWN)
		asked->ep = OWN;
	asked->result = result;
}

static void drive_info(struct dvs_info *info)
{
	memset(info, 0, sizeof(*info));
	info->dcid = DC;
	info->nodeid = NODE;
	info->nr_tasks = 34;
	info->nr_procs = 221;
	info->nr_sysprocs = 64;
	memcpy(info->dc_name, "a name as long..", 16);
}

static void drive_state(struct dvs_state *asked)
{
	int ep = asked->ep;

	*asked = state;
	asked->ep = ep;
	asked->result = result;
}

static void drive_privilege(struct dvs_privilege *asked)
{
	if (asked->flags & DVS_PRIVILEGE_SET)
		privilege = *asked;
	asked->calls = privilege.calls;
	asked->ipc_to = privilege.ipc_to;
	asked->level = privilege.level;
	asked->result = result;
}

static void drive_getep(struct dvs_getep *asked)
{
	asked->ep = asked->pid + 1;
	asked->result = result;
}

/* Answers a call of which only what it was asked matters. */
#define KEEP(kept, asked) do {			\
	__typeof__(kept) *keep_ = (asked);	\
						\
	(kept) = *keep_;			\
	keep_->result = result;			\
} while (0)

int __wrap_ioctl(int fd, unsigned long request, void *asked)
{
	(void)fd;
	last = request;
	calls++;
	if (fails_with) {
		errno = fails_with;
		return -1;
	}
	switch (request) {
	case DVS_IOC_SEND:
	case DVS_IOC_RECEIVE:
	case DVS_IOC_SENDREC:
	case DVS_IOC_REPLY:
	case DVS_IOC_NOTIFY:
	case DVS_IOC_RELAY:
		drive_io(request, asked);
		break;
	case DVS_IOC_AWAIT:
		drive_await(asked);
		break;
	case DVS_IOC_INFO:
		drive_info(asked);
		break;
	case DVS_IOC_BIND:
		KEEP(bound, asked);
		break;
	case DVS_IOC_UNBIND:
		KEEP(unbound, asked);
		break;
	case DVS_IOC_COPY:
		KEEP(copied, asked);
		break;
	case DVS_IOC_WAKEUP:
		KEEP(woken, asked);
		break;
	case DVS_IOC_MIGRATE:
		KEEP(migrated, asked);
		break;
	case DVS_IOC_GETEP:
		drive_getep(asked);
		break;
	case DVS_IOC_STATE:
		drive_state(asked);
		break;
	case DVS_IOC_PRIVILEGE:
		drive_privilege(asked);
		break;
	default:
		abort();
	}
	return 0;
}
