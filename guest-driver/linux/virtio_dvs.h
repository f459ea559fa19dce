/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio_dvs: what the files of the module share.
 *
 * The module is a shell around the portable core (../core): it gives the core
 * calls of processes, frames and the time, and carries out its actions. Names
 * that begin with dvs_ are the core's (and the uapi header's), names that
 * begin with vdvs_ are the module's.
 */
#ifndef VIRTIO_DVS_H
#define VIRTIO_DVS_H

#include <linux/hashtable.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/tracepoint.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/dvs.h>

#include "core.h"

/* Frames taken under one hold of the lock. */
#define VDVS_BATCH		64
/* Control requests under way at once, at most. */
#define VDVS_CONTROL_MAX	64
/* Receive buffers posted, at most. */
#define VDVS_RX_MAX		1024

struct vdvs_device;
struct vdvs_file;

/* Whose endpoint it is: exactly one of an open file, a process and a thread. */
struct vdvs_holder {
	struct hlist_node link;		/* in vdvs_device.tasks; not used by files */
	struct vdvs_file *file;
	struct pid *process;		/* its thread-group id, which survives exec */
	struct task_struct *thread;	/* which survives exec as well */
	struct dvs_ep *ep;		/* NULL while it is being bound */
};

/* An open file of /dev/dvs; it may outlive the device. */
struct vdvs_file {
	struct vdvs_device *dev;
	struct list_head link;		/* in vdvs_device.files */
	struct vdvs_holder *holder;	/* of the file's own endpoint, if it has one */
	wait_queue_head_t pollers;
};

/* A call that a thread waits for; lives on its stack. */
struct vdvs_wait {
	struct dvs_call call;
	struct task_struct *task;
	struct vdvs_holder *binding;	/* bind: whose the endpoint will be */
	int result;			/* valid when done */
	bool done;
};

/* A control request and the room for its response. */
struct vdvs_control {
	struct list_head link;		/* free ones */
	u64 nonce;
	struct dvs_ctl_request request ____cacheline_aligned;
	struct dvs_ctl_response response ____cacheline_aligned;
};

/* Virtqueues and their buffers; they exist from vdvs_queues_init to vdvs_queues_free. */
struct vdvs_queues {
	struct virtqueue *vq[DVS_VQ_COUNT];
	bool dirty[DVS_VQ_COUNT];	/* buffers added since the last look at kicks */
	bool tx_waiting;		/* the core waits for room on message transmit */
	bool control_full;		/* … on control */
	void *slots;			/* frames of the core, virtually contiguous */
	struct page **slot_pages;
	u32 *slot_uses;			/* how often each slot is on the ring */
	struct vdvs_control *controls;
	struct list_head controls_free;
};

/* Counters of the module itself; the core has its own (struct dvs_stats). */
struct vdvs_counters {
	u64 kicks[DVS_VQ_COUNT];
	u64 interrupts[DVS_VQ_COUNT];
	u64 deferred;			/* batches continued on a workqueue */
	u64 timer;			/* expiries of the timer */
};

struct vdvs_device {
	struct kref ref;
	struct virtio_device *vdev;
	struct miscdevice misc;
	struct dentry *debugfs;
	struct dvs_info info;		/* constant after probe, but for the incarnation */

	spinlock_t lock;		/* everything below, and every entry to the core */
	struct dvs_core *core;		/* NULL: the device is gone or asleep */
	struct vdvs_queues queues;
	struct list_head files;
	DECLARE_HASHTABLE(tasks, 6);	/* holders that are processes or threads */
	u32 nr_tasks;			/* … their number: read without the lock at exits */
	struct vdvs_counters count;
	u64 timer_wanted;		/* when the core wants its timer; ~0: never */
	u64 timer_armed;		/* when the hrtimer fires; ~0: it does not */

	struct hrtimer timer;
	struct work_struct rx_work;
	void *core_memory;
	struct tracepoint *exit_hook;
	wait_queue_head_t pollers;	/* of endpoints of processes and threads */
};

/* device.c: life of the core and the one way into it */
struct vdvs_device *vdvs_device_alloc(struct virtio_device *vdev);
void vdvs_device_get(struct vdvs_device *dev);
void vdvs_device_put(struct vdvs_device *dev);
int vdvs_device_start(struct vdvs_device *dev);
void vdvs_device_stop(struct vdvs_device *dev);
/* Between the two the core may be entered, if dev->core is there. */
void vdvs_enter(struct vdvs_device *dev, unsigned long *flags)
	__acquires(RCU) __acquires(&dev->lock);
/* Also kicks every queue that got buffers and whose device wants to know of them. */
void vdvs_leave(struct vdvs_device *dev, unsigned long *flags)
	__releases(&dev->lock) __releases(RCU);

static inline u64 vdvs_now(void)
{
	return ktime_get_ns();
}

/* actions.c: what the core asks for */
extern const struct dvs_ops vdvs_ops;
void vdvs_readable(void *ctx, struct dvs_ep *ep);
enum hrtimer_restart vdvs_timer(struct hrtimer *timer);

/* queues.c, control.c: virtqueues; all but init, free and rx_work inside vdvs_enter */
int vdvs_queues_init(struct vdvs_device *dev, u32 slots);
void vdvs_queues_free(struct vdvs_device *dev);
int vdvs_tx_add(struct vdvs_queues *queues, u32 slot, u32 len);
bool vdvs_tx_reusable(struct vdvs_queues *queues, u32 slot);
void vdvs_rx(struct vdvs_device *dev);
void vdvs_rx_work(struct work_struct *work);
int vdvs_control_init(struct vdvs_queues *queues);
void vdvs_control_free(struct vdvs_queues *queues);
int vdvs_control_add(struct vdvs_queues *queues, const struct dvs_ctl_request *request);
void vdvs_control_done(struct virtqueue *vq);

/* callers.c: whose endpoint a call is about; inside vdvs_enter, except new and free */
struct vdvs_holder *vdvs_holder_new(struct vdvs_file *file, u32 owner);
void vdvs_holder_free(struct vdvs_holder *holder);
bool vdvs_holder_add(struct vdvs_device *dev, struct vdvs_holder *holder, struct vdvs_file *file);
void vdvs_holder_remove(struct vdvs_device *dev, struct vdvs_holder *holder);
void vdvs_holder_unbind(struct vdvs_device *dev, struct vdvs_holder *holder);
void vdvs_holder_remove_all(struct vdvs_device *dev);
struct dvs_ep *vdvs_endpoint_of(struct vdvs_file *file, u32 id);
struct vdvs_holder *vdvs_holder_of(struct vdvs_file *file, u32 id);
int vdvs_exit_hook_add(struct vdvs_device *dev);
void vdvs_exit_hook_remove(struct vdvs_device *dev);

/* calls.c: from ioctl to the core, and the wait for its outcome */
long vdvs_call_info(struct vdvs_file *file, void __user *arg);
long vdvs_call_bind(struct vdvs_file *file, void __user *arg);
long vdvs_call_unbind(struct vdvs_file *file, void __user *arg);
long vdvs_call_io(struct vdvs_file *file, unsigned int cmd, void __user *arg, bool nonblock);

/* wait.c: the wait of a thread for its call */
void vdvs_wait_done(struct vdvs_device *dev, struct vdvs_wait *wait, int result);
int vdvs_wait_for(struct vdvs_device *dev, struct vdvs_wait *wait, s64 timeout_ms);

/* chardev.c, debugfs.c */
int vdvs_chardev_add(struct vdvs_device *dev);
void vdvs_chardev_remove(struct vdvs_device *dev);
void vdvs_debugfs_add(struct vdvs_device *dev);
void vdvs_debugfs_remove(struct vdvs_device *dev);

#endif
