//! How a node takes part in a cluster.

use crate::directory::NodeId;
use crate::directory::etcd::{EtcdConfig, EtcdConfigError};
use crate::link::{LinkConfig, LinkConfigError, LinkLimits, Lz4, TlsFiles};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use thiserror::Error;

/// Name of a cluster that has no other.
const NAME: &str = "dvs";
/// After how long a silent peer counts as dead, unless it is said otherwise, in milliseconds.
const KEEPALIVE_MS: u64 = 3_000;

/// How a node takes part in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// Name of the cluster, 1 to 32 bytes: nodes of different clusters do not talk to each other.
    #[serde(default = "default_name")]
    pub name: String,
    /// Where other nodes connect.
    pub listen: SocketAddr,
    /// Where other nodes find it, if that is not `listen`: "host:port", the host in numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// Talk without TLS: whoever reaches `listen` may speak as any node.
    #[serde(default)]
    pub plaintext: bool,
    /// The node's certificate; needed unless `plaintext`. It is read again at SIGHUP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// After how long a silent peer counts as dead, 500 to 60000 milliseconds.
    #[serde(default = "default_keepalive")]
    pub keepalive_ms: u64,
    /// Whether bulk frames are compressed: auto or off.
    #[serde(default)]
    pub lz4: Lz4,
    /// What peers may cost.
    #[serde(default)]
    pub limits: LinkLimits,
    /// The directory.
    pub etcd: EtcdConfig,
}

fn default_name() -> String {
    NAME.to_owned()
}

const fn default_keepalive() -> u64 {
    KEEPALIVE_MS
}

/// Why a node cannot take part in a cluster as it is told.
#[derive(Debug, Error)]
pub enum ClusterConfigError {
    /// Others cannot connect to this address.
    #[error(
        "other nodes cannot find this one at {0}; give the address by which they reach it (cluster.address)"
    )]
    Address(SocketAddr),
    /// About the links.
    #[error("cluster: {0}")]
    Links(#[from] LinkConfigError),
    /// About etcd.
    #[error("cluster.etcd: {0}")]
    Etcd(#[from] EtcdConfigError),
}

impl ClusterConfig {
    /// A node that listens there and finds its directory there; the rest as by default, with
    /// neither certificates nor leave to do without.
    pub fn new(listen: SocketAddr, etcd: EtcdConfig) -> ClusterConfig {
        ClusterConfig {
            name: default_name(),
            listen,
            address: None,
            plaintext: false,
            tls: None,
            keepalive_ms: KEEPALIVE_MS,
            lz4: Lz4::default(),
            limits: LinkLimits::default(),
            etcd,
        }
    }

    /// Where other nodes find this one.
    pub fn address(&self) -> SocketAddr {
        self.address.unwrap_or(self.listen)
    }

    /// How links work.
    pub fn links(&self, me: NodeId) -> LinkConfig {
        LinkConfig {
            me,
            cluster: self.name.clone(),
            listen: self.listen,
            plaintext: self.plaintext,
            tls: self.tls.clone(),
            keepalive_ms: self.keepalive_ms,
            lz4: self.lz4,
            limits: self.limits,
        }
    }

    /// Checks everything against its limits.
    pub fn validate(&self) -> Result<(), ClusterConfigError> {
        let address = self.address();
        if address.ip().is_unspecified() || address.port() == 0 {
            return Err(ClusterConfigError::Address(address));
        }
        self.links(NodeId::default()).validate()?;
        Ok(self.etcd.validate()?)
    }
}

#[cfg(test)]
#[path = "cluster_config_test.rs"]
mod tests;
