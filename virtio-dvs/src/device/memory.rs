//! A guest's memory, mapped from the file descriptors that its VMM gives.

use crate::device::log::{DirtyLog, RegionLog};
use rustix::fs::SealFlags;
use std::fs::File;
use std::sync::Arc;
use thiserror::Error;
use vm_memory::bitmap::RefSlice;
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{
    FileOffset, GuestAddress, GuestMemoryMmap, GuestRegionMmap, VolatileSlice, guest_memory,
};

/// Guest memory as the rings see it. What is written through it is noted in the log of a VM that moves.
pub type GuestMem = GuestMemoryMmap<RegionLog>;

/// A piece of it.
pub type GuestSlice<'m> = VolatileSlice<'m, RefSlice<'m, RegionLog>>;

/// Regions that a guest's memory may have.
pub const REGIONS_MAX: usize = 32;

/// Where a region lies: in the guest, in the VMM's address space, in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegionPlace {
    /// Guest physical address.
    pub guest: u64,
    /// Length in bytes.
    pub size: u64,
    /// Address in the VMM's address space.
    pub user: u64,
    /// Offset in the file.
    pub offset: u64,
}

/// Why memory is refused.
#[derive(Debug, Error)]
pub enum MemoryError {
    /// The file can be made shorter while it is in use, which would kill the node.
    #[error(
        "the memory's file can be shortened; use a memfd that allows sealing, or start the node with --allow-unsealed-memory"
    )]
    Unsealed,
    /// The file does not hold the region: touching what is not there would end the process.
    #[error("the memory region at {0:#x} is not within a file of that length")]
    NotThere(u64),
    /// The region does not fit into this machine's address space.
    #[error("the memory region at {0:#x} is too large")]
    TooLarge(u64),
    /// The region cannot be mapped.
    #[error("the memory region at {guest:#x} cannot be mapped: {error}")]
    Map {
        /// Guest physical address.
        guest: u64,
        /// What is wrong.
        error: String,
    },
    /// Regions overlap.
    #[error("the memory regions do not fit together: {0}")]
    Regions(String),
    /// Too many regions.
    #[error("more than {REGIONS_MAX} memory regions")]
    TooMany,
    /// There is no such region.
    #[error("there is no memory region at {0:#x} of that size")]
    NoSuchRegion(u64),
}

/// One mapped region.
#[derive(Debug, Clone)]
struct Region {
    place: RegionPlace,
    mapping: Arc<GuestRegionMmap<RegionLog>>,
}

/// A guest's memory. Cheap to copy; a mapping lives as long as anybody uses it.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    regions: Vec<Region>,
    guest: GuestMem,
    log: Arc<DirtyLog>,
}

impl Memory {
    /// Memory without any region.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// No region, but the same log.
    pub fn emptied(&self) -> Memory {
        Memory {
            log: self.log.clone(),
            ..Memory::default()
        }
    }

    /// This memory with one more region. Unless `allow_unsealed`, the file is sealed against being
    /// shortened, since touching what is not there any more would end the process.
    pub fn with(
        &self,
        place: RegionPlace,
        file: File,
        allow_unsealed: bool,
    ) -> Result<Memory, MemoryError> {
        if self.regions.len() >= REGIONS_MAX {
            return Err(MemoryError::TooMany);
        }
        if !seal(&file) && !allow_unsealed {
            return Err(MemoryError::Unsealed);
        }
        // After the seal, so that the length can only grow.
        if !holds(&file, place.offset, place.size) {
            return Err(MemoryError::NotThere(place.guest));
        }
        let log = RegionLog::new(self.log.clone(), place.guest);
        let mapping = Arc::new(map(place, file, log)?);
        let mut regions = self.regions.clone();
        regions.push(Region { place, mapping });
        self.with_regions(regions)
    }

    /// This memory without the region at `place` (the file's offset does not matter).
    pub fn without(&self, place: RegionPlace) -> Result<Memory, MemoryError> {
        let same = |region: &Region| {
            let it = region.place;
            (it.guest, it.size, it.user) == (place.guest, place.size, place.user)
        };
        if !self.regions.iter().any(same) {
            return Err(MemoryError::NoSuchRegion(place.guest));
        }
        let rest = self.regions.iter().filter(|it| !same(it)).cloned();
        self.with_regions(rest.collect())
    }

    /// The guest physical address of an address of the VMM.
    pub fn translate(&self, user: u64) -> Option<GuestAddress> {
        self.regions.iter().find_map(|region| {
            let offset = user.checked_sub(region.place.user)?;
            (offset < region.place.size).then(|| GuestAddress(region.place.guest + offset))
        })
    }

    /// The memory as the guest addresses it.
    pub fn guest(&self) -> &GuestMem {
        &self.guest
    }

    /// Where the writes of the node are noted.
    pub fn log(&self) -> &DirtyLog {
        &self.log
    }

    /// The guest physical address behind the last byte.
    pub fn end(&self) -> u64 {
        let ends = self.regions.iter().map(|it| it.place.guest + it.place.size);
        ends.max().unwrap_or_default()
    }

    fn with_regions(&self, regions: Vec<Region>) -> Result<Memory, MemoryError> {
        let mut mappings: Vec<_> = regions.iter().map(|it| it.mapping.clone()).collect();
        mappings.sort_by_key(|it| vm_memory::GuestMemoryRegion::start_addr(it.as_ref()));
        let guest = if mappings.is_empty() {
            GuestMem::new()
        } else {
            GuestMem::from_arc_regions(mappings)
                .map_err(|error| MemoryError::Regions(error.to_string()))?
        };
        Ok(Memory {
            regions,
            guest,
            log: self.log.clone(),
        })
    }
}

fn map(
    place: RegionPlace,
    file: File,
    log: RegionLog,
) -> Result<GuestRegionMmap<RegionLog>, MemoryError> {
    let size = usize::try_from(place.size).map_err(|_| MemoryError::TooLarge(place.guest))?;
    let fail = |error: String| MemoryError::Map {
        guest: place.guest,
        error,
    };
    let mapping = MmapRegionBuilder::new_with_bitmap(size, log)
        .with_file_offset(FileOffset::new(file, place.offset))
        .with_mmap_prot(libc::PROT_READ | libc::PROT_WRITE)
        .with_mmap_flags(libc::MAP_NORESERVE | libc::MAP_SHARED)
        .build()
        .map_err(|error| fail(error.to_string()))?;
    GuestRegionMmap::new(mapping, GuestAddress(place.guest))
        .ok_or_else(|| fail(guest_memory::Error::InvalidBackendAddress.to_string()))
}

/// Whether the file has `size` bytes at `offset`.
pub(super) fn holds(file: &File, offset: u64, size: u64) -> bool {
    let end = offset.checked_add(size);
    file.metadata()
        .is_ok_and(|it| it.is_file() && end.is_some_and(|end| end <= it.len()))
}

/// Seals a file against being shortened; `false` where that is not possible.
pub(super) fn seal(file: &File) -> bool {
    // The answer to the second call counts: the seal may have been there before.
    rustix::fs::fcntl_add_seals(file, SealFlags::SHRINK).is_ok()
        || rustix::fs::fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SealFlags::SHRINK))
}
