// SPDX-License-Identifier: GPL-2.0
/* virtio_dvs: endpoints that move, with a process that is moved by other means. */

#include <linux/capability.h>
#include <linux/err.h>
#include <linux/random.h>
#include <linux/uaccess.h>

#include "virtio_dvs.h"

static bool vdvs_has(struct vdvs_file *file, u32 id, s32 nr)
{
	struct dvs_ep *ep = vdvs_endpoint_of(file, id);

	return ep && dvs_ep_addr(ep).nr == nr;
}

/* For its own process, and for administrators. */
static bool vdvs_may_migrate(struct vdvs_file *file, s32 nr)
{
	return vdvs_has(file, DVS_ID_FILE, nr) || vdvs_has(file, DVS_ID_TASK, nr) ||
	       capable(CAP_SYS_ADMIN);
}

static int vdvs_migrate_start(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	const struct dvs_migrate *migrate = what;
	struct dvs_core *core = file->dev->core;
	struct dvs_call *call = &wait->call;

	if (!vdvs_may_migrate(file, migrate->ep))
		return DVS_EPRIVILEGES;
	switch (migrate->what) {
	case DVS_MIGRATE_START:
		return dvs_migrate_start(core, call, migrate->ep, migrate->token, vdvs_now());
	case DVS_MIGRATE_COMMIT:
		return dvs_migrate_commit(core, call, migrate->ep, migrate->vm, vdvs_now());
	default:
		return dvs_migrate_rollback(core, call, migrate->ep, vdvs_now());
	}
}

static u64 vdvs_token(void)
{
	u64 token;

	do
		token = get_random_u64();
	while (!token);
	return token;
}

static int vdvs_migrate_run(struct vdvs_file *file, struct dvs_migrate *migrate)
{
	struct vdvs_wait wait = { .task = current };
	int err;

	if (migrate->what == DVS_MIGRATE_START)
		migrate->token = vdvs_token();
	err = vdvs_run(file, &wait, migrate->timeout_ms, vdvs_migrate_start, migrate,
		       &migrate->result);
	if (migrate->what == DVS_MIGRATE_START)
		migrate->token = !err && migrate->result == DVS_OK ? wait.call.token : 0;
	return err;
}

/* Takes the holder. */
static int vdvs_adopt_start(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	const struct dvs_migrate *migrate = what;
	struct vdvs_holder *holder = wait->binding;
	int result;

	if (!vdvs_holder_add(file->dev, holder, file)) {
		wait->binding = NULL;
		vdvs_holder_free(holder);
		return DVS_EBUSY;
	}
	result = dvs_adopt(file->dev->core, &wait->call, migrate->ep, migrate->token, vdvs_now());
	if (result != DVS_PENDING)
		vdvs_wait_done(file->dev, wait, result);
	return result;
}

static int vdvs_adopt_run(struct vdvs_file *file, struct dvs_migrate *migrate)
{
	struct dvs_bind bind = { .owner = migrate->owner };
	struct vdvs_holder *holder = vdvs_holder_new(file, &bind);
	struct vdvs_wait wait = { .task = current, .binding = holder };
	int err;

	if (IS_ERR(holder))
		return PTR_ERR(holder);
	err = vdvs_run(file, &wait, migrate->timeout_ms, vdvs_adopt_start, migrate,
		       &migrate->result);
	if (err)
		vdvs_holder_free(holder);
	else if (migrate->result == DVS_OK)
		migrate->generation = wait.call.peer.gen;
	return err;
}

static bool vdvs_migrate_valid(const struct dvs_migrate *migrate)
{
	bool adopts = migrate->what == DVS_MIGRATE_ADOPT;

	return migrate->what <= DVS_MIGRATE_ADOPT && !migrate->reserved &&
	       migrate->timeout_ms >= DVS_TIMEOUT_FOREVER &&
	       (adopts || (!migrate->token && !migrate->owner)) &&
	       (migrate->what == DVS_MIGRATE_COMMIT || !migrate->vm) &&
	       migrate->owner <= DVS_BIND_THREAD;
}

long vdvs_call_migrate(struct vdvs_file *file, void __user *arg)
{
	struct dvs_migrate migrate;
	int err;

	if (copy_from_user(&migrate, arg, sizeof(migrate)))
		return -EFAULT;
	if (!vdvs_migrate_valid(&migrate))
		return -EINVAL;
	migrate.generation = 0;
	err = migrate.what == DVS_MIGRATE_ADOPT ? vdvs_adopt_run(file, &migrate) :
						  vdvs_migrate_run(file, &migrate);
	if (err)
		return err;
	return copy_to_user(arg, &migrate, sizeof(migrate)) ? -EFAULT : 0;
}

/* ---- calls of an endpoint that moves ---- */

static int vdvs_stay_start(struct vdvs_file *file, struct vdvs_wait *wait, void *what)
{
	struct dvs_ep *ep = vdvs_endpoint_of(file, *(u32 *)what);

	/* It has gone, and taken from its holder. */
	if (!ep)
		return DVS_EMIGRATE;
	return dvs_migrate_stay(file->dev->core, &wait->call, ep, vdvs_now());
}

int vdvs_migrate_stay(struct vdvs_file *file, u32 id, s64 *timeout_ms)
{
	struct vdvs_wait wait = { .task = current };
	ktime_t began = ktime_get();
	s64 limit = *timeout_ms;
	int result;

	if (vdvs_run(file, &wait, limit, vdvs_stay_start, &id, &result))
		return DVS_ENOTCONN;
	if (limit > 0)
		*timeout_ms = max_t(s64, limit - ktime_ms_delta(ktime_get(), began), 1);
	return result;
}
