//! One internal API for everything that the VMM is told: REST, the configuration file and the command line.

pub mod config;
pub mod flags;
pub mod metrics;
pub mod rest;

use serde::{Deserialize, Serialize};

use crate::control::Counters;
use crate::migration::request::{ReceiveMigration, SendMigration};
use config::{ConfigError, VmConfig};
use dvs_migration::progress::Progress;

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
    /// Begin to move it to another host.
    SendMigration(Box<SendMigration>),
    /// Wait for a machine that moves to this host.
    ReceiveMigration(Box<ReceiveMigration>),
    /// How far the migration is that is under way, or how the last one ended.
    MigrationProgress,
    /// Have the machine stay where it is.
    MigrationCancel,
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
    /// To [`Request::ReceiveMigration`].
    Receiving(Receiving),
    /// To [`Request::MigrationProgress`].
    Progress(Box<Progress>),
}

/// Where a machine is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiving {
    /// What the source is given as `destination_url`.
    pub url: String,
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
    /// Nothing moves, nor has anything.
    #[error("there is no migration: start one by vm.send-migration or vm.receive-migration")]
    NoMigration,
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
