//! The data path: takes frames from the rings of one guest and puts them into those of another, as
//! the switch decides.
//!
//! There is one [`Fabric`] for all VMs, on one thread. It never waits: work that is left over after
//! a fair share goes to a backlog that the event loop comes back to.

use crate::device::chain::{BadChain, Payload, Pieces, both_ways, one_way};
use crate::device::counters::PortCounters;
use crate::device::memory::Memory;
use crate::device::port::{DevicePort, SessionId, rx_queue};
use crate::device::ring::{EventSignal, RingError};
use crate::directory::{Directory, DirectoryError};
use crate::frame::{
    Class, ControlRequest, ControlResponse, ControlStatus, FRAME_HEADER, Frame, MSG_FRAME_MAX, kind,
};
use crate::link::Links;
use crate::spec::{QUEUE_BULK_TX, QUEUE_CONTROL, QUEUE_MSG_TX};
use crate::switch::{Action, AttachError, Drop, Ordered, PortId, Switch, Told, Verdict};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zerocopy::{FromZeros, IntoBytes};

mod backlog;
mod cluster;
mod guests;
mod lifecycle;
mod migration;
mod moves;
mod receive;
mod trace;
mod transmit;

use cluster::Cluster;

pub use backlog::Backlog;
pub use lifecycle::{RingCommand, SessionError};
pub use trace::{Place, Sighting, TRACE_MAX, TraceBusy, TraceFilter, TraceId, call_of};

/// Frames of one port's queue that are handled before others have their turn. Bulk frames are large:
/// no message waits for more than a few of them.
const fn fair_share(class: Class) -> usize {
    match class {
        Class::Message => 128,
        Class::Bulk => 4,
    }
}

/// Control requests of one port that are handled before others have their turn.
const FAIR_SHARE_CONTROL: usize = 128;

/// A change to what the event loop listens to.
#[derive(Debug)]
pub enum Watch {
    /// Tell the fabric of kicks by this descriptor.
    Add {
        /// An eventfd.
        file: Arc<File>,
        /// The port that it belongs to.
        port: PortId,
        /// The queue.
        queue: usize,
    },
    /// No more. The descriptor may be closed afterwards.
    Remove(Arc<File>),
}

/// Gets the result of something that takes a while; called once.
pub type Done<T> = Box<dyn FnOnce(T) + Send>;

/// All ports of a node and what is between them.
pub struct Fabric {
    switch: Switch,
    directory: Box<dyn Directory>,
    ports: Vec<Option<DevicePort>>,
    /// Queues that may hold more than was handled.
    backlog: VecDeque<(PortId, usize)>,
    /// Ports with bulk frames to be carried, once there is nothing else to do.
    bulk_backlog: VecDeque<PortId>,
    /// Ports over their rate: when their queues are looked at again.
    throttled: BTreeMap<PortId, Duration>,
    /// Where the time of rates begins.
    epoch: Instant,
    /// Ports that got frames since they were called last.
    uncalled: Vec<PortId>,
    watches: Vec<Watch>,
    waiting_attach: BTreeMap<u32, Done<Result<PortId, AttachError>>>,
    waiting_life: BTreeMap<PortId, Vec<Done<Result<(), DirectoryError>>>>,
    waiting_survey: Option<Done<BTreeMap<u32, Told>>>,
    waiting_orders: BTreeMap<u64, Done<Ordered>>,
    moves: moves::Moves,
    next_session: u64,
    /// What reaches other nodes, if there are any.
    cluster: Option<Box<Cluster>>,
    traces: trace::Traces,
}

impl std::fmt::Debug for Fabric {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Fabric")
            .field("switch", &self.switch)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl Fabric {
    /// A fabric for at most `max_vms` VMs. VMs that the directory knows keep their ports and lives.
    pub fn new(
        directory: Box<dyn Directory>,
        max_vms: usize,
        nodeid: u32,
    ) -> Result<Fabric, AttachError> {
        let switch = Switch::new(max_vms).with_nodeid(nodeid);
        Fabric::with(switch, directory, None, Instant::now())
    }

    /// The same for a node of a cluster, with links to the others.
    pub fn in_cluster(
        directory: Box<dyn Directory>,
        max_vms: usize,
        nodeid: u32,
        links: Links,
        epoch: Instant,
    ) -> Result<Fabric, AttachError> {
        let switch = Switch::new(max_vms).with_nodeid(nodeid).with_cluster();
        let cluster = Some(Box::new(Cluster::new(links)));
        Fabric::with(switch, directory, cluster, epoch)
    }

    fn with(
        switch: Switch,
        directory: Box<dyn Directory>,
        cluster: Option<Box<Cluster>>,
        epoch: Instant,
    ) -> Result<Fabric, AttachError> {
        let mut fabric = Fabric {
            switch,
            cluster,
            ports: Vec::new(),
            backlog: VecDeque::new(),
            bulk_backlog: VecDeque::new(),
            throttled: BTreeMap::new(),
            epoch,
            uncalled: Vec::new(),
            watches: Vec::new(),
            waiting_attach: BTreeMap::new(),
            waiting_life: BTreeMap::new(),
            waiting_survey: None,
            waiting_orders: BTreeMap::new(),
            moves: moves::Moves::default(),
            next_session: 0,
            traces: trace::Traces::default(),
            directory,
        };
        for seen in fabric.directory.records() {
            let adopted = seen.record.driving;
            let id = fabric.switch.restore(seen)?;
            fabric.add_device(id, adopted);
        }
        fabric.settle();
        Ok(fabric)
    }

    /// The switch, to look at.
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// What is counted at a port.
    pub fn counters(&self, id: PortId) -> Option<PortCounters> {
        self.device(id).map(|device| device.counting.view())
    }

    /// Whether a VMM is connected.
    pub fn is_connected(&self, id: PortId) -> bool {
        self.device(id).is_some_and(|it| it.session.is_some())
    }

    /// The connection that drives the port's device.
    pub fn session(&self, id: PortId) -> Option<SessionId> {
        self.device(id).and_then(|it| it.session)
    }

    /// Whether this connection is the one that drives the port's device.
    pub fn is_session(&self, id: PortId, session: SessionId) -> bool {
        self.device(id)
            .is_some_and(|it| it.session == Some(session))
    }

    /// Whether the rings are in use.
    pub fn is_running(&self, id: PortId) -> bool {
        self.device(id).is_some_and(|it| it.running)
    }

    /// Whether any life was taken over from an earlier node whose VMM has not come back.
    pub fn has_adopted(&self) -> bool {
        self.ports.iter().flatten().any(|it| it.adopted)
    }

    /// What the event loop has to listen to from now on, in this order.
    pub fn take_watches(&mut self) -> Vec<Watch> {
        std::mem::take(&mut self.watches)
    }

    /// Whether work is left over, so that the event loop must not sleep.
    pub fn has_backlog(&self) -> bool {
        self.links_have_backlog() || !(self.backlog.is_empty() && self.bulk_backlog.is_empty())
    }

    /// Handles what was left over when this was called; of bulk frames one port's share, so that
    /// messages that came meanwhile go before the next.
    pub fn run_backlog(&mut self) {
        for _ in 0..self.backlog.len() {
            if let Some((id, queue)) = self.backlog.pop_front() {
                self.look_at(id, queue);
            }
        }
        if let Some(id) = self.bulk_backlog.pop_front() {
            self.look_at(id, QUEUE_BULK_TX);
        }
        if self.links_have_backlog() {
            self.with_links(Links::run_backlog);
        }
        self.settle();
    }

    /// The event loop comes back to this queue, after whatever else has come.
    fn later(&mut self, id: PortId, queue: usize) {
        if queue == QUEUE_BULK_TX {
            if !self.bulk_backlog.contains(&id) {
                self.bulk_backlog.push_back(id);
            }
        } else if !self.backlog.contains(&(id, queue)) {
            self.backlog.push_back((id, queue));
        }
    }

    /// Looks at a queue that may hold something new; bulk frames wait until messages have gone.
    fn look_at_in_turn(&mut self, id: PortId, queue: usize) {
        if queue == QUEUE_BULK_TX {
            self.later(id, queue);
        } else {
            self.look_at(id, queue);
        }
    }

    /// In how long ports over their rate must be looked at again, if there are any.
    pub fn resume_in(&self) -> Option<Duration> {
        let now = self.epoch.elapsed();
        let first = self.throttled.values().min()?;
        Some(first.saturating_sub(now))
    }

    /// Ports over their rate may go on, those whose time has come.
    pub fn resume(&mut self) {
        let now = self.epoch.elapsed();
        let due = |(_, at): &(&PortId, &Duration)| **at <= now;
        let ports: Vec<_> = self.throttled.iter().filter(due).map(|it| *it.0).collect();
        for id in ports {
            self.throttled.remove(&id);
            for queue in [QUEUE_MSG_TX, QUEUE_BULK_TX, QUEUE_CONTROL] {
                self.look_at_in_turn(id, queue);
            }
        }
        self.settle();
    }

    /// The guest of a port has kicked a queue.
    pub fn kicked(&mut self, id: PortId, queue: usize) {
        if let Some(device) = self.device_mut(id) {
            device.count_kick(queue);
        }
        self.look_at_in_turn(id, queue);
        self.settle();
    }

    fn look_at(&mut self, id: PortId, queue: usize) {
        if !self.device(id).is_some_and(|device| device.running) {
            return;
        }
        let done = match queue {
            QUEUE_MSG_TX => self.drain(id, queue, Class::Message),
            QUEUE_BULK_TX => self.drain(id, queue, Class::Bulk),
            QUEUE_CONTROL => self.control(id),
            _ => self.look_for_room(id, queue),
        };
        if let Err(error) = done {
            self.give_up(id, queue, &error);
        }
    }

    /// The guest broke a ring: it is not looked at any more, and nobody else is concerned.
    fn give_up(&mut self, id: PortId, queue: usize, error: &RingError) {
        let vm = self.switch.attributes(id).map_or(0, |it| it.vm);
        let name = crate::spec::QUEUE_NAMES.get(queue).copied();
        tracing::warn!(vm, queue = name, "the queue is given up: {error}");
        if let Some(device) = self.device_mut(id) {
            device.counting.broken_rings += 1;
            device.running = false;
            if let Some(ring) = device.rings.get_mut(queue) {
                ring.give_up();
            }
        }
        self.switch.stopped(id);
    }

    /// Carries out what the switch asks until it asks nothing more, then calls the guests.
    fn settle(&mut self) {
        self.settle_actions();
        if self.switch.survey_is_over() {
            self.end_survey();
        }
        self.call_guests();
        self.flush_links();
    }

    /// The same in the middle of a batch: the guests are called when all of it is done.
    fn settle_actions(&mut self) {
        loop {
            while let Some(action) = self.switch.next_action() {
                self.act(action);
            }
            if let Some((id, answer)) = self.directory.next_answer() {
                self.switch.answer(id, answer);
            } else if let Some(news) = self.directory.next_news() {
                self.hear(news);
            } else {
                return;
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Ask(id, request) => self.directory.submit(id, request),
            Action::Say(to, frame) => self.say(to, &frame),
            Action::Attached(vm, id) => {
                self.add_device(id, false);
                if let Some(done) = self.waiting_attach.remove(&vm) {
                    done(Ok(id));
                }
            }
            Action::NotAttached(vm, error) => {
                if let Some(done) = self.waiting_attach.remove(&vm) {
                    done(Err(error.into()));
                }
            }
            Action::Unwatch(interest) => self.directory.unwatch(interest),
            Action::Notify(node, notice) => self.notify(node, &notice),
            Action::Dial(node) => self.dial(node),
            Action::HangUp(node) => self.hang_up(node),
            Action::Begun(id) => self.life_settled(id, &Ok(())),
            Action::NotBegun(id, error) => self.life_settled(id, &Err(error)),
            Action::Ordered(id, ordered) => self.ordered(id, ordered),
            Action::Settled(ticket, settled) => self.move_settled(ticket, settled),
            Action::Carries(id) => self.carries(id),
            Action::Orphaned(id) => self.orphaned(id),
            Action::CutOff(id) => self.cut_off(id),
            Action::Removed(id) => self.removed(id),
        }
    }

    fn life_settled(&mut self, id: PortId, result: &Result<(), DirectoryError>) {
        for done in self.waiting_life.remove(&id).unwrap_or_default() {
            done(result.clone());
        }
    }

    fn device(&self, id: PortId) -> Option<&DevicePort> {
        self.ports.get(id.index()).and_then(Option::as_ref)
    }

    fn device_mut(&mut self, id: PortId) -> Option<&mut DevicePort> {
        self.ports.get_mut(id.index()).and_then(Option::as_mut)
    }
}

#[cfg(test)]
#[path = "fabric_test.rs"]
mod tests;

#[cfg(test)]
#[path = "fabric_cluster_test.rs"]
mod cluster_tests;
