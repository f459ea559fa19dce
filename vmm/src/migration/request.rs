//! What a migration is asked for with: the bodies of `vm.send-migration` and `vm.receive-migration`.
//!
//! Field names are Cloud Hypervisor's where both have the thing.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use dvs_migration::pages::{Compression, MAX_STREAMS};
use dvs_migration::precopy::{self, AtTimeout, SLOWEST};
use dvs_migration::source;
use serde::{Deserialize, Serialize};
use virtio_dvs::directory::NodeId;

use super::channel::Security;
use crate::api::config::{ConfigError, ConsoleConfig, check_socket, refuse};

/// What names standard input instead of an address.
const STDIN: &str = "stdin";
/// Longest downtime that can be allowed, in milliseconds.
const MAX_DOWNTIME_MS: u64 = 60_000;
/// Longest time of a migration, in seconds: a week.
const MAX_TIMEOUT_S: u64 = 7 * 24 * 3600;

/// What happens when the time is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeoutStrategy {
    /// The VM stays where it is.
    #[default]
    #[serde(alias = "Cancel")]
    Cancel,
    /// The guest stops for as long as it takes.
    #[serde(alias = "ignore", alias = "Ignore", alias = "Force")]
    Force,
}

/// Body of `vm.send-migration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendMigration {
    /// Where the destination listens: `tcp:HOST:PORT`.
    pub destination_url: String,
    /// Number of the destination's node, which its certificate must name. Needed with `tls_dir`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_node: Option<u32>,
    /// For how long the guest may stand still, 1 to 60,000 milliseconds.
    #[serde(default = "downtime_ms")]
    pub downtime_ms: u64,
    /// Time until the guest stops, 1 second to a week.
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
    /// What happens after it.
    #[serde(default)]
    pub timeout_strategy: TimeoutStrategy,
    /// Data streams, 1 to 64.
    #[serde(default = "connections")]
    pub connections: u16,
    /// Bytes per second while the guest runs, at least 1,048,576; left out: as fast as it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_bytes_per_s: Option<u64>,
    /// How pages are packed: none or lz4.
    #[serde(default)]
    pub compression: Compression,
    /// Whether a guest that writes faster than its pages can be sent is slowed down.
    #[serde(default = "yes")]
    pub auto_converge: bool,
    /// Where the node's certificate, its key and the CA are, as `dvsctl pki` names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_dir: Option<PathBuf>,
    /// Everything goes over the network as it is, and nobody is checked.
    #[serde(default)]
    pub plaintext: bool,
}

/// Body of `vm.receive-migration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiveMigration {
    /// Where to listen: `tcp:HOST:PORT`; port 0: any that is free. `stdin`: the source is connected
    /// to standard input.
    pub receiver_url: String,
    /// The control socket of this host's node.
    pub node: PathBuf,
    /// Where the first serial port leads here; left out: to where it led.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<ConsoleConfig>,
    /// Where the second one leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<ConsoleConfig>,
    /// Most bytes of guest memory that are taken; left out: what the host has free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<u64>,
    /// Where the node's certificate, its key and the CA are, as `dvsctl pki` names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_dir: Option<PathBuf>,
    /// Everything goes over the network as it is, and nobody is checked.
    #[serde(default)]
    pub plaintext: bool,
}

fn downtime_ms() -> u64 {
    300
}

fn timeout_s() -> u64 {
    3600
}

fn connections() -> u16 {
    1
}

fn yes() -> bool {
    true
}

impl SendMigration {
    /// Checks what the types alone do not say.
    pub fn check(&self) -> Result<(), ConfigError> {
        address(&self.destination_url, "destination_url")?;
        range("downtime_ms", self.downtime_ms, 1..=MAX_DOWNTIME_MS)?;
        range("timeout_s", self.timeout_s, 1..=MAX_TIMEOUT_S)?;
        range(
            "connections",
            self.connections.into(),
            1..=MAX_STREAMS.into(),
        )?;
        if let Some(bandwidth) = self.bandwidth_bytes_per_s {
            range("bandwidth_bytes_per_s", bandwidth, SLOWEST..=u64::MAX)?;
        }
        if self.compression == Compression::Zstd {
            return refuse(
                "compression",
                "this release packs pages with lz4, or not at all",
            );
        }
        if self.tls_dir.is_some() && self.destination_node.is_none() {
            return refuse(
                "destination_node",
                "the certificate of the destination names its node: give the number",
            );
        }
        secured(self.tls_dir.is_some(), self.plaintext)
    }

    /// How the machine leaves.
    pub fn config(&self) -> source::Config {
        let defaults = precopy::Config::default();
        source::Config {
            precopy: precopy::Config {
                downtime: Duration::from_millis(self.downtime_ms),
                timeout: Duration::from_secs(self.timeout_s),
                at_timeout: match self.timeout_strategy {
                    TimeoutStrategy::Cancel => AtTimeout::Cancel,
                    TimeoutStrategy::Force => AtTimeout::Force,
                },
                bandwidth: self.bandwidth_bytes_per_s,
                throttling: defaults.throttling.filter(|_| self.auto_converge),
                ..defaults
            },
            ..source::Config::default()
        }
    }

    /// Where the destination listens.
    pub fn address(&self) -> Result<SocketAddr, ConfigError> {
        resolve(&self.destination_url, "destination_url")
    }

    /// How connections are secured, by a host whose node has this number.
    pub fn security(&self, node: u32) -> Result<Security, String> {
        Security::load(self.tls_dir.as_deref(), NodeId(node))
    }
}

impl ReceiveMigration {
    /// Checks what the types alone do not say.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.receiver_url != STDIN {
            address(&self.receiver_url, "receiver_url")?;
        }
        check_socket("node", &self.node)?;
        if let Some(serial) = &self.serial {
            serial.check("serial")?;
        }
        if let Some(console) = &self.console {
            console.check("console")?;
        }
        secured(self.tls_dir.is_some(), self.plaintext)
    }

    /// Where to listen; `None`: the source is connected to standard input.
    pub fn address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        if self.receiver_url == STDIN {
            return Ok(None);
        }
        resolve(&self.receiver_url, "receiver_url").map(Some)
    }

    /// How connections are secured, by a host whose node has this number.
    pub fn security(&self, node: u32) -> Result<Security, String> {
        Security::load(self.tls_dir.as_deref(), NodeId(node))
    }
}

fn secured(tls: bool, plaintext: bool) -> Result<(), ConfigError> {
    match (tls, plaintext) {
        (false, false) => refuse(
            "tls_dir",
            "guest memory goes over the network: name the directory of the certificates, or set plaintext to true where nobody else is on it",
        ),
        (true, true) => refuse("plaintext", "leave it out where tls_dir is given"),
        _ => Ok(()),
    }
}

fn range(
    field: &str,
    value: u64,
    allowed: std::ops::RangeInclusive<u64>,
) -> Result<(), ConfigError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    refuse(
        field,
        format!(
            "{value} is not from {} to {}",
            allowed.start(),
            allowed.end()
        ),
    )
}

fn address<'a>(url: &'a str, field: &str) -> Result<&'a str, ConfigError> {
    match url.strip_prefix("tcp:") {
        Some(address) => Ok(address.trim_start_matches("//")),
        None => refuse(field, format!("{url} is not of the form tcp:HOST:PORT")),
    }
}

fn resolve(url: &str, field: &str) -> Result<SocketAddr, ConfigError> {
    let found = address(url, field)?.to_socket_addrs();
    match found.map(|mut all| all.next()) {
        Ok(Some(address)) => Ok(address),
        Ok(None) => refuse(field, format!("{url} has no address")),
        Err(error) => refuse(field, format!("{url} is not understood: {error}")),
    }
}

#[cfg(test)]
#[path = "request_test.rs"]
mod tests;
