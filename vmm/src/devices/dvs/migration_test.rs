//! A device whose machine moves, between nodes that run.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU32, Ordering};

use virtio_dvs::frame::kind;
use virtio_dvs::testing::{Guest, MEMORY_SIZE, bind};
use vm_memory::FileOffset;

use super::super::super::migration::DvsState;
use super::*;

const EVENT_IDX: u64 = 1 << 29;

/// A guest that drives the device of VM 9.
struct Moving {
    _folder: tempfile::TempDir,
    node: Option<Node>,
    guest: Guest,
    memory: GuestMemory,
    dvs: Dvs,
}

impl Moving {
    /// The guest has not started its device yet.
    fn connected() -> Moving {
        let folder = tempfile::tempdir().unwrap();
        let node = node(folder.path());
        node.control().attach(attributes()).unwrap();
        let mut guest = Guest::new(9).unwrap();
        guest.post_receive().unwrap();
        let file = FileOffset::new(guest.file.try_clone().unwrap(), 0);
        let size = usize::try_from(MEMORY_SIZE).unwrap();
        let memory =
            GuestMemory::from_ranges_with_files([(GuestAddress(0), size, Some(file))]).unwrap();
        let dvs = Dvs::connect(link(folder.path())).unwrap();
        Moving {
            _folder: folder,
            node: Some(node),
            guest,
            memory,
            dvs,
        }
    }

    fn running() -> Moving {
        let mut moving = Moving::connected();
        moving.activate();
        assert_eq!(moving.wait_for_message(), kind::RETRY);
        moving
    }

    /// What the transport does, with events of its own each time.
    fn activate(&mut self) -> Arc<Notice> {
        let event = || EventFd::new(libc::EFD_NONBLOCK).unwrap();
        let queues = (0..)
            .zip(&self.guest.rings)
            .map(|(index, ring)| QueueSetup {
                index,
                size: ring.size,
                descriptors: ring.descriptors,
                available: ring.available,
                used: ring.used,
                kick: event(),
                call: event(),
            });
        let queues: Vec<_> = queues.collect();
        self.guest.kicks = queues
            .iter()
            .map(|it| it.kick.try_clone().unwrap())
            .collect();
        self.guest.calls = queues
            .iter()
            .map(|it| it.call.try_clone().unwrap())
            .collect();
        let activation = Activation {
            features: self.dvs.features() & !EVENT_IDX,
            memory: self.memory.clone(),
            queues,
        };
        let notice = Arc::new(Notice::default());
        self.dvs.activate(activation, notice.clone()).unwrap();
        notice
    }

    fn wait_for_message(&mut self) -> u8 {
        loop {
            if let Some((frame, _)) = self.guest.receive(1).unwrap() {
                return frame.kind;
            }
            wait_for(&self.guest.calls[1]);
            self.guest.calls[1].read().unwrap();
        }
    }

    /// Sends a control request, of which the node makes a response and a frame.
    fn ask(&mut self) {
        self.guest.request(&bind(10, 7)).unwrap();
        self.guest.kicks[4].write(1).unwrap();
        assert_eq!(self.wait_for_message(), kind::BOUND);
        while self.guest.response().unwrap().is_none() {}
    }

    fn life(&self) -> Option<u32> {
        let node = self.node.as_ref().unwrap();
        node.control().ports().unwrap()[0].incarnation
    }

    fn contents(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(MEMORY_SIZE).unwrap()];
        self.guest.file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    fn noted(&self) -> BTreeSet<u64> {
        let mut pages = BTreeSet::new();
        self.dvs
            .collect_log(&mut |page| assert!(pages.insert(page)));
        pages
    }

    fn counted(&self, what: &str) -> u64 {
        self.dvs.counters()[what]
    }

    fn restart_node(&mut self) {
        self.node = None;
        wait_for_end(&self.dvs);
        self.node = Some(node(self._folder.path()));
    }
}

#[test]
fn what_the_node_writes_is_noted_until_its_rings_are_stopped() {
    let mut moving = Moving::running();
    moving.dvs.start_log(&moving.memory).unwrap();
    assert!(moving.noted().is_empty());
    for _ in 0..3 {
        let before = moving.contents();
        moving.ask();
        let after = moving.contents();
        let changed: BTreeSet<u64> = (0..)
            .zip(before.chunks(4096).zip(after.chunks(4096)))
            .filter(|(_, (old, new))| old != new)
            .map(|it| it.0)
            .collect();
        // What the guest itself has written is not the node's to note.
        let rings = moving.guest.rings;
        let own = [1, 4].map(|queue: usize| rings[queue].available / 4096);
        let own = own
            .into_iter()
            .chain([1, 4].map(|queue: usize| rings[queue].descriptors / 4096));
        let own: BTreeSet<u64> = own.collect();
        let noted = moving.noted();
        assert!(!noted.is_empty());
        let missing: Vec<_> = changed
            .difference(&noted)
            .filter(|it| !own.contains(it))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
    moving.dvs.stop_rings().unwrap();
    moving.noted();
    // What the guest asks now waits.
    moving.guest.request(&bind(11, 8)).unwrap();
    moving.guest.kicks[4].write(1).unwrap();
    let before = moving.contents();
    moving.dvs.save().unwrap();
    assert!(moving.noted().is_empty());
    assert!(moving.contents() == before);
    moving.dvs.start_rings().unwrap();
    assert_eq!(moving.wait_for_message(), kind::RETRY);
    assert_eq!(moving.wait_for_message(), kind::BOUND);
    assert!(!moving.noted().is_empty());
    moving.dvs.stop_log();
    assert!(moving.noted().is_empty());
    moving.ask();
    assert!(moving.noted().is_empty());
}

#[test]
fn a_way_back_leaves_the_life_of_the_guest_as_it_was() {
    let mut moving = Moving::running();
    moving.ask();
    let life = moving.life();
    for _ in 0..3 {
        moving.dvs.hold_connection(true);
        moving.dvs.stop_rings().unwrap();
        moving.dvs.stop_rings().unwrap();
        let state = moving.dvs.save().unwrap();
        assert_eq!(moving.dvs.save().unwrap(), state);
        moving.dvs.start_rings().unwrap();
        moving.dvs.start_rings().unwrap();
        moving.dvs.hold_connection(false);
        assert_eq!(moving.wait_for_message(), kind::RETRY);
        moving.ask();
    }
    assert_eq!((moving.life(), moving.counted("connects")), (life, 1));
    assert_eq!(moving.counted("losses"), 0);
}

#[test]
fn a_guest_that_is_restored_goes_on_where_it_was() {
    let mut moving = Moving::running();
    moving.ask();
    moving.dvs.stop_rings().unwrap();
    let state = moving.dvs.save().unwrap();
    let text = serde_json::to_string(&state).unwrap();
    let state: DvsState = serde_json::from_str(&text).unwrap();
    // As at a destination: held, restored, activated, and only then started.
    moving.dvs.hold_connection(true);
    moving.dvs.restore(&state).unwrap();
    let before = moving.contents();
    let notice = moving.activate();
    for queue in 0..5 {
        moving.guest.kicks[queue].write(1).unwrap();
    }
    // An answer of the node's, so that it has seen the kicks.
    config(&moving.dvs);
    assert!(moving.contents() == before, "nothing is touched yet");
    moving.dvs.start_rings().unwrap();
    moving.dvs.hold_connection(false);
    moving.dvs.show_node();
    assert_eq!(moving.wait_for_message(), kind::RETRY);
    moving.ask();
    assert_eq!(notice.0.load(Ordering::SeqCst), 0, "the same configuration");
}

#[test]
fn a_connection_that_was_never_used_waits_as_well() {
    let mut moving = Moving::connected();
    moving.dvs.hold_connection(true);
    let before = moving.contents();
    moving.activate();
    config(&moving.dvs);
    assert_eq!(
        (moving.contents() == before, moving.counted("losses")),
        (true, 0)
    );
    // The destination's order.
    moving.dvs.hold_connection(false);
    moving.dvs.start_rings().unwrap();
    assert_eq!(moving.wait_for_message(), kind::RETRY);
    moving.ask();
}

#[test]
fn a_driver_hears_of_another_configuration() {
    let mut moving = Moving::running();
    moving.dvs.stop_rings().unwrap();
    let state = moving.dvs.save().unwrap();
    let mut elsewhere = serde_json::to_value(&state).unwrap();
    // The number of the node.
    elsewhere["config"][44] = 77.into();
    moving.dvs.hold_connection(true);
    moving
        .dvs
        .restore(&serde_json::from_value(elsewhere).unwrap())
        .unwrap();
    let notice = moving.activate();
    moving.dvs.start_rings().unwrap();
    moving.dvs.show_node();
    assert_eq!(notice.0.load(Ordering::SeqCst), 1);
}

#[test]
fn states_that_are_refused_cost_no_connection() {
    let mut moving = Moving::running();
    assert!(moving.dvs.save().is_err(), "its rings are in use");
    moving.dvs.stop_rings().unwrap();
    let state = serde_json::to_value(moving.dvs.save().unwrap()).unwrap();
    let with = |key: &str, value: serde_json::Value| {
        let mut state = state.clone();
        state[key] = value;
        serde_json::from_value::<DvsState>(state).unwrap()
    };
    let cases = [
        with("node", vec![0; 34].into()),
        with("node", vec![0; 4096].into()),
        with("node", vec![0; 4097].into()),
        with("node", serde_json::json!([])),
        with("config", serde_json::json!([])),
        with("config", vec![0; 100_000].into()),
        with("features", u64::MAX.into()),
    ];
    for case in cases {
        moving.dvs.restore(&case).unwrap_err();
    }
    assert_eq!(moving.counted("losses"), 0);
    moving.dvs.start_rings().unwrap();
    assert_eq!(moving.wait_for_message(), kind::RETRY);
}

#[test]
fn a_node_that_is_lost_is_told_and_found_again_only_when_released() {
    let mut moving = Moving::running();
    let told = Arc::new(AtomicU32::new(0));
    let count = told.clone();
    moving.dvs.when_lost(Some(Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
    })));
    moving.dvs.start_log(&moving.memory).unwrap();
    moving.dvs.hold_connection(true);
    moving.dvs.stop_rings().unwrap();
    moving.restart_node();
    assert_eq!(told.load(Ordering::SeqCst), 1);
    moving.dvs.lost().read().unwrap();
    assert!(moving.noted().is_empty());
    assert!(matches!(moving.dvs.reconnect(), Err(NodeError::Held)));
    for refused in [
        moving.dvs.start_log(&moving.memory).unwrap_err(),
        moving.dvs.save().unwrap_err(),
    ] {
        assert!(matches!(refused, NodeError::Away), "{refused}");
    }
    // The way back does not need the node: the guest runs on without it until it is back.
    moving.dvs.start_rings().unwrap();
    moving.dvs.stop_log();
    moving.dvs.hold_connection(false);
    wait_for(moving.dvs.lost());
    moving.dvs.reconnect().unwrap();
    assert_eq!(moving.wait_for_message(), kind::RETRY);
    moving.dvs.when_lost(None);
    moving.restart_node();
    assert_eq!(told.load(Ordering::SeqCst), 1);
    // Whoever asks when it is lost already hears it at once.
    let count = told.clone();
    moving.dvs.when_lost(Some(Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
    })));
    assert_eq!(told.load(Ordering::SeqCst), 2);
}

#[test]
fn a_guest_without_a_driver_moves_as_well() {
    let mut moving = Moving::connected();
    moving.dvs.start_log(&moving.memory).unwrap();
    moving.dvs.hold_connection(true);
    moving.dvs.stop_rings().unwrap();
    let state = moving.dvs.save().unwrap();
    moving.dvs.restore(&state).unwrap();
    moving.dvs.start_rings().unwrap();
    moving.dvs.hold_connection(false);
    // A guest that starts or resets its device meanwhile is followed all the same.
    moving.activate();
    assert_eq!(moving.wait_for_message(), kind::RETRY);
    assert!(!moving.noted().is_empty());
    moving.dvs.reset();
    moving.guest.reset_rings().unwrap();
    moving.guest.post_receive().unwrap();
    moving.activate();
    assert_eq!(moving.wait_for_message(), kind::RETRY);
    assert!(!moving.noted().is_empty());
}

#[test]
fn a_node_that_dies_at_the_destination_finds_the_rings_where_they_were() {
    let mut moving = Moving::running();
    moving.ask();
    moving.dvs.stop_rings().unwrap();
    let state = moving.dvs.save().unwrap();
    moving.dvs.hold_connection(true);
    moving.dvs.restore(&state).unwrap();
    moving.activate();
    moving.restart_node();
    moving.dvs.start_rings().unwrap();
    moving.dvs.hold_connection(false);
    moving.dvs.reconnect().unwrap();
    assert_eq!(moving.wait_for_message(), kind::RETRY);
    moving.ask();
}
