// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: the wait of a thread for its call.
 *
 * A thread that wants to leave (its time is over, or it got a signal) asks the
 * core. If the receiver has to decide, it gets a short grace; the thread then
 * leaves whatever the receiver does. A killed thread leaves at once.
 */

#include <linux/sched/signal.h>

#include "virtio_dvs.h"

/* Bounds the wait of a call that must not wait, when the other VM says nothing. */
#define VDVS_NOWAIT_NS		DVS_CANCEL_GRACE_NS
#define VDVS_SLEEP		(TASK_INTERRUPTIBLE | TASK_FREEZABLE)

/*
 * The call has ended, by the core's wake or by the result of a starting
 * function; inside vdvs_enter. `wait` is the waiter's again once it is marked.
 */
void vdvs_wait_done(struct vdvs_device *dev, struct vdvs_wait *wait, int result)
{
	struct task_struct *task = wait->task;
	struct vdvs_holder *holder = wait->binding;

	if (holder && result == DVS_OK) {
		holder->ep = wait->call.ep;
		dvs_ep_set_owner(holder->ep, holder);
		/* What came before it had an owner has woken nobody who polls. */
		if (dvs_ep_readable(holder->ep))
			vdvs_readable(dev, holder->ep);
		wake_up_all(&dev->owners);
	} else if (holder) {
		vdvs_holder_remove(dev, holder);
	}
	wait->result = result;
	if (wait->ended) {
		wait->done = true;
		wait->ended(dev, wait);
		return;
	}
	/* Pairs with the acquire of vdvs_sleep. */
	smp_store_release(&wait->done, true);
	/* The task may be gone from here on; the RCU read section keeps its memory. */
	wake_up_process(task);
}

/* 0: the call is done; else why the thread stopped waiting. `until`: NULL for ever. */
static int vdvs_sleep(struct vdvs_wait *wait, unsigned int state, ktime_t *until)
{
	bool late = false;
	int why;

	for (;;) {
		set_current_state(state);
		why = DVS_OK;
		/* Pairs with the release of vdvs_wait_done. */
		if (smp_load_acquire(&wait->done))
			break;
		why = DVS_EINTR;
		if (signal_pending_state(state, current))
			break;
		why = DVS_ETIMEDOUT;
		if (late)
			break;
		late = !schedule_hrtimeout_range(until, current->timer_slack_ns, HRTIMER_MODE_ABS);
	}
	__set_current_state(TASK_RUNNING);
	return why;
}

/* Leaves the call; true if it goes on for the receiver to decide. */
static bool vdvs_cancel(struct vdvs_device *dev, struct vdvs_wait *wait, int why)
{
	int result = DVS_PENDING;
	unsigned long flags;
	bool pending;

	vdvs_enter(dev, &flags);
	/* A call that is not done has its core: a stop ends all. */
	if (!wait->done) {
		result = dvs_call_cancel(dev->core, &wait->call, why, vdvs_now());
		if (result == DVS_PENDING && fatal_signal_pending(current))
			result = dvs_call_abandon(dev->core, &wait->call, vdvs_now());
		if (result != DVS_PENDING)
			vdvs_wait_done(dev, wait, result);
	}
	pending = !wait->done;
	vdvs_leave(dev, &flags);
	return pending;
}

static void vdvs_abandon(struct vdvs_device *dev, struct vdvs_wait *wait)
{
	unsigned long flags;

	vdvs_enter(dev, &flags);
	if (!wait->done)
		vdvs_wait_done(dev, wait, dvs_call_abandon(dev->core, &wait->call, vdvs_now()));
	vdvs_leave(dev, &flags);
}

ktime_t vdvs_deadline(s64 timeout_ms)
{
	if (timeout_ms == DVS_TIMEOUT_NOWAIT)
		return ktime_add_ns(ktime_get(), VDVS_NOWAIT_NS);
	if (timeout_ms > KTIME_MAX / NSEC_PER_MSEC)
		return KTIME_MAX;
	return ktime_add_safe(ktime_get(), ms_to_ktime(timeout_ms));
}

/* Waits for a call that the core keeps; returns its result. Outside vdvs_enter. */
int vdvs_wait_for(struct vdvs_device *dev, struct vdvs_wait *wait, s64 timeout_ms)
{
	bool bounded = timeout_ms != DVS_TIMEOUT_FOREVER;
	ktime_t until = bounded ? vdvs_deadline(timeout_ms) : KTIME_MAX;
	int why;

	why = vdvs_sleep(wait, VDVS_SLEEP, bounded ? &until : NULL);
	if (why && vdvs_cancel(dev, wait, why)) {
		until = ktime_add_ns(ktime_get(), DVS_CANCEL_GRACE_NS);
		if (vdvs_sleep(wait, TASK_KILLABLE, &until))
			vdvs_abandon(dev, wait);
	}
	if (timeout_ms == DVS_TIMEOUT_NOWAIT && wait->result == DVS_ETIMEDOUT)
		return DVS_EAGAIN;
	return wait->result;
}

int vdvs_run(struct vdvs_file *file, struct vdvs_wait *wait, s64 timeout_ms,
	     vdvs_start_fn *start, void *what, s32 *result)
{
	struct vdvs_device *dev = file->dev;
	unsigned long flags;
	bool gone;

	vdvs_enter(dev, &flags);
	gone = !dev->core;
	if (!gone)
		*result = start(file, wait, what);
	vdvs_leave(dev, &flags);
	if (gone)
		return -ENODEV;
	if (*result == DVS_PENDING)
		*result = vdvs_wait_for(dev, wait, timeout_ms);
	return 0;
}
