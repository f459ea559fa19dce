//! Links between nodes.
//!
//! There is one *session* for each pair of nodes. It consists of two TCP connections, one for
//! messages and notices and one for bulk frames, so that no message waits behind bulk in a socket
//! buffer. Whoever needs the peer dials; if both do at once, the session that the node with the
//! lower number has dialled stays. Any break of either connection ends the session on both sides.
//! What was under way is lost then, and both sides say RETRY to whom it may concern.
//!
//! ```text
//!  Links ── peers: who is wanted, where, the session, back-off      (links/)
//!    │         handshake: who may talk to whom, which session stays (pure)
//!    └───── connections: codec (pure), output, packing (pure)
//!              transport: a socket, tls on it or none
//! ```
//!
//! [`Links`] has no thread and never waits: the event loop of the node tells it what became ready
//! and what time it is.

mod backoff;
mod codec;
mod config;
mod connection;
mod handshake;
mod links;
mod output;
mod packing;
pub mod pki;
mod tls;
mod transport;
mod view;

use crate::directory::NodeId;
use crate::frame::{Class, Frame};
use crate::switch::peer::{Notice, Stamp};
use socket2::Socket;
use std::net::SocketAddr;
use std::sync::Arc;
use thiserror::Error;
use vmm_sys_util::epoll::EventSet;

pub use codec::{VERSION, VERSION_LOWEST};
pub use config::{LinkConfig, LinkConfigError, LinkLimits, Lz4, TlsFiles};
pub use links::Links;
pub use tls::{Tls, TlsError, explain, name_of, names};
pub use view::{LinkCounters, LinkState, SessionView};

/// Gets what comes from other nodes.
pub trait Sink {
    /// The session with a node is there.
    fn up(&mut self, node: NodeId);

    /// It is over. What was sent lately may be lost, in both directions.
    fn down(&mut self, node: NodeId, reason: &str);

    /// A frame. Its header tells the length of `payload`; nothing else in it is checked.
    fn frame(&mut self, node: NodeId, class: Class, stamp: Stamp, header: &Frame, payload: &[u8]);

    /// The switch of a node tells something.
    fn notice(&mut self, node: NodeId, notice: Notice);

    /// Frames of this class, of which one was refused with [`SendError::Full`], may be sent again.
    fn room(&mut self, node: NodeId, class: Class);
}

/// What the system says of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// There may be something to read, or an error to be found by reading.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The other side says no more: it is to be read to the end.
    pub hung_up: bool,
}

impl Readiness {
    /// What an event loop listens for at each descriptor.
    pub fn wanted() -> EventSet {
        EventSet::IN | EventSet::OUT | EventSet::READ_HANG_UP | EventSet::EDGE_TRIGGERED
    }
}

impl From<EventSet> for Readiness {
    fn from(set: EventSet) -> Readiness {
        let broken = set.intersects(EventSet::ERROR | EventSet::HANG_UP);
        let hung_up = broken || set.contains(EventSet::READ_HANG_UP);
        Readiness {
            readable: hung_up || set.contains(EventSet::IN),
            writable: broken || set.contains(EventSet::OUT),
            hung_up,
        }
    }
}

/// A change to what the event loop listens to: [`Readiness::wanted`] at every descriptor.
#[derive(Debug, Clone)]
pub enum Watch {
    /// Call [`Links::ready`] with this token.
    Add {
        /// The descriptor.
        socket: Arc<Socket>,
        /// Small numbers, used again: at most two for each peer and one for each handshake.
        token: u32,
    },
    /// No more. The descriptor may be closed afterwards.
    Remove(Arc<Socket>),
}

/// Why a frame was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    /// There is no session. [`Sink::up`] follows once there is one, if the node is wanted.
    #[error("there is no link to that node")]
    Down,
    /// There is no room. [`Sink::room`] or [`Sink::down`] follows.
    #[error("the link to that node has no room")]
    Full,
    /// The payload could not be copied, or its length is not what the header says or more than the
    /// class allows. Nothing follows.
    #[error("the payload cannot be sent")]
    Payload,
}

/// Why links cannot be opened.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] LinkConfigError),
    /// The certificates are.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Other nodes could not connect.
    #[error("cannot listen for other nodes on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
}
