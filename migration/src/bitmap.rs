//! One bit for each page of a machine.

use crate::layout::Layout;

/// Pages of guest memory. The bits of each slot begin with a word of their own and are laid out as
/// KVM's dirty log has them: page `n` of the slot is bit `n % 64` of word `n / 64`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageBitmap {
    slots: Vec<Vec<u64>>,
}

impl PageBitmap {
    /// No page.
    pub fn none(layout: &Layout) -> PageBitmap {
        let slots = (0..layout.slots().len()).map(|slot| vec![0; layout.words(slot)]);
        PageBitmap {
            slots: slots.collect(),
        }
    }

    /// Every page.
    pub fn all(layout: &Layout) -> PageBitmap {
        let mut bitmap = PageBitmap::none(layout);
        bitmap.slots.iter_mut().flatten().for_each(|w| *w = !0);
        bitmap.trim(layout);
        bitmap
    }

    /// Words of slot number `slot`, to be filled from a log; none if there is no such slot.
    pub fn slot_mut(&mut self, slot: usize) -> &mut [u64] {
        self.slots.get_mut(slot).map_or(&mut [], Vec::as_mut_slice)
    }

    /// Words of slot number `slot`; none if there is no such slot.
    pub fn slot(&self, slot: usize) -> &[u64] {
        self.slots.get(slot).map_or(&[], Vec::as_slice)
    }

    /// Takes in the pages of another bitmap of the same memory.
    pub fn merge(&mut self, other: &PageBitmap) {
        let pairs = self.slots.iter_mut().zip(&other.slots);
        for (word, more) in pairs.flat_map(|(a, b)| a.iter_mut().zip(b)) {
            *word |= more;
        }
    }

    /// Forgets bits behind the end of a slot.
    pub fn trim(&mut self, layout: &Layout) {
        for (words, slot) in self.slots.iter_mut().zip(layout.slots()) {
            let odd = slot.pages() % u64::from(u64::BITS);
            if odd > 0
                && let Some(last) = words.last_mut()
            {
                *last &= (1 << odd) - 1;
            }
        }
    }

    /// How many pages.
    pub fn count(&self) -> u64 {
        let words = self.slots.iter().flatten();
        words.map(|word| u64::from(word.count_ones())).sum()
    }
}

#[cfg(test)]
#[path = "bitmap_test.rs"]
mod tests;
