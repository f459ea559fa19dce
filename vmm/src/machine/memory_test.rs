use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryRegion};

use super::*;

#[test]
fn small_memory_is_one_region_with_a_file() {
    let memory = create(16 << 20).unwrap();
    assert_eq!(memory.num_regions(), 1);
    let region = memory.iter().next().unwrap();
    assert_eq!(region.len(), 16 << 20);
    assert_eq!(region.file_offset().unwrap().start(), 0);
    memory.write_obj(0x55u8, GuestAddress(0x1234)).unwrap();
    assert_eq!(memory.read_obj::<u8>(GuestAddress(0x1234)).unwrap(), 0x55);
}

#[test]
fn large_memory_goes_around_the_hole() {
    let memory = create(4 << 30).unwrap();
    let regions: Vec<_> = memory.iter().map(|r| (r.start_addr().0, r.len())).collect();
    assert_eq!(
        regions,
        [(0, layout::LOW_RAM_END), (layout::HIGH_RAM_START, 1 << 30)]
    );
    assert!(!memory.address_in_range(GuestAddress(layout::PCI_ECAM)));
}

#[test]
fn the_file_cannot_be_shrunk_under_the_guest() {
    let file = sealed_file(c"guest-memory", 1 << 20).unwrap();
    assert!(file.set_len(4096).is_err());
    assert!(file.set_len(2 << 20).is_err());
}

#[test]
fn an_impossible_size_is_an_error() {
    assert!(create(1 << 62).is_err());
}

#[test]
fn pages_with_contents_are_found() {
    let memory = create(4 << 30).unwrap();
    let none = populated(&memory).unwrap();
    assert!(none.iter().flatten().all(|word| *word == 0));
    let last = layout::LOW_RAM_END / PAGE_SIZE - 1;
    for page in [0, 65, last, layout::HIGH_RAM_START / PAGE_SIZE + 3] {
        memory
            .write_obj(1u8, GuestAddress(page * PAGE_SIZE))
            .unwrap();
    }
    let pages = populated(&memory).unwrap();
    let is_set = |slot: usize, page: u64| {
        let word = pages[slot][usize::try_from(page / 64).unwrap()];
        word >> (page % 64) & 1 == 1
    };
    // Where the host gives large pages there are more.
    assert!(is_set(0, 0) && is_set(0, 65) && is_set(0, last) && is_set(1, 3));
    assert!(!is_set(0, last / 2) && !is_set(1, (1 << 18) - 1));
}

#[test]
fn a_range_of_bits_goes_over_words() {
    let mut bits = Bits::new(200);
    bits.set(0..1);
    bits.set(62..130);
    bits.set(199..200);
    assert_eq!(bits.0, [1 | 3 << 62, !0, 3, 1 << 7]);
    bits.set(5..5);
    bits.set(0..10_000);
    assert_eq!(bits.0, [!0; 4]);
}
