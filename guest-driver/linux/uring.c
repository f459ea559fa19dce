// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: the calls with messages by io_uring: cmd_op is the ioctl's number, the
 * command area holds the address of struct dvs_io, the result is what the ioctl
 * returns. No thread waits for them.
 *
 * They end like any call, or when their thread exits or their program closes the
 * file. io_uring of these kernels does not tell that it wants a command to end, so that
 * is looked for while there are commands: the ring is being closed, or its program
 * is in exec, which waits for them.
 */

#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "virtio_dvs.h"

#if VDVS_URING

#include <linux/io_uring.h>
#include <linux/io_uring_types.h>

#define VDVS_SCAN_INTERVAL	(HZ / 4)

struct vdvs_async {
	struct vdvs_io_call call;
	struct io_uring_cmd *cmd;
	struct vdvs_device *dev;
	struct vdvs_file *file;		/* which the command holds */
	fl_owner_t owner;
	struct list_head link;		/* in vdvs_device.async, until the call is done */
	struct hrtimer timer;
	bool leaving;			/* its time is over, the receiver has to decide */
};

static struct vdvs_async **vdvs_async_of(struct io_uring_cmd *cmd)
{
	BUILD_BUG_ON(sizeof(struct vdvs_async *) > sizeof(cmd->pdu));
	return (struct vdvs_async **)cmd->pdu;
}

/* Also where a thread of the program completes for one that has gone: there is no memory to write. */
static long vdvs_async_finish(struct vdvs_async *async, int result)
{
	if (!current->mm)
		return -ECANCELED;
	if (async->call.io.timeout_ms == DVS_TIMEOUT_NOWAIT && result == DVS_ETIMEDOUT)
		result = DVS_EAGAIN;
	return vdvs_io_finish(&async->call, result);
}

static void vdvs_async_free(struct vdvs_async *async)
{
	mmdrop(async->call.wait.mm);
	kfree(async);
}

/* In the program's own task, which may write to its memory. */
static void vdvs_async_complete(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct vdvs_async *async = *vdvs_async_of(cmd);
	long ret;

	hrtimer_cancel(&async->timer);
	ret = vdvs_async_finish(async, async->call.wait.result);
	vdvs_async_free(async);
	io_uring_cmd_done(cmd, ret, 0, issue_flags);
}

static void vdvs_async_ended(struct vdvs_device *dev, struct vdvs_wait *wait)
{
	struct vdvs_async *async = container_of(wait, struct vdvs_async, call.wait);

	list_del(&async->link);
	io_uring_cmd_complete_in_task(async->cmd, vdvs_async_complete);
}

/* Its time is over, and maybe the grace for the receiver as well. */
static enum hrtimer_restart vdvs_async_timer(struct hrtimer *timer)
{
	struct vdvs_async *async = container_of(timer, struct vdvs_async, timer);
	enum hrtimer_restart restart = HRTIMER_NORESTART;
	struct vdvs_wait *wait = &async->call.wait;
	struct vdvs_device *dev = async->dev;
	unsigned long flags;
	int result;

	vdvs_enter(dev, &flags);
	if (!wait->done) {
		result = async->leaving ?
			 dvs_call_abandon(dev->core, &wait->call, vdvs_now()) :
			 dvs_call_cancel(dev->core, &wait->call, DVS_ETIMEDOUT, vdvs_now());
		async->leaving = true;
		if (result != DVS_PENDING) {
			vdvs_wait_done(dev, wait, result);
		} else {
			hrtimer_forward_now(timer, ns_to_ktime(DVS_CANCEL_GRACE_NS));
			restart = HRTIMER_RESTART;
		}
	}
	vdvs_leave(dev, &flags);
	return restart;
}

/* Nobody is left to wait for it. */
static void vdvs_async_cancel(struct vdvs_async *async)
{
	struct vdvs_wait *wait = &async->call.wait;
	int result = dvs_call_cancel(async->dev->core, &wait->call, DVS_EINTR, vdvs_now());

	if (result == DVS_PENDING)
		result = dvs_call_abandon(async->dev->core, &wait->call, vdvs_now());
	vdvs_wait_done(async->dev, wait, result);
}

/* Inside vdvs_enter, with the call pending: from now on it may end at any time. */
static void vdvs_async_keep(struct vdvs_async *async)
{
	struct vdvs_device *dev = async->dev;

	async->call.wait.ended = vdvs_async_ended;
	list_add(&async->link, &dev->async);
	schedule_delayed_work(&dev->async_scan, VDVS_SCAN_INTERVAL);
	if (async->call.io.timeout_ms != DVS_TIMEOUT_FOREVER)
		hrtimer_start(&async->timer, vdvs_deadline(async->call.io.timeout_ms),
			      HRTIMER_MODE_ABS);
}

static int vdvs_async_start(struct vdvs_async *async)
{
	struct vdvs_device *dev = async->dev;
	unsigned long flags;
	bool gone, kept = false;
	int result = DVS_OK;
	long ret;

	vdvs_enter(dev, &flags);
	gone = !dev->core;
	if (!gone) {
		result = vdvs_io_start(async->file, &async->call, false);
		kept = result == DVS_PENDING;
		if (kept)
			vdvs_async_keep(async);
	}
	vdvs_leave(dev, &flags);
	if (kept)
		return -EIOCBQUEUED;
	ret = gone ? -ENODEV : vdvs_async_finish(async, result);
	vdvs_async_free(async);
	return ret;
}

static bool vdvs_is_io(u32 cmd)
{
	switch (cmd) {
	case DVS_IOC_SEND:
	case DVS_IOC_RECEIVE:
	case DVS_IOC_SENDREC:
	case DVS_IOC_REPLY:
	case DVS_IOC_NOTIFY:
	case DVS_IOC_REPLY_RECEIVE:
	case DVS_IOC_RELAY:
		return true;
	default:
		return false;
	}
}

int vdvs_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	bool nonblock = cmd->file->f_flags & O_NONBLOCK;
	const u64 *area = cmd->cmd;
	u64 address = READ_ONCE(area[0]);
	struct vdvs_async *async;
	int err;

	if (issue_flags & IO_URING_F_IOPOLL)
		return -EOPNOTSUPP;
	if (!vdvs_is_io(cmd->cmd_op))
		return -ENOTTY;
	if (READ_ONCE(area[1]))
		return -EINVAL;
	async = kmalloc(sizeof(*async), GFP_KERNEL_ACCOUNT);
	if (!async)
		return -ENOMEM;
	async->cmd = cmd;
	async->file = cmd->file->private_data;
	async->dev = async->file->dev;
	async->owner = current->files;
	async->leaving = false;
	hrtimer_init(&async->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	async->timer.function = vdvs_async_timer;
	*vdvs_async_of(cmd) = async;
	err = vdvs_io_prepare(&async->call, cmd->cmd_op, u64_to_user_ptr(address), nonblock);
	if (err) {
		kfree(async);
		return err;
	}
	/* Copies may use it while the call waits. */
	async->call.wait.mm = current->mm;
	mmgrab(current->mm);
	return vdvs_async_start(async);
}

static struct task_struct *vdvs_async_task(const struct vdvs_async *async)
{
	return cmd_to_io_kiocb(async->cmd)->task;
}

static struct vdvs_async *vdvs_async_of_task(struct vdvs_device *dev, struct task_struct *task)
{
	struct vdvs_async *async;

	list_for_each_entry(async, &dev->async, link)
		if (vdvs_async_task(async) == task)
			return async;
	return NULL;
}

void vdvs_uring_exit(struct vdvs_device *dev, struct task_struct *task)
{
	struct vdvs_async *async;

	while ((async = vdvs_async_of_task(dev, task)))
		vdvs_async_cancel(async);
}

static struct vdvs_async *vdvs_async_of_file(struct vdvs_file *file, fl_owner_t owner)
{
	struct vdvs_async *async;

	list_for_each_entry(async, &file->dev->async, link)
		if (async->file == file && async->owner == owner)
			return async;
	return NULL;
}

void vdvs_uring_flush(struct vdvs_file *file, fl_owner_t owner)
{
	struct vdvs_device *dev = file->dev;
	struct vdvs_async *async;
	unsigned long flags;

	vdvs_enter(dev, &flags);
	while ((async = vdvs_async_of_file(file, owner)))
		vdvs_async_cancel(async);
	vdvs_leave(dev, &flags);
}

/* Does io_uring wait for the end of this one? */
static bool vdvs_async_unwanted(const struct vdvs_async *async)
{
	return percpu_ref_is_dying(&cmd_to_io_kiocb(async->cmd)->ctx->refs) ||
	       vdvs_async_task(async)->in_execve;
}

static struct vdvs_async *vdvs_async_find_unwanted(struct vdvs_device *dev)
{
	struct vdvs_async *async;

	list_for_each_entry(async, &dev->async, link)
		if (vdvs_async_unwanted(async))
			return async;
	return NULL;
}

void vdvs_uring_scan(struct work_struct *work)
{
	struct vdvs_device *dev = container_of(to_delayed_work(work), struct vdvs_device,
					       async_scan);
	struct vdvs_async *async;
	unsigned long flags;

	vdvs_enter(dev, &flags);
	while ((async = vdvs_async_find_unwanted(dev)))
		vdvs_async_cancel(async);
	if (!list_empty(&dev->async))
		schedule_delayed_work(&dev->async_scan, VDVS_SCAN_INTERVAL);
	vdvs_leave(dev, &flags);
}

#else

void vdvs_uring_exit(struct vdvs_device *dev, struct task_struct *task)
{
}

void vdvs_uring_flush(struct vdvs_file *file, fl_owner_t owner)
{
}

void vdvs_uring_scan(struct work_struct *work)
{
}

#endif
