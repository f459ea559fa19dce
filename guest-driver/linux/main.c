// SPDX-License-Identifier: GPL-2.0
/* virtio_dvs: the virtio driver: which device, from when, until when. */

#include <linux/module.h>

#include "virtio_dvs.h"

/* There is one /dev/dvs, so one device can be driven at a time. */
static atomic_t vdvs_taken = ATOMIC_INIT(0);

static int vdvs_validate(struct virtio_device *vdev)
{
	if (!vdev->config->get) {
		dev_err(&vdev->dev, "the device has no configuration space; it cannot be driven\n");
		return -EINVAL;
	}
	if (!virtio_has_feature(vdev, VIRTIO_F_VERSION_1)) {
		dev_err(&vdev->dev, "the device does not offer VIRTIO_F_VERSION_1; a modern (non-transitional) device is needed\n");
		return -ENODEV;
	}
	return 0;
}

static int vdvs_probe(struct virtio_device *vdev)
{
	struct vdvs_device *dev;
	int err;

	if (atomic_cmpxchg(&vdvs_taken, 0, 1)) {
		dev_err(&vdev->dev, "another virtio-dvs device drives /dev/dvs already; this one is not used\n");
		return -EBUSY;
	}
	dev = vdvs_device_alloc(vdev);
	if (!dev) {
		err = -ENOMEM;
		goto err_taken;
	}
	err = vdvs_exit_hook_add(dev);
	if (err)
		goto err_put;
	err = vdvs_device_start(dev);
	if (err)
		goto err_hook;
	err = vdvs_chardev_add(dev);
	if (err)
		goto err_stop;
	vdvs_debugfs_add(dev);
	return 0;

err_stop:
	vdvs_device_stop(dev);
err_hook:
	vdvs_exit_hook_remove(dev);
err_put:
	vdvs_device_put(dev);
err_taken:
	atomic_set(&vdvs_taken, 0);
	return err;
}

static void vdvs_remove(struct virtio_device *vdev)
{
	struct vdvs_device *dev = vdev->priv;

	vdvs_debugfs_remove(dev);
	vdvs_chardev_remove(dev);
	vdvs_device_stop(dev);
	vdvs_exit_hook_remove(dev);
	vdvs_device_put(dev);
	atomic_set(&vdvs_taken, 0);
}

#ifdef CONFIG_PM_SLEEP
/*
 * Suspend of the guest by itself. The device forgets all about this guest, so
 * endpoints do not survive it: calls under way end with DVS_ENOTCONN. (Live
 * migration is invisible here.)
 */
static int vdvs_freeze(struct virtio_device *vdev)
{
	vdvs_device_stop(vdev->priv);
	return 0;
}

static int vdvs_restore(struct virtio_device *vdev)
{
	return vdvs_device_start(vdev->priv);
}
#endif

static const struct virtio_device_id vdvs_ids[] = {
	{ DVS_VIRTIO_ID, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, vdvs_ids);

static struct virtio_driver vdvs_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	.id_table = vdvs_ids,
	.validate = vdvs_validate,
	.probe = vdvs_probe,
	.remove = vdvs_remove,
	.config_changed = vdvs_config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = vdvs_freeze,
	.restore = vdvs_restore,
#endif
};
module_virtio_driver(vdvs_driver);

MODULE_DESCRIPTION("Distributed virtualization system: IPC between the processes of virtual machines");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
