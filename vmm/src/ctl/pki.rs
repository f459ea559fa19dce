//! Certificates for the links between nodes.

use std::time::SystemTime;

use serde_json::{Value, json};
use virtio_dvs::directory::NodeId;
use virtio_dvs::link::pki::{PkiError, make_ca, make_node};

use super::args::PkiCommand;

/// Makes what is asked for; gives the files.
pub fn run(command: &PkiCommand, now: SystemTime) -> Result<Value, PkiError> {
    let made = match command {
        PkiCommand::Ca { dir } => make_ca(dir, now)?,
        PkiCommand::Node { dir, id, host } => make_node(dir, NodeId(*id), host, now)?,
    };
    Ok(json!({ "cert": made.cert, "key": made.key }))
}
