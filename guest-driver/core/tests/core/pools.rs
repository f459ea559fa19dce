//! What has an end: queues, pools, the patience of the node, the device itself.

use crate::bench::{Bench, Frame, kind, life};
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, Kind, Limits};

const PEER: u32 = 2;
const FAR: Addr = Addr { nr: 20, gen_: 50 };
const EINVAL: i32 = -22;

fn bench(limits: Limits) -> Bench {
    let mut bench = Bench::new(limits);
    assert_eq!(bench.bind(10).result, 0);
    bench
}

#[test]
fn requests_wait_for_room_on_the_control_queue() {
    let mut bench = bench(Limits::default());
    bench.core.limit_control(1);
    let sends: Vec<_> = (20..25)
        .map(|nr| bench.core.send(10, Addr::number(nr), b"", 0, bench.now))
        .collect();
    let bind = bench.core.bind(11, bench.now);
    for nr in [20, 11, 21, 22, 23, 24] {
        let asked = bench.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].ep, nr);
        bench.core.room(bench.now);
        let kind = if nr == 11 { kind::BOUND } else { kind::FOUND };
        let answer = Frame::new(kind).op(asked[0].nonce).to(Addr { nr, gen_: 9 });
        bench.node(&answer.result(if nr == 11 { 0 } else { EDSTDIED }));
    }
    assert_eq!(bench.result(bind), 0);
    for id in sends {
        assert_eq!(bench.result(id), EDSTDIED);
    }
}

#[test]
fn what_the_node_refuses_fails() {
    let mut bench = bench(Limits::default());
    let send = bench.core.send(10, FAR, b"", 0, bench.now);
    let receive = bench.core.receive(10, FAR, 0, bench.now);
    let bind = bench.core.bind(11, bench.now);
    let asked = bench.asked();
    for request in &asked {
        bench.core.refused(request.nonce, 3, bench.now);
    }
    assert!(bench.core.is_pending(send), "busy: it is asked again");
    for request in asked.iter().chain(&asked) {
        bench.core.refused(request.nonce, 1, bench.now);
    }
    for id in [send, receive, bind] {
        assert_eq!(bench.result(id), EINVAL);
    }
}

#[test]
fn an_unbind_that_the_node_refuses_is_over() {
    let mut bench = bench(Limits::default());
    bench.core.unbind(10, bench.now);
    for request in bench.asked() {
        bench.core.refused(request.nonce, 2, bench.now);
    }
    assert_eq!(bench.core.stats().endpoints, 0);
}

#[test]
fn questions_are_asked_again_ever_more_seldom() {
    let mut bench = bench(Limits::default());
    let id = bench.core.send(10, FAR, b"", 0, bench.now);
    let mut times = 0;
    for _ in 0..100 {
        bench.pass(1_000_000_000);
        times += bench.asked().len();
    }
    assert_eq!(times, 8, "at 0, 2, 4, 8, 16, 32, 62 and 92 s");
    bench.node(&Frame::new(kind::RETRY));
    bench.not_found(20);
    assert_eq!(bench.result(id), EDSTDIED);
}

#[test]
fn early_messages_are_there_when_the_bind_is_known() {
    let mut bench = Bench::new(Limits::default());
    let bind = bench.core.bind(10, bench.now);
    let asked = bench.asked();
    let at = Addr { nr: 10, gen_: 7 };
    let early = [kind::MSG, kind::WATCH, kind::REQ, kind::NTF];
    for (op, kind) in (0..).zip(early) {
        bench.say(PEER, Frame::new(kind).from(FAR).to(at).op(op));
    }
    bench.node(&Frame::new(kind::BOUND).op(asked[0].nonce).to(at));
    assert_eq!(bench.result(bind), 0);
    for kind in [Kind::Notify, Kind::Message, Kind::Request] {
        let id = bench.core.receive(10, Addr::number(ANY), 0, bench.now);
        let got = bench.outcome(id);
        assert_eq!((got.kind, got.from), (kind, FAR));
    }
    bench.core.unbind(10, bench.now);
    let said = bench.said();
    let said: Vec<u8> = said.into_iter().map(|f| f.kind).collect();
    assert_eq!(said, [kind::TAKEN, kind::FAILED, kind::DIED]);
}

#[test]
fn an_early_message_leaves_nothing_where_the_bind_fails() {
    let mut bench = Bench::new(Limits::default());
    let bind = bench.core.bind(10, bench.now);
    let asked = bench.asked();
    let at = Addr { nr: 10, gen_: 7 };
    bench.say(PEER, Frame::new(kind::REQ).from(FAR).to(at).op(1));
    let refused = Frame::new(kind::BOUND).op(asked[0].nonce).to(at);
    bench.node(&refused.result(ESLOTUSED));
    assert_eq!(bench.result(bind), ESLOTUSED);
    assert_eq!(bench.said()[0].kind, kind::NOTHERE);
    bench.answer_binds();
    assert_eq!(bench.core.stats().endpoints, 0);
}

#[test]
fn the_next_life_of_a_vm_ends_the_one_before() {
    let mut bench = bench(Limits::default());
    let taken = bench.core.sendrec(10, FAR, b"", 0, bench.now);
    bench.found(FAR, PEER);
    bench.said();
    // No GONE was heard; the directory knows better.
    let moved = Addr { nr: 21, gen_: 51 };
    let send = bench.core.send(10, moved, b"", 0, bench.now);
    let asked = bench.asked();
    let mut found = Frame::new(kind::FOUND).op(asked[0].nonce).to(moved);
    found.arg = u64::from(PEER) | u64::from(life(PEER) + 1) << 32;
    bench.node(&found);
    assert_eq!(bench.result(taken), ESRCDIED);
    assert!(bench.core.is_pending(send));
    let said = bench.said();
    assert_eq!((said[0].dst_inc, said[0].seq), (life(PEER) + 1, 1));
    assert_eq!(bench.core.stats().peers, 1);
}

#[test]
fn a_location_in_one_vm_too_many_cannot_be_used() {
    let mut bench = bench(Limits {
        peers: 1,
        ..Limits::default()
    });
    bench.core.send(10, FAR, b"", 0, bench.now);
    bench.found(FAR, PEER);
    let send = bench.core.send(10, Addr::number(30), b"", 0, bench.now);
    let receive = bench.core.receive(10, Addr::number(30), 0, bench.now);
    bench.found(Addr { nr: 30, gen_: 1 }, PEER + 1);
    assert_eq!(bench.result(send), ERSCBUSY);
    assert_eq!(bench.result(receive), ERSCBUSY);
}

#[test]
fn locations_that_nobody_waits_for_make_room() {
    let mut bench = bench(Limits {
        destinations: 2,
        ..Limits::default()
    });
    let waiting: Vec<_> = (30..32)
        .map(|nr| bench.core.receive(10, Addr::number(nr), 0, bench.now))
        .collect();
    let send = bench.core.send(10, FAR, b"", 0, bench.now);
    let receive = bench.core.receive(10, FAR, 0, bench.now);
    assert_eq!(bench.result(send), EALLOCMEM);
    assert_eq!(bench.result(receive), EALLOCMEM);
    for id in waiting {
        bench.core.cancel(id, EINTR, bench.now);
    }
    for asked in bench.asked() {
        let at = Addr::number(asked.ep);
        bench.node(&Frame::new(kind::FOUND).op(asked.nonce).to(at).result(-109));
    }
    for nr in 40..50 {
        let send = bench.core.send(10, Addr::number(nr), b"", 0, bench.now);
        bench.not_found(nr);
        assert_eq!(bench.result(send), EDSTDIED);
    }
    assert_eq!(bench.core.stats().destinations, 2);
}

#[test]
fn calls_to_other_vms_have_an_end() {
    let mut bench = bench(Limits {
        operations: 2,
        ..Limits::default()
    });
    let calls: Vec<_> = (0..3)
        .map(|_| bench.core.send(10, FAR, b"", 0, bench.now))
        .collect();
    assert_eq!(bench.result(calls[2]), EALLOCMEM);
    bench.core.cancel(calls[0], ETIMEDOUT, bench.now);
    let id = bench.core.send(10, FAR, b"", 0, bench.now);
    assert!(bench.core.is_pending(id));
}

#[test]
fn nothing_can_be_begun_when_the_device_is_gone() {
    let mut bench = bench(Limits::default());
    bench.bind(11);
    bench.core.unbind(11, bench.now);
    bench.core.stop();
    assert_eq!(bench.core.stats().endpoints, 1, "the other is not unbound");
    let bind = bench.core.bind(12, bench.now);
    let send = bench.core.send(10, FAR, b"", 0, bench.now);
    assert_eq!(bench.result(bind), ENOTCONN);
    assert_eq!(bench.result(send), ENOTCONN);
    let before = bench.core.stats();
    bench.say(PEER, Frame::new(kind::MSG));
    bench.core.timer(bench.now);
    bench.core.room(bench.now);
    assert_eq!(bench.core.stats(), before);
}

#[test]
fn kinds_that_the_node_does_not_have_are_dropped() {
    let mut bench = bench(Limits::default());
    for kind in [0, 10, 15] {
        bench.node(&Frame::new(kind));
    }
    assert_eq!(bench.core.stats().malformed_dropped, 3);
}

#[test]
fn a_notification_to_a_stale_generation_is_detected() {
    let mut bench = bench(Limits::default());
    let here = bench.bind(11).from;
    let stale = Addr {
        gen_: here.gen_ + 1,
        ..here
    };
    let id = bench.core.notify(10, stale, bench.now);
    assert_eq!(bench.result(id), EENDPOINT);
}
