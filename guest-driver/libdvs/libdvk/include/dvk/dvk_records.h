/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* What the information calls tell, and how to print it. */
#ifndef DVK_RECORDS_H
#define DVK_RECORDS_H

/* An endpoint, or a free number. */
struct proc_usr {
	int p_nr;
	int p_endpoint;
	int p_dcid;
	volatile unsigned long p_rts_flags;	/* enum proc_status; 0: runs */
	int p_lpid;
	int p_vpid;
	int p_nodeid;
	unsigned long p_nodemap;		/* a bit for each node */
	volatile unsigned long p_misc_flags;	/* enum mis_status */
	int p_getfrom;
	int p_sendto;
	int p_waitmigr;
	int p_waitunbind;
	int p_proxy;
	unsigned long p_lclsent;		/* messages sent within the virtual machine */
	unsigned long p_rmtsent;		/* messages sent to others */
	unsigned long p_lclcopy;
	unsigned long p_rmtcopy;
	char p_name[MAXPROCNAME];
	cpu_set_t p_cpumask;
};
typedef struct proc_usr proc_usr_t;

#define PROC_USR_FORMAT \
	"nr=%d endp=%d dcid=%d flags=%lX misc=%lX lpid=%d vpid=%d nodeid=%d name=%.16s\n"
#define PROC_USR_FIELDS(p) \
	(p)->p_nr, (p)->p_endpoint, (p)->p_dcid, (p)->p_rts_flags, (p)->p_misc_flags, \
	(p)->p_lpid, (p)->p_vpid, (p)->p_nodeid, (p)->p_name
#define PROC_WAIT_FORMAT \
	"endp=%d dcid=%d flags=%lX getfrom=%d sendto=%d waitmigr=%d waitunbind=%d proxy=%d\n"
#define PROC_WAIT_FIELDS(p) \
	(p)->p_endpoint, (p)->p_dcid, (p)->p_rts_flags, (p)->p_getfrom, (p)->p_sendto, \
	(p)->p_waitmigr, (p)->p_waitunbind, (p)->p_proxy
#define PROC_COUNT_FORMAT \
	"nr=%d endp=%d dcid=%d lclsent=%lu rmtsent=%lu lclcopy=%lu rmtcopy=%lu\n"
#define PROC_COUNT_FIELDS(p) \
	(p)->p_nr, (p)->p_endpoint, (p)->p_dcid, (p)->p_lclsent, (p)->p_rmtsent, \
	(p)->p_lclcopy, (p)->p_rmtcopy
#define PROC_CPU_FORMAT \
	"nr=%d endp=%d dcid=%d lpid=%d cpumask=%lX nodemap=%lX name=%.16s\n"
#define PROC_CPU_FIELDS(p) \
	(p)->p_nr, (p)->p_endpoint, (p)->p_dcid, (p)->p_lpid, \
	(unsigned long)(p)->p_cpumask.__bits[0], (p)->p_nodemap, (p)->p_name

/* A distributed container. */
struct dc_usr {
	int dc_dcid;
	int dc_flags;			/* DC_RUNNING, DC_FREE */
	int dc_nr_procs;
	int dc_nr_tasks;
	int dc_nr_sysprocs;
	int dc_nr_nodes;
	unsigned long dc_nodes;		/* a bit for each node */
	int dc_warn2proc;
	int dc_warnmsg;
	int dc_pid;
	char dc_name[MAXDCNAME];
	cpu_set_t dc_cpumask;
};
typedef struct dc_usr dc_usr_t;

#define DC_USR1_FORMAT \
	"dcid=%d nr_procs=%d nr_tasks=%d nr_sysprocs=%d nr_nodes=%d\n"
#define DC_USR1_FIELDS(p) \
	(p)->dc_dcid, (p)->dc_nr_procs, (p)->dc_nr_tasks, (p)->dc_nr_sysprocs, \
	(p)->dc_nr_nodes
#define DC_USR2_FORMAT	"flags=%X nodes=%lX pid=%d name=%.16s\n"
#define DC_USR2_FIELDS(p) \
	(unsigned int)(p)->dc_flags, (p)->dc_nodes, (p)->dc_pid, (p)->dc_name
#define DC_CPU_FORMAT	"dcid=%d cpumask=%lX name=%.16s\n"
#define DC_CPU_FIELDS(p) \
	(p)->dc_dcid, (unsigned long)(p)->dc_cpumask.__bits[0], (p)->dc_name
#define DC_WARN_FORMAT	"dcid=%d warn2proc=%d warnmsg=%d\n"
#define DC_WARN_FIELDS(p)	(p)->dc_dcid, (p)->dc_warn2proc, (p)->dc_warnmsg

/* The DVS of this node. */
struct dvs_usr {
	char d_name[MAXPROCNAME];
	int d_nr_dcs;
	int d_nr_nodes;
	int d_nr_procs;
	int d_nr_tasks;
	int d_nr_sysprocs;
	int d_max_copybuf;
	int d_max_copylen;
	unsigned long d_dbglvl;
	int d_version;
	unsigned long d_flags;		/* enum dvs_flags */
	int d_size_proc;
};
typedef struct dvs_usr dvs_usr_t;

#define DVS_USR_FORMAT \
	"name=%.16s nr_dcs=%d nr_nodes=%d nr_procs=%d nr_tasks=%d nr_sysprocs=%d\n"
#define DVS_USR_FIELDS(p) \
	(p)->d_name, (p)->d_nr_dcs, (p)->d_nr_nodes, (p)->d_nr_procs, (p)->d_nr_tasks, \
	(p)->d_nr_sysprocs
#define DVS_MAX_FORMAT	"max_copybuf=%d max_copylen=%d\n"
#define DVS_MAX_FIELDS(p)	(p)->d_max_copybuf, (p)->d_max_copylen
#define DVS_VER_FORMAT	"dbglvl=%lX version=%d flags=%lX size_proc=%d\n"
#define DVS_VER_FIELDS(p) \
	(p)->d_dbglvl, (p)->d_version, (p)->d_flags, (p)->d_size_proc

/* A node. */
struct node_usr {
	int n_nodeid;
	volatile unsigned long n_flags;	/* NODE_* */
	int n_proxies;
	unsigned long n_dcs;		/* a bit for each DC */
	struct timespec n_stimestamp;
	struct timespec n_rtimestamp;
	unsigned long n_pxsent;
	unsigned long n_pxrcvd;
	char n_name[MAXNODENAME];
};
typedef struct node_usr node_usr_t;

#define NODE_USR_FORMAT	"nodeid=%d proxies=%d flags=%lX dcs=%lX name=%.16s\n"
#define NODE_USR_FIELDS(p) \
	(p)->n_nodeid, (p)->n_proxies, (p)->n_flags, (p)->n_dcs, (p)->n_name
#define NODE_TIME_FORMAT	"nodeid=%d name=%.16s stime=%ld.%09ld rtime=%ld.%09ld\n"
#define NODE_TIME_FIELDS(p) \
	(p)->n_nodeid, (p)->n_name, \
	(long)(p)->n_stimestamp.tv_sec, (long)(p)->n_stimestamp.tv_nsec, \
	(long)(p)->n_rtimestamp.tv_sec, (long)(p)->n_rtimestamp.tv_nsec

/* A timer, as a part of priv_usr_t; nothing here runs one. */
typedef unsigned long dvkclock_t;
struct dvktimer;
typedef void (*dvk_tmr_func_t)(struct dvktimer *timer);
typedef union { int ta_int; long ta_long; void *ta_ptr; } dvk_tmr_arg_t;
typedef struct dvktimer {
	struct dvktimer *dvk_tmr_next;
	dvkclock_t dvk_tmr_exp_time;
	dvk_tmr_func_t dvk_tmr_func;
	dvk_tmr_arg_t dvk_tmr_arg;
} dvktimer_t;

/* What an endpoint may do. */
struct priv_usr {
	dvk_id_t priv_id;
	int priv_warn;
	int priv_level;			/* USER_PRIV to KERNEL_PRIV */
	short priv_trap_mask;
	ipc_map_t priv_ipc_from;
	ipc_map_t priv_ipc_to;		/* system endpoints: number + nr_tasks */
	dvk_map_t priv_dvk_allowed;	/* calls: DVK_SEND … */
	dvktimer_t priv_alarm_timer;
};
typedef struct priv_usr priv_usr_t;

#define PRIV_USR_FORMAT	"id=%d warn=%d level=%d\n"
#define PRIV_USR_FIELDS(p)	(p)->priv_id, (p)->priv_warn, (p)->priv_level

/* What proxies passed on; here the hosts do that. */
#define BIT_ACKNOWLEDGE		13
#define MASK_ACKNOWLEDGE	(1 << BIT_ACKNOWLEDGE)

struct vcopy_s {
	int v_src;
	int v_dst;
	int v_rqtr;
	void *v_saddr;
	void *v_daddr;
	int v_bytes;
};
typedef struct vcopy_s vcopy_t;

struct cmd_s {
	int c_cmd;
	int c_dcid;
	int c_src;
	int c_dst;
	int c_snode;
	int c_dnode;
	int c_rcode;
	int c_len;
	int c_pid;
	int c_batch_nr;
	unsigned long c_flags;
	unsigned long c_snd_seq;
	unsigned long c_ack_seq;
	struct timespec c_timestamp;
	message c_msg;
	vcopy_t c_vcopy;
};
typedef struct cmd_s cmd_t;
typedef cmd_t proxy_hdr_t;

#define MAXBATCMD	(MAXCOPYBUF / sizeof(cmd_t))
typedef union {
	cmd_t pay_cmd[MAXBATCMD];
	char pay_data[MAXCOPYBUF];
} proxy_payload_t;

#define CMD_FORMAT \
	"cmd=%X dcid=%d src=%d dst=%d snode=%d dnode=%d rcode=%d len=%d pid=%d\n"
#define CMD_FIELDS(p) \
	(unsigned int)(p)->c_cmd, (p)->c_dcid, (p)->c_src, (p)->c_dst, (p)->c_snode, \
	(p)->c_dnode, (p)->c_rcode, (p)->c_len, (p)->c_pid
#define HDR_FORMAT	CMD_FORMAT
#define HDR_FIELDS(p)	CMD_FIELDS(p)

struct proxies_usr_s {
	unsigned int px_id;
	unsigned long px_flags;		/* enum px_status */
	int px_maxbytes;
	int px_maxbcmds;
	char px_name[MAXPROXYNAME];
};
typedef struct proxies_usr_s proxies_usr_t;

#define PX_USR_FORMAT	"id=%u flags=%lX maxbytes=%d maxbcmds=%d name=%.16s\n"
#define PX_USR_FIELDS(p) \
	(p)->px_id, (p)->px_flags, (p)->px_maxbytes, (p)->px_maxbcmds, (p)->px_name

#endif
