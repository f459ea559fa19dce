//! What endpoints may do, and waiting for endpoints.

use super::*;
use crate::privileges::{CALLS_SERVER, CALLS_USER, LEVEL_SERVER, LEVEL_USER, Privileges, call};
use crate::spec::CONFIG_ADMIN;
use crate::testing::{await_bound, forget, privilege};

const NOTHING: Privileges = Privileges {
    calls: 0,
    ipc_to: 0,
    level: LEVEL_USER,
};

fn administrator(vm: u32) -> VmAttributes {
    VmAttributes {
        admin: true,
        ..VmAttributes::new(vm, 0)
    }
}

/// VM 1 administers, VM 2 does not.
fn world() -> World {
    let mut world = World::empty();
    world.add(administrator(1));
    world.add(VmAttributes::new(2, 0));
    world
}

impl World {
    /// A request from an endpoint of the first VM to one of the second.
    fn request(&self, kind: u8, from: (i32, u32), to: i32) -> Frame {
        Frame {
            src_ep: from.0.into(),
            src_gen: from.1.into(),
            dst_ep: to.into(),
            ..self.frame(kind, 1, 2)
        }
    }

    fn set(&mut self, vm: u32, endpoint: i32, generation: u32, privileges: &Privileges) -> Frame {
        self.control(vm, &privilege(endpoint, generation, privileges, 77))[0]
    }
}

#[test]
fn the_configuration_says_who_administers() {
    let mut world = world();
    world.switch = std::mem::replace(&mut world.switch, Switch::new(0)).with_nodeid(5);
    for (vm, flags) in [(1, CONFIG_ADMIN), (2, 0)] {
        let config = world.switch.config(world.port(vm)).unwrap();
        assert_eq!((config.flags.get(), config.nodeid.get()), (flags, 5));
    }
}

#[test]
fn users_reach_servers_and_nobody_else() {
    let mut world = world();
    let (user, server) = (world.bind(1, 30), world.bind(1, 29));
    let delivered = Verdict::Deliver(world.port(2));
    let denied_call = Verdict::Drop(Drop::DeniedCall);
    let denied_destination = Verdict::Drop(Drop::DeniedDestination);
    for (kind, from, to, expected) in [
        (kind::REQ, (30, user), 29, delivered),
        (kind::REQ, (30, user), 31, denied_destination),
        (kind::REQ, (30, user), 500, denied_destination),
        (kind::MSG, (30, user), 29, denied_call),
        (kind::NTF, (30, user), 29, denied_call),
        (kind::COPY_IN, (30, user), 29, denied_call),
        (kind::COPY_OUT, (30, user), 29, denied_call),
        (kind::MSG, (29, server), 31, delivered),
        (kind::COPY_IN, (29, server), 31, delivered),
        (kind::COPY_OUT, (29, server), -34, delivered),
        (kind::MSG, (29, server), -35, denied_destination),
        // What answers a request, or belongs to one, needs none.
        (kind::RPL, (30, user), 31, delivered),
        (kind::FETCH, (30, user), 31, delivered),
        (kind::CANCEL, (30, user), 31, delivered),
    ] {
        let frame = world.request(kind, from, to);
        assert_eq!(world.send(1, &frame), expected, "{kind} {from:?} {to}");
    }
}

#[test]
fn only_administrators_change_privileges_and_only_their_own() {
    let mut world = world();
    let (one, two) = (world.bind(1, 5), world.bind(2, 6));
    let results = [
        (2, 6, two, result::EPRIVILEGES),
        (1, 6, 0, result::ENOTBIND),
        (1, 6, two, result::ENOTBIND),
        (1, 5, one + 9, result::ENOTBIND),
        (1, 900, 0, result::ENOTBIND),
        (1, 5, one, result::OK),
        (1, 5, 0, result::OK),
    ];
    for (vm, endpoint, generation, expected) in results {
        let told = world.set(vm, endpoint, generation, &NOTHING);
        assert_eq!((told.kind, told.op.get()), (kind::PRIVILEGED, 77));
        assert_eq!(told.dst_ep.get(), endpoint);
        assert_eq!(told.result.get(), expected, "{vm} {endpoint} {generation}");
        let shown = if expected == result::OK {
            one
        } else {
            generation
        };
        assert_eq!(told.dst_gen.get(), shown);
    }
    let mut request = privilege(5, one, &NOTHING, 1);
    request.level = 3.into();
    let status = world.switch.control(world.port(1), &request);
    assert_eq!(status, ControlStatus::Malformed);
}

#[test]
fn privileges_end_with_the_binding() {
    let mut world = world();
    let generation = world.bind(1, 5);
    let rights = Privileges {
        calls: 1 << call::NOTIFY,
        ipc_to: 1 << (7 + 34),
        level: LEVEL_USER,
    };
    world.set(1, 5, generation, &rights);
    // A repetition of the bind gives nothing back.
    assert_eq!(world.bind(1, 5), generation);
    let frame = world.request(kind::NTF, (5, generation), 7);
    assert_eq!(world.send(1, &frame), Verdict::Deliver(world.port(2)));
    let frame = world.request(kind::NTF, (5, generation), 8);
    assert_eq!(
        world.send(1, &frame),
        Verdict::Drop(Drop::DeniedDestination)
    );
    let frame = world.request(kind::MSG, (5, generation), 7);
    assert_eq!(world.send(1, &frame), Verdict::Drop(Drop::DeniedCall));
    world.control(1, &unbind(5, generation, 3));
    let later = world.bind(1, 5);
    let view = world.switch.endpoints(world.port(1)).next().unwrap();
    let dc = DcAttributes::default();
    assert_eq!(view.privileges, Privileges::of_number(&dc, 5));
    let frame = world.request(kind::MSG, (5, later), 7);
    assert_eq!(world.send(1, &frame), Verdict::Deliver(world.port(2)));
}

#[test]
fn a_user_may_be_given_more() {
    let mut world = world();
    let generation = world.bind(1, 200);
    let rights = Privileges {
        calls: CALLS_USER | 1 << call::VCOPY,
        ipc_to: 0,
        level: LEVEL_SERVER,
    };
    world.set(1, 200, 0, &rights);
    let delivered = Verdict::Deliver(world.port(2));
    let to_user = world.request(kind::COPY_IN, (200, generation), 201);
    assert_eq!(world.send(1, &to_user), delivered);
    let to_server = world.request(kind::REQ, (200, generation), 0);
    assert_eq!(
        world.send(1, &to_server),
        Verdict::Drop(Drop::DeniedDestination)
    );
}

#[test]
fn a_denied_frame_is_answered_by_one_retry() {
    let mut world = world();
    let generation = world.bind(1, 5);
    let port = world.port(1);
    // It was under way when its endpoint lost the right to send it.
    let frame = world.request(kind::MSG, (5, generation), 7);
    world.set(1, 5, generation, &NOTHING);
    let batch = |world: &mut World| {
        for _ in 0..3 {
            assert_eq!(world.send(1, &frame), Verdict::Drop(Drop::DeniedCall));
        }
        world.switch.batch_end(port);
        world.settle();
        world.take_said(1)
    };
    assert_eq!(batch(&mut world), [(kind::RETRY, 0)]);
    assert_eq!(batch(&mut world), []);
    let nop = world.frame(kind::NOP, 1, 2);
    assert_eq!(world.send(1, &nop), Verdict::Deliver(world.port(2)));
    assert!(world.said.is_empty());
}

#[test]
fn privileges_are_there_again_with_the_node() {
    let mut world = world();
    let generation = world.bind(1, 40);
    let default = world.bind(1, 41);
    let rights = Privileges {
        calls: CALLS_SERVER,
        ipc_to: 1,
        level: LEVEL_SERVER,
    };
    world.set(1, 40, generation, &rights);
    let mut again = Switch::new(8);
    for seen in world.directory.records() {
        again.restore(seen).unwrap();
    }
    let id = again.port_of(1).unwrap();
    assert!(again.attributes(id).unwrap().admin);
    let views: Vec<_> = again.endpoints(id).collect();
    assert_eq!(views[0].privileges, rights);
    assert_eq!(views[1].generation, default);
    assert_eq!(views[1].privileges.calls, CALLS_USER);
}

#[test]
fn whoever_waits_for_an_endpoint_is_told() {
    let mut world = World::new();
    assert_eq!(world.control(1, &await_bound(5, 10)), []);
    assert_eq!(world.control(1, &await_bound(5, 11)), []);
    assert_eq!(world.control(1, &await_bound(6, 12)), []);
    assert_eq!(world.control(3, &await_bound(5, 10)), []);
    // A repetition is the same request.
    assert_eq!(world.control(1, &await_bound(5, 10)), []);
    assert_eq!(world.control(4, &await_bound(5, 1)), []);
    assert_eq!(world.control(1, &forget(11)), []);
    let generation = world.bind(2, 5);
    let owner = vm_and_incarnation(2, world.incarnation(2));
    for vm in [1, 3] {
        let found = world.take_frames(vm);
        assert_eq!(found.len(), 1, "VM {vm}");
        let found = found[0];
        assert_eq!((found.kind, found.result.get()), (kind::FOUND, result::OK));
        assert_eq!((found.op.get(), found.dst_ep.get()), (10, 5));
        assert_eq!((found.dst_gen.get(), found.arg.get()), (generation, owner));
    }
    assert!(
        world.said.is_empty(),
        "another DC has nothing to do with it"
    );
    // It is bound: told at once.
    let found = world.control(1, &await_bound(5, 13))[0];
    assert_eq!((found.op.get(), found.arg.get()), (13, owner));
    // The VM that binds it may wait for it too.
    let port = world.port(1);
    let status = world.switch.control(port, &bind(6, 20));
    assert_eq!(status, ControlStatus::Accepted);
    world.settle();
    let own = vm_and_incarnation(1, world.incarnation(1));
    let told: Vec<_> = world
        .take_frames(1)
        .iter()
        .map(|it| (it.kind, it.op.get(), it.arg.get()))
        .collect();
    assert_eq!(told, [(kind::BOUND, 20, 0), (kind::FOUND, 12, own)]);
}

#[test]
fn a_bind_that_comes_between_is_not_missed() {
    let mut world = World::new();
    let (one, two) = (world.port(1), world.port(2));
    for (port, request) in [
        (one, await_bound(5, 1)),
        (two, bind(5, 1)),
        (one, await_bound(5, 2)),
        (one, await_bound(7, 3)),
        (one, forget(3)),
        (two, bind(7, 2)),
    ] {
        let status = world.switch.control(port, &request);
        assert_eq!(status, ControlStatus::Accepted);
    }
    world.settle();
    let told = world.take_frames(1);
    let mut nonces: Vec<_> = told.iter().map(|it| it.op.get()).collect();
    nonces.sort_unstable();
    assert_eq!(nonces, [1, 2]);
}

#[test]
fn waiting_has_limits_and_ends_with_the_life() {
    let mut world = World::empty();
    let mut attributes = VmAttributes::new(1, 0);
    attributes.limits.max_endpoints = 2;
    world.add(attributes);
    world.add(VmAttributes::new(2, 0));
    for endpoint in [-35, 221, 31438] {
        let found = world.control(1, &await_bound(endpoint, 9))[0];
        assert_eq!(found.result.get(), result::ERANGE, "{endpoint}");
    }
    assert_eq!(world.control(1, &await_bound(1, 1)), []);
    assert_eq!(world.control(1, &await_bound(2, 2)), []);
    let full = world.control(1, &await_bound(3, 3))[0];
    assert_eq!((full.kind, full.op.get()), (kind::FOUND, 3));
    assert_eq!(full.result.get(), result::EALLOCMEM);
    assert_eq!(world.control(1, &await_bound(2, 2)), []);
    world.control(1, &forget(1));
    world.control(1, &forget(1));
    assert_eq!(world.control(1, &await_bound(3, 3)), []);
    world.switch.reset(world.port(1));
    world.settle();
    world.said.clear();
    for endpoint in [1, 2, 3] {
        world.bind(2, endpoint);
    }
    assert!(world.said.is_empty());
}
