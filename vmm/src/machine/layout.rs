//! Where things are in the guest's physical address space and in its port space.
//!
//! ```text
//! 0x0000_0000  RAM: boot data below 640 KiB, the kernel from 1 MiB or where it asks
//! 0x000e_0000  ACPI tables (reserved)
//! 0xc000_0000  memory BARs of PCI devices
//! 0xe000_0000  PCI configuration space (ECAM), one bus
//! 0xfec0_0000  I/O APIC;  0xfee0_0000 local APICs;  0xfffb_c000 KVM's own pages
//! 0x1_0000_0000  RAM that does not fit below the hole
//! ```

/// End of the RAM below the hole for devices.
pub const LOW_RAM_END: u64 = 0xc000_0000;
/// Start of the RAM above 4 GiB.
pub const HIGH_RAM_START: u64 = 0x1_0000_0000;

/// Global descriptor table for the start of the first vCPU.
pub const BOOT_GDT: u64 = 0x500;
/// The Linux "zero page" (`struct boot_params`).
pub const ZERO_PAGE: u64 = 0x7000;
/// Stack of the first vCPU until the kernel has its own; grows down.
pub const BOOT_STACK: u64 = 0x8ff0;
/// Identity-mapping page tables: one PML4, one PDPT, four page directories.
pub const BOOT_PML4: u64 = 0x9000;
/// Command line of the kernel.
pub const CMDLINE: u64 = 0x2_0000;
/// Room for the command line, with its terminating zero.
pub const CMDLINE_MAX: usize = 0x1000;
/// End of the conventional memory that the guest may use.
pub const LOW_MEM_END: u64 = 0x9_fc00;
/// Start of the ACPI tables, in the area that old kernels scan for them.
pub const ACPI_TABLES: u64 = 0xe_0000;
/// Start of the memory above the legacy area; no kernel is loaded below it.
pub const KERNEL_MIN: u64 = 0x10_0000;

/// Memory BARs of PCI devices.
pub const PCI_MMIO: u64 = 0xc000_0000;
/// Size of the window of memory BARs.
pub const PCI_MMIO_SIZE: u64 = 0x2000_0000;
/// PCI configuration space by memory (ECAM).
pub const PCI_ECAM: u64 = 0xe000_0000;
/// One bus of 32 devices of 8 functions of 4 KiB.
pub const PCI_ECAM_SIZE: u64 = 0x10_0000;
/// I/O APIC, as KVM places it.
pub const IO_APIC: u32 = 0xfec0_0000;
/// Local APICs, as KVM places them.
pub const LOCAL_APIC: u32 = 0xfee0_0000;
/// One page that KVM uses on hosts without unrestricted guest mode.
pub const KVM_IDENTITY_MAP: u64 = 0xfffb_c000;
/// Three pages that KVM uses on the same hosts.
pub const KVM_TSS: usize = 0xfffb_d000;

/// First serial port.
pub const COM1: u64 = 0x3f8;
/// Second serial port.
pub const COM2: u64 = 0x2f8;
/// Registers of one serial port.
pub const COM_SIZE: u64 = 8;
/// Interrupt line of the first serial port.
pub const COM1_IRQ: u32 = 4;
/// Interrupt line of the second serial port.
pub const COM2_IRQ: u32 = 3;
/// Data and command port of the keyboard controller.
pub const I8042: u64 = 0x60;
/// Ports of the keyboard controller, with the four between its two.
pub const I8042_SIZE: u64 = 5;
/// ACPI power management registers.
pub const PM: u64 = 0x600;
/// Ports of the power management registers.
pub const PM_SIZE: u64 = 0x10;
/// Interrupt line of ACPI events (SCI).
pub const SCI_IRQ: u32 = 9;
/// PCI configuration by ports: address at 0xcf8, data at 0xcfc.
pub const PCI_CONFIG: u64 = 0xcf8;
/// Ports of the PCI configuration mechanism.
pub const PCI_CONFIG_SIZE: u64 = 8;
/// I/O BARs of PCI devices.
pub const PCI_IO: u64 = 0xc000;
/// Size of the window of I/O BARs.
pub const PCI_IO_SIZE: u64 = 0x4000;

/// First interrupt number that message-signalled interrupts may use: the I/O APIC has 24 pins.
pub const FIRST_MSI_GSI: u32 = 24;
