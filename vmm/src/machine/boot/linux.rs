//! What Linux is told at its start: the zero page with the memory map (Documentation/x86/boot.rst of the kernel).

use linux_loader::bootparam::{boot_e820_entry, boot_params, setup_header};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryRegion};

use super::super::layout;
use super::super::memory::GuestMemory;
use super::BootError;

/// Offset of the 64-bit entry point in a loaded bzImage.
pub const ENTRY_64: u64 = 0x200;

const RAM: u32 = 1;
const RESERVED: u32 = 2;

/// True where the header of this bzImage says that it has a 64-bit entry point (XLF_KERNEL_64).
pub fn enters_in_64_bit(start: &[u8]) -> bool {
    const XLOADFLAGS_AT: usize = 0x236;
    start.get(XLOADFLAGS_AT).is_some_and(|flags| flags & 1 != 0)
}

/// End of the memory that a bzImage needs to unpack itself.
pub fn room_needed(header: &setup_header, kernel_end: u64) -> u64 {
    kernel_end.max(
        header
            .pref_address
            .saturating_add(u64::from(header.init_size)),
    )
}

/// End of the memory in which the kernel finds an initramfs.
pub fn initramfs_limit(header: &setup_header) -> u64 {
    match header.initrd_addr_max {
        0 => u64::from(u32::MAX),
        last => u64::from(last) + 1,
    }
}

/// Writes the zero page.
pub fn write_zero_page(
    memory: &GuestMemory,
    header: setup_header,
    cmdline_len: usize,
    initramfs: Option<(u64, u64)>,
    rsdp: u64,
) -> Result<(), BootError> {
    const UNDEFINED_LOADER: u8 = 0xff;
    const BOOT_FLAG: u16 = 0xaa55;
    const HEADER_MAGIC: u32 = 0x5372_6448;
    // Everything that is addressed here lies below 4 GiB.
    let low = |address: u64| (address & 0xffff_ffff) as u32;
    let mut params = boot_params {
        hdr: header,
        acpi_rsdp_addr: rsdp,
        ..Default::default()
    };
    params.hdr.type_of_loader = UNDEFINED_LOADER;
    params.hdr.boot_flag = BOOT_FLAG;
    params.hdr.header = HEADER_MAGIC;
    params.hdr.cmd_line_ptr = low(layout::CMDLINE);
    params.hdr.cmdline_size = low(cmdline_len as u64);
    if let Some((address, size)) = initramfs {
        params.hdr.ramdisk_image = low(address);
        params.hdr.ramdisk_size = low(size);
    }
    let map = memory_map(memory);
    params.e820_entries = u8::try_from(map.len()).unwrap_or(u8::MAX);
    let mut table = params.e820_table;
    for (slot, entry) in table.iter_mut().zip(map) {
        *slot = entry;
    }
    params.e820_table = table;
    Ok(memory.write_obj(params, GuestAddress(layout::ZERO_PAGE))?)
}

/// The memory map (E820): RAM around the legacy area and the hole for devices.
fn memory_map(memory: &GuestMemory) -> Vec<boot_e820_entry> {
    let entry = |addr: u64, end: u64, kind: u32| boot_e820_entry {
        addr,
        size: end - addr,
        r#type: kind,
    };
    let mut map = vec![
        entry(0, layout::LOW_MEM_END, RAM),
        entry(layout::LOW_MEM_END, layout::KERNEL_MIN, RESERVED),
    ];
    for region in memory.iter() {
        let start = region.start_addr().0;
        map.push(entry(
            start.max(layout::KERNEL_MIN),
            start + region.len(),
            RAM,
        ));
    }
    map.push(entry(
        layout::PCI_ECAM,
        layout::PCI_ECAM + layout::PCI_ECAM_SIZE,
        RESERVED,
    ));
    map.sort_by_key(|e| e.addr);
    map
}
