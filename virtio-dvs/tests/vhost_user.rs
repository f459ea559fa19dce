//! The device over real vhost-user connections.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Host, Vmm};
use virtio_dvs::frame::{kind, vm_and_incarnation};
use virtio_dvs::node::InProcess;
use virtio_dvs::spec::{QUEUE_COUNT, QUEUE_MSG_TX, VIRTIO_ID};
use virtio_dvs::vm::VmAttributes;

/// Sends a request from one VM to another and checks that it arrives.
fn request(from: &mut Vmm, endpoint: i32, generation: u32, to: &mut Vmm) {
    let mut frame = from
        .guest
        .frame_to(kind::REQ, to.guest.vm, to.guest.incarnation);
    frame.src_ep = endpoint.into();
    frame.src_gen = generation.into();
    frame.len = 4.into();
    from.guest.send(&frame, b"ping").unwrap();
    from.kick(QUEUE_MSG_TX);
    assert_eq!(to.wait_for(1), [frame]);
}

#[test]
fn two_vms_talk() {
    assert_eq!(VIRTIO_ID, 63);
    let host = Host::new();
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    let generation = a.bind(10);
    for _ in 0..100 {
        request(&mut a, 10, generation, &mut b);
    }
    let ports = host.client().ports().unwrap();
    assert!(ports.iter().all(|port| port.connected && port.running));
    let endpoints = host.client().endpoints().unwrap();
    assert_eq!((endpoints[0].endpoint, endpoints[0].vm), (10, 1));
    let counters = host.client().counters().unwrap();
    assert_eq!(counters[0].counters.frames_in, 100);
    assert!(counters[0].counters.kicks["msg_tx"] <= 100);
    assert!(counters[1].counters.calls["msg_rx"] <= 110);
}

#[test]
fn a_vmm_that_ends_is_gone() {
    let host = Host::new();
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    let generation = a.bind(10);
    request(&mut a, 10, generation, &mut b);
    let (vm, incarnation) = (a.guest.vm, a.guest.incarnation);
    drop(a);
    let gone = b.wait_for(1)[0];
    assert_eq!(gone.kind, kind::GONE);
    assert_eq!(gone.arg.get(), vm_and_incarnation(vm, incarnation));
    assert!(host.client().endpoints().unwrap().is_empty());
    // The next one on the same socket is another life.
    let again = Vmm::start(&host.socket(1), 1);
    assert!(again.guest.incarnation > incarnation);
}

#[test]
fn the_next_vmm_is_never_turned_away_for_the_last_one() {
    let host = Host::new();
    let mut vmm = host.vm(1);
    for _ in 0..200 {
        let life = vmm.guest.incarnation;
        drop(vmm);
        vmm = host.vm_again(1);
        assert!(vmm.guest.incarnation > life);
    }
}

#[test]
fn the_node_within_a_vmm() {
    let (node, stream) = InProcess::start(VmAttributes::new(5, 3)).unwrap();
    let mut vmm = Vmm::start_on(stream, 5);
    let config = vmm.read_config();
    assert_eq!((config.vm.get(), config.dcid.get()), (5, 3));
    vmm.bind(-34);
    assert_eq!(node.control().endpoints().unwrap().len(), 1);
    drop(vmm);
    let mut vmm = Vmm::start_on(node.connect().unwrap(), 5);
    assert!(vmm.guest.incarnation > config.incarnation.get());
    vmm.bind(-34);
}

#[test]
fn rings_stop_before_their_base_is_told() {
    use vhost::VhostBackend;
    let host = Host::new();
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    let generation = a.bind(10);
    request(&mut a, 10, generation, &mut b);
    let mut bases = [0; QUEUE_COUNT];
    for (queue, base) in bases.iter_mut().enumerate() {
        *base = u16::try_from(b.frontend.get_vring_base(queue).unwrap()).unwrap();
    }
    assert_eq!(bases, [0, 2, 0, 0, 0]);
    // What comes now waits: RETRY follows when the rings are back.
    let mut frame = a.guest.frame_to(kind::REQ, 2, b.guest.incarnation);
    frame.src_ep = 10.into();
    frame.src_gen = generation.into();
    a.guest.send(&frame, &[]).unwrap();
    a.kick(QUEUE_MSG_TX);
    assert_eq!(a.control(&virtio_dvs::testing::lookup(10, 1)), Some(0));
    assert_eq!(a.wait_for(1)[0].kind, kind::FOUND);
    b.set_up(&bases);
    assert_eq!(b.wait_for(1)[0].kind, kind::RETRY);
    let retry = a.wait_for(1)[0];
    assert_eq!((retry.kind, retry.arg.get()), (kind::RETRY, 2));
    request(&mut a, 10, generation, &mut b);
}

#[test]
fn a_reset_is_a_new_life() {
    use vhost::vhost_user::VhostUserFrontend;
    let host = Host::new();
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    let generation = a.bind(10);
    request(&mut a, 10, generation, &mut b);
    let before = a.guest.incarnation;
    a.frontend.reset_device().unwrap();
    assert!(a.read_config().incarnation.get() > before);
    let gone = b.wait_for(1)[0];
    assert_eq!(gone.arg.get(), vm_and_incarnation(1, before));
    a.guest.reset_rings().unwrap();
    a.guest.post_receive().unwrap();
    a.set_up(&[0; QUEUE_COUNT]);
    assert_eq!(a.wait_for(1)[0].kind, kind::RETRY);
    let generation = a.bind(10);
    request(&mut a, 10, generation, &mut b);
    // One that was not driven changes nothing.
    let life = a.guest.incarnation;
    a.frontend.reset_device().unwrap();
    let next = a.read_config().incarnation.get();
    assert!(next > life);
    a.frontend.reset_device().unwrap();
    assert_eq!(a.read_config().incarnation.get(), next);
}
