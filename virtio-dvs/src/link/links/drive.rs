//! What the event loop tells: readiness, time, and that there is nothing else to do.

use super::{Due, Links, Slot, TOKEN_LISTENER};
use crate::frame::Class;
use crate::link::connection::Stage;
use crate::link::transport::Got;
use crate::link::{Readiness, Sink};
use std::time::Duration;

/// Readings of one connection before others have their turn. Each is of about two bulk frames.
const FAIR_SHARE: usize = 4;

impl Links {
    /// Something has happened at the descriptor with this token.
    pub fn ready(&mut self, token: u32, ready: Readiness, now: Duration, sink: &mut dyn Sink) {
        self.now = now;
        if token == TOKEN_LISTENER {
            self.accept();
        } else if let Ok(token) = usize::try_from(token) {
            self.ready_at(token - 1, ready, sink);
        }
        self.settle(sink);
    }

    fn ready_at(&mut self, slot: Slot, ready: Readiness, sink: &mut dyn Sink) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if connection.stage == Stage::Connecting {
            self.connected(slot);
            return;
        }
        let in_turn = connection.stage == Stage::Open && connection.class == Class::Bulk;
        connection.transport.hung_up |= ready.hung_up;
        if ready.writable && std::mem::take(&mut connection.transport.blocked) {
            self.write_soon(slot);
        }
        if !ready.readable {
            return;
        }
        if in_turn {
            self.later(slot);
        } else {
            self.read(slot, sink);
        }
    }

    /// Handles what was left over when this was called; of bulk one connection's share, so that
    /// messages that came meanwhile go before the next.
    pub fn run_backlog(&mut self, now: Duration, sink: &mut dyn Sink) {
        self.now = now;
        if self.accept_more {
            self.accept();
        }
        self.deliver(sink);
        for _ in 0..self.backlog.len() {
            if let Some(slot) = self.backlog.pop_front() {
                self.read(slot, sink);
            }
        }
        if let Some(slot) = self.bulk_backlog.pop_front() {
            self.read(slot, sink);
        }
        self.settle(sink);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Duration, sink: &mut dyn Sink) {
        self.now = now;
        while let Some((at, due)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.pop_first();
            match due {
                Due::Accept => self.accept(),
                Due::Dial(node) => self.dial(node),
                Due::Look(slot) => self.look(slot, sink),
            }
        }
        self.settle(sink);
    }

    fn settle(&mut self, sink: &mut dyn Sink) {
        self.flush();
        self.deliver(sink);
    }

    /// The event loop comes back to this connection, after whatever else has come.
    pub(super) fn later(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get(slot) else {
            return;
        };
        let backlog = match connection.class {
            Class::Message => &mut self.backlog,
            Class::Bulk => &mut self.bulk_backlog,
        };
        if !backlog.contains(&slot) {
            backlog.push_back(slot);
        }
    }

    /// Reads from a connection, up to a fair share.
    fn read(&mut self, slot: Slot, sink: &mut dyn Sink) {
        match self.connections.get_mut(slot).map(|it| it.stage) {
            Some(Stage::Greeting | Stage::Awaiting) => self.handshake(slot),
            Some(Stage::Open) => self.receive(slot, sink),
            Some(Stage::Parting) => {
                let ended = self.connections.get_mut(slot);
                if ended.is_some_and(|it| it.discard(&mut self.scratch)) {
                    self.close(slot);
                }
            }
            Some(Stage::Connecting | Stage::Paused) | None => {}
        }
    }

    fn receive(&mut self, slot: Slot, sink: &mut dyn Sink) {
        // The caller must know of the session before its frames.
        self.deliver(sink);
        for _ in 0..FAIR_SHARE {
            let Some(connection) = self.connections.get_mut(slot) else {
                return;
            };
            let got = connection.receive(&mut self.scratch, self.now, sink);
            let drained = connection.transport.is_drained();
            if !connection.output.is_empty() || connection.transport.wants_write() {
                self.write_soon(slot);
            }
            match got {
                Ok(Got::Bytes(_)) if !drained => {}
                Ok(Got::Bytes(_) | Got::Blocked) => return,
                Ok(Got::Ended) => return self.fail(slot, "the peer has closed the connection"),
                Err(broken) => return self.fail(slot, &broken.to_string()),
            }
        }
        self.later(slot);
    }

    /// A connection's time has come.
    fn look(&mut self, slot: Slot, sink: &mut dyn Sink) {
        match self.connections.get(slot).map(|it| it.stage) {
            Some(Stage::Open) => self.keep_alive(slot, sink),
            Some(Stage::Parting) => self.close(slot),
            Some(stage) => {
                let seconds = self.config.limits.handshake().as_secs_f32();
                let reason = match stage {
                    Stage::Connecting => format!(
                        "nobody answers within {seconds} s; see that the node runs and that no firewall is between"
                    ),
                    _ => format!("the handshake takes more than {seconds} s"),
                };
                self.fail(slot, &reason);
            }
            None => {}
        }
    }

    fn keep_alive(&mut self, slot: Slot, sink: &mut dyn Sink) {
        let (now, keepalive) = (self.now, self.config.keepalive());
        let heard = |links: &Links| links.connections.get(slot).map(|it| it.heard);
        if heard(self).is_some_and(|heard| now >= heard + keepalive) {
            // It may be this node that was asleep.
            self.receive(slot, sink);
        }
        let Some(heard) = heard(self) else {
            return;
        };
        if now >= heard + keepalive {
            let seconds = keepalive.as_secs_f32();
            self.fail(slot, &format!("nothing was heard for {seconds} s"));
            return;
        }
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        connection.save_memory();
        let next = (now + connection.ping_every).min(heard + keepalive);
        if let Err(broken) = connection.ping(now) {
            return self.fail(slot, &broken.to_string());
        }
        self.write_soon(slot);
        self.look_at(slot, next);
    }
}
