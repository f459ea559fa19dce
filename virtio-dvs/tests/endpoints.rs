//! What the control API shows of endpoints: what guests tell, who waits for whom, privileges.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Host, Vmm, config};
use std::thread;
use std::time::{Duration, Instant};
use virtio_dvs::frame::{EndpointState, Frame, VM_NODE, kind, result, rts};
use virtio_dvs::node::Node;
use virtio_dvs::node::control::EndpointInfo;
use virtio_dvs::privileges::{CALLS_SERVER, LEVEL_SERVER, Privileges};
use virtio_dvs::spec::{ANY, CONFIG_ADMIN, NONE, QUEUE_MSG_TX};
use virtio_dvs::testing::privilege;
use virtio_dvs::vm::VmAttributes;
use zerocopy::{FromZeros, IntoBytes};

fn state(nr: i32, generation: u32, rts: u32, getfrom: i32, sendto: i32) -> EndpointState {
    let mut name = [0; 16];
    name[..4].copy_from_slice(b"prog");
    EndpointState {
        nr: nr.into(),
        generation: generation.into(),
        rts: rts.into(),
        getfrom: getfrom.into(),
        sendto: sendto.into(),
        pid: 100.into(),
        queued: 3.into(),
        name,
        ..EndpointState::new_zeroed()
    }
}

/// Answers one ASK.
fn tell(vmm: &mut Vmm, records: &[EndpointState]) {
    let ask: Frame = vmm.wait_for(1)[0];
    assert_eq!(ask.kind, kind::ASK);
    let payload = records.as_bytes();
    let mut frame = vmm.guest.frame_to(kind::TELL, VM_NODE, 0);
    frame.len = u32::try_from(payload.len()).unwrap().into();
    frame.op = ask.op;
    vmm.guest.send(&frame, payload).unwrap();
    vmm.kick(QUEUE_MSG_TX);
}

fn ask(host: &Host) -> thread::JoinHandle<Vec<EndpointInfo>> {
    let client = host.client();
    thread::spawn(move || client.endpoints().unwrap())
}

#[test]
fn who_waits_for_whom_across_vms() {
    let host = Host::new();
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    let (client, server, far) = (a.bind(40), a.bind(5), b.bind(6));
    let asked = ask(&host);
    let both = rts::SENDING | rts::RECEIVING;
    let of_a = [
        state(40, client, both, 6, 6),
        state(5, server, rts::RECEIVING, ANY, NONE),
    ];
    tell(&mut a, &of_a);
    tell(&mut b, &[state(6, far, both, 5, 5)]);
    let shown = asked.join().unwrap();
    let at = |number| shown.iter().find(|it| it.endpoint == number).unwrap();
    assert_eq!(shown.len(), 3);
    assert_eq!((at(6).vm, at(40).vm), (2, 1));
    assert_eq!(at(40).waits_for, [6, 5]);
    assert_eq!(at(6).waits_for, [5]);
    assert!(at(5).waits_for.is_empty());
    let state = at(40).state.as_ref().unwrap();
    assert_eq!(state.state, "SENDING RECEIVING");
    assert_eq!(
        (state.queued, state.pid, state.name.as_str()),
        (3, Some(100), "prog")
    );
    assert_eq!(at(5).state.as_ref().unwrap().receives_from, Some(ANY));
}

#[test]
fn a_guest_that_does_not_answer_is_shown_without() {
    let host = Host::new();
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    let (one, _) = (a.bind(5), b.bind(6));
    let started = Instant::now();
    let asked = ask(&host);
    tell(&mut a, &[state(5, one, 0, NONE, NONE)]);
    let shown = asked.join().unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(shown[0].state.as_ref().unwrap().state, "RUNNING");
    assert!(shown[1].state.is_none());
}

#[test]
fn every_field_is_described() {
    let host = Host::new();
    let mut a = host.vm(1);
    let generation = a.bind(5);
    let asked = ask(&host);
    tell(
        &mut a,
        &[state(5, generation, rts::SENDING | rts::RECEIVING, 5, 5)],
    );
    let mut shown = asked.join().unwrap().remove(0);
    assert!(shown.deadlock);
    if let Some(state) = &mut shown.state {
        state.flags = Some("NOTIFY".to_owned());
    }
    let text = include_str!("../../resources/openapi/dvs-node.yaml");
    let json = serde_json::to_value(&shown).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 19);
    for name in json.as_object().unwrap().keys() {
        assert!(text.contains(&format!("        {name}: ")), "{name}");
    }
}

#[test]
fn administrators_keep_what_they_granted_over_a_restart() {
    let start = |host: &mut Host| {
        let mut config = config(host.directory.path());
        config.state_file = Some(host.directory.path().join("state"));
        config.nodeid = 9;
        host.node = Some(Node::start(config).unwrap());
    };
    let mut host = Host::new();
    host.node = None;
    start(&mut host);
    let attributes = VmAttributes {
        admin: true,
        ..VmAttributes::new(1, 0)
    };
    let socket = host.client().attach(&attributes).unwrap().socket;
    let (mut a, mut b) = (Vmm::start(&socket, 1), host.vm(2));
    let of = |vmm: &mut Vmm| {
        let config = vmm.read_config();
        (config.flags.get(), config.nodeid.get())
    };
    assert_eq!((of(&mut a), of(&mut b)), ((CONFIG_ADMIN, 9), (0, 9)));
    assert_eq!(host.client().info().unwrap().nodeid, 9);
    let (one, two) = (a.bind(40), b.bind(41));
    let rights = Privileges {
        calls: CALLS_SERVER,
        ipc_to: 1,
        level: LEVEL_SERVER,
    };
    let set = |vmm: &mut Vmm, endpoint, generation| {
        let request = privilege(endpoint, generation, &rights, 3);
        assert_eq!(vmm.control(&request), Some(0));
        let told = vmm.wait_for(1)[0];
        assert_eq!(told.kind, kind::PRIVILEGED);
        told.result.get()
    };
    assert_eq!(set(&mut a, 40, one), result::OK);
    assert_eq!(set(&mut b, 41, two), result::EPRIVILEGES);
    host.node = None;
    start(&mut host);
    let shown = host.client().endpoints().unwrap();
    let levels: Vec<_> = shown
        .iter()
        .map(|it| it.privileges.level.as_str())
        .collect();
    assert_eq!(levels, ["SERVER", "USER"]);
    assert_eq!(shown[0].privileges.ipc_to, "0x1");
    let admins: Vec<_> = host
        .client()
        .ports()
        .unwrap()
        .iter()
        .map(|it| it.admin)
        .collect();
    assert_eq!(admins, [true, false]);
}
