//! What guests tell of their endpoints, through the rings.

use super::*;
use crate::frame::{EndpointState, VM_NODE};

type Answers = BTreeMap<u32, Told>;

/// Starts a survey; gives where its answer comes.
fn survey(world: &mut World) -> mpsc::Receiver<Answers> {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |told| drop(sender.send(told)));
    world.fabric.survey(done);
    receiver
}

fn ask(world: &mut World, index: usize) -> Frame {
    let said = world.guest(index).messages().unwrap();
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].kind, kind::ASK);
    said[0]
}

/// A guest tells `records` and where to go on.
fn tell(world: &mut World, index: usize, ask: &Frame, next: u64, records: &[EndpointState]) {
    let payload = records.as_bytes();
    let mut frame = world.guest(index).frame_to(kind::TELL, VM_NODE, 0);
    frame.len = u32::try_from(payload.len()).unwrap().into();
    frame.op = ask.op;
    frame.arg = next.into();
    world.guest(index).send(&frame, payload).unwrap();
    world.kick(index, QUEUE_MSG_TX);
}

fn record(nr: i32, generation: u32) -> EndpointState {
    EndpointState {
        nr: nr.into(),
        generation: generation.into(),
        pid: 7.into(),
        ..EndpointState::new_zeroed()
    }
}

#[test]
fn guests_tell_and_the_last_one_ends_it() {
    let mut world = World::new(&[A, B]);
    let (one, two) = (world.bind(0, 10), world.bind(0, 11));
    let answers = survey(&mut world);
    let (ask_a, ask_b) = (ask(&mut world, 0), ask(&mut world, 1));
    tell(&mut world, 0, &ask_a, 2, &[record(10, one)]);
    let ask_on = ask(&mut world, 0);
    assert_eq!((ask_on.op, ask_on.arg.get()), (ask_a.op, 2));
    tell(&mut world, 1, &ask_b, 0, &[]);
    assert!(answers.try_recv().is_err());
    tell(&mut world, 0, &ask_on, 0, &[record(11, two)]);
    let told = answers.try_recv().unwrap();
    assert_eq!(told[&A].states.len(), 2);
    assert_eq!(told[&A].states[&11].pid.get(), 7);
    assert!(told[&A].complete && told[&B].complete);
    assert!(world.counters(0).drops.is_empty());
    // Nobody asks any more.
    tell(&mut world, 0, &ask_on, 0, &[]);
    assert_eq!(world.counters(0).drops["not_asked"], 1);
}

#[test]
fn silent_guests_are_left_out() {
    let mut world = World::new(&[A, B]);
    let generation = world.bind(0, 10);
    let answers = survey(&mut world);
    let ask_a = ask(&mut world, 0);
    tell(&mut world, 0, &ask_a, 5, &[record(10, generation)]);
    world.fabric.end_survey();
    let told = answers.try_recv().unwrap();
    assert!(!told[&A].complete && !told[&B].complete);
    assert_eq!(told[&A].states.len(), 1, "what it told counts");
    assert!(told[&B].states.is_empty());
    world.fabric.end_survey();
    // With nobody to ask there is nothing to wait for.
    let mut nobody = World::new(&[]);
    assert!(survey(&mut nobody).try_recv().unwrap().is_empty());
}

#[test]
fn a_survey_that_finds_no_room_is_asked_later() {
    let mut world = World::new(&[A]);
    let size = world.guest(0).rings[QUEUE_MSG_RX].size;
    for nonce in 0..u64::from(size) {
        assert_eq!(world.control(0, &lookup(1, nonce)), Some(0));
    }
    let answers = survey(&mut world);
    assert_eq!(world.guest(0).messages().unwrap().len(), usize::from(size));
    world.kick(0, QUEUE_MSG_RX);
    let ask_a = ask(&mut world, 0);
    tell(&mut world, 0, &ask_a, 0, &[]);
    assert!(answers.try_recv().unwrap()[&A].complete);
}

#[test]
fn a_guest_that_ends_is_not_waited_for() {
    let mut world = World::new(&[A]);
    let answers = survey(&mut world);
    let (_, id, session) = world.guests[0];
    world.fabric.disconnect(id, session);
    assert!(answers.try_recv().unwrap().is_empty());
}
