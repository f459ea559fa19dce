//! Connections are accepted, and both sides say who they are.

use super::{Due, Event, Links, Session, Slot};
use crate::directory::NodeId;
use crate::frame::Class;
use crate::link::codec::{Handshake, Hello, Refusal, Welcome, encode_refused};
use crate::link::connection::{Broken, Connection, Stage};
use crate::link::handshake::{Agreed, Meeting, Standing, meet};
use crate::link::tls;
use crate::link::transport::{Fault, Got, Transport};
use socket2::Socket;
use std::io::ErrorKind;
use std::time::Duration;

/// Connections that are accepted in one go.
const ACCEPT_MAX: usize = 64;
/// When to accept again if the system had no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What was said in a handshake.
enum Said {
    Hello(Hello),
    Welcome(Welcome),
    Refused(Refusal, String),
}

/// What a peer says, fit for a log.
fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().filter(|it| !it.is_control()).collect()
}

impl Links {
    /// Takes the connections that wait.
    pub(super) fn accept(&mut self) {
        self.accept_more = false;
        for _ in 0..ACCEPT_MAX {
            match self.listener.accept() {
                Ok((socket, _)) => self.accepted(socket),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) => {
                    tracing::warn!("cannot accept connections of other nodes: {error}");
                    self.timers.insert((self.now + ACCEPT_PAUSE, Due::Accept));
                    return;
                }
            }
        }
        self.accept_more = true;
    }

    fn accepted(&mut self, socket: Socket) {
        let most = self.config.limits.handshakes;
        if self.strangers >= most {
            if self.now >= self.quiet_until {
                tracing::warn!(
                    "a connection is turned away: {most} others have not said who they are (limits.handshakes)"
                );
                self.quiet_until = self.now + ACCEPT_PAUSE;
            }
            return;
        }
        let tls = self.tls.as_ref().map(|it| it.accept()).transpose();
        let made = tls
            .map_err(Fault::from)
            .and_then(|tls| Ok(Transport::new(socket, tls, self.config.keepalive())?));
        match made {
            Ok(transport) => {
                let limit = self.config.limits.output(Class::Message);
                let (stage, class) = (Stage::Awaiting, Class::Message);
                self.add(Connection::new(transport, stage, class, None, limit));
            }
            Err(error) => tracing::warn!("a connection is turned away: {error}"),
        }
    }

    /// A dialled connection has come to an end of connecting, one way or the other.
    pub(super) fn connected(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let (class, Some(node)) = (connection.class, connection.node) else {
            return;
        };
        if let Err(error) = connection.transport.connected() {
            let address = self.peers.get(&node).and_then(|it| it.address.clone());
            let address = address.unwrap_or_default();
            self.end_session(node, &format!("cannot connect to {address}: {error}"));
            return;
        }
        connection.stage = Stage::Greeting;
        let Some(id) = self.session_mut(node).map(|it| it.id) else {
            return;
        };
        let hello = self.identity.hello(id, class).encode();
        self.say(slot, &hello);
    }

    /// Reads what the other side says of itself.
    pub(super) fn handshake(&mut self, slot: Slot) {
        loop {
            let Some(connection) = self.connections.get_mut(slot) else {
                return;
            };
            let heard = connection.handshake(&mut self.scratch, |said| match said {
                Handshake::Hello(hello) => Said::Hello(hello),
                Handshake::Welcome(welcome) => Said::Welcome(welcome),
                Handshake::Refused(refusal, reason) => Said::Refused(refusal, printable(reason)),
            });
            let stage = connection.stage;
            if connection.transport.wants_write() {
                self.write_soon(slot);
            }
            match (heard, stage) {
                (Ok((_, Some(Said::Hello(hello)))), Stage::Awaiting) => self.hello(slot, &hello),
                (Ok((_, Some(Said::Welcome(welcome)))), Stage::Greeting) => {
                    self.welcome(slot, &welcome);
                }
                (Ok((_, Some(Said::Refused(refusal, reason)))), Stage::Greeting) => {
                    self.refused(slot, refusal, &reason);
                }
                (Ok((_, Some(_))), _) => self.fail(slot, "a handshake in the wrong direction"),
                (Ok((Got::Bytes(_), None)), _) => continue,
                (Ok((Got::Blocked, None)), _) => {}
                (Ok((Got::Ended, None)), _) => {
                    self.fail(
                        slot,
                        "the peer has closed the connection during the handshake",
                    );
                }
                (Err(Broken::Malformed(what)), Stage::Awaiting) => {
                    self.refuse(slot, Refusal::Wrong, &format!("it sent {what}"));
                }
                (Err(broken), _) => self.fail(slot, &broken.to_string()),
            }
            return;
        }
    }

    fn hello(&mut self, slot: Slot, hello: &Hello) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if connection.transport.is_hung_up() {
            // It was given up meanwhile: nothing follows from it.
            self.close(slot);
            return;
        }
        let node = hello.node;
        if let Some(tls) = connection.transport.tls()
            && !tls::names(tls.peer_certificates(), node)
        {
            let reason = format!(
                "the certificate does not name {node}: it must have the DNS name {}",
                tls::name_of(node)
            );
            self.refuse(slot, Refusal::Wrong, &reason);
            return;
        }
        let agreed = match self.identity.judge_hello(hello) {
            Ok(agreed) => agreed,
            Err(reason) => return self.refuse(slot, Refusal::Wrong, &reason),
        };
        match meet(self.identity.me, hello, self.standing(node)) {
            Meeting::Refuse(refusal, reason) => self.refuse(slot, refusal, &reason),
            Meeting::Begin => self.begin(slot, hello, agreed),
            Meeting::Join => self.admit(slot, hello, &agreed),
        }
    }

    /// What there is between this node and a peer.
    fn standing(&self, node: NodeId) -> Standing {
        let Some(session) = self.peers.get(&node).and_then(|it| it.session.as_ref()) else {
            return Standing::Nothing;
        };
        if session.up.is_some() {
            return Standing::Up;
        }
        if !session.dialled {
            return Standing::Half {
                session: session.id,
            };
        }
        let connecting = |slot: &Slot| {
            let connection = self.connections.get(*slot);
            connection.is_some_and(|it| it.stage == Stage::Connecting)
        };
        Standing::Dialling {
            greeted: !session.slots.iter().flatten().all(connecting),
        }
    }

    /// The peer's message connection begins a session.
    fn begin(&mut self, slot: Slot, hello: &Hello, agreed: Agreed) {
        let node = hello.node;
        if self.standing(node) == Standing::Up {
            self.end_session(node, "the peer has begun a new session");
        }
        if !self.make_peer(node) {
            let reason = "the other node has links to as many nodes as it may (limits.peers)";
            return self.refuse(slot, Refusal::Wrong, reason);
        }
        self.drop_session(node);
        self.cancel_dial(node);
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.session = Some(Session {
                id: hello.session,
                dialled: false,
                slots: [None; 2],
                agreed: None,
                up: None,
            });
        }
        self.admit(slot, hello, &agreed);
    }

    /// An accepted connection becomes part of its session.
    fn admit(&mut self, slot: Slot, hello: &Hello, agreed: &Agreed) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        self.strangers -= usize::from(connection.stranger);
        connection.stranger = false;
        connection.node = Some(hello.node);
        connection.class = hello.class;
        let limit = self.config.limits.output(hello.class);
        connection.output.set_limit(limit);
        let welcome = self.identity.welcome(agreed).encode();
        self.say(slot, &welcome);
        self.joined(hello.node, hello.class, slot, *agreed);
    }

    fn welcome(&mut self, slot: Slot, welcome: &Welcome) {
        let Some(connection) = self.connections.get(slot) else {
            return;
        };
        let (class, Some(node)) = (connection.class, connection.node) else {
            return;
        };
        match self.identity.judge_welcome(node, welcome) {
            Ok(agreed) => self.joined(node, class, slot, agreed),
            Err(reason) => self.end_session(node, &reason),
        }
        if class == Class::Message && self.session_mut(node).is_some() {
            self.dial_class(node, Class::Bulk);
        }
    }

    /// The handshake of a connection is done.
    fn joined(&mut self, node: NodeId, class: Class, slot: Slot, agreed: Agreed) {
        let now = self.now;
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.stage = Stage::Paused;
        }
        let Some(session) = self.session_mut(node) else {
            return;
        };
        if let Some(place) = session.slots.get_mut(class.index()) {
            *place = Some(slot);
        }
        let agreed = *session.agreed.get_or_insert(agreed);
        if class == Class::Message {
            return;
        }
        session.up = Some(now);
        let slots = session.slots;
        for slot in slots.into_iter().flatten() {
            if let Some(connection) = self.connections.get_mut(slot) {
                connection.open(&agreed, now);
            }
            self.look_at(slot, now + agreed.ping);
            self.later(slot);
        }
        tracing::info!("the link to {node} is up");
        self.events.push_back(Event::Up(node));
    }

    fn refuse(&mut self, slot: Slot, refusal: Refusal, reason: &str) {
        if refusal == Refusal::Wrong {
            self.complain(slot, reason);
        }
        self.say(slot, &encode_refused(refusal, reason));
        self.part(slot);
    }

    fn refused(&mut self, slot: Slot, refusal: Refusal, reason: &str) {
        let Some(node) = self.connections.get(slot).and_then(|it| it.node) else {
            return;
        };
        match refusal {
            Refusal::Wrong => self.end_session(node, &format!("it refuses this node: {reason}")),
            // The peer's HELLO is on its way; should it not come, this node dials again.
            Refusal::Crossed => {
                self.drop_session(node);
                if let Some(peer) = self.peers.get_mut(&node) {
                    let pause = peer.backoff.pause(None, &mut *self.random);
                    self.dial_after(node, pause);
                }
            }
        }
    }

    /// Appends a record of the handshake.
    fn say(&mut self, slot: Slot, record: &[u8]) {
        let put = self.connections.get_mut(slot).map(|it| it.put(record));
        match put {
            Some(Err(broken)) => self.fail(slot, &broken.to_string()),
            _ => self.write_soon(slot),
        }
    }

    /// Writes what waits on a connection; tells if that has made room.
    pub(super) fn write(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        connection.unwritten = false;
        let written = connection.write();
        let room = connection.output.take_room();
        let (node, class) = (connection.node, connection.class);
        match (written, node) {
            (Err(broken), _) => self.fail(slot, &broken.to_string()),
            (Ok(()), Some(node)) if room => self.events.push_back(Event::Room(node, class)),
            (Ok(()), _) => {}
        }
    }
}
