//! The node inside a VMM: one VM, the same code, a socket pair instead of a socket.

use crate::node::config::NodeConfig;
use crate::node::service::{Control, Node, NodeError};
use crate::switch::PortId;
use crate::vm::VmAttributes;
use std::os::unix::net::UnixStream;

/// A node of one process with one VM. It ends when this is dropped.
#[derive(Debug)]
pub struct InProcess {
    node: Node,
    port: PortId,
    vm: u32,
}

impl InProcess {
    /// Starts a node and attaches the VM; gives the VMM's end of the vhost-user connection.
    pub fn start(vm: VmAttributes) -> Result<(InProcess, UnixStream), NodeError> {
        let config = NodeConfig {
            max_vms: 1,
            // Whoever maps the memory and whoever could shorten it are one process.
            allow_unsealed_memory: true,
            ..NodeConfig::default()
        };
        let node = Node::start_loop(config)?;
        let id = vm.vm;
        let port = node.control().add_port(vm)?;
        let in_process = InProcess { node, port, vm: id };
        let stream = in_process.connect()?;
        Ok((in_process, stream))
    }

    /// Another connection, after the last one was closed: the VM begins a new life.
    pub fn connect(&self) -> Result<UnixStream, NodeError> {
        self.node.control().connect(self.port, self.vm)
    }

    /// What can be done with the node.
    pub fn control(&self) -> &Control {
        self.node.control()
    }
}
