//! What operators see of a session.

use crate::directory::NodeId;
use crate::frame::Class;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is counted on the connections of one class to a peer, since the node has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkCounters {
    /// Frames received.
    pub frames_in: u64,
    /// Frames that were handed over to be sent.
    pub frames_out: u64,
    /// Bytes received, as they were before TLS.
    pub bytes_in: u64,
    /// Bytes sent, as they are before TLS.
    pub bytes_out: u64,
    /// System calls that wrote.
    pub writes: u64,
    /// Frames that found no room in the output.
    pub no_room: u64,
    /// Bytes that LZ4 has saved in sending.
    pub lz4_saved: u64,
}

impl LinkCounters {
    /// Adds another's counts.
    pub fn add(&mut self, other: &LinkCounters) {
        self.frames_in += other.frames_in;
        self.frames_out += other.frames_out;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.writes += other.writes;
        self.no_room += other.no_room;
        self.lz4_saved += other.lz4_saved;
    }
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// There is none, and none is wanted.
    Idle,
    /// It will be dialled.
    Waiting,
    /// It is being set up.
    Connecting,
    /// Frames are carried.
    Up,
}

/// The session with one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// The peer.
    pub node: NodeId,
    /// Where the peer is dialled, if it is wanted.
    pub address: Option<String>,
    /// Where it stands.
    pub state: LinkState,
    /// Up: since when, in the caller's time.
    pub since: Option<Duration>,
    /// Waiting: until when, in the caller's time.
    pub until: Option<Duration>,
    /// Who has dialled the session.
    pub dialled_by: Option<NodeId>,
    /// Whether sessions use TLS.
    pub tls: bool,
    /// Up: the version of the protocol.
    pub version: Option<u16>,
    /// Up: whether bulk frames may be compressed.
    pub lz4: bool,
    /// Counts of the message connection.
    pub message: LinkCounters,
    /// Counts of the bulk connection.
    pub bulk: LinkCounters,
    /// Time from a PING to its PONG on the message connection, the last one.
    pub rtt: Option<Duration>,
    /// Why the last session or attempt has ended.
    pub last_error: Option<String>,
}

impl SessionView {
    /// The counts of a class.
    pub fn counters(&self, class: Class) -> &LinkCounters {
        match class {
            Class::Message => &self.message,
            Class::Bulk => &self.bulk,
        }
    }
}
