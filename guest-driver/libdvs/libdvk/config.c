// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * libdvk: the calls that configured nodes, DCs and proxies. The host does that
 * now, so they succeed where what they ask is already so.
 */
#include "internal.h"

long dvk_dvs_init(int nodeid, dvs_usr_t *dvs)
{
	struct dvs_info info;
	long ret = dvk_info(&info);

	(void)dvs;
	if (ret)
		return ret;
	return nodeid >= 0 && (__u32)nodeid == info.nodeid ? nodeid : EDVSPRIVILEGES;
}

long dvk_dvs_end(void)
{
	return EDVSPRIVILEGES;
}

/* Gives the node on which the DC runs, as the DVS does. */
long dvk_dc_init(dc_usr_t *dc)
{
	struct dvs_info info;
	long ret;

	if (!dc)
		return EDVSFAULT;
	ret = dvk_info_of(dc->dc_dcid, &info);
	if (ret)
		return ret == EDVSBADDCID ? EDVSPRIVILEGES : ret;
	return (long)info.nodeid;
}

long dvk_dc_end(int dcid)
{
	(void)dcid;
	return EDVSPRIVILEGES;
}

/* EDVSPRIVILEGES unless `nodeid` is this node's, which is up and in the DC. */
static long own_node(int nodeid)
{
	struct dvs_info info;
	long ret = dvk_info(&info);

	if (ret)
		return ret;
	return nodeid >= 0 && (__u32)nodeid == info.nodeid ? OK : EDVSPRIVILEGES;
}

long dvk_add_node(int dcid, int nodeid)
{
	struct dvs_info info;
	long ret = dvk_info_of(dcid, &info);

	if (ret)
		return ret;
	return own_node(nodeid);
}

long dvk_del_node(int dcid, int nodeid)
{
	(void)dcid;
	(void)nodeid;
	return EDVSPRIVILEGES;
}

long dvk_node_up(char *name, int nodeid, int pxid)
{
	(void)name;
	(void)pxid;
	return own_node(nodeid);
}

long dvk_node_down(int nodeid)
{
	(void)nodeid;
	return EDVSPRIVILEGES;
}

long dvk_proxies_bind(char *name, int pxid, int spid, int rpid, int maxcopybuf)
{
	(void)name;
	(void)pxid;
	(void)spid;
	(void)rpid;
	(void)maxcopybuf;
	return EDVSPRIVILEGES;
}

long dvk_proxies_unbind(int pxid)
{
	(void)pxid;
	return EDVSPRIVILEGES;
}

long dvk_proxy_conn(int pxid, int status)
{
	(void)pxid;
	(void)status;
	return EDVSPRIVILEGES;
}

long dvk_get2rmt_T(cmd_t *header, proxy_payload_t *payload, long timeout)
{
	(void)header;
	(void)payload;
	(void)timeout;
	return EDVSNOSYS;
}

long dvk_put2lcl_T(cmd_t *header, proxy_payload_t *payload, long timeout)
{
	(void)header;
	(void)payload;
	(void)timeout;
	return EDVSNOSYS;
}
