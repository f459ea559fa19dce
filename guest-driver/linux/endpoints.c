// SPDX-License-Identifier: GPL-2.0
/* virtio_dvs: calls about endpoints: what one may do and does, and waking it. */

#include <linux/capability.h>
#include <linux/uaccess.h>

#include "virtio_dvs.h"

static_assert(DVS_STATE_SENDING == DVS_RTS_SENDING);
static_assert(DVS_STATE_RECEIVING == DVS_RTS_RECEIVING);
static_assert(DVS_STATE_ONCOPY == DVS_RTS_ONCOPY);
static_assert(DVS_STATE_MIGRATE == DVS_RTS_MIGRATE);
static_assert(DVS_STATE_WAITUNBIND == DVS_RTS_WAITUNBIND);
static_assert(DVS_STATE_WAITBIND == DVS_RTS_WAITBIND);
static_assert(DVS_MISC_NOTIFY == DVS_MIS_NOTIFY);
static_assert(DVS_MISC_BACKUP == DVS_MIS_RMTBACKUP);
static_assert(DVS_MISC_GRPLEADER == DVS_MIS_GRPLEADER);
static_assert(DVS_MISC_REPLICATED == DVS_MIS_REPLICATED);
static_assert(DVS_MISC_WOKENUP == DVS_MIS_WOKENUP);

static int vdvs_privilege_set(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	const struct dvs_privilege *privilege = what;
	struct dvs_privileges wanted = {
		.calls = privilege->calls,
		.ipc_to = privilege->ipc_to,
		.level = privilege->level,
	};

	return dvs_privileges_set(file->dev->core, &wait->call, privilege->ep, &wanted,
				  vdvs_now());
}

static int vdvs_privilege_get(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	struct dvs_privilege *privilege = what;
	struct dvs_privileges found = {};
	int result = dvs_privileges_get(file->dev->core, privilege->ep, &found);

	privilege->calls = found.calls;
	privilege->ipc_to = found.ipc_to;
	privilege->level = found.level;
	return result;
}

long vdvs_call_privilege(struct vdvs_file *file, void __user *arg)
{
	struct vdvs_wait wait = { .task = current };
	struct dvs_privilege privilege;
	int err = 0;

	if (copy_from_user(&privilege, arg, sizeof(privilege)))
		return -EFAULT;
	if (privilege.flags & ~DVS_PRIVILEGE_SET || privilege.reserved)
		return -EINVAL;
	if (privilege.flags && !capable(CAP_SYS_ADMIN))
		privilege.result = DVS_EPRIVILEGES;
	else
		err = vdvs_run(file, &wait, DVS_TIMEOUT_FOREVER,
			       privilege.flags ? vdvs_privilege_set : vdvs_privilege_get,
			       &privilege, &privilege.result);
	if (err)
		return err;
	return copy_to_user(arg, &privilege, sizeof(privilege)) ? -EFAULT : 0;
}

static int vdvs_wakeup_start(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	const struct dvs_wakeup *wakeup = what;

	return dvs_wakeup(file->dev->core, &wait->call, vdvs_endpoint_of(file, wakeup->id),
			  wakeup->ep, vdvs_now());
}

long vdvs_call_wakeup(struct vdvs_file *file, void __user *arg)
{
	struct vdvs_wait wait = { .task = current };
	struct dvs_wakeup wakeup;
	int err;

	if (copy_from_user(&wakeup, arg, sizeof(wakeup)))
		return -EFAULT;
	if (wakeup.id > DVS_ID_TASK || wakeup.reserved)
		return -EINVAL;
	err = vdvs_run(file, &wait, DVS_TIMEOUT_FOREVER, vdvs_wakeup_start, &wakeup,
		       &wakeup.result);
	if (err)
		return err;
	return copy_to_user(arg, &wakeup, sizeof(wakeup)) ? -EFAULT : 0;
}

static int vdvs_state_start(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	struct dvs_endpoint_state *state = what;

	return dvs_state(file->dev->core, &wait->call, state->nr, state, vdvs_now());
}

/* The number that the caller's pid namespace has for a process of the machine. */
static s32 vdvs_pid_for_caller(s32 pid)
{
	s32 nr;

	rcu_read_lock();
	nr = pid_vnr(find_pid_ns(pid, &init_pid_ns));
	rcu_read_unlock();
	return nr ? nr : -1;
}

static void vdvs_state_fill(const struct vdvs_file *file, struct dvs_state *to,
			    const struct dvs_endpoint_state *from)
{
	to->generation = from->gen;
	to->vm = file->dev->info.vm;
	to->rts = from->rts;
	to->misc = from->misc;
	to->getfrom = from->getfrom;
	to->sendto = from->sendto;
	to->pid = vdvs_pid_for_caller(from->pid);
	to->queued = from->queued;
	to->lclsent = from->lclsent;
	to->rmtsent = from->rmtsent;
	to->lclcopy = from->lclcopy;
	to->rmtcopy = from->rmtcopy;
	memcpy(to->name, from->name, sizeof(to->name));
}

long vdvs_call_state(struct vdvs_file *file, void __user *arg)
{
	struct vdvs_wait wait = { .task = current };
	struct dvs_endpoint_state found = {};
	struct dvs_state state;
	s32 result;
	int err;

	if (copy_from_user(&state, arg, sizeof(state)))
		return -EFAULT;
	if (state.reserved)
		return -EINVAL;
	found.nr = state.ep;
	err = vdvs_run(file, &wait, DVS_TIMEOUT_FOREVER, vdvs_state_start, &found, &result);
	if (err)
		return err;
	state = (struct dvs_state){
		.ep = state.ep,
		.result = result,
		.getfrom = DVS_ADDR_NONE,
		.sendto = DVS_ADDR_NONE,
		.pid = -1,
	};
	if (result == DVS_OK) {
		vdvs_state_fill(file, &state, &found);
	} else if (result == DVS_ERMTPROC) {
		state.generation = wait.call.peer.gen;
		state.vm = wait.call.token;
	}
	return copy_to_user(arg, &state, sizeof(state)) ? -EFAULT : 0;
}
