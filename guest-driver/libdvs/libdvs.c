// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* libdvs: each call fills the structure of its ioctl and reads the outcome from it. */
#include "dvs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

int dvs_open(struct dvs *dvs, int flags)
{
	int fd = open(DVS_DEVICE, O_RDWR | O_CLOEXEC | (flags & O_NONBLOCK));

	if (fd < 0)
		return -errno;
	dvs->fd = fd;
	dvs->id = DVS_ID_FILE;
	dvs->generation = 0;
	return DVS_OK;
}

void dvs_close(struct dvs *dvs)
{
	close(dvs->fd);
	dvs->fd = -1;
}

int dvs_info(const struct dvs *dvs, struct dvs_info *info)
{
	return ioctl(dvs->fd, DVS_IOC_INFO, info) ? -errno : DVS_OK;
}

int dvs_bind(struct dvs *dvs, int32_t ep, uint32_t owner)
{
	struct dvs_bind bind = { .ep = ep, .owner = owner };

	if (ioctl(dvs->fd, DVS_IOC_BIND, &bind))
		return -errno;
	if (bind.result == DVS_OK) {
		dvs->id = owner == DVS_BIND_FILE ? DVS_ID_FILE : DVS_ID_TASK;
		dvs->generation = bind.generation;
	}
	return bind.result;
}

int dvs_unbind(struct dvs *dvs)
{
	struct dvs_unbind unbind = { .id = dvs->id };

	return ioctl(dvs->fd, DVS_IOC_UNBIND, &unbind) ? -errno : unbind.result;
}

static uint64_t address_of(const void *memory)
{
	return (uint64_t)(uintptr_t)memory;
}

/* A size beyond 32 bits is beyond every limit as well, so it may be cut to the largest. */
static uint32_t size_of(size_t size)
{
	return size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
}

static struct dvs_io io_to(const struct dvs *dvs, struct dvs_address address, int64_t timeout_ms)
{
	struct dvs_io io = {
		.id = dvs->id,
		.ep = address.ep,
		.generation = address.generation,
		.timeout_ms = timeout_ms,
	};

	return io;
}

static void io_message(struct dvs_io *io, const void *message, size_t length)
{
	io->send_buf = address_of(message);
	io->send_len = size_of(length);
}

static void io_buffer(struct dvs_io *io, void *buffer, size_t size)
{
	io->recv_buf = address_of(buffer);
	io->recv_len = size_of(size);
}

static int io_run(const struct dvs *dvs, unsigned long request, struct dvs_io *io,
		  struct dvs_received *received)
{
	if (ioctl(dvs->fd, request, io))
		return -errno;
	if (received && io->result == DVS_OK) {
		received->from.ep = io->from;
		received->from.generation = io->from_generation;
		received->came = io->came;
		received->length = io->recv_len;
		received->token = io->token;
	}
	return io->result;
}

int dvs_send(const struct dvs *dvs, struct dvs_address to, const void *message, size_t length,
	     int64_t timeout_ms)
{
	struct dvs_io io = io_to(dvs, to, timeout_ms);

	io_message(&io, message, length);
	return io_run(dvs, DVS_IOC_SEND, &io, NULL);
}

int dvs_receive(const struct dvs *dvs, struct dvs_address from, uint32_t flags, void *buffer,
		size_t size, struct dvs_received *received, int64_t timeout_ms)
{
	struct dvs_io io = io_to(dvs, from, timeout_ms);

	io.flags = flags;
	io_buffer(&io, buffer, size);
	return io_run(dvs, DVS_IOC_RECEIVE, &io, received);
}

int dvs_sendrec(const struct dvs *dvs, struct dvs_address to, const void *message, size_t length,
		void *buffer, size_t size, struct dvs_received *received, int64_t timeout_ms)
{
	struct dvs_io io = io_to(dvs, to, timeout_ms);

	io_message(&io, message, length);
	io_buffer(&io, buffer, size);
	return io_run(dvs, DVS_IOC_SENDREC, &io, received);
}

int dvs_reply(const struct dvs *dvs, struct dvs_address to, uint64_t token, const void *message,
	      size_t length, int64_t timeout_ms)
{
	struct dvs_io io = io_to(dvs, to, timeout_ms);

	io.token = token;
	io_message(&io, message, length);
	return io_run(dvs, DVS_IOC_REPLY, &io, NULL);
}

int dvs_notify(const struct dvs *dvs, struct dvs_address to, int64_t timeout_ms)
{
	struct dvs_io io = io_to(dvs, to, timeout_ms);

	return io_run(dvs, DVS_IOC_NOTIFY, &io, NULL);
}

int dvs_notify_value(const struct dvs *dvs, struct dvs_address to, int64_t value,
		     int64_t timeout_ms)
{
	struct dvs_io io = io_to(dvs, to, timeout_ms);

	io.flags = DVS_IO_VALUE;
	io.token = (uint64_t)value;
	return io_run(dvs, DVS_IOC_NOTIFY, &io, NULL);
}

int dvs_reply_receive(const struct dvs *dvs, struct dvs_address to, uint64_t token,
		      const void *message, size_t length, struct dvs_address from, uint32_t flags,
		      void *buffer, size_t size, struct dvs_received *received,
		      int64_t timeout_ms)
{
	struct dvs_io io = io_to(dvs, to, timeout_ms);

	io.flags = flags;
	io.token = token;
	io.from = from.ep;
	io.from_generation = from.generation;
	io_message(&io, message, length);
	io_buffer(&io, buffer, size);
	return io_run(dvs, DVS_IOC_REPLY_RECEIVE, &io, received);
}

static int privilege_run(const struct dvs *dvs, struct dvs_privilege *privilege)
{
	return ioctl(dvs->fd, DVS_IOC_PRIVILEGE, privilege) ? -errno : privilege->result;
}

int dvs_get_privilege(const struct dvs *dvs, int32_t ep, struct dvs_privilege *privilege)
{
	struct dvs_privilege asked = { .ep = ep };
	int result = privilege_run(dvs, &asked);

	if (result == DVS_OK)
		*privilege = asked;
	return result;
}

int dvs_set_privilege(const struct dvs *dvs, int32_t ep, const struct dvs_privilege *privilege)
{
	struct dvs_privilege asked = {
		.ep = ep,
		.flags = DVS_PRIVILEGE_SET,
		.calls = privilege->calls,
		.ipc_to = privilege->ipc_to,
		.level = privilege->level,
	};

	return privilege_run(dvs, &asked);
}

int dvs_relay(const struct dvs *dvs, struct dvs_address client, uint64_t token,
	      struct dvs_address to, const void *message, size_t length, int64_t timeout_ms)
{
	struct dvs_io io = io_to(dvs, to, timeout_ms);

	io.token = token;
	io.from = client.ep;
	io.from_generation = client.generation;
	io_message(&io, message, length);
	return io_run(dvs, DVS_IOC_RELAY, &io, NULL);
}

int dvs_wakeup(const struct dvs *dvs, int32_t ep)
{
	struct dvs_wakeup wakeup = { .ep = ep, .id = dvs->id };

	return ioctl(dvs->fd, DVS_IOC_WAKEUP, &wakeup) ? -errno : wakeup.result;
}

int dvs_await(const struct dvs *dvs, uint32_t what, int32_t ep, struct dvs_address *found,
	      int64_t timeout_ms)
{
	struct dvs_await await = { .what = what, .ep = ep, .timeout_ms = timeout_ms };

	if (ioctl(dvs->fd, DVS_IOC_AWAIT, &await))
		return -errno;
	if (found && await.result == DVS_OK && what != DVS_AWAIT_UNBIND) {
		found->ep = await.ep;
		found->generation = await.generation;
	}
	return await.result;
}

int dvs_getep(const struct dvs *dvs, int32_t pid, struct dvs_address *found)
{
	struct dvs_getep getep = { .pid = pid };

	if (ioctl(dvs->fd, DVS_IOC_GETEP, &getep))
		return -errno;
	if (getep.result == DVS_OK) {
		found->ep = getep.ep;
		found->generation = getep.generation;
	}
	return getep.result;
}

int dvs_state(const struct dvs *dvs, int32_t ep, struct dvs_state *state)
{
	*state = (struct dvs_state){ .ep = ep };
	return ioctl(dvs->fd, DVS_IOC_STATE, state) ? -errno : state->result;
}

int dvs_bind_process(const struct dvs *dvs, int32_t ep, int32_t pid, uint32_t flags)
{
	struct dvs_bind bind = { .ep = ep, .owner = DVS_BIND_PID, .pid = pid, .flags = flags };

	return ioctl(dvs->fd, DVS_IOC_BIND, &bind) ? -errno : bind.result;
}

int dvs_unbind_other(const struct dvs *dvs, int32_t ep, int64_t timeout_ms)
{
	struct dvs_unbind unbind = { .id = DVS_ID_NUMBER, .ep = ep, .timeout_ms = timeout_ms };

	return ioctl(dvs->fd, DVS_IOC_UNBIND, &unbind) ? -errno : unbind.result;
}

int dvs_copy(const struct dvs *dvs, struct dvs_place from, struct dvs_place to, uint64_t bytes,
	     uint64_t *copied, int64_t timeout_ms)
{
	struct dvs_copy copy = {
		.id = dvs->id,
		.src = from.ep.ep,
		.src_generation = from.ep.generation,
		.dst = to.ep.ep,
		.dst_generation = to.ep.generation,
		.src_addr = from.address,
		.dst_addr = to.address,
		.src_grant = from.grant,
		.dst_grant = to.grant,
		.bytes = bytes,
		.timeout_ms = timeout_ms,
	};
	int result = ioctl(dvs->fd, DVS_IOC_COPY, &copy) ? -errno : copy.result;

	if (copied)
		*copied = copy.copied;
	return result;
}

int dvs_grant(const struct dvs *dvs, struct dvs_address to, uint32_t rights, void *memory,
	      size_t size, uint64_t *grant)
{
	struct dvs_grant lend = {
		.id = dvs->id,
		.rights = rights,
		.ep = to.ep,
		.generation = to.generation,
		.address = address_of(memory),
		.bytes = size,
	};

	/* Without rights it would revoke. */
	if (!rights)
		return DVS_EINVAL;
	if (ioctl(dvs->fd, DVS_IOC_GRANT, &lend))
		return -errno;
	*grant = lend.grant;
	return lend.result;
}

int dvs_revoke(const struct dvs *dvs, uint64_t grant)
{
	struct dvs_grant revoke = { .id = dvs->id, .grant = grant };

	return ioctl(dvs->fd, DVS_IOC_GRANT, &revoke) ? -errno : revoke.result;
}

static int migrate(const struct dvs *dvs, struct dvs_migrate *call)
{
	return ioctl(dvs->fd, DVS_IOC_MIGRATE, call) ? -errno : call->result;
}

int dvs_migrate_start(const struct dvs *dvs, int32_t ep, uint64_t *token, int64_t timeout_ms)
{
	struct dvs_migrate call = {
		.what = DVS_MIGRATE_START, .ep = ep, .timeout_ms = timeout_ms,
	};
	int result = migrate(dvs, &call);

	if (result == DVS_OK)
		*token = call.token;
	return result;
}

int dvs_migrate_commit(const struct dvs *dvs, int32_t ep, uint32_t vm, int64_t timeout_ms)
{
	struct dvs_migrate call = {
		.what = DVS_MIGRATE_COMMIT, .ep = ep, .vm = vm, .timeout_ms = timeout_ms,
	};

	return migrate(dvs, &call);
}

int dvs_migrate_rollback(const struct dvs *dvs, int32_t ep, int64_t timeout_ms)
{
	struct dvs_migrate call = {
		.what = DVS_MIGRATE_ROLLBACK, .ep = ep, .timeout_ms = timeout_ms,
	};

	return migrate(dvs, &call);
}

int dvs_adopt(struct dvs *dvs, int32_t ep, uint64_t token, uint32_t owner, int64_t timeout_ms)
{
	struct dvs_migrate call = {
		.what = DVS_MIGRATE_ADOPT,
		.ep = ep,
		.token = token,
		.owner = owner,
		.timeout_ms = timeout_ms,
	};
	int result = migrate(dvs, &call);

	if (result == DVS_OK) {
		dvs->id = owner == DVS_BIND_FILE ? DVS_ID_FILE : DVS_ID_TASK;
		dvs->generation = call.generation;
	}
	return result;
}
