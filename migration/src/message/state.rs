//! The state of the machine, and the message that hands it over.

use crate::place::Place;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most bytes of the state in a [`Piece`].
pub const MAX_PIECE_BYTES: usize = 16 << 20;
/// Most bytes of a [`Piece`] on the wire: its state, its name and what tells them apart.
pub(super) const MAX_PIECE: u32 = (16 << 20) + (2 << 10);
/// Most pieces of a machine.
pub const MAX_PIECES: u32 = 8192;
/// Most bytes of all pieces together, their names included.
pub const MAX_STATE: usize = 64 << 20;

/// What a piece of state belongs to. This is also the order in which they are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Part {
    /// The machine as a whole: interrupt controllers, buses.
    Machine,
    /// The guest's clock.
    Clock,
    /// A virtual CPU.
    Vcpu,
    /// A device of the VMM.
    Device,
    /// A back-end of a device: what the port of a node says of itself.
    Port,
}

/// A part of the machine's state. What is in it only those know who write and load it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Piece {
    /// What it belongs to.
    pub part: Part,
    /// Which one of them, as the machine names it.
    pub name: Text,
    /// Version of the bytes.
    pub version: u16,
    /// The state.
    pub bytes: Vec<u8>,
}

impl Piece {
    /// Bytes that it takes in memory, about.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.name.as_str().len() + size_of::<Piece>()
    }
}

/// From this message on the source does not run the VM again unless the directory gives it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HandOver {
    /// From where the VM is taken.
    pub place: Place,
    /// Number of the last round of pages.
    pub round: u32,
    /// How many pieces of state were sent.
    pub pieces: u32,
    /// How long it took to stop the CPUs.
    pub pause: Duration,
    /// How long it took to stop the devices and have all buffers back.
    pub drain: Duration,
    /// How long it took to send the last round of pages.
    pub last_pass: Duration,
}

/// How far the source is, for whoever looks at the destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Figures {
    /// Number of the round.
    pub round: u32,
    /// Pages that are yet to be sent.
    pub remaining_pages: u64,
    /// Pages that the guest writes in a second.
    pub dirty_pages_per_s: u64,
    /// Time for which the guest would stand still if it stopped now.
    pub expected_downtime: Option<Duration>,
    /// By how much its CPUs are slowed down.
    pub throttle_percent: u8,
}
