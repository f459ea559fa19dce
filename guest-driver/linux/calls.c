// SPDX-License-Identifier: GPL-2.0
/* virtio_dvs: from an ioctl to a call of the core and back. */

#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "virtio_dvs.h"

static_assert((int)DVS_KIND_MESSAGE == DVS_CAME_MESSAGE);
static_assert((int)DVS_KIND_REQUEST == DVS_CAME_REQUEST);
static_assert((int)DVS_KIND_NOTIFY == DVS_CAME_NOTIFY);
static_assert((int)DVS_KIND_REPLY == DVS_CAME_REPLY);
static_assert(DVS_ADDR_ANY == DVS_ANY);
static_assert(DVS_ADDR_NONE == DVS_NONE);
static_assert(DVS_ADDR_SELF == DVS_SELF);

/* Messages cross user space by these, so that the core never touches user memory. */
struct vdvs_message {
	u8 out[DVS_MSG_PAYLOAD_MAX];
	u8 in[DVS_MSG_PAYLOAD_MAX];
};

long vdvs_call_info(struct vdvs_file *file, void __user *arg)
{
	struct vdvs_device *dev = file->dev;
	struct dvs_info info;
	unsigned long flags;
	bool gone;

	vdvs_enter(dev, &flags);
	gone = !dev->core;
	info = dev->info;
	vdvs_leave(dev, &flags);
	if (gone)
		return -ENODEV;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* Takes the holder; 0, or a negative errno if the call could not be carried out. */
static int vdvs_bind_start(struct vdvs_file *file, struct vdvs_holder *holder,
			   struct vdvs_wait *wait, s32 ep, int *result)
{
	struct vdvs_device *dev = file->dev;
	unsigned long flags;
	int err = 0;

	vdvs_enter(dev, &flags);
	if (!dev->core) {
		err = -ENODEV;
		vdvs_holder_free(holder);
	} else if (!vdvs_holder_add(dev, holder, file)) {
		*result = DVS_EBUSY;
		vdvs_holder_free(holder);
	} else {
		wait->binding = holder;
		*result = dvs_bind(dev->core, &wait->call, ep, vdvs_now());
		if (*result != DVS_PENDING)
			vdvs_wait_done(dev, wait, *result);
	}
	vdvs_leave(dev, &flags);
	return err;
}

long vdvs_call_bind(struct vdvs_file *file, void __user *arg)
{
	struct vdvs_wait wait = { .task = current };
	struct vdvs_holder *holder;
	struct dvs_bind bind;
	int result, err;

	if (copy_from_user(&bind, arg, sizeof(bind)))
		return -EFAULT;
	if (bind.owner > DVS_BIND_THREAD || bind.reserved[0] || bind.reserved[1])
		return -EINVAL;
	holder = vdvs_holder_new(file, bind.owner);
	if (!holder)
		return -ENOMEM;
	err = vdvs_bind_start(file, holder, &wait, bind.ep, &result);
	if (err)
		return err;
	if (result == DVS_PENDING)
		result = vdvs_wait_for(file->dev, &wait, DVS_TIMEOUT_FOREVER);
	bind.result = result;
	bind.generation = result == DVS_OK ? wait.call.peer.gen : 0;
	return copy_to_user(arg, &bind, sizeof(bind)) ? -EFAULT : 0;
}

long vdvs_call_unbind(struct vdvs_file *file, void __user *arg)
{
	struct vdvs_device *dev = file->dev;
	struct vdvs_holder *holder;
	struct dvs_unbind unbind;
	unsigned long flags;
	bool gone;

	if (copy_from_user(&unbind, arg, sizeof(unbind)))
		return -EFAULT;
	if (unbind.id > DVS_ID_TASK || unbind.reserved[0] || unbind.reserved[1])
		return -EINVAL;
	unbind.result = DVS_ENOTBIND;
	vdvs_enter(dev, &flags);
	gone = !dev->core;
	holder = gone ? NULL : vdvs_holder_of(file, unbind.id);
	if (holder && holder->ep) {
		vdvs_holder_unbind(dev, holder);
		unbind.result = DVS_OK;
	}
	vdvs_leave(dev, &flags);
	if (gone)
		return -ENODEV;
	return copy_to_user(arg, &unbind, sizeof(unbind)) ? -EFAULT : 0;
}

static bool vdvs_sends(unsigned int cmd)
{
	return cmd == DVS_IOC_SEND || cmd == DVS_IOC_SENDREC || cmd == DVS_IOC_REPLY;
}

static bool vdvs_receives(unsigned int cmd)
{
	return cmd == DVS_IOC_RECEIVE || cmd == DVS_IOC_SENDREC;
}

/* Fields that the call does not read must be zero, so that they can get a meaning later. */
static bool vdvs_io_valid(unsigned int cmd, const struct dvs_io *io)
{
	if (io->id > DVS_ID_TASK || io->reserved[0] || io->reserved[1])
		return false;
	if (io->flags & ~(cmd == DVS_IOC_RECEIVE ? DVS_IO_REQUESTS : 0))
		return false;
	if (io->timeout_ms < DVS_TIMEOUT_FOREVER)
		return false;
	if (!vdvs_sends(cmd) && (io->send_buf || io->send_len))
		return false;
	if (!vdvs_receives(cmd) && (io->recv_buf || io->recv_len))
		return false;
	return cmd == DVS_IOC_REPLY || cmd == DVS_IOC_RECEIVE || !io->token;
}

static int vdvs_io_start(struct vdvs_device *dev, struct vdvs_wait *wait, struct dvs_ep *ep,
			 unsigned int cmd, const struct dvs_io *io)
{
	u32 nowait = io->timeout_ms == DVS_TIMEOUT_NOWAIT ? DVS_CALL_NOWAIT : 0;
	u32 requests = io->flags & DVS_IO_REQUESTS ? DVS_CALL_REQUESTS : 0;
	struct dvs_addr peer = { .nr = io->ep, .gen = io->generation };
	struct dvs_call *call = &wait->call;
	u64 now = vdvs_now();

	switch (cmd) {
	case DVS_IOC_SEND:
		return dvs_send(dev->core, call, ep, peer, nowait, now);
	case DVS_IOC_SENDREC:
		return dvs_sendrec(dev->core, call, ep, peer, nowait, now);
	case DVS_IOC_RECEIVE:
		return dvs_receive(dev->core, call, ep, peer, nowait | requests, now);
	case DVS_IOC_REPLY:
		return dvs_reply(dev->core, call, ep, peer, io->token, now);
	default:
		return dvs_notify(dev->core, call, ep, peer, now);
	}
}

static int vdvs_io_run(struct vdvs_file *file, struct vdvs_wait *wait, unsigned int cmd,
		       struct dvs_io *io)
{
	struct vdvs_device *dev = file->dev;
	unsigned long flags;
	struct dvs_ep *ep;
	int result = DVS_ENOTBIND;
	bool gone;

	vdvs_enter(dev, &flags);
	gone = !dev->core;
	ep = gone ? NULL : vdvs_endpoint_of(file, io->id);
	if (ep && io->send_len > dev->info.max_message)
		result = DVS_EMSGSIZE;
	else if (ep)
		result = vdvs_io_start(dev, wait, ep, cmd, io);
	vdvs_leave(dev, &flags);
	if (gone)
		return -ENODEV;
	if (result == DVS_PENDING)
		result = vdvs_wait_for(dev, wait, io->timeout_ms);
	io->result = result;
	return 0;
}

/* The message goes out before the struct, so that success is told last. */
static long vdvs_io_finish(const struct vdvs_wait *wait, unsigned int cmd, struct dvs_io *io,
			   const struct vdvs_message *message, void __user *arg)
{
	const struct dvs_call *call = &wait->call;

	if (vdvs_receives(cmd) && io->result == DVS_OK) {
		if (copy_to_user(u64_to_user_ptr(io->recv_buf), message->in,
				 min(call->recv_len, call->recv_cap)))
			return -EFAULT;
		io->recv_len = call->recv_len;
		io->token = call->token;
		io->from = call->peer.nr;
		io->from_generation = call->peer.gen;
		io->came = call->kind;
	}
	return copy_to_user(arg, io, sizeof(*io)) ? -EFAULT : 0;
}

/*
 * A receive buffer that is not there is found before anything is received: what
 * was taken from the queue could not be put back.
 */
static bool vdvs_recv_buf_there(const struct dvs_io *io)
{
	size_t len = min_t(size_t, io->recv_len, DVS_MSG_PAYLOAD_MAX);

	return !fault_in_readable(u64_to_user_ptr(io->recv_buf), len);
}

long vdvs_call_io(struct vdvs_file *file, unsigned int cmd, void __user *arg, bool nonblock)
{
	struct vdvs_wait wait = { .task = current };
	struct vdvs_message message;
	struct dvs_io io;
	int err;

	if (copy_from_user(&io, arg, sizeof(io)))
		return -EFAULT;
	if (!vdvs_io_valid(cmd, &io))
		return -EINVAL;
	if (nonblock && cmd == DVS_IOC_RECEIVE)
		io.timeout_ms = DVS_TIMEOUT_NOWAIT;
	/* Longer ones are refused once it is known whose they are. */
	if (copy_from_user(message.out, u64_to_user_ptr(io.send_buf),
			   min_t(size_t, io.send_len, sizeof(message.out))))
		return -EFAULT;
	if (!vdvs_recv_buf_there(&io))
		return -EFAULT;
	wait.call.send_buf = message.out;
	wait.call.send_len = io.send_len;
	wait.call.recv_buf = message.in;
	wait.call.recv_cap = min_t(u32, io.recv_len, sizeof(message.in));
	err = vdvs_io_run(file, &wait, cmd, &io);
	if (err)
		return err;
	return vdvs_io_finish(&wait, cmd, &io, &message, arg);
}
