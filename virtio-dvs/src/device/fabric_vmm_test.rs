//! What a VMM gives is checked as well.

use super::hostile::{C, others_talk, three};
use super::*;
use crate::device::memory::{MemoryError, RegionPlace};
use crate::testing::{MEMORY_SIZE, USER_BASE};
use std::fs::File;

#[test]
fn rings_must_lie_in_the_memory() {
    let mut world = three();
    let (_, id, session) = world.guests[2];
    world.fabric.stop_ring(id, session, QUEUE_CONTROL).unwrap();
    let mut set = |descriptors: u64, available: u64, used: u64| {
        let addresses = crate::device::ring::RingAddresses {
            descriptors,
            available,
            used,
        };
        let command = RingCommand::Addresses(addresses);
        let done = world.fabric.set_ring(id, session, QUEUE_CONTROL, command);
        done.unwrap_err().to_string()
    };
    let outside = "control: the queue's address";
    let (inside, end) = (USER_BASE + 0x1000, USER_BASE + MEMORY_SIZE);
    assert!(set(0, inside, inside).contains(outside));
    assert!(set(inside, end, inside).contains(outside));
    assert!(set(inside, inside, u64::MAX).contains(outside));
    assert!(set(inside + 1, inside, inside).contains("alignment"));
    assert!(set(inside, inside + 1, inside).contains("alignment"));
    assert!(set(inside, inside, inside + 2).contains("alignment"));
    for size in [0, 3, 2048, u32::MAX] {
        let done = world
            .fabric
            .set_ring(id, session, QUEUE_CONTROL, RingCommand::Size(size));
        assert!(done.unwrap_err().to_string().contains("power of two"));
    }
    let done = world
        .fabric
        .set_ring(id, session, QUEUE_CONTROL, RingCommand::Base(65536));
    assert!(done.unwrap_err().to_string().contains("16 bits"));
    others_talk(&mut world);
}

#[test]
fn memory_that_does_not_fit() {
    let guest = Guest::new(9).unwrap();
    let place = |guest: u64, size: u64, offset: u64| RegionPlace {
        guest,
        size,
        user: USER_BASE + guest,
        offset,
    };
    let add = |memory: &Memory, place| memory.with(place, guest.file.try_clone().unwrap(), false);
    let empty = Memory::new();
    let too_long = add(&empty, place(0, MEMORY_SIZE + 4096, 0));
    assert!(matches!(too_long, Err(MemoryError::NotThere(0))));
    let behind = add(&empty, place(0, 4096, MEMORY_SIZE));
    assert!(matches!(behind, Err(MemoryError::NotThere(0))));
    let wraps = add(&empty, place(0, 4096, u64::MAX - 10));
    assert!(matches!(wraps, Err(MemoryError::NotThere(0))));
    let odd = add(&empty, place(0, 4096, 1));
    assert!(matches!(odd, Err(MemoryError::Map { .. })));
    let one = add(&empty, place(0, 8192, 0)).unwrap();
    let overlap = add(&one, place(4096, 8192, 0));
    assert!(matches!(overlap, Err(MemoryError::Regions(_))));
    // Regions may come in any order.
    let two = add(
        &add(&empty, place(8192, 4096, 0)).unwrap(),
        place(0, 8192, 0),
    )
    .unwrap();
    assert_eq!(two.translate(USER_BASE + 8195).unwrap().0, 8195);
    assert_eq!(two.translate(USER_BASE - 1), None);
    assert!(two.without(place(0, 8192, 7)).is_ok());
    assert!(two.without(place(0, 4096, 0)).is_err());
    let mut many = empty.clone();
    for at in 0..32 {
        many = add(&many, place(at * 4096, 4096, 0)).unwrap();
    }
    let more = add(&many, place(32 * 4096, 4096, 0));
    assert!(matches!(more, Err(MemoryError::TooMany)));
    // The file cannot be shortened any more, and one that could be is refused.
    assert!(guest.file.set_len(0).is_err());
    let file = || {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        file
    };
    let unsealed = empty.with(place(0, 8192, 0), file(), false);
    assert!(matches!(unsealed, Err(MemoryError::Unsealed)));
    assert!(empty.with(place(0, 8192, 0), file(), true).is_ok());
}

#[test]
fn signals_must_be_eventfds() {
    for path in ["/dev/zero", "/dev/null", "/proc/self/status"] {
        assert!(EventSignal::new(File::open(path).unwrap(), "kick").is_err());
    }
    assert!(EventSignal::new(tempfile::tempfile().unwrap(), "call").is_err());
}

#[test]
fn a_ring_that_is_stopped_is_not_touched() {
    let mut world = three();
    let (_, id, session) = world.guests[2];
    let base = world.fabric.stop_ring(id, session, QUEUE_MSG_TX).unwrap();
    let incarnation = world.guests[1].0.incarnation;
    let frame = world.guest(2).frame_to(kind::RPL, B, incarnation);
    world.guest(2).send(&frame, &[]).unwrap();
    world.kick(2, QUEUE_MSG_TX);
    assert_eq!(world.guest(2).returned(QUEUE_MSG_TX).unwrap(), 0);
    assert_eq!(base, 0);
    // The device works with all its rings or not at all.
    let back = world.guests[2].0.incarnation;
    let to_c = world.guest(0).frame_to(kind::RPL, C, back);
    world.guest(0).send(&to_c, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    assert_eq!(world.counters(0).drops["not_running"], 1);
}
