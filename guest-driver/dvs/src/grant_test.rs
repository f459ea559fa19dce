use super::*;
use std::sync::Arc;

#[test]
fn a_key_there_and_back() {
    let key = GrantKey {
        owner: Address {
            number: -3,
            generation: 0x0102_0304,
        },
        id: NonZeroU64::new(0x1112_1314_1516_1718).unwrap(),
        bytes: u64::MAX,
    };
    assert_eq!(GrantKey::from_bytes(key.to_bytes()), Some(key));
    // Without a grant it would name memory by its address.
    assert_eq!(GrantKey::from_bytes([0; GrantKey::SIZE]), None);
    assert_eq!(key.to_bytes()[..5], [0xfd, 0xff, 0xff, 0xff, 4]);
}

#[test]
fn what_is_lent_may_change_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Grant<'_>>();
    shared::<LentBuffer<&Endpoint>>();
    shared::<LentBuffer<Arc<Endpoint>>>();
}

#[test]
fn rights() {
    assert_eq!(Access::Write.rights(), abi::GRANT_WRITE);
    let both = abi::GRANT_READ | abi::GRANT_WRITE;
    assert_eq!(Access::ReadWrite.rights(), both);
}
