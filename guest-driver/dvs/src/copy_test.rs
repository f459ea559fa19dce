use super::*;
use std::num::NonZeroU64;

const KEY: GrantKey = GrantKey {
    owner: Address {
        number: 10,
        generation: 2,
    },
    id: NonZeroU64::new(77).unwrap(),
    bytes: 4096,
};

#[test]
fn both_sides_of_a_copy() {
    // SAFETY: nothing is copied.
    let raw = unsafe { RemoteMemory::raw(40, 0x1000) };
    let copy = description(KEY.at(16), raw, 99, Timeout::NoWait);
    assert_eq!((copy.src, copy.src_generation), (10, 2));
    assert_eq!((copy.src_addr, copy.src_grant), (16, 77));
    assert_eq!((copy.dst, copy.dst_generation), (40, 0));
    assert_eq!((copy.dst_addr, copy.dst_grant), (0x1000, 0));
    assert_eq!((copy.bytes, copy.timeout_ms), (99, 0));
}

#[test]
fn further_on() {
    assert_eq!(RemoteMemory::from(KEY).offset(5), Some(KEY.at(5)));
    assert_eq!(KEY.at(u64::MAX).offset(1), None);
}

#[test]
fn a_failed_copy_tells_how_far_it_came() {
    let error = CopyError {
        copied: 1 << 20,
        error: Error::SourceDied,
    };
    assert!(error.to_string().starts_with("after 1048576 bytes: "));
    assert!(matches!(Error::from(error), Error::SourceDied));
}
