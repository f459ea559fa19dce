//! The dirty log of a VM that moves: which pages of the guest the node has written, one bit each, in
//! memory that it shares with the VMM.
//!
//! The log is part of the memory that the rings see, so that no write can pass it by.

use crate::device::memory::{holds, seal};
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use thiserror::Error;
use vm_memory::bitmap::{Bitmap, NewBitmap, RefSlice, WithBitmapSlice};
use vm_memory::{FileOffset, MmapRegion, VolatileMemory};

/// Bytes of guest memory that one bit stands for.
pub const LOG_PAGE: u64 = 4096;
/// The most bytes that a log may have: those of 32 TiB of guest memory.
pub const LOG_SIZE_MAX: u64 = 1 << 30;

/// Why a log is refused.
#[derive(Debug, Error)]
pub enum LogError {
    /// The file can be made shorter while it is in use, which would kill the node.
    #[error(
        "the dirty log's file can be shortened; use a memfd that allows sealing, or start the node with --allow-unsealed-memory"
    )]
    Unsealed,
    /// The file does not hold the log.
    #[error("the dirty log is not within its file")]
    NotThere,
    /// More than anybody needs.
    #[error("a dirty log of {0} bytes; it may have up to {LOG_SIZE_MAX}")]
    TooLarge(u64),
    /// There is guest memory that has no bit.
    #[error("the dirty log ends before the guest's memory, which ends at {0:#x}")]
    TooSmall(u64),
    /// It cannot be mapped.
    #[error("the dirty log cannot be mapped: {0}")]
    Map(String),
    /// Writes are to be noted, but there is nothing to note them in.
    #[error("VHOST_F_LOG_ALL without a dirty log; send SET_LOG_BASE first")]
    Missing,
}

/// The bits of a log, mapped from the VMM's file.
#[derive(Debug)]
pub struct LogBits(MmapRegion);

impl LogBits {
    /// Maps `size` bytes at `offset` of the file. Unless `allow_unsealed`, the file is sealed against
    /// being shortened.
    pub fn map(
        file: File,
        offset: u64,
        size: u64,
        allow_unsealed: bool,
    ) -> Result<LogBits, LogError> {
        if !seal(&file) && !allow_unsealed {
            return Err(LogError::Unsealed);
        }
        // After the seal, so that the length can only grow.
        if !holds(&file, offset, size) {
            return Err(LogError::NotThere);
        }
        let length = usize::try_from(size).ok().filter(|_| size <= LOG_SIZE_MAX);
        let length = length.ok_or(LogError::TooLarge(size))?;
        MmapRegion::from_file(FileOffset::new(file, offset), length)
            .map(LogBits)
            .map_err(|error| LogError::Map(error.to_string()))
    }

    /// Whether guest memory that ends at `end` has bits for all its pages.
    pub fn covers(&self, end: u64) -> bool {
        end.div_ceil(LOG_PAGE) <= 8 * self.0.size() as u64
    }

    fn byte_of(&self, page: u64) -> Option<&AtomicU8> {
        let at = usize::try_from(page / 8).ok()?;
        self.0.get_atomic_ref(at).ok()
    }

    fn mark(&self, page: u64) {
        if let Some(byte) = self.byte_of(page) {
            // Whoever sees the bit sees what was written.
            byte.fetch_or(1 << (page % 8), Ordering::Release);
        }
    }

    fn is_marked(&self, page: u64) -> bool {
        let byte = self.byte_of(page).map(|byte| byte.load(Ordering::Acquire));
        byte.is_some_and(|byte| byte & (1 << (page % 8)) != 0)
    }
}

/// The log of one VM, if it has any; shared by all that see its memory.
#[derive(Debug, Default)]
pub struct DirtyLog {
    /// Looked at on every write, nearly always in vain.
    on: AtomicBool,
    bits: RwLock<Option<LogBits>>,
}

impl DirtyLog {
    /// Notes writes in these bits from now on, once it is switched on.
    pub fn replace(&self, bits: LogBits) {
        *self.bits.write().unwrap_or_else(PoisonError::into_inner) = Some(bits);
    }

    /// Whether writes are noted. One that is switched off is forgotten: the VMM need not keep it, and
    /// the memory may outgrow it.
    pub fn switch(&self, on: bool) {
        if self.on.swap(on, Ordering::Relaxed) && !on {
            *self.bits.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Whether writes are to be noted.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Whether guest memory that ends at `end` has bits for all its pages; `None` without any.
    pub fn covers(&self, end: u64) -> Option<bool> {
        self.with(|bits| bits.covers(end))
    }

    fn with<T>(&self, look: impl FnOnce(&LogBits) -> T) -> Option<T> {
        let bits = self.bits.read().unwrap_or_else(PoisonError::into_inner);
        bits.as_ref().map(look)
    }

    fn mark(&self, address: u64, len: usize) {
        let Some(last) = (len as u64).checked_sub(1) else {
            return;
        };
        let last = address.saturating_add(last);
        self.with(|bits| {
            (address / LOG_PAGE..=last / LOG_PAGE).for_each(|page| bits.mark(page));
        });
    }
}

/// The log as one region of guest memory sees it.
#[derive(Debug, Default)]
pub struct RegionLog {
    log: Arc<DirtyLog>,
    /// Guest physical address of the region.
    base: u64,
}

impl RegionLog {
    /// For a region at `base`.
    pub fn new(log: Arc<DirtyLog>, base: u64) -> RegionLog {
        RegionLog { log, base }
    }

    fn address(&self, offset: usize) -> u64 {
        self.base.saturating_add(offset as u64)
    }
}

impl<'a> WithBitmapSlice<'a> for RegionLog {
    type S = RefSlice<'a, RegionLog>;
}

impl Bitmap for RegionLog {
    fn mark_dirty(&self, offset: usize, len: usize) {
        if self.log.is_on() {
            self.log.mark(self.address(offset), len);
        }
    }

    fn dirty_at(&self, offset: usize) -> bool {
        let page = self.address(offset) / LOG_PAGE;
        self.log.with(|bits| bits.is_marked(page)).unwrap_or(false)
    }

    fn slice_at(&self, offset: usize) -> RefSlice<'_, RegionLog> {
        RefSlice::new(self, offset)
    }
}

impl NewBitmap for RegionLog {
    fn with_len(_len: usize) -> RegionLog {
        RegionLog::default()
    }
}

#[cfg(test)]
#[path = "log_test.rs"]
mod tests;
