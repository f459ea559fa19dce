// SPDX-License-Identifier: GPL-2.0
/* virtio_dvs: the actions of the core. All run inside vdvs_enter. */

#include <linux/poll.h>

#include "virtio_dvs.h"

static void DVS_HOT vdvs_wake(void *ctx, struct dvs_call *call)
{
	struct vdvs_wait *wait = container_of(call, struct vdvs_wait, call);

	vdvs_wait_done(ctx, wait, call->result);
}

void vdvs_readable(void *ctx, struct dvs_ep *ep)
{
	struct vdvs_holder *holder = dvs_ep_owner(ep);
	struct vdvs_device *dev = ctx;
	wait_queue_head_t *pollers;

	if (!holder)
		return;
	pollers = holder->file ? &holder->file->pollers : &dev->pollers;
	wake_up_poll(pollers, EPOLLIN | EPOLLRDNORM);
}

static int vdvs_transmit(void *ctx, dvs_u32 slot, dvs_u32 len)
{
	struct vdvs_device *dev = ctx;

	return vdvs_tx_add(&dev->queues, slot, len);
}

static int vdvs_reusable(void *ctx, dvs_u32 slot)
{
	struct vdvs_device *dev = ctx;

	return vdvs_tx_free(&dev->queues.tx, slot);
}

static int vdvs_control(void *ctx, const struct dvs_ctl_request *request)
{
	struct vdvs_device *dev = ctx;

	return vdvs_control_add(&dev->queues, request);
}

/*
 * The timer is not moved to a later time: it fires at the earlier one and
 * looks again. Traffic that keeps putting the core's timer off so costs nothing.
 */
static void vdvs_timer_arm(struct vdvs_device *dev)
{
	if (dev->timer_wanted >= dev->timer_armed)
		return;
	dev->timer_armed = dev->timer_wanted;
	mod_timer(&dev->timer, DIV_ROUND_UP_ULL(dev->timer_armed, TICK_NSEC));
}

static void vdvs_timer_set(void *ctx, dvs_u64 at_ns)
{
	struct vdvs_device *dev = ctx;

	dev->timer_wanted = at_ns;
	vdvs_timer_arm(dev);
}

void vdvs_timer(struct timer_list *timer)
{
	struct vdvs_device *dev = container_of(timer, struct vdvs_device, timer);
	unsigned long flags;
	u64 now;

	vdvs_enter(dev, &flags);
	dev->timer_armed = U64_MAX;
	dev->count.timer++;
	if (dev->core) {
		now = vdvs_now();
		if (dev->timer_wanted <= now) {
			dev->timer_wanted = U64_MAX;
			dvs_core_timer(dev->core, now);
		}
		vdvs_timer_arm(dev);
	}
	vdvs_leave(dev, &flags);
}

static void vdvs_describe(void *ctx, struct dvs_ep *ep, struct dvs_endpoint_state *state)
{
	struct vdvs_holder *holder = dvs_ep_owner(ep);
	struct task_struct *task;

	if (!holder)
		return;
	if (holder->process)
		state->misc |= DVS_MIS_GRPLEADER;
	if (holder->flags & DVS_BIND_BACKUP)
		state->misc |= DVS_MIS_RMTBACKUP;
	if (holder->flags & DVS_BIND_REPLICA)
		state->misc |= DVS_MIS_REPLICATED;
	state->pid = pid_nr(holder->shown);
	task = holder->thread ? holder->thread : pid_task(holder->shown, PIDTYPE_TGID);
	/* Without the task's own lock, which may not be taken here: a name that just changes is mixed. */
	if (task)
		strscpy_pad((char *)state->name, task->comm, sizeof(state->name));
}

/* The core gave an endpoint up by itself, or lost it: its holder has none any more. */
static void vdvs_released(void *ctx, struct dvs_ep *ep)
{
	struct vdvs_holder *holder = dvs_ep_owner(ep);

	if (holder)
		vdvs_holder_remove(ctx, holder);
}

static int vdvs_bulk_transmit(void *ctx, dvs_u32 slot, struct dvs_side *side, dvs_u64 offset,
			      dvs_u32 len)
{
	return vdvs_bulk_add(ctx, slot, side, offset, len);
}

static int vdvs_bulk_reusable(void *ctx, dvs_u32 slot)
{
	struct vdvs_device *dev = ctx;

	return vdvs_tx_free(&dev->queues.bulk_tx, slot);
}

const struct dvs_ops vdvs_ops = {
	.wake = vdvs_wake,
	.readable = vdvs_readable,
	.transmit = vdvs_transmit,
	.reusable = vdvs_reusable,
	.control = vdvs_control,
	.timer = vdvs_timer_set,
	.describe = vdvs_describe,
	.released = vdvs_released,
	.bulk_transmit = vdvs_bulk_transmit,
	.bulk_reusable = vdvs_bulk_reusable,
	.copy_open = vdvs_copy_open,
	.copy_close = vdvs_copy_close,
	.copy_run = vdvs_copy_run,
	.unlent = vdvs_unlent,
};
