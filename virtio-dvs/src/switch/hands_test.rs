//! Endpoints that change hands.

use super::*;
use crate::privileges::{CALLS_SERVER, LEVEL_SERVER, Privileges};
use crate::testing::{await_bound, offer, privilege, take};

const TOKEN: u64 = 0xfeed;

impl World {
    fn offer(&mut self, vm: u32, generation: u32, token: u64) -> i32 {
        let said = self.control(vm, &offer(20, generation, token, 7))[0];
        assert_eq!(said.kind, kind::OFFERED);
        said.result.get()
    }

    fn take(&mut self, vm: u32, generation: u32, token: u64) -> Frame {
        let said = self.control(vm, &take(20, generation, token, u64::from(vm) + 100))[0];
        assert_eq!((said.kind, said.dst_ep.get()), (kind::BOUND, 20));
        said
    }

    fn may_send(&mut self, vm: u32, generation: u32) -> bool {
        let to = if vm == 3 { 1 } else { 3 };
        let mut frame = self.frame(kind::MSG, vm, to);
        (frame.src_ep, frame.src_gen) = (20.into(), generation.into());
        frame.dst_ep = 7.into();
        let verdict = self.send(vm, &frame);
        verdict == Verdict::Deliver(self.port(to))
    }
}

#[test]
fn what_is_offered_is_taken_as_it_is() {
    let mut world = World::new();
    let generation = world.bind(1, 20);
    assert!(world.may_send(1, generation));
    assert_eq!(world.offer(1, generation, TOKEN), result::OK);
    assert!(!world.may_send(1, generation), "it is offered");
    let wrong = world.take(2, generation, TOKEN + 1);
    assert_eq!(wrong.result.get(), result::ENOTBIND);
    let stale = world.take(2, generation + 1, TOKEN);
    assert_eq!(stale.result.get(), result::ENOTBIND);
    let taken = world.take(2, generation, TOKEN);
    assert_eq!(taken.result.get(), result::OK);
    assert_eq!(taken.dst_gen.get(), generation);
    assert_eq!(taken.arg.get(), CALLS_SERVER);
    assert_eq!(taken.bulk_ack.get(), u32::MAX);
    assert_eq!(taken.src_gen.get(), LEVEL_SERVER);
    assert!(world.may_send(2, generation) && !world.may_send(1, generation));
    let again = world.take(3, generation, TOKEN);
    assert_eq!(again.result.get(), result::ENOTBIND, "once only");
    let found = world.control(3, &lookup(20, 9))[0];
    let arg = vm_and_incarnation(2, world.incarnation(2));
    assert_eq!((found.arg.get(), found.dst_gen.get()), (arg, generation));
}

#[test]
fn who_has_offered_it_goes_back_only_if_nobody_took_it() {
    let mut world = World::new();
    let generation = world.bind(1, 20);
    assert_eq!(world.offer(1, generation, TOKEN), result::OK);
    assert_eq!(world.offer(1, generation, 0), result::OK);
    assert!(world.may_send(1, generation));
    let late = world.take(2, generation, TOKEN);
    assert_eq!(late.result.get(), result::ENOTBIND);
    assert_eq!(world.offer(1, generation, TOKEN), result::OK);
    world.take(2, generation, TOKEN);
    assert_eq!(world.offer(1, generation, 0), result::ENOTBIND);
    let unbound = world.control(1, &unbind(20, generation, 9))[0];
    assert_eq!(unbound.result.get(), result::ENOTBIND);
    assert!(world.may_send(2, generation), "that was nothing to it");
    // And back again.
    assert_eq!(world.offer(2, generation, TOKEN), result::OK);
    assert_eq!(world.take(1, generation, TOKEN).result.get(), result::OK);
    assert!(world.may_send(1, generation) && !world.may_send(2, generation));
}

#[test]
fn the_same_take_again_is_the_same() {
    let mut world = World::new();
    let generation = world.bind(1, 20);
    world.offer(1, generation, TOKEN);
    let request = take(20, generation, TOKEN, 9);
    let first = world.control(2, &request)[0];
    assert_eq!(world.control(2, &request)[0], first);
    assert_eq!(first.result.get(), result::OK);
}

#[test]
fn privileges_go_along() {
    let mut world = World::empty();
    for vm in 1..=3 {
        let admin = vm == 1;
        world.add(VmAttributes {
            admin,
            ..VmAttributes::new(vm, 0)
        });
    }
    let generation = world.bind(1, 20);
    let less = Privileges {
        calls: 1 << crate::privileges::call::SEND,
        ipc_to: 0x1234_5678_9abc_def0,
        level: LEVEL_SERVER,
    };
    world.control(1, &privilege(20, generation, &less, 9));
    world.offer(1, generation, TOKEN);
    let taken = world.take(2, generation, TOKEN);
    assert_eq!(taken.arg.get(), less.calls);
    assert_eq!(taken.bulk_ack.get(), 0x9abc_def0);
    assert_eq!(taken.bulk_credit.get(), 0x1234_5678);
    let views: Vec<_> = world.switch.endpoints(world.port(2)).collect();
    assert_eq!(views[0].privileges, less);
}

#[test]
fn others_can_neither_offer_nor_take() {
    let mut world = World::new();
    let generation = world.bind(1, 20);
    assert_eq!(world.offer(2, generation, TOKEN), result::ENOTBIND);
    assert_eq!(
        world.take(2, generation, TOKEN).result.get(),
        result::ENOTBIND
    );
    world.offer(1, generation, TOKEN);
    // VM 4 is of another DC: its number 20 is another one.
    let other = world.take(4, generation, TOKEN);
    assert_eq!(other.result.get(), result::ENOTBIND);
    let port = world.port(2);
    let status = world.switch.control(port, &take(20, generation, 0, 9));
    assert_eq!(status, ControlStatus::Malformed);
}

#[test]
fn an_offer_ends_with_the_life() {
    let mut world = World::new();
    let generation = world.bind(1, 20);
    world.offer(1, generation, TOKEN);
    let awaiting = world.control(3, &await_bound(20, 9));
    assert_eq!(awaiting.len(), 1, "it is bound all the time");
    world.switch.reset(world.port(1));
    world.settle();
    assert_eq!(
        world.take(2, generation, TOKEN).result.get(),
        result::ENOTBIND
    );
}

#[test]
fn a_limit_holds() {
    let mut world = World::empty();
    world.add(VmAttributes::new(1, 0));
    let mut small = VmAttributes::new(2, 0);
    small.limits.max_endpoints = 1;
    world.add(small);
    let generation = world.bind(1, 20);
    world.bind(2, 21);
    world.offer(1, generation, TOKEN);
    assert_eq!(
        world.take(2, generation, TOKEN).result.get(),
        result::EALLOCMEM
    );
    assert_eq!(world.offer(1, generation, 0), result::OK);
}
