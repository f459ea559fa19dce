//! A node that is started again: lives go on where VMMs come back, and end where they do not.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Host, Vmm, config};
use std::os::unix::net::UnixStream;
use vhost::vhost_user::Frontend;
use virtio_dvs::device::session::PROTOCOL_FEATURES;
use virtio_dvs::frame::{kind, vm_and_incarnation};
use virtio_dvs::node::Node;
use virtio_dvs::spec::{QUEUE_COUNT, QUEUE_MSG_TX};
use virtio_dvs::testing::lookup;

fn host(grace_ms: u64) -> Host {
    let mut host = Host::with(|_| {});
    host.node = None;
    start(&mut host, grace_ms);
    host
}

fn start(host: &mut Host, grace_ms: u64) {
    let mut config = config(host.directory.path());
    config.state_file = Some(host.directory.path().join("state"));
    config.grace_ms = grace_ms;
    host.node = Some(Node::start(config).unwrap());
}

/// What a VMM does whose node was started again.
fn come_back(host: &Host, vmm: &mut Vmm) {
    let stream = UnixStream::connect(host.socket(vmm.guest.vm)).unwrap();
    vmm.frontend = Frontend::from_stream(stream, QUEUE_COUNT as u64);
    vmm.negotiate(PROTOCOL_FEATURES);
    let bases = vmm.guest.rings.map(|ring| {
        let index = vm_memory::GuestAddress(ring.used + 2);
        vm_memory::Bytes::read_obj::<u16>(&vmm.guest.mem, index).unwrap()
    });
    vmm.set_up(&bases);
    let said = vmm.wait_for(1);
    assert_eq!((said[0].kind, said[0].arg.get()), (kind::RETRY, 0));
}

#[test]
fn lives_go_on() {
    let mut host = host(60_000);
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    let generation = a.bind(10);
    host.node = None;
    start(&mut host, 60_000);
    let endpoints = host.client().endpoints().unwrap();
    assert_eq!(endpoints[0].generation, generation);
    come_back(&host, &mut a);
    // The other one is not back yet.
    let mut frame = a.guest.frame_to(kind::REQ, 2, b.guest.incarnation);
    frame.src_ep = 10.into();
    frame.src_gen = generation.into();
    a.guest.send(&frame, &[]).unwrap();
    a.kick(QUEUE_MSG_TX);
    a.control(&lookup(10, 1));
    assert_eq!(a.wait_for(1)[0].kind, kind::FOUND);
    come_back(&host, &mut b);
    let retry = a.wait_for(1)[0];
    assert_eq!((retry.kind, retry.arg.get()), (kind::RETRY, 2));
    a.guest.send(&frame, &[]).unwrap();
    a.kick(QUEUE_MSG_TX);
    assert_eq!(b.wait_for(1), [frame]);
    let before = a.guest.incarnation;
    assert_eq!(a.read_config().incarnation.get(), before);
    // Generations do not come again.
    assert!(b.bind(11) > generation);
}

#[test]
fn what_was_sent_while_the_node_was_away_goes_on() {
    let mut host = host(60_000);
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    host.node = None;
    let frame = a.guest.frame_to(kind::RPL, 2, b.guest.incarnation);
    a.guest.send(&frame, &[]).unwrap();
    a.kick(QUEUE_MSG_TX);
    start(&mut host, 60_000);
    come_back(&host, &mut b);
    come_back(&host, &mut a);
    assert_eq!(b.wait_for(1), [frame]);
}

#[test]
fn a_vm_that_does_not_come_back_is_gone() {
    let mut host = host(1);
    let (mut a, b) = (host.vm(1), host.vm(2));
    a.bind(10);
    let incarnation = b.guest.incarnation;
    drop(b);
    assert_eq!(a.wait_for(1)[0].kind, kind::GONE);
    let b = host.vm_again(2);
    let second = b.guest.incarnation;
    assert!(second > incarnation);
    assert_eq!(host.client().ports().unwrap().len(), 2);
    host.node = None;
    drop(b);
    start(&mut host, 300);
    come_back(&host, &mut a);
    // Frames wait until it is known.
    let gone = a.wait_for(1)[0];
    assert_eq!(gone.kind, kind::GONE);
    assert_eq!(gone.arg.get(), vm_and_incarnation(2, second));
}

#[test]
fn another_vm_in_its_place_is_another_life() {
    let mut host = host(60_000);
    let (mut a, b) = (host.vm(1), host.vm(2));
    let incarnation = b.guest.incarnation;
    host.node = None;
    drop(b);
    start(&mut host, 60_000);
    come_back(&host, &mut a);
    let mut b = Vmm::start(&host.socket(2), 2);
    assert_eq!(a.wait_for(1)[0].kind, kind::GONE);
    assert!(b.read_config().incarnation.get() > incarnation);
    b.bind(3);
}
