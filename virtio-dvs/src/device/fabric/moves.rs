//! VMs that move: what the switch asks for them, and ports that nobody sees to.

use super::*;
use crate::switch::{MoveRequest, Settled, Ticket};

/// What is under way for VMs that move.
#[derive(Default)]
pub(super) struct Moves {
    waiting: BTreeMap<Ticket, Done<Settled>>,
    next: u64,
    /// Ports that no VMM sees to, and since when.
    orphans: BTreeMap<PortId, Duration>,
    /// Ports whose sockets and connections are closed.
    closed: Vec<PortId>,
}

impl Fabric {
    /// Something is asked for a VM that moves; `done` gets what it comes to.
    pub fn request_move(&mut self, request: MoveRequest, done: Done<Settled>) {
        let ticket = Ticket(self.moves.next);
        self.moves.next += 1;
        self.moves.waiting.insert(ticket, done);
        self.switch.request_move(ticket, request);
        self.settle();
    }

    /// In how long [`Fabric::end_orphans`] has something to do, if VMMs have `grace` to come back.
    pub fn orphans_due_in(&self, grace: Duration) -> Option<Duration> {
        let first = self.moves.orphans.values().min()?;
        Some((*first + grace).saturating_sub(self.epoch.elapsed()))
    }

    /// Gives up the ports that no VMM has seen to for so long.
    pub fn end_orphans(&mut self, grace: Duration) {
        let now = self.epoch.elapsed();
        let due = |(_, since): &(&PortId, &Duration)| **since + grace <= now;
        let orphans = self.moves.orphans.iter().filter(due);
        for id in orphans.map(|it| *it.0).collect::<Vec<_>>() {
            self.moves.orphans.remove(&id);
            self.switch.abandon(id);
        }
        self.settle();
    }

    /// Ports whose sockets and connections must be closed since this was called last.
    pub fn take_closed(&mut self) -> Vec<PortId> {
        std::mem::take(&mut self.moves.closed)
    }

    pub(super) fn move_settled(&mut self, ticket: Ticket, settled: Settled) {
        if let Some(done) = self.moves.waiting.remove(&ticket) {
            done(settled);
        }
    }

    /// The rings may be used (again): those that are in use are looked at.
    pub(super) fn carries(&mut self, id: PortId) {
        if self.is_running(id) {
            self.switch.started(id);
            for queue in [QUEUE_MSG_TX, QUEUE_BULK_TX, QUEUE_CONTROL] {
                self.later(id, queue);
            }
        } else if let Err(error) = self.update(id) {
            let vm = self.switch.attributes(id).map_or(0, |it| it.vm);
            tracing::warn!(vm, "its rings cannot be used: {error}");
        }
    }

    pub(super) fn orphaned(&mut self, id: PortId) {
        self.moves.orphans.insert(id, self.epoch.elapsed());
    }

    pub(super) fn cut_off(&mut self, id: PortId) {
        self.moves.closed.push(id);
    }

    pub(super) fn removed(&mut self, id: PortId) {
        self.reset_device(id);
        if let Some(slot) = self.ports.get_mut(id.index()) {
            *slot = None;
        }
        self.moves.closed.push(id);
    }
}
