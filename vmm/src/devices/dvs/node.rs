//! Where the node is: behind a socket, or in this process.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use virtio_dvs::node::InProcess;
use virtio_dvs::vm::VmAttributes;

use crate::api::config::DvsConfig;

/// Why there is no connection to the node.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Nobody listens on the socket.
    #[error(
        "cannot connect to the node at {path:?}: {source} (is dvs-node running, and is this VM attached to it?)"
    )]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The node in this process does not work.
    #[error("the node in this process refuses: {0}")]
    InProcess(#[from] virtio_dvs::node::NodeError),
    /// The node does not do what it must.
    #[error("the node's connection cannot be used: {0}")]
    Session(#[from] super::backend::SessionError),
    /// There is no connection.
    #[error("the node is away")]
    Away,
    /// The machine moves, so that nothing is connected now.
    #[error("the connection to the node is held while the machine moves")]
    Held,
    /// There is no place to note what the node writes.
    #[error("cannot make a log of what the node writes: {0}")]
    Log(io::Error),
    /// An event descriptor could not be made.
    #[error("cannot watch the node: {0}")]
    Watch(io::Error),
}

/// The way to the node.
#[derive(Debug)]
pub enum NodeLink {
    /// Behind a vhost-user socket.
    Socket(PathBuf),
    /// In this process, by the same code; with the first connection until it is used.
    InProcess(Box<InProcess>, Mutex<Option<UnixStream>>),
}

impl NodeLink {
    /// The way that `config` names; starts a node where it names none.
    pub fn open(config: &DvsConfig) -> Result<Self, NodeError> {
        if let Some(path) = &config.socket {
            return Ok(Self::Socket(path.clone()));
        }
        let (vm, dcid) = (config.vm, config.dcid);
        let attributes = VmAttributes {
            // Nobody else is there to be administered.
            admin: true,
            ..VmAttributes::new(vm.unwrap_or_default(), dcid.unwrap_or_default())
        };
        let (node, stream) = InProcess::start(attributes)?;
        Ok(Self::InProcess(Box::new(node), Mutex::new(Some(stream))))
    }

    /// A new connection.
    pub fn connect(&self) -> Result<UnixStream, NodeError> {
        match self {
            Self::Socket(path) => UnixStream::connect(path).map_err(|source| NodeError::Connect {
                path: path.clone(),
                source,
            }),
            Self::InProcess(node, first) => {
                let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
                first.map_or_else(|| Ok(node.connect()?), Ok)
            }
        }
    }

    /// The socket's path, where there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Socket(path) => Some(path),
            Self::InProcess(..) => None,
        }
    }
}
