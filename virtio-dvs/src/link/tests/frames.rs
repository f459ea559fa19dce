//! Frames and notices.

use super::*;
use crate::link::Lz4;

#[test]
fn frames_go_both_ways_and_stay_in_order() {
    let mut world = World::pair();
    for (from, to) in [(0, TWO), (1, ONE)] {
        for arg in 0..100u8 {
            let payload = vec![arg; arg.into()];
            let sent = world.nodes[from].send(to, Class::Message, arg.into(), &payload);
            sent.unwrap();
        }
        world.nodes[from].links.flush();
    }
    let all = |node: &Node| node.frames().len() == 100;
    world.until(|world| world.nodes.iter().all(all));
    for node in &world.nodes {
        let expected: Vec<_> = (0..100u8)
            .map(|it| (Class::Message, it.into(), it.into()))
            .collect();
        assert_eq!(node.frames(), expected);
        let view = node.links.sessions().next().unwrap();
        // WELCOME or HELLO and all frames.
        assert!(view.message.writes <= 3, "{view:?}");
        assert_eq!(view.message.frames_in, 100);
    }
}

#[test]
fn a_frame_arrives_as_it_was_with_its_stamp() {
    let mut world = World::pair();
    let payload: Vec<u8> = (0..=255).collect();
    world.nodes[0]
        .send(TWO, Class::Message, 77, &payload)
        .unwrap();
    let notices = [
        Notice::Retry { vm: 4 },
        Notice::Gone {
            vm: 5,
            incarnation: 6,
        },
        Notice::Moved { vm: 7, epoch: 8 },
    ];
    for notice in &notices {
        world.nodes[0].links.send_notice(TWO, notice);
    }
    world.nodes[0].links.flush();
    world.until(|world| world.nodes[1].recorder.0.len() == 5);
    let stamp = Stamp {
        src_epoch: 7,
        dst_epoch: 9,
    };
    let header = frame(77, 256);
    let first = Seen::Frame(ONE, Class::Message, stamp, header, payload);
    assert_eq!(world.nodes[1].recorder.0[..2], [Seen::Up(ONE), first]);
    let told = notices.map(|notice| Seen::Notice(ONE, notice));
    assert_eq!(world.nodes[1].recorder.0[2..], told);
}

#[test]
fn a_message_does_not_wait_behind_bulk() {
    let mut world = World::pair();
    let payload = noise(Class::Bulk.payload_max());
    let mut count = 0;
    while world.nodes[0]
        .send(TWO, Class::Bulk, count, &payload)
        .is_ok()
    {
        count += 1;
        world.nodes[0].links.flush();
    }
    world.nodes[0]
        .send(TWO, Class::Message, 1000, b"first")
        .unwrap();
    world.nodes[0].links.flush();
    world.until(|world| world.nodes[1].frames().len() as u64 == count + 1);
    let frames = world.nodes[1].frames();
    let place = frames.iter().position(|it| it.0 == Class::Message).unwrap();
    assert!(place <= frames.len() / 2, "{place} of {}", frames.len());
    let bulk: Vec<_> = frames.iter().filter(|it| it.0 == Class::Bulk).collect();
    assert!(bulk.iter().enumerate().all(|(at, it)| it.1 == at as u64));
}

#[test]
fn who_finds_no_room_is_told_when_there_is() {
    for class in Class::ALL {
        let mut world = World::pair();
        let payload = noise(class.payload_max());
        let mut sent = 0;
        let refused = loop {
            match world.nodes[0].send(TWO, class, sent, &payload) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(refused, SendError::Full);
        let limit = world.nodes[0].links.config.limits.output(class);
        assert!(sent * payload.len() as u64 <= limit as u64);
        // The other class has its own room.
        let other = Class::ALL[1 - class.index()];
        world.nodes[0].send(TWO, other, 1, b"x").unwrap();
        let room = |world: &mut World| world.nodes[0].recorder.0.contains(&Seen::Room(TWO, class));
        world.until(room);
        world.nodes[0].send(TWO, class, sent, &payload).unwrap();
        world.until(|world| world.nodes[1].frames().len() as u64 == sent + 2);
        let view = world.nodes[0].view(TWO);
        assert_eq!(view.counters(class).no_room, 1);
        assert_eq!(view.counters(class).frames_out, sent + 1);
    }
}

#[test]
fn a_payload_that_cannot_be_copied_leaves_nothing_behind() {
    let mut world = World::pair();
    let node = &mut world.nodes[0];
    let stamp = Stamp {
        src_epoch: 0,
        dst_epoch: 0,
    };
    let cannot = |_: &mut [u8]| false;
    let header = frame(1, 30);
    let result = node
        .links
        .send_frame(TWO, Class::Message, stamp, &header, 30, cannot);
    assert_eq!(result, Err(SendError::Payload));
    let too_long = vec![0; Class::Message.payload_max() + 1];
    let result = node.send(TWO, Class::Message, 1, &too_long);
    assert_eq!(result, Err(SendError::Payload));
    let result = node
        .links
        .send_frame(TWO, Class::Message, stamp, &header, 29, |_| true);
    assert_eq!(result, Err(SendError::Payload));
    node.send(TWO, Class::Message, 2, b"good").unwrap();
    node.links.flush();
    world.until(|world| !world.nodes[1].frames().is_empty());
    assert_eq!(world.nodes[1].frames(), [(Class::Message, 2, 4)]);
}

#[test]
fn bulk_is_compressed_where_it_pays() {
    let mut world = World::pair();
    let (text, noise) = ([7; 60_000], noise(60_000));
    for arg in 0..20 {
        let payload = if arg < 10 { &text[..] } else { &noise };
        world.nodes[0].send(TWO, Class::Bulk, arg, payload).unwrap();
        world.nodes[0].links.flush();
    }
    world.until(|world| world.nodes[1].frames().len() == 20);
    let payloads = world.nodes[1]
        .recorder
        .0
        .iter()
        .filter_map(|seen| match seen {
            Seen::Frame(_, _, _, _, payload) => Some(payload),
            _ => None,
        });
    for (at, payload) in payloads.enumerate() {
        assert!(if at < 10 {
            *payload == text
        } else {
            *payload == noise
        });
    }
    let view = world.nodes[0].view(TWO);
    assert!(view.lz4 && view.bulk.lz4_saved > 10 * 59_000);
    let all = view.bulk.lz4_saved + view.bulk.bytes_out;
    assert!(all >= 20 * 60_000);
}

#[test]
fn it_is_not_compressed_if_either_side_says_so() {
    for off in [0, 1] {
        let mut configs = [plain(1), plain(2)];
        configs[off].lz4 = Lz4::Off;
        let [one, two] = configs;
        let mut world = World::pair_of(one, two);
        world.nodes[0]
            .send(TWO, Class::Bulk, 1, &[7; 60_000])
            .unwrap();
        world.nodes[0].links.flush();
        world.until(|world| world.nodes[1].frames().len() == 1);
        let view = world.nodes[0].view(TWO);
        assert!(!view.lz4 && view.bulk.lz4_saved == 0);
        assert!(world.nodes[1].view(ONE).bulk.bytes_in >= 60_000);
    }
}

#[test]
fn no_peer_holds_the_loop_with_bulk() {
    let mut world = World::pair();
    let payload = noise(Class::Bulk.payload_max());
    while world.nodes[0].send(TWO, Class::Bulk, 1, &payload).is_ok() {}
    world.nodes[0].links.flush();
    let mut most = 0;
    let mut before = 0;
    let total = world.nodes[0].view(TWO).bulk.frames_out;
    world.until(|world| {
        let now = world.nodes[1].frames().len();
        most = most.max(now - before);
        before = now;
        now as u64 == total
    });
    assert!(most <= 10, "{most} frames at once");
}

#[test]
fn notices_find_room_beyond_the_limit_and_a_peer_that_takes_none_loses_its_session() {
    let mut world = World::pair();
    while world.nodes[0].send(TWO, Class::Message, 1, b"x").is_ok() {}
    let mut notices = 0;
    while world.nodes[0]
        .links
        .open_slot(TWO, Class::Message)
        .is_some()
    {
        let notice = Notice::Retry { vm: 1 };
        world.nodes[0].links.send_notice(TWO, &notice);
        notices += 1;
    }
    assert!(notices > (256 << 10) / codec::NOTICE_LEN);
    world.until(|world| world.nodes.iter().all(|it| it.downs().len() == 1));
    assert!(world.nodes[0].downs()[0].contains("does not take"));
    world.until_up(0, 1);
}
