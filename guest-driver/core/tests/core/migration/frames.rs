//! The frames of a hand-over, from peers that may lie.

use crate::bench::{Bench, Frame, kind};
use dvs_core::errors::*;
use dvs_core::{Addr, Limits};

const PEER: u32 = 2;
const TOKEN: u64 = 77;
const FAR: Addr = Addr { nr: 20, gen_: 7 };

/// A core that has asked VM 2 for endpoint 20: the call, and the id of its ADOPT.
fn asking() -> (Bench, dvs_core::CallId, u64) {
    let mut bench = Bench::new(Limits::default());
    let call = bench.core.adopt(20, TOKEN, bench.now);
    bench.found(FAR, PEER);
    let said = bench.said();
    let adopt = said.iter().find(|f| f.kind == kind::ADOPT).expect("asked");
    assert_eq!((adopt.dst, adopt.arg), (FAR, TOKEN));
    (bench, call, adopt.op)
}

fn record(what: u32, vm: u32, client: i32, op: u64, value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [what, vm, 103, client.cast_unsigned(), 5, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(op.to_le_bytes());
    bytes.extend(value.to_le_bytes());
    bytes
}

fn hand(op: u64, payload: Vec<u8>, more: u64) -> Frame {
    let frame = Frame::new(kind::HAND).from(FAR).op(op);
    Frame {
        payload,
        arg: more,
        ..frame
    }
}

#[test]
fn records_that_are_not_understood_are_refused() {
    let good = record(1, 3, 12, 9, 4);
    let long = good[..30].to_vec();
    let unknown = record(9, 3, 12, 9, 4);
    let token = record(1, 3, 12, 9, 1 << 62);
    for (payload, result) in [(long, EINVAL), (unknown, EINVAL), (token, EALLOCMEM)] {
        let (mut bench, call, op) = asking();
        bench.say(PEER, hand(op, good.clone(), 1));
        bench.say(PEER, hand(op, payload, 0));
        assert_eq!(bench.result(call), result);
        assert!(bench.asked().is_empty(), "the directory is not asked");
        let said = bench.said();
        let told = said.iter().find(|f| f.kind == kind::ADOPTED).unwrap();
        assert_eq!((told.op, told.result), (op, result));
        let stats = bench.core.stats();
        assert_eq!((stats.endpoints, stats.requests), (0, 0));
    }
}

#[test]
fn there_is_an_end_to_what_is_handed() {
    let (mut bench, call, op) = asking();
    for i in 0..1000 {
        bench.say(PEER, hand(op, record(1 + i % 2, 3, 12, i.into(), 4), 1));
    }
    bench.say(PEER, hand(op, Vec::new(), 0));
    assert_eq!(bench.result(call), EALLOCMEM);
    assert_eq!(bench.core.stats().requests, 0);
}

#[test]
fn nobody_hands_what_was_not_asked_for() {
    let (mut bench, call, op) = asking();
    bench.say(3, hand(op, record(1, 3, 12, 9, 4), 0));
    bench.say(PEER, hand(op + 1, record(1, 3, 12, 9, 4), 0));
    assert!(bench.core.is_pending(call));
    assert!(bench.asked().is_empty());
}

#[test]
fn only_whom_it_was_sent_to_can_bounce_a_notification() {
    let mut bench = Bench::new(Limits::default());
    let me = bench.bind(10).from;
    let id = bench.core.send(10, FAR, b"", 0, bench.now);
    bench.found(FAR, PEER);
    bench.said();
    let bounce = Frame::new(kind::BOUNCED).from(FAR).to(me);
    bench.say(PEER, bounce.clone());
    bench.say(3, bounce.clone());
    assert!(bench.asked().is_empty(), "it was sent none");
    bench.core.cancel(id, EINTR, bench.now);
    bench.core.notify(10, FAR, bench.now);
    bench.found(FAR, PEER);
    bench.say(3, bounce.clone());
    assert!(bench.asked().is_empty(), "another one was sent it");
    bench.say(PEER, bounce);
    assert_eq!(bench.asked().len(), 1, "where is it now?");
}

#[test]
fn only_the_peer_that_was_asked_sends_elsewhere() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let call = bench.core.sendrec(10, FAR, b"q", 0, bench.now);
    bench.found(FAR, PEER);
    let op = bench
        .said()
        .into_iter()
        .find(|f| f.kind == kind::REQ)
        .unwrap()
        .op;
    bench.say(3, Frame::new(kind::ELSEWHERE).op(op));
    assert!(bench.asked().is_empty());
    bench.say(PEER, Frame::new(kind::ELSEWHERE).op(op));
    bench.found(FAR, 3);
    let again = bench
        .said()
        .into_iter()
        .find(|f| f.kind == kind::REQ)
        .unwrap();
    assert_eq!((again.dst_vm, again.flags, again.op), (3, 2, op));
    assert!(again.payload.is_empty());
    bench.say(PEER, Frame::new(kind::RPL).op(op));
    assert!(bench.core.is_pending(call));
    bench.say(3, Frame::new(kind::RPL).op(op));
    assert_eq!(bench.result(call), 0);
}
