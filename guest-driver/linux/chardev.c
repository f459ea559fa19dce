// SPDX-License-Identifier: GPL-2.0
/* virtio_dvs: /dev/dvs. */

#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "virtio_dvs.h"

static int vdvs_open(struct inode *inode, struct file *filp)
{
	/* The misc core keeps the device registered while it opens a file of it. */
	struct vdvs_device *dev = container_of(filp->private_data, struct vdvs_device, misc);
	struct vdvs_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	unsigned long flags;

	if (!file)
		return -ENOMEM;
	file->dev = dev;
	vdvs_device_get(dev);
	file->filp = filp;
	init_waitqueue_head(&file->pollers);
	vdvs_enter(dev, &flags);
	list_add(&file->link, &dev->files);
	vdvs_leave(dev, &flags);
	filp->private_data = file;
	return stream_open(inode, filp);
}

static int vdvs_release(struct inode *inode, struct file *filp)
{
	struct vdvs_file *file = filp->private_data;
	struct vdvs_device *dev = file->dev;
	unsigned long flags;

	vdvs_enter(dev, &flags);
	/* A stop takes the holders away, so with one there is a core. */
	if (file->holder)
		vdvs_holder_unbind(dev, file->holder);
	list_del(&file->link);
	vdvs_leave(dev, &flags);
	vdvs_device_put(dev);
	kfree(file);
	return 0;
}

/* A close ends what its program has under way by io_uring, which would keep the file. */
static int vdvs_flush(struct file *filp, fl_owner_t owner)
{
	vdvs_uring_flush(filp->private_data, owner);
	return 0;
}

static long DVS_HOT vdvs_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct vdvs_file *file = filp->private_data;
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case DVS_IOC_INFO:
		return vdvs_call_info(file, user);
	case DVS_IOC_BIND:
		return vdvs_call_bind(file, user);
	case DVS_IOC_UNBIND:
		return vdvs_call_unbind(file, user);
	case DVS_IOC_SEND:
	case DVS_IOC_RECEIVE:
	case DVS_IOC_SENDREC:
	case DVS_IOC_REPLY:
	case DVS_IOC_NOTIFY:
	case DVS_IOC_REPLY_RECEIVE:
	case DVS_IOC_RELAY:
		return vdvs_call_io(file, cmd, user, filp->f_flags & O_NONBLOCK);
	case DVS_IOC_WAKEUP:
		return vdvs_call_wakeup(file, user);
	case DVS_IOC_AWAIT:
		return vdvs_call_await(file, user);
	case DVS_IOC_GETEP:
		return vdvs_call_getep(file, user);
	case DVS_IOC_STATE:
		return vdvs_call_state(file, user);
	case DVS_IOC_PRIVILEGE:
		return vdvs_call_privilege(file, user);
	case DVS_IOC_COPY:
		return vdvs_call_copy(file, user);
	case DVS_IOC_GRANT:
		return vdvs_call_grant(file, user);
	case DVS_IOC_MIGRATE:
		return vdvs_call_migrate(file, user);
	default:
		return -ENOTTY;
	}
}

/*
 * Readable: a receive from ANY would get something at once. The endpoint is the
 * file's if it has one, else the polling thread's or process's; the latter share
 * one wait queue, since any thread may poll for them through any open file.
 */
static __poll_t vdvs_poll(struct file *filp, poll_table *table)
{
	struct vdvs_file *file = filp->private_data;
	struct vdvs_device *dev = file->dev;
	unsigned long flags;
	struct dvs_ep *ep;
	__poll_t events = 0;

	poll_wait(filp, &file->pollers, table);
	if (!READ_ONCE(file->holder))
		poll_wait(filp, &dev->pollers, table);
	vdvs_enter(dev, &flags);
	if (!dev->core) {
		events = EPOLLERR | EPOLLHUP;
	} else {
		ep = vdvs_endpoint_of(file, file->holder ? DVS_ID_FILE : DVS_ID_TASK);
		if (ep && dvs_ep_readable(ep))
			events = EPOLLIN | EPOLLRDNORM;
	}
	vdvs_leave(dev, &flags);
	return events;
}

static const struct file_operations vdvs_fops = {
	.owner = THIS_MODULE,
	.open = vdvs_open,
	.flush = vdvs_flush,
	.release = vdvs_release,
	.unlocked_ioctl = vdvs_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = vdvs_poll,
	.uring_cmd = vdvs_uring_cmd,
};

int vdvs_chardev_add(struct vdvs_device *dev)
{
	dev->misc.minor = MISC_DYNAMIC_MINOR;
	dev->misc.name = "dvs";
	dev->misc.fops = &vdvs_fops;
	dev->misc.parent = &dev->vdev->dev;
	dev->misc.mode = 0660;
	return misc_register(&dev->misc);
}

void vdvs_chardev_remove(struct vdvs_device *dev)
{
	misc_deregister(&dev->misc);
}
