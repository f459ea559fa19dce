// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: the call that copies.
 *
 * If both sides are in this VM, the calling thread does the work, a piece of
 * some pages at a time: the other process's pages are pinned, its own memory is
 * used in place. While a piece is being copied no page fault is taken, so that
 * whoever wants to leave waits for no more than the copying of one piece; what
 * is missing is brought in between pieces.
 */

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "virtio_dvs.h"

#define VDVS_PIECE_PAGES	(VDVS_PIECE / PAGE_SIZE + 1)

/* One side of a copy within this VM. */
struct vdvs_end {
	struct mm_struct *mm;		/* NULL: the caller's own memory */
	u64 address;
	bool writes;
	unsigned int count;
	struct page *pages[VDVS_PIECE_PAGES];	/* of the present piece */
};

/* A copy within this VM, which the caller runs. */
struct vdvs_run {
	struct dvs_side *src_side;
	struct dvs_side *dst_side;
	u32 starts;			/* the core that has the sides */
	u32 bytes;
	bool src_there;			/* that process has its memory */
	bool dst_there;
	struct vdvs_end src;
	struct vdvs_end dst;
};

void vdvs_copy_pages(struct page **to, unsigned int to_offset, struct page **from,
		     unsigned int from_offset, unsigned int len)
{
	unsigned int n;

	for (; len; len -= n, to_offset += n, from_offset += n) {
		n = min_t(unsigned int, PAGE_SIZE - offset_in_page(to_offset),
			  PAGE_SIZE - offset_in_page(from_offset));
		n = min(n, len);
		memcpy_page(to[to_offset / PAGE_SIZE], offset_in_page(to_offset),
			    from[from_offset / PAGE_SIZE], offset_in_page(from_offset), n);
	}
}

/* Between the caller's own memory and pinned pages; returns how many bytes before a fault. */
static unsigned int vdvs_copy_own(char __user *own, struct page **pages, unsigned int offset,
				  unsigned int len, bool out)
{
	unsigned int done = 0, n, left = 0;
	char *page;

	pagefault_disable();
	for (; done < len && !left; done += n - left, offset += n) {
		n = min_t(unsigned int, len - done, PAGE_SIZE - offset_in_page(offset));
		page = kmap_local_page(pages[offset / PAGE_SIZE]);
		if (out)
			left = __copy_from_user_inatomic(page + offset_in_page(offset),
							 own + done, n);
		else
			left = __copy_to_user_inatomic(own + done, page + offset_in_page(offset),
						       n);
		kunmap_local(page);
	}
	pagefault_enable();
	return done;
}

/* Copies from the present piece, `len` bytes that are wholly in it on both sides. */
static unsigned int vdvs_piece_copy(struct vdvs_run *run, unsigned int len)
{
	unsigned int src_offset = offset_in_page(run->src.address);
	unsigned int dst_offset = offset_in_page(run->dst.address);

	if (!run->src.mm)
		return vdvs_copy_own(u64_to_user_ptr(run->src.address), run->dst.pages,
				     dst_offset, len, true);
	if (!run->dst.mm)
		return vdvs_copy_own(u64_to_user_ptr(run->dst.address), run->src.pages,
				     src_offset, len, false);
	vdvs_copy_pages(run->dst.pages, dst_offset, run->src.pages, src_offset, len);
	return len;
}

static bool vdvs_end_pin(struct vdvs_device *dev, struct vdvs_end *end, unsigned int len)
{
	int got;

	end->count = 0;
	if (!end->mm)
		return true;
	got = vdvs_pin(dev, end->mm, end->address, len, end->writes, end->pages);
	if (got > 0)
		end->count = got;
	return got > 0;
}

static void vdvs_end_unpin(struct vdvs_device *dev, struct vdvs_end *end)
{
	if (end->count)
		vdvs_unpin(dev, end->pages, end->count, end->writes);
}

/* Brings in what a piece found missing of the caller's memory. */
static bool vdvs_end_fault_in(struct vdvs_end *end, unsigned int len)
{
	void __user *own = u64_to_user_ptr(end->address);

	if (end->mm)
		return true;
	return !(end->writes ? fault_in_writeable(own, len) : fault_in_readable(own, len));
}

/* The core is the one that the run began with. Inside vdvs_enter. */
static bool vdvs_run_core(const struct vdvs_device *dev, const struct vdvs_run *run)
{
	return dev->core && dev->starts == run->starts;
}

/* Copies a pinned piece; returns how much of it, or a result of the DVS. */
static int vdvs_piece_run(struct vdvs_device *dev, struct vdvs_run *run, unsigned int len)
{
	unsigned long flags;
	unsigned int done;
	bool goes_on;

	vdvs_enter(dev, &flags);
	goes_on = vdvs_run_core(dev, run) && dvs_copy_begin(run->src_side, run->dst_side);
	vdvs_leave(dev, &flags);
	if (!goes_on)
		return DVS_EPROCSTS;
	done = vdvs_piece_copy(run, len);
	vdvs_enter(dev, &flags);
	if (vdvs_run_core(dev, run))
		dvs_copy_end(dev->core, run->src_side, run->dst_side, vdvs_now());
	vdvs_leave(dev, &flags);
	return done;
}

/* Returns a result of the DVS. */
static int vdvs_piece(struct vdvs_device *dev, struct vdvs_run *run)
{
	unsigned int len = min_t(u32, run->bytes, VDVS_PIECE);
	int done = DVS_EINVAL;

	if (vdvs_end_pin(dev, &run->src, len)) {
		if (vdvs_end_pin(dev, &run->dst, len))
			done = vdvs_piece_run(dev, run, len);
		vdvs_end_unpin(dev, &run->dst);
		vdvs_end_unpin(dev, &run->src);
	}
	if (done < 0)
		return done;
	run->src.address += done;
	run->dst.address += done;
	run->bytes -= done;
	len -= done;
	if (len && (!vdvs_end_fault_in(&run->src, len) || !vdvs_end_fault_in(&run->dst, len)))
		return DVS_EINVAL;
	return DVS_OK;
}

static bool vdvs_end_of(struct vdvs_end *end, const struct dvs_side *side)
{
	end->writes = side->writes;
	end->mm = vdvs_side_memory(side, &end->address);
	if (end->mm != current->mm)
		return end->mm && mmget_not_zero(end->mm);
	end->mm = NULL;
	return access_ok(u64_to_user_ptr(end->address), side->bytes);
}

/* Both sides are here. Inside vdvs_enter. */
static void vdvs_run_init(struct vdvs_device *dev, struct vdvs_run *run,
			  const struct dvs_call *call)
{
	dvs_copy_sides(call, &run->src_side, &run->dst_side);
	run->starts = dev->starts;
	run->bytes = run->src_side->bytes;
	run->src_there = vdvs_end_of(&run->src, run->src_side);
	run->dst_there = vdvs_end_of(&run->dst, run->dst_side);
	/* Of memory that is the caller's twice, one side is pinned. */
	if (run->src_there && !run->src.mm && !run->dst.mm && mmget_not_zero(current->mm))
		run->src.mm = current->mm;
}

static void vdvs_end_put(const struct vdvs_end *end, bool there)
{
	if (there && end->mm)
		mmput(end->mm);
}

static void vdvs_carry_out(struct vdvs_device *dev, struct vdvs_run *run)
{
	int result = run->src_there && run->dst_there ? DVS_OK : DVS_EINVAL;
	unsigned long flags;

	while (result == DVS_OK && run->bytes) {
		result = fatal_signal_pending(current) ? DVS_EINTR : vdvs_piece(dev, run);
		cond_resched();
	}
	vdvs_end_put(&run->src, run->src_there);
	vdvs_end_put(&run->dst, run->dst_there);
	vdvs_enter(dev, &flags);
	if (vdvs_run_core(dev, run))
		dvs_copy_ran(dev->core, run->src_side, run->dst_side, result, vdvs_now());
	vdvs_leave(dev, &flags);
}

/* A copy that the core takes in one; 0, or a negative errno. */
static int vdvs_copy_part(struct vdvs_file *file, u32 id, const struct dvs_copy_request *request,
			  s64 timeout_ms, int *result)
{
	struct vdvs_device *dev = file->dev;
	struct vdvs_wait wait = { .task = current };
	struct vdvs_run run;
	unsigned long flags;
	bool gone;

	vdvs_enter(dev, &flags);
	gone = !dev->core;
	*result = gone ? DVS_ENOTCONN :
		  dvs_vcopy(dev->core, &wait.call, vdvs_endpoint_of(file, id), request,
			    vdvs_now());
	if (*result == DVS_RUN)
		vdvs_run_init(dev, &run, &wait.call);
	vdvs_leave(dev, &flags);
	if (gone)
		return -ENODEV;
	if (*result == DVS_RUN) {
		vdvs_carry_out(dev, &run);
		*result = vdvs_wait_for(dev, &wait, DVS_TIMEOUT_FOREVER);
	} else if (*result == DVS_PENDING) {
		*result = vdvs_wait_for(dev, &wait, timeout_ms);
	}
	return 0;
}

static struct dvs_copy_request vdvs_copy_request(const struct dvs_copy *copy)
{
	struct dvs_copy_request request = {
		.src = {
			.ep = { .nr = copy->src, .gen = copy->src_generation },
			.address = copy->src_addr + copy->copied,
			.grant = copy->src_grant,
		},
		.dst = {
			.ep = { .nr = copy->dst, .gen = copy->dst_generation },
			.address = copy->dst_addr + copy->copied,
			.grant = copy->dst_grant,
		},
		.bytes = min_t(u64, copy->bytes - copy->copied, DVS_COPY_MAX),
	};

	return request;
}

/* The time that is left of the whole call's, at least some. */
static s64 vdvs_time_left(const struct dvs_copy *copy, ktime_t begun)
{
	s64 passed = ktime_ms_delta(ktime_get(), begun);

	if (copy->timeout_ms <= 0)
		return copy->timeout_ms;
	return max_t(s64, copy->timeout_ms - passed, 1);
}

long vdvs_call_copy(struct vdvs_file *file, void __user *arg)
{
	struct dvs_copy_request request;
	ktime_t begun = ktime_get();
	struct dvs_copy copy;
	int err;

	if (copy_from_user(&copy, arg, sizeof(copy)))
		return -EFAULT;
	if (copy.id > DVS_ID_TASK || copy.flags || copy.reserved ||
	    copy.timeout_ms < DVS_TIMEOUT_FOREVER)
		return -EINVAL;
	copy.copied = 0;
	do {
		request = vdvs_copy_request(&copy);
		err = vdvs_copy_part(file, copy.id, &request, vdvs_time_left(&copy, begun),
				     &copy.result);
		if (err)
			return err;
		if (copy.result == DVS_OK)
			copy.copied += request.bytes;
	} while (copy.result == DVS_OK && copy.copied < copy.bytes);
	return copy_to_user(arg, &copy, sizeof(copy)) ? -EFAULT : 0;
}
