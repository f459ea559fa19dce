//! How much the switch keeps: for whoever watches that nothing grows.

use crate::switch::port::Port;
use crate::switch::{PortId, Switch};

/// Numbers of what a switch keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Ports.
    pub ports: usize,
    /// Endpoints that are bound at them.
    pub endpoints: usize,
    /// Requests that the directory has not answered.
    pub asked: usize,
    /// VMs elsewhere of which it is known where they live, or asked.
    pub routes: usize,
    /// Ports that wait to know where a VM lives.
    pub waiting: usize,
    /// Nodes that wait until it is known whether a VM lives there.
    pub claims: usize,
    /// RETRYs and other frames that are owed.
    pub owed: usize,
    /// Actions that were not taken yet.
    pub actions: usize,
}

impl Switch {
    /// How much it keeps now.
    pub fn usage(&self) -> Usage {
        let ports = || self.ports.iter().flatten();
        let owed: usize = ports().map(Port::owed_len).sum();
        let mut usage = Usage {
            ports: self.by_vm.len(),
            endpoints: ports().map(|it| it.bound.len()).sum(),
            asked: self.pending.len(),
            owed,
            actions: self.actions.len(),
            ..Usage::default()
        };
        if let Some(cluster) = &self.cluster {
            (usage.routes, usage.waiting, usage.claims) = cluster.routes.usage();
            usage.owed += cluster.owed_len();
        }
        usage
    }

    /// The epoch of the port's VM: that of its life, or of the last one.
    pub fn epoch(&self, id: PortId) -> Option<u32> {
        self.port(id).map(|port| port.epoch)
    }

    /// Whether frames may go to other nodes and come from them.
    pub fn serves_others(&self) -> bool {
        let cluster = self.cluster.as_ref();
        cluster.is_some_and(|it| it.standing.is_good())
    }
}
