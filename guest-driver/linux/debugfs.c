// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_dvs: counters in debugfs, a name and a number a line.
 *
 *   dvs/stats       the core's (struct dvs_stats)
 *   dvs/kicks       kicks by queue, and their sum
 *   dvs/interrupts  interrupts by queue, their sum, timer expiries, deferred batches
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
	vdvs_show(local_messages);
	vdvs_show(remote_messages);
	vdvs_show(endpoints);
	vdvs_show(peers);
	vdvs_show(operations);
	vdvs_show(requests);
	vdvs_show(destinations);
	vdvs_show(unacknowledged);
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

void vdvs_debugfs_add(struct vdvs_device *dev)
{
	dev->debugfs = debugfs_create_dir("dvs", NULL);
	debugfs_create_file("stats", 0400, dev->debugfs, dev, &vdvs_stats_fops);
	debugfs_create_file("kicks", 0400, dev->debugfs, dev, &vdvs_kicks_fops);
	debugfs_create_file("interrupts", 0400, dev->debugfs, dev, &vdvs_interrupts_fops);
}

void vdvs_debugfs_remove(struct vdvs_device *dev)
{
	debugfs_remove_recursive(dev->debugfs);
}
