//! Endpoints that move to another VM, or to another process of theirs.

use crate::{CallId, Core, ffi};

impl Core {
    /// Begins to move `nr`; ends when it is quiescent, and tells the token that it has.
    pub fn migrate_start(&mut self, nr: i32, token: u64, now: u64) -> CallId {
        // SAFETY: as in `bind`.
        self.start(&[], |core, call| unsafe {
            ffi::dvs_migrate_start(core, call, nr, token, now)
        })
    }

    /// Lets `nr` go, to an adopter in VM `vm`, or (0) in any; ends when one has it.
    pub fn migrate_commit(&mut self, nr: i32, vm: u32, now: u64) -> CallId {
        // SAFETY: as in `bind`.
        self.start(&[], |core, call| unsafe {
            ffi::dvs_migrate_commit(core, call, nr, vm, now)
        })
    }

    /// `nr` stays.
    pub fn migrate_rollback(&mut self, nr: i32, now: u64) -> CallId {
        // SAFETY: as in `bind`.
        self.start(&[], |core, call| unsafe {
            ffi::dvs_migrate_rollback(core, call, nr, now)
        })
    }

    /// Waits until it is decided whether `nr` stays. `None` if it is not bound here.
    pub fn migrate_stay(&mut self, nr: i32, now: u64) -> Option<CallId> {
        let ep = self.ep(nr);
        if ep.is_null() {
            return None;
        }
        // SAFETY: as in `bind`; the endpoint is bound here.
        Some(self.start(&[], |core, call| unsafe {
            ffi::dvs_migrate_stay(core, call, ep, now)
        }))
    }

    /// Binds `nr`, which migrates under this token.
    pub fn adopt(&mut self, nr: i32, token: u64, now: u64) -> CallId {
        // SAFETY: as in `bind`.
        self.start(&[], |core, call| unsafe {
            ffi::dvs_adopt(core, call, nr, token, now)
        })
    }
}
