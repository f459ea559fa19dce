//! Configuration of a node: defaults, a TOML or JSON file, and flags over it.

use crate::node::cluster_config::{ClusterConfig, ClusterConfigError};
use crate::range::{OutOfRange, in_range};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Largest configuration file, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Largest `max_vms`.
pub const VMS_MAX: usize = 4096;
/// Largest `nodeid`: programs take it as an `int`.
pub const NODEID_MAX: u32 = i32::MAX.unsigned_abs();
/// Largest `grace_ms`: a day.
pub const GRACE_MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// How a node works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// Where the control API listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_socket: Option<PathBuf>,
    /// Directory of the vhost-user sockets, one for each VM: `vm-<id>.sock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_dir: Option<PathBuf>,
    /// What a node that is started again must know. In a cluster the directory knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_file: Option<PathBuf>,
    /// Number of this node that programs of the DVS see, at most 2147483647.
    pub nodeid: u32,
    /// VMs attached at once, 1 to 4096.
    pub max_vms: usize,
    /// After a start: how long VMMs of driving VMs have to come back, in milliseconds.
    pub grace_ms: u64,
    /// Accept guest memory in files that may be shortened while in use. A VMM that does so ends
    /// the node, and with it the connections of all VMs.
    pub allow_unsealed_memory: bool,
    /// How it takes part in a cluster; without it the host is alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterConfig>,
    /// TCP address at which Prometheus finds `/metrics`, and nothing else; none where left out. Whoever
    /// reaches it can read the figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_listen: Option<SocketAddr>,
}

impl Default for NodeConfig {
    fn default() -> NodeConfig {
        NodeConfig {
            api_socket: None,
            run_dir: None,
            state_file: None,
            nodeid: 0,
            max_vms: 256,
            grace_ms: 30_000,
            allow_unsealed_memory: false,
            cluster: None,
            metrics_listen: None,
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is too large.
    #[error("the configuration file {0} is larger than {FILE_MAX} bytes")]
    TooLarge(PathBuf),
    /// It is not what it should be.
    #[error("the configuration file {path} is not understood: {error}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: String,
    },
    /// About the cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterConfigError),
    /// Two places for one thing.
    #[error(
        "state_file is for a host that is alone: the directory of the cluster knows what is in it; leave one of them out"
    )]
    StateFileInCluster,
    /// A number is out of its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
}

impl NodeConfig {
    /// Reads a file: TOML if its name ends in `.toml`, otherwise JSON.
    pub fn load(path: &Path) -> Result<NodeConfig, ConfigError> {
        let fail = |error| ConfigError::Io {
            path: path.to_path_buf(),
            error,
        };
        let mut text = Vec::new();
        let file = File::open(path).map_err(fail)?;
        file.take(FILE_MAX + 1)
            .read_to_end(&mut text)
            .map_err(fail)?;
        if text.len() as u64 > FILE_MAX {
            return Err(ConfigError::TooLarge(path.to_path_buf()));
        }
        let parsed = match path.extension() {
            Some(it) if it == "toml" => toml::from_slice(&text).map_err(|it| it.to_string()),
            _ => serde_json::from_slice(&text).map_err(|it| it.to_string()),
        };
        parsed.map_err(|error| ConfigError::Format {
            path: path.to_path_buf(),
            error,
        })
    }

    /// Checks every number against its limits.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("nodeid", self.nodeid.into(), 0, NODEID_MAX.into())?;
        in_range("max_vms", self.max_vms as u64, 1, VMS_MAX as u64)?;
        in_range("grace_ms", self.grace_ms, 0, GRACE_MAX_MS)?;
        let Some(cluster) = &self.cluster else {
            return Ok(());
        };
        if self.state_file.is_some() {
            return Err(ConfigError::StateFileInCluster);
        }
        Ok(cluster.validate()?)
    }
}

#[cfg(test)]
#[path = "config_test.rs"]
mod tests;
