use super::*;

#[test]
fn texts_end_at_the_first_zero() {
    assert_eq!(text(b"shop\0\0\0\0"), "shop");
    assert_eq!(text(b"full"), "full");
    assert_eq!(text(b"a\0b\0"), "a");
    assert_eq!(text(&[0xff, 0]), "\u{fffd}");
}

#[test]
fn what_the_host_told() {
    let info = Info::from(abi::Info {
        features: abi::INFO_ADMIN,
        nodeid: 3,
        dc_name: *b"shop\0\0\0\0\0\0\0\0\0\0\0\0",
        ..abi::Info::default()
    });
    assert!(info.admin);
    assert_eq!((info.nodeid, info.dc_name.as_str()), (3, "shop"));
}

#[test]
fn roles_are_the_flags_of_a_bind() {
    assert_eq!(Role::default().flags(), 0);
    assert_eq!(Role::Backup.flags(), abi::BIND_BACKUP);
    assert_eq!(Role::Replica.flags(), abi::BIND_REPLICA);
}
