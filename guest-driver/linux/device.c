// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: life of the core, and the one way into it.
 *
 * Lifetimes. struct vdvs_device lives as long as the driver or an open file
 * holds it. The core and the queues live from start to stop; whoever enters
 * (vdvs_enter) under the lock sees dev->core or NULL. Kicks are done after the
 * lock is dropped, so that no other CPU spins while this one exits to the
 * host; the RCU read section around an entry keeps the queues until then.
 */

#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "virtio_dvs.h"

/* Bounds on what the device may say: the pools are sized by these figures. */
#define VDVS_ENDPOINTS_MAX	4096
#define VDVS_PEERS_MAX		64
#define VDVS_TASKS_MAX		4096
/* Numbers stay below the lowest magic address. */
#define VDVS_PROCS_MAX		DVS_ADDR_NONE

static void vdvs_config_work(struct work_struct *work);

struct vdvs_device *vdvs_device_alloc(struct virtio_device *vdev)
{
	struct vdvs_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	kref_init(&dev->ref);
	dev->vdev = vdev;
	vdev->priv = dev;
	spin_lock_init(&dev->lock);
	INIT_LIST_HEAD(&dev->files);
	INIT_LIST_HEAD(&dev->async);
	INIT_DELAYED_WORK(&dev->async_scan, vdvs_uring_scan);
	hash_init(dev->tasks);
	dev->timer_wanted = U64_MAX;
	dev->timer_armed = U64_MAX;
	timer_setup(&dev->timer, vdvs_timer, 0);
	INIT_WORK(&dev->rx_work, vdvs_rx_work);
	INIT_WORK(&dev->bulk_rx_work, vdvs_bulk_rx_work);
	INIT_WORK(&dev->config_work, vdvs_config_work);
	init_waitqueue_head(&dev->pollers);
	init_waitqueue_head(&dev->owners);
	if (vdvs_copies_init(dev)) {
		kfree(dev);
		return NULL;
	}
	return dev;
}

static void vdvs_device_free(struct kref *ref)
{
	struct vdvs_device *dev = container_of(ref, struct vdvs_device, ref);

	cancel_delayed_work_sync(&dev->async_scan);
	vdvs_copies_free(dev);
	kfree(dev);
}

void vdvs_device_get(struct vdvs_device *dev)
{
	kref_get(&dev->ref);
}

void vdvs_device_put(struct vdvs_device *dev)
{
	kref_put(&dev->ref, vdvs_device_free);
}

void DVS_HOT vdvs_enter(struct vdvs_device *dev, unsigned long *flags)
	__acquires(RCU) __acquires(&dev->lock)
{
	rcu_read_lock();
	spin_lock_irqsave(&dev->lock, *flags);
}

void DVS_HOT vdvs_leave(struct vdvs_device *dev, unsigned long *flags)
	__releases(&dev->lock) __releases(RCU)
{
	struct vdvs_queues *queues = &dev->queues;
	unsigned int kicks = 0;
	unsigned int i;

	for (i = 0; i < DVS_VQ_COUNT; i++) {
		if (!queues->dirty[i])
			continue;
		queues->dirty[i] = false;
		if (virtqueue_kick_prepare(queues->vq[i])) {
			kicks |= BIT(i);
			dev->count.kicks[i]++;
		}
	}
	spin_unlock_irqrestore(&dev->lock, *flags);
	for (i = 0; kicks; i++, kicks >>= 1)
		if (kicks & 1)
			virtqueue_notify(queues->vq[i]);
	rcu_read_unlock();
}

#define vdvs_config_read(vdev, member) \
	virtio_cread32(vdev, offsetof(struct dvs_device_config, member))

/* The configuration as the device has it at one moment; nothing of it is trusted yet. */
static void vdvs_read_config(struct virtio_device *vdev, struct dvs_device_config *config)
{
	u32 (*generation)(struct virtio_device *vdev) = vdev->config->generation;
	u32 before, after = generation ? generation(vdev) : 0;

	do {
		before = after;
		config->vm = vdvs_config_read(vdev, vm);
		config->incarnation = vdvs_config_read(vdev, incarnation);
		config->dcid = vdvs_config_read(vdev, dcid);
		config->max_message = vdvs_config_read(vdev, max_message);
		config->max_bulk = vdvs_config_read(vdev, max_bulk);
		config->max_endpoints = vdvs_config_read(vdev, max_endpoints);
		config->max_peers = vdvs_config_read(vdev, max_peers);
		config->nr_tasks = vdvs_config_read(vdev, nr_tasks);
		config->nr_procs = vdvs_config_read(vdev, nr_procs);
		config->nr_sysprocs = vdvs_config_read(vdev, nr_sysprocs);
		config->flags = vdvs_config_read(vdev, flags);
		config->nodeid = vdvs_config_read(vdev, nodeid);
		virtio_cread_bytes(vdev, offsetof(struct dvs_device_config, dc_name),
				   config->dc_name, sizeof(config->dc_name));
		after = generation ? generation(vdev) : 0;
	} while (after != before);
}

/* What else may change is told by frames. */
static void vdvs_config_work(struct work_struct *work)
{
	struct vdvs_device *dev = container_of(work, struct vdvs_device, config_work);
	struct dvs_device_config config = {};
	unsigned long flags;

	vdvs_read_config(dev->vdev, &config);
	vdvs_enter(dev, &flags);
	dev->info.nodeid = config.nodeid;
	vdvs_leave(dev, &flags);
}

/* Reading the configuration may sleep, which an interrupt may not. */
void vdvs_config_changed(struct virtio_device *vdev)
{
	struct vdvs_device *dev = vdev->priv;

	schedule_work(&dev->config_work);
}

static int vdvs_identify(struct vdvs_device *dev, struct dvs_limits *limits,
			 struct dvs_identity *identity)
{
	struct dvs_device_config config = {};
	struct dvs_info *info = &dev->info;

	vdvs_read_config(dev->vdev, &config);
	if (config.vm == DVS_VM_NODE || config.vm == U32_MAX) {
		dev_err(&dev->vdev->dev, "the device gives this VM the id %u, which no VM can have\n",
			config.vm);
		return -EINVAL;
	}
	info->abi_version = DVS_ABI_VERSION;
	info->vm = config.vm;
	info->incarnation = config.incarnation;
	info->dcid = config.dcid;
	info->max_message = min_t(u32, config.max_message, DVS_MSG_PAYLOAD_MAX);
	info->max_endpoints = clamp_t(u32, config.max_endpoints, 1, VDVS_ENDPOINTS_MAX);
	info->nr_tasks = min_t(u32, config.nr_tasks, VDVS_TASKS_MAX);
	info->nr_procs = min_t(u32, config.nr_procs, VDVS_PROCS_MAX);
	info->nr_sysprocs = min(config.nr_sysprocs, info->nr_tasks + info->nr_procs);
	info->features = config.flags & DVS_CONFIG_ADMIN ? DVS_INFO_ADMIN : 0;
	info->nodeid = config.nodeid;
	memcpy(info->dc_name, config.dc_name, sizeof(info->dc_name));
	info->dc_name[sizeof(info->dc_name) - 1] = 0;

	limits->endpoints = info->max_endpoints;
	limits->bulk_payload = clamp_t(u32, config.max_bulk, DVS_BULK_PAYLOAD_MIN,
				       DVS_BULK_PAYLOAD_MAX);
	limits->peers = clamp_t(u32, config.max_peers, 1, VDVS_PEERS_MAX);
	identity->vm = info->vm;
	identity->incarnation = info->incarnation;
	identity->nr_tasks = info->nr_tasks;
	identity->nr_procs = info->nr_procs;
	identity->nr_sysprocs = info->nr_sysprocs;
	identity->flags = config.flags;
	return 0;
}

/* Makes core and queues and lets the device run. */
int vdvs_device_start(struct vdvs_device *dev)
{
	struct dvs_limits limits = {};
	struct dvs_identity identity;
	struct dvs_core *core;
	unsigned long flags;
	int err;

	err = vdvs_identify(dev, &limits, &identity);
	if (err)
		return err;
	dev->core_memory = vzalloc(dvs_core_size(&limits));
	if (!dev->core_memory)
		return -ENOMEM;
	err = vdvs_queues_init(dev, dvs_core_slots(&limits), dvs_core_bulk_slots(&limits));
	if (err)
		goto err_memory;
	core = dvs_core_init(dev->core_memory, dev->queues.slots, &limits, &identity,
			     &vdvs_ops, dev);
	if (!core) {
		dev_err(&dev->vdev->dev, "the device's configuration is out of range: %u tasks, %u processes, %u of them servers\n",
			dev->info.nr_tasks, dev->info.nr_procs, dev->info.nr_sysprocs);
		err = -EINVAL;
		goto err_queues;
	}
	virtio_device_ready(dev->vdev);
	vdvs_enter(dev, &flags);
	dev->core = core;
	dev->starts++;
	dev->queues.dirty[DVS_VQ_MSG_RX] = true;
	dev->queues.dirty[DVS_VQ_BULK_RX] = true;
	/* Frames may have come before there was a core. */
	vdvs_rx(dev);
	queue_work(dev->copies.wq, &dev->bulk_rx_work);
	vdvs_leave(dev, &flags);
	return 0;

err_queues:
	vdvs_queues_free(dev);
err_memory:
	vfree(dev->core_memory);
	return err;
}

/*
 * Ends every call under way and takes the device back. Files stay open; their
 * calls fail with ENODEV until a start.
 */
void vdvs_device_stop(struct vdvs_device *dev)
{
	struct vdvs_file *file;
	unsigned long flags;

	vdvs_enter(dev, &flags);
	if (!dev->core) {
		vdvs_leave(dev, &flags);
		return;
	}
	dvs_core_stop(dev->core);
	dev->core = NULL;
	vdvs_holder_remove_all(dev);
	wake_up_poll(&dev->pollers, EPOLLERR | EPOLLHUP);
	wake_up_all(&dev->owners);
	list_for_each_entry(file, &dev->files, link)
		wake_up_poll(&file->pollers, EPOLLERR | EPOLLHUP);
	vdvs_leave(dev, &flags);

	/* Nobody is inside any more, and nobody gets in. */
	synchronize_rcu();
	del_timer_sync(&dev->timer);
	dev->timer_wanted = U64_MAX;
	dev->timer_armed = U64_MAX;
	cancel_work_sync(&dev->rx_work);
	/* Also ends what pins memory or copies it. */
	flush_workqueue(dev->copies.wq);
	virtio_reset_device(dev->vdev);
	cancel_work_sync(&dev->config_work);
	vdvs_copies_stop(dev);
	vdvs_queues_free(dev);
	vfree(dev->core_memory);
}
