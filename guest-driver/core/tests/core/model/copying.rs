//! A copy under way, and the stages of its two sides.

use super::calls::Caller;
use super::world::{Addr, Id, Vm};
use dvs_core::errors::*;

pub const SOURCE: usize = 0;
pub const DESTINATION: usize = 1;
/// A requester looks so often for a side that is not where it was.
const ATTEMPTS: u8 = 3;
/// Result of a side that was not where it was asked.
pub const ASTRAY: i32 = 1;
/// A copy whose requester does not wait for it any more has no call.
pub const NOBODY: Id = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Sought,
    /// Is asked as soon as the other one is found as well.
    Found(Addr),
    /// Its VM is being asked.
    Asked(Addr),
    /// This call waits, and lends its memory.
    Open(Addr, Id),
    /// Over, but a piece of it is just being copied: this call ends afterwards.
    Closing(Id, i32),
    Done(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Side {
    pub want: Addr,
    /// Where it was found; 0: not yet, or where it is not any more.
    pub vm: Vm,
    pub stage: Stage,
    /// The requester may remember where it was, however long ago.
    pub remembered: bool,
    /// Its VM is lost.
    pub lost: bool,
}

/// A copy under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Copying {
    pub id: Id,
    /// The requester's.
    pub vm: Vm,
    pub requester: Addr,
    pub sides: [Side; 2],
    /// Both sides were open: data may have gone from one to the other.
    pub joined: bool,
    /// A piece is just being copied.
    pub busy: bool,
    /// Why the requester wants to leave, or 0.
    pub why: i32,
    attempts: u8,
}

impl Side {
    pub fn new(want: Addr) -> Side {
        Side {
            want,
            vm: 0,
            stage: Stage::Sought,
            remembered: true,
            lost: false,
        }
    }

    pub fn failure(&self) -> Option<i32> {
        match self.stage {
            Stage::Done(result) if result != 0 => Some(result),
            _ => None,
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done(_))
    }

    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(..))
    }
}

pub fn died(which: usize) -> i32 {
    if which == SOURCE { ESRCDIED } else { EDSTDIED }
}

impl Copying {
    pub fn new(caller: Caller, requester: Addr, ends: [Addr; 2]) -> Copying {
        Copying {
            id: caller.id,
            vm: caller.vm,
            requester,
            sides: ends.map(Side::new),
            joined: false,
            busy: false,
            why: 0,
            attempts: 1,
        }
    }

    /// What is left of a copy until all others of the same moment are dealt with.
    pub fn over() -> Copying {
        let nobody = Addr { nr: 0, life: 0 };
        let caller = Caller {
            id: NOBODY,
            vm: 0,
            ep: None,
        };
        let mut over = Copying::new(caller, nobody, [nobody; 2]);
        over.lose_requester();
        over
    }

    pub fn is_over(&self) -> bool {
        self.id == NOBODY && !self.matters()
    }

    /// The whole copy is in the requester's VM.
    pub fn is_local(&self) -> bool {
        self.sides.iter().all(|s| s.vm == self.vm)
    }

    pub fn is_far(&self, which: usize) -> bool {
        self.sides[which].vm != self.vm
    }

    pub fn in_one_vm(&self) -> bool {
        self.sides[SOURCE].vm == self.sides[DESTINATION].vm
    }

    /// Is this side's memory being touched? Data that goes to another VM is not taken in pieces.
    pub fn touches(&self, which: usize) -> bool {
        self.busy && (which == DESTINATION || self.in_one_vm())
    }

    /// Why this side is not wanted any more.
    pub fn stopped(&self, which: usize) -> Option<i32> {
        if self.why != 0 {
            return Some(self.why);
        }
        let failure = self.sides[1 - which].failure()?;
        Some(if failure == ASTRAY {
            died(1 - which)
        } else {
            failure
        })
    }

    pub fn close(&mut self, which: usize, result: i32) {
        let touches = self.touches(which);
        let side = &mut self.sides[which];
        side.stage = match side.stage {
            Stage::Open(_, call) if touches => Stage::Closing(call, result),
            Stage::Closing(..) | Stage::Done(_) => return,
            _ => Stage::Done(result),
        };
    }

    pub fn lends(&self, call: Id) -> bool {
        let by = |s: &Side| match s.stage {
            Stage::Open(_, c) | Stage::Closing(c, _) => c == call,
            _ => false,
        };
        self.sides.iter().any(by)
    }

    /// It begins anew, unless that has been tried too often, since this side was not where it was
    /// asked.
    pub fn again(&mut self, which: usize) -> bool {
        if self.why != 0 || self.attempts == ATTEMPTS {
            return false;
        }
        self.attempts += 1;
        self.joined = false;
        self.sides[which].remembered = false;
        for side in &mut self.sides {
            let remembered = side.remembered;
            *side = Side {
                remembered,
                ..Side::new(side.want)
            };
        }
        true
    }

    pub fn lose(&mut self, which: usize) {
        self.sides[which].stage = Stage::Done(died(which));
        self.busy &= which != DESTINATION;
    }

    /// What is left of it in other VMs.
    pub fn lose_requester(&mut self) {
        (self.id, self.why) = (NOBODY, EINTR);
        self.busy &= self.is_far(DESTINATION);
        for side in self.sides.iter_mut().filter(|s| s.vm == self.vm) {
            side.stage = Stage::Done(EINTR);
        }
    }

    /// Without a requester it matters only for as long as memory may be touched.
    pub fn matters(&self) -> bool {
        let usable = |s: &Side| matches!(s.stage, Stage::Asked(_) | Stage::Open(..));
        let goes_on = self.joined && !self.in_one_vm() && self.sides[DESTINATION].is_open();
        self.busy || goes_on || self.sides.iter().all(usable)
    }
}
