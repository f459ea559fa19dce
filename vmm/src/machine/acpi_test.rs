use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::machine::memory;

fn table(memory: &GuestMemory, address: u64) -> Vec<u8> {
    let len: u32 = memory.read_obj(GuestAddress(address + 4)).unwrap();
    let mut bytes = vec![0; len as usize];
    memory
        .read_slice(&mut bytes, GuestAddress(address))
        .unwrap();
    bytes
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |a, b| a.wrapping_add(*b))
}

/// All tables that the root pointer leads to, by signature.
fn tables(vcpus: u8) -> Vec<Vec<u8>> {
    let memory = memory::create(16 << 20).unwrap();
    let rsdp = write_tables(&memory, vcpus).unwrap();
    assert_eq!(rsdp, layout::ACPI_TABLES);
    let mut root = [0; 36];
    memory.read_slice(&mut root, GuestAddress(rsdp)).unwrap();
    assert_eq!(&root[..8], b"RSD PTR ");
    assert_eq!(sum(&root), 0);
    let xsdt = table(
        &memory,
        u64::from_le_bytes(root[24..32].try_into().unwrap()),
    );
    assert_eq!(sum(&xsdt), 0);
    let mut found: Vec<_> = xsdt[36..]
        .chunks_exact(8)
        .map(|entry| table(&memory, u64::from_le_bytes(entry.try_into().unwrap())))
        .collect();
    let dsdt = u32::from_le_bytes(found[0][40..44].try_into().unwrap());
    found.push(table(&memory, u64::from(dsdt)));
    found
}

#[test]
fn every_table_is_reachable_and_sums_to_zero() {
    let tables = tables(4);
    let signatures: Vec<_> = tables.iter().map(|t| &t[..4]).collect();
    assert_eq!(signatures, [b"FACP", b"APIC", b"MCFG", b"DSDT"]);
    assert!(tables.iter().all(|t| sum(t) == 0));
}

#[test]
fn every_processor_is_listed() {
    for count in [1, 3, 64] {
        let madt = &tables(count)[1];
        let mut processors = 0;
        let mut at = 44;
        while at < madt.len() {
            processors += u8::from(madt[at] == 0);
            at += usize::from(madt[at + 1]);
        }
        assert_eq!(processors, count);
    }
}

#[test]
fn the_guest_learns_how_to_reset_and_power_off() {
    let tables = tables(1);
    let fadt = &tables[0];
    assert_eq!(u16::from_le_bytes(fadt[46..48].try_into().unwrap()), 9);
    assert_eq!(u32::from_le_bytes(fadt[56..60].try_into().unwrap()), 0x600);
    assert_eq!(u32::from_le_bytes(fadt[64..68].try_into().unwrap()), 0x604);
    assert_eq!(fadt[128], power::RESET_VALUE);
    assert!(tables[3].windows(4).any(|w| w == b"_S5_"));
}
