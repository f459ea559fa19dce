// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* libdvs: sentences for results. */
#include "dvs.h"

#include <errno.h>

static const struct {
	int result;
	const char *text;
} sentences[] = {
	{ DVS_OK, "success" },
	{ DVS_EINTR, "a signal interrupted the call" },
	{ DVS_E2BIG, "too large" },
	{ DVS_EAGAIN, "the call would have to wait" },
	{ DVS_EBUSY, "this file, process or thread has an endpoint already" },
	{ DVS_EINVAL, "a field of the call has a value that it cannot have" },
	{ DVS_ERANGE, "no such endpoint number" },
	{ DVS_ENOSYS, "the call is not supported" },
	{ DVS_EBADDEST, "this endpoint cannot be the destination of the call" },
	{ DVS_ETIMEDOUT, "the time of the call is over" },
	{ DVS_ENOTCONN, "the connection to the other virtual machine, or to the host, is lost" },
	{ DVS_ESHUTDOWN, "an administrator takes the endpoint away" },
	{ DVS_EMSGSIZE, "the message is longer than messages can be" },
	{ DVS_ELOCKED, "the call would wait for itself" },
	{ DVS_EBADCALL, "the endpoint may not use this call" },
	{ DVS_ESRCDIED, "the endpoint that was to answer has died" },
	{ DVS_EDSTDIED, "the destination is not bound, or has died" },
	{ DVS_ETRAPDENIED, "the endpoint may not send to this destination" },
	{ DVS_EENDPOINT, "the number is bound, but in another generation" },
	{ DVS_EBADPID, "no such process" },
	{ DVS_ERMTPROC, "the endpoint is in another virtual machine" },
	{ DVS_ENOTBIND, "the caller has no endpoint, or nobody has the one the call is about" },
	{ DVS_EPROCRUN, "the process is not waiting" },
	{ DVS_EPROCSTS, "the destination does not wait for a reply" },
	{ DVS_EMIGRATE, "the endpoint has moved, or is not being moved" },
	{ DVS_EPRIVILEGES, "only an administrator may do this" },
	{ DVS_ESLOTUSED, "the endpoint number is in use" },
	{ DVS_EALLOCMEM, "a limit of this virtual machine is reached" },
	{ DVS_EWOKENUP, "somebody woke the receiver up" },
	{ -ENODEV, "the device is gone" },
	{ -ENOENT, DVS_DEVICE " does not exist: the driver is not loaded or has no device" },
	{ -EACCES, "no permission to open " DVS_DEVICE },
	{ -EFAULT, "an address in the call is not accessible" },
	{ -ENOMEM, "out of memory" },
	{ -ENOTTY, "the driver does not know this call" },
};

const char *dvs_strerror(int result)
{
	size_t i;

	for (i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
		if (sentences[i].result == result)
			return sentences[i].text;
	return "unknown result";
}
