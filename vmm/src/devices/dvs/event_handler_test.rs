use event_manager::{EventManager, SubscriberOps};
use virtio_dvs::node::{Node, NodeConfig};
use virtio_dvs::vm::VmAttributes;

use super::super::NodeLink;
use super::*;

type Loop = EventManager<Box<dyn MutEventSubscriber>>;

fn node(folder: &Path) -> Node {
    let config = NodeConfig {
        api_socket: Some(folder.join("node.sock")),
        run_dir: Some(folder.join("run")),
        state_file: Some(folder.join("state")),
        ..NodeConfig::default()
    };
    Node::start(config).unwrap()
}

/// Runs the loop until the device is connected, or not.
fn run_until(events: &mut Loop, dvs: &Dvs, connected: u64) {
    let start = Instant::now();
    while dvs.counters()["connected"] != connected {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "connected is not {connected}"
        );
        events.run_with_timeout(1000).unwrap();
    }
}

/// A device on a node in `folder`, and the loop that keeps it connected.
fn connected(folder: &Path) -> (Node, Arc<Dvs>, Loop) {
    let node = node(folder);
    node.control().attach(VmAttributes::new(9, 4)).unwrap();
    let link = NodeLink::Socket(folder.join("run/vm-9.sock"));
    let dvs = Arc::new(Dvs::connect(Arc::new(link)).unwrap());
    let mut events = Loop::new().unwrap();
    events.add_subscriber(Box::new(NodeHandler::new(dvs.clone()).unwrap()));
    (node, dvs, events)
}

#[test]
fn a_restarted_node_is_found_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut running, dvs, mut events) = connected(folder.path());
    for round in 1..4 {
        drop(running);
        run_until(&mut events, &dvs, 0);
        running = node(folder.path());
        run_until(&mut events, &dvs, 1);
        assert_eq!(dvs.counters()["losses"], round);
    }
}

#[test]
fn nothing_happens_while_the_node_stays_away() {
    let folder = tempfile::tempdir().unwrap();
    let (running, dvs, mut events) = connected(folder.path());
    drop(running);
    run_until(&mut events, &dvs, 0);
    // The last attempts after the loss; then only a file event wakes the loop.
    while events.run_with_timeout(5000).unwrap() > 0 {}
    let _running = node(folder.path());
    run_until(&mut events, &dvs, 1);
}

#[test]
fn a_folder_that_vanished_is_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (running, dvs, mut events) = connected(folder.path());
    drop(running);
    std::fs::remove_dir_all(folder.path().join("run")).unwrap();
    run_until(&mut events, &dvs, 0);
    let _running = node(folder.path());
    run_until(&mut events, &dvs, 1);
}

#[test]
fn a_folder_that_vanishes_later_is_looked_for_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let (running, dvs, mut events) = connected(folder.path());
    drop(running);
    run_until(&mut events, &dvs, 0);
    while events.run_with_timeout(5000).unwrap() > 0 {}
    std::fs::remove_dir_all(folder.path().join("run")).unwrap();
    events.run_with_timeout(1000).unwrap();
    let _running = node(folder.path());
    run_until(&mut events, &dvs, 1);
}

#[test]
fn a_connection_that_is_held_comes_back_when_it_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let (running, dvs, mut events) = connected(folder.path());
    dvs.hold_connection(true);
    drop(running);
    run_until(&mut events, &dvs, 0);
    let _running = node(folder.path());
    while events.run_with_timeout(500).unwrap() > 0 {}
    assert_eq!(dvs.counters()["connected"], 0);
    dvs.hold_connection(false);
    run_until(&mut events, &dvs, 1);
}
