//! etcd goes away and comes back.

use super::super::*;
use super::support::*;
use crate::directory::{Lease, Owner};
use crate::vm::VmAttributes;

/// Requests of several kinds; the answers are those of a life that begins.
fn submit_all(node: &mut Node) -> Vec<RequestId> {
    let owner = Owner {
        vm: 1,
        incarnation: 1,
    };
    let bind = Request::Bind {
        endpoint: endpoint(5),
        owner,
        nonce: 1,
    };
    let requests = [
        Request::Join(VmAttributes::new(1, 0)),
        Request::Begin { vm: 1 },
        bind,
        Request::Lookup {
            endpoint: endpoint(99),
        },
        Request::Locate { vm: 99 },
    ];
    requests.map(|it| node.submit(it)).to_vec()
}

fn check_all(node: &mut Node, ids: &[RequestId]) {
    let answers: Vec<_> = ids.iter().map(|&id| node.answer(id)).collect();
    let [joined, begun, bound, found, located] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert!(matches!(joined, Answer::Joined(Ok(_))), "{joined:?}");
    assert!(
        matches!(begun, Answer::Begun(Ok(life)) if life.incarnation == 1),
        "{begun:?}"
    );
    assert_eq!(*bound, Answer::Bound(Ok(1)));
    assert_eq!(*found, Answer::Found(None));
    assert_eq!(*located, Answer::Located(Default::default()));
}

#[test]
fn while_etcd_is_silent_requests_wait_and_the_lease_is_in_doubt() {
    let server = Server::start();
    let mut node = Node::start(&server, 1);
    node.until_lease(Lease::Held);
    server.pause();
    let ids = submit_all(&mut node);
    node.until_lease(Lease::Doubtful);
    server.go_on();
    // It may have been away for longer than the lease.
    node.until_lease(Lease::Held);
    check_all(&mut node, &ids);
}

#[test]
fn when_etcd_was_restarted_all_goes_on() {
    let mut server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    one.until_lease(Lease::Held);
    let other = two.boot(2);
    two.bind(other, 6).unwrap();
    assert!(one.locate(2).current.is_some());
    let waiting = one.ask(Request::Await {
        endpoint: endpoint(7),
    });
    assert_eq!(waiting, Answer::Found(None));
    server.kill();
    let ids = submit_all(&mut one);
    one.until_lease(Lease::Doubtful);
    server.run();
    // What is watched is told again, and watched on.
    let lives = |news: &News| matches!(news, News::Vm { vm: 2, lives } if lives.current.is_some());
    let heard = one.until_lease(Lease::Held);
    if !heard.iter().any(lives) {
        one.until(lives);
    }
    check_all(&mut one, &ids);
    two.bind(other, 7).unwrap();
    one.until(|news| matches!(news, News::Bound { found, .. } if found.vm == 2));
    two.end(other).unwrap();
    one.until(|news| matches!(news, News::Vm { vm: 2, lives } if lives.current.is_none()));
}

#[test]
fn a_node_that_vanished_while_etcd_was_away_is_lost() {
    let mut server = Server::start();
    let short = EtcdConfig {
        ttl_ms: 2000,
        ..server.config()
    };
    let mut one = Node::start(&server, 1);
    one.until_lease(Lease::Held);
    let mut two = Node::open(&short, me(2)).unwrap();
    two.boot(2);
    assert!(one.locate(2).current.is_some());
    server.kill();
    drop(two);
    one.until_lease(Lease::Doubtful);
    server.run();
    one.until_lost(2);
    assert_eq!(one.locate(2).current, None);
}

#[test]
fn the_requests_of_a_begin_that_may_have_been_made_are_made_once() {
    let server = Server::start();
    let mut node = Node::start(&server, 1);
    for vm in 1..=10 {
        node.join(vm);
    }
    // Some of these are with etcd when it stops, and are given up and made again.
    let ids: Vec<_> = (1..=10)
        .flat_map(|vm| [vm; 10])
        .map(|vm| (vm, node.submit(Request::Begin { vm })))
        .collect();
    server.pause();
    node.until_lease(Lease::Doubtful);
    server.go_on();
    let mut last = [0; 11];
    for (vm, id) in ids {
        let Answer::Begun(Ok(life)) = node.answer(id) else {
            panic!("VM {vm} did not begin a life");
        };
        assert!(life.incarnation > last[vm as usize]);
        last[vm as usize] = life.incarnation;
    }
    for vm in 1..=10 {
        let current = node.locate(vm).current.map(|it| it.incarnation);
        assert_eq!(current, Some(last[vm as usize]));
    }
}
