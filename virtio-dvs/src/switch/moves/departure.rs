//! A VM leaves this node, or nobody sees to it any more.

use super::*;
use crate::directory::{Lives, Location, Owner, Start};
use crate::switch::peer::Notice;
use crate::switch::port::Life;

impl Switch {
    /// The directory says where a VM lives: it may be one that lived here.
    pub(in crate::switch) fn own_record(&mut self, vm: u32, lives: Lives) {
        if let Some(location) = lives.current.filter(|it| it.node != self.me) {
            self.moved_away(vm, location.epoch, lives);
        }
    }

    /// The record says that another node has the VM.
    pub(super) fn moved_away(&mut self, vm: u32, epoch: u32, lives: Lives) {
        let Some(id) = self.any_port_of(vm) else {
            return;
        };
        // Where a life was asked for, the answer tells: what is heard before it may be older. So is what is heard
        // of a VM that was attached and has not lived here: only who has no lease loses it to another node, and
        // hears of that when it asks for a life.
        let settled = |port: &&mut Port| {
            let has_lived = port.epoch != 0 || port.stage != Stage::Here;
            has_lived && !port.is_beginning()
        };
        let port = self.port_mut(id).filter(settled);
        let Some(port) = port.filter(|port| port.epoch < epoch) else {
            return;
        };
        let before = std::mem::replace(&mut port.epoch, epoch);
        if port.stage != Stage::Elsewhere {
            self.depart(id, before, lives);
        }
    }

    /// What lived here in epoch `before` does not any more. Nothing is forgotten by its guest.
    fn depart(&mut self, id: PortId, before: u32, lives: Lives) {
        let Some(port) = self.port_mut(id) else {
            return;
        };
        let (vm, dcid) = (port.attributes.vm, port.attributes.dcid);
        let owed = std::mem::take(&mut port.owed);
        let owed_nodes = std::mem::take(&mut port.owed_nodes);
        let forgotten = port.forgotten;
        port.stage = Stage::Elsewhere;
        port.fresh = false;
        port.awaited = false;
        port.running = false;
        port.given_up = false;
        port.renewed = None;
        port.watched = false;
        let incarnation = port.last_incarnation();
        port.life = Life::Over(incarnation);
        self.forget_life(id);
        self.by_vm.remove(&vm);
        if let Some(cluster) = &mut self.cluster {
            cluster.moves.elsewhere.insert(vm, id);
        }
        let here = Location {
            incarnation,
            node: self.me,
            epoch: before,
            dcid,
        };
        if let Some(route) = self.route_to(vm) {
            route.was_at(here);
            let mut heard = route.learn(lives);
            // What was delivered here is in its memory.
            heard.moved = false;
            heard.retry.extend(owed.into_iter().flatten());
            self.tell_heard(vm, heard);
        }
        for node in owed_nodes.into_iter().flatten() {
            self.notify(node, Notice::Moved { vm, epoch: before });
        }
        if forgotten {
            self.remove(id);
        } else {
            self.orphaned_unless_connected(id);
        }
    }

    /// The VM of a port is on its way, and its VMM may have gone: then nobody can run here what has not run yet.
    pub(in crate::switch) fn may_be_left(&mut self, id: PortId) {
        let lost = |port: &Port| port.left && port.has_not_run();
        if self.port(id).is_some_and(lost) {
            self.give_back(id);
        } else {
            self.orphaned_unless_connected(id);
        }
    }

    /// The VM of a port that was taken has not run here, and never will: whoever it was taken from may go on
    /// with it.
    pub(super) fn give_back(&mut self, id: PortId) {
        self.cut_off(id);
        self.start_is(id, Start::Declined);
        self.orphaned_unless_connected(id);
    }

    /// The guest runs at the port, or is about to: nobody may go on with the VM as it was elsewhere.
    pub(in crate::switch) fn has_run(&mut self, id: PortId) {
        if let Some(port) = self.port_mut(id).filter(|it| it.stage == Stage::Taken) {
            port.stage = Stage::Here;
        }
        self.start_is(id, Start::Made);
    }

    /// Has the record say so, if it does not yet.
    fn start_is(&mut self, id: PortId, start: Start) {
        let Some(port) = self.port_mut(id) else {
            return;
        };
        port.fresh = false;
        let (vm, epoch) = (port.attributes.vm, port.epoch);
        if std::mem::take(&mut port.awaited) {
            let started = Request::Started { vm, epoch, start };
            self.ask(started, Pending::Nothing("start"));
        }
    }

    /// The VM of a port has waited long enough for its VMM: some time after [`Action::Orphaned`], or
    /// after a start of the node that found it alive. Where a VMM has come since, nothing happens.
    pub fn abandon(&mut self, id: PortId) {
        let Some(port) = self.port(id).filter(|_| self.is_orphan(id)) else {
            return;
        };
        match port.stage {
            Stage::Elsewhere => self.remove(id),
            _ if port.has_not_run() => self.give_back(id),
            _ => self.end_held(id),
        }
    }

    /// The life of a VM that may have been taken away is over if the VM is still here: only the
    /// directory knows.
    pub(in crate::switch) fn end_held(&mut self, id: PortId) {
        let Some(port) = self.port(id) else {
            return;
        };
        let vm = port.attributes.vm;
        match port.incarnation() {
            Some(incarnation) => {
                let owner = Owner { vm, incarnation };
                self.ask(Request::End(owner), Pending::Abandon(id, vm));
            }
            None => self.end_abandoned(id),
        }
    }

    /// The directory has ended the life of a VM whose port was given up, or has not.
    pub(in crate::switch) fn abandoned(
        &mut self,
        id: PortId,
        vm: u32,
        ended: Result<(), DirectoryError>,
    ) {
        if self.is_moot(id, vm) {
            return;
        }
        if ended.is_ok() {
            self.end_abandoned(id);
        } else {
            let wish = Pending::Look(Wish::Abandoned(id, vm));
            self.ask(Request::Look { vm }, wish);
        }
    }

    pub(super) fn saw_abandoned(
        &mut self,
        id: PortId,
        vm: u32,
        seen: Result<Option<Box<Seen>>, DirectoryError>,
    ) {
        let mut goes_on = false;
        if let Ok(Some(seen)) = &seen {
            goes_on = seen.record.life.is_some();
            self.recorded(vm, seen, seen.place.incarnation);
        }
        if self.is_moot(id, vm) {
            return;
        }
        if goes_on {
            self.actions.push_back(Action::Begun(id));
        } else {
            self.end_abandoned(id);
        }
    }

    /// Whether it does not matter here any more what became of the life of a VM whose port was given up: the VM
    /// has left, or its guest has begun anew meanwhile, and the answer to that is on its way.
    fn is_moot(&mut self, id: PortId, vm: u32) -> bool {
        if self.port_of(vm) != Some(id) {
            self.refuse_life(id, vm);
            return true;
        }
        self.port(id).is_some_and(Port::is_beginning)
    }

    /// Whoever has started a guest at the port of a VM that has left cannot go on with it.
    fn refuse_life(&mut self, id: PortId, vm: u32) {
        let waits = |it: &Port| it.attributes.vm == vm && it.connected;
        if self.port(id).is_some_and(waits) {
            let location = self
                .cluster
                .as_ref()
                .and_then(|it| it.routes.get(vm)?.location());
            let elsewhere = location.map_or(DirectoryError::NoVm(vm), |it| {
                DirectoryError::Elsewhere { vm, node: it.node }
            });
            self.actions.push_back(Action::NotBegun(id, elsewhere));
        }
    }

    /// The life of a VM that was given up is over, here and in the directory.
    fn end_abandoned(&mut self, id: PortId) {
        let over = self.over_here(id);
        let Some(port) = self.port_mut(id) else {
            return;
        };
        port.stage = Stage::Here;
        port.given_up = false;
        // It may have been taken while this was asked, and its guest comes, which knows of no end. Any other guest
        // learns nothing new by it.
        port.owed_renewed = over.map(|it| it.incarnation);
        let vm = port.attributes.vm;
        if port.forgotten {
            self.remove(id);
            self.ask(Request::Leave { vm }, Pending::Nothing("leave"));
        } else if port.running {
            self.renew(id);
        } else if port.connected {
            self.begin(id);
            self.actions.push_back(Action::Carries(id));
        }
    }
}
