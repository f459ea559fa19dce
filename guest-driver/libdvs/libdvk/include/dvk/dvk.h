/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Programs written for the DVS include many headers; each of them is this one.
 * C89, so that it suits programs of that age.
 */
#ifndef DVK_H
#define DVK_H

#include <sched.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "dvk_const.h"
#include "dvk_errno.h"
#include "dvk_status.h"
#include "dvk_message.h"
#include "dvk_records.h"
#include "dvk_call.h"

#endif
