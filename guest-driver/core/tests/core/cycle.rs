//! Endpoints that wait for each other in a circle.

use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, CallId, NOWAIT, SOLE};

fn net(vms: u32) -> Net {
    let mut net = Net::new(vms);
    for nr in 10..15 {
        net.bind(1, nr);
    }
    net
}

fn locked(net: &mut Net, id: CallId) -> bool {
    !net.pending(1, id) && net.result(1, id) == ELOCKED
}

#[test]
fn the_call_that_closes_a_cycle_fails() {
    for sends in [false, true] {
        let mut net = net(1);
        let call = |net: &mut Net, from, to, flags| {
            if sends {
                net.send(1, from, to, b"", flags)
            } else {
                net.sendrec(1, from, to, b"", flags)
            }
        };
        let a = call(&mut net, 10, 11, SOLE);
        let b = call(&mut net, 11, 12, SOLE);
        let c = call(&mut net, 12, 10, SOLE);
        assert!(locked(&mut net, c));
        assert!(net.pending(1, a) && net.pending(1, b));
        // A chain is no cycle, nor is what somebody else can end.
        let d = call(&mut net, 13, 10, SOLE);
        let e = call(&mut net, 12, 10, 0);
        assert!(net.pending(1, d) && net.pending(1, e));
        // One who does not wait closes nothing.
        let f = call(&mut net, 12, 10, SOLE | NOWAIT);
        assert_eq!(net.result(1, f), EAGAIN);
        net.cancel(1, e, EINTR);
        net.cancel(1, b, EINTR);
        let c = call(&mut net, 12, 10, SOLE);
        assert!(net.pending(1, c));
        let b = call(&mut net, 11, 12, SOLE);
        assert!(locked(&mut net, b));
    }
}

#[test]
fn whoever_was_asked_may_not_ask_back() {
    let mut net = net(1);
    let receive = net.receive(1, 11, ANY, 0);
    let ask = net.sendrec(1, 10, 11, b"q", SOLE);
    assert_eq!(net.result(1, receive), 0);
    let back = net.sendrec(1, 11, 10, b"q", SOLE);
    assert!(locked(&mut net, back));
    // To send is to answer.
    let send = net.send(1, 11, 10, b"a", SOLE);
    assert_eq!((net.result(1, send), net.result(1, ask)), (0, 0));
}

#[test]
fn a_thread_more_is_a_way_out() {
    let mut net = net(1);
    let a = net.sendrec(1, 10, 11, b"", 0);
    let b = net.sendrec(1, 11, 10, b"", SOLE);
    assert!(net.pending(1, a) && net.pending(1, b));
    let receive = net.receive(1, 10, ANY, 0);
    assert_eq!(net.result(1, receive), 0);
    assert_eq!(net.reply(1, 10, 11, b""), 0);
    assert_eq!(net.result(1, b), 0);
}

#[test]
fn a_relay_moves_the_wait() {
    let mut net = net(1);
    let receive = net.receive(1, 11, ANY, 0);
    let client = net.sendrec(1, 10, 11, b"", SOLE);
    assert_eq!(net.result(1, receive), 0);
    let other = net.sendrec(1, 12, 10, b"", SOLE);
    assert!(net.pending(1, other));
    // The client now waits for one who waits for the client.
    let now = net.now;
    let (to, whose) = (Addr::number(12), Addr::number(10));
    let relay = net.core(1).relay(11, whose, 0, to, b"", now);
    assert_eq!(net.result(1, relay), 0);
    assert!(locked(&mut net, client));
}

#[test]
fn other_vms_are_not_looked_at() {
    let mut net = net(2);
    net.bind(2, 20);
    let a = net.sendrec(1, 10, 20, b"", SOLE);
    let b = net.sendrec(2, 20, 10, b"", SOLE);
    assert!(net.pending(1, a) && net.pending(2, b));
    let c = net.sendrec(1, 11, 10, b"", SOLE);
    assert!(net.pending(1, c));
}
