//! Calls of one endpoint are followed.

use super::*;
use crate::spec::QUEUE_MSG_RX;

fn follow(world: &mut World, endpoint: i32, count: usize) -> (TraceId, Seen) {
    let (sender, receiver) = mpsc::channel();
    let filter = TraceFilter {
        dcid: 0,
        endpoint,
        count,
    };
    let done = Box::new(move |seen| drop(sender.send(seen)));
    (world.fabric.start_trace(filter, done).unwrap(), receiver)
}

type Seen = mpsc::Receiver<Vec<Sighting>>;

/// Call `op` of endpoint 10 of the first guest to endpoint 20 of the second.
fn call(world: &mut World, generation: u32, op: u64) -> Frame {
    let mut frame = world.request(10, generation);
    frame.dst_ep = 20.into();
    frame.op = op.into();
    frame
}

fn answer(world: &mut World, op: u64) -> Frame {
    let incarnation = world.guests[0].0.incarnation;
    let mut frame = world.guest(1).frame_to(kind::RPL, A, incarnation);
    frame.op = op.into();
    frame.result = (-7).into();
    frame
}

fn shown(seen: &[Sighting]) -> Vec<(Place, u32, u8, u64)> {
    let one = |it: &Sighting| (it.place, it.vm, it.header.kind, it.header.op.get());
    seen.iter().map(one).collect()
}

#[test]
fn the_frames_of_a_call_are_seen_where_they_pass() {
    let mut world = World::new(&[A, B]);
    let generation = world.bind(0, 10);
    let (_, seen) = follow(&mut world, 20, 4);
    let request = call(&mut world, generation, 5);
    world.guest(0).send(&request, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    // A call with the same number, of which the endpoint is no part.
    let other = answer(&mut world, 6);
    world.guest(1).send(&other, &[]).unwrap();
    let reply = answer(&mut world, 5);
    world.guest(1).send(&reply, &[]).unwrap();
    world.kick(1, QUEUE_MSG_TX);
    let seen = seen.try_recv().unwrap();
    assert_eq!(
        shown(&seen),
        [
            (Place::FromGuest, A, kind::REQ, 5),
            (Place::ToGuest, B, kind::REQ, 5),
            (Place::FromGuest, B, kind::RPL, 5),
            (Place::ToGuest, A, kind::RPL, 5),
        ]
    );
    assert!(seen.is_sorted_by_key(|it| it.time_ns));
    assert_eq!(seen[3].header.result.get(), -7);
}

#[test]
fn a_dropped_frame_is_seen_with_the_reason() {
    let mut world = World::new(&[A, B]);
    let generation = world.bind(0, 10);
    let (id, seen) = follow(&mut world, 10, TRACE_MAX);
    let mut request = call(&mut world, generation, 5);
    request.dst_vm = 9.into();
    world.guest(0).send(&request, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    assert!(seen.try_recv().is_err());
    world.fabric.end_trace(id);
    let places: Vec<_> = seen.try_recv().unwrap().iter().map(|it| it.place).collect();
    let dropped = Place::Dropped(Drop::NoSuchVm);
    assert_eq!(places, [Place::FromGuest, dropped]);
}

#[test]
fn other_endpoints_and_other_containers_are_not_seen() {
    let mut other = VmAttributes::new(B, 1);
    other.limits.max_peers = 1;
    let vms = vec![VmAttributes::new(A, 1), other];
    let mut world = World::with(vms, 1 << 32);
    let generation = world.bind(0, 10);
    let (id, seen) = follow(&mut world, 10, 1);
    let request = call(&mut world, generation, 5);
    world.guest(0).send(&request, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    assert!(world.guest(1).receive(QUEUE_MSG_RX).unwrap().is_some());
    world.fabric.end_trace(id);
    assert!(seen.try_recv().unwrap().is_empty());
}

#[test]
fn there_is_one_trace_at_a_time() {
    let mut world = World::new(&[A, B]);
    let (first, seen) = follow(&mut world, 10, 1);
    let filter = TraceFilter {
        dcid: 0,
        endpoint: 10,
        count: 1,
    };
    let again = world.fabric.start_trace(filter, Box::new(drop));
    assert_eq!(again, Err(TraceBusy));
    world.fabric.end_trace(first);
    assert!(seen.try_recv().unwrap().is_empty());
    let (_, seen) = follow(&mut world, 10, 1);
    // The end of one that is over ends no other.
    world.fabric.end_trace(first);
    assert_eq!(seen.try_recv(), Err(mpsc::TryRecvError::Empty));
}

#[test]
fn a_guest_cannot_make_a_trace_grow() {
    let mut world = World::new(&[A, B]);
    let generation = world.bind(0, 10);
    let (_, seen) = follow(&mut world, 10, usize::MAX);
    for op in 0..TRACE_MAX as u64 {
        let request = call(&mut world, generation, op);
        world.guest(0).send(&request, &[]).unwrap();
        world.kick(0, QUEUE_MSG_TX);
        while world.guest(0).take_used(QUEUE_MSG_TX).unwrap().is_some() {}
        world.guest(1).messages().unwrap();
    }
    assert_eq!(seen.try_recv().unwrap().len(), TRACE_MAX);
}
