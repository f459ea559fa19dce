//! How a node talks to others.

use crate::directory::NodeId;
use crate::frame::Class;
use crate::link::codec::CLUSTER_MAX;
use crate::range::{OutOfRange, in_range};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Notices may go this much over the limit of a connection's output, in bytes.
pub const NOTICE_SLACK: usize = 256 << 10;
/// Least limit of a message connection's output in bytes.
const MESSAGE_OUTPUT_MIN: u64 = 4096;
/// Least limit of a bulk connection's output in bytes: a frame more than fills half of it.
const BULK_OUTPUT_MIN: u64 = 131_072;
/// Largest limit of an output buffer in bytes.
const OUTPUT_MAX: usize = 64 << 20;

/// How a node talks to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// Number of this node in its cluster.
    pub me: NodeId,
    /// Name of the cluster, 1 to 32 bytes. Nodes of another cluster are refused.
    pub cluster: String,
    /// Where other nodes connect.
    pub listen: SocketAddr,
    /// Talk without TLS: whoever reaches `listen` may speak as any node. Only for a network on
    /// which nobody else is, and for trying.
    #[serde(default)]
    pub plaintext: bool,
    /// The node's certificate. Needed unless `plaintext`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// After how long a silent peer counts as dead, 500 to 60000 milliseconds.
    #[serde(default = "default_keepalive")]
    pub keepalive_ms: u64,
    /// Whether bulk frames are compressed.
    #[serde(default)]
    pub lz4: Lz4,
    /// What peers may cost.
    #[serde(default)]
    pub limits: LinkLimits,
}

/// Files in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The node's certificate, and those between it and the CA. It must name the node: a DNS name
    /// `node-<id>.dvs` among its subject alternative names. A certificate that restricts its use
    /// must be for servers and for clients.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Certificates of the CAs that peers' certificates must come from.
    pub ca: PathBuf,
}

impl TlsFiles {
    /// The files that `dvsctl pki` makes for a node.
    pub fn in_directory(directory: &Path, node: NodeId) -> TlsFiles {
        let file = |name: String| directory.join(name);
        TlsFiles {
            cert: file(format!("node-{}.pem", node.0)),
            key: file(format!("node-{}.key", node.0)),
            ca: file("ca.pem".to_owned()),
        }
    }
}

/// Whether bulk frames are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lz4 {
    /// Where it pays, if the peer does so too.
    #[default]
    Auto,
    /// In neither direction.
    Off,
}

/// What peers may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkLimits {
    /// Bytes that wait to be written to one peer's message connection, 4096 to 67108864. Notices
    /// may go over it by 256 KiB.
    pub message_output: usize,
    /// The same for its bulk connection, 131072 to 67108864.
    pub bulk_output: usize,
    /// Peers at once, 1 to 65535.
    pub peers: usize,
    /// Incoming connections that have not said who they are, 1 to 4096.
    pub handshakes: usize,
    /// How long a handshake may take, 100 to 60000 milliseconds.
    pub handshake_ms: u64,
}

impl Default for LinkLimits {
    fn default() -> LinkLimits {
        LinkLimits {
            message_output: 1 << 20,
            bulk_output: 2 << 20,
            peers: 4096,
            handshakes: 64,
            handshake_ms: 5000,
        }
    }
}

/// Why a configuration of links is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LinkConfigError {
    /// A number is out of its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
    /// The cluster needs a name.
    #[error("cluster is {0:?}; it must have 1 to {CLUSTER_MAX} bytes, none of them zero")]
    Cluster(String),
    /// Neither TLS nor plaintext.
    #[error(
        "links need certificates: give tls.cert, tls.key and tls.ca (`dvsctl pki` makes some for trying), or say \"plaintext\": true where nobody else is on the network"
    )]
    NoTls,
    /// Both TLS and plaintext.
    #[error("tls is given, but \"plaintext\": true says not to use it; leave one of them out")]
    Both,
}

const fn default_keepalive() -> u64 {
    3000
}

impl LinkConfig {
    /// A node that talks in plaintext; everything else as by default.
    pub fn plaintext(me: NodeId, cluster: &str, listen: SocketAddr) -> LinkConfig {
        LinkConfig {
            me,
            cluster: cluster.to_owned(),
            listen,
            plaintext: true,
            tls: None,
            keepalive_ms: default_keepalive(),
            lz4: Lz4::default(),
            limits: LinkLimits::default(),
        }
    }

    /// The same with certificates.
    pub fn with_tls(mut self, files: TlsFiles) -> LinkConfig {
        self.plaintext = false;
        self.tls = Some(files);
        self
    }

    /// Checks everything against its limits.
    pub fn validate(&self) -> Result<(), LinkConfigError> {
        let name = &self.cluster;
        if name.is_empty() || name.len() > CLUSTER_MAX || name.contains('\0') {
            return Err(LinkConfigError::Cluster(name.clone()));
        }
        match (&self.tls, self.plaintext) {
            (None, false) => return Err(LinkConfigError::NoTls),
            (Some(_), true) => return Err(LinkConfigError::Both),
            _ => {}
        }
        let limits = &self.limits;
        in_range("keepalive_ms", self.keepalive_ms, 500, 60_000)?;
        in_output_range(
            "limits.message_output",
            limits.message_output,
            MESSAGE_OUTPUT_MIN,
        )?;
        in_output_range("limits.bulk_output", limits.bulk_output, BULK_OUTPUT_MIN)?;
        in_range("limits.peers", limits.peers as u64, 1, 65_535)?;
        in_range("limits.handshakes", limits.handshakes as u64, 1, 4096)?;
        Ok(in_range(
            "limits.handshake_ms",
            limits.handshake_ms,
            100,
            60_000,
        )?)
    }

    /// After how long a silent peer counts as dead.
    pub fn keepalive(&self) -> Duration {
        Duration::from_millis(self.keepalive_ms)
    }
}

impl LinkLimits {
    /// Bytes that may wait to be written to a connection, without notices.
    pub const fn output(&self, class: Class) -> usize {
        match class {
            Class::Message => self.message_output,
            Class::Bulk => self.bulk_output,
        }
    }

    /// How long a handshake may take.
    pub const fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms)
    }
}

fn in_output_range(name: &'static str, value: usize, min: u64) -> Result<(), OutOfRange> {
    in_range(name, value as u64, min, OUTPUT_MAX as u64)
}

#[cfg(test)]
#[path = "config_test.rs"]
mod tests;
