use super::*;
use crate::machine::memory;

#[test]
fn descriptors_are_flat_long_mode_segments() {
    let memory = memory::create(16 << 20).unwrap();
    let mut sregs = kvm_sregs::default();
    write_segments(&memory, &mut sregs).unwrap();
    let at = |slot: u64| {
        memory
            .read_obj::<u64>(GuestAddress(layout::BOOT_GDT + slot * 8))
            .unwrap()
    };
    assert_eq!(at(2), 0x00af_9b00_0000_ffff);
    assert_eq!(at(3), 0x00cf_9300_0000_ffff);
    assert_eq!(
        (sregs.cs.selector, sregs.ss.selector, sregs.tr.selector),
        (0x10, 0x18, 0x20)
    );
}

#[test]
fn the_first_four_gib_are_mapped_to_themselves() {
    let memory = memory::create(16 << 20).unwrap();
    write_page_tables(&memory).unwrap();
    let entry = |table: u64, slot: u64| {
        memory
            .read_obj::<u64>(GuestAddress((table & !0xfff) + slot * 8))
            .unwrap()
    };
    for address in [0u64, 0x1234_5678, 0xffff_ffff] {
        let directory = entry(entry(layout::BOOT_PML4, 0), address >> 30);
        let page = entry(directory, (address >> 21) & 511);
        assert_eq!(page & !0x1f_ffff, address & !0x1f_ffff);
        assert_eq!(page & 0x83, 0x83);
    }
}
