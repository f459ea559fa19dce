//! What operators see of a call between two nodes. Needs etcd (Debian's package etcd-server).

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::Vmm;
use common::etcd::Etcd;
use common::follow::{call, follow, request};
use virtio_dvs::link::LinkState;
use virtio_dvs::node::control::Trace;
use virtio_dvs::spec::QUEUE_MSG_TX;

/// Calls again and again until this is so.
fn call_until(a: &mut Vmm, b: &mut Vmm, generation: u32, done: impl Fn() -> bool) {
    let mut op = 0;
    while !done() {
        op += 1;
        call(a, b, generation, op);
        while a.guest.take_used(QUEUE_MSG_TX).unwrap().is_none() {
            std::thread::yield_now();
        }
        a.guest.messages().unwrap();
        b.guest.messages().unwrap();
    }
}

fn places(trace: &Trace) -> Vec<(&str, u32, u32)> {
    let records = trace.records.iter();
    records.map(|it| (it.at.as_str(), it.vm, it.peer)).collect()
}

#[test]
fn a_call_is_followed_through_two_nodes() {
    let etcd = Etcd::start();
    let (one, two) = (etcd.host(1), etcd.host(2));
    let (mut a, mut b) = (one.vm(1), two.vm(2));
    let generation = a.bind(10);
    b.bind(20);
    // The first frames find the way.
    let arrived = follow(two.client(), request(20, 2));
    call_until(&mut a, &mut b, generation, || arrived.is_finished());
    let arrived = arrived.join().unwrap().unwrap();
    assert_eq!(places(&arrived), [("from_link", 2, 1), ("to_guest", 2, 1)]);
    assert_eq!(arrived.nodeid, 2);
    let left = follow(one.client(), request(20, 2));
    call_until(&mut a, &mut b, generation, || left.is_finished());
    let left = left.join().unwrap().unwrap();
    assert_eq!(places(&left), [("from_guest", 1, 2), ("to_link", 1, 2)]);
    assert_eq!(left.records[0].op, left.records[1].op);

    let link = one.client().links().unwrap().remove(0);
    assert_eq!((link.node, link.state, link.tls), (2, LinkState::Up, false));
    assert!(link.frames_out > 0 && link.since_ms.is_some());
    let nodes = one.client().nodes().unwrap();
    let known: Vec<_> = nodes
        .iter()
        .map(|it| (it.nodeid, it.alive, it.vms))
        .collect();
    assert_eq!(known, [(1, true, Some(1)), (2, true, None)]);
}
