//! Where an endpoint is and what it does.

use crate::abi;
use crate::address::{Address, OneOrAny};
use crate::device::text;
use crate::error::Error;

/// Where a number is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Nowhere.
    Unbound,
    /// In this other VM of the container.
    OtherVm(u32),
    /// In this VM.
    Here(State),
}

impl Whereabouts {
    pub(crate) fn of(result: Result<(), Error>, state: &abi::State) -> Result<Self, Error> {
        match result {
            Ok(()) => Ok(Self::Here(State::of(state))),
            Err(Error::NotBound) => Ok(Self::Unbound),
            Err(Error::OtherVm) => Ok(Self::OtherVm(state.vm)),
            Err(error) => Err(error),
        }
    }
}

/// What an endpoint of this VM does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Number and generation.
    pub address: Address,
    /// To whom it sends, if it waits for that.
    pub sending: Option<Address>,
    /// From whom it receives, if it waits for that.
    pub receiving: Option<Source>,
    /// A copy from or to its memory is under way.
    pub copying: bool,
    /// It waits until a number is bound.
    pub awaiting_bound: bool,
    /// It waits until a number is not bound.
    pub awaiting_unbound: bool,
    /// It is being moved, and whoever calls it waits ([`crate::Dvs::migrate_start`]).
    pub moving: bool,
    /// Notifications wait for it.
    pub notified: bool,
    /// It stands by for another one.
    pub backup: bool,
    /// It is one of several that do the same.
    pub replica: bool,
    /// It was bound by the leader of its process, and for that.
    pub group_leader: bool,
    /// Its next receive from any ends at once, as somebody called wakeup.
    pub woken: bool,
    /// Its process, in the caller's pid namespace, if known.
    pub pid: Option<i32>,
    /// Its process's name.
    pub name: String,
    /// Messages and notifications that wait for it.
    pub queued: u32,
    /// Messages sent within this VM.
    pub sent_here: u32,
    /// Messages sent to other VMs.
    pub sent_elsewhere: u32,
    /// Copies within this VM.
    pub copied_here: u32,
    /// Copies from or to other VMs.
    pub copied_elsewhere: u32,
}

/// From whom an endpoint receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Any.
    Any,
    /// The endpoint with this number.
    One(i32),
}

impl From<Source> for OneOrAny {
    fn from(source: Source) -> Self {
        match source {
            Source::Any => crate::Any.into(),
            Source::One(number) => number.into(),
        }
    }
}

impl State {
    /// Whether it waits for nothing.
    pub fn runs(&self) -> bool {
        self.sending.is_none()
            && self.receiving.is_none()
            && !self.copying
            && !self.awaiting_bound
            && !self.awaiting_unbound
    }

    fn of(state: &abi::State) -> Self {
        let rts = |flag| state.rts & flag != 0;
        let misc = |flag| state.misc & flag != 0;
        Self {
            address: Address {
                number: state.ep,
                generation: state.generation,
            },
            sending: rts(abi::STATE_SENDING).then(|| state.sendto.into()),
            receiving: source(rts(abi::STATE_RECEIVING), state.getfrom),
            copying: rts(abi::STATE_ONCOPY),
            awaiting_bound: rts(abi::STATE_WAITBIND),
            awaiting_unbound: rts(abi::STATE_WAITUNBIND),
            moving: rts(abi::STATE_MIGRATE),
            notified: misc(abi::MISC_NOTIFY),
            backup: misc(abi::MISC_BACKUP),
            replica: misc(abi::MISC_REPLICATED),
            group_leader: misc(abi::MISC_GRPLEADER),
            woken: misc(abi::MISC_WOKENUP),
            pid: (state.pid >= 0).then_some(state.pid),
            name: text(&state.name),
            queued: state.queued,
            sent_here: state.lclsent,
            sent_elsewhere: state.rmtsent,
            copied_here: state.lclcopy,
            copied_elsewhere: state.rmtcopy,
        }
    }
}

fn source(receiving: bool, number: i32) -> Option<Source> {
    match number {
        _ if !receiving => None,
        abi::ADDR_NONE => None,
        abi::ADDR_ANY => Some(Source::Any),
        number => Some(Source::One(number)),
    }
}

#[cfg(test)]
#[path = "state_test.rs"]
mod tests;
