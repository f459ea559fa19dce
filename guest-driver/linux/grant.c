// SPDX-License-Identifier: GPL-2.0
/* virtio_dvs: grants: memory that a process lends for copies. */

#include <linux/delay.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "virtio_dvs.h"

static_assert(DVS_GRANT_READ == DVS_LEND_READ);
static_assert(DVS_GRANT_WRITE == DVS_LEND_WRITE);

void vdvs_loan_free(struct vdvs_loan *loan)
{
	mmdrop(loan->mm);
	kfree(loan);
}

/* The last reference to the memory may need to sleep. */
void vdvs_unlent(void *ctx, void *region)
{
	struct vdvs_device *dev = ctx;
	struct vdvs_loan *loan = region;

	list_add(&loan->link, &dev->copies.unlent);
	queue_work(dev->copies.wq, &dev->copies.release);
}

static long vdvs_lend(struct vdvs_file *file, struct dvs_grant *grant)
{
	struct vdvs_device *dev = file->dev;
	struct dvs_addr to = { .nr = grant->ep, .gen = grant->generation };
	struct vdvs_loan *loan;
	unsigned long flags;
	dvs_u64 id = 0;
	bool gone;

	loan = kzalloc(sizeof(*loan), GFP_KERNEL_ACCOUNT);
	if (!loan)
		return -ENOMEM;
	mmgrab(current->mm);
	loan->mm = current->mm;
	loan->address = grant->address;
	vdvs_enter(dev, &flags);
	gone = !dev->core;
	if (!gone)
		grant->result = dvs_lend(dev->core, vdvs_endpoint_of(file, grant->id), to,
					 grant->rights, grant->bytes, loan, &id, vdvs_now());
	vdvs_leave(dev, &flags);
	grant->grant = id;
	if (gone || grant->result != DVS_OK)
		vdvs_loan_free(loan);
	return gone ? -ENODEV : 0;
}

/* After this the memory is touched no more: who is just copying ends within microseconds. */
static long vdvs_revoke(struct vdvs_file *file, struct dvs_grant *grant)
{
	struct vdvs_device *dev = file->dev;
	unsigned long flags;
	bool asked = false;
	int result;
	bool gone;

	for (;;) {
		vdvs_enter(dev, &flags);
		gone = !dev->core;
		result = gone ? DVS_ENOTCONN :
			 dvs_revoke(dev->core, vdvs_endpoint_of(file, grant->id), grant->grant,
				    vdvs_now());
		vdvs_leave(dev, &flags);
		if (result != DVS_PENDING || fatal_signal_pending(current))
			break;
		asked = true;
		usleep_range(5, 50);
	}
	if (gone)
		return -ENODEV;
	grant->result = asked ? DVS_OK : result;
	return 0;
}

long vdvs_call_grant(struct vdvs_file *file, void __user *arg)
{
	struct dvs_grant grant;
	long err;

	if (copy_from_user(&grant, arg, sizeof(grant)))
		return -EFAULT;
	if (grant.id > DVS_ID_TASK || grant.reserved)
		return -EINVAL;
	if (!grant.rights)
		err = vdvs_revoke(file, &grant);
	else if (grant.address + grant.bytes < grant.address)
		return -EINVAL;
	else
		err = vdvs_lend(file, &grant);
	if (err)
		return err;
	return copy_to_user(arg, &grant, sizeof(grant)) ? -EFAULT : 0;
}
