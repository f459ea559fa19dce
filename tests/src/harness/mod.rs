//! Starts hosts and guests, talks to programs in the guests, and bounds everything in time.
//!
//! A [`Lab`] knows where kernel, image and programs are. A [`Host`] is a `dvs-node` process, in a
//! network namespace of its own when we are root. A [`Cluster`] is several of them with wires
//! between them and a directory that they share; it cuts and kills what it is asked to. A [`Guest`] is a process of `dvs-vmm` (or of
//! QEMU, for the peers of benchmarks) with a log of its serial line and an agent on its second
//! one, which runs commands. Whatever is dropped is ended.

mod agent;
mod cluster;
mod etcd;
mod guest;
mod hardware;
mod host;
mod lab;
mod migration;
mod network;
mod process;
mod program;
mod qmp;
mod socket;

pub use agent::{Output, Task};
pub use cluster::{Cluster, ClusterSpec, Destination, Member, Privacy};
pub use etcd::Etcd;
pub use guest::{Guest, GuestSpec};
pub use hardware::{Attachment, Hypervisor};
pub use host::{Host, PortCounters};
pub use lab::{Lab, Settings};
pub use migration::{Migrated, Moving, Outcome, Strategy, Wishes};
pub use network::{Namespace, Wire};
pub use process::{Activity, Process};
pub use program::Program;
pub use qmp::{QemuMemory, QemuMigration};

use std::time::Duration;

/// Something did not happen in time, and nothing else is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Late(pub String);

/// A boot may take this long; in an emulated machine it takes 4 to 11 s.
pub const BOOT_LIMIT: Duration = Duration::from_secs(120);
/// A command that does nothing lengthy.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(30);
