//! ACPI tables: processors, interrupt controllers, PCI, and how to power off and reset.

use acpi_tables::facs::FACS;
use acpi_tables::fadt::{FADTBuilder, Flags};
use acpi_tables::gas::{AccessSize, AddressSpace as GasSpace, GAS};
use acpi_tables::madt::{
    EnabledStatus, IoApic, LocalInterruptController, MADT, ProcessorLocalApic,
};
use acpi_tables::mcfg::MCFG;
use acpi_tables::rsdp::Rsdp;
use acpi_tables::sdt::Sdt;
use acpi_tables::xsdt::XSDT;
use acpi_tables::{Aml, aml};
use vm_memory::{Bytes, GuestAddress};

use super::layout;
use super::memory::GuestMemory;
use crate::devices::power;

const OEM: [u8; 6] = *b"DVSVMM";
const OEM_TABLE: [u8; 8] = *b"DVSVMM  ";
const OEM_REVISION: u32 = 1;

/// Why the tables could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AcpiError {
    /// They do not fit where they must be.
    #[error("cannot write the ACPI tables to guest memory: {0}")]
    Memory(#[from] vm_memory::GuestMemoryError),
}

/// Writes all tables for a machine of `vcpus` processors; returns the address of the root pointer (RSDP).
pub fn write_tables(memory: &GuestMemory, vcpus: u8) -> Result<u64, AcpiError> {
    let mut writer = Writer {
        memory,
        next: layout::ACPI_TABLES + Rsdp::len() as u64,
    };
    let dsdt = writer.put(&dsdt())?;
    let facs = writer.put(&FACS::new())?;
    let tables = [
        writer.put(&fadt(dsdt, facs))?,
        writer.put(&madt(vcpus))?,
        writer.put(&mcfg())?,
    ];
    let mut xsdt = XSDT::new(OEM, OEM_TABLE, OEM_REVISION);
    for table in tables {
        xsdt.add_entry(u64::from(table));
    }
    let xsdt = writer.put(&xsdt)?;
    writer.next = layout::ACPI_TABLES;
    Ok(u64::from(writer.put(&Rsdp::new(OEM, u64::from(xsdt)))?))
}

struct Writer<'a> {
    memory: &'a GuestMemory,
    next: u64,
}

impl Writer<'_> {
    /// Writes a table at the next free address (64-byte aligned, as the FACS asks) and returns that address.
    fn put(&mut self, table: &dyn Aml) -> Result<u32, AcpiError> {
        let mut bytes = Vec::new();
        table.to_aml_bytes(&mut bytes);
        let address = self.next.next_multiple_of(64);
        self.memory.write_slice(&bytes, GuestAddress(address))?;
        self.next = address + bytes.len() as u64;
        // The tables lie below 1 MiB.
        Ok(low32(address))
    }
}

fn low16(value: u64) -> u16 {
    (value & 0xffff) as u16
}

fn low32(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}

fn port(address: u64, bits: u8, access: AccessSize) -> GAS {
    GAS::new(GasSpace::SystemIo, bits, 0, access, address)
}

/// Fixed hardware: PM1 event and control blocks, power button, reset register; no legacy devices to probe for.
fn fadt(dsdt: u32, facs: u32) -> impl Aml {
    const NO_VGA_NO_ASPM_NO_RTC: u16 = (1 << 2) | (1 << 4) | (1 << 5);
    let block = |offset: u64| low32(layout::PM + offset).into();
    let mut fadt = FADTBuilder::new(OEM, OEM_TABLE, OEM_REVISION)
        .dsdt_32(dsdt)
        .firmware_ctrl_32(facs)
        .flag(Flags::Wbinvd)
        .flag(Flags::ProcC1)
        .flag(Flags::SlpButton)
        .flag(Flags::ResetRegSup)
        .flag(Flags::Headless);
    fadt.sci_int = low16(u64::from(layout::SCI_IRQ)).into();
    fadt.pm1a_evt_blk = block(power::PM1_EVENT);
    fadt.pm1_evt_len = 4;
    fadt.pm1a_cnt_blk = block(power::PM1_CONTROL);
    fadt.pm1_cnt_len = 2;
    // Latencies above these limits say that there are no such processor states.
    fadt.p_lvl2_lat = 0xffff.into();
    fadt.p_lvl3_lat = 0xffff.into();
    fadt.iapc_boot_arch = NO_VGA_NO_ASPM_NO_RTC.into();
    fadt.reset_reg = port(layout::PM + power::RESET, 8, AccessSize::ByteAccess);
    fadt.reset_value = power::RESET_VALUE;
    fadt.finalize()
}

fn madt(vcpus: u8) -> impl Aml {
    let mut madt = MADT::new(
        OEM,
        OEM_TABLE,
        OEM_REVISION,
        LocalInterruptController::Address(layout::LOCAL_APIC),
    );
    for id in 0..vcpus {
        madt.add_structure(ProcessorLocalApic::new(id, id, EnabledStatus::Enabled));
    }
    madt.add_structure(IoApic::new(0, layout::IO_APIC, 0));
    madt.add_structure(SourceOverride::new(0, 2, SourceOverride::AS_THE_BUS));
    const SCI: u8 = (layout::SCI_IRQ & 0xff) as u8;
    madt.add_structure(SourceOverride::new(
        SCI,
        layout::SCI_IRQ,
        SourceOverride::LEVEL_HIGH,
    ));
    madt
}

/// An ISA interrupt that is not wired as ISA says (ACPI 6.5, table 5.24).
#[repr(C, packed)]
#[derive(Clone, Copy, zerocopy::IntoBytes, zerocopy::Immutable)]
struct SourceOverride {
    kind: u8,
    len: u8,
    bus: u8,
    source: u8,
    gsi: u32,
    flags: u16,
}

impl SourceOverride {
    const AS_THE_BUS: u16 = 0;
    const LEVEL_HIGH: u16 = 0b1101;

    fn new(source: u8, gsi: u32, flags: u16) -> Self {
        Self {
            kind: 2,
            len: 10,
            bus: 0,
            source,
            gsi: gsi.to_le(),
            flags: flags.to_le(),
        }
    }
}

impl Aml for SourceOverride {
    fn to_aml_bytes(&self, sink: &mut dyn acpi_tables::AmlSink) {
        sink.vec(zerocopy::IntoBytes::as_bytes(self));
    }
}

fn mcfg() -> impl Aml {
    let mut mcfg = MCFG::new(OEM, OEM_TABLE, OEM_REVISION);
    mcfg.add_ecam(layout::PCI_ECAM, 0, 0, 0);
    mcfg
}

/// The namespace: the PCI root with its windows, the memory it occupies, and the value that means "off" (S5).
fn dsdt() -> impl Aml {
    const REVISION: u8 = 6;
    let mut body = Vec::new();
    aml::Name::new(
        "_S5_".into(),
        &aml::Package::new(vec![
            &power::SLEEP_TYPE_OFF,
            &aml::ZERO,
            &aml::ZERO,
            &aml::ZERO,
        ]),
    )
    .to_aml_bytes(&mut body);
    let config_port = low16(layout::PCI_CONFIG);
    let bus = aml::AddressSpace::new_bus_number(0u16, 0u16);
    let config = aml::IO::new(config_port, config_port, 1, 8);
    let io = aml::AddressSpace::new_io(
        low16(layout::PCI_IO),
        low16(layout::PCI_IO + layout::PCI_IO_SIZE - 1),
        None,
    );
    let memory = aml::AddressSpace::new_memory(
        aml::AddressSpaceCacheable::NotCacheable,
        true,
        low32(layout::PCI_MMIO),
        low32(layout::PCI_MMIO + layout::PCI_MMIO_SIZE - 1),
        None,
    );
    let windows = aml::ResourceTemplate::new(vec![&bus, &config, &io, &memory]);
    aml::Device::new(
        "_SB_.PCI0".into(),
        vec![
            &aml::Name::new("_HID".into(), &aml::EISAName::new("PNP0A08")),
            &aml::Name::new("_CID".into(), &aml::EISAName::new("PNP0A03")),
            &aml::Name::new("_SEG".into(), &aml::ZERO),
            &aml::Name::new("_UID".into(), &aml::ZERO),
            &aml::Name::new("_CRS".into(), &windows),
        ],
    )
    .to_aml_bytes(&mut body);
    let ecam = aml::Memory32Fixed::new(true, low32(layout::PCI_ECAM), low32(layout::PCI_ECAM_SIZE));
    let reserved = aml::ResourceTemplate::new(vec![&ecam]);
    // The guest uses the memory-mapped configuration space only when something has reserved it.
    aml::Device::new(
        "_SB_.MBRD".into(),
        vec![
            &aml::Name::new("_HID".into(), &aml::EISAName::new("PNP0C02")),
            &aml::Name::new("_UID".into(), &aml::ZERO),
            &aml::Name::new("_CRS".into(), &reserved),
        ],
    )
    .to_aml_bytes(&mut body);
    let mut table = Sdt::new(*b"DSDT", 36, REVISION, OEM, OEM_TABLE, OEM_REVISION);
    table.append_slice(&body);
    table
}

#[cfg(test)]
#[path = "acpi_test.rs"]
mod tests;
