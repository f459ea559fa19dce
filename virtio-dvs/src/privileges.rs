//! What an endpoint may do: which calls, and to whom.
//!
//! The core of a guest checks its own endpoints at every call. Here the same is checked once more
//! for what leaves a VM, since a guest's kernel may be anybody's.

use crate::frame::kind;
use crate::vm::DcAttributes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Calls by the DVS's numbers, as bits of [`Privileges::calls`].
pub mod call {
    /// Send.
    pub const SEND: u32 = 2;
    /// Receive.
    pub const RECEIVE: u32 = 3;
    /// Notify.
    pub const NOTIFY: u32 = 4;
    /// Send and wait for the reply.
    pub const SENDREC: u32 = 5;
    /// Receive requests only.
    pub const RCVRQST: u32 = 6;
    /// Answer a request.
    pub const REPLY: u32 = 7;
    /// Unbind.
    pub const UNBIND: u32 = 10;
    /// Copy between processes.
    pub const VCOPY: u32 = 13;
    /// Hand a request on.
    pub const RELAY: u32 = 16;
    /// Tell the endpoint of a process.
    pub const GETEP: u32 = 26;
    /// Wait until an endpoint is bound or unbound.
    pub const WAIT4BIND: u32 = 29;
    /// Wake an endpoint up.
    pub const WAKEUP: u32 = 34;
}

/// What a server may call: all.
pub const CALLS_SERVER: u64 = 0x7_ffff_fffe;
/// What a user may call.
pub const CALLS_USER: u64 = 0x2400_0420;

/// Level of an endpoint that may send to servers only.
pub const LEVEL_USER: u32 = 0;
/// Level of an endpoint that may send to users too.
pub const LEVEL_SERVER: u32 = 1;
/// Level of a task.
pub const LEVEL_TASK: u32 = 2;

/// System endpoints that have a bit of [`Privileges::ipc_to`].
const IPC_TO_BITS: i64 = 64;

/// What an endpoint may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Privileges {
    /// A bit for each call that it may make.
    pub calls: u64,
    /// A bit for each system endpoint that it may send to, by number + nr_tasks.
    pub ipc_to: u64,
    /// From [`LEVEL_SERVER`] on it may send to users.
    pub level: u32,
}

/// Why a frame is not carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Denied {
    /// The source may not make this call.
    #[error("the endpoint may not make this call")]
    Call,
    /// The source may not send to this destination.
    #[error("the endpoint may not send to this destination")]
    Destination,
}

impl Privileges {
    /// What an endpoint may do as long as nobody has said otherwise.
    pub fn of_number(dc: &DcAttributes, number: i32) -> Privileges {
        let system = dc.is_system(number);
        let calls = if system { CALLS_SERVER } else { CALLS_USER };
        let level = match number {
            ..0 => LEVEL_TASK,
            _ if system => LEVEL_SERVER,
            _ => LEVEL_USER,
        };
        let ipc_to = u64::MAX;
        Privileges {
            calls,
            ipc_to,
            level,
        }
    }

    /// Whether these are any that an endpoint can have.
    pub fn is_valid(&self) -> bool {
        self.level <= LEVEL_TASK
    }

    /// Whether a frame of this kind may go to that endpoint.
    pub fn check(&self, dc: &DcAttributes, kind: u8, to: i32) -> Result<(), Denied> {
        let call = call_of(kind);
        if call.is_some_and(|call| self.calls & 1 << call == 0) {
            return Err(Denied::Call);
        }
        if call.is_some() && !self.may_reach(dc, to) {
            return Err(Denied::Destination);
        }
        Ok(())
    }

    fn may_reach(&self, dc: &DcAttributes, to: i32) -> bool {
        if !dc.contains(to) {
            return false;
        }
        if !dc.is_system(to) {
            return self.level >= LEVEL_SERVER;
        }
        let place = i64::from(to) + i64::from(dc.nr_tasks);
        // A DC may have more system endpoints than there are bits.
        place >= IPC_TO_BITS || self.ipc_to & 1 << place != 0
    }
}

/// The call that a guest makes with a request of this kind.
const fn call_of(kind: u8) -> Option<u32> {
    match kind {
        kind::MSG => Some(call::SEND),
        kind::REQ => Some(call::SENDREC),
        kind::NTF => Some(call::NOTIFY),
        kind::COPY_IN | kind::COPY_OUT => Some(call::VCOPY),
        _ => None,
    }
}

#[cfg(test)]
#[path = "privileges_test.rs"]
mod tests;
