use super::*;
use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

const MAX: usize = 65536;

fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Xoshiro256PlusPlus::seed_from_u64(3).fill_bytes(&mut bytes);
    bytes
}

#[test]
fn only_what_saves_an_eighth_is_packed() {
    let mut packer = Packer::new(MAX);
    assert!(packer.pack(&noise(MAX)).is_none());
    let packed = packer.pack(&[7; MAX]).unwrap().to_vec();
    assert!(packed.len() < MAX / 100);
    assert_eq!(packer.unpack(&packed, MAX).unwrap(), [7; MAX]);
}

#[test]
fn only_the_stated_length_comes_out() {
    let mut packer = Packer::new(MAX);
    let packed = packer.pack(&[7; 4096]).unwrap().to_vec();
    assert!(packer.unpack(&packed, 4095).is_none());
    assert!(packer.unpack(&packed, 4097).is_none());
    assert!(packer.unpack(&packed[..packed.len() - 1], 4096).is_none());
    assert!(packer.unpack(&packed, MAX + 1).is_none());
    assert!(packer.unpack(&packed, 4096).is_some());
}

#[test]
fn after_failures_more_and_more_frames_are_left_alone() {
    let mut trying = Trying::default();
    let tries = (0..2000).filter(|_| {
        let wants = trying.wants(MAX);
        if wants {
            trying.tried(false);
        }
        wants
    });
    assert!((8..20).contains(&tries.count()));
    while !trying.wants(MAX) {}
    trying.tried(true);
    assert!(trying.wants(MAX) && !trying.wants(64));
}

proptest! {
    #[test]
    fn whatever_is_packed_comes_back(
        pattern in prop::collection::vec(any::<u8>(), 1..200),
        times in 1..300usize,
    ) {
        let payload = pattern.repeat(times);
        let mut packer = Packer::new(MAX);
        if let Some(packed) = packer.pack(&payload) {
            let packed = packed.to_vec();
            prop_assert!(packed.len() <= payload.len() - payload.len() / 8);
            prop_assert_eq!(packer.unpack(&packed, payload.len()), Some(&payload[..]));
        }
    }

    #[test]
    fn no_bytes_do_harm_to_the_unpacker(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        length in 0..MAX * 2,
    ) {
        let _ = Packer::new(MAX).unpack(&bytes, length);
    }
}
