//! What an endpoint may do.

use std::ops::{BitOr, BitOrAssign};

use crate::abi;
use crate::error::Error;

/// A set of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls(u64);

impl Calls {
    /// No call.
    pub const NONE: Self = Self(0);
    /// All that a server may by default.
    pub const SERVER: Self = Self(0x7_ffff_fffe);
    /// What a user may by default: sendrec, unbind, endpoint_of, await_bound.
    pub const USER: Self = Self(0x2400_0420);
    /// Send.
    pub const SEND: Self = Self(1 << 2);
    /// Receive.
    pub const RECEIVE: Self = Self(1 << 3);
    /// Notify.
    pub const NOTIFY: Self = Self(1 << 4);
    /// Sendrec.
    pub const SENDREC: Self = Self(1 << 5);
    /// Receive of requests only.
    pub const RECEIVE_REQUEST: Self = Self(1 << 6);
    /// Reply.
    pub const REPLY: Self = Self(1 << 7);
    /// Unbind.
    pub const UNBIND: Self = Self(1 << 10);
    /// Copies.
    pub const COPY: Self = Self(1 << 13);
    /// Relay.
    pub const RELAY: Self = Self(1 << 16);
    /// `endpoint_of`.
    pub const ENDPOINT_OF: Self = Self(1 << 26);
    /// `await_bound` and `await_unbound`.
    pub const AWAIT: Self = Self(1 << 29);
    /// Wakeup.
    pub const WAKEUP: Self = Self(1 << 34);

    /// By the DVS's numbers, a bit for each call.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// A bit for each call.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether all of `other` are among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These but for `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Calls {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Calls {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What kind of endpoint it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A user sends only to servers.
    User,
    /// A server may send to users too.
    Server,
    /// So may a task.
    Task,
}

/// What an endpoint may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privileges {
    /// The calls that it may make.
    pub calls: Calls,
    /// The servers that it may send to: bit `number + nr_tasks` ([`Info`](crate::Info)) for each.
    pub ipc_to: u64,
    /// What kind of endpoint it is.
    pub level: Level,
}

impl Privileges {
    pub(crate) fn of(record: &abi::Privilege) -> Result<Self, Error> {
        Ok(Self {
            calls: Calls(record.calls),
            ipc_to: record.ipc_to,
            level: match record.level {
                0 => Level::User,
                1 => Level::Server,
                2 => Level::Task,
                _ => return Err(Error::Invalid),
            },
        })
    }

    pub(crate) fn record(&self, number: i32) -> abi::Privilege {
        abi::Privilege {
            ep: number,
            calls: self.calls.0,
            ipc_to: self.ipc_to,
            level: match self.level {
                Level::User => 0,
                Level::Server => 1,
                Level::Task => 2,
            },
            ..abi::Privilege::default()
        }
    }
}

#[cfg(test)]
#[path = "privileges_test.rs"]
mod tests;
