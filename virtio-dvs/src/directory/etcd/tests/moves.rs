//! VMs that move between nodes.

use super::support::*;
use crate::directory::{
    Answer, Directory, DirectoryError, Interest, Lease, Lives, Location, News, NodeId, Owner,
    Place, Request, Seen, Start,
};

fn place(node: u32, epoch: u32, incarnation: u32) -> Place {
    Place {
        node: NodeId(node),
        epoch,
        incarnation,
    }
}

fn seen(answer: Answer) -> Option<Seen> {
    match answer {
        Answer::Seen(seen) => seen.unwrap().map(|it| *it),
        other => panic!("{other:?}"),
    }
}

impl Node {
    fn look(&mut self, vm: u32) -> Option<Seen> {
        seen(self.ask(Request::Look { vm }))
    }

    fn take_vm(&mut self, vm: u32, from: Place) -> Option<Seen> {
        seen(self.ask(Request::Take { vm, from }))
    }
}

#[test]
fn a_vm_moves_with_all_that_it_has() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let owner = one.boot(1);
    one.ask(Request::Driving(owner));
    let generation = one.bind(owner, 5).unwrap();
    two.locate(1);
    let from = place(1, 1, owner.incarnation);
    let before = two.look(1).unwrap();
    assert_eq!(before.place, from);
    assert!(before.record.endpoints.is_empty() && before.record.driving);

    let after = two.take_vm(1, from).unwrap();
    let here = place(2, 2, owner.incarnation);
    assert_eq!(after.place, here);
    let location = Location {
        incarnation: owner.incarnation,
        node: NodeId(2),
        epoch: 2,
        dcid: 0,
    };
    assert_eq!(after.record.life, Some(location));
    assert!(after.record.driving);
    let bound = &after.record.endpoints[0];
    assert_eq!(
        (bound.number, bound.generation, bound.nonce),
        (5, generation, 9)
    );
    // Everybody finds it there, and whoever watches is told.
    let found = one.lookup(5).unwrap();
    assert_eq!((found.location, found.generation), (location, generation));
    let lives = Lives {
        last: owner.incarnation,
        current: Some(location),
    };
    two.until(|news| *news == News::Vm { vm: 1, lives });
    // It binds there. The same bind again is the same one.
    assert_eq!(two.bind(owner, 5), Ok(generation));
    assert!(two.bind(owner, 6).is_ok());
    drop((one, two));
    // Both nodes know it after a start.
    let (one, two) = (Node::start(&server, 1), Node::start(&server, 2));
    assert!(one.directory.records().is_empty());
    let records = two.directory.records();
    assert_eq!(records[0].record.life, Some(location));
    assert_eq!(records[0].record.endpoints.len(), 2);
}

#[test]
fn who_has_looked_takes_it_in_one_round_trip() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let owner = one.boot(1);
    for number in 1..=20 {
        one.bind(owner, number).unwrap();
    }
    let from = place(1, 1, owner.incarnation);
    assert_eq!(two.look(1).unwrap().place, from);
    let before = server.asked();
    let taken = two.take_vm(1, from).unwrap();
    assert_eq!(server.asked() - before, 1);
    assert_eq!(taken.place, place(2, 2, owner.incarnation));
    let numbers: Vec<_> = taken.record.endpoints.iter().map(|it| it.number).collect();
    assert_eq!(numbers, Vec::from_iter(1..=20));
}

#[test]
fn what_has_changed_since_the_look_is_seen() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let bound = |seen: &Seen| {
        let all = seen.record.endpoints.iter();
        all.map(|it| (it.number, it.generation)).collect::<Vec<_>>()
    };
    // Its endpoints.
    let owner = one.boot(1);
    let first = one.bind(owner, 1).unwrap();
    one.bind(owner, 2).unwrap();
    let from = place(1, 1, owner.incarnation);
    two.look(1).unwrap();
    let unbind = Request::Unbind {
        endpoint: endpoint(2),
        owner,
        generation: 0,
    };
    assert_eq!(one.ask(unbind), Answer::Unbound(Ok(())));
    let third = one.bind(owner, 3).unwrap();
    let taken = two.take_vm(1, from).unwrap();
    assert_eq!(bound(&taken), [(1, first), (3, third)]);
    // Its record.
    let owner = one.boot(2);
    let from = place(1, 1, owner.incarnation);
    two.look(2).unwrap();
    one.ask(Request::Driving(owner));
    let taken = two.take_vm(2, from).unwrap();
    assert!(taken.record.driving && taken.place == place(2, 2, owner.incarnation));
    // Who has it.
    let mut three = Node::start(&server, 3);
    let owner = one.boot(3);
    let from = place(1, 1, owner.incarnation);
    two.look(3).unwrap();
    let there = three.take_vm(3, from).unwrap();
    assert_eq!(two.take_vm(3, from).unwrap().place, there.place);
    assert_eq!(two.look(3).unwrap().place, there.place);
    // Whether its life goes on.
    let owner = one.boot(4);
    one.bind(owner, 4).unwrap();
    let from = place(1, 1, owner.incarnation);
    two.look(4).unwrap();
    assert_eq!(one.end(owner), Ok(()));
    let taken = two.take_vm(4, from).unwrap();
    assert_eq!(taken.place, place(2, 2, owner.incarnation + 1));
    assert!(taken.record.endpoints.is_empty());
    // What was asked for is somewhere else than what was looked at.
    let owner = one.boot(5);
    two.look(5).unwrap();
    let from = place(1, 9, owner.incarnation);
    let there = place(1, 1, owner.incarnation);
    assert_eq!(two.take_vm(5, from).unwrap().place, there);
}

#[test]
fn one_that_has_bound_much_brings_all_of_it() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let owner = one.boot(1);
    for number in 1..=60 {
        one.bind(owner, number).unwrap();
    }
    two.look(1).unwrap();
    for number in 61..=90 {
        one.bind(owner, number).unwrap();
    }
    let from = place(1, 1, owner.incarnation);
    let taken = two.take_vm(1, from).unwrap();
    assert_eq!(taken.record.endpoints.len(), 90);
    one.look(1).unwrap();
    let back = one.take_vm(1, taken.place).unwrap();
    assert_eq!(back.record.endpoints.len(), 90);
}

#[test]
fn only_one_takes_it() {
    let server = Server::start();
    let mut nodes: Vec<Node> = (1..=3).map(|it| Node::start(&server, it)).collect();
    for vm in 1..=20 {
        let owner = nodes[0].boot(vm);
        let from = place(1, 1, owner.incarnation);
        let ids: Vec<_> = nodes
            .iter_mut()
            .map(|node| node.submit(Request::Take { vm, from }))
            .collect();
        let nodes = nodes.iter_mut().zip(ids);
        let answers: Vec<_> = nodes.map(|(node, id)| seen(node.answer(id))).collect();
        // All are told who has it.
        let places: Vec<_> = answers.into_iter().map(|it| it.unwrap().place).collect();
        assert_eq!(places[0].epoch, 2);
        assert!(places.iter().all(|it| *it == places[0]), "{places:?}");
    }
}

#[test]
fn the_same_question_has_the_same_answer() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let owner = one.boot(1);
    one.bind(owner, 5).unwrap();
    let from = place(1, 1, owner.incarnation);
    let taken = two.take_vm(1, from);
    assert_eq!(two.take_vm(1, from), taken);
    assert_eq!(
        one.take_vm(1, from).map(|it| it.place),
        taken.map(|it| it.place)
    );
    // Back, from where it is now, and by its own node.
    let back = one.take_vm(1, place(2, 2, 0)).unwrap();
    assert_eq!(back.place, place(1, 3, owner.incarnation));
    assert_eq!(back.record.endpoints.len(), 1);
    let own = one.take_vm(1, back.place).unwrap();
    assert_eq!(own.place, place(1, 4, owner.incarnation));
    assert_eq!(two.take_vm(1, from).unwrap().place, own.place);
    // What no node has nobody takes.
    assert_eq!(two.take_vm(7, from), None);
    assert_eq!(two.look(7), None);
    one.ask(Request::Leave { vm: 1 });
    assert_eq!(two.take_vm(1, own.place), None);
    assert_eq!(two.look(1), None);
}

#[test]
fn whether_it_has_run_is_in_its_record() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let owner = one.boot(1);
    let start = |node: &mut Node| node.look(1).unwrap().record.start;
    let say = |node: &mut Node, epoch, start| {
        let said = node.ask(Request::Started {
            vm: 1,
            epoch,
            start,
        });
        assert_eq!(said, Answer::Done(Ok(())));
    };
    assert_eq!(start(&mut two), Start::Made);
    say(&mut one, 1, Start::Declined);
    assert_eq!(start(&mut two), Start::Made, "it was never taken");
    let taken = two.take_vm(1, place(1, 1, owner.incarnation)).unwrap();
    assert_eq!(taken.record.start, Start::Awaited);
    // Only by the node that has it, and of this epoch.
    say(&mut one, 2, Start::Declined);
    say(&mut two, 1, Start::Declined);
    assert_eq!(start(&mut one), Start::Awaited);
    say(&mut two, 2, Start::Declined);
    say(&mut two, 2, Start::Made);
    assert_eq!(start(&mut one), Start::Declined, "for good");
    let back = one.take_vm(1, taken.place).unwrap();
    assert_eq!(back.record.start, Start::Awaited);
    drop(one);
    let mut one = Node::start(&server, 1);
    assert_eq!(one.directory.records()[0].record.start, Start::Awaited);
    say(&mut one, 3, Start::Made);
    assert_eq!(start(&mut two), Start::Made);
    // What was awaited in a life that is over is nothing any more.
    two.take_vm(1, back.place).unwrap();
    assert_eq!(two.end(owner), Ok(()));
    assert_eq!(start(&mut one), Start::Made);
}

#[test]
fn who_has_lost_it_changes_nothing() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let owner = one.boot(1);
    let generation = one.bind(owner, 5).unwrap();
    let here = two.take_vm(1, place(1, 1, owner.incarnation)).unwrap();
    let over = || DirectoryError::LifeOver(owner);
    let not_bound = || DirectoryError::NotBound(endpoint(5));
    assert_eq!(one.end(owner), Err(over()));
    let leave = one.ask(Request::Leave { vm: 1 });
    assert_eq!(leave, Answer::Done(Err(DirectoryError::NoVm(1))));
    let unbind = Request::Unbind {
        endpoint: endpoint(5),
        owner,
        generation,
    };
    assert_eq!(one.ask(unbind.clone()), Answer::Unbound(Err(not_bound())));
    let privilege = Request::Privilege {
        endpoint: endpoint(5),
        owner,
        generation,
        privileges: crate::privileges::Privileges {
            calls: 1,
            ipc_to: 1,
            level: 1,
        },
    };
    let privileged = Answer::Privileged(Err(not_bound()));
    assert_eq!(one.ask(privilege), privileged);
    assert_eq!(one.bind(owner, 6), Err(over()));
    assert_eq!(one.ask(Request::Driving(owner)), Answer::Done(Err(over())));
    let elsewhere = DirectoryError::Elsewhere {
        vm: 1,
        node: NodeId(2),
    };
    let begun = one.ask(Request::Begin { vm: 1 });
    assert_eq!(begun, Answer::Begun(Err(elsewhere)));
    // It is as it was, and its node does what it likes.
    assert_eq!(two.look(1).unwrap().place, here.place);
    assert_eq!(one.lookup(5).unwrap().generation, generation);
    assert_eq!(two.ask(unbind), Answer::Unbound(Ok(())));
    assert_eq!(two.end(owner), Ok(()));
}

#[test]
fn the_next_life_begins_where_the_last_was_given_up() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let owner = one.boot(1);
    one.bind(owner, 5).unwrap();
    let other = one.boot(2);
    let from = |owner: Owner| place(1, 1, owner.incarnation);
    server.expire(1);
    one.until_lease(Lease::Held);
    two.until_lost(1);
    let seen = two.look(1).unwrap();
    assert_eq!((seen.place, seen.record.life), (from(owner), None));
    let taken = two.take_vm(1, from(owner)).unwrap();
    let next = owner.incarnation + 1;
    assert_eq!(taken.place, place(2, 2, next));
    assert!(taken.record.endpoints.is_empty());
    assert_eq!(two.lookup(5), None);
    // Its own node does the same.
    let taken = one.take_vm(2, from(other)).unwrap();
    assert_eq!(taken.place, place(1, 2, other.incarnation + 1));
    // And where it was ended.
    let owner = Owner {
        vm: 2,
        incarnation: other.incarnation + 1,
    };
    assert_eq!(one.end(owner), Ok(()));
    let taken = two.take_vm(2, taken.place).unwrap();
    assert_eq!(taken.place, place(2, 3, owner.incarnation + 1));
    assert!(!taken.record.driving);
}

#[test]
fn a_node_that_was_lost_takes_along_only_what_it_has() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let owner = one.boot(1);
    two.take_vm(1, place(1, 1, owner.incarnation)).unwrap();
    server.expire(1);
    two.until_lost(1);
    let lives = two.locate(1);
    assert_eq!(lives.current.map(|it| it.node), Some(NodeId(2)));
    assert_eq!(two.bind(owner, 5), Ok(1));
}

#[test]
fn a_node_without_its_lease_takes_nothing() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let owner = one.boot(1);
    let from = place(1, 1, owner.incarnation);
    server.pause();
    let id = two.submit(Request::Take { vm: 1, from });
    two.until_lease(Lease::Doubtful);
    server.go_on();
    // It takes when it is back.
    let taken = seen(two.answer(id)).unwrap();
    assert_eq!(taken.place.node, NodeId(2));
    two.directory.unwatch(Interest::Vm(1));
}

#[test]
fn a_record_that_is_not_understood_is_told() {
    let server = Server::start();
    let mut node = Node::start(&server, 1);
    server.put("vms/1", "nonsense");
    for request in [
        Request::Look { vm: 1 },
        Request::Take {
            vm: 1,
            from: place(1, 1, 1),
        },
    ] {
        let answer = node.ask(request);
        let broken = matches!(answer, Answer::Seen(Err(DirectoryError::Broken(_))));
        assert!(broken, "{answer:?}");
    }
    let full = r#"{"node":1,"epoch":4294967294,"incarnation":1,"member":null}"#;
    server.put("vms/2", full);
    assert_eq!(node.take_vm(2, place(1, 4_294_967_294, 1)), None);
}
