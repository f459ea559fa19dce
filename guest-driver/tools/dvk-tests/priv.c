// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* dvk-tests: privileges, and calls that are denied. */
#include "tests.h"

/* The bit of a system endpoint in priv_ipc_to. */
static int ipc_bit(int nr)
{
	dvs_usr_t dvs;

	CHECK(dvk_getdvsinfo(&dvs) >= 0);
	return nr + dvs.d_nr_tasks;
}

static void defaults(void)
{
	priv_usr_t priv, *priv_ptr = &priv;
	pid_t pid = peer_start(USER(0), idle);
	int call;

	CHECK_RET(dvk_getpriv(dcid, SELF, priv_ptr), EDVSNOTBIND);
	bind_self(SERVER(0));
	CHECK_RET(dvk_getpriv(dcid, SELF, priv_ptr), OK);
	CHECK(tap_prints(PRIV_USR_FORMAT, PRIV_USR_FIELDS(priv_ptr)));
	CHECK(priv.priv_level == SERVER_PRIV);
	for (call = DVK_DCINIT; call < DVK_NR_CALLS; call++)
		CHECK(get_sys_bit(priv.priv_dvk_allowed, call));
	CHECK(get_sys_bit(priv.priv_ipc_to, ipc_bit(SERVER(1))));
	CHECK_RET(dvk_getpriv(dcid, USER(0), priv_ptr), OK);
	CHECK(priv.priv_level == USER_PRIV);
	for (call = DVK_DCINIT; call < DVK_NR_CALLS; call++) {
		int allowed = call == DVK_SENDREC || call == DVK_UNBIND || call == DVK_GETEP ||
			      call == DVK_WAIT4BIND;

		CHECK(!get_sys_bit(priv.priv_dvk_allowed, call) == !allowed);
	}
	process_kill(pid);
}

static void errors(void)
{
	priv_usr_t priv;

	memset(&priv, 0, sizeof(priv));
	bind_self(SERVER(0));
	CHECK_RET(dvk_getpriv(dcid + 1, SERVER(0), &priv), EDVSBADDCID);
	CHECK_RET(dvk_getpriv(dcid, SERVER(9), &priv), EDVSNOTBIND);
	CHECK_RET(dvk_getpriv(dcid, SERVER(0), NULL), EDVSFAULT);
	CHECK_RET(dvk_setpriv(dcid, SERVER(0), NULL), EDVSFAULT);
	priv.priv_level = PROXY_PRIV;
	CHECK_RET(dvk_setpriv(dcid, SERVER(0), &priv), EDVSBADVALUE);
}

/* A user may call servers, and nothing else. */
static void user(void)
{
	pid_t server = peer_start(SERVER(1), echo), other = peer_start(USER(1), idle);
	message m;

	bind_self(USER(0));
	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_send_T(SERVER(1), &m, SOON), EDVSBADCALL);
	CHECK_RET(dvk_receive_T(ANY, &m, TIMEOUT_NOWAIT), EDVSBADCALL);
	CHECK_RET(dvk_rcvrqst_T(&m, TIMEOUT_NOWAIT), EDVSBADCALL);
	CHECK_RET(dvk_reply_T(SERVER(1), &m, SOON), EDVSBADCALL);
	CHECK_RET(dvk_notify(SERVER(1)), EDVSBADCALL);
	CHECK_RET(dvk_relay(SERVER(1), &m), EDVSBADCALL);
	CHECK_RET(dvk_wakeup(dcid, SERVER(1)), EDVSBADCALL);
	CHECK_RET(dvk_sendrec_T(USER(1), &m, SOON), EDVSTRAPDENIED);
	CHECK_RET(dvk_getep(getpid()), USER(0));
	CHECK_RET(dvk_wait4bindep_T(SERVER(1), SOON), SERVER(1));
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, SOON), OK);
	CHECK(process_end(server) == 0);
	process_kill(other);
	CHECK_RET(dvk_unbind(dcid, SELF), OK);
}

static void allow(int call)
{
	priv_usr_t priv;

	CHECK_RET(dvk_getpriv(dcid, SELF, &priv), OK);
	set_sys_bit(priv.priv_dvk_allowed, call);
	CHECK_RET(dvk_setpriv(dcid, SELF, &priv), OK);
}

static void user_with_more(void)
{
	message m;

	bind_self(USER(0));
	CHECK_RET(dvk_receive_T(ANY, &m, TIMEOUT_NOWAIT), EDVSBADCALL);
	allow(DVK_RECEIVE);
	CHECK_RET(dvk_receive_T(ANY, &m, TIMEOUT_NOWAIT), EDVSAGAIN);
}

static void call_denied(void)
{
	pid_t pid = peer_start(SERVER(1), idle);
	priv_usr_t priv;
	message m;

	bind_self(SERVER(0));
	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_getpriv(dcid, SELF, &priv), OK);
	unset_sys_bit(priv.priv_dvk_allowed, DVK_SEND);
	CHECK_RET(dvk_setpriv(dcid, SELF, &priv), OK);
	CHECK_RET(dvk_send_T(SERVER(1), &m, TIMEOUT_NOWAIT), EDVSBADCALL);
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, TIMEOUT_NOWAIT), EDVSAGAIN);
	allow(DVK_SEND);
	CHECK_RET(dvk_send_T(SERVER(1), &m, TIMEOUT_NOWAIT), EDVSAGAIN);
	process_kill(pid);
}

static void destination_denied(void)
{
	pid_t pid = peer_start(SERVER(1), idle);
	priv_usr_t priv;
	message m;

	bind_self(SERVER(0));
	memset(&m, 0, sizeof(m));
	CHECK_RET(dvk_getpriv(dcid, SELF, &priv), OK);
	unset_sys_bit(priv.priv_ipc_to, ipc_bit(SERVER(1)));
	CHECK_RET(dvk_setpriv(dcid, SELF, &priv), OK);
	CHECK_RET(dvk_send_T(SERVER(1), &m, TIMEOUT_NOWAIT), EDVSTRAPDENIED);
	CHECK_RET(dvk_sendrec_T(SERVER(1), &m, TIMEOUT_NOWAIT), EDVSTRAPDENIED);
	CHECK_RET(dvk_notify(SERVER(1)), EDVSTRAPDENIED);
	/* A privilege ends with the endpoint. */
	CHECK_RET(dvk_unbind(dcid, SELF), OK);
	bind_self(SERVER(0));
	CHECK_RET(dvk_send_T(SERVER(1), &m, TIMEOUT_NOWAIT), EDVSAGAIN);
	process_kill(pid);
}

/* Root is needed, as well as the host's leave. */
static void not_root_child(void)
{
	priv_usr_t priv;

	CHECK_RET(dvk_getpriv(dcid, SELF, &priv), OK);
	CHECK(setuid(65534) == 0);
	CHECK_RET(dvk_setpriv(dcid, SELF, &priv), EDVSPRIVILEGES);
	CHECK_RET(dvk_lclbind(dcid, getppid(), SERVER(2)), EDVSPRIVILEGES);
	CHECK_RET(dvk_unbind_T(dcid, SERVER(1), SOON), EDVSPRIVILEGES);
	CHECK_RET(dvk_src_notify(SERVER(2), SERVER(1)), EDVSPRIVILEGES);
	CHECK_RET(dvk_hdw_notify(dcid, SERVER(1)), EDVSPRIVILEGES);
}

static void not_root(void)
{
	pid_t other = peer_start(SERVER(1), idle), pid = peer_start(SERVER(0), not_root_child);

	CHECK(process_end(pid) == 0);
	process_kill(other);
}

void tests_priv(void)
{
	tap_run("getpriv: defaults", defaults);
	tap_run("getpriv, setpriv: errors", errors);
	tap_run("a user's calls", user);
	tap_run_admin("setpriv: a user with one call more", user_with_more);
	tap_run_admin("setpriv: a call is denied", call_denied);
	tap_run_admin("setpriv: a destination is denied", destination_denied);
	tap_run_admin("without root nothing is administered", not_root);
}
