// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Messages, notifications and copies. */
#include <errno.h>
#include <string.h>

#include "faked.h"

static message blank(void)
{
	message m;

	memset(&m, 0, sizeof(m));
	return m;
}

void sends(void)
{
	message m = blank();

	CHECK_RET(dvk_send(9, (long)&m), 0);
	CHECK(last == DVS_IOC_SEND && io.id == DVS_ID_TASK && io.ep == 9 && io.generation == 0);
	CHECK(io.send_buf == (unsigned long)&m && io.send_len == 48 && !io.recv_buf);
	CHECK(io.timeout_ms == DVS_TIMEOUT_FOREVER && !io.flags && !io.token);
	CHECK_RET(dvk_send_T(-2, &m, 500), 0);
	CHECK(io.ep == -2 && io.timeout_ms == 500);
	CHECK_RET(dvk_send_T(9, &m, -7), 0);
	CHECK(io.timeout_ms == DVS_TIMEOUT_FOREVER);
	CHECK_RET(dvk_reply_T(9, &m, TIMEOUT_NOWAIT), 0);
	CHECK(last == DVS_IOC_REPLY && io.timeout_ms == 0 && io.token == 0);
	m.m_source = 40;
	CHECK_RET(dvk_relay(9, &m), 0);
	CHECK(last == DVS_IOC_RELAY && io.ep == 9 && io.from == 40 && io.send_len == 48);
	CHECK_RET(dvk_relay(9, NULL), EDVSFAULT);
	result = DVS_EDSTDIED;
	CHECK_RET(dvk_send(9, &m), -109);
	result = 0;
	fails_with = EFAULT;
	CHECK_RET(dvk_send(9, &m), EDVSFAULT);
	fails_with = 0;
}

void receives(void)
{
	message sent = blank(), m;

	sent.m_type = 5;
	sent.m_source = 1234;
	sent.m4_l5 = 55;
	text = (const char *)&sent;
	length = sizeof(sent);
	came = DVS_CAME_MESSAGE;
	from = -3;
	token = 99;
	memset(&m, 0xff, sizeof(m));
	CHECK_RET(dvk_receive(ANY, &m), 0);
	CHECK(last == DVS_IOC_RECEIVE && io.ep == DVS_ADDR_ANY && io.flags == 0);
	CHECK(io.recv_buf == (unsigned long)&m && io.recv_len == 48 && !io.send_buf);
	CHECK(m.m_source == -3 && m.m_type == 5 && m.m4_l5 == 55);
	came = DVS_CAME_REQUEST;
	CHECK_RET(dvk_rcvrqst_T(&m, 10), 0);
	CHECK(io.flags == DVS_IO_REQUESTS && io.ep == DVS_ADDR_ANY && io.timeout_ms == 10);
	came = DVS_CAME_REPLY;
	from = 9;
	CHECK_RET(dvk_sendrec(9, &m), 0);
	CHECK(last == DVS_IOC_SENDREC && io.send_buf == io.recv_buf && io.send_len == 48);
	CHECK(m.m_source == 9);
	/* Shorter than a message: the rest is zero; an error leaves all as it was. */
	length = 8;
	memset(&m, 0xff, sizeof(m));
	CHECK_RET(dvk_receive_T(9, &m, 10), 0);
	CHECK(m.m_type == 5 && m.m4_l1 == 0 && m.m4_l5 == 0);
	memset(&m, 0xff, sizeof(m));
	result = DVS_ETIMEDOUT;
	CHECK_RET(dvk_receive_T(9, &m, 10), -61);
	CHECK(m.m_source == -1 && m.m4_l5 == -1);
	result = 0;
}

void receives_notify(void)
{
	message m;

	came = DVS_CAME_NOTIFY;
	from = 12;
	length = 0;
	token = (unsigned long long)-1;
	memset(&m, 0xff, sizeof(m));
	CHECK_RET(dvk_receive(ANY, &m), 0);
	CHECK(m.m_source == 12 && m.m_type == (0x1000 | 12));
	CHECK(m.m9_i1 == 0 && m.m9_l1 == HARDWARE && m.m9_t1.tv_sec > 1000000000);
	token = 77;
	from = HARDWARE;
	CHECK_RET(dvk_receive(ANY, &m), 0);
	CHECK(m.m_source == HARDWARE && m.m_type == NOTIFY_FROM(HARDWARE) && m.m9_l1 == 77);
}

void notifies(void)
{
	CHECK_RET(dvk_notify(9), 0);
	CHECK(last == DVS_IOC_NOTIFY && io.ep == 9 && io.flags == 0 && !io.token && !io.from);
	CHECK_RET(dvk_ntfy_value(SELF, 9, -5), 0);
	CHECK(io.flags == DVS_IO_VALUE && (long long)io.token == -5 && !io.from);
	/* The own number is nobody else's. */
	CHECK_RET(dvk_src_notify(OWN, 9), 0);
	CHECK(io.flags == 0);
	CHECK_RET(dvk_src_notify(8, 9), 0);
	CHECK(io.flags == DVS_IO_SOURCE && io.from == 8);
	CHECK_RET(dvk_ntfy_value(8, 9, 6), 0);
	CHECK(io.flags == (DVS_IO_SOURCE | DVS_IO_VALUE) && io.from == 8 && io.token == 6);
	CHECK_RET(dvk_hdw_notify(DC, 9), 0);
	CHECK(io.flags == DVS_IO_SOURCE && io.from == HARDWARE && !io.token);
	CHECK_RET(dvk_hdw_notify(DC + 1, 9), EDVSBADDCID);
}

void copies(void)
{
	char a[4], b[4];

	CHECK_RET(dvk_vcopy(5, a, 6, b, 4), 0);
	CHECK(copied.id == DVS_ID_TASK && copied.src == 5 && copied.dst == 6 && copied.bytes == 4);
	CHECK(copied.src_addr == (unsigned long)a && copied.dst_addr == (unsigned long)b);
	CHECK(copied.timeout_ms == DVS_TIMEOUT_FOREVER && !copied.flags && !copied.src_grant);
	CHECK_RET(dvk_vcopy(SELF, a, 6, b, MAXCOPYLEN), 0);
	CHECK(copied.src == OWN && copied.dst == 6 && copied.bytes == MAXCOPYLEN);
	CHECK_RET(dvk_vcopy(5, a, SELF, b, -1), 0);
	CHECK(copied.dst == OWN && copied.bytes == 0);
	CHECK_RET(dvk_vcopy(5, a, 6, b, MAXCOPYLEN + 1), EDVS2BIG);
	own_bound = 0;
	CHECK_RET(dvk_vcopy(5, a, 6, b, MAXCOPYLEN + 1), EDVSNOTBIND);
	CHECK_RET(dvk_vcopy(SELF, a, 6, b, 4), EDVSNOTBIND);
	own_bound = 1;
	result = DVS_EPROCSTS;
	CHECK_RET(dvk_vcopy(5, a, 6, b, 4), -324);
	result = 0;
}

void formats(void)
{
	message m = blank(), *m_ptr = &m;
	char line[256];

	m.m_source = 3;
	m.m_type = 4;
	memset(m.m3_ca1, 'x', sizeof(m.m3_ca1));
	snprintf(line, sizeof(line), MSG3_FORMAT, MSG3_FIELDS(m_ptr));
	CHECK(strcmp(line, "source=3 type=4 i1=0 i2=0 p1=(nil) ca1=[xxxxxxxxxxxxxx]\n") == 0);
	m = blank();
	m.m9_l1 = -1;
	m.m9_t1.tv_sec = 5;
	snprintf(line, sizeof(line), MSG9_FORMAT, MSG9_FIELDS((&m)));
	CHECK(strcmp(line, "source=0 type=0 i1=0 l1=-1 t1=5.000000000\n") == 0);
	snprintf(line, sizeof(line), MSG1_FORMAT MSG2_FORMAT MSG4_FORMAT,
		 MSG1_FIELDS(m_ptr), MSG2_FIELDS(m_ptr), MSG4_FIELDS(m_ptr));
	snprintf(line, sizeof(line), MSG5_FORMAT MSG6_FORMAT MSG7_FORMAT MSG8_FORMAT,
		 MSG5_FIELDS(m_ptr), MSG6_FIELDS(m_ptr), MSG7_FIELDS(m_ptr), MSG8_FIELDS(m_ptr));
	snprintf(line, sizeof(line), MSGA_FORMAT MSGB_FORMAT MSGC_FORMAT,
		 MSGA_FIELDS(m_ptr), MSGB_FIELDS(m_ptr), MSGC_FIELDS(m_ptr));
}
