/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * Moving an endpoint to another VM, or to another process of this one, whose
 * process is moved by its own means: docs/endpoint-migration.md.
 */
#ifndef DVS_MIGRATE_H
#define DVS_MIGRATE_H

#include "types.h"

/*
 * Begins, for an endpoint of this VM, with a random token that is not 0. Done when the endpoint
 * is quiescent; call->token has the token then, which is that of an earlier start if there was one.
 * From now on new calls of its process fail with DVS_EMIGRATE: see dvs_migrate_stay.
 */
int dvs_migrate_start(struct dvs_core *core, struct dvs_call *call, dvs_s32 nr, dvs_u64 token,
		      dvs_u64 now);
/* Lets it go, to an adopter in this VM (0: in any). Done when one has it. */
int dvs_migrate_commit(struct dvs_core *core, struct dvs_call *call, dvs_s32 nr, dvs_u32 vm,
		       dvs_u64 now);
/* It stays, and goes on as before. */
int dvs_migrate_rollback(struct dvs_core *core, struct dvs_call *call, dvs_s32 nr, dvs_u64 now);
/*
 * A call of the endpoint's process failed with DVS_EMIGRATE: waits until it may be made again
 * (0), or the endpoint has gone (DVS_EMIGRATE).
 */
int dvs_migrate_stay(struct dvs_core *core, struct dvs_call *call, struct dvs_ep *ep, dvs_u64 now);
/*
 * Binds the caller to an endpoint that migrates, by its token. Done when it has it.
 * While the directory is asked for it (dvs_adopt_undecided, which may be looked at without the
 * lock) a cancel has no effect, and one that is abandoned may leave the endpoint to nobody.
 */
int dvs_adopt(struct dvs_core *core, struct dvs_call *call, dvs_s32 nr, dvs_u64 token,
	      dvs_u64 now);
int dvs_adopt_undecided(const struct dvs_call *call);

#endif
