//! Guest memory: one sealed memfd, mapped here and shareable with vhost-user back-ends.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};

use vm_memory::{FileOffset, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestRegionMmap};

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
