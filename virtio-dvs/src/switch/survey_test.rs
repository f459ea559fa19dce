//! Asking guests about their endpoints.

use super::*;
use crate::frame::EndpointState;
use zerocopy::IntoBytes;

fn state(nr: i32, generation: u32, queued: u32) -> EndpointState {
    EndpointState {
        nr: nr.into(),
        generation: generation.into(),
        queued: queued.into(),
        ..EndpointState::new_zeroed()
    }
}

impl World {
    /// What a VM is asked: nonce and place.
    fn asked(&mut self, vm: u32) -> Vec<(u64, u64)> {
        self.settle();
        let frames = self.take_frames(vm);
        let asks = frames.iter().filter(|it| it.kind == kind::ASK);
        asks.map(|it| (it.op.get(), it.arg.get())).collect()
    }

    fn tell(
        &mut self,
        vm: u32,
        nonce: u64,
        next: u64,
        records: &[EndpointState],
    ) -> Result<(), Drop> {
        let payload = records.as_bytes();
        let frame = Frame {
            dst_vm: VM_NODE.into(),
            dst_inc: 0.into(),
            len: u32::try_from(payload.len()).unwrap().into(),
            op: nonce.into(),
            arg: next.into(),
            ..self.frame(kind::TELL, vm, vm)
        };
        match self.send(vm, &frame) {
            Verdict::Tell => self.switch.told(self.port(vm), &frame, payload),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn all_guests_tell_all_of_their_endpoints() {
    let mut world = World::new();
    world.switch.stopped(world.port(3));
    let generations: Vec<u32> = (0..9).map(|endpoint| world.bind(1, endpoint)).collect();
    world.bind(2, 20);
    assert!(world.switch.survey_is_over());
    world.switch.survey();
    let (nonce, place) = world.asked(1)[0];
    assert_eq!(place, 0);
    assert_eq!(world.asked(2), [(nonce, 0)]);
    assert_eq!(world.asked(3), [], "it does not run");
    assert_eq!(world.asked(4), [(nonce, 0)]);
    let numbered = generations.iter().zip(0i32..);
    let records: Vec<_> = numbered
        .map(|(generation, nr)| state(nr, *generation, nr.unsigned_abs()))
        .collect();
    assert_eq!(world.tell(1, nonce, 40, &records[..6]), Ok(()));
    assert_eq!(world.asked(1), [(nonce, 40)]);
    assert_eq!(world.tell(1, nonce, 0, &records[6..]), Ok(()));
    assert_eq!(world.asked(1), []);
    assert!(!world.switch.survey_is_over());
    assert_eq!(world.tell(4, nonce, 0, &[]), Ok(()));
    // Not its endpoint, and not this generation.
    let false_ones = [state(3, generations[3], 1), state(20, 9999, 1)];
    assert_eq!(world.tell(2, nonce, 0, &false_ones), Ok(()));
    assert!(world.switch.survey_is_over());
    let told = world.switch.end_survey();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), [1, 2, 4]);
    assert!(told.values().all(|it| it.complete));
    assert_eq!(told[&1].states.len(), 9);
    assert_eq!(told[&1].states[&8], records[8]);
    assert!(told[&2].states.is_empty() && told[&4].states.is_empty());
    assert!(world.switch.end_survey().is_empty());
}

#[test]
fn nobody_tells_what_was_not_asked() {
    let mut world = World::new();
    world.bind(1, 5);
    let refused = Err(Drop::NotAsked);
    assert_eq!(world.tell(1, 0, 0, &[]), refused);
    world.switch.survey();
    let (nonce, _) = world.asked(1)[0];
    assert_eq!(world.tell(1, nonce + 1, 0, &[]), refused);
    assert_eq!(world.tell(1, nonce, 0, &[]), Ok(()));
    assert_eq!(world.tell(1, nonce, 0, &[]), refused, "it has told all");
    // Between VMs it means nothing.
    let to_other = world.frame(kind::TELL, 1, 2);
    assert_eq!(world.send(1, &to_other), Verdict::Drop(Drop::NotAsked));
    // An older survey's answer is not the newer one's.
    world.switch.survey();
    assert_eq!(world.tell(2, nonce, 0, &[]), refused);
    assert_eq!(world.switch.end_survey().len(), 4);
    assert_eq!(world.tell(2, nonce + 1, 0, &[]), refused);
}

#[test]
fn whoever_does_not_come_to_an_end_is_not_asked_on() {
    type Tell = fn(&mut World, u64) -> Result<(), Drop>;
    let endless: [Tell; 4] = [
        |world, nonce| world.tell(1, nonce, 7, &[]),
        |world, nonce| {
            world.tell(1, nonce, 7, &[state(1, 1, 1)])?;
            world.tell(1, nonce, 7, &[state(1, 1, 1)])
        },
        |world, nonce| {
            let mut told = Ok(());
            for page in 1..=257 {
                assert_eq!(told, Ok(()));
                told = world.tell(1, nonce, page, &[state(1, 1, 1)]);
            }
            told
        },
        |world, nonce| {
            let frame = Frame {
                op: nonce.into(),
                ..world.frame(kind::TELL, 1, 1)
            };
            world.switch.told(world.port(1), &frame, &[1; 65])
        },
    ];
    for tell in endless {
        let mut world = World::new();
        world.switch.survey();
        let (nonce, _) = world.asked(1)[0];
        assert_eq!(tell(&mut world, nonce), Err(Drop::NotAsked));
        assert_eq!(world.tell(1, nonce, 0, &[]), Err(Drop::NotAsked));
        assert!(!world.switch.end_survey().contains_key(&1));
    }
}

#[test]
fn a_question_without_room_is_asked_when_there_is_some() {
    let mut world = World::new();
    let two = world.port(2);
    world.switch.survey();
    world.settle();
    let ask = world.take_frames(2)[0];
    world.switch.node_frame_lost(two, &ask);
    assert!(world.switch.wants_room(two, Class::Message));
    world.switch.room(two, Class::Message);
    world.settle();
    assert_eq!(world.take_frames(2), [ask], "and no RETRY");
    // Nobody wants to know any more.
    world.switch.node_frame_lost(two, &ask);
    world.switch.end_survey();
    world.switch.room(two, Class::Message);
    world.settle();
    assert_eq!(world.take_frames(2), []);
    assert!(!world.switch.wants_room(two, Class::Message));
}

#[test]
fn the_dead_are_not_waited_for() {
    let mut world = World::new();
    world.switch.survey();
    let (nonce, _) = world.asked(1)[0];
    for vm in [2, 3, 4] {
        assert_eq!(world.tell(vm, nonce, 0, &[]), Ok(()));
    }
    assert!(!world.switch.survey_is_over());
    world.switch.reset(world.port(1));
    world.settle();
    assert!(world.switch.survey_is_over());
    assert_eq!(world.tell(1, nonce, 0, &[]), Err(Drop::NotAsked));
    let told = world.switch.end_survey();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), [2, 3, 4]);
}
