//! Which pages of a machine must be sent while it moves.
//!
//! Only the guest and KVM write to guest memory once the guest runs: the VMM itself writes what a payload needs before,
//! and devices' back-ends keep logs of their own. So KVM's log is all that there is to read here.

use dvs_migration::bitmap::PageBitmap;
use dvs_migration::layout::{Layout, Slot};

use super::{Machine, MachineError, memory};

impl Machine {
    /// Begins to log what the guest writes; gives the pages that are populated from then on, which must be sent first.
    pub fn start_log(&self) -> Result<PageBitmap, MachineError> {
        self.vm.log_pages(&self.memory, true)?;
        // What is not populated need not be sent as long as nobody writes to it, so it is watched from the start. What
        // is populated meanwhile is seen by the second look.
        for (slot, words) in memory::populated(&self.memory)?.iter().enumerate() {
            let others: Vec<_> = words.iter().map(|word| !word).collect();
            self.clear_log(slot, 0, &others)?;
        }
        Ok(bitmap(&self.layout, &memory::populated(&self.memory)?))
    }

    /// Clears the bits of `words` in KVM's log. It must come before these pages are read. The first bit of the first
    /// word is page `first_page` of `slot`, a multiple of 64.
    pub fn clear_log(
        &self,
        slot: usize,
        first_page: u64,
        words: &[u64],
    ) -> Result<(), MachineError> {
        let pages = self.layout.slots().get(slot).map_or(0, Slot::pages);
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        Ok(self.vm.clear_log(slot, pages, first_page, words)?)
    }

    /// Pages that were written since their bits were cleared.
    pub fn collect_log(&self) -> Result<PageBitmap, MachineError> {
        Ok(bitmap(&self.layout, &self.vm.logged_pages(&self.memory)?))
    }

    /// Ends the log.
    pub fn stop_log(&self) -> Result<(), MachineError> {
        Ok(self.vm.log_pages(&self.memory, false)?)
    }
}

fn bitmap(layout: &Layout, slots: &[Vec<u64>]) -> PageBitmap {
    let mut bitmap = PageBitmap::none(layout);
    for (slot, words) in slots.iter().enumerate() {
        for (to, from) in bitmap.slot_mut(slot).iter_mut().zip(words) {
            *to = *from;
        }
    }
    bitmap.trim(layout);
    bitmap
}
