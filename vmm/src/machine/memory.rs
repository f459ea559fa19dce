//! Guest memory: one sealed memfd, mapped here and shareable with vhost-user back-ends.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd};

use dvs_migration::layout::PAGE_SIZE;
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use vm_memory::{
    FileOffset, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion,
    GuestRegionMmap,
};

use super::layout;

/// Memory of one guest.
pub type GuestMemory = GuestMemoryMmap<()>;

/// Why there is no guest memory.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The kernel gave no memory file, or not of this size.
    #[error("cannot create a memory file of {size} bytes for the guest: {source}")]
    File {
        /// Bytes asked for.
        size: u64,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The file could not be mapped.
    #[error("cannot map {size} bytes of guest memory: {reason}")]
    Map {
        /// Bytes asked for.
        size: u64,
        /// What failed.
        reason: String,
    },
    /// The file does not tell which of its pages have contents.
    #[error("cannot find out which pages of guest memory have contents: {0}")]
    Holes(io::Error),
}

/// Creates `size` bytes of guest memory, split around the hole for devices below 4 GiB.
///
/// The pages are allocated when they are first touched.
pub fn create(size: u64) -> Result<GuestMemory, MemoryError> {
    let file =
        sealed_file(c"guest-memory", size).map_err(|source| MemoryError::File { size, source })?;
    let map_error = |reason: String| MemoryError::Map { size, reason };
    let low = size.min(layout::LOW_RAM_END);
    let mut ranges = vec![(0, low, 0)];
    if size > low {
        ranges.push((layout::HIGH_RAM_START, size - low, low));
    }
    let ranges = ranges
        .into_iter()
        .map(|(start, len, offset)| {
            let file = FileOffset::new(file.try_clone()?, offset);
            let len = usize::try_from(len).map_err(io::Error::other)?;
            Ok((GuestAddress(start), len, Some(file)))
        })
        .collect::<io::Result<Vec<_>>>()
        .map_err(|e| map_error(e.to_string()))?;
    let memory =
        GuestMemory::from_ranges_with_files(ranges).map_err(|e| map_error(e.to_string()))?;
    memory.iter().for_each(advise_large_pages);
    Ok(memory)
}

/// The pages of each region that have contents, one bit for each page. The others read as zeros.
pub fn populated(memory: &GuestMemory) -> Result<Vec<Vec<u64>>, MemoryError> {
    memory
        .iter()
        .map(|region| {
            let file = region.file_offset();
            let file = file.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported));
            file.and_then(|file| populated_in(file.file(), file.start(), region.len()))
        })
        .collect::<io::Result<_>>()
        .map_err(MemoryError::Holes)
}

/// The pages of `len` bytes from `start` on that the file has.
fn populated_in(file: &File, start: u64, len: u64) -> io::Result<Vec<u64>> {
    let mut bits = Bits::new(len / PAGE_SIZE);
    let end = start + len;
    let mut at = start;
    while at < end {
        let data = match seek(file, SeekFrom::Data(at)) {
            Ok(data) => data.min(end),
            // There is no data any more.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        at = seek(file, SeekFrom::Hole(data))?.min(end);
        bits.set((data - start) / PAGE_SIZE..(at - start).div_ceil(PAGE_SIZE));
    }
    Ok(bits.0)
}

/// One bit for each page.
struct Bits(Vec<u64>);

impl Bits {
    fn new(pages: u64) -> Self {
        let words = usize::try_from(pages.div_ceil(u64::from(u64::BITS)));
        Self(vec![0; words.unwrap_or_default()])
    }

    /// Sets the bits of these pages.
    fn set(&mut self, pages: Range<u64>) {
        const WORD: u64 = u64::BITS as u64;
        for (word, first) in self.0.iter_mut().zip((0..).step_by(64)) {
            let start = pages.start.clamp(first, first + WORD) - first;
            let end = pages.end.clamp(first, first + WORD) - first;
            if start < end {
                *word |= (!0 >> (WORD - (end - start))) << start;
            }
        }
    }
}

/// Asks for large pages, which make nested page faults rare. Where the host's kernel gives none to shared memory
/// (/sys/kernel/mm/transparent_hugepage/shmem_enabled), small ones do as well.
fn advise_large_pages(region: &GuestRegionMmap<()>) {
    // SAFETY: the mapping is the region's own and lives as long as it; the advice changes no contents.
    let result =
        unsafe { libc::madvise(region.as_ptr().cast(), region.size(), libc::MADV_HUGEPAGE) };
    if result < 0 {
        tracing::debug!(error = %io::Error::last_os_error(), "no large pages for guest memory");
    }
}

/// A memory file that can neither grow nor shrink, so that no holder of it can fault the others.
pub fn sealed_file(name: &CStr, size: u64) -> io::Result<File> {
    // SAFETY: `name` is a valid C string, and the flags are constants.
    let fd =
        unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fd was just returned by the kernel and nobody else owns it.
    let file = unsafe { File::from_raw_fd(fd) };
    file.set_len(size)?;
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: fcntl with F_ADD_SEALS takes an integer and no pointer.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(file)
}

#[cfg(test)]
#[path = "memory_test.rs"]
mod tests;
