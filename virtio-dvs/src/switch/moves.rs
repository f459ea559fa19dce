//! VMs that move from node to node. Who has a VM its record in the directory says, and nobody else:
//! what is asked here only gets a port ready for what the record may say, or changes the record.
//!
//! ```text
//!            prepare               take (won)      started, release    hold
//! (nothing) ────────▶ Elsewhere ─────────────▶ Taken ─────────▶ Here ───────▶ Held
//!     ▲                │   ▲                     ▲               ▲             │ │
//!     └────────────────┘   │                     │               └─────────────┘ │
//!           forget         │                     │                   release     │
//!                          │                     └──────────── take (won) ───────┤
//!                          └──────────────────── the record says another node ───┘
//! ```
//!
//! A port whose VM may be gone, or may go, does not end the VM's life when its VMM goes. One that was
//! taken and whose guest has not run is given back: the record says so, and nobody can run it here any
//! more. Nobody may wait for ever, though: whoever drives the switch gives such a port up after a while.

mod arrival;
mod departure;
mod request;

use crate::directory::{DirectoryError, Interest, NodeId, Place, Request, Residence, Seen};
use crate::switch::cluster::Cluster;
use crate::switch::port::{Port, Stage};
use crate::switch::{Action, Pending, PortId, Switch};
use std::collections::BTreeMap;

pub use request::{MoveError, MoveRequest, Settled, Ticket};

/// Questions of one kind about one VM that wait for the directory at once.
const TICKETS_MAX: usize = 8;

/// What the directory was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wish {
    Place(Ticket, u32),
    Prepare(Ticket, u32, Place),
    /// Of a VM whose port was given up.
    Abandoned(PortId, u32),
}

/// The directory was asked to let a VM come here.
#[derive(Debug)]
struct Taking {
    from: Place,
    tickets: Vec<Ticket>,
    /// Nodes that know of the answer before us, and by which epoch they sent.
    turned_away: BTreeMap<NodeId, u32>,
}

/// What the switch knows of VMs that move, beside their ports.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Ports of VMs that live elsewhere.
    elsewhere: BTreeMap<u32, PortId>,
    taking: BTreeMap<u32, Taking>,
}

impl Moves {
    /// A frame by `epoch` has come from a node for a VM that is not here. Gives whether the node is
    /// told when it is.
    pub(super) fn turn_away(&mut self, node: NodeId, vm: u32, epoch: u32) -> bool {
        let taking = self.taking.get_mut(&vm);
        let taking = taking.filter(|it| it.from.epoch < epoch);
        taking.is_some_and(|it| {
            it.turned_away.insert(node, epoch);
            true
        })
    }
}

impl Switch {
    /// Something is asked for a VM that moves; [`Action::Settled`] follows.
    pub fn request_move(&mut self, ticket: Ticket, request: MoveRequest) {
        let asked = match request {
            MoveRequest::Place { vm } => self.ask_place(ticket, vm),
            MoveRequest::Prepare { vm, place } => self.ask_prepare(ticket, vm, place),
            MoveRequest::Take { vm, from } => self.ask_take(ticket, vm, from),
            MoveRequest::Hold { vm } => {
                let held = self.hold(vm).map(|place| Some(Residence::from(place)));
                return self.settle(ticket, held);
            }
            MoveRequest::Release { vm } => {
                let released = self.release(vm).map(|()| None);
                return self.settle(ticket, released);
            }
            MoveRequest::Forget { vm } => {
                let forgotten = self.forget(vm).map(|()| None);
                return self.settle(ticket, forgotten);
            }
        };
        if let Err(error) = asked {
            self.settle(ticket, Err(error));
        }
    }

    /// The port of a VM, also while the VM lives elsewhere.
    pub fn any_port_of(&self, vm: u32) -> Option<PortId> {
        let elsewhere = || self.cluster.as_ref()?.moves.elsewhere.get(&vm).copied();
        self.port_of(vm).or_else(elsewhere)
    }

    /// Ports whose VMs live elsewhere, in order of the VMs' ids.
    pub fn ports_elsewhere(&self) -> impl Iterator<Item = PortId> + '_ {
        let cluster = self.cluster.iter();
        cluster.flat_map(|it| it.moves.elsewhere.values().copied())
    }

    /// How far on its way the port's VM is: held, taken or elsewhere. `None`: it simply lives here.
    pub fn moving(&self, id: PortId) -> Option<&'static str> {
        match self.port(id)?.stage {
            Stage::Here => None,
            Stage::Held => Some("held"),
            Stage::Taken => Some("taken"),
            Stage::Elsewhere => Some("elsewhere"),
        }
    }

    /// Whether the rings of the port may be used now.
    pub fn may_run(&self, id: PortId) -> bool {
        self.port(id)
            .is_some_and(|port| port.stage.carries() && !port.forgotten)
    }

    /// What the directory has seen.
    pub(super) fn saw(&mut self, wish: Wish, seen: Result<Option<Box<Seen>>, DirectoryError>) {
        match wish {
            Wish::Place(ticket, vm) => {
                let settled = self.placed(vm, seen);
                self.settle(ticket, settled);
            }
            Wish::Prepare(ticket, vm, place) => {
                let settled = self.prepared(vm, place, seen);
                self.settle(ticket, settled);
            }
            Wish::Abandoned(id, vm) => self.saw_abandoned(id, vm, seen),
        }
    }

    pub(super) fn settle(&mut self, ticket: Ticket, settled: Settled) {
        self.actions.push_back(Action::Settled(ticket, settled));
    }

    fn in_cluster(&self) -> Result<(), MoveError> {
        let cluster = self.cluster.as_ref();
        cluster.map(drop).ok_or(DirectoryError::Alone.into())
    }

    fn lease_is_good(&self) -> Result<(), MoveError> {
        self.in_cluster()?;
        let cluster = self.cluster.as_ref();
        let good = cluster.is_some_and(|it| it.standing.is_answered());
        good.then_some(()).ok_or(MoveError::NoLease)
    }

    /// The port of a VM that lives here.
    fn port_here(&self, vm: u32) -> Result<PortId, MoveError> {
        self.in_cluster()?;
        match (self.port_of(vm), self.any_port_of(vm)) {
            (Some(id), _) => Ok(id),
            (None, Some(_)) => Err(MoveError::NotHere(vm)),
            (None, None) => Err(MoveError::NoVm(vm)),
        }
    }

    fn look(&mut self, wish: Wish, vm: u32) -> Result<(), MoveError> {
        let looks = |it: &&Pending| matches!(it, Pending::Look(wish) if wish.vm() == vm);
        if self.pending.values().filter(looks).count() >= TICKETS_MAX {
            return Err(MoveError::Busy(vm));
        }
        self.ask(Request::Look { vm }, Pending::Look(wish));
        Ok(())
    }

    fn ask_place(&mut self, ticket: Ticket, vm: u32) -> Result<(), MoveError> {
        self.lease_is_good()?;
        self.place_of(self.port_here(vm)?)?;
        self.look(Wish::Place(ticket, vm), vm)
    }

    fn placed(&self, vm: u32, seen: Result<Option<Box<Seen>>, DirectoryError>) -> Settled {
        let found = seen?.map(|it| (it.place, it.record.life.is_some()));
        self.lease_is_good()?;
        let known = self.place_of(self.port_here(vm)?)?;
        match found {
            Some((place, true)) if place == known => Ok(Some(place.into())),
            other => Err(MoveError::Differs {
                vm,
                found: other.map(|it| it.0),
            }),
        }
    }

    /// Where the VM of a port lives, if it lives here.
    fn place_of(&self, id: PortId) -> Result<Place, MoveError> {
        let port = self.port(id);
        let vm = port.map_or(0, |port| port.attributes.vm);
        let life = port.and_then(|port| Some((port.epoch, port.incarnation()?)));
        let (epoch, incarnation) = life.ok_or(MoveError::NoLife(vm))?;
        Ok(Place {
            node: self.me,
            epoch,
            incarnation,
        })
    }

    fn hold(&mut self, vm: u32) -> Result<Place, MoveError> {
        let id = self.port_here(vm)?;
        let place = self.place_of(id)?;
        if let Some(port) = self.port_mut(id) {
            port.stage = Stage::Held;
            port.running = false;
        }
        self.orphaned_unless_connected(id);
        self.watch(vm);
        Ok(place)
    }

    fn release(&mut self, vm: u32) -> Result<(), MoveError> {
        let id = self.port_here(vm)?;
        let Some(port) = self.port_mut(id) else {
            return Ok(());
        };
        match port.stage {
            Stage::Held => {}
            Stage::Taken if port.forgotten => return Err(MoveError::GivenBack(vm)),
            Stage::Taken => {
                self.has_run(id);
                return Ok(());
            }
            Stage::Here | Stage::Elsewhere => return Ok(()),
        }
        port.stage = Stage::Here;
        if std::mem::take(&mut port.given_up) {
            self.renew_held(id);
        }
        self.actions.push_back(Action::Carries(id));
        self.orphaned_unless_connected(id);
        Ok(())
    }

    fn forget(&mut self, vm: u32) -> Result<(), MoveError> {
        self.in_cluster()?;
        let id = self.any_port_of(vm).ok_or(MoveError::NoVm(vm))?;
        let port = self.port_mut(id).ok_or(MoveError::NoVm(vm))?;
        match port.stage {
            Stage::Here => return Err(MoveError::Here(vm)),
            Stage::Elsewhere => self.remove(id),
            Stage::Held => {
                self.cut_off(id);
                self.orphaned_unless_connected(id);
            }
            Stage::Taken => self.give_back(id),
        }
        Ok(())
    }

    /// The VM of a port that is on its way is detached.
    pub(super) fn detach_moving(&mut self, id: PortId) {
        if self.port(id).is_some_and(|it| it.stage != Stage::Elsewhere) {
            self.cut_off(id);
        }
        self.abandon(id);
    }

    /// Whoever had the port wants it no more. It stays, since the record says this node: somebody may
    /// take the VM from here.
    fn cut_off(&mut self, id: PortId) {
        if let Some(port) = self.port_mut(id) {
            port.forgotten = true;
            port.fresh = false;
            port.connected = false;
            port.running = false;
            self.actions.push_back(Action::CutOff(id));
        }
    }

    /// From now on there is news when the record of a VM of this node changes.
    pub(super) fn watch(&mut self, vm: u32) {
        if let Some(port) = self.port_of(vm).and_then(|id| self.port_mut(id)) {
            port.watched = true;
        }
        self.ask(Request::Locate { vm }, Pending::Locate(vm));
    }

    /// The port is gone: nobody here needs that news, unless VMs of this node send there.
    pub(super) fn unwatch_port(&mut self, port: &Port) {
        let vm = port.attributes.vm;
        let routed = |it: &Cluster| it.routes.get(vm).is_some();
        if port.watched && !self.cluster.as_ref().is_some_and(routed) {
            self.actions.push_back(Action::Unwatch(Interest::Vm(vm)));
        }
    }

    fn orphaned_unless_connected(&mut self, id: PortId) {
        if self.is_orphan(id) {
            self.actions.push_back(Action::Orphaned(id));
        }
    }

    /// Whether the VM of the port is alive or on its way, and no VMM is connected that would see to it.
    fn is_orphan(&self, id: PortId) -> bool {
        let awaited = |port: &Port| port.stage != Stage::Here || port.incarnation().is_some();
        self.port(id)
            .is_some_and(|port| !port.connected && awaited(port))
    }

    /// The port goes.
    fn remove(&mut self, id: PortId) {
        let Some(port) = self.ports.get_mut(id.0).and_then(Option::take) else {
            return;
        };
        let vm = port.attributes.vm;
        self.by_vm.remove(&vm);
        if let Some(cluster) = &mut self.cluster {
            cluster.moves.elsewhere.remove(&vm);
        }
        self.forget_port(id);
        self.unwatch_port(&port);
        self.actions.push_back(Action::Removed(id));
    }
}

impl Wish {
    const fn vm(self) -> u32 {
        match self {
            Wish::Place(_, vm) | Wish::Prepare(_, vm, _) | Wish::Abandoned(_, vm) => vm,
        }
    }
}

#[cfg(test)]
mod tests;
