//! A node: directory, fabric, event loop and control API put together.
//!
//! [`service::Node`] is what `dvs-node` runs; [`in_process::InProcess`] is the same inside a VMM
//! that has no node named in its configuration.

mod api;
pub mod client;
mod cluster;
pub mod cluster_config;
pub mod config;
pub mod control;
mod endpoints;
pub mod in_process;
mod join;
mod metrics;
mod moves;
mod orders;
mod refusal;
pub mod service;
mod trace;

pub use cluster_config::ClusterConfig;
pub use config::NodeConfig;
pub use in_process::InProcess;
pub use service::{Control, Node, NodeError};
