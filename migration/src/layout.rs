//! Guest memory as both sides see it: slots of whole pages.

use serde::{Deserialize, Serialize};
use std::ops::Range;
use thiserror::Error;

/// Bytes of a page.
pub const PAGE_SIZE: u64 = 4096;
/// Most slots of a machine.
pub const MAX_SLOTS: usize = 64;
/// Guest physical addresses end here at the latest (52 bits).
const ADDRESS_END: u64 = 1 << 52;
/// Pages of one word of a bitmap.
const WORD: u64 = u64::BITS as u64;

/// A piece of guest memory without holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// Guest physical address of its first byte, a multiple of [`PAGE_SIZE`].
    pub start: u64,
    /// Bytes, a multiple of [`PAGE_SIZE`] and not 0.
    pub size: u64,
}

impl Slot {
    /// Pages that it has.
    pub const fn pages(&self) -> u64 {
        self.size / PAGE_SIZE
    }

    /// Number of its first page in guest physical memory.
    pub const fn first_frame(&self) -> u64 {
        self.start / PAGE_SIZE
    }

    fn frames(&self) -> Range<u64> {
        self.first_frame()..self.first_frame() + self.pages()
    }
}

/// Why there can be no such memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// None, or too many.
    #[error("guest memory has {0} slots; there must be 1 to {MAX_SLOTS}")]
    Slots(usize),
    /// Empty, not of whole pages, or outside the address space.
    #[error("a slot of guest memory at {start:#x} has {size:#x} bytes; that is no place for whole pages", start = .0.start, size = .0.size)]
    Slot(Slot),
    /// Two slots overlap, or are not in the order of their addresses.
    #[error("a slot of guest memory at {start:#x} begins before the end of the one before it", start = .0.start)]
    Order(Slot),
}

/// The slots of a machine, in the order of their addresses and without overlap.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Slot>", into = "Vec<Slot>")]
pub struct Layout {
    slots: Vec<Slot>,
}

impl Layout {
    /// Memory of these slots.
    ///
    /// # Errors
    /// [`LayoutError`] if they are not what [`Slot`] says, overlap or are out of order.
    pub fn new(slots: Vec<Slot>) -> Result<Layout, LayoutError> {
        if slots.is_empty() || slots.len() > MAX_SLOTS {
            return Err(LayoutError::Slots(slots.len()));
        }
        let mut end = 0;
        for slot in &slots {
            let whole = slot.start.is_multiple_of(PAGE_SIZE) && slot.size.is_multiple_of(PAGE_SIZE);
            let slot_end = slot.start.checked_add(slot.size);
            let Some(slot_end) = slot_end.filter(|e| whole && slot.size > 0 && *e <= ADDRESS_END)
            else {
                return Err(LayoutError::Slot(*slot));
            };
            if slot.start < end {
                return Err(LayoutError::Order(*slot));
            }
            end = slot_end;
        }
        Ok(Layout { slots })
    }

    /// The slots.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Bytes of all slots.
    pub fn bytes(&self) -> u64 {
        self.slots.iter().map(|slot| slot.size).sum()
    }

    /// Pages of all slots.
    pub fn pages(&self) -> u64 {
        self.slots.iter().map(Slot::pages).sum()
    }

    /// Whether these pages, by their numbers in guest physical memory, are in one slot.
    pub fn has(&self, frames: &Range<u64>) -> bool {
        self.slots.iter().any(|slot| {
            let own = slot.frames();
            own.start <= frames.start && frames.end <= own.end
        })
    }

    /// Words of a bitmap with one bit for each page of slot number `slot`; 0 if there is none.
    pub fn words(&self, slot: usize) -> usize {
        let pages = self.slots.get(slot).map_or(0, Slot::pages);
        usize::try_from(pages.div_ceil(WORD)).unwrap_or(usize::MAX)
    }
}

impl TryFrom<Vec<Slot>> for Layout {
    type Error = LayoutError;

    fn try_from(slots: Vec<Slot>) -> Result<Layout, LayoutError> {
        Layout::new(slots)
    }
}

impl From<Layout> for Vec<Slot> {
    fn from(layout: Layout) -> Vec<Slot> {
        layout.slots
    }
}

#[cfg(test)]
#[path = "layout_test.rs"]
mod tests;
