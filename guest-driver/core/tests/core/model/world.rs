//! The state: endpoints with what waits at them, what is on its way, and how calls have ended.

use std::collections::{BTreeMap, BTreeSet};

use super::copying::Copying;
use dvs_core::errors::EINTR;

/// Names a call of the history.
pub type Id = u64;
/// What a message says: the call it came from; of a notification, its value.
pub type Body = u64;
/// Names the life of an endpoint by the call that bound it; 0: any life.
pub type Life = u64;
/// Names one life of a VM.
pub type Vm = u32;

/// Endpoint numbers go from minus this …
pub const TASKS: i32 = 34;
/// … to below this.
pub const PROCS: i32 = 221;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr {
    pub nr: i32,
    pub life: Life,
}

/// From whom a receive takes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum From {
    Any,
    Only(Addr),
}

impl From {
    pub fn takes(self, source: Addr) -> bool {
        match self {
            From::Any => true,
            From::Only(a) => a.nr == source.nr && [0, source.life].contains(&a.life),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Message,
    Request,
    Notify,
    Reply,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    Result(i32),
    Bound(Addr),
    Got(Kind, Addr, Body),
    /// The number is bound.
    Found(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    Bind,
    Send,
    Sendrec,
    Receive,
    Reply,
    Notify,
    Relay,
    Wakeup,
    AwaitBind,
    AwaitUnbind,
    Privileges,
    Copy,
}

/// A call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    pub vm: Vm,
    pub ep: Addr,
    pub what: What,
    /// Whom a message goes to, as far as the caller's VM knows.
    pub to: i32,
    /// Nobody else can use the endpoint while it waits.
    pub sole: bool,
}

/// A message that waits at an endpoint, or was taken there and not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    pub id: Id,
    pub from: Addr,
    pub vm: Vm,
    pub request: bool,
    pub body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receiver {
    pub id: Id,
    pub from: From,
    pub requests: bool,
    /// It has not learnt yet where its far source is.
    pub looking: bool,
    /// It has waited since everything was at rest: its source's death cannot escape it.
    pub settled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The call that binds it has not ended.
    Binding(Id),
    Process,
    /// The caller left while it was bound: the next one gets it, or it is given back.
    Nobody,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    pub addr: Addr,
    pub vm: Vm,
    pub owner: Owner,
    pub queue: Vec<Message>,
    pub notes: BTreeMap<Addr, Body>,
    /// Those of them that came in an earlier life of the VM: of the ends of their sources nothing is
    /// heard.
    pub kept: BTreeSet<Addr>,
    pub open: Vec<Message>,
    pub receivers: Vec<Receiver>,
    /// The next receive from any is over at once.
    pub woken: bool,
    pub rights: Rights,
}

/// What an endpoint may do: calls and destinations as sets of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rights {
    pub calls: u64,
    pub ipc_to: u64,
    pub level: u32,
}

/// Who waits for the end of an endpoint, and of which life, as soon as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leaver {
    pub id: Id,
    pub vm: Vm,
    pub nr: i32,
    pub life: Option<Life>,
    /// As of a [`Receiver`].
    pub settled: bool,
}

/// The news for a client of another VM that its request goes on elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Redirect {
    pub id: Id,
    pub by: Vm,
    pub to: Addr,
    pub body: Body,
}

/// Privileges that the node has not agreed to yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Setter {
    pub id: Id,
    pub ep: Addr,
    pub rights: Rights,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cargo {
    Message,
    Request,
    /// The life it goes to, when that is known: its call has ended then.
    Note(Option<Life>),
    /// A reply that nobody waits for: only asks what to say.
    Check,
    /// So does a call that needs an endpoint of this VM.
    Where,
}

/// Something on its way from a VM to an endpoint number elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flight {
    pub id: Id,
    pub from: Addr,
    pub cargo: Cargo,
    pub want: Life,
    pub body: Body,
    pub nowait: bool,
    /// At some moment of the flight nobody was bound there, or the sender believed what was over.
    pub away: bool,
    /// A VM where it may have arrived was lost meanwhile.
    pub lost: bool,
}

/// A bind that the directory has not decided on. Without an id its caller has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bind {
    pub id: Option<Id>,
    pub life: Life,
    pub vm: Vm,
    pub nr: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ended {
    pub answer: Answer,
    /// Where that was decided.
    pub by: Vm,
    pub call: Call,
    /// Why its caller wants to leave, should it not wait for the answer.
    pub why: i32,
    /// It waits until nobody touches the caller's memory.
    pub held: bool,
}

/// Who takes back a message, and for what reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cancel {
    pub vm: Vm,
    pub from: Addr,
    pub why: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World {
    pub vms: BTreeSet<Vm>,
    pub bound: BTreeMap<i32, Endpoint>,
    /// Where each number has ever been bound: others may still believe it.
    pub hosted: BTreeSet<(i32, Vm)>,
    /// Numbers that had a life before.
    pub former: BTreeSet<i32>,
    /// Over, but the directory has not been told.
    pub leaving: BTreeMap<i32, Vm>,
    /// Was refused, and is given back all the same.
    pub returning: BTreeSet<(i32, Vm)>,
    pub binds: Vec<Bind>,
    pub flights: BTreeMap<(Vm, i32), Vec<Flight>>,
    pub redirects: Vec<Redirect>,
    pub setters: Vec<Setter>,
    /// Who waits in which VM for this number to be bound.
    pub awaits: BTreeMap<Id, (Vm, i32)>,
    pub leavers: Vec<Leaver>,
    pub copies: Vec<Copying>,
    pub calls: BTreeMap<Id, Call>,
    /// Over, but nobody has seen it.
    pub ended: BTreeMap<Id, Ended>,
    /// Calls that want to be taken back from another VM, which has not decided on it.
    pub cancelled: BTreeMap<Id, Cancel>,
    /// Deaths of which this VM has not heard yet, and where they happened.
    pub deaths: BTreeSet<(Addr, Vm, Vm)>,
    /// Lost VMs of which this VM has not heard yet, with the endpoints they had.
    pub gone: BTreeMap<(Vm, Vm), BTreeSet<Addr>>,
    /// Calls whose message was at an endpoint of a lost VM.
    pub lost: BTreeMap<Id, Vm>,
    /// Time has passed with things on their way: a peer may seem out of reach.
    pub slow: bool,
    /// Pools and rings are so small that there may be no room for a call that does not wait.
    pub tight: bool,
}

impl World {
    pub fn new(tight: bool) -> World {
        World {
            tight,
            ..World::default()
        }
    }

    /// As this one, but for a change.
    pub fn with(&self, change: impl FnOnce(&mut World)) -> World {
        let mut world = self.clone();
        change(&mut world);
        world
    }

    /// The endpoint of that number, if it is in this VM and a process has it.
    pub fn local(&mut self, vm: Vm, nr: i32) -> Option<&mut Endpoint> {
        let found = self.bound.get_mut(&nr);
        found.filter(|e| e.vm == vm && e.owner == Owner::Process)
    }

    pub fn begin(&mut self, id: Id, vm: Vm, ep: Addr, what: What) {
        let call = Call {
            vm,
            ep,
            what,
            to: 0,
            sole: false,
        };
        self.calls.insert(id, call);
    }

    /// The call is over, by a decision in VM `by`.
    pub fn end(&mut self, id: Id, answer: Answer, by: Vm) {
        let why = self.cancelled.remove(&id).map_or(EINTR, |c| c.why);
        self.lost.remove(&id);
        if let Some(call) = self.calls.remove(&id) {
            let ended = Ended {
                answer,
                by,
                call,
                why,
                held: false,
            };
            self.ended.insert(id, ended);
            self.end_copy(id);
            if by == call.vm {
                self.arrived(id);
            }
        }
    }

    /// The answer has got to the caller's VM: as soon as nobody touches its memory, the call ends.
    pub fn arrived(&mut self, id: Id) {
        let held = self.stop_lending(id);
        if let Some(ended) = self.ended.get_mut(&id) {
            ended.by = ended.call.vm;
            ended.held = held;
        }
    }

    /// As [`World::arrived`], whatever was decided before.
    pub fn arrived_as(&mut self, id: Id, result: i32) {
        if let Some(ended) = self.ended.get_mut(&id) {
            ended.answer = Answer::Result(result);
            self.arrived(id);
        }
    }

    /// The call is over, by a decision in its own VM.
    pub fn end_here(&mut self, id: Id, result: i32) {
        if let Some(call) = self.calls.get(&id) {
            let vm = call.vm;
            self.end(id, Answer::Result(result), vm);
        }
    }

    /// Does this VM possibly believe in a life of that number which is over?
    pub fn may_remember(&self, vm: Vm, nr: i32) -> bool {
        self.deaths.iter().any(|(a, _, to)| *to == vm && a.nr == nr)
            || self.leaving.contains_key(&nr)
            || self.gone.keys().any(|(_, to)| *to == vm)
    }

    pub fn fly(&mut self, vm: Vm, nr: i32, flight: Flight) {
        let bound = self.bound.get(&nr);
        let safe = bound.is_some_and(|e| e.owner == Owner::Process) && !self.may_remember(vm, nr);
        let lost = self.gone.keys().any(|(_, to)| *to == vm);
        let away = flight.away || !safe;
        let flight = Flight {
            away,
            lost,
            ..flight
        };
        self.flights.entry((vm, nr)).or_default().push(flight);
    }

    /// Nothing is on its way, nothing has to happen.
    pub fn at_rest(&self) -> bool {
        self.flights.is_empty()
            && self.binds.is_empty()
            && self.leaving.is_empty()
            && self.returning.is_empty()
            && self.deaths.is_empty()
            && self.gone.is_empty()
            && self.cancelled.is_empty()
            && self.redirects.is_empty()
            && self.setters.is_empty()
            && self.copies.iter().all(Copying::is_over)
            && self.leavers.iter().all(|l| l.life.is_some())
            && self
                .awaits
                .values()
                .all(|(_, nr)| !self.bound.contains_key(nr))
            && self.ended.is_empty()
            && self
                .bound
                .values()
                .all(|e| e.owner == Owner::Process && e.receivers.iter().all(|r| !r.looking))
    }
}
