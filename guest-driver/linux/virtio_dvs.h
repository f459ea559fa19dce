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

#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/tracepoint.h>
#include <linux/version.h>
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
#define VDVS_BULK_RX_MAX	32
/* Bytes of a copy within this VM that are copied at a time. */
#define VDVS_PIECE		65536

struct io_uring_cmd;
struct vdvs_device;
struct vdvs_file;

/* Whose endpoint it is: exactly one of an open file, a process and a thread. */
struct vdvs_holder {
	struct hlist_node link;		/* in vdvs_device.tasks; not used by files */
	struct vdvs_file *file;
	struct pid *process;		/* its thread-group id, which survives exec */
	struct task_struct *thread;	/* which survives exec as well */
	struct pid *shown;		/* process that is shown with it: of a file, the one that bound it */
	u32 flags;			/* DVS_BIND_* */
	struct dvs_ep *ep;		/* NULL while it is being bound */
	bool over;			/* its process exited while it was being bound for it */
};

/* An open file of /dev/dvs; it may outlive the device. */
struct vdvs_file {
	struct vdvs_device *dev;
	struct file *filp;
	struct list_head link;		/* in vdvs_device.files */
	struct vdvs_holder *holder;	/* of the file's own endpoint, if it has one */
	u32 spin_ns;			/* how long its calls spin before they sleep; without a lock */
	wait_queue_head_t pollers;
};

/* A call whose end a thread waits for, on the stack of which it lives, or `ended` is told of. */
struct vdvs_wait {
	struct dvs_call call;
	struct task_struct *task;
	struct mm_struct *mm;		/* without a task: the memory of its program */
	void (*ended)(struct vdvs_device *dev, struct vdvs_wait *wait);
	struct vdvs_holder *binding;	/* bind: whose the endpoint will be */
	u32 *spin_ns;			/* of its file, if it may spin */
	int result;			/* valid when done */
	bool done;
};

/*
 * A call with messages. They cross user space by its buffers, so that the core
 * never touches user memory.
 */
struct vdvs_io_call {
	struct vdvs_wait wait;
	unsigned int cmd;		/* DVS_IOC_* */
	bool denied;
	void __user *arg;
	struct dvs_io io;
	u8 out[DVS_MSG_PAYLOAD_MAX];
	u8 in[DVS_MSG_PAYLOAD_MAX];
};

/* A control request and the room for its response. */
struct vdvs_control {
	struct list_head link;		/* free ones */
	u64 nonce;
	struct dvs_ctl_request request ____cacheline_aligned;
	struct dvs_ctl_response response ____cacheline_aligned;
};

/* Memory of a process, pinned for a side of a copy. */
struct vdvs_pins {
	struct list_head link;		/* in vdvs_copies.pins or .closed */
	struct work_struct work;	/* pins the memory */
	struct work_struct run;		/* copies to it, from `from` */
	struct vdvs_device *dev;
	struct dvs_side *side;		/* until the core closes it */
	struct vdvs_pins *from;
	struct mm_struct *mm;		/* until it is pinned */
	unsigned long start;
	u32 bytes;
	bool writes;
	unsigned int count;
	struct page **pages;
};

/* Memory that an endpoint has lent. */
struct vdvs_loan {
	struct list_head link;		/* in vdvs_copies.unlent */
	struct mm_struct *mm;
	u64 address;
};

/* What copies need besides the core. */
struct vdvs_copies {
	struct workqueue_struct *wq;
	struct work_struct release;
	struct list_head pins;		/* of sides that are not closed */
	struct list_head closed;	/* to be unpinned */
	struct list_head unlent;	/* to be freed */
	atomic_long_t pinned;		/* pages */
};

/* A transmit queue; tokens on it are slot numbers. */
struct vdvs_tx {
	struct virtqueue *vq;
	u32 *uses;			/* how often each slot is on the ring */
	bool waiting;			/* the core waits for room */
};

/* Virtqueues and their buffers; they exist from vdvs_queues_init to vdvs_queues_free. */
struct vdvs_queues {
	struct virtqueue *vq[DVS_VQ_COUNT];
	bool dirty[DVS_VQ_COUNT];	/* buffers added since the last look at kicks */
	struct vdvs_tx tx;
	struct vdvs_tx bulk_tx;
	bool control_full;		/* the core waits for room on control */
	void *slots;			/* frames of the core, virtually contiguous */
	struct page **slot_pages;
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
	struct dvs_info info;		/* constant after probe, but for the incarnation: that of the start,
					 * and, under the lock, the node
					 */

	spinlock_t lock;		/* everything below, and every entry to the core */
	struct dvs_core *core;		/* NULL: the device is gone or asleep */
	struct vdvs_queues queues;
	struct list_head files;
	DECLARE_HASHTABLE(tasks, 6);	/* holders that are processes or threads */
	u32 nr_tasks;			/* … their number: read without the lock at exits */
	struct list_head async;		/* calls by io_uring under way */
	struct vdvs_counters count;
	u64 timer_wanted;		/* when the core wants its timer; ~0: never */
	u64 timer_armed;		/* when the timer fires; ~0: it does not */
	u32 starts;			/* of cores so far */

	struct vdvs_copies copies;
	struct timer_list timer;
	struct work_struct rx_work;
	struct work_struct bulk_rx_work;
	struct work_struct config_work;
	void *core_memory;
	struct tracepoint *exit_hook;
	struct delayed_work async_scan;
	wait_queue_head_t pollers;	/* of endpoints of processes and threads */
	wait_queue_head_t owners;	/* who wait for an endpoint of their own */
};

/* device.c: life of the core and the one way into it */
struct vdvs_device *vdvs_device_alloc(struct virtio_device *vdev);
void vdvs_device_get(struct vdvs_device *dev);
void vdvs_device_put(struct vdvs_device *dev);
int vdvs_device_start(struct vdvs_device *dev);
void vdvs_device_stop(struct vdvs_device *dev);
/* The device's configuration has changed: the VM is on another host. */
void vdvs_config_changed(struct virtio_device *vdev);
/* Between the two the core may be entered, if dev->core is there. */
void vdvs_enter(struct vdvs_device *dev, unsigned long *flags)
	__acquires(RCU) __acquires(&dev->lock);
/* Also kicks every queue that got buffers and whose device wants to know of them. */
void vdvs_leave(struct vdvs_device *dev, unsigned long *flags)
	__releases(&dev->lock) __releases(RCU);

/* The core's time counts ticks: its timers are far longer, and reading no clock is cheap. */
static inline u64 vdvs_now(void)
{
	return get_jiffies_64() * TICK_NSEC;
}

/* actions.c: what the core asks for */
extern const struct dvs_ops vdvs_ops;
void vdvs_readable(void *ctx, struct dvs_ep *ep);
void vdvs_timer(struct timer_list *timer);

/* queues.c, control.c: virtqueues; all but init, free and rx_work inside vdvs_enter */
int vdvs_queues_init(struct vdvs_device *dev, u32 slots, u32 bulk_slots);
void vdvs_queues_free(struct vdvs_device *dev);
int vdvs_tx_add(struct vdvs_queues *queues, u32 slot, u32 len);
bool vdvs_tx_free(struct vdvs_tx *tx, u32 slot);
/* Puts a frame on the ring; -ENOSPC: there is no room, an interrupt is asked for. */
int vdvs_tx_post(struct vdvs_tx *tx, struct scatterlist *sg, unsigned int count, u32 slot);
void vdvs_tx_done(struct virtqueue *vq);
void vdvs_rx(struct vdvs_device *dev);
void vdvs_rx_work(struct work_struct *work);
int vdvs_control_init(struct vdvs_queues *queues);
void vdvs_control_free(struct vdvs_queues *queues);
int vdvs_control_add(struct vdvs_queues *queues, const struct dvs_ctl_request *request);
void vdvs_control_done(struct virtqueue *vq);

/* bulk.c: bulk queues, as queues.c */
int vdvs_bulk_fill(struct virtqueue *vq);
void vdvs_bulk_empty(struct virtqueue *vq);
int vdvs_bulk_add(struct vdvs_device *dev, u32 slot, struct dvs_side *side, u64 offset, u32 len);
void vdvs_bulk_rx_done(struct virtqueue *vq);
void vdvs_bulk_rx_work(struct work_struct *work);

/* pins.c: memory of processes, for copies; outside vdvs_enter but for the actions of the core */
int vdvs_copies_init(struct vdvs_device *dev);
void vdvs_copies_free(struct vdvs_device *dev);
/* The device has been reset: whatever is pinned is unpinned. */
void vdvs_copies_stop(struct vdvs_device *dev);
/* Whose memory the side is, and from where on; good for as long as the lock is held. */
struct mm_struct *vdvs_side_memory(const struct dvs_side *side, u64 *address);
int vdvs_pin(struct vdvs_device *dev, struct mm_struct *mm, unsigned long start, u32 bytes,
	     bool writes, struct page **pages);
void vdvs_unpin(struct vdvs_device *dev, struct page **pages, unsigned int count, bool writes);
dvs_s32 vdvs_copy_open(void *ctx, struct dvs_side *side);
void vdvs_copy_close(void *ctx, struct dvs_side *side);
void vdvs_copy_run(void *ctx, struct dvs_side *src, struct dvs_side *dst);

/* copy.c, grant.c */
void vdvs_copy_pages(struct page **to, unsigned int to_offset, struct page **from,
		     unsigned int from_offset, unsigned int len);
long vdvs_call_copy(struct vdvs_file *file, void __user *arg);
long vdvs_call_grant(struct vdvs_file *file, void __user *arg);
void vdvs_unlent(void *ctx, void *region);
void vdvs_loan_free(struct vdvs_loan *loan);

/* callers.c: whose endpoint a call is about; inside vdvs_enter, except new and free */
struct vdvs_holder *vdvs_holder_new(struct vdvs_file *file, const struct dvs_bind *bind);
void vdvs_holder_free(struct vdvs_holder *holder);
bool vdvs_holder_add(struct vdvs_device *dev, struct vdvs_holder *holder, struct vdvs_file *file);
void vdvs_holder_remove(struct vdvs_device *dev, struct vdvs_holder *holder);
void vdvs_holder_unbind(struct vdvs_device *dev, struct vdvs_holder *holder);
void vdvs_holder_remove_all(struct vdvs_device *dev);
struct dvs_ep *vdvs_endpoint_of(struct vdvs_file *file, u32 id);
struct vdvs_holder *vdvs_holder_of(struct vdvs_file *file, u32 id);
/* … the file's own, or else the thread's or process's */
struct vdvs_holder *vdvs_holder_any(struct vdvs_file *file);
/* … which a process or thread has, by its number for the caller; NULL: it is not there */
struct pid *vdvs_process_get(s32 nr);
struct vdvs_holder *vdvs_holder_by_pid(struct vdvs_device *dev, s32 nr);
struct vdvs_holder *vdvs_process_find(struct vdvs_device *dev, struct pid *process);
/* Can no other thread make a call of this endpoint? */
bool vdvs_holder_sole(const struct vdvs_file *file, const struct vdvs_holder *holder);
int vdvs_exit_hook_add(struct vdvs_device *dev);
void vdvs_exit_hook_remove(struct vdvs_device *dev);

/* migrate.c: endpoints that move */
long vdvs_call_migrate(struct vdvs_file *file, void __user *arg);
/*
 * A call of this endpoint's process failed with DVS_EMIGRATE: waits until it may be
 * made again. Returns what the call returns otherwise, or 0; then *timeout_ms is what is left.
 */
int vdvs_migrate_stay(struct vdvs_file *file, u32 id, s64 *timeout_ms);

/* naming.c, endpoints.c, calls.c: from ioctl to the core, and the wait for its outcome */
long vdvs_call_info(struct vdvs_file *file, void __user *arg);
long vdvs_call_bind(struct vdvs_file *file, void __user *arg);
long vdvs_call_unbind(struct vdvs_file *file, void __user *arg);
long vdvs_call_await(struct vdvs_file *file, void __user *arg);
long vdvs_call_getep(struct vdvs_file *file, void __user *arg);
long vdvs_call_privilege(struct vdvs_file *file, void __user *arg);
long vdvs_call_state(struct vdvs_file *file, void __user *arg);
long vdvs_call_wakeup(struct vdvs_file *file, void __user *arg);
long vdvs_call_io(struct vdvs_file *file, unsigned int cmd, void __user *arg, bool nonblock);

int vdvs_io_prepare(struct vdvs_io_call *call, unsigned int cmd, void __user *arg, bool nonblock);
int vdvs_io_start(struct vdvs_file *file, struct vdvs_io_call *call, bool alone);
long vdvs_io_finish(struct vdvs_io_call *call, int result);

/* wait.c: the wait of a thread for its call */
void vdvs_wait_done(struct vdvs_device *dev, struct vdvs_wait *wait, int result);
/* Starts a call, inside vdvs_enter; returns what the core's function returns. */
typedef int vdvs_start_fn(struct vdvs_file *file, struct vdvs_wait *wait, void *what);
/* Starts it and waits for it. 0, or -ENODEV: there is no core. */
int vdvs_run(struct vdvs_file *file, struct vdvs_wait *wait, s64 timeout_ms,
	     vdvs_start_fn *start, void *what, s32 *result);
int vdvs_wait_for(struct vdvs_device *dev, struct vdvs_wait *wait, s64 timeout_ms);
/* When a call with this time-out is over. */
ktime_t vdvs_deadline(s64 timeout_ms);

/*
 * uring.c: the calls with messages by io_uring, on kernels whose io_uring is the one
 * that it was written for
 */
#define VDVS_URING (IS_ENABLED(CONFIG_IO_URING) && \
		    LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 192) && \
		    LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0))
#if VDVS_URING
int vdvs_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags);
#else
#define vdvs_uring_cmd NULL
#endif
/* Ends those that programs who share these files have under way on this file. */
void vdvs_uring_flush(struct vdvs_file *file, fl_owner_t owner);
/* … and those of an exiting thread. Inside vdvs_enter. */
void vdvs_uring_exit(struct vdvs_device *dev, struct task_struct *task);
void vdvs_uring_scan(struct work_struct *work);

/* chardev.c, debugfs.c */
int vdvs_chardev_add(struct vdvs_device *dev);
void vdvs_chardev_remove(struct vdvs_device *dev);
void vdvs_debugfs_add(struct vdvs_device *dev);
void vdvs_debugfs_remove(struct vdvs_device *dev);

#endif
