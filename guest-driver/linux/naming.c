// SPDX-License-Identifier: GPL-2.0
/* virtio_dvs: who has which endpoint: the calls that bind, unbind, wait for that and tell it. */

#include <linux/capability.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "virtio_dvs.h"

long vdvs_call_info(struct vdvs_file *file, void __user *arg)
{
	struct vdvs_device *dev = file->dev;
	struct dvs_info info;
	unsigned long flags;
	bool gone;

	vdvs_enter(dev, &flags);
	gone = !dev->core;
	info = dev->info;
	if (!gone)
		info.incarnation = dvs_core_incarnation(dev->core);
	vdvs_leave(dev, &flags);
	if (gone)
		return -ENODEV;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* What concerns other processes is for administrators, of VMs that the host lets have one. */
static bool vdvs_administers(const struct vdvs_file *file)
{
	return capable(CAP_SYS_ADMIN) && (file->dev->info.features & DVS_INFO_ADMIN);
}

/* ---- bind ---- */

static bool vdvs_exits(const struct vdvs_holder *holder)
{
	struct task_struct *task;

	if (!holder->process)
		return false;
	task = pid_task(holder->process, PIDTYPE_TGID);
	return !task || !atomic_read(&task->signal->live);
}

/* Takes the holder. */
static int vdvs_bind_start(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	struct vdvs_device *dev = file->dev;
	struct vdvs_holder *holder = wait->binding;
	const struct dvs_bind *bind = what;
	int result;

	if (!vdvs_holder_add(dev, holder, file)) {
		wait->binding = NULL;
		vdvs_holder_free(holder);
		return DVS_EBUSY;
	}
	/* Of one that exits later the exit is noticed. */
	result = vdvs_exits(holder) ? DVS_EBADPID :
		 dvs_bind(dev->core, &wait->call, bind->ep, vdvs_now());
	if (result != DVS_PENDING)
		vdvs_wait_done(dev, wait, result);
	return result;
}

/* The process may have exited before the endpoint was its own. */
static int vdvs_bind_settle(struct vdvs_device *dev, struct pid *process)
{
	struct vdvs_holder *holder;
	int result = DVS_OK;
	unsigned long flags;

	vdvs_enter(dev, &flags);
	holder = dev->core ? vdvs_process_find(dev, process) : NULL;
	if (holder && holder->over && holder->ep) {
		vdvs_holder_unbind(dev, holder);
		result = DVS_EBADPID;
	}
	vdvs_leave(dev, &flags);
	return result;
}

static int vdvs_bind_run(struct vdvs_file *file, struct dvs_bind *bind, struct vdvs_holder *holder)
{
	struct vdvs_wait wait = { .task = current, .binding = holder };
	struct pid *process = get_pid(holder->process);
	int err;

	err = vdvs_run(file, &wait, DVS_TIMEOUT_FOREVER, vdvs_bind_start, bind, &bind->result);
	if (err)
		vdvs_holder_free(holder);
	else if (process && bind->result == DVS_OK)
		bind->result = vdvs_bind_settle(file->dev, process);
	bind->generation = !err && bind->result == DVS_OK ? wait.call.peer.gen : 0;
	put_pid(process);
	return err;
}

long vdvs_call_bind(struct vdvs_file *file, void __user *arg)
{
	struct vdvs_holder *holder;
	struct dvs_bind bind;
	int err;

	if (copy_from_user(&bind, arg, sizeof(bind)))
		return -EFAULT;
	if (bind.owner > DVS_BIND_PID || bind.reserved ||
	    (bind.pid && bind.owner != DVS_BIND_PID) ||
	    bind.flags & ~(DVS_BIND_BACKUP | DVS_BIND_REPLICA))
		return -EINVAL;
	bind.generation = 0;
	if (bind.owner == DVS_BIND_PID && !vdvs_administers(file)) {
		bind.result = DVS_EPRIVILEGES;
		return copy_to_user(arg, &bind, sizeof(bind)) ? -EFAULT : 0;
	}
	holder = vdvs_holder_new(file, &bind);
	err = PTR_ERR_OR_ZERO(holder);
	if (!err) {
		err = vdvs_bind_run(file, &bind, holder);
	} else if (err == -ESRCH) {
		bind.result = DVS_EBADPID;
		err = 0;
	}
	if (err)
		return err;
	return copy_to_user(arg, &bind, sizeof(bind)) ? -EFAULT : 0;
}

/* ---- unbind ---- */

struct vdvs_leave {
	const struct dvs_unbind *unbind;
	struct pid *process;	/* out: is to be told to leave */
};

static int vdvs_unbind_start(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	const struct vdvs_leave *leave = what;
	struct vdvs_holder *holder = vdvs_holder_of(file, leave->unbind->id);

	if (!holder || !holder->ep)
		return DVS_ENOTBIND;
	if (!dvs_ep_may(holder->ep, DVS_MAY_UNBIND))
		return DVS_EBADCALL;
	vdvs_holder_unbind(file->dev, holder);
	return DVS_OK;
}

/* Another process gives its endpoint up by leaving; a file's is taken away. */
static int vdvs_unbind_number(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	struct vdvs_device *dev = file->dev;
	struct vdvs_leave *leave = what;
	struct dvs_ep *ep = dvs_ep_find(dev->core, leave->unbind->ep);
	struct vdvs_holder *holder = ep ? dvs_ep_owner(ep) : NULL;

	if (!holder)
		return DVS_ENOTBIND;
	dvs_ep_shutdown(dev->core, ep, vdvs_now());
	if (holder->file || holder == vdvs_holder_of(file, DVS_ID_TASK)) {
		vdvs_holder_unbind(dev, holder);
		return DVS_OK;
	}
	leave->process = get_pid(holder->shown);
	return dvs_await_unbind(dev->core, &wait->call, NULL, leave->unbind->ep, vdvs_now());
}

static int vdvs_unbind_run(struct vdvs_file *file, struct dvs_unbind *unbind)
{
	struct vdvs_leave leave = { .unbind = unbind };
	struct vdvs_wait wait = { .task = current };
	unsigned long flags;
	int result = DVS_OK;
	bool gone;

	vdvs_enter(file->dev, &flags);
	gone = !file->dev->core;
	if (!gone)
		result = unbind->id == DVS_ID_NUMBER ? vdvs_unbind_number(file, &wait, &leave) :
						       vdvs_unbind_start(file, &wait, &leave);
	vdvs_leave(file->dev, &flags);
	if (gone)
		return -ENODEV;
	if (leave.process)
		kill_pid(leave.process, SIGTERM, 1);
	put_pid(leave.process);
	if (result == DVS_PENDING)
		result = vdvs_wait_for(file->dev, &wait, unbind->timeout_ms);
	unbind->result = result;
	return 0;
}

long vdvs_call_unbind(struct vdvs_file *file, void __user *arg)
{
	struct dvs_unbind unbind;
	int err = 0;

	if (copy_from_user(&unbind, arg, sizeof(unbind)))
		return -EFAULT;
	if (unbind.id > DVS_ID_NUMBER || unbind.reserved0 ||
	    unbind.timeout_ms < DVS_TIMEOUT_FOREVER ||
	    (unbind.id != DVS_ID_NUMBER && (unbind.ep || unbind.timeout_ms)))
		return -EINVAL;
	if (unbind.id == DVS_ID_NUMBER && !vdvs_administers(file))
		unbind.result = DVS_EPRIVILEGES;
	else
		err = vdvs_unbind_run(file, &unbind);
	if (err)
		return err;
	return copy_to_user(arg, &unbind, sizeof(unbind)) ? -EFAULT : 0;
}

/* ---- await ---- */

static int vdvs_await_start(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	const struct dvs_await *await = what;
	struct vdvs_holder *holder = vdvs_holder_any(file);
	struct dvs_ep *ep = holder ? holder->ep : NULL;

	if (await->what == DVS_AWAIT_BIND)
		return dvs_await_bind(file->dev->core, &wait->call, ep, await->ep, vdvs_now());
	return dvs_await_unbind(file->dev->core, &wait->call, ep, await->ep, vdvs_now());
}

/* Has the calling thread, or its process, an endpoint? Also true when there will be none. */
static bool vdvs_await_own_over(struct vdvs_file *file, struct dvs_await *await, int *err)
{
	struct vdvs_device *dev = file->dev;
	unsigned long flags;
	struct dvs_ep *ep;

	vdvs_enter(dev, &flags);
	*err = dev->core ? 0 : -ENODEV;
	ep = dev->core ? vdvs_endpoint_of(file, DVS_ID_TASK) : NULL;
	if (ep) {
		await->ep = dvs_ep_addr(ep).nr;
		await->generation = dvs_ep_addr(ep).gen;
	}
	vdvs_leave(dev, &flags);
	return ep || *err;
}

static int vdvs_await_own(struct vdvs_file *file, struct dvs_await *await)
{
	wait_queue_head_t *owners = &file->dev->owners;
	long left;
	int err;

	if (await->timeout_ms == DVS_TIMEOUT_FOREVER)
		left = wait_event_interruptible(*owners, vdvs_await_own_over(file, await, &err));
	else
		left = wait_event_interruptible_timeout(*owners,
				vdvs_await_own_over(file, await, &err),
				msecs_to_jiffies(min_t(s64, await->timeout_ms, INT_MAX)));
	if (left < 0)
		await->result = DVS_EINTR;
	else if (left == 0 && await->timeout_ms == DVS_TIMEOUT_NOWAIT)
		await->result = DVS_EAGAIN;
	else if (left == 0 && await->timeout_ms != DVS_TIMEOUT_FOREVER)
		await->result = DVS_ETIMEDOUT;
	else
		await->result = DVS_OK;
	return await->result == DVS_OK ? err : 0;
}

long vdvs_call_await(struct vdvs_file *file, void __user *arg)
{
	struct vdvs_wait wait = { .task = current };
	struct dvs_await await;
	int err;

	if (copy_from_user(&await, arg, sizeof(await)))
		return -EFAULT;
	if (await.what > DVS_AWAIT_OWN || await.timeout_ms < DVS_TIMEOUT_FOREVER || await.reserved)
		return -EINVAL;
	await.generation = 0;
	if (await.what == DVS_AWAIT_OWN) {
		err = vdvs_await_own(file, &await);
	} else {
		err = vdvs_run(file, &wait, await.timeout_ms, vdvs_await_start, &await,
			       &await.result);
		if (!err && await.what == DVS_AWAIT_BIND && await.result == DVS_OK)
			await.generation = wait.call.peer.gen;
	}
	if (err)
		return err;
	return copy_to_user(arg, &await, sizeof(await)) ? -EFAULT : 0;
}

/* ---- getep ---- */

static int vdvs_getep(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	struct vdvs_device *dev = file->dev;
	struct vdvs_holder *caller = vdvs_holder_any(file);
	struct vdvs_holder *holder;
	struct dvs_getep *getep = what;

	if (caller && caller->ep && !dvs_ep_may(caller->ep, DVS_MAY_GETEP))
		return DVS_EBADCALL;
	holder = vdvs_holder_by_pid(dev, getep->pid);
	if (!holder || !holder->ep)
		return DVS_ENOTBIND;
	getep->ep = dvs_ep_addr(holder->ep).nr;
	getep->generation = dvs_ep_addr(holder->ep).gen;
	return DVS_OK;
}

long vdvs_call_getep(struct vdvs_file *file, void __user *arg)
{
	struct vdvs_wait wait = { .task = current };
	struct dvs_getep getep;
	struct pid *process;
	int err;

	if (copy_from_user(&getep, arg, sizeof(getep)))
		return -EFAULT;
	process = vdvs_process_get(getep.pid);
	getep.ep = DVS_ADDR_NONE;
	getep.generation = 0;
	err = vdvs_run(file, &wait, DVS_TIMEOUT_FOREVER, vdvs_getep, &getep, &getep.result);
	if (!process && getep.result == DVS_ENOTBIND)
		getep.result = DVS_EBADPID;
	put_pid(process);
	if (err)
		return err;
	return copy_to_user(arg, &getep, sizeof(getep)) ? -EFAULT : 0;
}
