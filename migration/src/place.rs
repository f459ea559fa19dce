//! Who runs a VM: its record in the directory, and what a look at it tells.
//!
//! Both sides use the same transaction, *take*: "node := me, epoch + 1, only if the record still
//! has this node and this epoch". Whoever wants the VM takes it through its node, and gets the
//! record as it is *afterwards*, whether it was this transaction that changed it or an earlier one.
//! So an answer that was lost costs nothing: the same question again has the same answer, since an
//! epoch never comes back.
//!
//! The record also says whether the VM has run where it was taken to: see [`Start`].

use serde::{Deserialize, Serialize};

/// Where a VM lives, as its record in the directory says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The node that serves it.
    pub node: u32,
    /// Grows with every move.
    pub epoch: u32,
    /// Which of the VM's lives it is. A move keeps it, unless the cluster has given that life up.
    pub life: u32,
}

/// Whether a VM that was taken has run where it was taken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Start {
    /// It has, or may have.
    #[default]
    Made,
    /// Not as far as is known; it may at any moment.
    Awaited,
    /// It has not, and never will: whoever it was taken from may take it back.
    Declined,
}

/// What the record of a VM says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Residence {
    /// Where it lives.
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

/// What the record tells whoever wanted to take the VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The VM is his, for good: nobody else can have won from the same place.
    Won(Place),
    /// Another has it, or nobody, for good.
    Lost(Option<Residence>),
    /// Nobody has taken it yet: ask again.
    Open,
}

/// What it means that the record is `found` after node `me` wanted to take the VM `from` a place.
pub fn judge(from: Place, me: u32, found: Option<Residence>) -> Claim {
    match found.map(|it| it.place) {
        Some(place) if place.node == me && Some(place.epoch) == from.epoch.checked_add(1) => {
            Claim::Won(place)
        }
        Some(place) if place.epoch == from.epoch && place.node == from.node => Claim::Open,
        // Old news: an answer that was under way for long.
        Some(place) if place.epoch < from.epoch => Claim::Open,
        _ => Claim::Lost(found),
    }
}

#[cfg(test)]
#[path = "place_test.rs"]
mod tests;
