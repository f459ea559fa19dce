// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: the wait of a thread for its call.
 *
 * A thread that wants to leave (its time is over, or it got a signal) asks the
 * core. If the receiver has to decide, it gets a short grace; the thread then
 * leaves whatever the receiver does. A killed thread leaves at once.
 */

#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>

#include "virtio_dvs.h"

/* Bounds the wait of a call that must not wait, when the other VM says nothing. */
#define VDVS_NOWAIT_NS		DVS_CANCEL_GRACE_NS
#define VDVS_SLEEP		(TASK_INTERRUPTIBLE | TASK_FREEZABLE)

/*
 * The call has ended, by the core's wake or by the result of a starting
 * function; inside vdvs_enter. `wait` is the waiter's again once it is marked.
 */
void DVS_HOT vdvs_wait_done(struct vdvs_device *dev, struct vdvs_wait *wait, int result)
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
	/* Pairs with the acquire of vdvs_done. */
	smp_store_release(&wait->done, true);
	/* The task may be gone from here on; the RCU read section keeps its memory. */
	wake_up_process(task);
}

/*
 * A partner on another CPU often answers sooner than two wake-ups take, each of
 * which makes a vCPU exit. So a call may spin before it sleeps, as KVM does
 * before it halts a vCPU (halt_poll_ns): while nothing else wants this CPU, and
 * for as long as was worth while in the last calls by the same file.
 */
static unsigned int spin_us = 200;
module_param(spin_us, uint, 0644);
MODULE_PARM_DESC(spin_us, "longest time in us for which a call spins before it sleeps, at most 1000; 0: never");

#define VDVS_SPIN_MAX_US	1000
#define VDVS_SPIN_FIRST_NS	10000

static u32 DVS_HOT vdvs_spin_limit(void)
{
	return min_t(u32, READ_ONCE(spin_us), VDVS_SPIN_MAX_US) * NSEC_PER_USEC;
}

static bool vdvs_done(const struct vdvs_wait *wait)
{
	/* Pairs with the release of vdvs_wait_done. */
	return smp_load_acquire(&wait->done);
}

static bool DVS_HOT vdvs_alone(void)
{
	return single_task_running() && !need_resched();
}

/* True if the call is done. */
static bool DVS_HOT vdvs_spin(struct vdvs_wait *wait, u64 started)
{
	u32 limit = min(READ_ONCE(*wait->spin_ns), vdvs_spin_limit());

	while (!vdvs_done(wait)) {
		if (!limit || !vdvs_alone() || signal_pending(current) ||
		    ktime_get_ns() - started >= limit)
			return false;
		cpu_relax();
	}
	return true;
}

/* The call had to sleep: would it have ended soon, had nobody slept? */
static void DVS_HOT vdvs_spin_learn(struct vdvs_wait *wait, u64 started)
{
	u32 limit = vdvs_spin_limit();
	u32 longer = max_t(u32, 2 * READ_ONCE(*wait->spin_ns), VDVS_SPIN_FIRST_NS);

	if (ktime_get_ns() - started > 2 * (u64)limit)
		longer = 0;
	WRITE_ONCE(*wait->spin_ns, min(longer, limit));
}

/* 0: the call is done; else why the thread stopped waiting. `until`: NULL for ever. */
static int DVS_HOT vdvs_sleep(struct vdvs_wait *wait, unsigned int state, ktime_t *until)
{
	bool late = false;
	int why;

	for (;;) {
		set_current_state(state);
		why = DVS_OK;
		if (vdvs_done(wait))
			break;
		why = DVS_EINTR;
		if (signal_pending_state(state, current))
			break;
		why = DVS_ETIMEDOUT;
		if (late)
			break;
		if (until)
			late = !schedule_hrtimeout_range(until, current->timer_slack_ns,
							 HRTIMER_MODE_ABS);
		else
			schedule();
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

/* The first wait of a call: it need not be a sleep. Results as vdvs_sleep. */
static int DVS_HOT vdvs_wait_first(struct vdvs_wait *wait, ktime_t *until)
{
	bool spins;
	u64 started;
	int why;

	/* If this call has woken its partner here, that may run first, and end the call. */
	cond_resched();
	if (vdvs_done(wait))
		return DVS_OK;
	spins = wait->spin_ns && vdvs_alone();
	if (!spins)
		return vdvs_sleep(wait, VDVS_SLEEP, until);
	started = ktime_get_ns();
	if (vdvs_spin(wait, started))
		return DVS_OK;
	why = vdvs_sleep(wait, VDVS_SLEEP, until);
	vdvs_spin_learn(wait, started);
	return why;
}

/* Waits for a call that the core keeps; returns its result. Outside vdvs_enter. */
int DVS_HOT vdvs_wait_for(struct vdvs_device *dev, struct vdvs_wait *wait, s64 timeout_ms)
{
	bool bounded = timeout_ms != DVS_TIMEOUT_FOREVER;
	ktime_t until = bounded ? vdvs_deadline(timeout_ms) : KTIME_MAX;
	int why;

	why = vdvs_wait_first(wait, bounded ? &until : NULL);
	if (why && vdvs_cancel(dev, wait, why)) {
		until = ktime_add_ns(ktime_get(), DVS_CANCEL_GRACE_NS);
		why = vdvs_sleep(wait, TASK_KILLABLE, &until);
		/* The directory decides about this one: it may already have it. */
		if (why == DVS_ETIMEDOUT && dvs_adopt_undecided(&wait->call))
			why = vdvs_sleep(wait, TASK_KILLABLE, NULL);
		if (why)
			vdvs_abandon(dev, wait);
	}
	if (timeout_ms == DVS_TIMEOUT_NOWAIT && wait->result == DVS_ETIMEDOUT)
		return DVS_EAGAIN;
	return wait->result;
}

int DVS_HOT vdvs_run(struct vdvs_file *file, struct vdvs_wait *wait, s64 timeout_ms,
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
