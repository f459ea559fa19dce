//! What a lying or silent VM can do: spoil what is between it and this VM, nothing else.

use crate::bench::{Bench, Frame, kind, life};
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, Core, Identity, Limits};

const PEER: u32 = 2;
const OTHER: u32 = 3;
const FAR: Addr = Addr { nr: 20, gen_: 50 };
const FAR_OTHER: Addr = Addr { nr: 30, gen_: 60 };

fn small() -> Limits {
    Limits {
        endpoints: 4,
        peers: 4,
        operations: 16,
        ..Limits::default()
    }
}

/// A core with endpoint 10 that has exchanged one message with [`FAR`].
fn acquainted(limits: Limits) -> Bench {
    let mut bench = Bench::new(limits);
    bench.bind(10);
    let id = bench.core.send(10, FAR, b"", 0, bench.now);
    bench.found(FAR, PEER);
    let op = bench.said()[0].op;
    bench.say(PEER, Frame::new(kind::TAKEN).op(op));
    assert_eq!(bench.result(id), 0);
    bench
}

#[test]
fn answers_to_operations_that_are_over_change_nothing() {
    let mut bench = acquainted(Limits::default());
    for kind in 56..=60 {
        for op in [0, 1 << 63, u64::MAX, 1 << 32, 5] {
            bench.say(PEER, Frame::new(kind).op(op).result(-1));
        }
    }
    assert_eq!(bench.core.stats().operations, 0);
    assert!(bench.asked().is_empty());
}

#[test]
fn answers_of_a_third_vm_change_nothing() {
    let mut bench = acquainted(Limits::default());
    let id = bench.core.sendrec(10, FAR, b"q", 0, bench.now);
    let op = bench.said()[0].op;
    for kind in 56..=60 {
        bench.say(OTHER, Frame::new(kind).op(op).result(-1));
        bench.say(OTHER, Frame::new(kind::DIED).from(FAR));
    }
    assert!(bench.core.is_pending(id));
    bench.say(PEER, Frame::new(kind::RPL).op(op));
    assert_eq!(bench.result(id), 0);
}

#[test]
fn answers_of_the_wrong_kind_change_nothing() {
    let mut bench = acquainted(Limits::default());
    let send = bench.core.send(10, FAR, b"q", 0, bench.now);
    let op = bench.said()[0].op;
    bench.say(PEER, Frame::new(kind::RPL).op(op));
    bench.say(PEER, Frame::new(kind::CANCELLED).op(op));
    assert!(bench.core.is_pending(send));
    bench.say(PEER, Frame::new(kind::FAILED).op(op).result(1));
    assert_eq!(bench.result(send), -22, "a result that is no error");
}

#[test]
fn more_requests_than_credits_are_dropped() {
    let mut bench = Bench::new(Limits {
        credits: 8,
        ..Limits::default()
    });
    let to = bench.bind(10).from;
    for i in 0..100 {
        bench.say(PEER, Frame::new(kind::MSG).from(FAR).to(to).op(i));
    }
    assert_eq!(bench.core.stats().requests, 8);
    bench.say(OTHER, Frame::new(kind::MSG).from(FAR_OTHER).to(to));
    let id = bench.core.receive(10, FAR_OTHER, 0, bench.now);
    assert_eq!(bench.result(id), 0);
}

#[test]
fn acknowledgements_and_credits_out_of_range_are_not_believed() {
    let mut bench = acquainted(Limits::default());
    let id = bench.core.sendrec(10, FAR, b"q", 0, bench.now);
    let op = bench.said()[0].op;
    let peer = *bench.peer(PEER);
    for (ack, credit) in [
        (0, 0),
        (peer.expect + 1, 63),
        (u32::MAX, u32::MAX),
        (peer.expect.wrapping_add(1 << 31), 64 + (1 << 31)),
    ] {
        *bench.peer(PEER) = crate::bench::Peer {
            expect: ack,
            credit,
            ..peer
        };
        bench.acknowledge(PEER);
        assert_eq!(bench.core.stats().unacknowledged, 1);
    }
    *bench.peer(PEER) = peer;
    bench.say(PEER, Frame::new(kind::RPL).op(op));
    assert_eq!(bench.result(id), 0);
}

#[test]
fn refused_after_it_has_spoken_changes_nothing() {
    let mut bench = acquainted(Limits::default());
    let id = bench.core.sendrec(10, FAR, b"q", 0, bench.now);
    let op = bench.said()[0].op;
    bench.say(PEER, Frame::new(kind::REFUSED));
    assert!(bench.core.is_pending(id));
    bench.say(PEER, Frame::new(kind::RPL).op(op));
    assert_eq!(bench.result(id), 0);
}

#[test]
fn a_destination_that_is_never_there_is_asked_for_once() {
    let mut bench = acquainted(Limits::default());
    let id = bench.core.send(10, Addr::number(20), b"q", 0, bench.now);
    let op = bench.said()[0].op;
    for _ in 0..5 {
        bench.say(PEER, Frame::new(kind::NOTHERE).op(op).from(FAR));
    }
    bench.found(FAR, PEER);
    assert_eq!(bench.result(id), EDSTDIED);
}

#[test]
fn a_silent_vm_does_not_keep_the_endpoints_of_the_dead() {
    let mut bench = Bench::new(small());
    for i in 0..200 {
        let at = bench.bind(10);
        assert_eq!(at.result, 0, "bind {i}");
        let watch = Frame::new(kind::WATCH).to(at.from).op(1 << 63);
        bench.say(PEER, watch);
        // The watcher takes no frame any more.
        bench.peer(PEER).expect = 1;
        bench.core.unbind(10, bench.now);
        bench.answer_binds();
    }
    // Once it does, it learns that it may have missed deaths.
    let mut deaths = Vec::new();
    for _ in 0..20 {
        bench.node(&Frame::new(kind::RETRY));
        deaths.extend(bench.said().into_iter().map(|f| (f.kind, f.src.nr)));
        bench.acknowledge(PEER);
    }
    assert!(deaths.contains(&(kind::DIED, ANY)), "{deaths:?}");
    assert_eq!(bench.core.stats().endpoints, 0);
}

#[test]
fn who_may_have_missed_a_death_looks_again() {
    let mut bench = acquainted(Limits::default());
    let dead = bench.core.receive(10, FAR, 0, bench.now);
    assert_eq!(bench.said()[0].kind, kind::WATCH);
    bench.say(PEER, Frame::new(kind::DIED).from(Addr::number(ANY)));
    bench.not_found(20);
    assert_eq!(bench.result(dead), ESRCDIED);

    let alive = bench.core.receive(10, FAR, 0, bench.now);
    bench.found(FAR, PEER);
    bench.said();
    bench.say(PEER, Frame::new(kind::DIED).from(Addr::number(ANY)));
    bench.found(FAR, PEER);
    assert_eq!(bench.said()[0].kind, kind::WATCH);
    assert!(bench.core.is_pending(alive));
}

#[test]
fn callers_who_left_a_silent_vm_leave_nothing_behind() {
    let mut bench = acquainted(small());
    for i in 0..60 {
        let id = bench.core.sendrec(10, FAR, b"q", 0, bench.now);
        assert!(bench.core.is_pending(id), "call {i}: {}", bench.result(id));
        bench.said();
        bench.acknowledge(PEER);
        bench.core.cancel(id, ETIMEDOUT, bench.now);
        bench.core.abandon(id, bench.now);
        assert_eq!(bench.result(id), ETIMEDOUT);
        assert_eq!(bench.said()[0].kind, kind::CANCEL);
        bench.peer(PEER).credit += 1;
        bench.acknowledge(PEER);
    }
    assert_eq!(bench.core.stats().operations, 0);
}

#[test]
fn notifications_to_a_silent_vm_leave_room_for_calls() {
    let mut bench = acquainted(small());
    bench.core.send(10, FAR_OTHER, b"", 0, bench.now);
    bench.found(FAR_OTHER, OTHER);
    bench.said();
    // This one gives no credit at all: nothing of it is ever sent.
    for nr in -34..-2 {
        let id = bench.core.notify(10, Addr { nr, gen_: 7 }, bench.now);
        if bench.core.is_pending(id) {
            bench.found(Addr { nr, gen_: 7 }, OTHER);
        }
        let result = bench.result(id);
        assert!(result == 0 || result == EALLOCMEM, "{result}");
    }
    let id = bench.core.send(10, FAR, b"", 0, bench.now);
    let op = bench.said().into_iter().find(|f| f.kind == kind::MSG);
    let op = op.expect("the message is sent").op;
    bench.say(PEER, Frame::new(kind::TAKEN).op(op));
    assert_eq!(bench.result(id), 0);
}

#[test]
fn a_request_for_an_endpoint_whose_bind_fails_is_not_executed() {
    let mut bench = Bench::new(Limits::default());
    let id = bench.core.bind(10, bench.now);
    let asked = bench.asked();
    let to = Addr { nr: 10, gen_: 9 };
    for kind in [kind::MSG, kind::REQ, kind::NTF, kind::WATCH] {
        for gen_ in [0, 9] {
            let frame = Frame::new(kind).from(FAR).to(Addr { gen_, ..to });
            bench.say(PEER, frame.op(u64::from(kind)));
        }
    }
    assert_eq!(bench.core.stats().requests, 8);
    let no = Frame::new(kind::BOUND).op(asked[0].nonce);
    bench.node(&no.to(Addr::number(10)).result(ESLOTUSED));
    assert_eq!(bench.result(id), ESLOTUSED);
    let said = bench.said();
    let expected = |k| {
        if k == u64::from(kind::NTF) {
            kind::BOUNCED
        } else {
            kind::NOTHERE
        }
    };
    assert_eq!(said.len(), 8, "{said:?}");
    assert!(said.iter().all(|f| f.kind == expected(f.op)), "{said:?}");
    assert_eq!(bench.core.stats().requests, 0);
}

#[test]
fn nowait_does_not_wait_for_a_bind() {
    let mut bench = Bench::new(Limits::default());
    bench.core.bind(10, bench.now);
    bench.asked();
    let mut frame = Frame::new(kind::MSG).from(FAR).to(Addr { nr: 10, gen_: 9 });
    frame.flags = 1;
    bench.say(PEER, frame);
    let said = bench.said();
    assert_eq!((said[0].kind, said[0].result), (kind::FAILED, EAGAIN));
}

#[test]
fn limits_and_identities_out_of_range_make_no_core() {
    let good = Identity {
        vm: 1,
        incarnation: 1,
        nr_tasks: 34,
        nr_procs: 221,
        nr_sysprocs: 64,
        flags: 0,
    };
    for window in [48, 33, 16, 8192] {
        let limits = Limits {
            window,
            ..Limits::default()
        };
        assert!(Core::new(good, limits, 16).is_none(), "window {window}");
    }
    for bad in [
        Identity { vm: 0, ..good },
        Identity {
            nr_tasks: i32::MIN,
            ..good
        },
        Identity {
            nr_procs: -1,
            ..good
        },
    ] {
        assert!(Core::new(bad, Limits::default(), 16).is_none(), "{bad:?}");
    }
}

#[test]
fn a_stopped_core_sends_nothing_more() {
    let mut bench = acquainted(Limits::default());
    let here = bench.bind(11).from;
    bench.peer(PEER).credit = 0;
    let calls: Vec<_> = (0..20)
        .map(|_| bench.core.sendrec(10, FAR, b"q", 0, bench.now))
        .collect();
    bench.say(PEER, Frame::new(kind::REQ).from(FAR).to(here).op(1));
    bench.core.bind(12, bench.now);
    bench.core.stop();
    bench.sent();
    for id in calls {
        assert_eq!(bench.result(id), ENOTCONN);
    }
    bench.core.unbind(11, bench.now);
    bench.core.unbind(10, bench.now);
    assert!(bench.sent().is_empty());
    assert_eq!(bench.core.stats().endpoints, 0);
    bench.core.refused(1, 1, bench.now);
}

#[test]
fn a_life_that_is_over_is_not_found_again() {
    let mut bench = acquainted(Limits::default());
    let id = bench.core.send(10, FAR_OTHER, b"", 0, bench.now);
    let asked = bench.asked();
    // The directory answered before that VM began its present life.
    let mut found = Frame::new(kind::FOUND).op(asked[0].nonce).to(FAR_OTHER);
    found.arg = u64::from(PEER) | u64::from(life(PEER) - 1) << 32;
    bench.node(&found);
    assert_eq!(bench.result(id), EDSTDIED);
}
