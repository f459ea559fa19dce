// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: whose endpoint a call is about, and until when.
 *
 * An endpoint belongs to an open file, a process or a thread. The kernel tells
 * modules of the end of a file, but not of the end of a process that shares its
 * files with others, so that is taken from the tracepoint sched_process_exit,
 * which the task itself passes while its thread-group id is still its own. A
 * process is known by its struct pid and a thread by its task_struct: both
 * survive exec, and both are referenced, so neither can be mistaken for a later
 * one with the same number.
 */

#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "virtio_dvs.h"

/* The process that has the process or thread with this number, for the caller. */
struct pid *vdvs_process_get(s32 nr)
{
	struct pid *process = NULL;
	struct task_struct *task;
	struct pid *pid;

	rcu_read_lock();
	pid = find_vpid(nr);
	task = pid ? pid_task(pid, PIDTYPE_PID) : NULL;
	if (task && !(task->flags & PF_KTHREAD))
		process = get_pid(task_tgid(task));
	rcu_read_unlock();
	return process;
}

struct vdvs_holder *vdvs_holder_new(struct vdvs_file *file, const struct dvs_bind *bind)
{
	struct vdvs_holder *holder = kzalloc(sizeof(*holder), GFP_KERNEL_ACCOUNT);

	if (!holder)
		return ERR_PTR(-ENOMEM);
	holder->flags = bind->flags;
	holder->shown = bind->owner == DVS_BIND_PID ? vdvs_process_get(bind->pid) :
						      get_pid(task_tgid(current));
	if (!holder->shown) {
		kfree(holder);
		return ERR_PTR(-ESRCH);
	}
	switch (bind->owner) {
	case DVS_BIND_FILE:
		holder->file = file;
		break;
	case DVS_BIND_THREAD:
		holder->thread = get_task_struct(current);
		break;
	default:
		holder->process = get_pid(holder->shown);
		break;
	}
	return holder;
}

void vdvs_holder_free(struct vdvs_holder *holder)
{
	put_pid(holder->shown);
	put_pid(holder->process);
	if (holder->thread)
		put_task_struct(holder->thread);
	kfree(holder);
}

struct vdvs_holder *vdvs_process_find(struct vdvs_device *dev, struct pid *process)
{
	struct vdvs_holder *holder;

	hash_for_each_possible(dev->tasks, holder, link, (unsigned long)process)
		if (holder->process == process)
			return holder;
	return NULL;
}

static struct vdvs_holder *vdvs_thread_find(struct vdvs_device *dev, struct task_struct *thread)
{
	struct vdvs_holder *holder;

	hash_for_each_possible(dev->tasks, holder, link, (unsigned long)thread)
		if (holder->thread == thread)
			return holder;
	return NULL;
}

/* False: this file, process or thread has an endpoint already, or is getting one. */
bool vdvs_holder_add(struct vdvs_device *dev, struct vdvs_holder *holder, struct vdvs_file *file)
{
	unsigned long key;

	if (holder->file) {
		if (file->holder)
			return false;
		file->holder = holder;
		return true;
	}
	if (holder->process ? vdvs_process_find(dev, holder->process) :
			      vdvs_thread_find(dev, holder->thread))
		return false;
	key = holder->process ? (unsigned long)holder->process : (unsigned long)holder->thread;
	hash_add(dev->tasks, &holder->link, key);
	WRITE_ONCE(dev->nr_tasks, dev->nr_tasks + 1);
	/* Either the exit of a process sees this, or the process is seen to exit below. */
	smp_mb();
	return true;
}

/* Forgets and frees the holder, not its endpoint. */
void vdvs_holder_remove(struct vdvs_device *dev, struct vdvs_holder *holder)
{
	if (holder->file) {
		holder->file->holder = NULL;
	} else {
		hash_del(&holder->link);
		WRITE_ONCE(dev->nr_tasks, dev->nr_tasks - 1);
	}
	if (holder->ep)
		dvs_ep_set_owner(holder->ep, NULL);
	vdvs_holder_free(holder);
}

/* Gives the holder's endpoint up; there is a core. */
void vdvs_holder_unbind(struct vdvs_device *dev, struct vdvs_holder *holder)
{
	struct dvs_ep *ep = holder->ep;

	vdvs_holder_remove(dev, holder);
	if (ep)
		dvs_unbind(dev->core, ep, vdvs_now());
}

/* The core has stopped: nobody has an endpoint any more. */
void vdvs_holder_remove_all(struct vdvs_device *dev)
{
	struct vdvs_holder *holder;
	struct hlist_node *tmp;
	struct vdvs_file *file;
	int bucket;

	hash_for_each_safe(dev->tasks, bucket, tmp, holder, link)
		vdvs_holder_remove(dev, holder);
	list_for_each_entry(file, &dev->files, link)
		if (file->holder)
			vdvs_holder_remove(dev, file->holder);
}

/* The holder that a call of this thread on this file is about, bound or being bound. */
struct vdvs_holder *DVS_HOT vdvs_holder_of(struct vdvs_file *file, u32 id)
{
	struct vdvs_holder *holder;

	if (id == DVS_ID_FILE)
		return file->holder;
	holder = vdvs_thread_find(file->dev, current);
	return holder ? holder : vdvs_process_find(file->dev, task_tgid(current));
}

struct vdvs_holder *vdvs_holder_any(struct vdvs_file *file)
{
	return vdvs_holder_of(file, file->holder ? DVS_ID_FILE : DVS_ID_TASK);
}

struct vdvs_holder *vdvs_holder_by_pid(struct vdvs_device *dev, s32 nr)
{
	struct pid *pid = find_vpid(nr);
	struct task_struct *task = pid ? pid_task(pid, PIDTYPE_PID) : NULL;
	struct vdvs_holder *holder;

	if (!task)
		return NULL;
	holder = vdvs_thread_find(dev, task);
	return holder ? holder : vdvs_process_find(dev, task_tgid(task));
}

/* Of a process every thread may, of a file also whoever else holds it. */
bool DVS_HOT vdvs_holder_sole(const struct vdvs_file *file, const struct vdvs_holder *holder)
{
	if (holder->thread)
		return true;
	if (!thread_group_empty(current))
		return false;
	return holder->process || (file_count(file->filp) == 1 &&
				   atomic_read(&current->files->count) == 1);
}

struct dvs_ep *vdvs_endpoint_of(struct vdvs_file *file, u32 id)
{
	struct vdvs_holder *holder = vdvs_holder_of(file, id);

	return holder ? holder->ep : NULL;
}

static void vdvs_holder_end(struct vdvs_device *dev, struct vdvs_holder *holder)
{
	/* One that is being bound by another process is left to that one. */
	if (holder->ep)
		vdvs_holder_unbind(dev, holder);
	else
		holder->over = true;
}

/*
 * Runs in every exiting task, so it looks without the lock whether any endpoint
 * or command belongs to a task: this task's own would be seen. Of a process, the last
 * thread sees `live` at zero; several may, which does no harm.
 */
static void vdvs_task_exit(void *data, struct task_struct *task)
{
	struct vdvs_device *dev = data;
	struct vdvs_holder *holder;
	unsigned long flags;

	if (!READ_ONCE(dev->nr_tasks) && list_empty_careful(&dev->async))
		return;
	vdvs_enter(dev, &flags);
	if (dev->core) {
		vdvs_uring_exit(dev, task);
		holder = vdvs_thread_find(dev, task);
		if (holder)
			vdvs_holder_end(dev, holder);
		holder = atomic_read(&task->signal->live) ?
			NULL : vdvs_process_find(dev, task_tgid(task));
		if (holder)
			vdvs_holder_end(dev, holder);
	}
	vdvs_leave(dev, &flags);
}

static void vdvs_exit_hook_match(struct tracepoint *tracepoint, void *data)
{
	struct vdvs_device *dev = data;

	if (!strcmp(tracepoint->name, "sched_process_exit"))
		dev->exit_hook = tracepoint;
}

int vdvs_exit_hook_add(struct vdvs_device *dev)
{
	for_each_kernel_tracepoint(vdvs_exit_hook_match, dev);
	if (!dev->exit_hook) {
		dev_err(&dev->vdev->dev, "this kernel has no tracepoint sched_process_exit, which tells the end of processes; it must be built with CONFIG_TRACEPOINTS\n");
		return -EOPNOTSUPP;
	}
	return tracepoint_probe_register(dev->exit_hook, vdvs_task_exit, dev);
}

/* After this no exiting task is in the hook. */
void vdvs_exit_hook_remove(struct vdvs_device *dev)
{
	tracepoint_probe_unregister(dev->exit_hook, vdvs_task_exit, dev);
	tracepoint_synchronize_unregister();
}
