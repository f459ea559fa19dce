// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: control queue. A request is answered at once, with no more than
 * whether it was taken; its result comes as a frame.
 */

#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "virtio_dvs.h"

int vdvs_control_init(struct vdvs_queues *queues)
{
	/* A request and its response: two descriptors. */
	unsigned int count = virtqueue_get_vring_size(queues->vq[DVS_VQ_CONTROL]) / 2;
	unsigned int i;

	count = clamp_t(unsigned int, count, 1, VDVS_CONTROL_MAX);
	INIT_LIST_HEAD(&queues->controls_free);
	queues->controls = kcalloc(count, sizeof(*queues->controls), GFP_KERNEL);
	if (!queues->controls)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		list_add(&queues->controls[i].link, &queues->controls_free);
	return 0;
}

void vdvs_control_free(struct vdvs_queues *queues)
{
	kfree(queues->controls);
}

int vdvs_control_add(struct vdvs_queues *queues, const struct dvs_ctl_request *request)
{
	struct scatterlist out, in, *sgs[] = { &out, &in };
	struct vdvs_control *control;

	control = list_first_entry_or_null(&queues->controls_free, struct vdvs_control, link);
	if (!control)
		goto full;
	control->request = *request;
	control->nonce = request->nonce;
	/* What a device that writes nothing has said. */
	control->response.status = DVS_CTL_MALFORMED;
	sg_init_one(&out, &control->request, sizeof(control->request));
	sg_init_one(&in, &control->response, sizeof(control->response));
	if (virtqueue_add_sgs(queues->vq[DVS_VQ_CONTROL], sgs, 1, 1, control, GFP_ATOMIC))
		goto full;
	list_del(&control->link);
	queues->dirty[DVS_VQ_CONTROL] = true;
	return 0;

full:
	queues->control_full = true;
	return -ENOSPC;
}

static void vdvs_control_answer(struct vdvs_device *dev, struct vdvs_control *control,
				unsigned int len)
{
	u32 status = READ_ONCE(control->response.status);
	u64 nonce = control->nonce;

	if (len < sizeof(control->response))
		status = DVS_CTL_MALFORMED;
	list_add(&control->link, &dev->queues.controls_free);
	if (status != DVS_CTL_ACCEPTED)
		dvs_core_refused(dev->core, nonce, status, vdvs_now());
}

static void vdvs_control_run(struct vdvs_device *dev, struct virtqueue *vq)
{
	struct vdvs_control *control;
	unsigned int len;

	do {
		virtqueue_disable_cb(vq);
		while ((control = virtqueue_get_buf(vq, &len)))
			vdvs_control_answer(dev, control, len);
	} while (!virtqueue_enable_cb(vq));
	if (dev->queues.control_full) {
		dev->queues.control_full = false;
		dvs_core_room(dev->core, vdvs_now());
	}
}

void vdvs_control_done(struct virtqueue *vq)
{
	struct vdvs_device *dev = vq->vdev->priv;
	unsigned long flags;

	vdvs_enter(dev, &flags);
	if (dev->core) {
		dev->count.interrupts[DVS_VQ_CONTROL]++;
		vdvs_control_run(dev, vq);
	}
	vdvs_leave(dev, &flags);
}
