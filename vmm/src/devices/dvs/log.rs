//! What the node writes into guest memory while the machine moves: a bit for each page, in memory that both share.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use vhost::VhostUserDirtyLogRegion;
use vm_memory::{Address, FileOffset, GuestMemoryBackend, MmapRegion, VolatileMemory};

use crate::machine::memory::{GuestMemory, sealed_file};

/// Bytes of guest memory that a bit stands for, as vhost-user has it.
const PAGE: u64 = 4096;
/// Bits are read and cleared by words.
const WORD_BITS: u64 = 64;
const WORD: usize = 8;

/// A log for a whole guest.
#[derive(Debug)]
pub struct DirtyLog {
    file: File,
    bits: MmapRegion,
}

impl DirtyLog {
    /// An empty log up to the last page of `memory`.
    pub fn new(memory: &GuestMemory) -> io::Result<Self> {
        let words = memory.last_addr().raw_value() / PAGE / WORD_BITS + 1;
        let size = usize::try_from(words).map_err(io::Error::other)? * WORD;
        let file = sealed_file(c"dirty-log", size as u64)?;
        let mapped = FileOffset::new(file.try_clone()?, 0);
        let bits = MmapRegion::from_file(mapped, size).map_err(io::Error::other)?;
        Ok(Self { file, bits })
    }

    /// The log as the node is given it. Valid as long as this lives.
    pub fn region(&self) -> VhostUserDirtyLogRegion {
        VhostUserDirtyLogRegion {
            mmap_size: self.bits.size() as u64,
            mmap_offset: 0,
            mmap_handle: self.file.as_raw_fd(),
        }
    }

    /// Names the pages that were written since the last time, by guest frame number, and clears their bits.
    pub fn collect(&self, each: &mut dyn FnMut(u64)) {
        for (number, at) in (0..).zip((0..self.bits.size()).step_by(WORD)) {
            let Ok(word) = self.bits.get_atomic_ref::<AtomicU64>(at) else {
                return;
            };
            // Nearly all words are empty, and reading one does not take it from the node's processor.
            if word.load(Ordering::Relaxed) == 0 {
                continue;
            }
            // Whoever sees a bit sees the write that it stands for.
            let mut dirty = u64::from_le(word.swap(0, Ordering::AcqRel));
            while dirty != 0 {
                each(number * WORD_BITS + u64::from(dirty.trailing_zeros()));
                dirty &= dirty - 1;
            }
        }
    }
}

#[cfg(test)]
#[path = "log_test.rs"]
mod tests;
