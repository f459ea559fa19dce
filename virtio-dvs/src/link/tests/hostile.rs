//! Peers that are old, broken or hostile.

use super::*;
use crate::link::codec::{
    Handshake, Hello, Refusal, Welcome, encode_ping, frame_prefix, handshake,
};
use std::net::TcpListener;

fn hello(node: u32, session: u64, class: Class) -> Hello {
    Identity::new(&plain(node)).hello(session, class)
}

/// The answer to a HELLO, once it has come.
fn answer(world: &mut World, raw: &mut Raw) -> Result<Welcome, String> {
    let mut answer = None;
    world.until(|_| {
        raw.hear();
        answer = raw.record();
        assert!(answer.is_some() || !raw.ended, "closed without a word");
        answer.is_some()
    });
    let (kind, body) = answer.unwrap();
    match handshake(kind, &body).unwrap() {
        Handshake::Welcome(welcome) => Ok(welcome),
        Handshake::Refused(Refusal::Wrong, reason) => {
            Err(String::from_utf8_lossy(reason).into_owned())
        }
        other => panic!("{other:?}"),
    }
}

/// Both connections of a session that node 2 dials by hand.
fn by_hand(world: &mut World, change: impl Fn(Hello) -> Hello) -> [Raw; 2] {
    let raws = Class::ALL.map(|class| {
        let mut raw = world.raw_to(0);
        raw.say(&change(hello(2, 5, class)).encode());
        answer(world, &mut raw).unwrap();
        raw
    });
    world.until(|world| world.nodes[0].is_up(TWO));
    raws
}

fn until_closed(world: &mut World, raw: &mut Raw) {
    world.until(|_| {
        raw.hear();
        raw.ended
    });
}

#[test]
fn a_node_of_version_1_is_understood_and_gets_nothing_compressed() {
    let mut world = World::of([plain(1)]);
    let old = |hello| Hello {
        version: 1,
        lowest: 1,
        lz4: false,
        ..hello
    };
    let [mut message, mut bulk] = by_hand(&mut world, old);
    assert_eq!(world.nodes[0].view(TWO).version, Some(1));
    let stamp = Stamp {
        src_epoch: 1,
        dst_epoch: 2,
    };
    let prefix = frame_prefix(stamp, &frame(5, 3), 3, false);
    message.say(&[&prefix[..], b"abc"].concat());
    world.until(|world| world.nodes[0].frames().len() == 1);
    world.nodes[0]
        .send(TWO, Class::Bulk, 6, &[7; 5000])
        .unwrap();
    world.nodes[0].links.flush();
    let mut record = None;
    world.until(|_| {
        bulk.hear();
        record = bulk.record();
        record.is_some()
    });
    let (kind, body) = record.unwrap();
    let record = codec::record(Class::Bulk, kind, &body).unwrap();
    assert!(matches!(record, codec::Record::Frame(_, _, payload) if payload == [7; 5000]));
    // It does not know how to send such either.
    let packed = frame_prefix(stamp, &frame(5, 3), 3, true);
    bulk.say(&[&packed[..], b"abc"].concat());
    world.until(|world| world.nodes[0].downs().len() == 1);
}

#[test]
fn a_node_of_version_1_is_dialled_too() {
    let mut world = World::of([plain(1)]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    world.nodes[0].links.want(TWO, &address, world.now);
    let mut raws = Vec::new();
    for _ in 0..2 {
        world.turn();
        let mut raw = world.raw(listener.accept().unwrap().0);
        let mut heard = None;
        world.until(|_| {
            raw.hear();
            heard = raw.record();
            heard.is_some()
        });
        let (kind, body) = heard.unwrap();
        let heard = handshake(kind, &body);
        assert!(matches!(heard, Ok(Handshake::Hello(it)) if it.lowest == 1 && it.node == ONE));
        let welcome = Welcome {
            version: 1,
            node: TWO,
            lz4: false,
            keepalive_ms: 3000,
        };
        let frame = frame_prefix(stamp(), &frame(raws.len() as u64, 0), 0, false);
        // What comes right behind it, before the other connection is there, is not lost.
        raw.say(&[&welcome.encode()[..], &frame].concat());
        world.until(|world| {
            let slots = world.nodes[0].links.connections.iter();
            slots.filter(|(_, it)| it.counters.bytes_in > 0).count() > raws.len()
        });
        raws.push(raw);
    }
    world.until(|world| world.nodes[0].frames().len() == 2);
    assert_eq!(world.nodes[0].view(TWO).version, Some(1));
}

fn stamp() -> Stamp {
    Stamp {
        src_epoch: 1,
        dst_epoch: 2,
    }
}

#[test]
fn who_does_not_fit_is_refused_with_a_reason() {
    let stranger = |mut hello: Hello| {
        hello.cluster[0] = b'X';
        hello
    };
    let same = |mut hello: Hello| {
        hello.node = ONE;
        hello
    };
    let new = |mut hello: Hello| {
        (hello.version, hello.lowest) = (8, 7);
        hello
    };
    let late = |mut hello: Hello| {
        hello.class = Class::Bulk;
        hello
    };
    let changes: [(&dyn Fn(Hello) -> Hello, &str); 4] = [
        (&stranger, "cluster"),
        (&same, "number 1"),
        (&new, "versions"),
        (&late, "session"),
    ];
    let mut world = World::of([plain(1)]);
    for (change, words) in changes {
        let mut raw = world.raw_to(0);
        raw.say(&change(hello(2, 5, Class::Message)).encode());
        let reason = answer(&mut world, &mut raw).unwrap_err();
        assert!(reason.contains(words), "{reason}");
        until_closed(&mut world, &mut raw);
    }
    drop(std::mem::take(&mut world.others));
    world.until(|world| world.nodes[0].links.connections.is_empty());
    assert_eq!(world.nodes[0].links.strangers, 0);
    assert!(world.nodes[0].recorder.0.is_empty());
}

#[test]
fn the_reason_reaches_who_was_refused() {
    let mut other = plain(2);
    other.cluster = "other".to_owned();
    let mut world = World::of([plain(1), other]);
    world.want(0, 1);
    world.until(|world| world.nodes[0].error(TWO).contains("refuses this node"));
    assert!(world.nodes[0].error(TWO).contains("\"other\""));
}

#[test]
fn garbage_instead_of_a_handshake_is_turned_away() {
    let mut world = World::of([plain(1)]);
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 5000],
        &[5, 0, 0, 0, 2, 1, 1, 1, 1],
        &[0, 0, 0, 0],
        &[0x16, 3, 1, 2, 0],
    ] {
        let mut raw = world.raw_to(0);
        raw.say(garbage);
        until_closed(&mut world, &mut raw);
    }
    drop(std::mem::take(&mut world.others));
    world.until(|world| world.nodes[0].links.connections.is_empty());
    assert!(world.nodes[0].recorder.0.is_empty());
}

#[test]
fn garbage_in_a_session_ends_it_and_hurts_nobody_else() {
    let stamp = stamp();
    let wrong_length = frame_prefix(stamp, &frame(1, 9), 0, false).to_vec();
    let huge = [&u32::MAX.to_le_bytes()[..], &[16]].concat();
    let long = [&600u32.to_le_bytes()[..], &[16]].concat();
    let unknown = vec![1, 0, 0, 0, 99];
    let short = vec![3, 0, 0, 0, 18, 1, 1];
    let hello = hello(2, 5, Class::Message).encode();
    for garbage in [wrong_length, huge, long, unknown, short, hello] {
        let mut world = World::of([plain(1), plain(3)]);
        world.want(1, 0);
        world.until_up(0, 1);
        let [mut message, mut bulk] = by_hand(&mut world, |hello| hello);
        message.say(&garbage);
        world.until(|world| world.nodes[0].downs().len() == 1);
        until_closed(&mut world, &mut message);
        until_closed(&mut world, &mut bulk);
        assert!(world.nodes[0].is_up(NodeId(3)));
    }
}

#[test]
fn records_may_come_byte_by_byte() {
    let mut world = World::of([plain(1)]);
    let [mut message, _bulk] = by_hand(&mut world, |hello| hello);
    let record = [&frame_prefix(stamp(), &frame(5, 3), 3, false)[..], b"abc"].concat();
    for byte in record.repeat(2) {
        message.say(&[byte]);
        world.turn();
    }
    world.until(|world| world.nodes[0].frames().len() == 2);
}

#[test]
fn a_handshake_has_its_time() {
    let mut world = World::of([plain(1)]);
    let mut raw = world.raw_to(0);
    let mut half = world.raw_to(0);
    raw.say(&hello(2, 5, Class::Message).encode()[..20]);
    half.say(&hello(2, 5, Class::Message).encode());
    answer(&mut world, &mut half).unwrap();
    world.until(|world| world.nodes[0].links.connections.len() == 2);
    world.pass(Duration::from_millis(4900));
    assert_eq!(world.nodes[0].links.connections.len(), 2);
    world.pass(Duration::from_millis(200));
    until_closed(&mut world, &mut raw);
    until_closed(&mut world, &mut half);
    assert!(world.nodes[0].links.connections.is_empty());
    assert_eq!(world.nodes[0].links.sessions().count(), 0);
}

#[test]
fn strangers_are_few_and_do_not_keep_out_who_is_known() {
    let mut few = plain(1);
    few.limits.handshakes = 3;
    let mut world = World::of([few, plain(2)]);
    let mut raws: Vec<_> = (0..5).map(|_| world.raw_to(0)).collect();
    world.until(|_| {
        raws.iter_mut().for_each(Raw::hear);
        raws.iter().filter(|it| it.ended).count() == 2
    });
    assert_eq!(world.nodes[0].links.strangers, 3);
    // What this node dials is not counted.
    world.others.clear();
    world.want(0, 1);
    world.until_up(0, 1);
}

#[test]
fn a_peer_that_only_asks_and_never_reads_loses_its_session() {
    let mut config = plain(1);
    config.limits.message_output = 4096;
    let mut world = World::of([config]);
    let [mut message, _bulk] = by_hand(&mut world, |hello| hello);
    socket2::SockRef::from(&message.stream)
        .set_recv_buffer_size(4096)
        .unwrap();
    let pings = encode_ping(1).repeat(1000);
    world.until(|world| {
        // The socket is full now and then.
        let _ = message.stream.write(&pings);
        !world.nodes[0].downs().is_empty()
    });
    assert!(world.nodes[0].downs()[0].contains("does not take"));
}

#[test]
fn a_connection_that_was_given_up_meanwhile_changes_nothing() {
    let mut world = World::pair();
    let mut raw = world.raw_to(0);
    raw.say(&hello(2, 9, Class::Message).encode());
    drop(raw);
    world.others.clear();
    world.until(|world| {
        let node = &world.nodes[0];
        node.links.strangers == 0 && node.links.connections.len() == 2
    });
    assert!(world.nodes[0].downs().is_empty());
}
