use super::*;
use std::mem::offset_of;

const UAPI: &str = include_str!("../../linux/include/uapi/linux/dvs.h");
const WIRE: &str = include_str!("../../core/wire.h");

/// The number that a header defines as `name`.
fn defined(header: &str, name: &str) -> i64 {
    let line = header
        .lines()
        .find(|line| line.split_whitespace().take(2).eq(["#define", name]))
        .unwrap_or_else(|| panic!("{name} is not defined"));
    let value = line.split_whitespace().nth(2).unwrap();
    let value = value.trim_matches(['(', ')']);
    match value.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).unwrap(),
        None => value.parse().unwrap(),
    }
}

#[test]
fn constants_are_those_of_the_headers() {
    let of = |name| defined(UAPI, name);
    assert_eq!(of("DVS_ABI_VERSION"), i64::from(ABI_VERSION));
    assert_eq!(of("DVS_ID_FILE"), i64::from(ID_FILE));
    assert_eq!(of("DVS_BIND_FILE"), i64::from(BIND_FILE));
    assert_eq!(of("DVS_ADDR_ANY"), i64::from(ADDR_ANY));
    assert_eq!(of("DVS_TIMEOUT_FOREVER"), TIMEOUT_FOREVER);
    assert_eq!(of("DVS_TIMEOUT_NOWAIT"), TIMEOUT_NOWAIT);
    assert_eq!(of("DVS_CAME_REQUEST"), i64::from(CAME_REQUEST));
    assert_eq!(of("DVS_CAME_NOTIFY"), i64::from(CAME_NOTIFY));
    assert_eq!(of("DVS_IOC_MAGIC"), i64::try_from(MAGIC).unwrap());
    let payload = defined(WIRE, "DVS_MSG_FRAME_MAX") - defined(WIRE, "DVS_FRAME_HEADER");
    assert_eq!(payload, i64::try_from(MESSAGE_MAX).unwrap());
}

#[test]
fn calls_have_the_numbers_of_the_header() {
    for (call, name) in [
        (Call::Send, "SEND"),
        (Call::Receive, "RECEIVE"),
        (Call::Sendrec, "SENDREC"),
        (Call::Reply, "REPLY"),
        (Call::Notify, "NOTIFY"),
    ] {
        let line = format!("_IOWR(DVS_IOC_MAGIC, {}, struct dvs_io)", call as u8);
        let defined = UAPI
            .lines()
            .find(|l| l.split_whitespace().nth(1) == Some(&format!("DVS_IOC_{name}")))
            .unwrap();
        assert!(defined.ends_with(&line), "{defined}");
    }
}

#[test]
fn structures_have_the_layout_of_the_header() {
    assert_eq!(size_of::<Info>(), 64);
    assert_eq!(size_of::<Bind>(), 32);
    assert_eq!(size_of::<Io>(), 88);
    assert_eq!(offset_of!(Io, send_buf), 16);
    assert_eq!(offset_of!(Io, timeout_ms), 40);
    assert_eq!(offset_of!(Io, from), 56);
    assert_eq!(offset_of!(Io, result), 68);
}

#[test]
fn open_without_a_device_says_so() {
    if !std::path::Path::new("/dev/dvs").exists() {
        assert_eq!(open().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
