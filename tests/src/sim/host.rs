//! A host: the switch and the directory, and what the node around them does with rings, VMMs and
//! its own death. The device adapter in miniature: only the order in which it does things matters.

use std::collections::{BTreeMap, VecDeque};

use virtio_dvs::directory::{
    Answer, Directory, DirectoryError, NodeId, RequestId, Seen, local::Local,
};
use virtio_dvs::switch::{Action, PortId, Switch, Ticket};

use super::agenda::{Event, MS};
use super::guest::{Guest, Power};
use super::migration::Asked;
use super::network::host_of;
use super::world::World;

/// VMs that a node serves.
const PORTS_MAX: usize = 64;
/// So long a node waits for the VMMs of the VMs that it found at its start.
const ADOPTION: u64 = 200 * MS;

/// What the node keeps of a port beside the switch.
#[derive(Debug, Default)]
pub(super) struct Port {
    pub(super) connected: bool,
    adopted: bool,
    /// Nobody can connect any more.
    pub(super) cut_off: bool,
}

/// A frame that a node carried and could not give back before it died.
#[derive(Debug)]
pub(super) struct HalfDone {
    pub(super) vm: u32,
    pub(super) life: u64,
    pub(super) frame: Vec<u8>,
}

/// A host with its node.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) up: bool,
    /// It starts as soon as it reaches the directory.
    pub(super) starting: bool,
    pub(super) node: NodeId,
    /// Counts starts of the node.
    pub(super) run: u64,
    pub(super) switch: Switch,
    /// Of a host without a cluster.
    directory: Local,
    answers: VecDeque<(RequestId, Answer)>,
    pub(super) ports: BTreeMap<PortId, Port>,
    /// What was asked for VMs that move.
    pub(super) tickets: BTreeMap<Ticket, Asked>,
    pub(super) half_done: Option<HalfDone>,
}

impl Host {
    /// Node 0 is without a cluster.
    pub(super) fn new(node: NodeId) -> Host {
        Host {
            up: true,
            starting: false,
            node,
            run: 0,
            switch: switch(node),
            directory: Local::in_memory(),
            answers: VecDeque::new(),
            ports: BTreeMap::new(),
            tickets: BTreeMap::new(),
            half_done: None,
        }
    }
}

fn switch(node: NodeId) -> Switch {
    let switch = Switch::new(PORTS_MAX);
    match node {
        NodeId(0) => switch,
        NodeId(number) => switch.with_nodeid(number).with_cluster(),
    }
}

impl World {
    pub(super) fn port_of(&self, vm: u32) -> Option<(usize, PortId)> {
        let host = self.guest(vm).host;
        let port = self.hosts[host].switch.port_of(vm)?;
        self.hosts[host].up.then_some((host, port))
    }

    pub(super) fn vm_of(&self, host: usize, port: PortId) -> u32 {
        let attributes = self.hosts[host].switch.attributes(port);
        attributes.map_or(0, |it| it.vm)
    }

    /// The machine has its port.
    pub(super) fn attached(&mut self, host: usize, vm: u32, port: PortId) {
        self.hosts[host].ports.entry(port).or_default();
        if self.guest(vm).host != host {
            return; // It is to be elsewhere by now.
        }
        if !self.hosts[host].switch.may_run(port) {
            // It was prepared for a move that was given up meanwhile.
            return self.attach_later(vm);
        }
        self.guest_mut(vm).attaching = false;
        self.agenda.add(self.now, Event::SwitchOn { vm });
    }

    pub(super) fn port_lost(&mut self, host: usize, port: PortId) {
        self.hosts[host].ports.remove(&port);
    }

    /// Carries out what the switch asks until it asks nothing more.
    pub(super) fn settle(&mut self, host: usize) {
        loop {
            while let Some(action) = self.hosts[host].switch.next_action() {
                self.act(host, action);
            }
            self.judge_memory(host);
            let Some((id, answer)) = self.hosts[host].directory.next_answer() else {
                return;
            };
            if self.plan.settings.directory_ns == 0 {
                self.hosts[host].switch.answer(id, answer);
            } else {
                self.hosts[host].answers.push_back((id, answer));
                let run = self.hosts[host].run;
                let delay = self.dice.delay(self.plan.settings.directory_ns);
                self.agenda
                    .add(self.now + delay, Event::Answer { host, run });
            }
        }
    }

    fn act(&mut self, host: usize, action: Action) {
        match action {
            Action::Ask(id, request) if self.is_cluster() => self.ask(host, id, request),
            Action::Ask(id, request) => self.hosts[host].directory.submit(id, request),
            Action::Say(to, frame) => self.say(host, to, &frame),
            Action::Attached(vm, port) => self.attached(host, vm, port),
            Action::NotAttached(vm, DirectoryError::Elsewhere { node, .. }) => {
                self.attach_again(vm, host_of(node));
            }
            Action::Begun(port) => self.begun(host, port),
            Action::NotAttached(vm, error) => self.ledger.wrong(format!("VM {vm}: {error}")),
            Action::NotBegun(port, error) => self.ledger.wrong(format!("{port:?}: {error}")),
            Action::Unwatch(interest) => self.unwatch(host, interest),
            Action::Notify(node, notice) => self.notify(host, node, notice),
            Action::Dial(node) => self.dial(host, node),
            Action::HangUp(node) => self.hang_up_link(host, node),
            Action::Ordered(id, ordered) => {
                self.ledger
                    .wrong(format!("nobody ordered {id}: {ordered:?}"));
            }
            Action::Settled(ticket, settled) => self.move_settled(host, ticket, settled),
            Action::Carries(port) => self.carries(host, port),
            Action::Orphaned(port) => {
                let run = self.hosts[host].run;
                let event = Event::Orphan { host, run, port };
                self.agenda.add(self.now + ADOPTION, event);
            }
            Action::CutOff(port) => {
                self.hosts[host].ports.entry(port).or_default().cut_off = true;
            }
            Action::Removed(port) => self.port_lost(host, port),
        }
    }

    pub(super) fn directory_answers(&mut self, host: usize, run: u64) {
        if self.hosts[host].run != run {
            return;
        }
        if let Some((id, answer)) = self.hosts[host].answers.pop_front() {
            self.hosts[host].switch.answer(id, answer);
            self.settle(host);
        }
    }

    /// A VMM connects to the node, or does so again.
    pub(super) fn connect(&mut self, vm: u32) {
        let Some((host, port)) = self.port_of(vm) else {
            return; // The node comes back and says so.
        };
        if self.is_holding(vm) {
            return; // Once it may carry again.
        }
        let state = self.hosts[host].ports.entry(port).or_default();
        if state.cut_off {
            return;
        }
        if std::mem::replace(&mut state.connected, true) {
            return; // It found the node by itself.
        }
        self.hosts[host].switch.connected(port);
        self.settle(host);
    }

    /// A life has begun, or goes on. A driver that is loaded goes on with its rings; otherwise it
    /// resets the device, and then drives it.
    pub(super) fn begun(&mut self, host: usize, port: PortId) {
        let vm = self.vm_of(host, port);
        self.judge_owners(host, vm);
        let config = self.hosts[host].switch.config(port);
        let connected = self.hosts[host].ports.get(&port);
        let connected = connected.is_some_and(|it| it.connected);
        let guest = self.guest_mut(vm);
        if guest.power == Power::Off || guest.host != host || !connected {
            return; // The VMM that asked for it is gone, or comes later.
        }
        if guest.paused.is_some() {
            return; // The rings are set up when its CPUs run.
        }
        let boot = guest.boot;
        if guest.core.is_none() && !guest.reset_done {
            let delay = self.dice.delay(self.plan.settings.signal_ns);
            let event = Event::ResetDevice { vm, boot };
            return self.agenda.add(self.now + delay, event);
        }
        let fresh = guest.core.is_none();
        if guest.running {
            return; // It is told of its new life.
        }
        if fresh && !config.is_some_and(|it| self.load_driver(vm, &it)) {
            return self.ledger.wrong(format!("VM {vm} gets no core"));
        }
        let incarnation = self.hosts[host].switch.incarnation(port);
        let life = (vm, self.guest(vm).incarnation);
        // In a cluster it may have been given up, which it will be told.
        if incarnation != Some(life.1) && !self.ledger.is_lapsed(life) {
            self.ledger
                .wrong(format!("VM {vm} goes on in {incarnation:?}"));
        }
        self.guest_mut(vm).running = true;
        self.hosts[host].ports.entry(port).or_default().adopted = false;
        self.hosts[host].switch.started(port);
        // Every queue is signalled once, and looked at.
        self.interrupt_later(vm);
        self.kick_later(vm);
        if fresh {
            self.exec_all(vm);
        }
    }

    /// The guest's driver resets the device: no part of it is in use any more.
    pub(super) fn reset_device(&mut self, vm: u32) {
        self.guest_mut(vm).reset_done = false;
        let Some((host, port)) = self.port_of(vm) else {
            return;
        };
        let state = self.hosts[host].ports.entry(port).or_default();
        if !state.connected {
            return; // Once it is connected.
        }
        state.adopted = false;
        self.guest_mut(vm).reset_done = true;
        self.hosts[host].switch.stopped(port);
        self.hosts[host].switch.reset(port);
        self.settle(host);
    }

    /// The connection of a VMM is closed.
    pub(super) fn hang_up(&mut self, vm: u32) {
        let Some((host, port)) = self.port_of(vm) else {
            return;
        };
        let state = self.hosts[host].ports.entry(port).or_default();
        if std::mem::take(&mut state.connected) {
            state.adopted = false;
            self.hosts[host].switch.disconnected(port);
            self.settle(host);
        }
    }

    /// The node process is killed, in the middle of a ring.
    pub(super) fn node_crash(&mut self, host: usize, midway: Option<u32>) {
        let of_host = |it: &Guest| it.host == host && it.running;
        let midway = midway.filter(|vm| of_host(self.guest(*vm)));
        if let Some(vm) = midway
            && let Some((_, port)) = self.port_of(vm)
            && let Some(frame) = self.take_frame(vm)
        {
            self.carry(host, port, &frame);
            let life = self.guest(vm).life;
            self.hosts[host].half_done = Some(HalfDone { vm, life, frame });
            self.after(vm);
        }
        for guest in self.guests.iter_mut().filter(|it| it.host == host) {
            guest.running = false;
            guest.wants_room_kick = false;
            guest.reset_done = false;
        }
        let state = &mut self.hosts[host];
        state.up = false;
        state.run += 1;
        state.switch = switch(state.node);
        state.answers.clear();
        state.ports.clear();
        state.tickets.clear();
        self.desk(host).forget();
        self.touch(host);
        self.vmms_lose_node(host);
    }

    /// What the directory knows of the VMs of a host.
    fn records(&mut self, host: usize) -> Vec<Seen> {
        if !self.is_cluster() {
            return self.hosts[host].directory.records();
        }
        let rebooted = std::mem::take(&mut self.desk(host).rebooted);
        let node = self.hosts[host].node;
        let records = self.directory.truth.records(node, rebooted);
        if rebooted {
            self.tenure_ends(node);
        }
        records
    }

    /// The node starts, with what the directory knows.
    pub(super) fn node_start(&mut self, host: usize) {
        if self.hosts[host].up || self.waits_for_directory(host) {
            return;
        }
        let records = self.records(host);
        let state = &mut self.hosts[host];
        state.up = true;
        for seen in records {
            let adopted = seen.record.driving;
            match state.switch.restore(seen) {
                Ok(port) => {
                    let port_state = Port {
                        adopted,
                        ..Port::default()
                    };
                    state.ports.insert(port, port_state);
                }
                Err(error) => self.ledger.wrong(format!("after a restart: {error}")),
            }
        }
        self.touch(host);
        self.links_again(host);
        let run = self.hosts[host].run;
        self.settle(host);
        let event = Event::Adoption { host, run };
        self.agenda.add(self.now + ADOPTION, event);
        for index in 0..self.guests.len() {
            let guest = &self.guests[index];
            let (vm, boot) = (guest.vm, guest.boot);
            if guest.host == host && guest.attaching {
                self.agenda.add(self.now, Event::Attach { vm });
            } else if guest.host == host && guest.power == Power::On {
                let at = self.now + self.dice.delay(self.plan.settings.signal_ns);
                self.agenda.add(at, Event::Connect { vm, boot });
            }
        }
    }

    /// Lives that were found at the start, and whose VMMs have not come back, are over.
    pub(super) fn adoption_over(&mut self, host: usize, run: u64) {
        if self.hosts[host].run != run {
            return;
        }
        let left = |(id, port): (&PortId, &Port)| (port.adopted && !port.connected).then_some(*id);
        let ports: Vec<PortId> = self.hosts[host].ports.iter().filter_map(left).collect();
        for port in ports {
            self.hosts[host].switch.abandon(port);
            self.settle(host);
        }
    }

    /// A VM is on its way, and no VMM has come to its port.
    pub(super) fn orphan_over(&mut self, host: usize, run: u64, port: PortId) {
        if self.hosts[host].run == run {
            self.hosts[host].switch.abandon(port);
            self.settle(host);
        }
    }

    /// A port may be used (again).
    fn carries(&mut self, host: usize, port: PortId) {
        let vm = self.vm_of(host, port);
        self.judge_owners(host, vm);
        if self.guest(vm).host != host {
            return;
        }
        let asked = self.hosts[host].switch.incarnation(port).is_none();
        if asked && self.guest(vm).core.is_none() {
            return; // A driver is loaded when its life has begun.
        }
        if self.guest(vm).running {
            self.hosts[host].switch.started(port);
            self.interrupt_later(vm);
            self.kick_later(vm);
        } else {
            self.begun(host, port);
        }
    }
}
