//! A VM that moves: every write is noted, rings are drained, the state is handed over.

use super::hostile::{C, others_talk, three};
use super::*;
use crate::device::log::{LOG_PAGE, LogBits, LogError};
use crate::device::memory::RegionPlace;
use crate::device::state::{DeviceState, StateError};
use crate::spec::QUEUE_COUNT;
use crate::testing::MEMORY_SIZE;
use proptest::prelude::*;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::os::unix::fs::FileExt;
use vhost::vhost_user::VhostUserVirtioFeatures;

const LOG_ALL: u64 = VhostUserVirtioFeatures::LOG_ALL.bits();
const LOG_SIZE: u64 = MEMORY_SIZE / LOG_PAGE / 8;
const PAGES: usize = (MEMORY_SIZE / LOG_PAGE) as usize;

/// A log as its VMM sees it, and the guest's memory as it was when the log was read last.
struct Followed {
    log: File,
    before: Vec<u8>,
}

fn log_file(size: u64) -> File {
    let fd = memfd_create("log", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&fd, size).unwrap();
    fd.into()
}

fn contents(file: &File, size: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

impl World {
    /// Has the writes into a guest's memory noted from now on.
    fn follow(&mut self, index: usize, features: u64) -> Followed {
        let (guest, id, session) = &self.guests[index];
        let log = log_file(LOG_SIZE);
        let bits = LogBits::map(log.try_clone().unwrap(), 0, LOG_SIZE, false).unwrap();
        self.fabric.set_log(*id, *session, bits).unwrap();
        let features = features | 1 << 32 | 1 << 30 | LOG_ALL;
        self.fabric.set_features(*id, *session, features).unwrap();
        let before = contents(&guest.file, MEMORY_SIZE);
        Followed { log, before }
    }

    /// Reads the log: gives the pages that were noted, among which all must be that have changed.
    /// What the guest itself has written meanwhile must be known, as `written` does it.
    fn noted(&mut self, index: usize, followed: &mut Followed) -> Vec<usize> {
        let now = contents(&self.guests[index].0.file, MEMORY_SIZE);
        let bits = contents(&followed.log, LOG_SIZE);
        followed.log.write_all_at(&vec![0; bits.len()], 0).unwrap();
        let is_noted = |page: &usize| bits[page / 8] & (1 << (page % 8)) != 0;
        let page_of = |bytes: &'_ [u8], page: usize| bytes[page * 4096..][..4096].to_vec();
        for page in 0..PAGES {
            let changed = page_of(&now, page) != page_of(&followed.before, page);
            assert!(!changed || is_noted(&page), "page {page} has changed");
        }
        followed.before = now;
        (0..PAGES).filter(is_noted).collect()
    }

    /// Takes the rings of a guest back.
    fn stop(&mut self, index: usize) -> [u16; QUEUE_COUNT] {
        let (_, id, session) = self.guests[index];
        let stop = |queue| self.fabric.stop_ring(id, session, queue).unwrap();
        [0, 1, 2, 3, 4].map(stop)
    }

    fn restart(&mut self, index: usize, bases: [u16; QUEUE_COUNT]) {
        let (guest, id, session) = &mut self.guests[index];
        guest
            .restart_rings(&mut self.fabric, *id, *session, bases)
            .unwrap();
        while self.fabric.has_backlog() {
            self.fabric.run_backlog();
        }
    }

    /// What the device has given back of each ring.
    fn used(&self, index: usize) -> [u16; QUEUE_COUNT] {
        let guest = &self.guests[index].0;
        guest.rings.map(|ring| {
            let at = vm_memory::GuestAddress(ring.used + 2);
            vm_memory::Bytes::read_obj(&guest.mem, at).unwrap()
        })
    }

    /// What the guest has written is not the device's doing.
    fn written(&self, index: usize, followed: &mut Followed) {
        followed.before = contents(&self.guests[index].0.file, MEMORY_SIZE);
    }
}

/// The page of an address.
fn page(address: u64) -> usize {
    usize::try_from(address / LOG_PAGE).unwrap()
}

#[test]
fn what_is_written_for_a_frame_is_noted() {
    let mut world = World::new(&[A, B]);
    let mut followed = world.follow(1, 0);
    assert!(world.noted(1, &mut followed).is_empty());
    let incarnation = world.guests[1].0.incarnation;
    let frame = world.guest(0).frame_to(kind::RPL, B, incarnation);
    world.guest(0).send(&frame, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    let ring = world.guest(1).rings[QUEUE_MSG_RX];
    // The greeting was the first.
    let (used, buffer) = (page(ring.used), page(ring.buffer_at(1)));
    assert_eq!(world.noted(1, &mut followed), [used, buffer]);
    // Bulk: a buffer of many pages.
    let mut bulk = world.guest(0).frame_to(kind::BULK_DATA, B, incarnation);
    bulk.len = 65536.into();
    world.guest(0).send(&bulk, &[1; 65536]).unwrap();
    world.kick(0, QUEUE_BULK_TX);
    let ring = world.guest(1).rings[QUEUE_BULK_RX];
    let mut expected = vec![page(ring.used)];
    expected.extend(page(ring.buffer_at(0))..=page(ring.buffer_at(1) - 1));
    assert_eq!(world.noted(1, &mut followed), expected);
    // Nobody notes anything for the others, nor once it is switched off.
    let (_, id, session) = world.guests[1];
    world
        .fabric
        .set_features(id, session, 1 << 32 | 1 << 30)
        .unwrap();
    world.guest(0).send(&frame, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    assert!(
        contents(&followed.log, LOG_SIZE)
            .iter()
            .all(|byte| *byte == 0)
    );
    assert_eq!(world.guest(1).messages().unwrap().len(), 2);
}

#[test]
fn what_is_written_for_a_sender_is_noted() {
    for features in [0, 1 << 29] {
        let mut world = World::new(&[A, B]);
        let mut followed = world.follow(0, features);
        let incarnation = world.guests[1].0.incarnation;
        let frame = world.guest(0).frame_to(kind::RPL, B, incarnation);
        world.guest(0).send(&frame, &[]).unwrap();
        world.written(0, &mut followed);
        world.kick(0, QUEUE_MSG_TX);
        let used = world.guest(0).rings[QUEUE_MSG_TX].used;
        assert!(world.noted(0, &mut followed).contains(&page(used)));
        // A control request: the answer, and later its result.
        world.guest(0).request(&bind(10, 7)).unwrap();
        world.written(0, &mut followed);
        world.kick(0, QUEUE_CONTROL);
        let control = world.guest(0).rings[QUEUE_CONTROL];
        let noted = world.noted(0, &mut followed);
        assert!(noted.contains(&page(control.used)));
        assert!(noted.contains(&page(control.buffer_at(1))));
        assert!(noted.contains(&page(world.guest(0).rings[QUEUE_MSG_RX].used)));
        // A start writes as well.
        let bases = world.stop(0);
        assert!(world.noted(0, &mut followed).is_empty());
        world.restart(0, bases);
        world.noted(0, &mut followed);
        assert_eq!(world.guest(0).messages().unwrap().len(), 2);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Send(usize, u16),
    Bulk(u16),
    Lookup,
    Receive,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..2, 0u16..433).prop_map(|(from, len)| Step::Send(from, len)),
        2 => any::<u16>().prop_map(Step::Bulk),
        1 => Just(Step::Lookup),
        2 => Just(Step::Receive),
    ]
}

/// Frames between two guests, of which the second is followed.
fn play(world: &mut World, steps: &[Step]) {
    let mut followed = world.follow(1, 0);
    let lives = [world.guests[0].0.incarnation, world.guests[1].0.incarnation];
    for step in steps {
        match *step {
            Step::Send(from, len) => {
                let to = 1 - from;
                let vm = world.guests[to].0.vm;
                let mut frame = world.guest(from).frame_to(kind::RPL, vm, lives[to]);
                frame.len = u32::from(len).into();
                world
                    .guest(from)
                    .send(&frame, &vec![7; len.into()])
                    .unwrap();
                world.written(1, &mut followed);
                world.kick(from, QUEUE_MSG_TX);
            }
            Step::Bulk(len) => {
                let mut frame = world.guest(0).frame_to(kind::BULK_DATA, B, lives[1]);
                frame.len = u32::from(len).into();
                world.guest(0).send(&frame, &vec![9; len.into()]).unwrap();
                world.kick(0, QUEUE_BULK_TX);
            }
            Step::Lookup => {
                world.guest(1).request(&lookup(3, 1)).unwrap();
                world.written(1, &mut followed);
                world.kick(1, QUEUE_CONTROL);
                world.guest(1).response().unwrap();
            }
            Step::Receive => {
                for index in 0..2 {
                    world.guest(index).messages().unwrap();
                    while world.guest(index).receive(QUEUE_BULK_RX).unwrap().is_some() {}
                }
                world.written(1, &mut followed);
                world.kick(1, QUEUE_MSG_RX);
            }
        }
        world.noted(1, &mut followed);
    }
}

#[test]
fn rings_that_are_stopped_have_given_everything_back() {
    let mut slow = VmAttributes::new(A, 0);
    slow.limits.rate = Some(1);
    let mut world = World::with(vec![slow, VmAttributes::new(B, 0)], 1 << 32);
    let incarnation = world.guests[1].0.incarnation;
    let frame = world.guest(0).frame_to(kind::RPL, B, incarnation);
    // More than the rate allows, so that the device has looked at one that it did not take.
    for _ in 0..20 {
        world.guest(0).send(&frame, &[]).unwrap();
    }
    world.kick(0, QUEUE_MSG_TX);
    world.guest(0).request(&lookup(1, 1)).unwrap();
    world.kick(0, QUEUE_CONTROL);
    let bases = world.stop(0);
    assert_eq!(bases, world.used(0));
    assert_eq!(bases, [16, 1, 0, 0, 0]);
    let full = world.stop(1);
    assert_eq!(full, world.used(1));
    assert_eq!(full, [0, 17, 0, 0, 0]);
    // Nothing of them is touched any more, whoever kicks or waits.
    let before = [0, 1].map(|index: usize| contents(&world.guests[index].0.file, MEMORY_SIZE));
    for queue in 0..QUEUE_COUNT {
        world.kick(0, queue);
        world.kick(1, queue);
    }
    world.fabric.resume();
    let after = [0, 1].map(|index: usize| contents(&world.guests[index].0.file, MEMORY_SIZE));
    assert!(before == after);
    // Nothing is lost either.
    let life = world.guests[0].0.incarnation;
    world.restart(1, full);
    world.restart(0, bases);
    assert_eq!(
        world.fabric.switch().incarnation(world.guests[0].1),
        Some(life)
    );
    world.kick(0, QUEUE_CONTROL);
    assert_eq!(world.guest(1).messages().unwrap().len(), 17);
    assert_eq!(world.used(0)[QUEUE_MSG_TX], 16);
}

#[test]
fn what_a_broken_ring_took_is_taken_again() {
    let mut world = three();
    let (_, id, session) = world.guests[2];
    // The first entry names a descriptor that is not there.
    world.guest(2).offer(QUEUE_MSG_TX, 999).unwrap();
    world.kick(2, QUEUE_MSG_TX);
    assert!(!world.fabric.is_running(id));
    assert_eq!(
        world.fabric.stop_ring(id, session, QUEUE_MSG_TX).unwrap(),
        0
    );
    others_talk(&mut world);
}

#[test]
fn a_log_that_does_not_hold_the_memory_is_refused() {
    let refused = |set: &dyn Fn(&mut World, PortId, SessionId) -> Result<(), SessionError>| {
        let mut world = three();
        let (_, id, session) = world.guests[2];
        let error = set(&mut world, id, session).unwrap_err();
        // Nothing is written any more that would not be noted.
        assert!(!world.fabric.is_running(id));
        others_talk(&mut world);
        error
    };
    let bits = |size| LogBits::map(log_file(size), 0, size, false).unwrap();
    let features = 1 << 32 | 1 << 30 | LOG_ALL;
    let none = refused(&|world, id, session| world.fabric.set_features(id, session, features));
    assert!(matches!(none, SessionError::Log(LogError::Missing)));
    let small = refused(&|world, id, session| {
        world.fabric.set_log(id, session, bits(LOG_SIZE - 1))?;
        world.fabric.set_features(id, session, features)
    });
    assert!(matches!(
        small,
        SessionError::Log(LogError::TooSmall(MEMORY_SIZE))
    ));
    let grown = refused(&|world, id, session| {
        world.fabric.set_log(id, session, bits(LOG_SIZE))?;
        world.fabric.set_features(id, session, features)?;
        let more = RegionPlace {
            guest: MEMORY_SIZE,
            size: LOG_PAGE,
            user: 0,
            offset: 0,
        };
        let memory = world.fabric.device(id).unwrap().memory.clone();
        let file = world.guests[2].0.file.try_clone().unwrap();
        let memory = memory.with(more, file, false).unwrap();
        world.fabric.set_memory(id, session, memory)
    });
    assert!(matches!(grown, SessionError::Log(LogError::TooSmall(_))));
    // It may be told of later, as long as no ring is in use.
    let mut world = three();
    let (_, id, session) = world.guests[2];
    world.stop(2);
    world.fabric.set_features(id, session, features).unwrap();
    world.fabric.set_log(id, session, bits(LOG_SIZE)).unwrap();
    let used = world.used(2);
    world.restart(2, used);
    assert!(world.fabric.is_running(id));
}

#[test]
fn a_state_is_taken_by_the_same_life_alone() {
    let mut world = three();
    let (_, id, session) = world.guests[2];
    let early = world.fabric.save_state(id, session).unwrap_err();
    assert!(matches!(early, SessionError::State(StateError::InUse)));
    let bases = world.stop(2);
    let state = world.fabric.save_state(id, session).unwrap();
    let life = world.guests[2].0.incarnation;
    assert_eq!(state, DeviceState::new(C, life, 1 << 32 | 1 << 30, bases));
    for (vm, life) in [(B, life), (C, life + 1), (0, 0)] {
        let other = DeviceState::new(vm, life, 0, bases);
        let error = world.fabric.load_state(id, session, &other).unwrap_err();
        assert!(error.to_string().contains("not of this one"), "{error}");
    }
    let wild = DeviceState::new(C, life, 0, [9, 65535, 0, 1, 2]);
    world.fabric.load_state(id, session, &wild).unwrap();
    assert_eq!(
        world.fabric.save_state(id, session).unwrap().bases,
        wild.bases
    );
    world.fabric.load_state(id, session, &state).unwrap();
    world.restart(2, bases);
    let late = world.fabric.load_state(id, session, &state).unwrap_err();
    assert!(matches!(late, SessionError::State(StateError::InUse)));
    let stranger = SessionId(99);
    assert!(world.fabric.save_state(id, stranger).is_err());
    assert!(world.fabric.load_state(id, stranger, &state).is_err());
    assert_eq!(world.guest(2).messages().unwrap()[0].kind, kind::RETRY);
    others_talk(&mut world);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_page_that_changes_is_noted(steps in prop::collection::vec(step(), 1..40)) {
        play(&mut World::new(&[A, B]), &steps);
    }
}
