//! Orders for guests.

use super::*;
use crate::directory::Token;
use crate::frame::order;
use crate::switch::{Order, OrderError, OrderKind, Ordered};
use std::num::NonZeroU64;

const START: Order = Order {
    dcid: 0,
    number: 5,
    kind: OrderKind::Start,
};

impl World {
    /// What a VM is ordered: id, number, what.
    fn orders(&mut self, vm: u32) -> Vec<(u64, i32, u64)> {
        self.settle();
        let frames = self.take_frames(vm);
        let orders = frames.iter().filter(|it| it.kind == kind::ORDER);
        let fields = |it: &Frame| (it.op.get(), it.dst_ep.get(), it.arg.get());
        orders.map(fields).collect()
    }

    /// What orders have come to since.
    fn ordered(&mut self) -> Vec<(u64, Ordered)> {
        self.settle();
        let others = self.others.drain(..);
        let ordered = others.filter_map(|action| match action {
            Action::Ordered(id, ordered) => Some((id, ordered)),
            _ => None,
        });
        ordered.collect()
    }

    fn answer_order(&mut self, vm: u32, id: u64, result: i32, token: u64) -> Result<(), Drop> {
        let frame = Frame {
            dst_vm: VM_NODE.into(),
            dst_inc: 0.into(),
            op: id.into(),
            result: result.into(),
            arg: token.into(),
            ..self.frame(kind::ORDERED, vm, vm)
        };
        match self.send(vm, &frame) {
            Verdict::Tell => self.switch.told(self.port(vm), &frame, &[]),
            other => panic!("{other:?}"),
        }
    }
}

fn token(number: u64) -> Ordered {
    Ok(NonZeroU64::new(number).map(Token))
}

#[test]
fn a_guest_is_ordered_and_answers() {
    let mut world = World::new();
    world.bind(1, 5);
    world.bind(4, 5);
    let commit = OrderKind::Commit { vm: 3 };
    let far = Order {
        dcid: 1,
        kind: commit,
        ..START
    };
    world.switch.order(77, START);
    world.switch.order(78, far);
    assert_eq!(world.orders(1), [(77, 5, order::START)]);
    assert_eq!(world.orders(4), [(78, 5, order::COMMIT | 3 << 32)]);
    assert_eq!(world.ordered(), []);
    assert_eq!(world.answer_order(1, 77, result::OK, 77), Ok(()));
    assert_eq!(world.answer_order(4, 78, result::EPROCSTS, 0), Ok(()));
    let refused = Err(OrderError::Refused(result::EPROCSTS));
    assert_eq!(world.ordered(), [(77, token(77)), (78, refused)]);
}

#[test]
fn an_answer_counts_once_and_from_whom_was_asked() {
    let mut world = World::new();
    world.bind(1, 5);
    assert_eq!(world.answer_order(1, 77, 0, 0), Err(Drop::NotAsked));
    world.switch.order(77, START);
    assert_eq!(world.answer_order(2, 77, 0, 9), Err(Drop::NotAsked));
    assert_eq!(world.answer_order(1, 77, 0, 0), Ok(()));
    assert_eq!(world.answer_order(1, 77, 0, 0), Err(Drop::NotAsked));
    assert_eq!(world.ordered(), [(77, token(0))]);
    let mut frame = world.frame(kind::ORDERED, 1, 1);
    assert_eq!(world.send(1, &frame), Verdict::Drop(Drop::NotAsked));
    (frame.dst_vm, frame.len) = (VM_NODE.into(), 8.into());
    world.switch.order(0, START);
    assert_eq!(
        world.switch.told(world.port(1), &frame, &[0; 8]),
        Err(Drop::NotAsked)
    );
}

#[test]
fn what_cannot_be_ordered_is_said_at_once() {
    let mut world = World::new();
    world.bind(1, 5);
    world.bind(2, 6);
    let other = |dcid, number| Order {
        dcid,
        number,
        ..START
    };
    world.switch.order(1, other(1, 5));
    world.switch.order(2, other(0, 7));
    world.switch.stopped(world.port(2));
    world.switch.order(3, other(0, 6));
    let not_bound = |dcid, number| Err(OrderError::NotBound { dcid, number });
    let refused = [
        (1, not_bound(1, 5)),
        (2, not_bound(0, 7)),
        (3, Err(OrderError::NotRunning(2))),
    ];
    assert_eq!(world.ordered(), refused);
    for id in 10..15 {
        world.switch.order(id, START);
    }
    assert_eq!(world.ordered(), [(14, Err(OrderError::Busy(1)))]);
    world.switch.forget_order(10);
    world.switch.order(15, START);
    assert_eq!(world.ordered(), []);
    assert_eq!(world.answer_order(1, 10, 0, 0), Err(Drop::NotAsked));
}

#[test]
fn one_that_takes_too_long_is_given_up_by_its_guest() {
    let mut world = World::new();
    world.bind(1, 5);
    world.switch.order(77, START);
    world.switch.cancel_order(77);
    world.switch.cancel_order(78);
    let said = [(77, 5, order::START), (77, 0, order::CANCEL)];
    assert_eq!(world.orders(1), said);
    let late = world.answer_order(1, 77, result::ETIMEDOUT, 0);
    assert_eq!(late, Ok(()));
    let refused = Err(OrderError::Refused(result::ETIMEDOUT));
    assert_eq!(world.ordered(), [(77, refused)]);
}

#[test]
fn the_end_of_a_life_is_the_end_of_its_orders() {
    let mut world = World::new();
    world.bind(1, 5);
    world.bind(2, 6);
    world.switch.order(77, START);
    let six = Order { number: 6, ..START };
    world.switch.order(78, six);
    world.switch.reset(world.port(1));
    assert_eq!(world.ordered(), [(77, Err(OrderError::Gone(1)))]);
    world.switch.detach(world.port(2));
    assert_eq!(world.ordered(), [(78, Err(OrderError::Gone(2)))]);
}

#[test]
fn an_order_waits_for_room() {
    let mut world = World::new();
    world.bind(1, 5);
    let one = world.port(1);
    for id in 1..=3 {
        world.switch.order(id, START);
    }
    world.settle();
    for frame in world.take_frames(1) {
        world.switch.node_frame_lost(one, &frame);
    }
    world.switch.forget_order(2);
    assert!(world.switch.wants_room(one, Class::Message));
    world.switch.room(one, Class::Message);
    let again = [(1, 5, order::START), (3, 5, order::START)];
    assert_eq!(world.orders(1), again);
    assert!(!world.switch.wants_room(one, Class::Message));
}

#[test]
fn no_room_for_long_costs_no_memory() {
    let mut world = World::new();
    world.bind(1, 5);
    let one = world.port(1);
    for id in 1..=1000 {
        world.switch.order(id, START);
        world.switch.cancel_order(id);
        world.settle();
        for frame in world.take_frames(1) {
            world.switch.node_frame_lost(one, &frame);
        }
        world.switch.forget_order(id);
        let kept = world.switch.port(one).unwrap().owed_orders.len();
        assert!(kept <= 8, "{kept}");
    }
}
