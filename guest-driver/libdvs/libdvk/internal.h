/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* libdvk: what its files share. */
#ifndef DVK_INTERNAL_H
#define DVK_INTERNAL_H

#include "include/dvk/dvk.h"

#include <linux/dvs.h>

#define DVK_HIDDEN	__attribute__((visibility("hidden")))

/*
 * One ioctl on the open device. 0, or -errno if the call could not be carried
 * out; what the DVS says of it is in the structure.
 */
DVK_HIDDEN long dvk_call(unsigned long request, void *structure);

/* A time in milliseconds as the driver has it: all that is negative is for ever. */
DVK_HIDDEN __s64 dvk_timeout(long timeout);

/* The endpoint of the calling thread or process; EDVSNOTBIND: it has none. */
DVK_HIDDEN long dvk_own(int *endpoint);

/* SELF is the caller's endpoint; any other number is itself. */
DVK_HIDDEN long dvk_resolve(int *endpoint);

/* What the host has set up. EDVSBADDCID: `dcid` is not the DC of this virtual machine. */
DVK_HIDDEN long dvk_info(struct dvs_info *info);
DVK_HIDDEN long dvk_info_of(int dcid, struct dvs_info *info);
/* The same, where -1 stands for the caller's DC. EDVSNOTBIND: the caller has none yet. */
DVK_HIDDEN long dvk_info_of_own(int dcid, struct dvs_info *info);

#endif
