use super::*;

fn state() -> abi::State {
    abi::State {
        ep: 10,
        generation: 4,
        getfrom: abi::ADDR_NONE,
        sendto: abi::ADDR_NONE,
        pid: -1,
        ..abi::State::default()
    }
}

#[test]
fn one_that_runs() {
    let state = State::of(&state());
    assert!(state.runs());
    assert_eq!(state.pid, None);
    assert_eq!(state.address.to_string(), "10 (generation 4)");
}

#[test]
fn one_that_waits() {
    let state = State::of(&abi::State {
        rts: abi::STATE_RECEIVING,
        getfrom: abi::ADDR_ANY,
        misc: abi::MISC_NOTIFY | abi::MISC_BACKUP,
        pid: 77,
        name: *b"fs\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ..state()
    });
    assert!(!state.runs());
    assert_eq!(state.receiving, Some(Source::Any));
    assert_eq!(
        (state.notified, state.backup, state.woken),
        (true, true, false)
    );
    assert_eq!((state.pid, state.name.as_str()), (Some(77), "fs"));
}

#[test]
fn one_that_waits_for_an_answer() {
    let state = State::of(&abi::State {
        rts: abi::STATE_SENDING | abi::STATE_RECEIVING,
        getfrom: 3,
        sendto: 3,
        ..state()
    });
    assert_eq!(state.receiving, Some(Source::One(3)));
    assert_eq!(state.sending, Some(3.into()));
}

#[test]
fn what_is_not_here_is_no_error() {
    let elsewhere = abi::State { vm: 6, ..state() };
    assert_eq!(
        Whereabouts::of(Err(Error::OtherVm), &elsewhere).unwrap(),
        Whereabouts::OtherVm(6)
    );
    assert_eq!(
        Whereabouts::of(Err(Error::NotBound), &state()).unwrap(),
        Whereabouts::Unbound
    );
    assert!(Whereabouts::of(Err(Error::Range), &state()).is_err());
}
