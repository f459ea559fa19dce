//! Leases: held, lost, taken over.

use super::super::*;
use super::support::*;
use crate::directory::{Lease, Owner};
use crate::vm::VmAttributes;

/// With the shortest lease.
fn short(server: &Server) -> EtcdConfig {
    EtcdConfig {
        ttl_ms: 2000,
        ..server.config()
    }
}

#[test]
fn a_node_whose_lease_runs_out_has_lost_its_vms() {
    let server = Server::start();
    let mut one = Node::open(&short(&server), me(1)).unwrap();
    let mut two = Node::start(&server, 2);
    let first = one.boot(1);
    let second = two.boot(2);
    one.bind(first, 5).unwrap();
    assert!(two.lookup(5).is_some());
    assert!(two.locate(1).current.is_some());
    drop(one);
    two.until_lost(1);
    assert_eq!(two.lookup(5), None);
    let lives = two.locate(1);
    assert_eq!((lives.last, lives.current), (first.incarnation, None));
    assert_eq!(two.bind(second, 5), Ok(2));
    // Its VMs may be started elsewhere.
    let next = two.boot(1);
    assert_eq!(next.incarnation, first.incarnation + 1);
    // When it is back it has them no more.
    let mut one = Node::start(&server, 1);
    assert_eq!(one.directory.records(), []);
    let heard = one.until_lease(Lease::Held);
    assert!(heard.contains(&News::Lease(Lease::Lapsed)));
    two.until(|news| {
        matches!(
            news,
            News::Node {
                node: NodeId(1),
                ..
            }
        )
    });
    // What it says of them late changes nothing.
    assert_eq!(one.end(first), Err(DirectoryError::LifeOver(first)));
    assert_eq!(one.end(next), Err(DirectoryError::LifeOver(next)));
    let left = one.ask(Request::Leave { vm: 1 });
    assert_eq!(left, Answer::Done(Err(DirectoryError::NoVm(1))));
    let node = NodeId(2);
    let begun = one.ask(Request::Begin { vm: 1 });
    assert_eq!(
        begun,
        Answer::Begun(Err(DirectoryError::Elsewhere { vm: 1, node }))
    );
    assert_eq!(
        two.locate(1).current.map(|it| it.incarnation),
        Some(next.incarnation)
    );
}

#[test]
fn a_node_that_starts_again_in_time_has_lost_nothing() {
    let server = Server::start();
    let mut two = Node::start(&server, 2);
    let mut one = Node::start(&server, 1);
    two.until(|news| {
        matches!(
            news,
            News::Node {
                node: NodeId(1),
                ..
            }
        )
    });
    let owner = one.boot(1);
    one.bind(owner, 5).unwrap();
    let found = two.lookup(5).unwrap();
    for _ in 0..3 {
        drop(one);
        one = Node::start(&server, 1);
        assert_eq!(one.until_lease(Lease::Held), [News::Lease(Lease::Held)]);
        assert_eq!(two.lookup(5), Some(found));
    }
    // Of the first the second has heard that it was started again, but not that it was lost.
    let _three = Node::start(&server, 3);
    let is_of = |news: &News, id| matches!(news, News::Node { node, .. } if node.0 == id);
    let heard = two.until(|news| is_of(news, 3));
    assert!(heard.iter().any(|news| is_of(news, 1)), "{heard:?}");
    assert!(!heard.contains(&News::NodeLost(NodeId(1))), "{heard:?}");
}

#[test]
fn no_life_survives_a_boot_of_its_host() {
    let server = Server::start();
    let mut two = Node::start(&server, 2);
    let mut one = Node::open(&short(&server), me(1)).unwrap();
    let owner = one.boot(1);
    one.bind(owner, 5).unwrap();
    assert!(two.lookup(5).is_some());
    drop(one);
    let booted = Me {
        boot: "the next".to_owned(),
        ..me(1)
    };
    let mut one = Node::open(&server.config(), booted).unwrap();
    let lapsed = [News::Lease(Lease::Lapsed), News::Lease(Lease::Held)];
    assert_eq!(one.until_lease(Lease::Held), lapsed);
    two.until_lost(1);
    assert_eq!(two.lookup(5), None);
    let records = one.directory.records();
    assert_eq!(records[0].record.life, None);
    assert!(one.begin(1).incarnation > owner.incarnation);
}

#[test]
fn a_node_that_loses_its_lease_begins_anew() {
    let server = Server::start();
    let mut one = Node::start(&server, 1);
    let mut two = Node::start(&server, 2);
    one.until_lease(Lease::Held);
    let owner = one.boot(1);
    one.bind(owner, 5).unwrap();
    assert!(two.lookup(5).is_some());
    server.expire(1);
    let heard = one.until_lease(Lease::Held);
    assert!(heard.contains(&News::Lease(Lease::Lapsed)), "{heard:?}");
    two.until_lost(1);
    assert_eq!(two.lookup(5), None);
    assert_eq!(one.lookup(5), None);
    assert_eq!(one.bind(owner, 6), Err(DirectoryError::LifeOver(owner)));
    let next = one.begin(1);
    assert_eq!(next.incarnation, owner.incarnation + 1);
    assert_eq!(one.bind(next, 5), Ok(2));
    assert_eq!(two.lookup(5).map(|it| it.owner()), Some(next));
}

#[test]
fn a_begin_under_way_while_the_lease_is_lost_holds_in_the_new_tenure() {
    let server = Server::start();
    let mut one = Node::start(&server, 1);
    one.until_lease(Lease::Held);
    for vm in 1..=20 {
        one.join(vm);
    }
    let begin = |vm| Request::Begin { vm };
    let early: Vec<_> = (1..=20).map(|vm| one.submit(begin(vm))).collect();
    server.expire(1);
    let late: Vec<_> = (1..=20).map(|vm| one.submit(begin(vm))).collect();
    one.until_lease(Lease::Lapsed);
    one.until_lease(Lease::Held);
    for (vm, (early, late)) in (1..).zip(early.into_iter().zip(late)) {
        let Answer::Begun(Ok(before)) = one.answer(early) else {
            panic!("VM {vm} has no first life");
        };
        let Answer::Begun(Ok(life)) = one.answer(late) else {
            panic!("VM {vm} has no second life");
        };
        assert!(life.incarnation > before.incarnation);
        assert_eq!(one.locate(vm).current, Some(life));
    }
}

#[test]
fn a_key_that_was_deleted_is_written_again() {
    let server = Server::start();
    let mut one = Node::start(&server, 1);
    let mut two = Node::start(&server, 2);
    one.until_lease(Lease::Held);
    one.boot(1);
    server.administer(async |client| client.kv_client().delete("/dvs/v1/nodes/1", None).await);
    let heard = one.until_lease(Lease::Held);
    assert!(heard.contains(&News::Lease(Lease::Lapsed)), "{heard:?}");
    two.until_lost(1);
    two.until(|news| {
        matches!(
            news,
            News::Node {
                node: NodeId(1),
                ..
            }
        )
    });
}

#[test]
fn two_nodes_cannot_have_one_number() {
    let server = Server::start();
    let mut one = Node::start(&server, 1);
    let other = Me {
        address: "elsewhere:7000".to_owned(),
        ..me(1)
    };
    let error = Node::open(&server.config(), other.clone()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "node 1 is running at host1:7000; give this node a number of its own"
    );
    let owner = one.boot(1);
    drop(one);
    // Of a node that has stopped, the number is had as soon as its lease would be in doubt.
    let mut moved = Node::open(&server.config(), other).unwrap();
    assert_eq!(moved.until_lease(Lease::Held), [News::Lease(Lease::Held)]);
    let life = moved.directory.records()[0].record.life;
    assert_eq!(life.map(|it| it.incarnation), Some(owner.incarnation));
}

#[test]
fn a_node_that_was_replaced_stays_away() {
    let server = Server::start();
    let mut one = Node::start(&server, 1);
    one.until_lease(Lease::Held);
    let owner = one.boot(1);
    // Both say that they are at the same address of the same host.
    let mut twin = Node::start(&server, 1);
    assert_eq!(twin.until_lease(Lease::Held), [News::Lease(Lease::Held)]);
    one.until_lease(Lease::Doubtful);
    let waits = one.submit(Request::Begin { vm: 1 });
    assert_eq!(twin.bind(owner, 5), Ok(1));
    // When the twin is gone without a trace the first one has the number again.
    drop(twin);
    server.expire(1);
    one.until_lease(Lease::Held);
    let begun = one.answer(waits);
    assert!(matches!(begun, Answer::Begun(Ok(life)) if life.incarnation == 2));
}

#[test]
fn a_copy_of_a_node_on_another_host_is_refused() {
    let server = Server::start();
    let _one = Node::start(&server, 1);
    let copy = Me {
        boot: "of another host".to_owned(),
        ..me(1)
    };
    let error = Node::open(&short(&server), copy).err().unwrap();
    assert!(
        error.to_string().contains("node 1 is running at"),
        "{error}"
    );
}

#[test]
fn vms_of_a_lost_node_in_another_dc_are_taken_over() {
    let server = Server::start();
    let mut two = Node::start(&server, 2);
    let mut one = Node::start(&server, 1);
    let joined = one.ask(Request::Join(VmAttributes::new(1, 3)));
    assert!(matches!(joined, Answer::Joined(Ok(_))));
    assert!(two.locate(1).current.is_none());
    drop(one);
    server.expire(1);
    two.until_lost(1);
    let first = two.boot(1);
    assert_eq!(
        first,
        Owner {
            vm: 1,
            incarnation: 1
        }
    );
    assert_eq!(server.get("dcs/3"), None);
    assert_eq!(server.get("at/1/1"), None);
    assert!(server.get("dcs/0").is_some());
}
