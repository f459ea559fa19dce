//! Where the record of a VM says that it is: what is seen of it when it moves.

use crate::directory::{NodeId, VmRecord};

/// Where a VM lives, whether or not that life goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The node that has it.
    pub node: NodeId,
    /// Grows whenever the VM begins a life or moves.
    pub epoch: u32,
    /// Its last life.
    pub incarnation: u32,
}

impl Place {
    /// Whether both are one placement of a VM: an epoch never comes back.
    pub fn is_same(&self, other: &Place) -> bool {
        self.node == other.node && self.epoch == other.epoch
    }
}

/// What is seen of a VM that some node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it is.
    pub place: Place,
    /// Who it is and whether its life goes on. What it has bound is told only to the node that has
    /// taken it.
    pub record: VmRecord,
}
