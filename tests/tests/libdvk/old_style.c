/* A program as they were written for the DVS: warnings off, pointers as long, int for all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>

#define DVS_USERSPACE	1
#define _GNU_SOURCE
#define  __USE_GNU
#include <sched.h>
#define cpumask_t cpu_set_t

#include "../include/com/dvs_config.h"
#include "../include/com/config.h"
#include "../include/com/com.h"
#include "../include/com/const.h"
#include "../include/com/cmd.h"
#include "../include/com/priv_usr.h"
#include "../include/com/dc_usr.h"
#include "../include/com/node_usr.h"
#include "../include/com/proc_sts.h"
#include "../include/com/proc_usr.h"
#include "../include/com/proxy_sts.h"
#include "../include/com/proxy_usr.h"
#include "../include/com/dvs_usr.h"
#include "../include/com/dvk_calls.h"
#include "../include/com/dvk_ioctl.h"
#include "../include/com/dvs_errno.h"
#include "../include/dvk/dvk_ioparm.h"
#include "../include/com/stub_dvkcall.h"

extern int dvk_fd;
extern int local_nodeid;

int server(int ep, char *name)
{
	int ret;
	message *m_ptr;
	proc_usr_t proc, *p_usr = &proc;

	m_ptr = (char *) malloc(sizeof(message));
	memset(m_ptr, 0x00, sizeof(message));
	ret = dvk_wait4bind_T(TIMEOUT_MOLCALL);
	if (ret < EDVSERRCODE) return ret;
	ret = dvk_receive(ANY, (long) m_ptr);
	if (ret != 0) return ret;
	printf("REQUEST " MSG1_FORMAT, MSG1_FIELDS(m_ptr));
	ret = dvk_vcopy(m_ptr->m_source, m_ptr->m1_p1, ep, name, m_ptr->m1_i1);
	if (ret != 0) return ret;
	ret = dvk_send_T(m_ptr->m_source, m_ptr, TIMEOUT_MOLCALL);
	ret = dvk_reply(m_ptr->m_source, (long) m_ptr);
	ret = dvk_rmtbind(0, name, ep, 1);
	dvk_getprocinfo(PROC_NO_PID, _ENDPOINT_P(ep), p_usr);
	printf(PROC_USR_FORMAT, PROC_USR_FIELDS(p_usr));
	return dvk_getep(getpid());
}

void main(int argc, char *argv[])
{
	int ret, pid;

	ret = dvk_open();
	if (ret < 0) exit(1);
	if ((pid = fork()) == 0)
		exit(server(5, "client"));
	ret = dvk_tbind(0, 4);
	if (ret < EDVSERRCODE) exit(1);
	dvk_lclbind(0, pid, 5);
	dvk_unbind(0, 5);
	exit(0);
}
