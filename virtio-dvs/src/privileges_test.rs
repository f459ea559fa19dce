use super::*;
use proptest::prelude::*;

const REQUESTS: [(u8, u32); 5] = [
    (kind::MSG, call::SEND),
    (kind::REQ, call::SENDREC),
    (kind::NTF, call::NOTIFY),
    (kind::COPY_IN, call::VCOPY),
    (kind::COPY_OUT, call::VCOPY),
];

#[test]
fn defaults_go_by_number() {
    let dc = DcAttributes::default();
    for (number, calls, level) in [
        (-34, CALLS_SERVER, LEVEL_TASK),
        (-1, CALLS_SERVER, LEVEL_TASK),
        (0, CALLS_SERVER, LEVEL_SERVER),
        (29, CALLS_SERVER, LEVEL_SERVER),
        (30, CALLS_USER, LEVEL_USER),
        (220, CALLS_USER, LEVEL_USER),
    ] {
        let privileges = Privileges::of_number(&dc, number);
        assert_eq!(
            (privileges.calls, privileges.level),
            (calls, level),
            "{number}"
        );
        assert_eq!(privileges.ipc_to, u64::MAX);
    }
    let few = DcAttributes {
        nr_sysprocs: 4,
        ..dc
    };
    let task = Privileges::of_number(&few, -1);
    assert_eq!((task.calls, task.level), (CALLS_USER, LEVEL_TASK));
    let named = [call::SENDREC, call::UNBIND, call::GETEP, call::WAIT4BIND];
    assert_eq!(named.iter().map(|it| 1 << it).sum::<u64>(), CALLS_USER);
}

#[test]
fn users_ask_servers_and_nobody_else() {
    let dc = DcAttributes::default();
    let user = Privileges::of_number(&dc, 30);
    assert_eq!(user.check(&dc, kind::REQ, 29), Ok(()));
    assert_eq!(user.check(&dc, kind::REQ, 31), Err(Denied::Destination));
    for kind in [kind::MSG, kind::NTF, kind::COPY_IN, kind::COPY_OUT] {
        assert_eq!(user.check(&dc, kind, 29), Err(Denied::Call));
    }
    let server = Privileges::of_number(&dc, 29);
    assert_eq!(server.check(&dc, kind::MSG, 31), Ok(()));
    // Frames that nobody calls for go by themselves.
    assert_eq!(user.check(&dc, kind::RPL, 31), Ok(()));
    assert_eq!(user.check(&dc, kind::WATCH, 31), Ok(()));
}

#[test]
fn system_endpoints_without_a_bit_are_open_to_all() {
    let dc = DcAttributes {
        nr_tasks: 40,
        nr_sysprocs: 100,
        ..DcAttributes::default()
    };
    let nobody = Privileges {
        calls: CALLS_SERVER,
        ipc_to: 0,
        level: LEVEL_USER,
    };
    assert_eq!(nobody.check(&dc, kind::MSG, 23), Err(Denied::Destination));
    assert_eq!(nobody.check(&dc, kind::MSG, 24), Ok(()));
    assert_eq!(nobody.check(&dc, kind::MSG, 60), Err(Denied::Destination));
}

proptest! {
    #[test]
    fn one_bit_is_one_right(
        (calls, ipc_to, level) in (any::<u64>(), any::<u64>(), 0..=LEVEL_TASK),
        request in prop::sample::select(&REQUESTS[..]),
        to in -40..230i32,
    ) {
        let dc = DcAttributes::default();
        let (kind, call) = request;
        let checked = Privileges { calls, ipc_to, level }.check(&dc, kind, to);
        let may_call = calls >> call & 1 == 1;
        let reaches = match to {
            -34..30 => ipc_to >> (to + 34) & 1 == 1,
            30..221 => level >= LEVEL_SERVER,
            _ => false,
        };
        let expected = match (may_call, reaches) {
            (false, _) => Err(Denied::Call),
            (true, false) => Err(Denied::Destination),
            (true, true) => Ok(()),
        };
        prop_assert_eq!(checked, expected);
    }
}
