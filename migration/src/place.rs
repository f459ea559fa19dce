//! Who runs a VM: its record in the directory, and what a look at it tells.
//!
//! Both sides use the same transaction, *take*: "node := me, epoch + 1, only if the record still
//! has this node and this epoch". Whoever wants the VM takes it through its node, and gets the
//! record as it is *afterwards*, whether it was this transaction that changed it or an earlier one.
//! So an answer that was lost costs nothing: the same question again has the same answer, since an
//! epoch never comes back.

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

/// What the record tells whoever wanted to take the VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The VM is his, for good: nobody else can have won from the same place.
    Won(Place),
    /// Another has it, or nobody, for good.
    Lost(Option<Place>),
    /// Nobody has taken it yet: ask again.
    Open,
}

/// What it means that the record is `found` after node `me` wanted to take the VM `from` a place.
pub fn judge(from: Place, me: u32, found: Option<Place>) -> Claim {
    match found {
        Some(place) if place.node == me && Some(place.epoch) == from.epoch.checked_add(1) => {
            Claim::Won(place)
        }
        Some(place) if place.epoch == from.epoch && place.node == from.node => Claim::Open,
        // Old news: an answer that was under way for long.
        Some(place) if place.epoch < from.epoch => Claim::Open,
        other => Claim::Lost(other),
    }
}

#[cfg(test)]
#[path = "place_test.rs"]
mod tests;
