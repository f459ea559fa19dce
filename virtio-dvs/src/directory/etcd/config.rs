//! How a node finds etcd, and how it proves who it is.

use crate::range::{OutOfRange, in_range};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Members of an etcd cluster that may be given.
pub const ENDPOINTS_MAX: usize = 16;
/// Longest prefix of the keys, in bytes.
pub const PREFIX_MAX: usize = 256;
/// Least `ttl_ms`: etcd grants no shorter lease.
pub const TTL_MIN_MS: u64 = 2_000;
/// Largest `ttl_ms`.
pub const TTL_MAX_MS: u64 = 60_000;
/// Least `timeout_ms`.
pub const TIMEOUT_MIN_MS: u64 = 100;
/// Largest `timeout_ms`.
pub const TIMEOUT_MAX_MS: u64 = 600_000;

/// A directory on etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EtcdConfig {
    /// Where its members listen for clients: `http://host:2379` or `https://host:2379`.
    pub endpoints: Vec<String>,
    /// What all keys begin with; it ends with a slash. Clusters of nodes that are to share nothing
    /// have different ones.
    pub prefix: String,
    /// Name at etcd, where it asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password of `user`, on its first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Certificate of the authority that signed etcd's, in PEM; https needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// This node's certificate, in PEM, where etcd asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// The key of `cert`, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// How long after it was last heard of a node is given up, 2000 to 60000 milliseconds.
    pub ttl_ms: u64,
    /// How long the node tries to reach etcd when it starts, 100 to 600000 milliseconds.
    pub timeout_ms: u64,
}

impl Default for EtcdConfig {
    fn default() -> EtcdConfig {
        EtcdConfig {
            endpoints: Vec::new(),
            prefix: "/dvs/v1/".to_owned(),
            user: None,
            password_file: None,
            ca: None,
            cert: None,
            key: None,
            ttl_ms: 5_000,
            timeout_ms: 10_000,
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EtcdConfigError {
    /// Too few or too many endpoints.
    #[error("{0} etcd endpoints are given; give 1 to {ENDPOINTS_MAX}")]
    Endpoints(usize),
    /// An endpoint is not a URL.
    #[error("the etcd endpoint {0:?} must begin with http:// or https://")]
    Scheme(String),
    /// Some endpoints are encrypted and some are not.
    #[error("the etcd endpoints must all begin with http://, or all with https://")]
    Mixed,
    /// An encrypted endpoint needs a CA.
    #[error("etcd endpoints with https:// need \"ca\", the certificate of their authority")]
    NoCa,
    /// Files for TLS without TLS.
    #[error("\"ca\", \"cert\" and \"key\" are for etcd endpoints with https:// only")]
    NoTls,
    /// One of two fields that belong together is missing.
    #[error("\"{0}\" and \"{1}\" are given together or not at all")]
    Together(&'static str, &'static str),
    /// The prefix cannot be one.
    #[error("the prefix {0:?} must end with a slash and be at most {PREFIX_MAX} bytes")]
    Prefix(String),
    /// A number is out of its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
}

impl EtcdConfig {
    /// Checks every field.
    pub fn validate(&self) -> Result<(), EtcdConfigError> {
        self.check_endpoints()?;
        if !self.prefix.ends_with('/') || self.prefix.len() > PREFIX_MAX {
            return Err(EtcdConfigError::Prefix(self.prefix.clone()));
        }
        if self.user.is_some() != self.password_file.is_some() {
            return Err(EtcdConfigError::Together("user", "password_file"));
        }
        if self.cert.is_some() != self.key.is_some() {
            return Err(EtcdConfigError::Together("cert", "key"));
        }
        in_range("ttl_ms", self.ttl_ms, TTL_MIN_MS, TTL_MAX_MS)?;
        let (min, max) = (TIMEOUT_MIN_MS, TIMEOUT_MAX_MS);
        Ok(in_range("timeout_ms", self.timeout_ms, min, max)?)
    }

    fn check_endpoints(&self) -> Result<(), EtcdConfigError> {
        if !(1..=ENDPOINTS_MAX).contains(&self.endpoints.len()) {
            return Err(EtcdConfigError::Endpoints(self.endpoints.len()));
        }
        let plain = |url: &String| url.starts_with("http://");
        let strange = |url: &&String| !plain(url) && !url.starts_with("https://");
        if let Some(url) = self.endpoints.iter().find(strange) {
            return Err(EtcdConfigError::Scheme(url.clone()));
        }
        let encrypted = self.endpoints.iter().filter(|url| !plain(url)).count();
        if encrypted == 0 && (self.ca.is_some() || self.cert.is_some()) {
            return Err(EtcdConfigError::NoTls);
        }
        if encrypted != 0 && encrypted != self.endpoints.len() {
            return Err(EtcdConfigError::Mixed);
        }
        if encrypted != 0 && self.ca.is_none() {
            return Err(EtcdConfigError::NoCa);
        }
        Ok(())
    }

    /// How long a lease lasts.
    pub(super) const fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }

    /// How long the start may take, but for waiting until another node is gone.
    pub(super) const fn patience(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

#[cfg(test)]
#[path = "config_test.rs"]
mod tests;
