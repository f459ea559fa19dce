//! Loading a kernel: Linux by the 64-bit boot protocol, from a bzImage or an ELF file.

mod linux;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use linux_loader::cmdline::Cmdline;
use linux_loader::loader::{BzImage, Elf, KernelLoader, KernelLoaderResult, load_cmdline};
use vm_memory::{Bytes, GuestAddress, ReadVolatile};

use super::layout;
use super::memory::GuestMemory;

/// What the guest boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// A bzImage, or an ELF executable that expects the 64-bit boot protocol at its entry point.
    pub kernel: PathBuf,
    /// Initial RAM disk.
    pub initramfs: Option<PathBuf>,
    /// Kernel command line.
    pub cmdline: String,
}

/// Why the guest cannot boot its payload.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// A file cannot be read.
    #[error("cannot read the {what} {path:?}: {source}")]
    File {
        /// Kernel or initramfs.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is of another kind.
    #[error(
        "{0:?} is no kernel that this machine can boot: neither a 64-bit bzImage nor a 64-bit ELF file"
    )]
    NotAKernel(PathBuf),
    /// The processor of this host cannot run it.
    #[error(
        "this host's KVM cannot run a stock Linux kernel: /proc/cpuinfo shows neither vmx nor svm; \
         use a host with hardware virtualization, or enable it in the firmware or in the outer hypervisor"
    )]
    NoHardwareVirtualization,
    /// The kernel file is damaged.
    #[error("cannot load the kernel {path:?}: {source}")]
    Kernel {
        /// The file.
        path: PathBuf,
        /// Why.
        source: linux_loader::loader::Error,
    },
    /// The guest has too little memory.
    #[error(
        "the {what} needs {need} bytes of guest memory, but the guest has only {have}: make memory.size larger"
    )]
    TooSmall {
        /// What does not fit.
        what: &'static str,
        /// Bytes needed.
        need: u64,
        /// Bytes there are.
        have: u64,
    },
    /// The command line is too long or has characters that no kernel takes.
    #[error("the kernel command line is refused: {0}")]
    Cmdline(String),
    /// Guest memory refused an access.
    #[error("cannot write to guest memory: {0}")]
    Memory(#[from] vm_memory::GuestMemoryError),
}

/// The kind of a kernel file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    BzImage,
    Elf,
}

/// Loads the payload into `memory`; returns the address at which the first vCPU starts.
pub fn load(
    memory: &GuestMemory,
    payload: &Payload,
    rsdp: u64,
    hardware_virtualization: bool,
) -> Result<u64, BootError> {
    let mut file = open("kernel", &payload.kernel)?;
    let kind = kind_of(&mut file, &payload.kernel)?;
    // An ELF file may be a guest of a few instructions, which any KVM runs; a bzImage is Linux.
    if kind == Kind::BzImage && !hardware_virtualization {
        return Err(BootError::NoHardwareVirtualization);
    }
    let kernel = load_kernel(memory, &mut file, kind, &payload.kernel)?;
    write_cmdline(memory, &payload.cmdline)?;
    let header = kernel.setup_header.unwrap_or_default();
    let initramfs = match &payload.initramfs {
        Some(path) => Some(load_initramfs(
            memory,
            path,
            kernel.kernel_end,
            linux::initramfs_limit(&header),
        )?),
        None => None,
    };
    linux::write_zero_page(memory, header, payload.cmdline.len(), initramfs, rsdp)?;
    Ok(match kind {
        Kind::BzImage => kernel.kernel_load.0 + linux::ENTRY_64,
        Kind::Elf => kernel.kernel_load.0,
    })
}

fn open(what: &'static str, path: &Path) -> Result<File, BootError> {
    let error = |source| BootError::File {
        what,
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(error)?;
    if !file.metadata().map_err(error)?.is_file() {
        return Err(error(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        )));
    }
    Ok(file)
}

fn kind_of(file: &mut File, path: &Path) -> Result<Kind, BootError> {
    const ELF_64_LITTLE: [u8; 6] = *b"\x7fELF\x02\x01";
    const BOOT_MAGIC: [u8; 4] = *b"HdrS";
    const BOOT_MAGIC_AT: usize = 0x202;
    let mut start = Vec::new();
    file.take(1024)
        .read_to_end(&mut start)
        .map_err(|source| BootError::File {
            what: "kernel",
            path: path.to_owned(),
            source,
        })?;
    if start.starts_with(&ELF_64_LITTLE) {
        return Ok(Kind::Elf);
    }
    let is_linux = start
        .get(BOOT_MAGIC_AT..)
        .is_some_and(|s| s.starts_with(&BOOT_MAGIC));
    if is_linux && linux::enters_in_64_bit(&start) {
        return Ok(Kind::BzImage);
    }
    Err(BootError::NotAKernel(path.to_owned()))
}

fn load_kernel(
    memory: &GuestMemory,
    file: &mut File,
    kind: Kind,
    path: &Path,
) -> Result<KernelLoaderResult, BootError> {
    let start = Some(GuestAddress(layout::KERNEL_MIN));
    let result = match kind {
        Kind::BzImage => BzImage::load(memory, None, file, start),
        Kind::Elf => Elf::load(memory, None, file, start),
    };
    let kernel = result.map_err(|source| BootError::Kernel {
        path: path.to_owned(),
        source,
    })?;
    // A bzImage unpacks itself in place and says how much room that takes.
    let need = kernel.setup_header.map_or(kernel.kernel_end, |h| {
        linux::room_needed(&h, kernel.kernel_end)
    });
    match low_ram(memory) {
        have if need > have => Err(BootError::TooSmall {
            what: "kernel",
            need,
            have,
        }),
        _ => Ok(kernel),
    }
}

/// End of the RAM below the hole for devices.
fn low_ram(memory: &GuestMemory) -> u64 {
    use vm_memory::{GuestMemoryBackend, GuestMemoryRegion};
    memory.iter().next().map_or(0, GuestMemoryRegion::len)
}

fn write_cmdline(memory: &GuestMemory, text: &str) -> Result<(), BootError> {
    let refused = |e: String| BootError::Cmdline(e);
    let mut cmdline = Cmdline::new(layout::CMDLINE_MAX).map_err(|e| refused(e.to_string()))?;
    cmdline
        .insert_str(text)
        .map_err(|e| refused(e.to_string()))?;
    load_cmdline(memory, GuestAddress(layout::CMDLINE), &cmdline)
        .map_err(|e| refused(e.to_string()))
}

/// Puts the initramfs as high as the kernel allows, page aligned; returns its address and size.
fn load_initramfs(
    memory: &GuestMemory,
    path: &Path,
    kernel_end: u64,
    limit: u64,
) -> Result<(u64, u64), BootError> {
    const PAGE: u64 = 4096;
    let file_error = |source| BootError::File {
        what: "initramfs",
        path: path.to_owned(),
        source,
    };
    let mut file = open("initramfs", path)?;
    let size = file.seek(SeekFrom::End(0)).map_err(file_error)?;
    file.rewind().map_err(file_error)?;
    let have = low_ram(memory).min(limit);
    let start = have
        .checked_sub(size)
        .map(|start| start & !(PAGE - 1))
        .filter(|start| *start >= kernel_end);
    let too_small = BootError::TooSmall {
        what: "initramfs with its kernel",
        need: kernel_end.saturating_add(size),
        have,
    };
    let start = start.ok_or(too_small)?;
    let mut at = GuestAddress(start);
    let mut left = usize::try_from(size).unwrap_or(usize::MAX);
    // One call may move less than asked.
    while left > 0 {
        let moved = read_some(memory, at, &mut file, left)?;
        if moved == 0 {
            return Err(file_error(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it became shorter while it was read",
            )));
        }
        at.0 += moved as u64;
        left -= moved;
    }
    Ok((start, size))
}

fn read_some<F: ReadVolatile>(
    memory: &GuestMemory,
    at: GuestAddress,
    file: &mut F,
    len: usize,
) -> Result<usize, BootError> {
    Ok(memory.read_volatile_from(at, file, len)?)
}

#[cfg(test)]
#[path = "mod_test.rs"]
mod tests;
