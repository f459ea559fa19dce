//! Ending the calls of an endpoint from outside.

use crate::ipc::placements;
use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, NOWAIT, Privileges, REQUESTS};

#[test]
fn a_waiting_receiver_wakes_up() {
    let mut net = Net::new(1);
    net.bind(1, 10);
    net.bind(1, 20);
    for flags in [0, REQUESTS] {
        let receive = net.receive(1, 20, ANY, flags);
        assert_eq!(net.wakeup(1, 10, 20), 0);
        assert_eq!(net.result(1, receive), EWOKENUP);
        let receive = net.receive(1, 20, ANY, NOWAIT);
        assert_eq!(net.result(1, receive), EAGAIN);
    }
}

#[test]
fn the_next_receive_from_any_wakes_up() {
    let mut net = Net::new(1);
    net.bind(1, 10);
    net.bind(1, 20);
    let specific = net.receive(1, 20, 10, 0);
    for _ in 0..2 {
        assert_eq!(net.wakeup(1, 10, 20), EPROCRUN);
    }
    assert!(net.pending(1, specific));
    assert_eq!(net.notify(1, 10, 20), 0);
    assert_eq!(net.result(1, specific), 0);
    assert_eq!(net.notify(1, 10, 20), 0);
    // Before what waits there, and once.
    let receive = net.receive(1, 20, ANY, 0);
    assert_eq!(net.result(1, receive), EWOKENUP);
    let receive = net.receive(1, 20, ANY, 0);
    assert_eq!(net.result(1, receive), 0);
    // Not beyond a life.
    assert_eq!(net.wakeup(1, 10, 20), EPROCRUN);
    net.unbind(1, 20);
    net.bind(1, 20);
    let receive = net.receive(1, 20, ANY, NOWAIT);
    assert_eq!(net.result(1, receive), EAGAIN);
}

#[test]
fn others_cannot_be_woken() {
    placements(|mut net, c, s| {
        let far = if c == s { EPROCRUN } else { ERMTPROC };
        assert_eq!(net.wakeup(c, 10, 20), far);
        assert_eq!(net.wakeup(c, 10, 20), far);
        assert_eq!(net.wakeup(c, 10, 99), ENOTBIND);
        assert_eq!(net.wakeup(c, 10, 500), ERANGE);
        assert_eq!(net.wakeup(c, 11, 20), ENOTBIND);
        let none = Privileges::default();
        assert_eq!(net.set_privileges(1, 10, &none), 0);
        assert_eq!(net.wakeup(1, 10, 20), EBADCALL);
        net.assert_clean();
    });
}

#[test]
fn a_shutdown_ends_all_calls() {
    placements(|mut net, c, s| {
        net.bind(c, 11);
        let calls = [
            net.receive(c, 10, 20, 0),
            net.receive(c, 10, ANY, 0),
            net.send(c, 10, 20, b"s", 0),
            net.sendrec(c, 10, 20, b"r", 0),
            net.await_bind(c, 10, 5),
            net.await_unbind(c, 10, 20),
        ];
        let other = net.send(c, 11, 20, b"o", 0);
        let now = net.now;
        net.core(c).shutdown(10, now);
        net.settle();
        for call in calls {
            assert_eq!(net.result(c, call), ESHUTDOWN);
        }
        assert_eq!(net.awaited(), 0);
        // It is still there, and so are others' calls.
        let receive = net.receive(s, 20, ANY, 0);
        assert_eq!(net.outcome(s, receive).data, b"o");
        assert_eq!(net.result(c, other), 0);
        let send = net.send(c, 10, 20, b"again", NOWAIT);
        assert_eq!(net.result(c, send), EAGAIN);
        net.assert_clean();
    });
}
