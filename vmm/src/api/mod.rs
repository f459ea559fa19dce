//! One internal API for everything that the VMM is told: REST, the configuration file and the command line.

pub mod config;
pub mod flags;
pub mod metrics;
pub mod rest;

use serde::{Deserialize, Serialize};

use crate::control::Counters;
use config::{ConfigError, VmConfig};

/// What can be asked of the VMM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Is it there, and which version?
    Ping,
    /// End the VMM and its machine.
    VmmShutdown,
    /// Create a machine.
    Create(Box<VmConfig>),
    /// Boot it.
    Boot,
    /// Its configuration and state.
    Info,
    /// Counters of its vCPUs and devices.
    Counters,
    /// Stop it where it is.
    Pause,
    /// Let it go on.
    Resume,
    /// End the machine without asking the guest.
    Shutdown,
    /// End it and boot it again.
    Reboot,
    /// Press its power button.
    PowerButton,
    /// Forget it.
    Delete,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Done.
    Empty,
    /// To [`Request::Ping`].
    Ping(VmmPing),
    /// To [`Request::Info`].
    Info(Box<VmInfo>),
    /// To [`Request::Counters`].
    Counters(Counters),
}

/// The VMM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmmPing {
    /// Version of this program.
    pub version: String,
    /// Its process id.
    pub pid: u32,
}

impl VmmPing {
    /// This process.
    pub fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
        }
    }
}

/// Where a machine is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VmState {
    /// Never booted.
    Created,
    /// The guest runs.
    Running,
    /// The guest is stopped where it is.
    Paused,
    /// Was booted and has been shut down.
    Shutdown,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmInfo {
    /// Its configuration.
    pub config: VmConfig,
    /// Where it is in its life.
    pub state: VmState,
    /// Bytes of memory it has.
    pub memory_actual_size: u64,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// There is no machine.
    #[error("there is no virtual machine: create one first")]
    NoVm,
    /// A value is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Not in this state.
    #[error("{0}")]
    Conflict(String),
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
}
