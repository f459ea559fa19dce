//! What VMMs ask of nodes for VMs that move, over the control API. Needs etcd (Debian's package
//! etcd-server).

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::etcd::Etcd;
use common::{Host, Vmm};
use std::os::unix::net::UnixStream;
use std::thread;
use virtio_dvs::frame::{Frame, kind};
use virtio_dvs::node::client::{Client, ClientError};
use virtio_dvs::node::control::{Place, Start, Taken};
use virtio_dvs::spec::{QUEUE_COUNT, QUEUE_MSG_TX};
use virtio_dvs::testing::Guest;

const ALL: u64 = 0;

fn send(from: &mut Vmm, to: (u32, u32), seq: u32) {
    let mut frame = from.guest.frame_to(kind::RPL, to.0, to.1);
    frame.seq = seq.into();
    from.guest.send(&frame, &[]).unwrap();
    from.kick(QUEUE_MSG_TX);
}

/// Waits for a frame of this kind.
fn wait_for(vmm: &mut Vmm, wanted: u8) -> Frame {
    loop {
        let frames = vmm.wait_for(1);
        if let Some(frame) = frames.into_iter().find(|it| it.kind == wanted) {
            return frame;
        }
    }
}

/// Sends until it arrives, each time when the node says so.
fn send_through(from: &mut Vmm, to: &mut Vmm, seq: u32) {
    let life = (to.guest.vm, to.guest.incarnation);
    send(from, life, seq);
    let arrived = |it: &Frame| it.kind == kind::RPL && it.seq.get() == seq;
    while !to.guest.messages().unwrap().iter().any(arrived) {
        for frame in from.guest.messages().unwrap() {
            if frame.kind == kind::RETRY {
                send(from, life, seq);
            }
        }
        thread::yield_now();
    }
}

/// Connects to a port that is prepared for a VM.
fn connect(client: &Client, vm: u32, place: Place) -> UnixStream {
    let attached = client.prepare(vm, place).unwrap();
    UnixStream::connect(attached.socket).unwrap()
}

fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> (u16, String) {
    match answer.unwrap_err() {
        ClientError::Refused { status, error } => (status, error),
        other => panic!("{other}"),
    }
}

/// Takes VM 1 and gives where it is afterwards.
fn took(host: &Host, from: Place) -> Place {
    host.client().take(1, from).unwrap().place.unwrap()
}

fn moving(host: &Host) -> Vec<(u32, Option<String>)> {
    let ports = host.client().ports().unwrap().into_iter();
    ports.map(|it| (it.vm, it.moving)).collect()
}

#[test]
fn a_vm_moves_while_others_send_to_it() {
    let etcd = Etcd::start();
    let (one, two) = (etcd.host(1), etcd.host(2));
    assert_eq!(one.client().info().unwrap().cluster.as_deref(), Some("dvs"));
    let mut server = one.vm(1);
    let generation = server.bind(10);
    let (mut near, mut far) = (one.vm(2), two.vm(3));
    send_through(&mut near, &mut server, 1);
    send_through(&mut far, &mut server, 2);

    let place = one.client().place(1).unwrap();
    assert_eq!((place.node, place.epoch), (1, 1));
    let stream = connect(&two.client(), 1, place);
    assert_eq!(moving(&two), [(3, None), (1, Some("elsewhere".to_owned()))]);
    assert_eq!(one.client().hold(1).unwrap(), place);
    let bases = server.stop();
    let life = (1, server.guest.incarnation);
    send(&mut near, life, 3);
    send(&mut far, life, 4);
    let taken = took(&two, place);
    assert_eq!((taken.node, taken.epoch), (2, 2));
    assert_eq!(taken.incarnation, place.incarnation);
    let Vmm {
        guest, frontend, ..
    } = server;
    let mut server = Vmm::with_guest(stream, guest);
    assert_eq!(server.guest.incarnation, place.incarnation);
    server.set_up(&bases);
    let retry = wait_for(&mut server, kind::RETRY);
    assert_eq!(retry.arg.get(), ALL);
    send_through(&mut near, &mut server, 3);
    send_through(&mut far, &mut server, 4);
    // What it has bound is known there.
    assert_eq!(server.bind(10), generation);

    // The source loses, as often as it asks, and goes.
    for _ in 0..2 {
        assert_eq!(took(&one, place), taken);
    }
    assert_eq!(moving(&one), [(2, None), (1, Some("elsewhere".to_owned()))]);
    drop(frontend);
    one.client().forget(1).unwrap();
    assert!(!one.socket(1).exists());
    assert_eq!(refused(one.client().forget(1)).0, 404);
    // And back.
    let place = two.client().place(1).unwrap();
    assert_eq!(place, taken);
    let stream = connect(&one.client(), 1, place);
    two.client().hold(1).unwrap();
    let bases = server.stop();
    one.client().take(1, place).unwrap();
    let mut server = Vmm::with_guest(stream, server.guest);
    server.set_up(&bases);
    send_through(&mut near, &mut server, 5);
    send_through(&mut far, &mut server, 6);
    two.client().forget(1).unwrap();
    assert_eq!(moving(&two), [(3, None)]);
}

#[test]
fn a_vm_that_is_held_goes_on_when_it_is_released() {
    let etcd = Etcd::start();
    let one = etcd.host(1);
    let (mut server, mut client) = (one.vm(1), one.vm(2));
    one.client().hold(1).unwrap();
    send(&mut client, (1, server.guest.incarnation), 1);
    // Its rings are stopped and set up again; they are not used before it is released.
    let bases = server.stop();
    server.set_up(&bases);
    assert!(!one.client().ports().unwrap()[0].running);
    one.client().release(1).unwrap();
    assert_eq!(wait_for(&mut server, kind::RETRY).arg.get(), ALL);
    assert_eq!(wait_for(&mut client, kind::RETRY).arg.get(), 1);
    send_through(&mut client, &mut server, 1);
    // The same without a stop.
    one.client().hold(1).unwrap();
    send(&mut client, (1, server.guest.incarnation), 2);
    one.client().release(1).unwrap();
    send_through(&mut client, &mut server, 2);
}

#[test]
fn a_node_is_started_again_between_two_steps() {
    let etcd = Etcd::start();
    let (one, mut two) = (etcd.host(1), etcd.host(2));
    let server = one.vm(1);
    let place = one.client().place(1).unwrap();
    let stream = connect(&two.client(), 1, place);
    one.client().hold(1).unwrap();
    let bases = server.stop();
    // What is only prepared is forgotten, and taken all the same.
    two.node = None;
    drop(stream);
    two.start();
    assert_eq!(moving(&two), []);
    let taken = took(&two, place);
    assert_eq!((taken.node, taken.epoch), (2, 2));
    assert_eq!(moving(&two), [(1, Some("taken".to_owned()))]);
    // What was taken is there, and its VMM comes.
    two.node = None;
    two.start();
    assert_eq!(took(&two, place), taken);
    let stream = UnixStream::connect(two.socket(1)).unwrap();
    let mut server = Vmm::with_guest(stream, server.guest);
    assert_eq!(server.guest.incarnation, place.incarnation);
    server.set_up(&bases);
    wait_for(&mut server, kind::RETRY);
}

#[test]
fn what_is_not_right_is_refused() {
    let etcd = Etcd::start();
    let (one, two) = (etcd.host(1), etcd.host(2));
    let _server = one.vm(1);
    let place = one.client().place(1).unwrap();
    let wrong = Place {
        epoch: place.epoch + 1,
        ..place
    };
    let (status, error) = refused(two.client().prepare(1, wrong));
    assert_eq!(status, 409);
    assert_eq!(
        error,
        "VM 1 does not live where it is said to live: it is at node 1 in epoch 1"
    );
    assert_eq!(refused(two.client().prepare(7, place)).0, 409);
    assert_eq!(refused(one.client().prepare(1, place)).0, 409);
    assert_eq!(refused(two.client().place(1)).0, 404);
    assert_eq!(refused(two.client().hold(1)).0, 404);
    assert_eq!(refused(two.client().release(1)).0, 404);
    assert_eq!(refused(two.client().forget(1)).0, 404);
    assert_eq!(refused(one.client().forget(1)).0, 409);
    // Nobody has it, or not there: that is no error.
    assert_eq!(two.client().take(7, place).unwrap().place, None);
    assert_eq!(took(&two, wrong), place);
    // A second VMM, and a VM that is attached while it is awaited.
    let stream = connect(&two.client(), 1, place);
    let _vmm = Vmm::with_guest(stream, Guest::new(1).unwrap());
    let (status, error) = refused(two.client().prepare(1, place));
    assert_eq!(status, 409);
    assert!(error.contains("a VMM is connected"), "{error}");
    let attached = two
        .client()
        .attach(&virtio_dvs::vm::VmAttributes::new(1, 0));
    assert_eq!(refused(attached).0, 409);
    // It can be detached like any other.
    two.client().detach(1).unwrap();
    assert!(!two.socket(1).exists());
    assert_eq!(one.client().place(1).unwrap(), place);
}

#[test]
fn a_host_alone_says_so() {
    let host = Host::new();
    let vmm = host.vm(1);
    assert_eq!(host.client().info().unwrap().cluster, None);
    let place = Place {
        node: 1,
        epoch: 1,
        incarnation: vmm.guest.incarnation,
    };
    let client = host.client();
    let refusals = [
        refused(client.place(1)),
        refused(client.prepare(1, place)),
        refused(client.hold(1)),
        refused(client.take(1, place)),
        refused(client.release(1)),
        refused(client.forget(1)),
    ];
    for (status, error) in refusals {
        assert_eq!(status, 409);
        assert!(error.starts_with("this host is alone"), "{error}");
    }
    assert_eq!(vmm.stop().len(), QUEUE_COUNT);
}

#[test]
fn what_was_taken_and_cannot_run_is_given_back() {
    let etcd = Etcd::start();
    let (one, two) = (etcd.host(1), etcd.host(2));
    let (mut server, mut client) = (one.vm(1), one.vm(2));
    let place = one.client().place(1).unwrap();
    let stream = connect(&two.client(), 1, place);
    one.client().hold(1).unwrap();
    let bases = server.stop();
    let there = took(&two, place);
    two.client().forget(1).unwrap();
    drop(stream);
    let back = took(&one, there);
    assert_eq!((back.node, back.epoch), (1, 3));
    assert_eq!(back.incarnation, place.incarnation);
    server.set_up(&bases);
    wait_for(&mut server, kind::RETRY);
    send_through(&mut client, &mut server, 1);
    // Nothing is left of it where it never ran.
    while !moving(&two).is_empty() {
        thread::yield_now();
    }
}

#[test]
fn what_has_not_run_where_it_came_to_is_taken_back() {
    let etcd = Etcd::start();
    let (one, two) = (etcd.host(1), etcd.host(2));
    let (mut server, mut client) = (one.vm(1), one.vm(2));
    let place = one.client().place(1).unwrap();
    let vmm = Vmm::with_guest(connect(&two.client(), 1, place), Guest::new(1).unwrap());
    one.client().hold(1).unwrap();
    let bases = server.stop();
    let there = took(&two, place);
    let awaited = Taken {
        place: Some(there),
        start: Start::Awaited,
    };
    assert_eq!(one.client().take(1, place).unwrap(), awaited);
    drop(vmm);
    let declined = Taken {
        start: Start::Declined,
        ..awaited
    };
    while one.client().take(1, place).unwrap() != declined {
        thread::yield_now();
    }
    let (status, error) = refused(two.client().release(1));
    assert_eq!(status, 409);
    assert!(error.contains("was given back"), "{error}");
    assert_eq!(took(&one, there).epoch, 3);
    server.set_up(&bases);
    wait_for(&mut server, kind::RETRY);
    send_through(&mut client, &mut server, 1);
    while one.client().take(1, there).unwrap().start != Start::Made {
        thread::yield_now();
    }
}
