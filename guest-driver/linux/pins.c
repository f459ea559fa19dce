// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: memory of processes, pinned for the sides of copies.
 *
 * The core opens and closes sides under the lock; pinning and unpinning may
 * sleep and are done on a workqueue. Whose memory it is is settled when the
 * side is opened: that of the thread that waits in the call, or what was lent.
 */

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "virtio_dvs.h"

static unsigned long vdvs_pinned_max = 65536;
module_param_named(max_pinned_pages, vdvs_pinned_max, ulong, 0644);
MODULE_PARM_DESC(max_pinned_pages, "Pages of processes that may be pinned for copies at once");

int vdvs_pin(struct vdvs_device *dev, struct mm_struct *mm, unsigned long start, u32 bytes,
	     bool writes, struct page **pages)
{
	unsigned int count = DIV_ROUND_UP(offset_in_page(start) + bytes, PAGE_SIZE);
	atomic_long_t *pinned = &dev->copies.pinned;
	unsigned int flags = writes ? FOLL_WRITE : 0;
	int locked = 1;
	long got;

	if (atomic_long_add_return(count, pinned) > READ_ONCE(vdvs_pinned_max)) {
		atomic_long_sub(count, pinned);
		return -ENOMEM;
	}
	mmap_read_lock(mm);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	got = pin_user_pages_remote(mm, start & PAGE_MASK, count, flags, pages, &locked);
#else
	got = pin_user_pages_remote(mm, start & PAGE_MASK, count, flags, pages, NULL, &locked);
#endif
	if (locked)
		mmap_read_unlock(mm);
	if (got == count)
		return count;
	if (got > 0)
		unpin_user_pages(pages, got);
	atomic_long_sub(count, pinned);
	return -EFAULT;
}

void vdvs_unpin(struct vdvs_device *dev, struct page **pages, unsigned int count, bool writes)
{
	unpin_user_pages_dirty_lock(pages, count, writes);
	atomic_long_sub(count, &dev->copies.pinned);
}

struct mm_struct *vdvs_side_memory(const struct dvs_side *side, u64 *address)
{
	const struct vdvs_loan *loan = side->region;
	const struct vdvs_wait *wait;

	*address = loan ? loan->address + side->address : side->address;
	if (loan)
		return loan->mm;
	wait = container_of(side->call, struct vdvs_wait, call);
	/* A thread that waits in a call has its memory. */
	return wait->task ? wait->task->mm : wait->mm;
}

static int vdvs_pins_fill(struct vdvs_pins *pins)
{
	unsigned int count = DIV_ROUND_UP(offset_in_page(pins->start) + pins->bytes, PAGE_SIZE);
	int got;

	pins->pages = kvmalloc_array(count, sizeof(*pins->pages), GFP_KERNEL_ACCOUNT);
	if (!pins->pages)
		return -ENOMEM;
	got = vdvs_pin(pins->dev, pins->mm, pins->start, pins->bytes, pins->writes, pins->pages);
	if (got > 0)
		pins->count = got;
	return got;
}

/* In no list any more. */
static void vdvs_pins_free(struct vdvs_pins *pins)
{
	if (pins->count)
		vdvs_unpin(pins->dev, pins->pages, pins->count, pins->writes);
	kvfree(pins->pages);
	kfree(pins);
}

static void vdvs_pins_work(struct work_struct *work)
{
	struct vdvs_pins *pins = container_of(work, struct vdvs_pins, work);
	struct vdvs_device *dev = pins->dev;
	struct mm_struct *mm = pins->mm;
	int got = vdvs_pins_fill(pins);
	unsigned long flags;
	int result = DVS_OK;

	if (got <= 0)
		result = got == -ENOMEM ? DVS_EALLOCMEM : DVS_EINVAL;
	pins->mm = NULL;
	mmput(mm);
	vdvs_enter(dev, &flags);
	/* Once the side is said to be open it may be closed, and its pins be freed, at any time. */
	if (result)
		list_del(&pins->link);
	if (dev->core)
		dvs_copy_opened(dev->core, pins->side, result, vdvs_now());
	vdvs_leave(dev, &flags);
	if (result)
		vdvs_pins_free(pins);
}

/* Copies between two sides that are both pinned, for a requester in another VM. */
static void vdvs_run_work(struct work_struct *work)
{
	struct vdvs_pins *to = container_of(work, struct vdvs_pins, run);
	struct vdvs_pins *from = to->from;
	struct vdvs_device *dev = to->dev;
	unsigned int to_offset = offset_in_page(to->start);
	unsigned int from_offset = offset_in_page(from->start);
	unsigned int done = 0, n;
	unsigned long flags;

	vdvs_enter(dev, &flags);
	while (dev->core && done < to->bytes && dvs_copy_begin(from->side, to->side)) {
		vdvs_leave(dev, &flags);
		n = min_t(u32, to->bytes - done, VDVS_PIECE);
		vdvs_copy_pages(to->pages, to_offset + done, from->pages, from_offset + done, n);
		done += n;
		vdvs_enter(dev, &flags);
		if (dev->core)
			dvs_copy_end(dev->core, from->side, to->side, vdvs_now());
	}
	if (dev->core)
		dvs_copy_ran(dev->core, from->side, to->side,
			     done == to->bytes ? DVS_OK : DVS_EPROCSTS, vdvs_now());
	vdvs_leave(dev, &flags);
}

dvs_s32 vdvs_copy_open(void *ctx, struct dvs_side *side)
{
	struct vdvs_device *dev = ctx;
	struct vdvs_pins *pins = kzalloc(sizeof(*pins), GFP_ATOMIC | __GFP_NOWARN);
	u64 address;

	if (!pins)
		return DVS_EALLOCMEM;
	pins->mm = vdvs_side_memory(side, &address);
	if (!pins->mm || !mmget_not_zero(pins->mm)) {
		kfree(pins);
		return DVS_EPROCSTS;
	}
	pins->dev = dev;
	pins->side = side;
	pins->start = address;
	pins->bytes = side->bytes;
	pins->writes = side->writes;
	INIT_WORK(&pins->work, vdvs_pins_work);
	INIT_WORK(&pins->run, vdvs_run_work);
	list_add(&pins->link, &dev->copies.pins);
	side->shell = pins;
	queue_work(dev->copies.wq, &pins->work);
	return DVS_OK;
}

void vdvs_copy_close(void *ctx, struct dvs_side *side)
{
	struct vdvs_device *dev = ctx;
	struct vdvs_pins *pins = side->shell;

	list_move(&pins->link, &dev->copies.closed);
	queue_work(dev->copies.wq, &dev->copies.release);
}

void vdvs_copy_run(void *ctx, struct dvs_side *src, struct dvs_side *dst)
{
	struct vdvs_device *dev = ctx;
	struct vdvs_pins *pins = dst->shell;

	pins->from = src->shell;
	queue_work(dev->copies.wq, &pins->run);
}

static void vdvs_release(struct vdvs_device *dev)
{
	struct vdvs_pins *pins, *next_pins;
	struct vdvs_loan *loan, *next_loan;
	unsigned long flags;
	LIST_HEAD(closed);
	LIST_HEAD(unlent);

	vdvs_enter(dev, &flags);
	list_splice_init(&dev->copies.closed, &closed);
	list_splice_init(&dev->copies.unlent, &unlent);
	vdvs_leave(dev, &flags);
	list_for_each_entry_safe(pins, next_pins, &closed, link)
		vdvs_pins_free(pins);
	list_for_each_entry_safe(loan, next_loan, &unlent, link)
		vdvs_loan_free(loan);
}

static void vdvs_release_work(struct work_struct *work)
{
	vdvs_release(container_of(work, struct vdvs_device, copies.release));
}

void vdvs_copies_stop(struct vdvs_device *dev)
{
	unsigned long flags;

	/* Those whose frames were on the ring, or whose work found no core. */
	vdvs_enter(dev, &flags);
	list_splice_init(&dev->copies.pins, &dev->copies.closed);
	vdvs_leave(dev, &flags);
	vdvs_release(dev);
}

int vdvs_copies_init(struct vdvs_device *dev)
{
	struct vdvs_copies *copies = &dev->copies;

	INIT_LIST_HEAD(&copies->pins);
	INIT_LIST_HEAD(&copies->closed);
	INIT_LIST_HEAD(&copies->unlent);
	INIT_WORK(&copies->release, vdvs_release_work);
	copies->wq = alloc_workqueue("virtio_dvs", WQ_UNBOUND | WQ_HIGHPRI, 0);
	return copies->wq ? 0 : -ENOMEM;
}

void vdvs_copies_free(struct vdvs_device *dev)
{
	destroy_workqueue(dev->copies.wq);
}
