/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The calls. Each gives 0 or more, or an error (EDVS*, negative); README.md says
 * of each what it does. A message may be given as a pointer or as an integer that
 * holds one: the macros that have a function's name turn the one into the other.
 */
#ifndef DVK_CALL_H
#define DVK_CALL_H

#ifdef __cplusplus
extern "C" {
#endif

extern int dvk_fd;		/* of the open device; -1: not open */
extern int local_nodeid;	/* as dvk_getdvsinfo found it; DVS_NO_INIT before */

#define DVK_MESSAGE(m)	((message *)(unsigned long)(m))
/* Likewise for what a pid was used for: names, by which nothing is found. */
#define DVK_NAME(name)	((const char *)(unsigned long)(name))

long dvk_open(void);

/* Messages. */
long dvk_send_T(int endpoint, message *m, long timeout);
long dvk_receive_T(int endpoint, message *m, long timeout);
long dvk_sendrec_T(int endpoint, message *m, long timeout);
long dvk_rcvrqst_T(message *m, long timeout);
long dvk_reply_T(int endpoint, message *m, long timeout);
long dvk_notify_X(int nr, int endpoint, int value);
long dvk_relay(int endpoint, message *m);
long dvk_vcopy(int src_ep, void *src_addr, int dst_ep, void *dst_addr, int bytes);
long dvk_wakeup(int dcid, int endpoint);

#define dvk_send_T(ep, m, timeout)	dvk_send_T(ep, DVK_MESSAGE(m), timeout)
#define dvk_receive_T(ep, m, timeout)	dvk_receive_T(ep, DVK_MESSAGE(m), timeout)
#define dvk_sendrec_T(ep, m, timeout)	dvk_sendrec_T(ep, DVK_MESSAGE(m), timeout)
#define dvk_rcvrqst_T(m, timeout)	dvk_rcvrqst_T(DVK_MESSAGE(m), timeout)
#define dvk_reply_T(ep, m, timeout)	dvk_reply_T(ep, DVK_MESSAGE(m), timeout)
#define dvk_relay(ep, m)		dvk_relay(ep, DVK_MESSAGE(m))

#define dvk_send(ep, m)			dvk_send_T(ep, m, TIMEOUT_FOREVER)
#define dvk_receive(ep, m)		dvk_receive_T(ep, m, TIMEOUT_FOREVER)
#define dvk_sendrec(ep, m)		dvk_sendrec_T(ep, m, TIMEOUT_FOREVER)
#define dvk_rcvrqst(m)			dvk_rcvrqst_T(m, TIMEOUT_FOREVER)
#define dvk_reply(ep, m)		dvk_reply_T(ep, m, TIMEOUT_FOREVER)
#define dvk_notify(ep)			dvk_notify_X(SELF, ep, HARDWARE)
#define dvk_src_notify(nr, ep)		dvk_notify_X(nr, ep, HARDWARE)
#define dvk_ntfy_value(nr, ep, value)	dvk_notify_X(nr, ep, value)
#define dvk_hdw_notify(dcid, ep)	dvk_notify_X(HARDWARE, ep, dcid)

/* Names. */
long dvk_bind_X(int kind, int dcid, int pid, int endpoint, int nodeid);
long dvk_rmtbind(int dcid, const char *name, int endpoint, int nodeid);
long dvk_unbind_T(int dcid, int endpoint, unsigned long timeout);
long dvk_wait4bindep_X(int kind, int endpoint, unsigned long timeout);
long dvk_getep(int pid);
long dvk_migrate_X(int step, int pid, int dcid, int endpoint, int nodeid);

#define dvk_bind(dcid, ep)	dvk_bind_X(SELF_BIND, dcid, PROC_NO_PID, ep, LOCALNODE)
#define dvk_tbind(dcid, ep) \
	dvk_bind_X(SELF_BIND, dcid, (int)syscall(SYS_gettid), ep, LOCALNODE)
#define dvk_lclbind(dcid, pid, ep)	dvk_bind_X(LCL_BIND, dcid, pid, ep, LOCALNODE)
#define dvk_rmtbind(dcid, name, ep, node)	dvk_rmtbind(dcid, DVK_NAME(name), ep, node)
#define dvk_bkupbind(dcid, pid, ep, node)	dvk_bind_X(BKUP_BIND, dcid, pid, ep, node)
#define dvk_replbind(dcid, pid, ep)	dvk_bind_X(REPLICA_BIND, dcid, pid, ep, LOCALNODE)
#define dvk_umbind(dcid, pid, ep)	dvk_bind_X(USERMODE_BIND, dcid, pid, ep, LOCALNODE)

#define dvk_unbind(dcid, ep)	dvk_unbind_T(dcid, ep, (unsigned long)TIMEOUT_FOREVER)

#define dvk_wait4bind_T(timeout)	dvk_wait4bindep_X(WAIT_BIND, SELF, timeout)
#define dvk_wait4bindep_T(ep, timeout)	dvk_wait4bindep_X(WAIT_BIND, ep, timeout)
#define dvk_wait4unbind_T(ep, timeout)	dvk_wait4bindep_X(WAIT_UNBIND, ep, timeout)
#define dvk_wait4bind()		dvk_wait4bind_T((unsigned long)TIMEOUT_FOREVER)
#define dvk_wait4bindep(ep)	dvk_wait4bindep_T(ep, (unsigned long)TIMEOUT_FOREVER)
#define dvk_wait4unbind(ep)	dvk_wait4unbind_T(ep, (unsigned long)TIMEOUT_FOREVER)

#define dvk_migr_start(dcid, ep) \
	dvk_migrate_X(MIGR_START, PROC_NO_PID, dcid, ep, LOCALNODE)
#define dvk_migr_rollback(dcid, ep) \
	dvk_migrate_X(MIGR_ROLLBACK, PROC_NO_PID, dcid, ep, LOCALNODE)
#define dvk_migr_commit(pid, dcid, ep, node) \
	dvk_migrate_X(MIGR_COMMIT, pid, dcid, ep, node)

/* Information and privileges. */
long dvk_getdvsinfo(dvs_usr_t *dvs);
long dvk_getdcinfo(int dcid, dc_usr_t *dc);
long dvk_getnodeinfo(int nodeid, node_usr_t *node);
long dvk_getprocinfo(int dcid, int nr, proc_usr_t *proc);
long dvk_getproxyinfo(int pxid, proc_usr_t *sender, proc_usr_t *receiver);
long dvk_getpriv(int dcid, int endpoint, priv_usr_t *priv);
long dvk_setpriv(int dcid, int endpoint, priv_usr_t *priv);

/* Configuration, which belongs to the host now. */
long dvk_dvs_init(int nodeid, dvs_usr_t *dvs);
long dvk_dvs_end(void);
long dvk_dc_init(dc_usr_t *dc);
long dvk_dc_end(int dcid);
long dvk_add_node(int dcid, int nodeid);
long dvk_del_node(int dcid, int nodeid);
long dvk_node_up(char *name, int nodeid, int pxid);
long dvk_node_down(int nodeid);
long dvk_proxies_bind(char *name, int pxid, int spid, int rpid, int maxcopybuf);
long dvk_proxies_unbind(int pxid);
long dvk_proxy_conn(int pxid, int status);
long dvk_get2rmt_T(cmd_t *header, proxy_payload_t *payload, long timeout);
long dvk_put2lcl_T(cmd_t *header, proxy_payload_t *payload, long timeout);

#define dvk_get2rmt(header, payload)	dvk_get2rmt_T(header, payload, HELLO_PERIOD)
#define dvk_put2lcl(header, payload)	dvk_put2lcl_T(header, payload, TIMEOUT_FOREVER)

#ifdef __cplusplus
}
#endif

#endif
