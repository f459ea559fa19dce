// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* libdvk: the open device, and whose call it is. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

int dvk_fd = -1;
int local_nodeid = DVS_NO_INIT;

/* The child of a fork uses its parent's file, so a second call finds it open. */
long dvk_open(void)
{
	if (dvk_fd >= 0)
		return dvk_fd;
	dvk_fd = open(DVK_FILE_NAME, O_RDWR | O_CLOEXEC);
	return dvk_fd < 0 ? -errno : dvk_fd;
}

long dvk_call(unsigned long request, void *structure)
{
	return ioctl(dvk_fd, request, structure) < 0 ? -errno : OK;
}

__s64 dvk_timeout(long timeout)
{
	return timeout < 0 ? DVS_TIMEOUT_FOREVER : timeout;
}

long dvk_own(int *endpoint)
{
	struct dvs_await await = {
		.what = DVS_AWAIT_OWN,
		.timeout_ms = DVS_TIMEOUT_NOWAIT,
	};
	long ret = dvk_call(DVS_IOC_AWAIT, &await);

	if (ret)
		return ret;
	*endpoint = await.ep;
	return await.result == DVS_EAGAIN ? EDVSNOTBIND : await.result;
}

long dvk_resolve(int *endpoint)
{
	return *endpoint == SELF ? dvk_own(endpoint) : OK;
}

long dvk_info(struct dvs_info *info)
{
	return dvk_call(DVS_IOC_INFO, info);
}

long dvk_info_of(int dcid, struct dvs_info *info)
{
	long ret = dvk_info(info);

	if (ret)
		return ret;
	return dcid < 0 || (__u32)dcid != info->dcid ? EDVSBADDCID : OK;
}

long dvk_info_of_own(int dcid, struct dvs_info *info)
{
	int endpoint;
	long ret;

	if (dcid != -1)
		return dvk_info_of(dcid, info);
	ret = dvk_own(&endpoint);
	return ret == EDVSNOTBIND ? ret : dvk_info(info);
}
