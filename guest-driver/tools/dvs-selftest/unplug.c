// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvs-selftest: the device goes while files are open and calls are under way. */
#include "selftest.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRIVER	"/sys/bus/virtio/drivers/virtio_dvs/"

/* The name of the device that the driver drives, such as virtio3. */
static bool device_name(char *name, size_t size)
{
	glob_t found;
	bool there = glob(DRIVER "virtio*", 0, NULL, &found) == 0 && found.gl_pathc == 1;

	if (there)
		snprintf(name, size, "%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	return there;
}

static bool tell_driver(const char *what, const char *name)
{
	char path[128];
	FILE *file;
	bool done;

	snprintf(path, sizeof(path), DRIVER "%s", what);
	file = fopen(path, "w");
	if (!file)
		return false;
	done = fputs(name, file) >= 0;
	return fclose(file) == 0 && done;
}

static void unplug(void)
{
	struct dvs a = bound(EP(0)), b = bound(EP(1)), later;
	struct peer receiver = { .dvs = &a, .op = OP_RECEIVE, .to = ANY, .timeout_ms = SOON };
	struct peer sender = { .dvs = &a, .op = OP_SEND, .to = dvs_address(EP(1)),
			       .timeout_ms = SOON };
	struct pollfd fd = { .events = POLLIN };
	char name[64] = "";
	struct dvs_info info;

	CHECK(device_name(name, sizeof(name)));
	peer_start(&receiver);
	peer_start(&sender);
	peer_wait_asleep(&receiver);
	peer_wait_asleep(&sender);
	CHECK(tell_driver("unbind", name));
	CHECK_RESULT(peer_join(&receiver), DVS_ENOTCONN);
	CHECK_RESULT(peer_join(&sender), DVS_ENOTCONN);
	CHECK_RESULT(dvs_info(&a, &info), -ENODEV);
	CHECK_RESULT(dvs_notify(&a, dvs_address(EP(1)), SOON), -ENODEV);
	CHECK_RESULT(dvs_bind(&a, EP(2), DVS_BIND_FILE), -ENODEV);
	CHECK_RESULT(dvs_unbind(&b), -ENODEV);
	fd.fd = a.fd;
	CHECK(poll(&fd, 1, 0) == 1 && fd.revents == (POLLERR | POLLHUP));
	CHECK_RESULT(dvs_open(&later, 0), -ENOENT);
	CHECK(tell_driver("bind", name));
	/* Files of before stay dead; new ones work. */
	CHECK_RESULT(dvs_info(&a, &info), -ENODEV);
	later = bound(EP(0));
	dvs_close(&a);
	dvs_close(&b);
	CHECK_RESULT(dvs_info(&later, &info), 0);
	dvs_close(&later);
}

/* Threads in calls and binds of every kind while the device comes and goes. */
static void *busy(void *arg)
{
	volatile bool *stop = arg;
	struct dvs_received got;
	uint32_t value = 0;
	struct dvs dvs;
	int n = 0;

	while (!*stop) {
		if (dvs_open(&dvs, 0)) {
			usleep(1000);
			continue;
		}
		n++;
		if (!dvs_bind(&dvs, EP(n % 5), n % 3 ? DVS_BIND_FILE : DVS_BIND_THREAD)) {
			dvs_notify(&dvs, dvs_address(EP(1)), 5);
			dvs_send(&dvs, dvs_address(EP(2)), &value, 4, 5);
			dvs_receive(&dvs, ANY, 0, &value, 4, &got, 5);
			dvs_unbind(&dvs);
		}
		dvs_close(&dvs);
	}
	return NULL;
}

static void unplug_under_load(void)
{
	volatile bool stop = false;
	pthread_t threads[6];
	char name[64] = "";
	struct dvs dvs;
	int i;

	CHECK(device_name(name, sizeof(name)));
	for (i = 0; i < 6; i++)
		CHECK(pthread_create(&threads[i], NULL, busy, (void *)&stop) == 0);
	for (i = 0; i < 30; i++) {
		usleep(20000);
		CHECK(tell_driver("unbind", name));
		CHECK(tell_driver("bind", name));
	}
	stop = true;
	for (i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	dvs = bound(EP(0));
	dvs_close(&dvs);
}

void tests_unplug(void)
{
	tap_run("the device goes with files open and calls under way", unplug);
	tap_run("30 times under load", unplug_under_load);
}
