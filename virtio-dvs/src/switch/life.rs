//! Lives of VMs: when one begins, when the guest drives its device, when it is over.

use crate::directory::{DirectoryError, Location, Owner, Request};
use crate::frame::{Class, VM_NODE, kind, vm_and_incarnation};
use crate::switch::peer::Notice;
use crate::switch::port::{Port, Stage};
use crate::switch::{Action, Life, Pending, PortId, Switch};
use std::collections::BTreeSet;

impl Switch {
    /// A VMM has connected. A life that was restored goes on, otherwise a new one begins;
    /// [`Action::Begun`] or [`Action::NotBegun`] follows.
    pub fn connected(&mut self, id: PortId) {
        let Some(port) = self.port_mut(id) else {
            return;
        };
        if port.forgotten {
            let gone = DirectoryError::NoVm(port.attributes.vm);
            return self.actions.push_back(Action::NotBegun(id, gone));
        }
        port.connected = true;
        port.left = false;
        if port.stage == Stage::Elsewhere {
            // Its life is not this node's to begin.
            return self.actions.push_back(Action::Begun(id));
        }
        match port.life {
            Life::Alive(_) => self.actions.push_back(Action::Begun(id)),
            Life::Over(_) => self.begin(id),
            Life::Asked(_) => {}
        }
    }

    /// The VMM has closed the connection: that is the end of the VM, unless it may live on elsewhere.
    pub fn disconnected(&mut self, id: PortId) {
        self.stopped(id);
        if let Some(port) = self.port_mut(id).filter(|it| it.stage != Stage::Here) {
            port.connected = false;
            port.left = true;
            return self.may_be_left(id);
        }
        self.end_life(id);
        if let Some(port) = self.port_mut(id) {
            port.connected = false;
            port.renewed = None;
        }
    }

    /// The guest has reset the device. If it was driving, its life is over and a new one begins;
    /// [`Action::Begun`] or [`Action::NotBegun`] follows in any case.
    pub fn reset(&mut self, id: PortId) {
        let Some(port) = self.port_mut(id) else {
            return;
        };
        if port.stage == Stage::Held {
            // Another guest than the one that was held: that one may have been taken.
            return self.end_held(id);
        }
        let fresh = !port.driven && matches!(port.life, Life::Alive(_));
        if port.stage == Stage::Elsewhere || fresh {
            self.actions.push_back(Action::Begun(id));
            return;
        }
        // Whoever resets its device learns of its life from the configuration.
        port.renewed = None;
        self.stopped(id);
        self.end_life(id);
        if self
            .port(id)
            .is_some_and(|port| matches!(port.life, Life::Over(_)))
        {
            self.begin(id);
        }
    }

    /// All rings of the port are in use (again). Those of a VM that is held or elsewhere must not be.
    pub fn started(&mut self, id: PortId) {
        let may_run = self.may_run(id);
        let Some(port) = self.port_mut(id).filter(|_| may_run) else {
            return;
        };
        port.running = true;
        port.owed_all = false;
        port.may_retry_source = true;
        self.has_run(id);
        self.drive(id);
        self.say_retry(id, VM_NODE);
        for class in Class::ALL {
            self.room(id, class);
        }
    }

    /// A ring of the port is not in use any more.
    pub fn stopped(&mut self, id: PortId) {
        if let Some(port) = self.port_mut(id) {
            port.running = false;
        }
    }

    /// The life of the port's VM is over: its endpoints are free, and every VM of its DC that runs
    /// is told. All of them, not only those that frames went to: a node that was started again does
    /// not know those, and one of them may wait for a reply with nothing left to send. A VM that
    /// does not run learns it from the RETRY(all) that it gets when it does.
    pub(super) fn end_life(&mut self, id: PortId) {
        if let Some(owner) = self.over_here(id) {
            self.ask(Request::End(owner), Pending::Nothing("end"));
        }
    }

    /// The same, where the directory knows it; gives the life.
    pub(super) fn over_here(&mut self, id: PortId) -> Option<Owner> {
        let port = self.port_mut(id)?;
        let Life::Alive(incarnation) = port.life else {
            return None;
        };
        let vm = port.attributes.vm;
        port.life = Life::Over(incarnation);
        let peers = self.forget_life(id);
        self.tell_peers_nodes(&peers, Notice::Gone { vm, incarnation });
        self.say_over(id, incarnation);
        Some(Owner { vm, incarnation })
    }

    /// The other VMs of this node hear that a life of the port's VM is over.
    pub(super) fn say_over(&mut self, id: PortId, incarnation: u32) {
        let Some(port) = self.port(id) else {
            return;
        };
        let (vm, dcid) = (port.attributes.vm, port.attributes.dcid);
        let mut told = Vec::new();
        for &other_id in self.by_vm.values() {
            let Some(other) = self.ports.get_mut(other_id.0).and_then(Option::as_mut) else {
                continue;
            };
            other.peers.remove(&vm);
            if other.running && other_id != id && other.attributes.dcid == dcid {
                told.push(other_id);
            }
        }
        for other in told {
            self.say(other, kind::GONE, vm_and_incarnation(vm, incarnation));
        }
    }

    /// The others have given this life up, while the guest runs on: it gets a new one, without what
    /// belonged to the old.
    pub(super) fn renew(&mut self, id: PortId) {
        let Some(port) = self.port_mut(id) else {
            return;
        };
        port.renewed = Some(port.last_incarnation());
        self.forget_life(id);
        self.begin(id);
    }

    /// The same for a VM that was held meanwhile: the others of this node have not heard of it.
    pub(super) fn renew_held(&mut self, id: PortId) {
        if let Some(over) = self.port(id).and_then(Port::incarnation) {
            self.say_over(id, over);
        }
        self.renew(id);
    }

    /// Forgets all that belonged to the life of the port's VM, here and at the other ports; gives
    /// the VMs that it talked to.
    pub(super) fn forget_life(&mut self, id: PortId) -> BTreeSet<u32> {
        let Some(port) = self.port_mut(id) else {
            return BTreeSet::new();
        };
        let dcid = port.attributes.dcid;
        let awaited = port.awaiting.numbers();
        let peers = std::mem::take(&mut port.peers);
        port.clear();
        self.forget_port(id);
        self.leaves_survey(id);
        self.leaves_orders(id);
        self.unwatch_unawaited(dcid, &awaited);
        peers
    }

    /// Once the rings are in use, a reset ends this life.
    fn drive(&mut self, id: PortId) {
        let Some(port) = self
            .port_mut(id)
            .filter(|port| port.running && !port.driven)
        else {
            return;
        };
        if let Some(incarnation) = port.incarnation() {
            port.driven = true;
            let vm = port.attributes.vm;
            let owner = Owner { vm, incarnation };
            self.ask(Request::Driving(owner), Pending::Nothing("driving"));
        }
    }

    pub(super) fn begin(&mut self, id: PortId) {
        let Some(port) = self.port_mut(id) else {
            return;
        };
        port.life = Life::Asked(port.last_incarnation());
        let vm = port.attributes.vm;
        self.ask(Request::Begin { vm }, Pending::Begin(id, vm));
    }

    /// The directory has given a new life, or none.
    pub(super) fn begun(&mut self, id: PortId, vm: u32, begun: Result<Location, DirectoryError>) {
        // The port may have been detached, and its number used again, before the answer came.
        let Some(port) = self.port_mut(id).filter(|port| port.attributes.vm == vm) else {
            return;
        };
        match begun {
            Ok(life) => {
                port.life = Life::Alive(life.incarnation);
                port.epoch = life.epoch;
                if let Some(over) = port.renewed.take() {
                    self.drive(id);
                    self.say_renewed(id, over);
                    self.actions.push_back(Action::Begun(id));
                    // Others may have heard of this life first.
                    for class in Class::ALL {
                        self.room(id, class);
                    }
                } else if port.connected {
                    self.drive(id);
                    self.actions.push_back(Action::Begun(id));
                } else {
                    self.end_life(id);
                }
            }
            Err(error) => {
                port.life = Life::Over(port.last_incarnation());
                self.actions.push_back(Action::NotBegun(id, error));
            }
        }
    }
}

#[cfg(test)]
#[path = "life_test.rs"]
mod tests;
