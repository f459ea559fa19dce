//! Moves that the node orders, for somebody outside.

use super::{TOKEN, assert_answered, start, take, three};
use crate::bench::{Bench, Frame, kind};
use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{Addr, Limits, RTS_MIGRATE};

/// What is ordered (`wire.h`).
const START: u64 = 1;
const COMMIT: u64 = 2;
const ROLLBACK: u64 = 3;
const CANCEL: u64 = 4;

fn frame(op: u64, what: u64, nr: i32) -> Frame {
    let mut frame = Frame::new(kind::ORDER).op(op).to(Addr::number(nr));
    frame.arg = what;
    frame
}

/// The node orders something of an endpoint, and all that follows from it happens.
fn order(net: &mut Net, vm: u32, op: u64, what: u64, nr: i32) {
    net.node_frame(vm, frame(op, what, nr));
    net.settle();
    net.pass(300_000_000);
}

/// What the first VM has told since, of which order: result and token.
fn told(net: &mut Net) -> Vec<(u64, i32, u64)> {
    let told = net.told.drain(..);
    told.map(|(vm, it)| {
        assert_eq!((vm, it.kind, it.dst_vm), (1, kind::ORDERED, 0));
        (it.op, it.result, it.arg)
    })
    .collect()
}

#[test]
fn an_endpoint_moves_by_order() {
    let mut net = three();
    order(&mut net, 1, TOKEN, START, 20);
    assert_eq!(told(&mut net), [(TOKEN, 0, TOKEN)]);
    assert_eq!(net.state(1, 20).rts, RTS_MIGRATE);
    let call = net.sendrec(3, 12, 20, b"q", 0);
    let adopt = net.adopt(2, 20, TOKEN);
    order(&mut net, 1, 5, COMMIT | 2 << 32, 20);
    assert_eq!(told(&mut net), [(5, 0, 0)]);
    assert_eq!(net.result(2, adopt), 0);
    assert!(take(&mut net, 2, 20).is_some());
    assert_eq!(net.reply(2, 20, 12, b"r"), 0);
    assert_answered(&mut net, 3, call, b"r");
    // It is not here any more.
    order(&mut net, 1, 6, ROLLBACK, 20);
    assert_eq!(told(&mut net), [(6, ERMTPROC, 0)]);
    net.assert_clean();
}

#[test]
fn it_is_one_move_with_that_of_a_process() {
    let mut net = three();
    start(&mut net, 1, 20);
    order(&mut net, 1, 7, START, 20);
    assert_eq!(told(&mut net), [(7, 0, TOKEN)], "the token of the first");
    order(&mut net, 1, 8, ROLLBACK, 20);
    assert_eq!(told(&mut net), [(8, 0, 0)]);
    assert_eq!(net.state(1, 20).rts, 0);
    order(&mut net, 1, 9, COMMIT, 20);
    order(&mut net, 1, 10, ROLLBACK, 20);
    order(&mut net, 1, 11, START, 2000);
    order(&mut net, 1, 12, START, 30);
    let wrong = [
        (9, EPROCSTS, 0),
        (10, EMIGRATE, 0),
        (11, ERANGE, 0),
        (12, ENOTBIND, 0),
    ];
    assert_eq!(told(&mut net), wrong);
    net.assert_clean();
}

#[test]
fn one_that_takes_too_long_leaves_nothing() {
    let mut net = three();
    let send = net.send(1, 20, 12, b"x", 0);
    order(&mut net, 1, TOKEN, START, 20);
    assert_eq!(told(&mut net), [], "the send is under way");
    order(&mut net, 1, TOKEN, START, 20);
    order(&mut net, 1, TOKEN + 1, CANCEL, 0);
    assert_eq!(
        told(&mut net),
        [],
        "it is the same one, and nothing else is known"
    );
    order(&mut net, 1, TOKEN, CANCEL, 0);
    assert_eq!(told(&mut net), [(TOKEN, ETIMEDOUT, 0)]);
    assert!(take(&mut net, 3, 12).is_some());
    assert_eq!(net.result(1, send), 0);
    assert_eq!(net.state(1, 20).rts, 0);
    // Nobody adopts it: the commit is given up, and it may move yet.
    start(&mut net, 1, 20);
    order(&mut net, 1, 8, COMMIT, 20);
    assert_eq!(told(&mut net), []);
    order(&mut net, 1, 8, CANCEL, 0);
    assert_eq!(told(&mut net), [(8, ETIMEDOUT, 0)]);
    order(&mut net, 1, 9, ROLLBACK, 20);
    assert_eq!(told(&mut net), [(9, 0, 0)]);
    net.assert_clean();
}

#[test]
fn more_than_there_may_be_drops_one() {
    let mut net = three();
    let sends = [20, 10, 13].map(|nr| net.send(1, nr, 12, b"x", 0));
    for (op, nr) in (1..).zip([20, 10, 13, 20, 10]) {
        order(&mut net, 1, op, START, nr);
    }
    for _ in sends {
        assert!(take(&mut net, 3, 12).is_some());
    }
    net.pass(300_000_000);
    let mut done = told(&mut net);
    done.sort_unstable();
    // The first was dropped, and the move of 20 went on for the fourth.
    assert_eq!(done, [(2, 0, 2), (3, 0, 3), (4, 0, 1), (5, 0, 2)]);
    for (op, nr) in (10..).zip([20, 10, 13]) {
        order(&mut net, 1, op, ROLLBACK, nr);
    }
    assert_eq!(told(&mut net), [(10, 0, 0), (11, 0, 0), (12, 0, 0)]);
    net.assert_clean();
}

#[test]
fn a_new_life_knows_of_none() {
    let mut net = three();
    let send = net.send(1, 20, 12, b"x", 0);
    order(&mut net, 1, TOKEN, START, 20);
    net.renew(1);
    net.pass(300_000_000);
    let left = told(&mut net);
    assert_eq!(left, []);
    assert_eq!(net.state(1, 20).rts & RTS_MIGRATE, 0);
    while take(&mut net, 3, 12).is_some() {}
    net.pass(300_000_000);
    net.outcome(1, send);
    order(&mut net, 1, TOKEN, START, 20);
    assert_eq!(told(&mut net), [(TOKEN, 0, TOKEN)]);
}

#[test]
fn answers_wait_for_room() {
    let mut bench = Bench::with_ring(Limits::default(), 1);
    bench.bind(10);
    for op in [1, 2, 3] {
        bench.node(&frame(op, ROLLBACK, 10));
    }
    bench.node(&Frame::new(kind::ASK).op(7));
    let said = bench.said();
    let mut said: Vec<_> = said.iter().map(|it| (it.kind, it.op, it.result)).collect();
    said.sort_unstable();
    let ordered = |op| (kind::ORDERED, op, EMIGRATE);
    assert_eq!(
        said,
        [(kind::TELL, 7, 0), ordered(1), ordered(2), ordered(3)]
    );
    assert!(bench.said().is_empty());
}

#[test]
fn what_is_no_order_is_dropped() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let before = bench.core.stats().malformed_dropped;
    for (op, what) in [(0, START), (1, 0), (1, 5), (1, u64::MAX)] {
        bench.node(&frame(op, what, 10));
    }
    assert!(bench.said().is_empty());
    assert_eq!(bench.core.stats().malformed_dropped, before + 4);
    bench.core.stop();
    bench.node(&frame(1, START, 10));
    assert!(bench.said().is_empty());
}
