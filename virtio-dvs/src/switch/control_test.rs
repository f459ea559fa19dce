use super::*;

#[test]
fn control_requests_are_checked() {
    let mut world = World::new();
    let port = world.port(1);
    let mut status = |change: fn(&mut ControlRequest)| {
        let mut request = bind(1, 1);
        change(&mut request);
        world.switch.control(port, &request)
    };
    assert_eq!(status(|it| it.op = 9.into()), ControlStatus::Unsupported);
    assert_eq!(status(|it| it.flags = 1.into()), ControlStatus::Malformed);
    assert_eq!(
        status(|it| it.reserved[1] = 1.into()),
        ControlStatus::Malformed
    );
    // Fields of PRIVILEGE are for PRIVILEGE alone.
    assert_eq!(status(|it| it.calls = 1.into()), ControlStatus::Malformed);
    assert_eq!(status(|it| it.ipc_to = 1.into()), ControlStatus::Malformed);
    assert_eq!(status(|it| it.level = 1.into()), ControlStatus::Malformed);
    assert_eq!(
        status(|it| it.reserved0 = 1.into()),
        ControlStatus::Malformed
    );
    for endpoint in [-35, 221, i32::MIN, i32::MAX, 31438, 27342, 35534] {
        let bound = world.control(1, &bind(endpoint, 1))[0];
        assert_eq!(bound.result.get(), result::ERANGE, "{endpoint}");
        let found = world.control(1, &lookup(endpoint, 1))[0];
        assert_eq!(found.result.get(), result::EDSTDIED, "{endpoint}");
    }
    for endpoint in [-34, 0, 220] {
        world.bind(1, endpoint);
    }
    let unbound = world.control(1, &unbind(0, 99, 3))[0];
    assert_eq!(unbound.result.get(), result::ENOTBIND);
    assert_eq!(world.switch.endpoints(port).count(), 3);
}

#[test]
fn numbers_belong_to_their_dc() {
    let mut world = World::new();
    let here = world.bind(1, 5);
    let there = world.bind(4, 5);
    assert_ne!(here, there);
    let found = world.control(4, &lookup(5, 1))[0];
    let owner = vm_and_incarnation(4, world.incarnation(4));
    assert_eq!((found.dst_gen.get(), found.arg.get()), (there, owner));
}

#[test]
fn a_slow_directory_owes_no_more_than_it_may() {
    let mut world = World::new();
    let port = world.port(1);
    for nonce in 0..control::ASKED_MAX {
        let status = world.switch.control(port, &lookup(5, nonce as u64));
        assert_eq!(status, ControlStatus::Accepted);
    }
    for nonce in 0..1000 {
        let status = world.switch.control(port, &lookup(5, nonce));
        assert_eq!(status, ControlStatus::Busy);
    }
    world.settle();
    let said = world.take_said(1);
    assert_eq!(said.len(), control::ASKED_MAX + 1);
    assert_eq!(said.iter().filter(|it| **it == (kind::RETRY, 0)).count(), 1);
    assert_eq!(world.control(1, &lookup(5, 1)).len(), 1);
}

#[test]
fn answers_for_a_life_that_is_over_are_for_nobody() {
    let mut world = World::new();
    let port = world.port(1);
    assert_eq!(
        world.switch.control(port, &bind(5, 1)),
        ControlStatus::Accepted
    );
    world.switch.reset(port);
    world.settle();
    assert_eq!(world.take_said(1), []);
    assert_eq!(world.switch.endpoints(port).count(), 0);
    world.said.clear();
    // The end of that life has freed it.
    world.bind(2, 5);
}

#[test]
fn limits_of_a_vm() {
    let mut world = World::empty();
    let mut attributes = VmAttributes::new(1, 0);
    attributes.limits.max_endpoints = 2;
    attributes.limits.max_peers = 1;
    world.add(attributes);
    world.add(VmAttributes::new(2, 0));
    world.add(VmAttributes::new(3, 0));
    world.bind(1, 1);
    world.bind(1, 2);
    let bound = world.control(1, &bind(3, 1))[0];
    assert_eq!(bound.result.get(), result::EALLOCMEM);
    let generation = world.bind(1, 2);
    world.control(1, &unbind(2, generation, 1));
    world.bind(1, 3);
    let (two, three) = (world.frame(kind::RPL, 1, 2), world.frame(kind::RPL, 1, 3));
    let refusal = world.frame(kind::REFUSED, 1, 3);
    assert_eq!(world.send(1, &two), Verdict::Deliver(world.port(2)));
    assert_eq!(world.send(1, &three), Verdict::Drop(Drop::PeerLimit));
    assert_eq!(world.send(1, &refusal), Verdict::Deliver(world.port(3)));
    world.switch.disconnected(world.port(2));
    world.settle();
    assert_eq!(world.send(1, &three), Verdict::Deliver(world.port(3)));
}

#[test]
fn unbind_in_any_generation() {
    let mut world = World::new();
    let port = world.port(1);
    world.bind(1, 5);
    let unbound = world.control(1, &unbind(5, 0, 2))[0];
    assert_eq!(unbound.result.get(), result::OK);
    assert_eq!(world.switch.endpoints(port).count(), 0);
    let again = world.control(1, &unbind(5, 0, 3))[0];
    assert_eq!(again.result.get(), result::ENOTBIND);
    // What another VM has bound is none of this one's.
    world.bind(2, 5);
    let not_his = world.control(1, &unbind(5, 0, 4))[0];
    assert_eq!(not_his.result.get(), result::ENOTBIND);
    assert_eq!(world.switch.endpoints(world.port(2)).count(), 1);
    // A bind on its way to the directory is meant as well.
    for request in [bind(6, 5), unbind(6, 0, 6)] {
        let status = world.switch.control(port, &request);
        assert_eq!(status, ControlStatus::Accepted);
    }
    world.settle();
    let results: Vec<_> = world
        .take_frames(1)
        .iter()
        .map(|it| it.result.get())
        .collect();
    assert_eq!(results, [result::OK, result::OK]);
    assert_eq!(world.switch.endpoints(port).count(), 0);
    assert_eq!(world.control(2, &bind(6, 7))[0].result.get(), result::OK);
}

#[test]
fn a_bind_that_was_asked_twice_does_not_outlive_its_unbind() {
    let mut world = World::new();
    let port = world.port(1);
    let mut asked = Vec::new();
    let mut ask = |world: &mut World, request: &ControlRequest| {
        let status = world.switch.control(port, request);
        assert_eq!(status, ControlStatus::Accepted);
        while let Some(action) = world.switch.next_action() {
            if let Action::Ask(id, _) = action {
                asked.push(id);
            }
        }
        asked.clone()
    };
    ask(&mut world, &bind(5, 1));
    let asked_twice = ask(&mut world, &bind(5, 1));
    world.switch.answer(asked_twice[0], Answer::Bound(Ok(7)));
    ask(&mut world, &unbind(5, 7, 2));
    world.switch.answer(asked_twice[1], Answer::Bound(Ok(7)));
    // Before the directory has answered nobody may say that it is free.
    assert_eq!(ask(&mut world, &unbind(5, 7, 4)).len(), 4);
    assert_eq!(world.switch.endpoints(port).count(), 0);
    // Whoever binds it next is asked for, not refused.
    assert_eq!(ask(&mut world, &bind(5, 3)).len(), 5);
}
