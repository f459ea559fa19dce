//! Sessions come and go.

use super::*;
use crate::link::LinkState;

#[test]
fn who_wants_a_node_gets_a_session_and_both_know() {
    let world = World::pair();
    let (one, two) = (world.nodes[0].view(TWO), world.nodes[1].view(ONE));
    assert_eq!((one.state, two.state), (LinkState::Up, LinkState::Up));
    assert_eq!((one.dialled_by, two.dialled_by), (Some(ONE), Some(ONE)));
    assert_eq!((one.version, two.version), (Some(2), Some(2)));
    assert!(!one.tls && two.address.is_none());
}

#[test]
fn of_two_that_dial_at_once_the_session_of_the_lower_stays() {
    let mut world = World::of([plain(1), plain(2)]);
    world.want(0, 1);
    world.want(1, 0);
    // Both have dialled before either has read anything.
    for node in &mut world.nodes {
        node.links.tick(Duration::ZERO, &mut node.recorder);
    }
    world.until_up(0, 1);
    for (node, other) in [(0, TWO), (1, ONE)] {
        assert_eq!(world.nodes[node].view(other).dialled_by, Some(ONE));
        assert_eq!(world.nodes[node].recorder.0, [Seen::Up(other)]);
    }
    // What is left of the other session goes by itself.
    world.until(|world| world.nodes.iter().all(|it| it.links.connections.len() == 2));
    // It is no reason to dial again.
    world.pass(Duration::from_millis(2900));
    assert!(world.nodes.iter().all(|it| it.downs().is_empty()));
}

#[test]
fn many_nodes_that_want_each_other_find_each_other() {
    let mut world = World::of((1..=6).map(plain));
    for by in 0..6 {
        for whom in 0..6 {
            world.want(by, whom);
        }
    }
    let all_up = |node: &Node| {
        (1..=6)
            .map(NodeId)
            .all(|it| it == node.me() || node.is_up(it))
    };
    world.until(|world| world.nodes.iter().all(all_up));
}

#[test]
fn a_break_of_either_connection_ends_the_session_on_both_sides_and_it_comes_back_at_once() {
    for class in Class::ALL {
        let mut world = World::pair();
        world.pass(Duration::from_millis(2100));
        world.nodes[0].break_connection(TWO, class);
        world.until(|world| world.nodes.iter().all(|it| it.downs().len() == 1));
        // Without a moment of time passing.
        world.until_up(0, 1);
        world.nodes[0].send(TWO, Class::Message, 1, b"x").unwrap();
        world.nodes[0].links.flush();
        world.until(|world| world.nodes[1].frames().len() == 1);
        assert_eq!(world.nodes[0].view(TWO).message.frames_out, 1);
    }
}

#[test]
fn a_session_that_breaks_again_and_again_is_dialled_more_and_more_rarely() {
    let mut world = World::pair();
    let mut waits = Vec::new();
    for round in 1..8 {
        world.nodes[0].break_connection(TWO, Class::Message);
        world.until(|world| world.nodes.iter().all(|it| it.downs().len() == round));
        let until = world.nodes[0].view(TWO).until;
        waits.push(until.map_or(Duration::ZERO, |until| until - world.now));
        world.now = until.unwrap_or(world.now);
        world.until_up(0, 1);
    }
    assert!(
        waits[0].is_zero() && waits[6] >= Duration::from_millis(800),
        "{waits:?}"
    );
}

/// A node that has dialled another in vain, and how that one listens once it is there.
fn one_without_the_other() -> (World, LinkConfig) {
    let free = transport::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = free.local_addr().unwrap().as_socket().unwrap();
    drop(free);
    let mut world = World::of([plain(1)]);
    world.nodes[0]
        .links
        .want(TWO, &address.to_string(), world.now);
    world.until(|world| world.nodes[0].error(TWO).contains("refused"));
    let mut late = plain(2);
    late.listen = address;
    (world, late)
}

#[test]
fn who_is_not_there_is_dialled_again_later() {
    let (mut world, late) = one_without_the_other();
    let view = world.nodes[0].view(TWO);
    assert_eq!(view.state, LinkState::Waiting);
    assert!(view.last_error.unwrap().contains(&late.listen.to_string()));
    world.nodes.push(Node::open(late));
    world.now = view.until.unwrap();
    world.until_up(0, 1);
}

#[test]
fn who_was_started_is_dialled_at_once() {
    let (mut world, late) = one_without_the_other();
    world.nodes.push(Node::open(late));
    // No time passes.
    world.nodes[0].links.started(TWO, world.now);
    world.until_up(0, 1);
    // Who is there already is not disturbed.
    world.nodes[0].links.started(TWO, world.now);
    world.turn();
    assert!(world.nodes[0].is_up(TWO) && world.nodes[0].downs().is_empty());
}

#[test]
fn an_address_may_be_wrong_and_may_change() {
    let mut world = World::of([plain(1), plain(2)]);
    world.nodes[0]
        .links
        .want(TWO, "host.example:7000", world.now);
    world.turn();
    assert!(world.nodes[0].error(TWO).contains("host:port in numbers"));
    world.want(0, 1);
    world.until_up(0, 1);
    // It counts for the next session.
    world.nodes[0].links.want(TWO, "127.0.0.1:1", world.now);
    world.turn();
    assert!(world.nodes[0].is_up(TWO));
}

#[test]
fn who_has_left_the_cluster_is_forgotten() {
    let mut world = World::pair();
    world.nodes[0].links.unwanted(TWO);
    assert_eq!(world.nodes[0].links.sessions().count(), 0);
    world.until(|world| world.nodes[1].downs().len() == 1);
    assert!(world.nodes[0].downs().is_empty());
    assert_eq!(
        world.nodes[0].send(TWO, Class::Message, 1, b""),
        Err(SendError::Down)
    );
    // Node 2 did not want node 1, so nothing is left there either.
    assert_eq!(world.nodes[1].links.sessions().count(), 0);
    for node in &world.nodes {
        assert!(node.links.connections.is_empty() && node.links.timers.is_empty());
    }
}

#[test]
fn a_node_that_was_started_again_is_believed() {
    let mut world = World::of([plain(1), plain(2)]);
    world.want(0, 1);
    world.want(1, 0);
    world.until_up(0, 1);
    // It never came to say that it ends: its sockets stay open.
    let mut again = plain(1);
    again.keepalive_ms = 4000;
    let old = std::mem::replace(&mut world.nodes[0], Node::open(again));
    world.want(0, 1);
    world.until_up(0, 1);
    world.until(|world| world.nodes[1].downs().len() == 1);
    assert!(world.nodes[1].downs()[0].contains("begun a new session"));
    drop(old);
    world.turn();
    assert!(world.nodes[1].is_up(ONE));
}

#[test]
fn a_peer_that_is_silent_is_given_up_in_time() {
    let mut world = World::pair();
    world.nodes[1].asleep = true;
    for _ in 0..2 {
        world.pass(Duration::from_millis(1000));
        assert!(world.nodes[0].is_up(TWO));
    }
    world.pass(Duration::from_millis(1000));
    world.until(|world| world.nodes[0].downs().len() == 1);
    assert!(world.nodes[0].downs()[0].contains("nothing was heard for 3 s"));
}

#[test]
fn a_node_that_was_asleep_itself_first_reads_what_has_come() {
    let mut world = World::pair();
    world.nodes[0].asleep = true;
    world.now += Duration::from_millis(1000);
    // Node 2 says PING on both connections.
    world.turn();
    world.now += Duration::from_millis(1900);
    world.turn();
    world.now += Duration::from_millis(200);
    world.nodes[0].asleep = false;
    let now = world.now;
    let node = &mut world.nodes[0];
    node.links.tick(now, &mut node.recorder);
    assert!(node.is_up(TWO));
}

#[test]
fn idle_nodes_keep_each_other_alive_and_measure_the_way() {
    let mut world = World::pair();
    for second in 1..30 {
        world.now = Duration::from_secs(second);
        let seconds = world.now.as_secs();
        // PING and PONG of each connection, and of each side.
        world.until(|world| {
            let told = |node: &Node| {
                let slots = node.links.connections.iter();
                slots
                    .map(|(_, it)| it.heard.as_secs())
                    .all(|heard| heard == seconds)
            };
            world.nodes.iter().all(told)
        });
    }
    assert!(world.nodes.iter().all(|it| it.downs().is_empty()));
    assert_eq!(world.nodes[0].view(TWO).rtt, Some(Duration::ZERO));
}
