// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: bulk queues, which carry the data of copies.
 *
 * A frame goes out as its header, which is the core's, and the pinned pages
 * themselves. What comes in is copied from the receive buffer to the pinned
 * pages of its destination: on a workqueue and without the lock, so that no
 * message waits for it.
 */

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "virtio_dvs.h"

#define VDVS_BULK_ORDER		get_order(DVS_BULK_PAYLOAD_MAX)
/* The header, and pages of which the first and the last may be used in part. */
#define VDVS_BULK_SEGMENTS	(1 + DVS_BULK_PAYLOAD_MAX / PAGE_SIZE + 1)

/* Where a frame is received: the header apart, so that the data fill whole pages. */
struct vdvs_bulk_buffer {
	u8 header[DVS_FRAME_HEADER];
	void *data;			/* of DVS_BULK_PAYLOAD_MAX bytes */
};

int vdvs_bulk_add(struct vdvs_device *dev, u32 slot, struct dvs_side *side, u64 offset, u32 len)
{
	struct vdvs_pins *pins = side ? side->shell : NULL;
	void *header = dvs_core_bulk_header(dev->core, slot);
	struct scatterlist sg[VDVS_BULK_SEGMENTS];
	unsigned int count = 1;
	unsigned int n, at;

	sg_init_table(sg, ARRAY_SIZE(sg));
	sg_set_page(&sg[0], vmalloc_to_page(header), DVS_FRAME_HEADER, offset_in_page(header));
	for (at = pins ? offset_in_page(pins->start) + offset : 0; len; at += n, len -= n) {
		n = min_t(u32, len, PAGE_SIZE - offset_in_page(at));
		sg_set_page(&sg[count++], pins->pages[at / PAGE_SIZE], n, offset_in_page(at));
	}
	sg_mark_end(&sg[count - 1]);
	if (vdvs_tx_post(&dev->queues.bulk_tx, sg, count, slot))
		return -ENOSPC;
	dev->queues.dirty[DVS_VQ_BULK_TX] = true;
	return 0;
}

static int vdvs_bulk_rx_post(struct virtqueue *vq, struct vdvs_bulk_buffer *buffer, gfp_t gfp)
{
	struct scatterlist sg[2];

	sg_init_table(sg, ARRAY_SIZE(sg));
	sg_set_buf(&sg[0], buffer->header, sizeof(buffer->header));
	sg_set_buf(&sg[1], buffer->data, DVS_BULK_PAYLOAD_MAX);
	return virtqueue_add_inbuf(vq, sg, ARRAY_SIZE(sg), buffer, gfp);
}

static struct vdvs_bulk_buffer *vdvs_bulk_buffer_alloc(void)
{
	struct vdvs_bulk_buffer *buffer = kmalloc(sizeof(*buffer), GFP_KERNEL);

	if (!buffer)
		return NULL;
	buffer->data = (void *)__get_free_pages(GFP_KERNEL, VDVS_BULK_ORDER);
	if (buffer->data)
		return buffer;
	kfree(buffer);
	return NULL;
}

static void vdvs_bulk_buffer_free(struct vdvs_bulk_buffer *buffer)
{
	free_pages((unsigned long)buffer->data, VDVS_BULK_ORDER);
	kfree(buffer);
}

int vdvs_bulk_fill(struct virtqueue *vq)
{
	unsigned int count = min_t(unsigned int, virtqueue_get_vring_size(vq), VDVS_BULK_RX_MAX);
	struct vdvs_bulk_buffer *buffer;

	while (count--) {
		buffer = vdvs_bulk_buffer_alloc();
		if (!buffer)
			return -ENOMEM;
		if (vdvs_bulk_rx_post(vq, buffer, GFP_KERNEL)) {
			vdvs_bulk_buffer_free(buffer);
			return -EIO;
		}
	}
	return 0;
}

void vdvs_bulk_empty(struct virtqueue *vq)
{
	struct vdvs_bulk_buffer *buffer;

	while ((buffer = virtqueue_detach_unused_buf(vq)))
		vdvs_bulk_buffer_free(buffer);
}

static void vdvs_bulk_write(const struct vdvs_pins *pins, u64 offset, const void *data, u32 len)
{
	unsigned int at = offset_in_page(pins->start) + offset;
	unsigned int n;

	for (; len; at += n, data += n, len -= n) {
		n = min_t(u32, len, PAGE_SIZE - offset_in_page(at));
		memcpy_to_page(pins->pages[at / PAGE_SIZE], offset_in_page(at), data, n);
	}
}

/* The next frame in its buffer, or NULL after asking for an interrupt at the next. */
static struct vdvs_bulk_buffer *vdvs_bulk_next(struct virtqueue *vq, unsigned int *len)
{
	struct vdvs_bulk_buffer *buffer;

	do {
		virtqueue_disable_cb(vq);
		buffer = virtqueue_get_buf(vq, len);
	} while (!buffer && !virtqueue_enable_cb(vq));
	return buffer;
}

/* Takes a frame and gives its buffer back. False: there is none, or no core. */
static bool vdvs_bulk_rx_one(struct vdvs_device *dev)
{
	struct vdvs_pins *pins = NULL;
	struct dvs_side *side = NULL;
	struct vdvs_bulk_buffer *buffer = NULL;
	struct virtqueue *vq = NULL;
	unsigned long flags;
	unsigned int len;
	dvs_u64 offset;

	vdvs_enter(dev, &flags);
	if (dev->core) {
		vq = dev->queues.vq[DVS_VQ_BULK_RX];
		buffer = vdvs_bulk_next(vq, &len);
	}
	if (buffer) {
		len = min_t(u32, len, DVS_BULK_FRAME_MAX);
		side = dvs_core_bulk(dev->core, buffer->header, len, &offset, vdvs_now());
	}
	if (side)
		pins = side->shell;
	vdvs_leave(dev, &flags);
	if (!buffer)
		return false;
	/* The side stays, and its memory is pinned, until it is said to be written. */
	if (pins)
		vdvs_bulk_write(pins, offset, buffer->data, len - DVS_FRAME_HEADER);
	vdvs_enter(dev, &flags);
	if (dev->core && side)
		dvs_bulk_written(dev->core, side, vdvs_now());
	else if (dev->core)
		dvs_core_batch_end(dev->core, vdvs_now());
	/* Without a core the queue may be gone as well. */
	if (!dev->core || vdvs_bulk_rx_post(vq, buffer, GFP_ATOMIC))
		vdvs_bulk_buffer_free(buffer);
	else
		dev->queues.dirty[DVS_VQ_BULK_RX] = true;
	vdvs_leave(dev, &flags);
	return true;
}

void vdvs_bulk_rx_work(struct work_struct *work)
{
	struct vdvs_device *dev = container_of(work, struct vdvs_device, bulk_rx_work);

	while (vdvs_bulk_rx_one(dev))
		cond_resched();
}

void vdvs_bulk_rx_done(struct virtqueue *vq)
{
	struct vdvs_device *dev = vq->vdev->priv;
	unsigned long flags;

	vdvs_enter(dev, &flags);
	if (dev->core) {
		dev->count.interrupts[DVS_VQ_BULK_RX]++;
		virtqueue_disable_cb(vq);
		queue_work(dev->copies.wq, &dev->bulk_rx_work);
	}
	vdvs_leave(dev, &flags);
}
