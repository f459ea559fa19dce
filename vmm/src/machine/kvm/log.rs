//! KVM's log of the pages that the guest writes.
//!
//! Where KVM can, a page is watched only once its bit has been cleared (manual protection, all bits set at first), so
//! switching the log on costs nothing and the guest is slowed down for the pages of one batch at a time. An older KVM
//! watches all pages at once, and clears their bits whenever the log is read.

use kvm_bindings::{
    KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_INITIALLY_SET,
    KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE, KVM_MEM_LOG_DIRTY_PAGES, kvm_clear_dirty_log,
    kvm_enable_cap,
};
use kvm_ioctls::VmFd;
use vm_memory::{GuestMemoryBackend, GuestMemoryRegion};
use vmm_sys_util::ioctl::ioctl_with_ref;

use super::{KvmError, KvmVm, failed};
use crate::machine::memory::GuestMemory;

mod ioctls {
    #![allow(
        missing_docs,
        reason = "the macro makes functions without documentation"
    )]
    use kvm_bindings::{KVMIO, kvm_clear_dirty_log};
    vmm_sys_util::ioctl_iowr_nr!(KVM_CLEAR_DIRTY_LOG, KVMIO, 0xc0, kvm_clear_dirty_log);
}

/// Pages of one word of the log.
const WORD: u64 = u64::BITS as u64;

/// Asks for manual protection; false where KVM does not have it.
pub(super) fn protect_by_hand(vm: &VmFd) -> Result<bool, KvmError> {
    let wanted = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET;
    let has = u32::try_from(vm.check_extension_raw(u64::from(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)))
        .unwrap_or(0);
    if has & wanted != wanted {
        tracing::info!("this host's KVM watches all pages at once while a machine moves");
        return Ok(false);
    }
    let cap = kvm_enable_cap {
        cap: KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
        args: [u64::from(wanted), 0, 0, 0],
        ..Default::default()
    };
    vm.enable_cap(&cap)
        .map_err(failed("log pages by hand"))
        .map(|()| true)
}

impl KvmVm {
    /// Switches the log on or off for all slots of `memory`, which must be this machine's.
    pub fn log_pages(&self, memory: &GuestMemory, on: bool) -> Result<(), KvmError> {
        let flags = if on { KVM_MEM_LOG_DIRTY_PAGES } else { 0 };
        (0u32..)
            .zip(memory.iter())
            .try_for_each(|(slot, region)| self.set_slot(slot, region, flags))
    }

    /// Pages of each slot whose bits are set, one bit for each page. Without manual protection this clears them.
    pub fn logged_pages(&self, memory: &GuestMemory) -> Result<Vec<Vec<u64>>, KvmError> {
        (0u32..)
            .zip(memory.iter())
            .map(|(slot, region)| {
                let size = usize::try_from(region.len()).unwrap_or(usize::MAX);
                self.vm
                    .get_dirty_log(slot, size)
                    .map_err(failed("read its log of written pages"))
            })
            .collect()
    }

    /// Clears the bits of `words` and watches these pages; `first` is a page of `slot` and a multiple of 64. The slot
    /// has `pages` pages.
    pub fn clear_log(
        &self,
        slot: u32,
        pages: u64,
        first: u64,
        words: &[u64],
    ) -> Result<(), KvmError> {
        if !self.logs_by_hand || words.iter().all(|word| *word == 0) {
            return Ok(());
        }
        let spanned = (words.len() as u64).saturating_mul(WORD);
        let num_pages = pages.saturating_sub(first).min(spanned);
        let mut request = kvm_clear_dirty_log {
            slot,
            num_pages: u32::try_from(num_pages).unwrap_or(u32::MAX),
            first_page: first,
            ..Default::default()
        };
        request.__bindgen_anon_1.dirty_bitmap = words.as_ptr().cast_mut().cast();
        // SAFETY: the kernel reads `num_pages` bits, which `words` has, and writes nothing to it.
        let result = unsafe { ioctl_with_ref(&self.vm, ioctls::KVM_CLEAR_DIRTY_LOG(), &request) };
        if result < 0 {
            return Err(failed("clear its log of written pages")(
                kvm_ioctls::Error::last(),
            ));
        }
        Ok(())
    }
}
