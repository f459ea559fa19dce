//! Nobody waits for ever for what was lost, and nothing is sent or asked in vain.

use crate::bench::{Bench, Frame, kind};
use crate::net::{Fate, Net};
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, Kind, Limits};

const PEER: u32 = 2;
const FAR: Addr = Addr { nr: 20, gen_: 50 };
const SECOND: u64 = 1_000_000_000;

fn acquainted() -> Bench {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let id = bench.core.send(10, FAR, b"", 0, bench.now);
    bench.found(FAR, PEER);
    let op = bench.said()[0].op;
    bench.say(PEER, Frame::new(kind::TAKEN).op(op));
    assert_eq!(bench.result(id), 0);
    bench
}

#[test]
fn requests_that_died_on_the_way_give_their_credit_back() {
    let mut net = Net::new(2);
    net.bind(2, 20);
    for i in 0..100 {
        assert_eq!(net.bind(1, 10).result, 0);
        net.fates = [Fate::Drop].into();
        let now = net.now;
        net.core(1).send(10, Addr::number(20), b"lost", 0, now);
        while net.core(1).stats().operations > 0 && !net.fates.is_empty() {
            assert!(net.step(1), "round {i}: nothing is sent");
        }
        net.unbind(1, 10);
    }
    net.bind(1, 10);
    let id = net.send(1, 10, 20, b"hello", 0);
    let rcv = net.receive(2, 20, ANY, 0);
    assert_eq!(net.outcome(2, rcv).data, b"hello");
    assert_eq!(net.result(1, id), 0);
    net.assert_clean();
}

#[test]
fn a_lost_grant_is_asked_for() {
    let mut bench = acquainted();
    bench.peer(PEER).credit = 0;
    let calls: Vec<_> = (0..70)
        .map(|_| bench.core.sendrec(10, FAR, b"q", 0, bench.now))
        .collect();
    // All that was sent is acknowledged; the grant that followed was lost.
    let sent = bench.said().len();
    assert!(sent < 70);
    bench.acknowledge(PEER);
    assert_eq!(bench.core.stats().unacknowledged, 0);
    bench.pass(2 * SECOND);
    let probe = bench.said();
    assert_eq!(probe[0].kind, kind::NOP, "{probe:?}");
    bench.peer(PEER).credit = 200;
    bench.acknowledge(PEER);
    assert_eq!(bench.said().len(), calls.len() - sent);
}

#[test]
fn a_long_outage_does_not_make_the_backstop_slow_for_ever() {
    let mut bench = acquainted();
    let before = *bench.peer(PEER);
    bench.core.sendrec(10, FAR, b"q", 0, bench.now);
    bench.pass(100 * SECOND);
    bench.sent();
    *bench.peer(PEER) = before;
    // The peer is back: it takes the first of two, the second is lost.
    bench.core.sendrec(10, FAR, b"q", 0, bench.now);
    bench.sent();
    bench.peer(PEER).expect = before.expect + 1;
    bench.acknowledge(PEER);
    bench.pass(2 * SECOND);
    assert_eq!(bench.said().len(), 1);
}

#[test]
fn an_answer_at_once_needs_no_lone_acknowledgement() {
    let mut bench = Bench::new(Limits::default());
    let to = bench.bind(10).from;
    bench.core.receive(10, Addr::number(ANY), 0, bench.now);
    bench.say(PEER, Frame::new(kind::MSG).from(FAR).to(to));
    assert_eq!(bench.sent().len(), 1);
    bench.acknowledge(PEER);
    bench.pass(SECOND);
    assert_eq!(bench.sent(), []);
}

#[test]
fn frames_are_counted_once_and_again() {
    let mut bench = acquainted();
    for _ in 0..5 {
        bench.core.sendrec(10, FAR, b"q", 0, bench.now);
    }
    let first = bench.core.stats();
    bench.node(&Frame::new(kind::RETRY));
    let second = bench.core.stats();
    assert_eq!(first.frames_sent, 6);
    assert_eq!((second.frames_sent, second.frames_sent_again), (6, 5));
}

#[test]
fn many_callers_ask_once_for_one_location() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    for _ in 0..20 {
        bench.core.send(10, FAR, b"", 0, bench.now);
        bench.core.receive(10, FAR, 0, bench.now);
    }
    assert_eq!(bench.asked().len(), 1);
}

#[test]
fn a_location_that_nobody_waits_for_opens_no_channel() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let id = bench.core.send(10, FAR, b"", 0, bench.now);
    bench.core.cancel(id, EINTR, bench.now);
    bench.found(FAR, PEER);
    assert_eq!(bench.core.stats().peers, 0);
}

#[test]
fn receiving_from_an_endpoint_that_was_bound_anew_fails() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let id = bench.core.receive(10, FAR, 0, bench.now);
    bench.found(Addr { gen_: 51, ..FAR }, PEER);
    assert_eq!(bench.result(id), EENDPOINT);
    let here = bench.bind(11).from;
    let stale = Addr {
        gen_: here.gen_ + 1,
        ..here
    };
    let id = bench.core.receive(10, stale, 0, bench.now);
    assert_eq!(bench.result(id), EENDPOINT);
}

#[test]
fn a_newer_life_than_the_remembered_one_is_looked_up_and_watched() {
    let mut bench = acquainted();
    let new = Addr { gen_: 51, ..FAR };
    let old = bench.core.receive(10, FAR, 0, bench.now);
    assert_eq!(bench.said()[0].dst, FAR);
    let id = bench.core.receive(10, new, 0, bench.now);
    assert!(bench.core.is_pending(id));
    bench.found(new, PEER);
    let watch = bench.said();
    assert_eq!((watch[0].kind, watch[0].dst), (kind::WATCH, new));
    assert_eq!(bench.result(old), EENDPOINT);
    bench.say(PEER, Frame::new(kind::DIED).from(FAR));
    assert!(bench.core.is_pending(id));
    bench.say(PEER, Frame::new(kind::DIED).from(new));
    assert_eq!(bench.result(id), ESRCDIED);
}

#[test]
fn the_death_of_the_remembered_life_is_not_that_of_a_newer_one() {
    let mut bench = acquainted();
    let new = Addr { gen_: 51, ..FAR };
    let id = bench.core.receive(10, new, 0, bench.now);
    bench.say(PEER, Frame::new(kind::DIED).from(FAR));
    assert!(bench.core.is_pending(id));
    bench.found(new, PEER);
    assert_eq!(bench.said()[0].dst, new);
    bench.say(PEER, Frame::new(kind::DIED).from(new));
    assert_eq!(bench.result(id), ESRCDIED);
}

#[test]
fn a_notification_follows_its_target_to_another_vm() {
    let mut net = Net::new(3);
    net.bind(1, 10);
    net.bind(2, 20);
    let id = net.send(1, 10, 20, b"", 0);
    let rcv = net.receive(2, 20, ANY, 0);
    assert_eq!(net.result(2, rcv), 0);
    assert_eq!(net.result(1, id), 0);
    net.unbind(2, 20);
    net.bind(3, 20);
    assert_eq!(net.notify(1, 10, 20), 0);
    let rcv = net.receive(3, 20, ANY, 0);
    assert_eq!(net.outcome(3, rcv).kind, Kind::Notify);
    net.assert_clean();
}

#[test]
fn a_bind_that_was_given_up_does_not_bar_the_next() {
    let mut bench = Bench::new(Limits::default());
    let first = bench.core.bind(10, bench.now);
    bench.core.cancel(first, EINTR, bench.now);
    assert_eq!(bench.result(first), EINTR);
    let second = bench.core.bind(10, bench.now);
    let third = bench.core.bind(10, bench.now);
    bench.answer_binds();
    assert_eq!(bench.result(second), 0);
    assert_eq!(bench.result(third), ESLOTUSED);
}

#[test]
fn a_bind_that_was_given_up_is_undone() {
    let mut bench = Bench::new(Limits::default());
    let id = bench.core.bind(10, bench.now);
    bench.core.cancel(id, EINTR, bench.now);
    bench.answer_binds();
    assert_eq!(bench.core.stats().endpoints, 0);
    assert_eq!(bench.bind(10).result, 0);
}

#[test]
fn a_call_can_be_abandoned_at_any_time() {
    let mut bench = acquainted();
    bench.peer(PEER).credit = 0;
    let looked_up = bench.core.send(10, Addr::number(33), b"", 0, bench.now);
    let mut calls: Vec<_> = (0..80)
        .map(|_| bench.core.sendrec(10, FAR, b"q", 0, bench.now))
        .collect();
    calls.push(looked_up);
    bench.said();
    bench.acknowledge(PEER);
    for id in calls {
        bench.core.abandon(id, bench.now);
        assert_eq!(bench.result(id), EINTR);
    }
    let cancels = bench.said();
    assert!(cancels.iter().all(|f| f.kind == kind::CANCEL));
    assert!(!cancels.is_empty());
    bench.peer(PEER).credit = 200;
    bench.acknowledge(PEER);
    assert_eq!(bench.said().len() + cancels.len(), 63);
    assert_eq!(bench.core.stats().operations, 0);
}

/// A VM that stands still acknowledges nothing and answers no cancellation: what its callers have
/// given up never comes to it, also when it goes on.
#[test]
fn what_was_given_up_is_not_sent_again() {
    let mut bench = acquainted();
    bench.acknowledge(PEER);
    let before = *bench.peer(PEER);
    let sent = bench.core.send(10, FAR, b"late", 0, bench.now);
    let asked = bench.core.sendrec(10, FAR, b"late", 0, bench.now);
    let kept = bench.core.sendrec(10, FAR, b"kept", 0, bench.now);
    assert_eq!(bench.said().len(), 3);
    *bench.peer(PEER) = before;
    for id in [sent, asked] {
        bench.core.cancel(id, ETIMEDOUT, bench.now);
        bench.core.abandon(id, bench.now);
        assert_eq!(bench.result(id), ETIMEDOUT);
    }
    bench.said();
    *bench.peer(PEER) = before;
    bench.node(&Frame::new(kind::RETRY));
    let again: Vec<u8> = bench.said().iter().map(|f| f.kind).collect();
    let [nop, cancel] = [kind::NOP, kind::CANCEL];
    assert_eq!(again, [nop, nop, kind::REQ, cancel, cancel]);
    bench.core.abandon(kept, bench.now);
}

/// The same where the VM has been out of reach for so long that no decision is waited for.
#[test]
fn what_could_not_arrive_is_not_sent_again() {
    let mut bench = acquainted();
    bench.acknowledge(PEER);
    let before = *bench.peer(PEER);
    let id = bench.core.send(10, FAR, b"late", 0, bench.now);
    bench.pass(100 * SECOND);
    bench.core.cancel(id, ETIMEDOUT, bench.now);
    assert_eq!(bench.result(id), ETIMEDOUT);
    bench.said();
    *bench.peer(PEER) = before;
    bench.node(&Frame::new(kind::RETRY));
    assert!(bench.said().iter().all(|f| f.kind != kind::MSG));
}

#[test]
fn a_reply_to_a_stale_generation_is_detected() {
    let mut bench = acquainted();
    let client = bench.bind(11).from;
    let stale = Addr {
        gen_: client.gen_ + 1,
        ..client
    };
    let id = bench.core.reply(10, stale, 0, b"", bench.now);
    assert_eq!(bench.result(id), EENDPOINT);
    let id = bench.core.reply(10, client, 0, b"", bench.now);
    assert_eq!(bench.result(id), EPROCSTS);
}

#[test]
fn a_question_just_asked_is_not_repeated_by_the_timer_of_an_older_one() {
    let mut net = Net::new(2);
    net.bind(1, 10);
    net.bind(2, 20);
    // The timer armed for the bind goes off while a look-up is under way.
    net.pass(999_999_990);
    let now = net.now;
    net.core(1).send(10, Addr::number(20), b"", 0, now);
    let at = net.core(1).timer_at();
    net.now = at;
    net.core(1).timer(at);
    net.settle();
    assert_eq!(net.core(1).stats().backstop_fired, 0);
}
