// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: message queues, and what the bulk queues have in common with them.
 *
 * Transmit is fire and forget: the frame stays in its slot, which is the
 * core's, and used buffers are looked at when the next frame goes out. Only
 * when the core has to wait for them an interrupt is asked for. Receive buffers
 * go back to the ring as soon as the core has copied the frame.
 */

#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include "virtio_dvs.h"

#define VDVS_SLOTS_PER_PAGE	(PAGE_SIZE / DVS_MSG_FRAME_MAX)

/* Tokens are slot numbers, from 1 since they are pointers. */
static void vdvs_tx_reclaim(struct vdvs_tx *tx)
{
	unsigned int len;
	void *token;

	while ((token = virtqueue_get_buf(tx->vq, &len)))
		tx->uses[(uintptr_t)token - 1]--;
}

/* Asks for an interrupt at the next used buffer. False: there is one by now. */
static bool vdvs_tx_wait(struct vdvs_tx *tx)
{
	if (!virtqueue_is_broken(tx->vq) && !virtqueue_enable_cb(tx->vq)) {
		virtqueue_disable_cb(tx->vq);
		vdvs_tx_reclaim(tx);
		return false;
	}
	tx->waiting = true;
	return true;
}

int vdvs_tx_post(struct vdvs_tx *tx, struct scatterlist *sg, unsigned int count, u32 slot)
{
	void *token = (void *)((uintptr_t)slot + 1);

	vdvs_tx_reclaim(tx);
	while (virtqueue_add_outbuf(tx->vq, sg, count, token, GFP_ATOMIC))
		if (vdvs_tx_wait(tx))
			return -ENOSPC;
	tx->uses[slot]++;
	return 0;
}

int vdvs_tx_add(struct vdvs_queues *queues, u32 slot, u32 len)
{
	struct scatterlist sg;

	sg_init_table(&sg, 1);
	sg_set_page(&sg, queues->slot_pages[slot / VDVS_SLOTS_PER_PAGE], len,
		    slot % VDVS_SLOTS_PER_PAGE * DVS_MSG_FRAME_MAX);
	if (vdvs_tx_post(&queues->tx, &sg, 1, slot))
		return -ENOSPC;
	queues->dirty[DVS_VQ_MSG_TX] = true;
	return 0;
}

bool vdvs_tx_free(struct vdvs_tx *tx, u32 slot)
{
	vdvs_tx_reclaim(tx);
	while (tx->uses[slot])
		if (vdvs_tx_wait(tx))
			return false;
	return true;
}

void vdvs_tx_done(struct virtqueue *vq)
{
	struct vdvs_device *dev = vq->vdev->priv;
	struct vdvs_queues *queues = &dev->queues;
	unsigned long flags;
	struct vdvs_tx *tx;

	vdvs_enter(dev, &flags);
	if (dev->core) {
		tx = vq == queues->tx.vq ? &queues->tx : &queues->bulk_tx;
		dev->count.interrupts[vq->index]++;
		virtqueue_disable_cb(vq);
		vdvs_tx_reclaim(tx);
		if (tx->waiting) {
			tx->waiting = false;
			dvs_core_room(dev->core, vdvs_now());
		}
	}
	vdvs_leave(dev, &flags);
}

static int vdvs_rx_post(struct virtqueue *vq, void *buffer, gfp_t gfp)
{
	struct scatterlist sg;

	sg_init_one(&sg, buffer, DVS_MSG_FRAME_MAX);
	return virtqueue_add_inbuf(vq, &sg, 1, buffer, gfp);
}

static void vdvs_rx_frame(struct vdvs_device *dev, struct virtqueue *vq, void *buffer,
			  unsigned int len, u64 now)
{
	dvs_core_frame(dev->core, buffer, min_t(u32, len, DVS_MSG_FRAME_MAX), now);
	/* Fails only if the device is broken: then nothing more comes. */
	if (vdvs_rx_post(vq, buffer, GFP_ATOMIC))
		kfree(buffer);
	else
		dev->queues.dirty[DVS_VQ_MSG_RX] = true;
}

/*
 * Takes at most VDVS_BATCH frames. If there are more, a work item goes on and
 * interrupts stay off until it has seen the ring empty.
 */
void vdvs_rx(struct vdvs_device *dev)
{
	struct virtqueue *vq = dev->queues.vq[DVS_VQ_MSG_RX];
	unsigned int budget = VDVS_BATCH;
	u64 now = vdvs_now();
	unsigned int len;
	void *buffer;

	do {
		virtqueue_disable_cb(vq);
		while (budget) {
			buffer = virtqueue_get_buf(vq, &len);
			if (!buffer)
				break;
			vdvs_rx_frame(dev, vq, buffer, len, now);
			budget--;
		}
	} while (budget && !virtqueue_enable_cb(vq));
	dvs_core_batch_end(dev->core, now);
	if (!budget) {
		dev->count.deferred++;
		queue_work(system_highpri_wq, &dev->rx_work);
	}
}

static void vdvs_rx_done(struct virtqueue *vq)
{
	struct vdvs_device *dev = vq->vdev->priv;
	unsigned long flags;

	vdvs_enter(dev, &flags);
	if (dev->core) {
		dev->count.interrupts[DVS_VQ_MSG_RX]++;
		vdvs_rx(dev);
	}
	vdvs_leave(dev, &flags);
}

void vdvs_rx_work(struct work_struct *work)
{
	struct vdvs_device *dev = container_of(work, struct vdvs_device, rx_work);
	unsigned long flags;

	vdvs_enter(dev, &flags);
	if (dev->core)
		vdvs_rx(dev);
	vdvs_leave(dev, &flags);
}

static const struct {
	const char *name;
	vq_callback_t *done;
} vdvs_vqs[DVS_VQ_COUNT] = {
	[DVS_VQ_MSG_TX] = { "msg-tx", vdvs_tx_done },
	[DVS_VQ_MSG_RX] = { "msg-rx", vdvs_rx_done },
	[DVS_VQ_BULK_TX] = { "bulk-tx", vdvs_tx_done },
	[DVS_VQ_BULK_RX] = { "bulk-rx", vdvs_bulk_rx_done },
	[DVS_VQ_CONTROL] = { "control", vdvs_control_done },
};

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
static int vdvs_find_vqs(struct vdvs_device *dev)
{
	struct virtqueue_info info[DVS_VQ_COUNT] = {};
	int i;

	for (i = 0; i < DVS_VQ_COUNT; i++) {
		info[i].name = vdvs_vqs[i].name;
		info[i].callback = vdvs_vqs[i].done;
	}
	return virtio_find_vqs(dev->vdev, DVS_VQ_COUNT, dev->queues.vq, info, NULL);
}
#else
static int vdvs_find_vqs(struct vdvs_device *dev)
{
	vq_callback_t *done[DVS_VQ_COUNT];
	const char *names[DVS_VQ_COUNT];
	int i;

	for (i = 0; i < DVS_VQ_COUNT; i++) {
		names[i] = vdvs_vqs[i].name;
		done[i] = vdvs_vqs[i].done;
	}
	return virtio_find_vqs(dev->vdev, DVS_VQ_COUNT, dev->queues.vq, done, names, NULL);
}
#endif

static int vdvs_slots_init(struct vdvs_queues *queues, u32 slots, u32 bulk_slots)
{
	u32 pages = DIV_ROUND_UP(slots, VDVS_SLOTS_PER_PAGE);
	u32 i;

	queues->slots = vzalloc(array_size(pages, PAGE_SIZE));
	queues->slot_pages = kvcalloc(pages, sizeof(*queues->slot_pages), GFP_KERNEL);
	queues->tx.uses = kvcalloc(slots, sizeof(*queues->tx.uses), GFP_KERNEL);
	queues->bulk_tx.uses = kvcalloc(bulk_slots, sizeof(*queues->bulk_tx.uses), GFP_KERNEL);
	if (!queues->slots || !queues->slot_pages || !queues->tx.uses || !queues->bulk_tx.uses)
		return -ENOMEM;
	for (i = 0; i < pages; i++)
		queues->slot_pages[i] = vmalloc_to_page(queues->slots + i * PAGE_SIZE);
	return 0;
}

static int vdvs_rx_fill(struct virtqueue *vq)
{
	unsigned int count = min_t(unsigned int, virtqueue_get_vring_size(vq), VDVS_RX_MAX);
	void *buffer;

	while (count--) {
		buffer = kmalloc(DVS_MSG_FRAME_MAX, GFP_KERNEL);
		if (!buffer)
			return -ENOMEM;
		if (vdvs_rx_post(vq, buffer, GFP_KERNEL)) {
			kfree(buffer);
			return -EIO;
		}
	}
	return 0;
}

int vdvs_queues_init(struct vdvs_device *dev, u32 slots, u32 bulk_slots)
{
	struct vdvs_queues *queues = &dev->queues;
	int err;

	memset(queues, 0, sizeof(*queues));
	err = vdvs_slots_init(queues, slots, bulk_slots);
	if (err)
		goto err_free;
	err = vdvs_find_vqs(dev);
	if (err) {
		dev_err(&dev->vdev->dev, "the device does not have the %d virtqueues that are needed\n",
			DVS_VQ_COUNT);
		memset(queues->vq, 0, sizeof(queues->vq));
		goto err_free;
	}
	queues->tx.vq = queues->vq[DVS_VQ_MSG_TX];
	queues->bulk_tx.vq = queues->vq[DVS_VQ_BULK_TX];
	virtqueue_disable_cb(queues->tx.vq);
	virtqueue_disable_cb(queues->bulk_tx.vq);
	err = vdvs_control_init(queues);
	if (!err)
		err = vdvs_rx_fill(queues->vq[DVS_VQ_MSG_RX]);
	if (!err)
		err = vdvs_bulk_fill(queues->vq[DVS_VQ_BULK_RX]);
	if (err)
		goto err_free;
	return 0;

err_free:
	vdvs_queues_free(dev);
	return err;
}

/* The device has been reset, or never ran. */
void vdvs_queues_free(struct vdvs_device *dev)
{
	struct vdvs_queues *queues = &dev->queues;
	void *buffer;

	if (queues->vq[DVS_VQ_MSG_RX]) {
		while ((buffer = virtqueue_detach_unused_buf(queues->vq[DVS_VQ_MSG_RX])))
			kfree(buffer);
		vdvs_bulk_empty(queues->vq[DVS_VQ_BULK_RX]);
		dev->vdev->config->del_vqs(dev->vdev);
	}
	vdvs_control_free(queues);
	kvfree(queues->bulk_tx.uses);
	kvfree(queues->tx.uses);
	kvfree(queues->slot_pages);
	vfree(queues->slots);
	memset(queues, 0, sizeof(*queues));
}
