//! All sessions of a node.

use crate::directory::NodeId;
use crate::frame::{Class, Frame};
use crate::link::backoff::Backoff;
use crate::link::config::LinkConfig;
use crate::link::connection::{Connection, Scratch};
use crate::link::handshake::{Agreed, Identity};
use crate::link::tls::Tls;
use crate::link::transport;
use crate::link::view::LinkCounters;
use crate::link::{LinkError, SendError, Sink, TlsError, Watch};
use crate::switch::peer::{Notice, Stamp};
use rand_core::Rng;
use slab::Slab;
use socket2::Socket;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

mod dial;
mod drive;
mod greet;
mod operators;

/// Place of a connection. Places are used again.
type Slot = usize;

/// Token of the listening socket; those of connections follow.
const TOKEN_LISTENER: u32 = 0;

/// What has to be done at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Accept again: the system had no descriptors left.
    Accept,
    /// Look at a connection: handshake time, keep-alive.
    Look(Slot),
    /// Dial a peer.
    Dial(NodeId),
}

/// What the caller is told when it next listens.
#[derive(Debug)]
enum Event {
    Up(NodeId),
    Down(NodeId, String),
    Room(NodeId, Class),
}

/// What is between this node and a peer.
#[derive(Debug)]
struct Session {
    id: u64,
    /// Whether this node has dialled it.
    dialled: bool,
    slots: [Option<Slot>; 2],
    agreed: Option<Agreed>,
    /// Since when frames are carried.
    up: Option<Duration>,
}

/// Another node.
#[derive(Debug, Default)]
struct Peer {
    /// Where it is dialled, while it is wanted.
    address: Option<String>,
    session: Option<Session>,
    dial_at: Option<Duration>,
    backoff: Backoff,
    /// Counts of connections that are over.
    past: [LinkCounters; 2],
    rtt: Option<Duration>,
    last_error: Option<String>,
}

/// All sessions of a node. See [`crate::link`].
pub struct Links {
    config: LinkConfig,
    identity: Identity,
    tls: Option<Tls>,
    random: Box<dyn Rng + Send>,
    listener: Arc<Socket>,
    connections: Slab<Connection>,
    peers: BTreeMap<NodeId, Peer>,
    /// Connections in [`Slab`] that were accepted and have not said whose they are.
    strangers: usize,
    timers: BTreeSet<(Duration, Due)>,
    events: VecDeque<Event>,
    /// Connections with something new to be written.
    unwritten: Vec<Slot>,
    /// Connections that may hold more than was read.
    backlog: VecDeque<Slot>,
    /// The same for bulk, which come one at a time when nothing else is to be done.
    bulk_backlog: VecDeque<Slot>,
    /// More connections may wait to be accepted.
    accept_more: bool,
    watches: Vec<Watch>,
    scratch: Scratch,
    /// The latest time that the caller has told.
    now: Duration,
    /// Until when no more is said of strangers that are turned away.
    quiet_until: Duration,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Links")
            .field("config", &self.config)
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}

impl Links {
    /// Reads the certificates and listens. `now` is the time since any fixed point, here and
    /// everywhere. `random` chooses the ids of sessions, which in plaintext are all that ties a
    /// bulk connection to its session.
    pub fn open(
        config: LinkConfig,
        random: Box<dyn Rng + Send>,
        now: Duration,
    ) -> Result<Links, LinkError> {
        config.validate()?;
        let tls = config.tls.as_ref().map(|files| Tls::load(files, config.me));
        let tls = tls.transpose()?;
        if tls.is_none() {
            tracing::warn!(
                "links to other nodes are in plaintext: whoever reaches {} may speak as any node",
                config.listen
            );
        }
        let address = config.listen;
        let listener = transport::listen(address);
        let listener = listener.map_err(|error| LinkError::Listen { address, error })?;
        let listener = Arc::new(listener);
        Ok(Links {
            identity: Identity::new(&config),
            scratch: Scratch::new(tls.is_some()),
            config,
            tls,
            random,
            watches: vec![Watch::Add {
                socket: listener.clone(),
                token: TOKEN_LISTENER,
            }],
            listener,
            connections: Slab::new(),
            peers: BTreeMap::new(),
            strangers: 0,
            timers: BTreeSet::new(),
            events: VecDeque::new(),
            unwritten: Vec::new(),
            backlog: VecDeque::new(),
            bulk_backlog: VecDeque::new(),
            accept_more: false,
            now,
            quiet_until: now,
        })
    }

    /// Where other nodes connect: what the configuration says, with the port that the system chose
    /// if it says 0.
    pub fn local_address(&self) -> SocketAddr {
        let address = self.listener.local_addr().ok();
        let address = address.and_then(|it| it.as_socket());
        address.unwrap_or(self.config.listen)
    }

    /// Reads the certificates again, for sessions from now on. If that fails the old ones stay in
    /// use.
    pub fn reload(&mut self) -> Result<(), TlsError> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        match tls.reload() {
            Ok(()) => {
                tracing::info!("new sessions with other nodes use the certificates as they are now")
            }
            Err(error) => {
                tracing::error!("the certificates in use stay in use: {error}");
                return Err(error);
            }
        }
        Ok(())
    }

    /// Keeps a session with a node. `address` is "host:port" with the host in numbers, since to
    /// look a name up would hold everything up; it may change.
    pub fn want(&mut self, node: NodeId, address: &str, now: Duration) {
        self.now = now;
        if node == self.config.me || !self.make_peer(node) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        if peer.address.as_deref() == Some(address) {
            return;
        }
        peer.address = Some(address.to_owned());
        peer.backoff.forget();
        match &peer.session {
            // It goes on; the new address counts for the next.
            Some(session) if session.up.is_some() || !session.dialled => {}
            _ => {
                self.drop_session(node);
                self.dial_after(node, Duration::ZERO);
            }
        }
    }

    /// A node was started: if it waits to be dialled, it is dialled at once.
    pub fn started(&mut self, node: NodeId, now: Duration) {
        self.now = now;
        if let Some(peer) = self.peers.get_mut(&node)
            && peer.dial_at.is_some()
        {
            peer.backoff.forget();
            self.dial_after(node, Duration::ZERO);
        }
    }

    /// A node has left the cluster: its session is closed, without a [`Sink::down`]. It may still
    /// dial.
    pub fn unwanted(&mut self, node: NodeId) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        peer.address = None;
        self.drop_session(node);
        self.cancel_dial(node);
        self.peers.remove(&node);
        let about = |event: &Event| match event {
            Event::Up(it) | Event::Down(it, _) | Event::Room(it, _) => *it == node,
        };
        self.events.retain(|event| !about(event));
    }

    /// Hands over a frame to be sent with the next [`Links::flush`]. `copy` fills in the payload of
    /// `payload_len` bytes, or gives `false` if it cannot.
    pub fn send_frame(
        &mut self,
        node: NodeId,
        class: Class,
        stamp: Stamp,
        header: &Frame,
        payload_len: usize,
        copy: impl FnOnce(&mut [u8]) -> bool,
    ) -> Result<(), SendError> {
        let slot = self.open_slot(node, class).ok_or(SendError::Down)?;
        self.write_soon(slot);
        let connection = self.connections.get_mut(slot).ok_or(SendError::Down)?;
        connection.frame(stamp, header, payload_len, copy, &mut self.scratch)
    }

    /// Tells the switch of a node something; without a session it is dropped, since RETRY(all)
    /// follows each break. Notices never wait for room; a peer that takes none loses its session.
    pub fn send_notice(&mut self, node: NodeId, notice: &Notice) {
        let Some(slot) = self.open_slot(node, Class::Message) else {
            return;
        };
        let put = self.connections.get_mut(slot).map(|it| it.notice(notice));
        match put {
            Some(Err(broken)) => self.fail(slot, &broken.to_string()),
            _ => self.write_soon(slot),
        }
    }

    /// Writes what was handed over, as far as the sockets take it.
    pub fn flush(&mut self) {
        while let Some(slot) = self.unwritten.pop() {
            self.write(slot);
        }
    }

    /// The next flush writes what waits on a connection.
    fn write_soon(&mut self, slot: Slot) {
        if let Some(connection) = self.connections.get_mut(slot)
            && !std::mem::replace(&mut connection.unwritten, true)
        {
            self.unwritten.push(slot);
        }
    }

    /// What the event loop has to listen to from now on, in this order.
    pub fn take_watches(&mut self) -> Vec<Watch> {
        std::mem::take(&mut self.watches)
    }

    /// When [`Links::tick`] is next to be called.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether [`Links::run_backlog`] has something to do, so that the event loop must not sleep.
    pub fn has_backlog(&self) -> bool {
        self.accept_more
            || !(self.events.is_empty() && self.backlog.is_empty() && self.bulk_backlog.is_empty())
    }

    /// The connection of a class to a node, if frames are carried.
    fn open_slot(&self, node: NodeId, class: Class) -> Option<Slot> {
        let session = self.peers.get(&node)?.session.as_ref()?;
        session.up?;
        session.slots.get(class.index()).copied().flatten()
    }

    /// Whether there is a peer of this number now.
    fn make_peer(&mut self, node: NodeId) -> bool {
        if self.peers.len() >= self.config.limits.peers && !self.peers.contains_key(&node) {
            let most = self.config.limits.peers;
            tracing::error!(
                "no link to {node}: this node has links to {most} others at most; raise limits.peers"
            );
            return false;
        }
        self.peers.entry(node).or_default();
        true
    }

    fn deliver(&mut self, sink: &mut dyn Sink) {
        while let Some(event) = self.events.pop_front() {
            match event {
                Event::Up(node) => sink.up(node),
                Event::Down(node, reason) => sink.down(node, &reason),
                Event::Room(node, class) => sink.room(node, class),
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
