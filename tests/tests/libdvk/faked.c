// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * libdvk on the host: what it asks of the driver and what it makes of the
 * answers. The linker puts the driver of this file in place of ioctl.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>

#include "../include/com/com.h"
#include "../include/com/stub_dvkcall.h"

#include <linux/dvs.h>

#define NODE	3
#define DC	2
#define OWN	7

/* ---- the driver ---- */

/* What the next call of a kind will say, and what it was asked. */
static int own_bound = 1;
static int fails_with;		/* errno of every call */
static int result;
static struct dvs_io io;
static struct dvs_bind bound;
static struct dvs_unbind unbound;
static struct dvs_await awaited;
static struct dvs_copy copied;
static struct dvs_wakeup woken;
static struct dvs_privilege privilege;
static struct dvs_state state;
static unsigned long last;
static unsigned int calls;

/* What a receive gets. */
static unsigned int came;
static int from;
static unsigned long long token;
static const char *text = "";
static unsigned int length;

static void drive_io(unsigned long request, struct dvs_io *asked)
{
	io = *asked;
	asked->result = result;
	if (result || (request != DVS_IOC_RECEIVE && request != DVS_IOC_SENDREC))
		return;
	memcpy((void *)(unsigned long)asked->recv_buf, text, length);
	asked->recv_len = length;
	asked->came = came;
	asked->from = from;
	asked->token = token;
}

static void drive_await(struct dvs_await *asked)
{
	if (asked->what == DVS_AWAIT_OWN && asked->timeout_ms == DVS_TIMEOUT_NOWAIT) {
		asked->ep = OWN;
		asked->result = own_bound ? 0 : DVS_EAGAIN;
		return;
	}
	awaited = *asked;
	if (asked->what == DVS_AWAIT_OWN)
		asked->ep = OWN;
	asked->result = result;
}

static void drive_info(struct dvs_info *info)
{
	memset(info, 0, sizeof(*info));
	info->dcid = DC;
	info->nodeid = NODE;
	info->nr_tasks = 34;
	info->nr_procs = 221;
	info->nr_sysprocs = 64;
	memcpy(info->dc_name, "a name as long..", 16);
}

static void drive_rest(unsigned long request, void *asked)
{
	if (request == DVS_IOC_BIND) {
		bound = *(struct dvs_bind *)asked;
		((struct dvs_bind *)asked)->result = result;
	} else if (request == DVS_IOC_UNBIND) {
		unbound = *(struct dvs_unbind *)asked;
		((struct dvs_unbind *)asked)->result = result;
	} else if (request == DVS_IOC_COPY) {
		copied = *(struct dvs_copy *)asked;
		((struct dvs_copy *)asked)->result = result;
	} else if (request == DVS_IOC_WAKEUP) {
		woken = *(struct dvs_wakeup *)asked;
		((struct dvs_wakeup *)asked)->result = result;
	} else if (request == DVS_IOC_GETEP) {
		((struct dvs_getep *)asked)->ep = ((struct dvs_getep *)asked)->pid + 1;
		((struct dvs_getep *)asked)->result = result;
	} else if (request == DVS_IOC_STATE) {
		int ep = ((struct dvs_state *)asked)->ep;

		*(struct dvs_state *)asked = state;
		((struct dvs_state *)asked)->ep = ep;
		((struct dvs_state *)asked)->result = result;
	} else if (request == DVS_IOC_PRIVILEGE) {
		struct dvs_privilege *it = asked;

		if (it->flags & DVS_PRIVILEGE_SET)
			privilege = *it;
		it->calls = privilege.calls;
		it->ipc_to = privilege.ipc_to;
		it->level = privilege.level;
		it->result = result;
	} else {
		abort();
	}
}

int __wrap_ioctl(int fd, unsigned long request, void *asked)
{
	(void)fd;
	last = request;
	calls++;
	if (fails_with) {
		errno = fails_with;
		return -1;
	}
	switch (request) {
	case DVS_IOC_SEND:
	case DVS_IOC_RECEIVE:
	case DVS_IOC_SENDREC:
	case DVS_IOC_REPLY:
	case DVS_IOC_NOTIFY:
	case DVS_IOC_RELAY:
		drive_io(request, asked);
		break;
	case DVS_IOC_AWAIT:
		drive_await(asked);
		break;
	case DVS_IOC_INFO:
		drive_info(asked);
		break;
	default:
		drive_rest(request, asked);
	}
	return 0;
}

/* ---- checks ---- */

static int failed;

#define CHECK(condition) do {						\
	if (!(condition)) {						\
		printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);	\
		failed = 1;						\
	}								\
} while (0)
#define CHECK_RET(call, expected) do {					\
	long ret_ = (call);						\
	if (ret_ != (expected)) {					\
		printf("%s:%d: %s gives %ld\n", __FILE__, __LINE__, #call, ret_);	\
		failed = 1;						\
	}								\
} while (0)

static message blank(void)
{
	message m;

	memset(&m, 0, sizeof(m));
	return m;
}

static void sends(void)
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

static void receives(void)
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

static void receives_notify(void)
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

static void notifies(void)
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

static void copies(void)
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

static void *binds_thread(void *arg)
{
	(void)arg;
	CHECK_RET(dvk_tbind(DC, 5), 5);
	CHECK(bound.owner == DVS_BIND_THREAD && !bound.pid);
	CHECK_RET(dvk_bind(DC, 5), 5);
	CHECK(bound.owner == DVS_BIND_PROCESS);
	return NULL;
}

static void binds(void)
{
	pthread_t thread;

	CHECK_RET(dvk_bind(DC, -4), -4);
	CHECK(bound.ep == -4 && bound.owner == DVS_BIND_PROCESS && !bound.pid && !bound.flags);
	CHECK_RET(dvk_tbind(DC, 5), 5);
	CHECK(bound.owner == DVS_BIND_PROCESS);
	CHECK(pthread_create(&thread, NULL, binds_thread, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK_RET(dvk_lclbind(DC, 100, 5), 5);
	CHECK(bound.owner == DVS_BIND_PID && bound.pid == 100 && !bound.flags);
	CHECK_RET(dvk_umbind(DC, 100, 5), 5);
	CHECK_RET(dvk_replbind(DC, 100, 5), 5);
	CHECK(bound.owner == DVS_BIND_PID && bound.flags == DVS_BIND_REPLICA);
	CHECK_RET(dvk_bkupbind(DC, 100, 5, 1), 5);
	CHECK(bound.owner == DVS_BIND_PID && bound.flags == DVS_BIND_BACKUP);
	CHECK_RET(dvk_bkupbind(DC, 100, 5, NR_NODES), EDVSBADNODEID);
	CHECK_RET(dvk_lclbind(DC, 0, 5), EDVSBADPID);
	CHECK_RET(dvk_bind_X(SELF_BIND, DC, 1, 5, LOCALNODE), EDVSBADPID);
	CHECK_RET(dvk_bind_X(6, DC, 1, 5, LOCALNODE), EDVSBINDTYPE);
	CHECK_RET(dvk_bind(DC + 1, 5), EDVSBADDCID);
	CHECK_RET(dvk_bind(-1, 5), EDVSBADDCID);
	result = DVS_EBUSY;
	CHECK_RET(dvk_bind(DC, 5), EDVSSLOTUSED);
	result = DVS_ERMTPROC;
	CHECK_RET(dvk_rmtbind(DC, "far", 5, 1), 5);
	CHECK_RET(dvk_rmtbind(DC, "0123456789abcdef", 5, 1), EDVSNAMESIZE);
	CHECK_RET(dvk_rmtbind(DC, "far", 5, -1), EDVSBADNODEID);
	result = DVS_ENOTBIND;
	CHECK_RET(dvk_rmtbind(DC, "far", 5, 1), EDVSNOTBIND);
	result = 0;
	CHECK_RET(dvk_rmtbind(DC, "far", 5, 1), EDVSSLOTUSED);
}

static void unbinds_and_waits(void)
{
	CHECK_RET(dvk_unbind(DC, SELF), 0);
	CHECK(unbound.id == DVS_ID_TASK && !unbound.ep && !unbound.timeout_ms);
	CHECK_RET(dvk_unbind(DC, OWN), 0);
	CHECK(unbound.id == DVS_ID_TASK && !unbound.ep);
	CHECK_RET(dvk_unbind_T(DC, 9, 50), 0);
	CHECK(unbound.id == DVS_ID_NUMBER && unbound.ep == 9 && unbound.timeout_ms == 50);
	CHECK_RET(dvk_unbind(DC, 9), 0);
	CHECK(unbound.timeout_ms == DVS_TIMEOUT_FOREVER);
	CHECK_RET(dvk_unbind(DC + 1, 9), EDVSBADDCID);
	CHECK_RET(dvk_wait4bind(), OWN);
	CHECK(awaited.what == DVS_AWAIT_OWN && awaited.timeout_ms == DVS_TIMEOUT_FOREVER);
	CHECK_RET(dvk_wait4bindep_T(-9, 30), -9);
	CHECK(awaited.what == DVS_AWAIT_BIND && awaited.ep == -9 && awaited.timeout_ms == 30);
	CHECK_RET(dvk_wait4unbind(9), 0);
	CHECK(awaited.what == DVS_AWAIT_UNBIND && awaited.ep == 9);
	CHECK_RET(dvk_wait4bindep_X(2, 9, 0), EDVSINVAL);
	CHECK_RET(dvk_getep(100), 101);
	CHECK_RET(dvk_wakeup(DC, 9), 0);
	CHECK(woken.ep == 9 && woken.id == DVS_ID_TASK);
	CHECK_RET(dvk_wakeup(DC + 1, 9), EDVSBADDCID);
	result = DVS_ETIMEDOUT;
	CHECK_RET(dvk_wait4bindep_T(9, 30), -61);
	CHECK_RET(dvk_getep(100), -61);
	result = 0;
}

static void records(void)
{
	node_usr_t node;
	dvs_usr_t dvs;
	dc_usr_t dc;

	CHECK(local_nodeid == DVS_NO_INIT);
	CHECK_RET(dvk_getdvsinfo(&dvs), NODE);
	CHECK(local_nodeid == NODE);
	CHECK(dvs.d_nr_procs == 221 && dvs.d_nr_tasks == 34 && dvs.d_nr_sysprocs == 64);
	CHECK_RET(dvk_getdcinfo(DC, &dc), 0);
	CHECK(dc.dc_dcid == DC && dc.dc_nodes == 1 << NODE && dc.dc_flags == 0);
	CHECK(strcmp(dc.dc_name, "a name as long.") == 0);
	CHECK_RET(dvk_getdcinfo(-1, &dc), 0);
	CHECK_RET(dvk_getdcinfo(DC + 1, &dc), EDVSBADDCID);
	own_bound = 0;
	CHECK_RET(dvk_getdcinfo(-1, &dc), EDVSNOTBIND);
	own_bound = 1;
	CHECK_RET(dvk_getnodeinfo(NODE, &node), 0);
	CHECK(node.n_flags == 0xE && node.n_dcs == 1 << DC);
	CHECK_RET(dvk_getnodeinfo(0, &node), 0);
	CHECK(node.n_flags == NODE_FREE && node.n_nodeid == 0);
	CHECK_RET(dvk_getnodeinfo(32, &node), EDVSBADNODEID);
}

static void processes(void)
{
	proc_usr_t proc;

	memset(&state, 0, sizeof(state));
	state.rts = DVS_STATE_RECEIVING;
	state.misc = DVS_MISC_GRPLEADER;
	state.getfrom = DVS_ADDR_ANY;
	state.sendto = DVS_ADDR_NONE;
	state.pid = 555;
	state.lclsent = 4000000000u;
	memcpy(state.name, "a process's name", 16);
	CHECK_RET(dvk_getprocinfo(DC, 9, &proc), 0);
	CHECK(proc.p_nr == 9 && proc.p_endpoint == 9 && proc.p_rts_flags == RECEIVING);
	CHECK(proc.p_misc_flags == MIS_GRPLEADER && proc.p_getfrom == ANY && proc.p_sendto == NONE);
	CHECK(proc.p_lpid == 555 && proc.p_nodeid == NODE && proc.p_lclsent == 4000000000u);
	CHECK(strcmp(proc.p_name, "a process's nam") == 0);
	result = DVS_ERMTPROC;
	CHECK_RET(dvk_getprocinfo(-1, 9, &proc), 0);
	CHECK(proc.p_rts_flags == REMOTE && proc.p_lpid == PROC_NO_PID && proc.p_endpoint == 9);
	result = DVS_ENOTBIND;
	CHECK_RET(dvk_getprocinfo(DC, 9, &proc), 0);
	CHECK(proc.p_rts_flags == SLOT_FREE && proc.p_endpoint == NONE && !proc.p_nodemap);
	result = DVS_ENOTCONN;
	CHECK_RET(dvk_getprocinfo(DC, 9, &proc), EDVSNOTCONN);
	result = 0;
	CHECK_RET(dvk_getprocinfo(DC, 221, &proc), EDVSRANGE);
	CHECK_RET(dvk_getprocinfo(DC, -35, &proc), EDVSRANGE);
	CHECK_RET(dvk_getprocinfo(DC, -34, &proc), 0);
}

static void privileges(void)
{
	priv_usr_t priv;

	privilege.calls = 0x24000420;
	privilege.ipc_to = ~0ULL;
	privilege.level = 0;
	CHECK_RET(dvk_getpriv(DC, 40, &priv), 0);
	CHECK(priv.priv_level == USER_PRIV && priv.priv_id == 40);
	CHECK(get_sys_bit(priv.priv_dvk_allowed, DVK_SENDREC));
	CHECK(get_sys_bit(priv.priv_dvk_allowed, DVK_WAIT4BIND));
	CHECK(!get_sys_bit(priv.priv_dvk_allowed, DVK_SEND));
	CHECK(get_sys_bit(priv.priv_ipc_to, 63) && get_sys_bit(priv.priv_ipc_from, 0));
	memset(&priv.priv_dvk_allowed, 0xff, sizeof(priv.priv_dvk_allowed));
	unset_sys_bit(priv.priv_dvk_allowed, DVK_VCOPY);
	unset_sys_bit(priv.priv_ipc_to, 63);
	priv.priv_level = KERNEL_PRIV;
	CHECK_RET(dvk_setpriv(DC, SELF, &priv), 0);
	CHECK(privilege.ep == OWN && privilege.flags == DVS_PRIVILEGE_SET);
	CHECK(privilege.calls == (0x7fffffffeULL & ~(1ULL << DVK_VCOPY)));
	CHECK(privilege.ipc_to == ~0ULL >> 1 && privilege.level == 2);
	priv.priv_level = PROXY_PRIV;
	CHECK_RET(dvk_setpriv(DC, 40, &priv), EDVSBADVALUE);
	CHECK_RET(dvk_setpriv(DC + 1, 40, &priv), EDVSBADVALUE);
	priv.priv_level = USER_PRIV;
	CHECK_RET(dvk_setpriv(DC + 1, 40, &priv), EDVSBADDCID);
	result = DVS_EPRIVILEGES;
	CHECK_RET(dvk_setpriv(DC, 40, &priv), EDVSPRIVILEGES);
	result = 0;
}

static void configuration(void)
{
	dc_usr_t dc = { .dc_dcid = DC };
	unsigned int before;

	CHECK_RET(dvk_dvs_init(NODE, NULL), NODE);
	CHECK_RET(dvk_dvs_init(NODE + 1, NULL), EDVSPRIVILEGES);
	CHECK_RET(dvk_dc_init(&dc), NODE);
	dc.dc_dcid++;
	CHECK_RET(dvk_dc_init(&dc), EDVSPRIVILEGES);
	CHECK_RET(dvk_add_node(DC, NODE), 0);
	CHECK_RET(dvk_add_node(DC, NODE + 1), EDVSPRIVILEGES);
	CHECK_RET(dvk_add_node(DC + 1, NODE), EDVSBADDCID);
	CHECK_RET(dvk_node_up("n", NODE, 0), 0);
	CHECK_RET(dvk_node_up("n", NODE + 1, 0), EDVSPRIVILEGES);
	before = calls;
	CHECK_RET(dvk_dvs_end(), EDVSPRIVILEGES);
	CHECK_RET(dvk_dc_end(DC), EDVSPRIVILEGES);
	CHECK_RET(dvk_del_node(DC, NODE), EDVSPRIVILEGES);
	CHECK_RET(dvk_node_down(NODE), EDVSPRIVILEGES);
	CHECK_RET(dvk_proxies_bind("p", 0, 1, 2, 3), EDVSPRIVILEGES);
	CHECK_RET(dvk_proxies_unbind(0), EDVSPRIVILEGES);
	CHECK_RET(dvk_proxy_conn(0, CONNECT_SPROXY), EDVSPRIVILEGES);
	CHECK_RET(dvk_get2rmt(NULL, NULL), EDVSNOSYS);
	CHECK_RET(dvk_put2lcl(NULL, NULL), EDVSNOSYS);
	CHECK_RET(dvk_migr_start(DC, 9), EDVSNOSYS);
	CHECK_RET(dvk_getproxyinfo(0, NULL, NULL), EDVSBADPROXY);
	CHECK(calls == before);
	fails_with = ENODEV;
	CHECK_RET(dvk_dvs_init(NODE, NULL), EDVSNODEV);
	CHECK_RET(dvk_add_node(DC, NODE), EDVSNODEV);
	fails_with = 0;
}

static void formats(void)
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

int main(void)
{
	records();
	sends();
	receives();
	receives_notify();
	notifies();
	copies();
	binds();
	unbinds_and_waits();
	processes();
	privileges();
	configuration();
	formats();
	return failed;
}
