//! Sessions begin and end.

use super::{Due, Event, Links, Session, Slot};
use crate::directory::NodeId;
use crate::frame::Class;
use crate::link::Watch;
use crate::link::connection::{Connection, Stage};
use crate::link::transport::{self, Fault, Transport};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// How long a peer has to take last words.
const PARTING: Duration = Duration::from_secs(1);

impl Links {
    /// Dials a peer after a pause.
    pub(super) fn dial_after(&mut self, node: NodeId, pause: Duration) {
        self.cancel_dial(node);
        let at = self.now + pause;
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.dial_at = Some(at);
            self.timers.insert((at, Due::Dial(node)));
        }
    }

    pub(super) fn cancel_dial(&mut self, node: NodeId) {
        let at = self.peers.get_mut(&node).and_then(|it| it.dial_at.take());
        if let Some(at) = at {
            self.timers.remove(&(at, Due::Dial(node)));
        }
    }

    /// Dials the message connection of a new session.
    pub(super) fn dial(&mut self, node: NodeId) {
        let id = self.random.next_u64();
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.dial_at = None;
            peer.session = Some(Session {
                id,
                dialled: true,
                slots: [None; 2],
                agreed: None,
                up: None,
            });
            self.dial_class(node, Class::Message);
        }
    }

    /// Dials one connection of a session.
    pub(super) fn dial_class(&mut self, node: NodeId, class: Class) {
        match self.try_dial(node, class) {
            Ok(connection) => {
                let slot = self.add(connection);
                if let Some(session) = self.session_mut(node)
                    && let Some(place) = session.slots.get_mut(class.index())
                {
                    *place = Some(slot);
                }
            }
            Err(reason) => self.end_session(node, &reason),
        }
    }

    fn try_dial(&mut self, node: NodeId, class: Class) -> Result<Connection, String> {
        let address = self.peers.get(&node).and_then(|it| it.address.as_deref());
        let address = address.unwrap_or_default();
        let numbers: SocketAddr = address.parse().map_err(|_| {
            format!(
                "its address {address:?} is not host:port in numbers, such as 192.0.2.1:7000 or [2001:db8::1]:7000; correct it in that node's configuration"
            )
        })?;
        let failed = |error: std::io::Error| format!("cannot connect to {address}: {error}");
        let tls = self.tls.as_ref().map(|tls| tls.dial(node)).transpose();
        let tls = tls.map_err(|error| Fault::Tls(error).to_string())?;
        let socket = transport::connect(numbers).map_err(failed)?;
        let keepalive = self.config.keepalive();
        let transport = Transport::new(socket, tls, keepalive).map_err(failed)?;
        let limit = self.config.limits.output(class);
        Ok(Connection::new(
            transport,
            Stage::Connecting,
            class,
            Some(node),
            limit,
        ))
    }

    /// Takes a connection in; its handshake has a deadline.
    pub(super) fn add(&mut self, mut connection: Connection) -> Slot {
        connection.due = self.now + self.config.limits.handshake();
        let (due, socket) = (connection.due, connection.transport.socket().clone());
        self.strangers += usize::from(connection.stranger);
        let slot = self.connections.insert(connection);
        self.timers.insert((due, Due::Look(slot)));
        let token = u32::try_from(slot + 1).unwrap_or(u32::MAX);
        self.watches.push(Watch::Add { socket, token });
        slot
    }

    /// When to look at a connection next.
    pub(super) fn look_at(&mut self, slot: Slot, due: Duration) {
        if let Some(connection) = self.connections.get_mut(slot) {
            self.timers.remove(&(connection.due, Due::Look(slot)));
            connection.due = due;
            self.timers.insert((due, Due::Look(slot)));
        }
    }

    pub(super) fn session_mut(&mut self, node: NodeId) -> Option<&mut Session> {
        self.peers.get_mut(&node)?.session.as_mut()
    }

    /// Closes a connection, whatever it is part of.
    pub(super) fn close(&mut self, slot: Slot) {
        let Some(connection) = self.connections.try_remove(slot) else {
            return;
        };
        self.timers.remove(&(connection.due, Due::Look(slot)));
        self.strangers -= usize::from(connection.stranger);
        self.backlog.retain(|it| *it != slot);
        self.bulk_backlog.retain(|it| *it != slot);
        self.unwritten.retain(|it| *it != slot);
        let socket = connection.transport.socket();
        // The other side may have closed it already.
        let _ = socket.shutdown(Shutdown::Both);
        self.watches.push(Watch::Remove(socket.clone()));
        let node = connection.node.filter(|_| !connection.stranger);
        if let Some(peer) = node.and_then(|node| self.peers.get_mut(&node)) {
            if let Some(past) = peer.past.get_mut(connection.class.index()) {
                past.add(&connection.counters);
            }
            if connection.class == Class::Message {
                peer.rtt = connection.rtt.or(peer.rtt);
            }
        }
    }

    /// Closes a connection once the other side has taken what is still to be said.
    pub(super) fn part(&mut self, slot: Slot) {
        let due = self.now + PARTING;
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        // If it cannot be said, the connection is closed all the same.
        let _ = connection.write();
        connection.transport.finish();
        connection.stage = Stage::Parting;
        self.look_at(slot, due);
        // It may have closed its side before.
        self.backlog.push_back(slot);
    }

    /// Closes the connections of a session without a word to anybody; gives when it came up.
    pub(super) fn drop_session(&mut self, node: NodeId) -> Option<Duration> {
        let session = self.peers.get_mut(&node)?.session.take()?;
        for slot in session.slots.into_iter().flatten() {
            self.close(slot);
        }
        session.up
    }

    /// A session, or the attempt to have one, is over: the caller is told, and the peer is dialled
    /// again if it is wanted.
    pub(super) fn end_session(&mut self, node: NodeId, reason: &str) {
        let up = self.drop_session(node);
        if up.is_some() {
            tracing::warn!("the link to {node} is down: {reason}");
            self.events.push_back(Event::Down(node, reason.to_owned()));
        }
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        if up.is_none() {
            // The same once more is no news.
            if peer.last_error.as_deref() == Some(reason) {
                tracing::debug!("no link to {node}: {reason}");
            } else {
                tracing::warn!("no link to {node}: {reason}");
            }
        }
        peer.last_error = Some(reason.to_owned());
        if peer.address.is_some() {
            let lasted = up.map(|up| self.now.saturating_sub(up));
            let pause = peer.backoff.pause(lasted, &mut *self.random);
            self.dial_after(node, pause);
        } else {
            self.peers.remove(&node);
        }
    }

    /// A connection cannot go on, and with it its session.
    pub(super) fn fail(&mut self, slot: Slot, reason: &str) {
        let Some(connection) = self.connections.get(slot) else {
            return;
        };
        if connection.stage == Stage::Parting {
            self.close(slot);
            return;
        }
        let part = connection.transport.wants_write() && connection.stage != Stage::Connecting;
        match connection.node.filter(|_| !connection.stranger) {
            Some(node) => {
                if part {
                    self.say_last_words(slot);
                }
                self.end_session(node, reason);
            }
            None => {
                self.complain(slot, reason);
                if part {
                    self.part(slot);
                } else {
                    self.close(slot);
                }
            }
        }
    }

    /// An alert of TLS tells the other side what is wrong.
    fn say_last_words(&mut self, slot: Slot) {
        if let Some(connection) = self.connections.get_mut(slot) {
            // If it cannot be said, the other side only knows less.
            let _ = connection.write();
            connection.transport.finish();
        }
    }

    /// Logs that a stranger is turned away, but not more often than anybody reads.
    pub(super) fn complain(&mut self, slot: Slot, reason: &str) {
        const PAUSE: Duration = Duration::from_millis(200);
        let Some(connection) = self.connections.get(slot) else {
            return;
        };
        let from = connection.transport.socket().peer_addr().ok();
        let from = from.and_then(|it| it.as_socket());
        let from = from.map_or_else(|| "somebody".to_owned(), |it| it.to_string());
        if self.now < self.quiet_until {
            tracing::debug!("a connection from {from} is turned away: {reason}");
            return;
        }
        self.quiet_until = self.now + PAUSE;
        tracing::warn!("a connection from {from} is turned away: {reason}");
    }
}
