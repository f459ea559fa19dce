use std::path::Path;

use virtio_dvs::node::{Node, NodeConfig};
use virtio_dvs::vm::VmAttributes;
use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::devices::virtio::QueueSetup;
use crate::machine::memory::{self, GuestMemory};

#[derive(Default)]
struct Notice(EventCount);

type EventCount = std::sync::atomic::AtomicU32;

impl DriverNotice for Notice {
    fn config_changed(&self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

fn node(folder: &Path) -> Node {
    let config = NodeConfig {
        api_socket: Some(folder.join("node.sock")),
        run_dir: Some(folder.to_owned()),
        state_file: Some(folder.join("state")),
        ..NodeConfig::default()
    };
    Node::start(config).unwrap()
}

fn attributes() -> VmAttributes {
    VmAttributes::new(9, 4)
}

fn link(folder: &Path) -> Arc<NodeLink> {
    Arc::new(NodeLink::Socket(folder.join("vm-9.sock")))
}

/// The five queues, each in its own 64 KiB of guest memory.
fn activation(memory: &GuestMemory, features: u64) -> Activation {
    let event = || EventFd::new(libc::EFD_NONBLOCK).unwrap();
    let queue = |index: u16| {
        let base = 0x10_0000 + u64::from(index) * 0x1_0000;
        QueueSetup {
            index,
            size: 16,
            descriptors: base,
            available: base + 0x1000,
            used: base + 0x2000,
            kick: event(),
            call: event(),
        }
    };
    Activation {
        features,
        memory: memory.clone(),
        queues: (0..5).map(queue).collect(),
    }
}

fn config(dvs: &Dvs) -> (u32, u32) {
    let word = |offset| {
        let mut data = [0; 4];
        dvs.read_config(offset, &mut data);
        u32::from_le_bytes(data)
    };
    (word(0), word(8))
}

fn wait_for(event: &EventFd) {
    let poll = vmm_sys_util::poll::PollContext::new().unwrap();
    poll.add(event, ()).unwrap();
    let events = poll
        .wait_timeout(std::time::Duration::from_secs(10))
        .unwrap();
    assert!(
        events.iter_readable().next().is_some(),
        "nothing was signalled"
    );
}

/// The moment a closed connection is noticed, as the event handler does.
fn wait_for_end(dvs: &Dvs) {
    let mut stream = dvs.watch().unwrap();
    std::io::Read::read(&mut stream, &mut [0]).unwrap();
    dvs.disconnected();
}

#[test]
fn an_absent_node_is_an_error_that_says_what_to_do() {
    let error = Dvs::connect(Arc::new(NodeLink::Socket("/nowhere/vm-1.sock".into()))).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("/nowhere/vm-1.sock") && text.contains("dvs-node"),
        "{text}"
    );
}

#[test]
fn what_is_no_node_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vm-9.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let other = std::thread::spawn(move || drop(listener.accept()));
    assert!(matches!(
        Dvs::connect(link(folder.path())),
        Err(NodeError::Session(_))
    ));
    other.join().unwrap();
}

#[test]
fn the_guest_sees_the_nodes_configuration_and_its_queues_run() {
    let link = NodeLink::open(&crate::api::config::DvsConfig {
        socket: None,
        node: None,
        vm: Some(7),
        dcid: Some(3),
    })
    .unwrap();
    let dvs = Dvs::connect(Arc::new(link)).unwrap();
    assert_eq!(config(&dvs), (7, 3));
    assert_eq!(dvs.queue_sizes().len(), 5);
    let memory = memory::create(16 << 20).unwrap();
    let activation = activation(&memory, dvs.features());
    let call = activation.queues[1].call.try_clone().unwrap();
    dvs.activate(activation, Arc::new(Notice::default()))
        .unwrap();
    // After any start of a port the node signals every queue once.
    wait_for(&call);
    dvs.reset();
    assert_eq!(
        (dvs.counters()["activations"], dvs.counters()["resets"]),
        (1, 1)
    );
}

#[test]
fn queues_outside_memory_break_only_the_guests_own_device() {
    let link = NodeLink::open(&crate::api::config::DvsConfig {
        socket: None,
        node: None,
        vm: Some(7),
        dcid: Some(3),
    })
    .unwrap();
    let dvs = Dvs::connect(Arc::new(link)).unwrap();
    let memory = memory::create(16 << 20).unwrap();
    for (descriptors, used) in [
        (16 << 20, 0),
        (u64::MAX - 15, 0),
        (8, 0),
        (0, (16 << 20) - 2),
        (0, 1),
    ] {
        let mut activation = activation(&memory, dvs.features());
        activation.queues[2].descriptors = descriptors;
        activation.queues[2].used = used;
        let error = dvs
            .activate(activation, Arc::new(Notice::default()))
            .unwrap_err();
        assert!(error.to_string().contains("queue 2"), "{error}");
    }
    assert_eq!(dvs.counters()["connected"], 1);
}

#[test]
fn a_node_that_was_restarted_gets_the_queues_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(folder.path());
    first.control().attach(attributes()).unwrap();
    let dvs = Dvs::connect(link(folder.path())).unwrap();
    let memory = memory::create(16 << 20).unwrap();
    let activation = activation(&memory, dvs.features());
    let call = activation.queues[1].call.try_clone().unwrap();
    dvs.activate(activation, Arc::new(Notice::default()))
        .unwrap();
    wait_for(&call);
    call.read().unwrap();
    drop(first);
    wait_for_end(&dvs);
    wait_for(dvs.lost());
    assert!(dvs.reconnect().is_err());
    assert_eq!(config(&dvs), (9, 4));
    // One transmit buffer was given back before the node died.
    memory
        .write_obj(1u16, GuestAddress(0x10_0000 + 0x1000 + 2))
        .unwrap();
    memory
        .write_obj(1u16, GuestAddress(0x10_0000 + 0x2000 + 2))
        .unwrap();
    let _second = node(folder.path());
    dvs.reconnect().unwrap();
    wait_for(&call);
    assert_eq!(
        memory
            .read_obj::<u16>(GuestAddress(0x10_0000 + 0x2000 + 2))
            .unwrap(),
        1
    );
    assert_eq!(
        (dvs.counters()["connects"], dvs.counters()["losses"]),
        (2, 1)
    );
}

#[test]
fn a_guest_that_starts_while_the_node_is_away_gets_it_later() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(folder.path());
    first.control().attach(attributes()).unwrap();
    let dvs = Dvs::connect(link(folder.path())).unwrap();
    drop(first);
    wait_for_end(&dvs);
    let memory = memory::create(16 << 20).unwrap();
    let activation = activation(&memory, dvs.features());
    let call = activation.queues[0].call.try_clone().unwrap();
    dvs.activate(activation, Arc::new(Notice::default()))
        .unwrap();
    let _second = node(folder.path());
    dvs.reconnect().unwrap();
    wait_for(&call);
}

#[test]
fn a_closed_device_never_connects_again() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path());
    node.control().attach(attributes()).unwrap();
    let dvs = Dvs::connect(link(folder.path())).unwrap();
    dvs.close();
    dvs.reconnect().unwrap();
    assert_eq!(dvs.counters()["connected"], 0);
}

#[test]
fn a_reset_while_the_node_is_away_ends_the_life_of_the_guest_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(folder.path());
    first.control().attach(attributes()).unwrap();
    let dvs = Dvs::connect(link(folder.path())).unwrap();
    let memory = memory::create(16 << 20).unwrap();
    dvs.activate(
        activation(&memory, dvs.features()),
        Arc::new(Notice::default()),
    )
    .unwrap();
    let life = first.control().ports().unwrap()[0].incarnation;
    drop(first);
    wait_for_end(&dvs);
    dvs.reset();
    let second = node(folder.path());
    dvs.reconnect().unwrap();
    assert!(second.control().ports().unwrap()[0].incarnation > life);
}

#[path = "migration_test.rs"]
mod migration;
