//! Who may talk to whom, in which version, and which of two sessions stays.

use crate::directory::NodeId;
use crate::frame::Class;
use crate::link::codec::{
    CLUSTER_MAX, Hello, Refusal, VERSION, VERSION_LOWEST, VERSION_LZ4, Welcome,
};
use crate::link::config::{LinkConfig, Lz4};
use std::time::Duration;

/// What this node says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its number.
    pub me: NodeId,
    cluster: [u8; CLUSTER_MAX],
    lz4: bool,
    keepalive_ms: u32,
}

/// What two nodes have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// The version of the protocol.
    pub version: u16,
    /// Whether bulk frames may be compressed.
    pub lz4: bool,
    /// How often to let the other hear something.
    pub ping: Duration,
}

/// What there is between this node and a peer when the peer dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Nothing,
    /// This node dials; `greeted`: the peer may have its HELLO.
    Dialling {
        /// Whether it is connected.
        greeted: bool,
    },
    /// The peer has dialled its message connection; the bulk connection is awaited.
    Half {
        /// The session.
        session: u64,
    },
    /// Both connections are there.
    Up,
}

/// What to do with a HELLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meeting {
    /// It begins a session. Whatever there was before is over.
    Begin,
    /// It completes the session that the peer has begun.
    Join,
    /// It is turned away.
    Refuse(Refusal, String),
}

impl Identity {
    /// As the configuration says.
    pub fn new(config: &LinkConfig) -> Identity {
        let mut cluster = [0; CLUSTER_MAX];
        let name = config.cluster.bytes();
        cluster
            .iter_mut()
            .zip(name)
            .for_each(|(to, from)| *to = from);
        Identity {
            me: config.me,
            cluster,
            lz4: config.lz4 == Lz4::Auto,
            keepalive_ms: u32::try_from(config.keepalive_ms).unwrap_or(u32::MAX),
        }
    }

    /// What to say on a connection that this node has dialled.
    pub fn hello(&self, session: u64, class: Class) -> Hello {
        Hello {
            version: VERSION,
            lowest: VERSION_LOWEST,
            node: self.me,
            session,
            class,
            lz4: self.lz4,
            keepalive_ms: self.keepalive_ms,
            cluster: self.cluster,
        }
    }

    /// What to answer once it is agreed.
    pub fn welcome(&self, agreed: &Agreed) -> Welcome {
        Welcome {
            version: agreed.version,
            node: self.me,
            lz4: self.lz4 && agreed.version >= VERSION_LZ4,
            keepalive_ms: self.keepalive_ms,
        }
    }

    /// Whether to talk to who says HELLO; otherwise why not.
    pub fn judge_hello(&self, hello: &Hello) -> Result<Agreed, String> {
        if hello.node == self.me {
            return Err(format!(
                "both nodes have the number {}; give each node of a cluster its own",
                self.me.0
            ));
        }
        if hello.cluster != self.cluster {
            return Err(format!(
                "{} belongs to the cluster {}, the other one to {}",
                self.me,
                name(&self.cluster),
                name(&hello.cluster)
            ));
        }
        let version = hello.version.min(VERSION);
        if version < hello.lowest.max(VERSION_LOWEST) {
            return Err(format!(
                "{} speaks versions {VERSION_LOWEST} to {VERSION} of the protocol, the other one {} to {}; upgrade the older node",
                self.me, hello.lowest, hello.version
            ));
        }
        Ok(self.agree(version, hello.lz4, hello.keepalive_ms))
    }

    /// Whether the peer's answer is right; otherwise what is wrong.
    pub fn judge_welcome(&self, peer: NodeId, welcome: &Welcome) -> Result<Agreed, String> {
        if welcome.node != peer {
            return Err(format!(
                "{} answers at the address of {peer}; correct the address in the directory",
                welcome.node
            ));
        }
        if !(VERSION_LOWEST..=VERSION).contains(&welcome.version) {
            let version = welcome.version;
            return Err(format!("it chose version {version}, which was not offered"));
        }
        Ok(self.agree(welcome.version, welcome.lz4, welcome.keepalive_ms))
    }

    fn agree(&self, version: u16, lz4: bool, keepalive_ms: u32) -> Agreed {
        // Three lives per death, and a peer cannot ask for more than this node would.
        let keepalive = keepalive_ms.clamp(500, self.keepalive_ms);
        Agreed {
            version,
            lz4: lz4 && self.lz4 && version >= VERSION_LZ4,
            ping: Duration::from_millis(keepalive.into()) / 3,
        }
    }
}

fn name(cluster: &[u8; CLUSTER_MAX]) -> String {
    let name = cluster.split(|byte| *byte == 0).next().unwrap_or_default();
    format!("{:?}", String::from_utf8_lossy(name))
}

/// What to do when `peer` dials. If both have dialled, the session of the node with the lower
/// number stays, and whichever of the two sees that first says so. A node that dials although there
/// is a session has lost it.
pub fn meet(me: NodeId, hello: &Hello, standing: Standing) -> Meeting {
    match (hello.class, standing) {
        (Class::Message, Standing::Dialling { greeted: true }) if me < hello.node => {
            Meeting::Refuse(Refusal::Crossed, "both nodes have dialled".to_owned())
        }
        (Class::Message, _) => Meeting::Begin,
        (Class::Bulk, Standing::Half { session }) if session == hello.session => Meeting::Join,
        (Class::Bulk, _) => Meeting::Refuse(
            Refusal::Wrong,
            "the session that this bulk connection is for is over".to_owned(),
        ),
    }
}

#[cfg(test)]
#[path = "handshake_test.rs"]
mod tests;
