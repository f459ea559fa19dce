//! Copies with a lying or silent VM: it spoils only what it takes part in.

use crate::bench::{Bench, Frame, ME, MY_LIFE, kind, life};
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, CallId, CopyEnd, CopyRequest, Limits};

const PEER: u32 = 2;
const OTHER: u32 = 3;
const FAR: Addr = Addr { nr: 20, gen_: 50 };
const FAR_OTHER: Addr = Addr { nr: 30, gen_: 60 };
const BYTES: u64 = 150_000;

/// Payload of COPY_IN, COPY_OUT and FETCH.
#[derive(Clone, Copy)]
struct What {
    address: u64,
    bytes: u64,
    id: u64,
    requester: (u32, u32),
    other: (u32, u32),
    other_ep: Addr,
}

impl What {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for long in [self.address, self.bytes, 0, self.id] {
            bytes.extend(long.to_le_bytes());
        }
        for word in [
            self.requester.0,
            self.requester.1,
            self.other.0,
            self.other.1,
            self.other_ep.nr.cast_unsigned(),
            self.other_ep.gen_,
            0,
            0,
        ] {
            bytes.extend(word.to_le_bytes());
        }
        bytes
    }
}

fn end(ep: Addr) -> CopyEnd {
    CopyEnd {
        ep,
        ..CopyEnd::default()
    }
}

/// A core with endpoint 10, which waits, and memory for it.
fn waiting(limits: Limits) -> (Bench, Addr, CallId) {
    let mut bench = Bench::new(limits);
    let at = bench.bind(10).from;
    *bench.core.memory(10) = vec![0; 200_000];
    let id = bench.core.receive(10, Addr::number(ANY), 0, bench.now);
    (bench, at, id)
}

/// Endpoint 10 copies from [`FAR`]: the id of the copy and of the FETCH.
fn fetching() -> (Bench, CallId, u64, u64) {
    let mut bench = Bench::new(Limits::default());
    let me = bench.bind(10).from;
    *bench.core.memory(10) = vec![0; 200_000];
    let request = CopyRequest {
        src: end(FAR),
        dst: end(me),
        bytes: BYTES,
    };
    let id = bench.core.copy(10, &request, bench.now);
    bench.found(FAR, PEER);
    let said = bench.said();
    let kinds: Vec<u8> = said.iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [kind::COPY_OUT, kind::FETCH]);
    let copy = u64::from_le_bytes(said[1].payload[24..32].try_into().unwrap());
    (bench, id, copy, said[0].op)
}

fn data(copy: u64, seq: u32, offset: u64, len: usize) -> Frame {
    let mut frame = Frame::new(kind::BULK_DATA).op(copy).to(Addr {
        nr: ME.cast_signed(),
        gen_: MY_LIFE,
    });
    frame.seq = seq;
    frame.arg = offset;
    frame.payload = vec![7; len];
    frame
}

/// A bulk frame of another VM, with its number as it is.
fn say_bulk(bench: &mut Bench, vm: u32, mut frame: Frame) {
    let peer = *bench.peer(vm);
    (frame.ack, frame.credit) = (peer.expect, peer.credit);
    (frame.src_vm, frame.src_inc) = (vm, life(vm));
    bench.core.frame(&frame.encode(), bench.now);
    bench.core.batch_end(bench.now);
}

#[test]
fn data_in_order_is_taken_once() {
    let (mut bench, id, copy, op) = fetching();
    say_bulk(&mut bench, PEER, data(copy, 1, 0, 60_000));
    say_bulk(&mut bench, PEER, data(copy, 1, 0, 60_000));
    say_bulk(&mut bench, PEER, data(copy, 3, 120_000, 30_000));
    say_bulk(&mut bench, PEER, data(copy, 2, 60_000, 60_000));
    say_bulk(&mut bench, PEER, data(copy, 3, 120_000, 30_000));
    assert!(
        bench.core.is_pending(id),
        "the source has not said its part"
    );
    bench.say(PEER, Frame::new(kind::COPIED).op(op));
    assert_eq!(bench.result(id), 0);
    assert!(bench.core.memory(10)[..150_000].iter().all(|&b| b == 7));
    assert!(bench.core.memory(10)[150_000..].iter().all(|&b| b == 0));
    let stats = bench.core.stats();
    assert_eq!((stats.duplicates_dropped, stats.gaps_dropped), (1, 1));
    assert_eq!((stats.sides, stats.copies), (0, 0));
}

#[test]
fn data_that_does_not_fit_ends_the_copy() {
    for (offset, len) in [
        (1, 100),
        (u64::MAX, 100),
        (60_000, 100),
        (0, 0),
        (1 << 32, 100),
    ] {
        let (mut bench, id, copy, op) = fetching();
        say_bulk(&mut bench, PEER, data(copy, 1, offset, len));
        let said = bench.said();
        assert!(said.iter().any(|f| f.kind == kind::CANCEL && f.op == op));
        bench.say(PEER, Frame::new(kind::CANCELLED).op(op));
        assert_eq!(bench.result(id), EINVAL, "{offset} {len}");
        assert!(bench.core.memory(10).iter().all(|&b| b == 0));
        assert_eq!(bench.core.stats().sides, 0);
    }
}

#[test]
fn more_data_than_asked_for_ends_the_copy() {
    let (mut bench, id, copy, op) = fetching();
    for (i, offset) in [0, 60_000, 120_000].into_iter().enumerate() {
        let seq = u32::try_from(i).unwrap() + 1;
        say_bulk(&mut bench, PEER, data(copy, seq, offset, 60_000));
    }
    bench.say(PEER, Frame::new(kind::CANCELLED).op(op));
    assert_eq!(bench.result(id), EINVAL);
    assert!(bench.core.memory(10)[120_000..].iter().all(|&b| b == 0));
}

#[test]
fn data_of_others_changes_nothing() {
    let (mut bench, id, copy, op) = fetching();
    say_bulk(&mut bench, OTHER, data(copy, 1, 0, 1000));
    bench.say(OTHER, Frame::new(kind::ACK));
    bench.say(OTHER, Frame::new(kind::WATCH).to(FAR));
    say_bulk(&mut bench, OTHER, data(copy, 1, 0, 1000));
    say_bulk(&mut bench, PEER, data(copy + 1, 1, 0, 1000));
    let mut wrong = data(copy, 2, 0, 1000);
    wrong.dst.gen_ += 1;
    say_bulk(&mut bench, PEER, wrong);
    let mut of_node = data(copy, 3, 0, 1000);
    (of_node.src_vm, of_node.src_inc) = (0, 0);
    bench.core.frame(&of_node.encode(), bench.now);
    assert!(bench.core.memory(10).iter().all(|&b| b == 0));
    bench.say(OTHER, Frame::new(kind::COPIED).op(op));
    assert!(bench.core.is_pending(id));
    bench.say(PEER, Frame::new(kind::FAILED).op(op).result(EPROCSTS));
    assert_eq!(bench.result(id), EPROCSTS);
}

#[test]
fn lies_about_the_copy_are_refused() {
    let (mut bench, at, id) = waiting(Limits::default());
    let what = What {
        address: 0,
        bytes: 1000,
        id: 5,
        requester: (PEER, life(PEER)),
        other: (OTHER, life(OTHER)),
        other_ep: FAR_OTHER,
    };
    for (lie, result) in [
        (
            What {
                requester: (OTHER, life(OTHER)),
                ..what
            },
            EINVAL,
        ),
        (
            What {
                requester: (PEER, 7),
                ..what
            },
            EINVAL,
        ),
        (
            What {
                other: (ME, 7),
                ..what
            },
            EINVAL,
        ),
        (What { bytes: 0, ..what }, ERANGE),
        (
            What {
                bytes: 1 << 40,
                ..what
            },
            E2BIG,
        ),
        (
            What {
                address: u64::MAX,
                ..what
            },
            ERANGE,
        ),
        (
            What {
                address: 199_500,
                ..what
            },
            EINVAL,
        ),
    ] {
        for kind in [kind::COPY_IN, kind::COPY_OUT] {
            let mut frame = Frame::new(kind).from(FAR).to(at).op(9);
            frame.payload = lie.encode();
            bench.say(PEER, frame);
            let said = bench.said();
            assert_eq!(said.len(), 1, "{said:?}");
            assert_eq!((said[0].kind, said[0].op), (kind::FAILED, 9));
            assert_eq!(said[0].result, result);
        }
    }
    let mut short = Frame::new(kind::COPY_IN).from(FAR).to(at).op(9);
    short.payload = vec![0; 63];
    bench.say(PEER, short);
    assert_eq!(bench.said()[0].result, EINVAL);
    let stale = Addr { gen_: 999, ..at };
    let mut frame = Frame::new(kind::COPY_IN).from(FAR).to(stale).op(9);
    frame.payload = what.encode();
    bench.say(PEER, frame);
    assert_eq!(bench.said()[0].kind, kind::NOTHERE);
    assert_eq!(bench.core.stats().sides, 0);
    assert_eq!(bench.core.stats().requests, 0);
    assert!(bench.core.is_pending(id));
}

#[test]
fn one_peer_cannot_take_the_sides_of_all() {
    let limits = Limits {
        sides: 16,
        ..Limits::default()
    };
    let (mut bench, at, id) = waiting(limits);
    for vm in [PEER, OTHER] {
        let mut failed = 0;
        for i in 0..10 {
            let mut frame = Frame::new(kind::COPY_OUT).from(FAR).to(at).op(i);
            frame.payload = What {
                address: 0,
                bytes: 1000,
                id: i,
                requester: (vm, life(vm)),
                other: (7, life(7)),
                other_ep: FAR_OTHER,
            }
            .encode();
            bench.say(vm, frame);
            let said = bench.said();
            failed += said.iter().filter(|f| f.result == EALLOCMEM).count();
        }
        assert_eq!(failed, 6);
    }
    assert_eq!(bench.core.stats().sides, 8);
    bench.core.cancel(id, EINTR, bench.now);
    assert_eq!(bench.result(id), EINTR);
    assert_eq!(bench.core.stats().sides, 0);
    assert!(bench.said().iter().all(|f| f.result == EPROCSTS));
}

#[test]
fn a_fetch_that_nobody_asked_for_waits_until_it_is_taken_back() {
    let (mut bench, at, _) = waiting(Limits::default());
    let mut frame = Frame::new(kind::FETCH).from(FAR).to(at).op(77);
    frame.payload = What {
        address: 0,
        bytes: 1000,
        id: 5,
        requester: (OTHER, life(OTHER)),
        other: (PEER, life(PEER)),
        other_ep: FAR,
    }
    .encode();
    bench.say(PEER, frame.clone());
    assert_eq!(bench.core.stats().requests, 1);
    bench.say(PEER, Frame::new(kind::CANCEL).op(77));
    assert_eq!(bench.core.stats().requests, 0);
    frame.payload.pop();
    bench.say(PEER, frame);
    assert_eq!(bench.core.stats().requests, 0);
    assert!(bench.core.take_bulk(bench.now).is_none());
}

/// The peer, as requester and destination, fetches from endpoint 10.
#[test]
fn a_destination_gets_no_more_than_its_credits() {
    let (mut bench, at, _) = waiting(Limits::default());
    *bench.core.memory(10) = vec![9; 2 << 20];
    let what = What {
        address: 0,
        bytes: 1 << 20,
        id: 5,
        requester: (PEER, life(PEER)),
        other: (PEER, life(PEER)),
        other_ep: FAR,
    };
    for (kind, op) in [(kind::FETCH, 1), (kind::COPY_OUT, 2)] {
        let mut frame = Frame::new(kind).from(FAR).to(at).op(op);
        frame.payload = what.encode();
        bench.say(PEER, frame);
    }
    let take = |bench: &mut Bench| {
        let now = bench.now;
        let frames = std::iter::from_fn(|| bench.core.take_bulk(now));
        frames.map(|f| Frame::decode(&f)).collect::<Vec<_>>()
    };
    let first = take(&mut bench);
    assert_eq!(first.len(), 8);
    for (i, f) in first.iter().enumerate() {
        assert_eq!(
            (f.kind, f.op, f.arg),
            (kind::BULK_DATA, 5, i as u64 * 65536)
        );
        assert_eq!(f.seq as usize, i + 1);
        assert!(f.payload.iter().all(|&b| b == 9));
    }
    // What it has not got it cannot acknowledge.
    let mut ack = Frame::new(kind::ACK);
    (ack.bulk_ack, ack.bulk_credit) = (100, 8);
    bench.say(PEER, ack.clone());
    assert!(take(&mut bench).is_empty());
    (ack.bulk_ack, ack.bulk_credit) = (9, 24);
    bench.say(PEER, ack.clone());
    let more = take(&mut bench);
    assert_eq!(more.len(), 8);
    assert!(bench.said().iter().all(|f| f.kind == kind::ACK));
    // It wants no more: what is not acknowledged only keeps its numbers.
    bench.say(PEER, Frame::new(kind::CANCEL).op(2));
    let said = bench.said();
    assert!(said.iter().any(|f| f.kind == kind::CANCELLED && f.op == 2));
    assert_eq!(bench.core.stats().sides, 0);
    bench.pass(3_000_000_000);
    let again = take(&mut bench);
    assert!(!again.is_empty());
    assert!(
        again
            .iter()
            .all(|f| f.kind == kind::BULK_NOP && f.payload.is_empty())
    );
    ack.bulk_ack = 17;
    bench.say(PEER, ack);
    assert_eq!(bench.core.stats().bulk_unacknowledged, 0);
}

#[test]
fn a_party_that_is_bound_here_while_it_is_looked_for() {
    let mut bench = Bench::new(Limits::default());
    let me = bench.bind(10).from;
    *bench.core.memory(10) = vec![1; 100];
    *bench.core.memory(20) = vec![0; 100];
    let request = CopyRequest {
        src: end(me),
        dst: end(Addr::number(20)),
        bytes: 100,
    };
    let copy = bench.core.copy(10, &request, bench.now);
    let asked = bench.asked();
    assert_eq!((asked.len(), asked[0].op), (1, 3));
    let at = bench.bind(20).from;
    let wait = bench.core.receive(20, Addr::number(ANY), 0, bench.now);
    // Another operation takes the place of the question.
    let mut found = Frame::new(kind::FOUND).op(asked[0].nonce).to(at);
    found.arg = u64::from(ME) | u64::from(MY_LIFE) << 32;
    bench.core.hold_copies();
    bench.node(&found);
    let other = bench.core.sendrec(10, FAR_OTHER, b"q", 0, bench.now);
    bench.found(FAR_OTHER, OTHER);
    bench.core.cancel(copy, ETIMEDOUT, bench.now);
    assert_eq!(bench.result(copy), ETIMEDOUT);
    while bench.core.copy_step(bench.now) {}
    assert!(bench.core.is_pending(wait));
    assert!(bench.core.is_pending(other));
    let op = bench.said()[0].op;
    bench.say(OTHER, Frame::new(kind::RPL).op(op));
    assert_eq!(bench.result(other), 0);
    assert_eq!(bench.core.stats().sides, 0);
}
