//! TLS: who is let in and who is not, and what is said about it.

use super::*;
use crate::link::TlsFiles;
use crate::link::pki::{make_ca, make_node};
use std::path::Path;
use std::time::SystemTime;
use tempfile::TempDir;

const LONG_AGO: Duration = Duration::from_secs(500 * 24 * 60 * 60);

/// A CA and the certificates of nodes 1, 2 and 3.
fn pki_of(now: SystemTime) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    make_ca(dir.path(), SystemTime::now()).unwrap();
    for node in 1..=3 {
        make_node(dir.path(), NodeId(node), &[], now).unwrap();
    }
    dir
}

fn pki() -> TempDir {
    pki_of(SystemTime::now())
}

fn files(dir: &Path, node: u32) -> TlsFiles {
    TlsFiles {
        cert: dir.join(format!("node-{node}.pem")),
        key: dir.join(format!("node-{node}.key")),
        ca: dir.join("ca.pem"),
    }
}

fn secure(me: u32, dir: &TempDir) -> LinkConfig {
    plain(me).with_tls(files(dir.path(), me))
}

/// Node 1 wants node 2, and it does not come to that; what node 1 says about it.
fn fails(one: LinkConfig, two: LinkConfig) -> String {
    let mut world = World::of([one, two]);
    world.want(0, 1);
    world.until(|world| !world.nodes[0].error(TWO).is_empty());
    let until = world.nodes[0].view(TWO).until.unwrap();
    assert!(until > world.now, "it is dialled again without a pause");
    assert!(world.nodes.iter().all(|it| it.recorder.0.is_empty()));
    // Nothing is left of the attempt.
    world.pass(Duration::from_millis(1));
    world.until(|world| world.nodes[1].links.connections.is_empty());
    world.nodes[0].error(TWO)
}

#[test]
fn nodes_of_one_ca_talk_in_both_classes() {
    let dir = pki();
    let mut world = World::pair_of(secure(1, &dir), secure(2, &dir));
    assert!(
        world
            .nodes
            .iter()
            .all(|it| it.links.sessions().all(|it| it.tls))
    );
    let bulk = noise(Class::Bulk.payload_max());
    for (from, to) in [(0, TWO), (1, ONE)] {
        for arg in 0..200 {
            world.nodes[from]
                .send(to, Class::Message, arg, &bulk[..300])
                .unwrap();
        }
        for arg in 0..20 {
            world.nodes[from].send(to, Class::Bulk, arg, &bulk).unwrap();
        }
        world.nodes[from].links.flush();
    }
    world.until(|world| world.nodes.iter().all(|it| it.frames().len() == 220));
    for node in &world.nodes {
        for class in Class::ALL {
            let frames = node.frames();
            let of_class = frames.iter().filter(|it| it.0 == class);
            assert!(of_class.enumerate().all(|(at, it)| it.1 == at as u64));
        }
        let right = node.recorder.0.iter().all(|seen| match seen {
            Seen::Frame(_, _, _, _, payload) => bulk.starts_with(payload),
            _ => true,
        });
        assert!(right);
    }
}

#[test]
fn room_and_breaks_are_the_same_under_tls() {
    let dir = pki();
    let mut world = World::pair_of(secure(1, &dir), secure(2, &dir));
    let payload = noise(Class::Bulk.payload_max());
    let mut sent = 0;
    while world.nodes[0]
        .send(TWO, Class::Bulk, sent, &payload)
        .is_ok()
    {
        sent += 1;
    }
    let room = |world: &mut World| {
        world.nodes[0]
            .recorder
            .0
            .contains(&Seen::Room(TWO, Class::Bulk))
    };
    world.until(room);
    world.until(|world| world.nodes[1].frames().len() as u64 == sent);
    world.nodes[1].break_connection(ONE, Class::Bulk);
    world.until(|world| world.nodes.iter().all(|it| it.downs().len() == 1));
    world.until_up(0, 1);
}

#[test]
fn two_that_dial_at_once_meet_under_tls_too() {
    let dir = pki();
    let mut world = World::of([secure(1, &dir), secure(2, &dir)]);
    world.want(0, 1);
    world.want(1, 0);
    world.until_up(0, 1);
    assert!(world.nodes.iter().all(|it| it.downs().is_empty()));
}

#[test]
fn a_node_of_another_ca_is_refused() {
    let (dir, other) = (pki(), pki());
    let error = fails(secure(1, &dir), secure(2, &other));
    assert!(error.contains("tls.ca"), "{error}");
}

#[test]
fn who_is_refused_for_its_certificate_is_told() {
    let (dir, other) = (pki(), pki());
    // Node 1 trusts the other CA too, but node 2 does not trust that of node 1.
    let both = [dir.path(), other.path()].map(|it| std::fs::read(it.join("ca.pem")).unwrap());
    let mut one = files(dir.path(), 1);
    one.ca = dir.path().join("both.pem");
    std::fs::write(&one.ca, both.concat()).unwrap();
    let error = fails(plain(1).with_tls(one), secure(2, &other));
    assert!(error.contains("the peer refuses this node"), "{error}");
}

#[test]
fn an_expired_certificate_is_refused() {
    let dir = pki();
    let old = tempfile::tempdir().unwrap();
    for file in ["ca.pem", "ca.key"] {
        std::fs::copy(dir.path().join(file), old.path().join(file)).unwrap();
    }
    make_node(old.path(), TWO, &[], SystemTime::now() - LONG_AGO).unwrap();
    let error = fails(secure(1, &dir), secure(2, &old));
    assert!(
        error.contains("expired") && error.contains("renew"),
        "{error}"
    );
}

#[test]
fn another_node_at_the_address_is_refused() {
    let dir = pki();
    let mut world = World::of([secure(1, &dir), secure(3, &dir)]);
    let address = world.nodes[1].address();
    world.nodes[0].links.want(TWO, &address, world.now);
    world.until(|world| !world.nodes[0].error(TWO).is_empty());
    let error = world.nodes[0].error(TWO);
    assert!(
        error.contains("another node answers at this address"),
        "{error}"
    );
}

#[test]
fn a_node_that_says_another_number_than_its_certificate_is_refused() {
    let dir = pki();
    let mut world = World::of([secure(1, &dir), secure(2, &dir)]);
    // Node 2 now claims to be node 3.
    world.nodes[1].links.identity.me = NodeId(3);
    let address = world.nodes[0].address();
    world.nodes[1].links.want(ONE, &address, world.now);
    world.until(|world| !world.nodes[1].error(ONE).is_empty());
    let error = world.nodes[1].error(ONE);
    assert!(error.contains("does not name node 3"), "{error}");
    assert!(error.contains("node-3.dvs"), "{error}");
    assert!(world.nodes[0].recorder.0.is_empty());
}

#[test]
fn tls_and_plaintext_do_not_meet() {
    let dir = pki();
    for (one, two) in [(secure(1, &dir), plain(2)), (plain(1), secure(2, &dir))] {
        let error = fails(one, two);
        assert!(error.contains("\"plaintext\": true on both"), "{error}");
    }
}

#[test]
fn certificates_are_read_again_without_ending_sessions() {
    let (dir, other) = (pki(), pki());
    let mut world = World::pair_of(secure(1, &dir), secure(2, &dir));
    // A file that is no use changes nothing.
    let cert = dir.path().join("node-2.pem");
    let good = std::fs::read(&cert).unwrap();
    std::fs::write(&cert, "nonsense").unwrap();
    let error = world.nodes[1].links.reload().unwrap_err();
    assert!(error.to_string().contains("node-2.pem"), "{error}");
    world.nodes[0].break_connection(TWO, Class::Message);
    world.until(|world| world.nodes.iter().all(|it| it.downs().len() == 1));
    world.until_up(0, 1);
    // Nor does a certificate with another's key.
    std::fs::copy(dir.path().join("node-3.key"), dir.path().join("node-2.key")).unwrap();
    std::fs::write(&cert, good).unwrap();
    world.nodes[1].links.reload().unwrap_err();
    // A new certificate counts from the next session on.
    for file in ["node-2.pem", "node-2.key", "ca.pem"] {
        std::fs::copy(other.path().join(file), dir.path().join(file)).unwrap();
    }
    world.nodes[1].links.reload().unwrap();
    world.turn();
    assert!(world.nodes[0].is_up(TWO));
    world.pass(Duration::from_secs(2));
    world.nodes[0].break_connection(TWO, Class::Message);
    world.until(|world| world.nodes[0].error(TWO).contains("tls.ca"));
}

#[test]
fn a_handshake_of_tls_has_its_limits() {
    let dir = pki();
    let mut world = World::of([secure(1, &dir)]);
    let mut long = world.raw_to(0);
    let mut slow = world.raw_to(0);
    // The header of a record of TLS, and then nothing that ends.
    slow.say(&[0x16, 3, 1, 0x40, 0]);
    long.say(&[0x16, 3, 1, 0x40, 0]);
    world.until(|_| {
        let _ = long.stream.write(&[1; 4096]);
        long.hear();
        long.ended
    });
    world.pass(Duration::from_secs(6));
    world.until(|_| {
        slow.hear();
        slow.ended
    });
    world.others.clear();
    world.until(|world| world.nodes[0].links.connections.is_empty());
}
