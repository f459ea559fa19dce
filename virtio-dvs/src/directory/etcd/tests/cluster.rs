//! VMs and endpoints of several nodes.

use super::support::*;
use crate::directory::{
    Answer, BoundRecord, Directory, DirectoryError, Endpoint, Location, NodeId, Owner, Request,
    Seen,
};
use crate::privileges::Privileges;
use crate::vm::{DcAttributes, VmAttributes};

const RIGHTS: Privileges = Privileges {
    calls: 1 << 40 | 3,
    ipc_to: u64::MAX - 1,
    level: 1,
};

#[test]
fn an_endpoint_has_one_owner() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let (first, second) = (one.boot(1), two.boot(2));
    let generation = one.bind(first, 5).unwrap();
    assert_eq!(one.bind(first, 5), Ok(generation));
    let taken = two.bind(second, 5).unwrap_err();
    assert_eq!(taken.to_string(), "endpoint 5 of DC 0 is bound by VM 1");
    let found = two.lookup(5).unwrap();
    assert_eq!((found.owner(), found.generation), (first, generation));
    let location = Location {
        incarnation: first.incarnation,
        node: NodeId(1),
        epoch: 1,
        dcid: 0,
    };
    assert_eq!(found.location, location);
    assert_eq!(one.lookup(5), Some(found));
    let unbind = |owner, generation| Request::Unbind {
        endpoint: endpoint(5),
        owner,
        generation,
    };
    let not_bound = Answer::Unbound(Err(DirectoryError::NotBound(endpoint(5))));
    assert_eq!(two.ask(unbind(second, 0)), not_bound);
    assert_eq!(one.ask(unbind(first, generation + 1)), not_bound);
    assert_eq!(one.ask(unbind(first, generation)), Answer::Unbound(Ok(())));
    assert_eq!(one.ask(unbind(first, 0)), not_bound);
    assert_eq!(one.lookup(5), None);
    assert!(two.bind(second, 5).unwrap() > generation);
}

#[test]
fn nodes_compete_for_endpoints() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let (first, second) = (one.boot(1), two.boot(2));
    let bind = |owner, number| Request::Bind {
        endpoint: endpoint(number),
        owner,
        nonce: 9,
    };
    let ids: Vec<_> = (0..50)
        .map(|number| {
            (
                one.submit(bind(first, number)),
                two.submit(bind(second, number)),
            )
        })
        .collect();
    for (number, (left, right)) in (0..).zip(ids) {
        let winner = match (one.answer(left), two.answer(right)) {
            (Answer::Bound(Ok(1)), Answer::Bound(Err(_))) => first,
            (Answer::Bound(Err(_)), Answer::Bound(Ok(1))) => second,
            other => panic!("{other:?}"),
        };
        assert_eq!(one.lookup(number).map(|it| it.owner()), Some(winner));
    }
}

#[test]
fn a_life_that_is_over_holds_nothing() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let (first, other) = (one.boot(1), two.boot(2));
    let generation = one.bind(first, 5).unwrap();
    one.bind(first, 6).unwrap();
    assert_eq!(one.end(first), Ok(()));
    assert_eq!(one.end(first), Err(DirectoryError::LifeOver(first)));
    assert_eq!(two.lookup(5), None);
    assert_eq!(one.bind(first, 7), Err(DirectoryError::LifeOver(first)));
    assert_eq!(two.bind(other, 5), Ok(generation + 1));
    let second = one.begin(1);
    assert_eq!(second.incarnation, first.incarnation + 1);
    // The number that is said to be the same after a life is not.
    assert_eq!(one.bind(second, 6), Ok(2));
    // A late end of the first life does not hurt the second.
    assert_eq!(one.end(first), Err(DirectoryError::LifeOver(first)));
    assert_eq!(two.lookup(6).map(|it| it.owner()), Some(second));
    // A life that goes on is over with the next one.
    let third = one.begin(1);
    assert_eq!(two.lookup(6), None);
    let lives = two.locate(1);
    assert_eq!(lives.last, third.incarnation);
    assert_eq!(lives.current.map(|it| it.epoch), Some(3));
}

#[test]
fn numbers_go_on_when_a_vm_has_left() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let first = one.boot(1);
    one.bind(first, 5).unwrap();
    let elsewhere = Answer::Joined(Err(DirectoryError::Elsewhere {
        vm: 1,
        node: NodeId(1),
    }));
    let join = || Request::Join(VmAttributes::new(1, 0));
    assert_eq!(two.ask(join()), elsewhere);
    let in_use = Answer::Joined(Err(DirectoryError::VmInUse(1)));
    assert_eq!(one.ask(join()), in_use);
    let no_vm = Answer::Done(Err(DirectoryError::NoVm(1)));
    assert_eq!(two.ask(Request::Leave { vm: 1 }), no_vm);
    assert_eq!(one.ask(Request::Leave { vm: 1 }), Answer::Done(Ok(())));
    assert_eq!(one.ask(Request::Leave { vm: 1 }), no_vm);
    assert_eq!(
        one.ask(Request::Begin { vm: 1 }),
        Answer::Begun(Err(DirectoryError::NoVm(1)))
    );
    let second = two.boot(1);
    assert_eq!(second.incarnation, first.incarnation + 1);
    assert_eq!(two.bind(second, 5), Ok(2));
    assert_eq!(
        one.locate(1).current.map(|it| (it.node, it.epoch)),
        Some((NodeId(2), 2))
    );
}

#[test]
fn the_last_vm_takes_its_dc_along() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let dc = |name: &str| DcAttributes {
        name: name.to_owned(),
        ..DcAttributes::default()
    };
    let attributes = |vm, dc| VmAttributes {
        dc,
        ..VmAttributes::new(vm, 7)
    };
    let red = one.ask(Request::Join(attributes(1, Some(dc("red")))));
    assert_eq!(red, Answer::Joined(Ok(dc("red"))));
    let blue = two.ask(Request::Join(attributes(2, Some(dc("blue")))));
    assert!(matches!(
        blue,
        Answer::Joined(Err(DirectoryError::DcDiffers { dcid: 7, .. }))
    ));
    let any = two.ask(Request::Join(attributes(2, None)));
    assert_eq!(any, Answer::Joined(Ok(dc("red"))));
    one.ask(Request::Leave { vm: 1 });
    assert!(server.get("dcs/7").is_some());
    two.ask(Request::Leave { vm: 2 });
    assert_eq!(server.get("dcs/7"), None);
    let blue = two.ask(Request::Join(attributes(2, Some(dc("blue")))));
    assert_eq!(blue, Answer::Joined(Ok(dc("blue"))));
}

#[test]
fn a_node_that_starts_again_knows_its_vms() {
    let server = Server::start();
    let mut node = Node::start(&server, 1);
    let owner = node.boot(1);
    node.join(2);
    let dcid = 9;
    node.ask(Request::Join(VmAttributes::new(3, dcid)));
    node.ask(Request::Leave { vm: 3 });
    assert_eq!(node.ask(Request::Driving(owner)), Answer::Done(Ok(())));
    for number in [5, -3, 8] {
        node.bind(owner, number).unwrap();
    }
    let privilege = Request::Privilege {
        endpoint: endpoint(5),
        owner,
        generation: 1,
        privileges: RIGHTS,
    };
    assert_eq!(node.ask(privilege), Answer::Privileged(Ok(1)));
    let unbind = Request::Unbind {
        endpoint: endpoint(8),
        owner,
        generation: 0,
    };
    node.ask(unbind);
    drop(node);
    let mut node = Node::start(&server, 1);
    let records = node.directory.records();
    assert_eq!(records.len(), 2);
    let of = |vm| move |it: &&Seen| it.record.attributes.vm == vm;
    let record = &records.iter().find(of(1)).unwrap().record;
    assert_eq!(record.attributes, VmAttributes::new(1, 0));
    assert_eq!(
        record.life.map(|it| it.incarnation),
        Some(owner.incarnation)
    );
    assert!(record.driving);
    let bound = |number, privileges| BoundRecord {
        number,
        generation: 1,
        nonce: 9,
        privileges,
        offered: false,
    };
    assert_eq!(record.endpoints, [bound(-3, None), bound(5, Some(RIGHTS))]);
    let idle = &records.iter().find(of(2)).unwrap().record;
    assert_eq!((idle.life, idle.driving), (None, false));
    assert_eq!(node.bind(owner, 5), Ok(1));
}

#[test]
fn privileges_are_of_a_binding() {
    let server = Server::start();
    let mut node = Node::start(&server, 1);
    let owner = node.boot(1);
    node.bind(owner, 5).unwrap();
    let privilege = |owner, generation| Request::Privilege {
        endpoint: endpoint(5),
        owner,
        generation,
        privileges: RIGHTS,
    };
    let not_bound = Answer::Privileged(Err(DirectoryError::NotBound(endpoint(5))));
    assert_eq!(node.ask(privilege(owner, 0)), Answer::Privileged(Ok(1)));
    assert_eq!(node.ask(privilege(owner, 2)), not_bound);
    let other = Owner { vm: 2, ..owner };
    assert_eq!(node.ask(privilege(other, 0)), not_bound);
    node.end(owner).unwrap();
    assert_eq!(node.ask(privilege(owner, 0)), not_bound);
}

#[test]
fn many_requests_are_under_way_at_once_and_in_order_for_each_vm() {
    let server = Server::start();
    let mut node = Node::start(&server, 1);
    let vms = 1..=100;
    let mut ids = Vec::new();
    for vm in vms.clone() {
        node.submit(Request::Join(VmAttributes::new(vm, vm)));
        node.submit(Request::Begin { vm });
        let owner = Owner { vm, incarnation: 1 };
        node.submit(Request::Driving(owner));
        let endpoint = Endpoint {
            dcid: vm,
            number: 5,
        };
        let bind = Request::Bind {
            endpoint,
            owner,
            nonce: 1,
        };
        ids.push((
            endpoint,
            node.submit(bind),
            node.submit(Request::End(owner)),
        ));
    }
    for (endpoint, bound, ended) in ids {
        assert_eq!(node.answer(bound), Answer::Bound(Ok(1)));
        assert_eq!(node.answer(ended), Answer::Done(Ok(())));
        let found = node.ask(Request::Lookup { endpoint });
        assert_eq!(found, Answer::Found(None));
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    let server = Server::start();
    let mut node = Node::start(&server, 1);
    let owner = node.boot(1);
    let large = format!("{{\"vm\": 1{}}}", " ".repeat(70_000));
    for (key, value) in [
        ("endpoints/0/5", "{"),
        ("endpoints/0/6", large.as_str()),
        ("endpoints/0/7", "{\"vm\":\"x\"}"),
        ("vms/2", "[]"),
        ("nodes/9", "nobody"),
        ("nodes/x", "nobody"),
    ] {
        server.put(key, value);
    }
    for number in 5..=7 {
        let error = node.bind(owner, number).unwrap_err().to_string();
        assert!(error.contains(&format!("endpoints/0/{number}")), "{error}");
        assert_eq!(node.lookup(number), None);
    }
    let joined = node.ask(Request::Join(VmAttributes::new(2, 0)));
    assert!(matches!(
        joined,
        Answer::Joined(Err(DirectoryError::Broken(_)))
    ));
    assert_eq!(node.locate(2).current, None);
    // A newer node may have added fields.
    let newer = server
        .get("vms/1")
        .unwrap()
        .replacen('{', "{\"colour\":\"red\",", 3);
    server.put("vms/1", &newer);
    assert_eq!(node.bind(owner, 8), Ok(1));
}
