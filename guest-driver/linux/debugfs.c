// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: what is in debugfs: counters, a name and a number a line, and endpoints.
 *
 *   dvs/stats       the core's (struct dvs_stats), and pages pinned for copies now
 *   dvs/kicks       kicks by queue, and their sum
 *   dvs/interrupts  interrupts by queue, their sum, timer expiries, deferred batches
 *   dvs/procs       the endpoints of this VM, in the manner of the reference's /proc/dvs/DCx/procs
 */

#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "virtio_dvs.h"

static const char * const vdvs_queue_names[DVS_VQ_COUNT] = {
	[DVS_VQ_MSG_TX] = "msg_tx",
	[DVS_VQ_MSG_RX] = "msg_rx",
	[DVS_VQ_BULK_TX] = "bulk_tx",
	[DVS_VQ_BULK_RX] = "bulk_rx",
	[DVS_VQ_CONTROL] = "control",
};

static int vdvs_stats_show(struct seq_file *seq, void *unused)
{
	struct vdvs_device *dev = seq->private;
	struct dvs_stats stats = {};
	unsigned long flags;

	vdvs_enter(dev, &flags);
	if (dev->core)
		dvs_core_stats(dev->core, &stats);
	vdvs_leave(dev, &flags);

#define vdvs_show(member) seq_printf(seq, #member " %llu\n", (u64)stats.member)
	vdvs_show(frames_sent);
	vdvs_show(frames_sent_again);
	vdvs_show(frames_received);
	vdvs_show(duplicates_dropped);
	vdvs_show(gaps_dropped);
	vdvs_show(malformed_dropped);
	vdvs_show(acks_sent);
	vdvs_show(backstop_fired);
	vdvs_show(retries);
	vdvs_show(gone);
	vdvs_show(renewals);
	vdvs_show(local_messages);
	vdvs_show(remote_messages);
	vdvs_show(bulk_sent);
	vdvs_show(bulk_sent_again);
	vdvs_show(bulk_received);
	vdvs_show(copies_done);
	vdvs_show(copied_bytes);
	vdvs_show(endpoints);
	vdvs_show(peers);
	vdvs_show(operations);
	vdvs_show(requests);
	vdvs_show(destinations);
	vdvs_show(unacknowledged);
	vdvs_show(copies);
	vdvs_show(sides);
	vdvs_show(grants);
	vdvs_show(bulk_unacknowledged);
	seq_printf(seq, "pinned_pages %ld\n", atomic_long_read(&dev->copies.pinned));
#undef vdvs_show
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vdvs_stats);

static void vdvs_counters_get(struct vdvs_device *dev, struct vdvs_counters *count)
{
	unsigned long flags;

	vdvs_enter(dev, &flags);
	*count = dev->count;
	vdvs_leave(dev, &flags);
}

static void vdvs_by_queue(struct seq_file *seq, const u64 *counts)
{
	u64 total = 0;
	int i;

	for (i = 0; i < DVS_VQ_COUNT; i++) {
		seq_printf(seq, "%s %llu\n", vdvs_queue_names[i], counts[i]);
		total += counts[i];
	}
	seq_printf(seq, "total %llu\n", total);
}

static int vdvs_kicks_show(struct seq_file *seq, void *unused)
{
	struct vdvs_counters count;

	vdvs_counters_get(seq->private, &count);
	vdvs_by_queue(seq, count.kicks);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vdvs_kicks);

static int vdvs_interrupts_show(struct seq_file *seq, void *unused)
{
	struct vdvs_counters count;

	vdvs_counters_get(seq->private, &count);
	vdvs_by_queue(seq, count.interrupts);
	seq_printf(seq, "timer %llu\n", count.timer);
	seq_printf(seq, "deferred %llu\n", count.deferred);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vdvs_interrupts);

/* The endpoint at this place or behind it, and the place after that. */
static bool vdvs_procs_next(struct vdvs_device *dev, u32 *place, struct dvs_endpoint_state *state)
{
	unsigned long flags;
	bool found;

	vdvs_enter(dev, &flags);
	found = dev->core && dvs_state_at(dev->core, place, state);
	vdvs_leave(dev, &flags);
	return found;
}

/* Nobody waits for a migration or a proxy here: they are not seen inside a VM. */
static int vdvs_procs_show(struct seq_file *seq, void *unused)
{
	struct vdvs_device *dev = seq->private;
	struct dvs_endpoint_state s;
	u32 place = 0;

	seq_puts(seq, "DC  pnr  endp  lpid/vpid  nd  flag  misc  getf  sndt  wmig  prxy name\n");
	while (vdvs_procs_next(dev, &place, &s))
		seq_printf(seq, "%2u %4d %5d %5d/%-5d %2u %5X %5X %5d %5d %5d %5d %-15.15s\n",
			   dev->info.dcid, s.nr, s.nr, s.pid, s.pid, dev->info.nodeid, s.rts,
			   s.misc, s.getfrom, s.sendto, DVS_NONE, DVS_NONE, s.name);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vdvs_procs);

void vdvs_debugfs_add(struct vdvs_device *dev)
{
	dev->debugfs = debugfs_create_dir("dvs", NULL);
	debugfs_create_file("stats", 0400, dev->debugfs, dev, &vdvs_stats_fops);
	debugfs_create_file("kicks", 0400, dev->debugfs, dev, &vdvs_kicks_fops);
	debugfs_create_file("interrupts", 0400, dev->debugfs, dev, &vdvs_interrupts_fops);
	debugfs_create_file("procs", 0400, dev->debugfs, dev, &vdvs_procs_fops);
}

void vdvs_debugfs_remove(struct vdvs_device *dev)
{
	debugfs_remove_recursive(dev->debugfs);
}
