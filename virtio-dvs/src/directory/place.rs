//! Where the record of a VM says that it is: what is seen of it when it moves.

use crate::directory::{NodeId, VmRecord};
use serde::{Deserialize, Serialize};

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

/// Whether a VM that was taken has run where it was taken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// It has, or may have.
    #[default]
    Made,
    /// Not as far as is known; it may at any moment.
    Awaited,
    /// It has not, and never will: whoever it was taken from may take it back.
    Declined,
}

impl Start {
    /// What need not be said.
    pub(super) fn is_made(&self) -> bool {
        *self == Start::Made
    }
}

/// What a record says of where a VM lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Residence {
    /// Where it is.
    pub place: Place,
    /// Whether it has run there.
    pub start: Start,
}

impl From<Place> for Residence {
    /// It has run there.
    fn from(place: Place) -> Residence {
        Residence {
            place,
            start: Start::Made,
        }
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

impl Seen {
    /// Where it lives.
    pub fn residence(&self) -> Residence {
        Residence {
            place: self.place,
            start: self.record.start,
        }
    }
}
