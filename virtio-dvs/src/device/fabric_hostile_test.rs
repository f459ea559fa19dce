//! Guests that break every rule disturb nobody but themselves.

use super::*;
use crate::testing::{INDIRECT, MEMORY_SIZE, NEXT, WRITE};
use proptest::prelude::*;
use vm_memory::{Bytes, GuestAddress};

pub(super) const C: u32 = 3;

/// The first two talk; the third is the hostile one.
pub(super) fn three() -> World {
    World::new(&[A, B, C])
}

/// Whether the first two still talk to each other.
pub(super) fn others_talk(world: &mut World) {
    let incarnation = world.guests[1].0.incarnation;
    let mut frame = world.guest(0).frame_to(kind::RPL, B, incarnation);
    frame.len = 3.into();
    world.guest(0).send(&frame, b"abc").unwrap();
    world.kick(0, QUEUE_MSG_TX);
    let (got, payload) = world.guest(1).receive(QUEUE_MSG_RX).unwrap().unwrap();
    assert_eq!((got, payload.as_slice()), (frame, b"abc".as_slice()));
    for index in [0, 1] {
        assert!(world.guest(index).messages().unwrap().is_empty());
        assert!(world.counters(index).drops.is_empty());
    }
}

fn drops(world: &World) -> BTreeMap<String, u64> {
    world.counters(2).drops
}

#[test]
fn chains_that_hold_no_frame() {
    let mut world = three();
    let buffer = world.guest(2).rings[QUEUE_MSG_TX].buffers;
    let chains: [&[(u64, u32, u16, u16)]; 8] = [
        &[(buffer, 79, 0, 0)],
        &[(buffer, 0, 0, 0)],
        &[(buffer, 512, WRITE, 0)],
        &[(MEMORY_SIZE, 80, 0, 0)],
        &[(u64::MAX - 8, u32::MAX, 0, 0)],
        &[(buffer, 80, NEXT, 0)],
        &[(buffer, 80, NEXT, 9999)],
        &[(buffer, 33, INDIRECT, 0)],
    ];
    for (count, chain) in (1..).zip(chains) {
        for (entry, &(address, len, flags, next)) in (0..).zip(chain) {
            let guest = world.guest(2);
            guest
                .describe(QUEUE_MSG_TX, entry, address, len, flags, next)
                .unwrap();
        }
        world.guest(2).offer(QUEUE_MSG_TX, 0).unwrap();
        world.kick(2, QUEUE_MSG_TX);
        assert_eq!(drops(&world)["chain"], count);
        assert_eq!(
            world.guest(2).take_used(QUEUE_MSG_TX).unwrap(),
            Some((0, 0))
        );
    }
    others_talk(&mut world);
}

#[test]
fn lengths_that_are_wrong() {
    let mut world = three();
    let incarnation = world.guests[1].0.incarnation;
    let good = world.guest(2).frame_to(kind::RPL, B, incarnation);
    for (stated, there) in [(0, 1), (1, 0), (u32::MAX, 10), (433, 10)] {
        let mut frame = good;
        frame.len = stated.into();
        world.guest(2).send(&frame, &vec![0; there]).unwrap();
    }
    world.kick(2, QUEUE_MSG_TX);
    assert_eq!(drops(&world)["length"], 4);
    // A bulk frame on the message queue, and one that is too large for its queue.
    let mut bulk = world.guest(2).frame_to(kind::BULK_DATA, B, incarnation);
    world.guest(2).send_on(QUEUE_MSG_TX, &bulk, &[]).unwrap();
    world.kick(2, QUEUE_MSG_TX);
    assert_eq!(drops(&world)["wrong_queue"], 1);
    bulk.len = 65537.into();
    let address = world.guest(2).rings[QUEUE_BULK_TX].buffers;
    let guest = world.guest(2);
    guest
        .mem
        .write_slice(bulk.as_bytes(), GuestAddress(address))
        .unwrap();
    guest
        .describe(QUEUE_BULK_TX, 0, address, 65617, 0, 0)
        .unwrap();
    guest.offer(QUEUE_BULK_TX, 0).unwrap();
    world.kick(2, QUEUE_BULK_TX);
    assert_eq!(drops(&world)["length"], 5);
    others_talk(&mut world);
}

#[test]
fn forged_frames() {
    let mut world = three();
    let incarnation = world.guests[1].0.incarnation;
    let (a, good) = (
        world.guests[0].0.incarnation,
        world.guest(2).frame_to(kind::RPL, B, incarnation),
    );
    let generation = world.bind(0, 10);
    let mut as_a = good;
    as_a.src_vm = A.into();
    as_a.src_inc = a.into();
    let mut gone = good;
    gone.kind = kind::GONE;
    gone.src_vm = 0.into();
    let mut stolen = good;
    stolen.kind = kind::REQ;
    stolen.src_ep = 10.into();
    stolen.src_gen = generation.into();
    for frame in [as_a, gone, stolen] {
        world.guest(2).send(&frame, &[]).unwrap();
    }
    world.kick(2, QUEUE_MSG_TX);
    let drops = drops(&world);
    let reasons = ["forged_source", "node_kind", "unbound_source"];
    assert!(reasons.iter().all(|it| drops[*it] == 1), "{drops:?}");
    others_talk(&mut world);
}

#[test]
fn an_index_out_of_range_ends_the_ring() {
    let mut world = three();
    let size = world.guest(2).rings[QUEUE_MSG_TX].size;
    world
        .guest(2)
        .set_avail_index(QUEUE_MSG_TX, size + 1)
        .unwrap();
    world.kick(2, QUEUE_MSG_TX);
    assert_eq!(world.counters(2).broken_rings, 1);
    assert!(!world.fabric.is_running(world.guests[2].1));
    others_talk(&mut world);
    // Frames for it wait for it to come back.
    let incarnation = world.guests[2].0.incarnation;
    let frame = world.guest(0).frame_to(kind::RPL, C, incarnation);
    world.guest(0).send(&frame, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    assert_eq!(world.counters(0).drops["not_running"], 1);
}

#[test]
fn an_entry_out_of_range_ends_the_ring() {
    for queue in [QUEUE_MSG_TX, QUEUE_BULK_TX, QUEUE_CONTROL] {
        let mut world = three();
        world.guest(2).offer(queue, u16::MAX).unwrap();
        world.kick(2, queue);
        assert_eq!(world.counters(2).broken_rings, 1);
        others_talk(&mut world);
    }
    // The same of a receive ring shows when a frame comes.
    let mut world = three();
    let guest = world.guest(2);
    let index = guest.rings[QUEUE_MSG_RX].avail_index;
    guest.set_avail_index(QUEUE_MSG_RX, index + 2).unwrap();
    let incarnation = guest.incarnation;
    let frame = world.guest(0).frame_to(kind::RPL, C, incarnation);
    world.guest(0).send(&frame, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    assert_eq!(world.counters(2).broken_rings, 1);
    assert_eq!(world.counters(0).drops["no_room"], 1);
}

#[test]
fn receive_buffers_without_use_are_given_back() {
    let mut world = three();
    // All good buffers are used up.
    let incarnation = world.guests[2].0.incarnation;
    let frame = world.guest(0).frame_to(kind::RPL, C, incarnation);
    let size = world.guest(2).rings[QUEUE_MSG_RX].size;
    for _ in 0..size {
        world.guest(0).send(&frame, &[]).unwrap();
    }
    world.kick(0, QUEUE_MSG_TX);
    for _ in 0..size {
        assert!(
            world
                .guest(2)
                .receive_and_keep(QUEUE_MSG_RX)
                .unwrap()
                .is_some()
        );
    }
    let address = world.guest(2).rings[QUEUE_MSG_RX].buffers;
    for (entry, len, flags) in [(0, 511, WRITE), (1, 512, 0), (2, 0, WRITE), (3, 512, WRITE)] {
        let guest = world.guest(2);
        guest
            .describe(QUEUE_MSG_RX, entry, address, len, flags, 0)
            .unwrap();
        guest.offer(QUEUE_MSG_RX, entry).unwrap();
    }
    world.guest(0).send(&frame, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    let guest = world.guest(2);
    let used: Vec<_> = std::iter::from_fn(|| guest.take_used(QUEUE_MSG_RX).unwrap()).collect();
    assert_eq!(used, [(0, 0), (1, 0), (2, 0), (3, 80)]);
    assert_eq!(world.counters(2).bad_buffers, 3);
}

#[test]
fn control_nonsense() {
    let mut world = three();
    let ring = world.guest(2).rings[QUEUE_CONTROL];
    let (request, response) = (ring.buffer_at(0), ring.buffer_at(1));
    let chains: [&[(u64, u32, u16, u16)]; 7] = [
        // No request; no room for a response; the wrong way round; too short; too long.
        &[(response, 16, WRITE, 0)],
        &[(request, 64, 0, 0)],
        &[(response, 16, WRITE | NEXT, 1), (request, 64, 0, 0)],
        &[(request, 63, NEXT, 1), (response, 16, WRITE, 0)],
        &[(request, 65, NEXT, 1), (response, 16, WRITE, 0)],
        &[(request, 64, NEXT, 1), (response, 15, WRITE, 0)],
        &[(request, 64, NEXT, 0)],
    ];
    let expected = [16, 0, 0, 16, 16, 0, 0];
    for (chain, written) in chains.into_iter().zip(expected) {
        let guest = world.guest(2);
        for (entry, &(address, len, flags, next)) in (0..).zip(chain) {
            guest
                .describe(QUEUE_CONTROL, entry, address, len, flags, next)
                .unwrap();
        }
        guest.offer(QUEUE_CONTROL, 0).unwrap();
        world.kick(2, QUEUE_CONTROL);
        let used = world.guest(2).take_used(QUEUE_CONTROL).unwrap();
        assert_eq!(used, Some((0, written)), "{chain:?}");
    }
    let mut unknown = bind(1, 1);
    unknown.op = 77.into();
    assert_eq!(
        world.control(2, &unknown),
        Some(ControlStatus::Unsupported as u32)
    );
    let mut odd = bind(1, 1);
    odd.reserved[0] = 1.into();
    assert_eq!(
        world.control(2, &odd),
        Some(ControlStatus::Malformed as u32)
    );
    world.guest(2).messages().unwrap();
    others_talk(&mut world);
}

#[test]
fn a_flood_is_handled_in_shares() {
    let mut world = three();
    let incarnation = world.guests[1].0.incarnation;
    let frame = world.guest(2).frame_to(kind::RPL, B, incarnation);
    let size = world.guest(2).rings[QUEUE_MSG_TX].size;
    for _ in 0..size {
        world.guest(2).send(&frame, &[]).unwrap();
    }
    let id = world.guests[2].1;
    world.fabric.kicked(id, QUEUE_MSG_TX);
    assert!(world.fabric.has_backlog());
    assert_eq!(world.guest(2).returned(QUEUE_MSG_TX).unwrap(), 128);
    // Somebody else's frame goes before the rest of the flood.
    let mine = world.guest(0).frame_to(kind::RPL, B, incarnation);
    world.guest(0).send(&mine, &[]).unwrap();
    let a = world.guests[0].1;
    world.fabric.kicked(a, QUEUE_MSG_TX);
    let got = world.guest(1).messages().unwrap();
    assert_eq!(got.len(), 129);
    assert_eq!(got.last().unwrap().src_vm.get(), A);
    world.fabric.run_backlog();
    world.fabric.run_backlog();
    assert!(!world.fabric.has_backlog());
    assert_eq!(world.guest(2).returned(QUEUE_MSG_TX).unwrap(), size);
}

#[test]
fn floods_of_refused_frames_are_answered_once() {
    let mut world = three();
    let stranger = world.guest(2).frame_to(kind::RPL, 99, 1);
    let mut unbound = world.guest(2).frame_to(kind::REQ, B, 1);
    unbound.src_ep = 3.into();
    for _ in 0..100 {
        world.guest(2).send(&stranger, &[]).unwrap();
        world.guest(2).send(&unbound, &[]).unwrap();
    }
    world.kick(2, QUEUE_MSG_TX);
    let said = world.guest(2).messages().unwrap();
    // Two shares, each with one GONE.
    let kinds: Vec<_> = said.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [kind::GONE, kind::RETRY, kind::GONE]);
    others_talk(&mut world);
}

#[test]
fn a_reset_in_the_middle() {
    let mut world = three();
    let incarnation = world.guests[1].0.incarnation;
    let frame = world.guest(2).frame_to(kind::RPL, B, incarnation);
    for _ in 0..200 {
        world.guest(2).send(&frame, &[]).unwrap();
    }
    let (_, id, session) = world.guests[2];
    world.fabric.kicked(id, QUEUE_MSG_TX);
    let (sender, receiver) = mpsc::channel();
    world.fabric.reset(
        id,
        session,
        Box::new(move |done| sender.send(done).unwrap()),
    );
    receiver.recv().unwrap().unwrap();
    while world.fabric.has_backlog() {
        world.fabric.run_backlog();
    }
    // What was not taken stays where it is.
    assert_eq!(world.guest(2).returned(QUEUE_MSG_TX).unwrap(), 128);
    let got = world.guest(1).messages().unwrap();
    assert_eq!(got.len(), 129);
    let gone = vm_and_incarnation(C, frame.src_inc.get());
    assert_eq!((got[128].kind, got[128].arg.get()), (kind::GONE, gone));
    assert_eq!(world.guest(0).messages().unwrap().len(), 1);
    others_talk(&mut world);
    // The next life begins from nothing.
    world.guest(2).reset_rings().unwrap();
    world.guest(2).post_receive().unwrap();
    let (guest, id, session) = &mut world.guests[2];
    guest.start_rings(&mut world.fabric, *id, *session).unwrap();
    let config = world.fabric.config(*id, *session).unwrap();
    assert!(config.incarnation.get() > frame.src_inc.get());
    assert_eq!(guest.messages().unwrap().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Random bytes in rings and buffers, random kicks.
    #[test]
    fn a_guest_that_writes_nonsense(
        writes in prop::collection::vec((0..0x6_0000u64, any::<u64>(), 0..5usize), 1..200),
        small in any::<bool>(),
    ) {
        let mut world = three();
        for (at, value, queue) in writes {
            // Small values make indexes and descriptors that are nearly right.
            let value = if small { value % 300 } else { value };
            world.guest(2).mem.write_obj(value, GuestAddress(at)).unwrap();
            let id = world.guests[2].1;
            world.fabric.kicked(id, queue);
            world.fabric.run_backlog();
        }
        // A guest that still gets frames has its peers to itself.
        let incarnation = world.guests[2].0.incarnation;
        let frame = world.guest(0).frame_to(kind::RPL, C, incarnation);
        world.guest(0).send(&frame, &[]).unwrap();
        world.kick(0, QUEUE_MSG_TX);
        world.guest(0).messages().unwrap();
        let incarnation = world.guests[1].0.incarnation;
        let frame = world.guest(0).frame_to(kind::RPL, B, incarnation);
        world.guest(0).send(&frame, &[]).unwrap();
        world.kick(0, QUEUE_MSG_TX);
        let got = world.guest(1).messages().unwrap();
        prop_assert_eq!(got.last(), Some(&frame));
    }
}
