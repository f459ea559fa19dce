// SPDX-License-Identifier: GPL-2.0
/* virtio_dvs: from an ioctl to a call of the core and back. */

#include <linux/capability.h>
#include <linux/uaccess.h>

#include "virtio_dvs.h"

static_assert((int)DVS_KIND_MESSAGE == DVS_CAME_MESSAGE);
static_assert((int)DVS_KIND_REQUEST == DVS_CAME_REQUEST);
static_assert((int)DVS_KIND_NOTIFY == DVS_CAME_NOTIFY);
static_assert((int)DVS_KIND_REPLY == DVS_CAME_REPLY);
static_assert(DVS_ADDR_ANY == DVS_ANY);
static_assert(DVS_ADDR_NONE == DVS_NONE);
static_assert(DVS_ADDR_SELF == DVS_SELF);

static bool vdvs_sends(unsigned int cmd)
{
	return cmd != DVS_IOC_RECEIVE && cmd != DVS_IOC_NOTIFY;
}

static bool vdvs_receives(unsigned int cmd)
{
	return cmd == DVS_IOC_RECEIVE || cmd == DVS_IOC_SENDREC || cmd == DVS_IOC_REPLY_RECEIVE;
}

static u32 vdvs_io_flags(unsigned int cmd)
{
	if (cmd == DVS_IOC_NOTIFY)
		return DVS_IO_VALUE | DVS_IO_SOURCE;
	return cmd == DVS_IOC_RECEIVE || cmd == DVS_IOC_REPLY_RECEIVE ? DVS_IO_REQUESTS : 0;
}

/* Does the call read `token`, or ignore what is in it since it will write there? */
static bool vdvs_takes_token(unsigned int cmd, const struct dvs_io *io)
{
	if (cmd == DVS_IOC_NOTIFY)
		return io->flags & DVS_IO_VALUE;
	return cmd != DVS_IOC_SEND && cmd != DVS_IOC_SENDREC;
}

/* Fields that the call does not read must be zero, so that they can get a meaning later. */
static bool DVS_HOT vdvs_io_valid(unsigned int cmd, const struct dvs_io *io)
{
	if (io->id > DVS_ID_TASK || io->reserved[0] || io->reserved[1])
		return false;
	if (io->flags & ~vdvs_io_flags(cmd))
		return false;
	if (io->timeout_ms < DVS_TIMEOUT_FOREVER)
		return false;
	if (!vdvs_sends(cmd) && (io->send_buf || io->send_len))
		return false;
	if (!vdvs_receives(cmd) && (io->recv_buf || io->recv_len))
		return false;
	return !io->token || vdvs_takes_token(cmd, io);
}

static u32 vdvs_io_call_flags(const struct dvs_io *io)
{
	return (io->timeout_ms == DVS_TIMEOUT_NOWAIT ? DVS_CALL_NOWAIT : 0) |
	       (io->flags & DVS_IO_REQUESTS ? DVS_CALL_REQUESTS : 0);
}

static int vdvs_notify(struct vdvs_device *dev, struct dvs_call *call, struct dvs_ep *ep,
		       const struct dvs_io *io)
{
	struct dvs_addr to = { .nr = io->ep, .gen = io->generation };
	s64 value = io->flags & DVS_IO_VALUE ? (s64)io->token : DVS_NO_VALUE;
	s32 source = io->flags & DVS_IO_SOURCE ? io->from : DVS_SELF;

	return dvs_notify(dev->core, call, ep, to, source, value, vdvs_now());
}

/* Nobody else gets in between. */
static int DVS_HOT vdvs_reply_receive(struct vdvs_device *dev, struct dvs_call *call, struct dvs_ep *ep,
			      const struct dvs_io *io)
{
	struct dvs_addr client = { .nr = io->ep, .gen = io->generation };
	struct dvs_addr from = { .nr = io->from, .gen = io->from_generation };
	u64 now = vdvs_now();
	int result;

	/* What it does not know at once can only be which error it is. */
	result = dvs_reply(dev->core, call, ep, client, io->token, now);
	if (result)
		return result;
	return dvs_receive(dev->core, call, ep, from, vdvs_io_call_flags(io), now);
}

static int vdvs_relay(struct vdvs_device *dev, struct dvs_call *call, struct dvs_ep *ep,
		      const struct dvs_io *io)
{
	struct dvs_addr to = { .nr = io->ep, .gen = io->generation };
	struct dvs_addr client = { .nr = io->from, .gen = io->from_generation };

	return dvs_relay(dev->core, call, ep, client, io->token, to, vdvs_now());
}

static int DVS_HOT vdvs_io_call_core(struct vdvs_device *dev, struct vdvs_io_call *io_call,
			     struct dvs_ep *ep, u32 flags)
{
	const struct dvs_io *io = &io_call->io;
	struct dvs_addr peer = { .nr = io->ep, .gen = io->generation };
	struct dvs_call *call = &io_call->wait.call;
	u64 now = vdvs_now();

	switch (io_call->cmd) {
	case DVS_IOC_SEND:
		return dvs_send(dev->core, call, ep, peer, flags, now);
	case DVS_IOC_SENDREC:
		return dvs_sendrec(dev->core, call, ep, peer, flags, now);
	case DVS_IOC_RECEIVE:
		return dvs_receive(dev->core, call, ep, peer, flags, now);
	case DVS_IOC_REPLY:
		return dvs_reply(dev->core, call, ep, peer, io->token, now);
	case DVS_IOC_REPLY_RECEIVE:
		return vdvs_reply_receive(dev, call, ep, io);
	case DVS_IOC_RELAY:
		return vdvs_relay(dev, call, ep, io);
	default:
		return vdvs_notify(dev, call, ep, io);
	}
}

/* Starts the call; there is a core. `alone`: by a thread that waits for it. */
int DVS_HOT vdvs_io_start(struct vdvs_file *file, struct vdvs_io_call *call, bool alone)
{
	struct vdvs_holder *holder = vdvs_holder_of(file, call->io.id);
	u32 flags = vdvs_io_call_flags(&call->io);

	if (!holder || !holder->ep)
		return DVS_ENOTBIND;
	/* Only an administrator speaks in the name of others. */
	if (call->denied)
		return DVS_EPRIVILEGES;
	/* A device may want shorter messages than the core can do. */
	if (call->io.send_len > file->dev->info.max_message)
		call->wait.call.send_len = DVS_MSG_PAYLOAD_MAX + 1;
	if (alone && vdvs_holder_sole(file, holder))
		flags |= DVS_CALL_SOLE;
	return vdvs_io_call_core(file->dev, call, holder->ep, flags);
}

/*
 * Tells the outcome and returns what the ioctl does. The message goes out before
 * the struct, so that success is told last.
 */
long DVS_HOT vdvs_io_finish(struct vdvs_io_call *io_call, int result)
{
	const struct dvs_call *call = &io_call->wait.call;
	struct dvs_io *io = &io_call->io;

	io->result = result;
	if (vdvs_receives(io_call->cmd) && result == DVS_OK) {
		if (copy_to_user(u64_to_user_ptr(io->recv_buf), io_call->in,
				 min(call->recv_len, call->recv_cap)))
			return -EFAULT;
		io->recv_len = call->recv_len;
		io->token = call->token;
		io->from = call->peer.nr;
		io->from_generation = call->peer.gen;
		io->came = call->kind;
	}
	return copy_to_user(io_call->arg, io, sizeof(*io)) ? -EFAULT : 0;
}

/*
 * A receive buffer that is not there is found before anything is received: what
 * was taken from the queue could not be put back.
 */
static bool DVS_HOT vdvs_recv_buf_there(const struct dvs_io *io)
{
	const u8 __user *start = u64_to_user_ptr(io->recv_buf);
	size_t len = min_t(size_t, io->recv_len, DVS_MSG_PAYLOAD_MAX);
	u8 byte;

	static_assert(DVS_MSG_PAYLOAD_MAX <= PAGE_SIZE);
	if (len && (get_user(byte, start) || get_user(byte, start + len - 1)))
		return false;
	(void)byte;
	return true;
}

/* Reads the call from the caller's memory; 0 or a negative errno. */
int DVS_HOT vdvs_io_prepare(struct vdvs_io_call *call, unsigned int cmd, void __user *arg, bool nonblock)
{
	struct dvs_io *io = &call->io;

	call->wait = (struct vdvs_wait){};
	call->cmd = cmd;
	call->arg = arg;
	if (copy_from_user(io, arg, sizeof(*io)))
		return -EFAULT;
	if (!vdvs_io_valid(cmd, io))
		return -EINVAL;
	if (nonblock && cmd != DVS_IOC_SENDREC && vdvs_receives(cmd))
		io->timeout_ms = DVS_TIMEOUT_NOWAIT;
	/* Longer ones are refused once it is known whose they are. */
	if (copy_from_user(call->out, u64_to_user_ptr(io->send_buf),
			   min_t(size_t, io->send_len, sizeof(call->out))))
		return -EFAULT;
	if (!vdvs_recv_buf_there(io))
		return -EFAULT;
	call->denied = (io->flags & DVS_IO_SOURCE) && io->from != DVS_SELF &&
		       !capable(CAP_SYS_ADMIN);
	call->wait.call.send_buf = call->out;
	call->wait.call.send_len = io->send_len;
	call->wait.call.recv_buf = call->in;
	call->wait.call.recv_cap = min_t(u32, io->recv_len, sizeof(call->in));
	return 0;
}

static int DVS_HOT vdvs_io_begin(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	return vdvs_io_start(file, what, true);
}

/* The endpoint was moving, and has stayed: the call is made as if it were only now. */
static bool DVS_HOT vdvs_io_again(struct vdvs_file *file, struct vdvs_io_call *call,
				  s64 *timeout_ms, int *result)
{
	void *out = call->wait.call.send_buf, *in = call->wait.call.recv_buf;
	u32 len = call->io.send_len, cap = call->wait.call.recv_cap;

	if (likely(*result != DVS_EMIGRATE))
		return false;
	*result = vdvs_migrate_stay(file, call->io.id, timeout_ms);
	if (*result)
		return false;
	call->wait = (struct vdvs_wait){
		.call = {
			.send_buf = out, .send_len = len, .recv_buf = in, .recv_cap = cap,
		},
	};
	return true;
}

long DVS_HOT vdvs_call_io(struct vdvs_file *file, unsigned int cmd, void __user *arg, bool nonblock)
{
	struct vdvs_io_call call;
	s64 timeout_ms;
	int result, err;

	err = vdvs_io_prepare(&call, cmd, arg, nonblock);
	if (err)
		return err;
	timeout_ms = call.io.timeout_ms;
	do {
		call.wait.task = current;
		call.wait.spin_ns = &file->spin_ns;
		err = vdvs_run(file, &call.wait, timeout_ms, vdvs_io_begin, &call, &result);
	} while (!err && vdvs_io_again(file, &call, &timeout_ms, &result));
	return err ? err : vdvs_io_finish(&call, result);
}
