//! Calls about endpoints rather than with messages: relay, wakeup, waits, state, privileges.

use crate::{Addr, CallId, Core, EndpointState, Privileges, ffi};

impl Core {
    /// Hands a request of `client` on to `dst`; `token` as in [`Core::reply`].
    pub fn relay(
        &mut self,
        ep: i32,
        client: Addr,
        token: u64,
        dst: Addr,
        data: &[u8],
        now: u64,
    ) -> CallId {
        let ep = self.ep(ep);
        // SAFETY: as in `send`.
        self.start(data, |core, call| unsafe {
            ffi::dvs_relay(core, call, ep, client, token, dst, now)
        })
    }

    /// Ends a receive from any source of `nr`, or its next one.
    pub fn wakeup(&mut self, ep: i32, nr: i32, now: u64) -> CallId {
        let ep = self.ep(ep);
        // SAFETY: as in `send`.
        self.start(&[], |core, call| unsafe {
            ffi::dvs_wakeup(core, call, ep, nr, now)
        })
    }

    /// Waits until `nr` is bound in any VM. The waiter has an endpoint if `ep` is one of this VM.
    pub fn await_bind(&mut self, ep: i32, nr: i32, now: u64) -> CallId {
        let ep = self.ep(ep);
        // SAFETY: as in `send`.
        self.start(&[], |core, call| unsafe {
            ffi::dvs_await_bind(core, call, ep, nr, now)
        })
    }

    /// Waits until `nr` is not bound.
    pub fn await_unbind(&mut self, ep: i32, nr: i32, now: u64) -> CallId {
        let ep = self.ep(ep);
        // SAFETY: as in `send`.
        self.start(&[], |core, call| unsafe {
            ffi::dvs_await_unbind(core, call, ep, nr, now)
        })
    }

    /// The process of an endpoint bound here is asked to leave: its calls end.
    pub fn shutdown(&mut self, nr: i32, now: u64) {
        let ep = self.ep(nr);
        if !ep.is_null() {
            // SAFETY: bound and not unbound yet.
            unsafe { ffi::dvs_ep_shutdown(self.raw.as_ptr(), ep, now) };
            self.collect();
        }
    }

    /// What an endpoint does. Its state is told if the call ends with success at once; of an
    /// endpoint of another VM, the outcome tells the VM as its token.
    pub fn state(&mut self, nr: i32, now: u64) -> (CallId, EndpointState) {
        let mut state = EndpointState::default();
        // SAFETY: as in `bind`; the state is written before the call returns, or not at all.
        let id = self.start(&[], |core, call| unsafe {
            ffi::dvs_state(core, call, nr, &raw mut state, now)
        });
        (id, state)
    }

    /// What an endpoint of this VM may do, or why that cannot be told.
    ///
    /// # Errors
    ///
    /// A negative number of the DVS.
    pub fn privileges(&mut self, nr: i32) -> Result<Privileges, i32> {
        let mut privileges = Privileges::default();
        // SAFETY: `privileges` is valid for writing.
        let r = unsafe { ffi::dvs_privileges_get(self.raw.as_ptr(), nr, &raw mut privileges) };
        if r == 0 { Ok(privileges) } else { Err(r) }
    }

    /// Sets what an endpoint of this VM may do.
    pub fn set_privileges(&mut self, nr: i32, privileges: &Privileges, now: u64) -> CallId {
        // SAFETY: as in `bind`; the core copies the privileges.
        self.start(&[], |core, call| unsafe {
            ffi::dvs_privileges_set(core, call, nr, privileges, now)
        })
    }
}
