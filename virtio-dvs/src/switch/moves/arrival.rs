//! A VM may come here, and comes.

use super::*;
use crate::directory::Lives;
use crate::frame::Class;
use crate::switch::peer::Notice;
use crate::switch::port::Life;

impl Switch {
    pub(super) fn ask_prepare(
        &mut self,
        ticket: Ticket,
        vm: u32,
        place: Place,
    ) -> Result<(), MoveError> {
        self.may_expect(vm, place)?;
        self.look(Wish::Prepare(ticket, vm, place), vm)
    }

    /// Whether a port can be made for a VM of another node.
    fn may_expect(&self, vm: u32, place: Place) -> Result<(), MoveError> {
        self.lease_is_good()?;
        if place.node == self.me || self.port_of(vm).is_some() || self.joining.contains_key(&vm) {
            return Err(DirectoryError::VmInUse(vm).into());
        }
        match self.any_port_of(vm).and_then(|id| self.port(id)) {
            Some(port) if port.connected => Err(MoveError::Occupied(vm)),
            Some(_) => Ok(()),
            None => Ok(self.has_room()?),
        }
    }

    pub(super) fn prepared(
        &mut self,
        vm: u32,
        place: Place,
        seen: Result<Option<Box<Seen>>, DirectoryError>,
    ) -> Settled {
        self.may_expect(vm, place)?;
        match seen? {
            Some(seen) if seen.place == place && seen.record.life.is_some() => {
                self.expect(&seen);
                // Whoever the VM speaks to where it is can be spoken to from here as soon as it has come.
                self.dial(place.node);
                Ok(Some(place.into()))
            }
            other => Err(MoveError::Differs {
                vm,
                found: other.map(|it| it.place),
            }),
        }
    }

    /// A port for a VM that lives elsewhere.
    fn expect(&mut self, seen: &Seen) -> PortId {
        let mut port = Port::new(seen.record.attributes.clone(), seen.record.dc.clone());
        let vm = port.attributes.vm;
        port.stage = Stage::Elsewhere;
        port.fresh = true;
        port.life = Life::Over(seen.place.incarnation);
        port.epoch = seen.place.epoch;
        let known = self.any_port_of(vm);
        let id = match known.and_then(|id| Some((id, self.ports.get_mut(id.0)?))) {
            Some((id, slot)) => {
                *slot = Some(port);
                id
            }
            None => self.add_elsewhere(port),
        };
        self.orphaned_unless_connected(id);
        id
    }

    fn add_elsewhere(&mut self, port: Port) -> PortId {
        let vm = port.attributes.vm;
        let id = self.add(port);
        if let Some(cluster) = &mut self.cluster {
            cluster.moves.elsewhere.insert(vm, id);
        }
        self.actions.push_back(Action::Attached(vm, id));
        id
    }

    pub(super) fn ask_take(
        &mut self,
        ticket: Ticket,
        vm: u32,
        from: Place,
    ) -> Result<(), MoveError> {
        self.in_cluster()?;
        if self.any_port_of(vm).is_none() {
            self.has_room()?;
        }
        let cluster = self.cluster.as_mut().ok_or(MoveError::NoLease)?;
        if let Some(taking) = cluster.moves.taking.get_mut(&vm) {
            if !taking.from.is_same(&from) {
                return Err(MoveError::Busy(vm));
            }
            taking.tickets.push(ticket);
            if taking.tickets.len() > TICKETS_MAX {
                let first = taking.tickets.remove(0);
                self.settle(first, Err(MoveError::Busy(vm)));
            }
            return Ok(());
        }
        let taking = Taking {
            from,
            tickets: vec![ticket],
            turned_away: BTreeMap::new(),
        };
        cluster.moves.taking.insert(vm, taking);
        self.ask(Request::Take { vm, from }, Pending::Take(vm));
        Ok(())
    }

    /// The directory has let a VM come here, or not.
    pub(in crate::switch) fn took(
        &mut self,
        vm: u32,
        seen: Result<Option<Box<Seen>>, DirectoryError>,
    ) {
        let cluster = self.cluster.as_mut();
        let Some(taking) = cluster.and_then(|it| it.moves.taking.remove(&vm)) else {
            return;
        };
        if let Ok(Some(seen)) = &seen {
            self.recorded(vm, seen, taking.from.incarnation);
        }
        let here = self.port_of(vm);
        for (node, epoch) in taking.turned_away {
            match here.and_then(|id| self.port_mut(id)) {
                Some(port) => {
                    port.owed_nodes[Class::Message.index()].insert(node);
                }
                None => self.notify(node, Notice::Moved { vm, epoch }),
            }
        }
        let place = seen.map(|seen| seen.map(|it| it.residence()));
        for ticket in taking.tickets {
            self.settle(ticket, place.clone().map_err(MoveError::from));
        }
    }

    /// The record of a VM was seen, whose guest runs in `life` if its port does not know better.
    pub(super) fn recorded(&mut self, vm: u32, seen: &Seen, life: u32) {
        let place = seen.place;
        let lives = Lives {
            last: place.incarnation,
            current: seen.record.life,
        };
        if place.node != self.me {
            self.moved_away(vm, place.epoch, lives);
        } else {
            self.arrive(vm, seen, lives, life);
        }
    }

    /// The record says that the VM is here, in a placement that may be new.
    fn arrive(&mut self, vm: u32, seen: &Seen, lives: Lives, life: u32) {
        let place = seen.place;
        let known = self.port_of(vm).and_then(|id| self.port(id));
        if known.is_some_and(|port| port.epoch >= place.epoch) {
            return self.comes_back(vm, life);
        }
        let id = match self.any_port_of(vm) {
            Some(id) => id,
            // This node was started again since the port was made.
            None => self.add_elsewhere(Port::new(
                seen.record.attributes.clone(),
                seen.record.dc.clone(),
            )),
        };
        let Some(port) = self.port_mut(id) else {
            return;
        };
        // The life that the guest knows of.
        let before = match port.last_incarnation() {
            0 => life,
            known => known,
        };
        let ended = lives.current.is_none_or(|it| it.incarnation != before);
        port.stage = Stage::Taken;
        port.expects(seen.record.start);
        port.running = false;
        port.given_up = false;
        if let Some(life) = lives.current {
            port.restore(life, seen.record.driving, &seen.record.endpoints);
            port.owed_renewed = ended.then_some(before).or(port.owed_renewed);
        }
        self.by_vm.insert(vm, id);
        if let Some(cluster) = &mut self.cluster {
            cluster.moves.elsewhere.remove(&vm);
        }
        if lives.current.is_none() {
            self.arrive_over(id, place, before);
        }
        let told = self.welcome(vm, id, lives);
        if ended && !told {
            self.say_over(id, before);
        }
        self.may_be_left(id);
        self.watch(vm);
        self.actions.push_back(Action::Carries(id));
    }

    /// A guest that stood still may go on here, in a life that its port has given up since: it is told so when it does.
    fn comes_back(&mut self, vm: u32, life: u32) {
        let port = self.port_of(vm).and_then(|id| self.port_mut(id));
        let gave_up = |it: &&mut Port| !it.connected && it.incarnation().is_none();
        if let Some(port) = port
            .filter(gave_up)
            .filter(|it| it.last_incarnation() > life)
        {
            port.owed_renewed = Some(life);
        }
    }

    /// The VM is here, but the cluster has given its life up since, with this node's lease: the next
    /// one begins.
    fn arrive_over(&mut self, id: PortId, place: Place, before: u32) {
        let Some(port) = self.port_mut(id) else {
            return;
        };
        port.epoch = place.epoch;
        if port.is_beginning() {
            return; // It does already.
        }
        port.life = Life::Over(before);
        self.renew(id);
    }

    /// VMs of this node have sent to the VM where it was: they send again when it runs here. Gives
    /// whether they were told that its life is over.
    fn welcome(&mut self, vm: u32, id: PortId, lives: Lives) -> bool {
        let mut senders = self.senders_to(vm);
        let mut told = false;
        let route = self.cluster.as_mut().and_then(|it| it.routes.remove(vm));
        if let Some(route) = route {
            let mut heard = route.comes_alive(lives);
            senders.append(&mut heard.retry);
            heard.moved = false;
            told = heard.ended.is_some();
            self.tell_heard(vm, heard);
        }
        if let Some(port) = self.port_mut(id) {
            port.owed[Class::Message.index()].extend(senders);
        }
        told
    }
}
