//! What operators see of a call between two nodes. Needs etcd (Debian's package etcd-server).

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::Vmm;
use common::etcd::Etcd;
use common::follow::{call, follow, request};
use std::sync::mpsc::channel;
use virtio_dvs::link::LinkState;
use virtio_dvs::node::client::{Client, ClientError};
use virtio_dvs::node::control::Trace;
use virtio_dvs::spec::QUEUE_MSG_TX;
use virtio_dvs::vm::VmAttributes;

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

#[test]
fn while_etcd_is_away_nothing_is_attached_and_nobody_else_waits() {
    let etcd = Etcd::start();
    let one = etcd.host(1);
    let attach = |client: Client| client.attach(&VmAttributes::new(7, 0));
    let said = |error: ClientError| match error {
        ClientError::Refused { status, error } => (status, error),
        other => panic!("{other}"),
    };
    etcd.pause();
    let (sender, refusals) = channel();
    for client in [one.client(), one.client()] {
        let sender = sender.clone();
        std::thread::spawn(move || sender.send(attach(client).unwrap_err()));
    }
    let (status, sentence) = said(refusals.recv().unwrap());
    assert_eq!(status, 409);
    assert!(sentence.contains("being attached already"), "{sentence}");
    assert!(one.client().ports().unwrap().is_empty());
    assert_eq!(one.client().nodes().unwrap().len(), 1);
    assert!(refusals.try_recv().is_err(), "the other one waits");
    let (status, sentence) = said(refusals.recv().unwrap());
    assert_eq!(status, 503);
    assert!(sentence.contains("VM 7 is not attached"), "{sentence}");
    // Of what the directory answers late nothing is left.
    etcd.go_on();
    let attached = loop {
        match attach(one.client()) {
            Ok(attached) => break attached,
            Err(error) => assert_eq!(said(error).0, 409),
        }
    };
    assert!(attached.socket.exists());
    assert_eq!(one.client().ports().unwrap().len(), 1);
}
