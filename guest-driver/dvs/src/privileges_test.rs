use super::*;

const WIRE: &str = include_str!("../../core/wire.h");

fn defined(name: &str) -> u64 {
    let mut words = WIRE.split_whitespace().skip_while(|word| *word != name);
    let value = words.nth(1).unwrap();
    match value.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
        None => value.parse().unwrap(),
    }
}

#[test]
fn calls_have_the_bits_of_the_header() {
    for (calls, name) in [
        (Calls::SEND, "SEND"),
        (Calls::RECEIVE, "RECEIVE"),
        (Calls::NOTIFY, "NOTIFY"),
        (Calls::SENDREC, "SENDREC"),
        (Calls::RECEIVE_REQUEST, "RCVRQST"),
        (Calls::REPLY, "REPLY"),
        (Calls::UNBIND, "UNBIND"),
        (Calls::COPY, "VCOPY"),
        (Calls::RELAY, "RELAY"),
        (Calls::ENDPOINT_OF, "GETEP"),
        (Calls::AWAIT, "WAIT4BIND"),
        (Calls::WAKEUP, "WAKEUP"),
    ] {
        assert_eq!(calls.bits(), 1 << defined(&format!("DVS_MAY_{name}")));
    }
    assert_eq!(Calls::SERVER.bits(), defined("DVS_CALLS_SERVER"));
    assert_eq!(Calls::USER.bits(), defined("DVS_CALLS_USER"));
    let user = Calls::SENDREC | Calls::UNBIND | Calls::ENDPOINT_OF | Calls::AWAIT;
    assert_eq!(user, Calls::USER);
}

#[test]
fn sets_of_calls() {
    let mut calls = Calls::SERVER.without(Calls::RELAY);
    assert!(calls.contains(Calls::SEND | Calls::COPY));
    assert!(!calls.contains(Calls::SEND | Calls::RELAY));
    calls |= Calls::RELAY;
    assert_eq!(calls, Calls::SERVER);
    assert!(calls.contains(Calls::NONE));
}

#[test]
fn a_record_there_and_back() {
    for level in [Level::User, Level::Server, Level::Task] {
        let privileges = Privileges {
            calls: Calls::USER,
            ipc_to: 0xff,
            level,
        };
        let record = privileges.record(-2);
        assert_eq!(record.ep, -2);
        assert_eq!(Privileges::of(&record).unwrap(), privileges);
    }
    let unknown = abi::Privilege {
        level: 3,
        ..abi::Privilege::default()
    };
    assert!(matches!(Privileges::of(&unknown), Err(Error::Invalid)));
}
