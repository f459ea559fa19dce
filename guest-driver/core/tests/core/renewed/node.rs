//! What the node is asked in a new life of the VM.

use crate::bench::{Bench, Frame, ME, MY_LIFE, kind};
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, CallId, ControlRequest, Kind, Limits, NOWAIT, Privileges};

const FAR: Addr = Addr { nr: 20, gen_: 50 };
const PEER: u32 = 2;

/// The node's part of a bench: everything that was asked, and a new life.
fn renew(bench: &mut Bench) -> Vec<ControlRequest> {
    bench.asked();
    let mut frame = Frame::new(kind::RENEWED);
    frame.arg = u64::from(MY_LIFE + 1);
    bench.node(&frame);
    bench.asked()
}

fn to_new_life(kind: u8, nonce: u64, at: Addr) -> Frame {
    let frame = Frame::new(kind).op(nonce).to(at);
    Frame {
        dst_vm: ME,
        dst_inc: MY_LIFE + 1,
        ..frame
    }
}

#[test]
fn the_incarnation_follows_and_only_forwards() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    for (told, then) in [
        (MY_LIFE + 5, MY_LIFE + 5),
        (MY_LIFE + 5, MY_LIFE + 5),
        (3, MY_LIFE + 5),
    ] {
        let mut frame = Frame::new(kind::RENEWED);
        frame.arg = u64::from(told);
        bench.node(&frame);
        assert_eq!(bench.core.incarnation(), then);
    }
    assert_eq!(bench.core.stats().renewals, 1);
    assert_eq!(bench.core.stats().malformed_dropped, 0);
    // What was said to the life before is not heard any more.
    bench.say(PEER, Frame::new(kind::MSG).from(FAR).to(Addr::number(10)));
    assert_eq!(bench.core.stats().malformed_dropped, 1);
}

#[test]
fn control_requests_under_way_are_asked_anew() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    bench.bind(11);
    let bind = bench.core.bind(12, bench.now);
    let send = bench.core.send(10, Addr::number(20), b"", 0, bench.now);
    let awaits = bench.core.await_bind(10, 30, bench.now);
    bench.core.unbind(11, bench.now);
    let asked = renew(&mut bench);
    let mut what: Vec<_> = asked.iter().map(|r| (r.op, r.ep, r.gen_)).collect();
    what.sort_unstable();
    assert_eq!(
        what,
        [(1, 10, 0), (1, 12, 0), (2, 11, 0), (3, 20, 0), (4, 30, 0)]
    );
    for r in asked {
        let at = Addr { nr: r.ep, gen_: 90 };
        let kind = [kind::BOUND, kind::UNBOUND, kind::FOUND, kind::FOUND][r.op as usize - 1];
        // An answer to the life before is no answer.
        bench.node(&Frame::new(kind).op(r.nonce).to(Addr { gen_: 1, ..at }));
        let mut frame = to_new_life(kind, r.nonce, at);
        frame.arg = u64::from(PEER) | 7 << 32;
        bench.node(&frame);
    }
    assert_eq!(bench.outcome(bind).from.gen_, 90);
    assert_eq!(bench.result(awaits), 0);
    assert_eq!(bench.core.stats().endpoints, 2);
    let said = bench.said();
    assert_eq!(
        (said[0].kind, said[0].src_inc, said[0].src.gen_),
        (kind::MSG, MY_LIFE + 1, 90)
    );
    assert!(bench.core.is_pending(send));
}

#[test]
fn a_bind_that_was_asked_for_twice_is_one() {
    let mut bench = Bench::new(Limits::default());
    let bind = bench.core.bind(10, bench.now);
    let first = bench.asked()[0].nonce;
    bench.node(
        &Frame::new(kind::BOUND)
            .op(first)
            .to(Addr { nr: 10, gen_: 3 }),
    );
    assert_eq!(bench.result(bind), 0);
    // A repetition may still be on the queue: it and this one are the same request.
    assert_eq!(renew(&mut bench)[0].nonce, first);
}

#[test]
fn an_early_message_is_there_when_the_endpoint_is_bound_again() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    bench.bind(11);
    let asked = renew(&mut bench);
    let local = bench.core.send(11, Addr::number(10), b"", 0, bench.now);
    // The directory tells others of it before its result has come.
    let at = Addr { nr: 10, gen_: 90 };
    for (op, kind) in [(1, kind::REQ), (2, kind::NTF), (3, kind::WATCH)] {
        bench.say(PEER, to_new_life(kind, op, at).from(FAR));
    }
    let stale = Addr { gen_: 1, ..at };
    bench.say(PEER, to_new_life(kind::MSG, 4, stale).from(FAR));
    let receive = bench.core.receive(10, FAR, NOWAIT, bench.now);
    assert_eq!(bench.result(receive), EAGAIN);
    bench.node(&to_new_life(kind::BOUND, asked[0].nonce, at));
    for (kind, from) in [(Kind::Notify, 20), (Kind::Message, 11), (Kind::Request, 20)] {
        let receive = bench.core.receive(10, Addr::number(ANY), 0, bench.now);
        let got = bench.outcome(receive);
        assert_eq!((got.kind, got.from.nr), (kind, from));
    }
    assert_eq!(bench.result(local), 0);
    assert_eq!(bench.said()[0].kind, kind::NOTHERE, "of the stale one");
}

#[test]
fn an_early_message_finds_nobody_where_the_number_is_lost() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let asked = renew(&mut bench);
    let at = Addr { nr: 10, gen_: 90 };
    bench.say(PEER, to_new_life(kind::REQ, 1, at).from(FAR));
    bench.node(&to_new_life(kind::BOUND, asked[0].nonce, at).result(ESLOTUSED));
    let said: Vec<u8> = bench.said().iter().map(|f| f.kind).collect();
    assert_eq!(said, [kind::NOTHERE]);
    let asked = bench.asked();
    assert_eq!(
        (asked[0].op, asked[0].gen_),
        (2, 0),
        "a repetition may be granted"
    );
    bench.node(&to_new_life(kind::UNBOUND, asked[0].nonce, at));
    assert_eq!(bench.core.stats().endpoints, 0);
}

#[test]
fn a_busy_node_is_asked_again() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let asked = renew(&mut bench);
    bench.core.refused(asked[0].nonce, 3, bench.now);
    bench.node(&to_new_life(kind::RETRY, 0, Addr::number(0)));
    assert_eq!(bench.asked(), asked);
    bench.pass(3_000_000_000);
    assert_eq!(bench.asked(), asked);
    // What it cannot do, it refuses for good.
    let waits = bench.core.receive(10, Addr::number(ANY), 0, bench.now);
    bench.core.refused(asked[0].nonce, 1, bench.now);
    assert_eq!(bench.result(waits), ENOTBIND);
}

fn changed() -> Privileges {
    Privileges {
        calls: 1 << 2 | 1 << 3,
        ipc_to: u64::MAX,
        level: 1,
        reserved: 0,
    }
}

/// Answers the one request that was asked.
fn answer_only(bench: &mut Bench, op: u32, result: i32) -> ControlRequest {
    let asked = bench.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].op, op);
    let kind = if op == 1 {
        kind::BOUND
    } else {
        kind::PRIVILEGED
    };
    let at = Addr {
        nr: asked[0].ep,
        gen_: 90,
    };
    bench.node(&to_new_life(kind, asked[0].nonce, at).result(result));
    asked[0]
}

/// Endpoint 90, which may do more than users may by default and less than servers, in a new life:
/// a send waits.
fn with_privileges(bench: &mut Bench) -> CallId {
    bench.bind(90);
    let set = bench.core.set_privileges(90, &changed(), bench.now);
    let r = bench.asked()[0];
    let at = Addr {
        nr: 90,
        gen_: r.gen_,
    };
    bench.node(&Frame::new(kind::PRIVILEGED).op(r.nonce).to(at));
    assert_eq!(bench.result(set), 0);
    let mut frame = Frame::new(kind::RENEWED);
    frame.arg = u64::from(MY_LIFE + 1);
    bench.node(&frame);
    answer_only(bench, 1, 0);
    let asked = bench.core.take_control().unwrap();
    assert_eq!(
        (asked.op, asked.gen_, asked.calls),
        (6, 90, changed().calls)
    );
    let send = bench.core.send(90, FAR, b"", 0, bench.now);
    let r = bench.core.take_control().unwrap();
    let mut found = to_new_life(kind::FOUND, r.nonce, FAR);
    found.arg = u64::from(PEER) | 7 << 32;
    bench.node(&found);
    assert!(bench.said().is_empty(), "the node would not carry it");
    bench.node(&to_new_life(kind::RETRY, 0, Addr::number(0)));
    send
}

#[test]
fn changed_privileges_are_asked_for_again() {
    let mut bench = Bench::new(Limits::default());
    let send = with_privileges(&mut bench);
    answer_only(&mut bench, 6, 0);
    assert_eq!(bench.core.privileges(90), Ok(changed()));
    assert_eq!(bench.said()[0].kind, kind::MSG);
    assert!(bench.core.is_pending(send));
}

#[test]
fn privileges_that_are_refused_are_narrower() {
    let mut bench = Bench::new(Limits::default());
    let send = with_privileges(&mut bench);
    answer_only(&mut bench, 6, EALLOCMEM);
    // Neither more than was set nor more than the node allows: a user may not send.
    let has = bench.core.privileges(90).unwrap();
    assert_eq!((has.calls, has.level), (0, 0));
    assert_eq!(bench.result(send), EBADCALL);
    assert!(bench.said().is_empty());
}

#[test]
fn a_change_under_way_follows_the_bind() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let set = bench.core.set_privileges(10, &changed(), bench.now);
    let asked = renew(&mut bench);
    assert_eq!((asked.len(), asked[0].op), (1, 1));
    let at = Addr { nr: 10, gen_: 90 };
    bench.node(&to_new_life(kind::BOUND, asked[0].nonce, at));
    assert_eq!(answer_only(&mut bench, 6, 0).gen_, 90);
    assert_eq!(bench.result(set), 0);
    assert_eq!(bench.core.privileges(10), Ok(changed()));
}

#[test]
fn states_are_told_of_what_the_node_knows() {
    let mut bench = Bench::new(Limits::default());
    let before = bench.bind(10).from;
    bench.bind(11);
    bench.node(&Frame::new(kind::ASK).op(1));
    bench.said();
    let asked = renew(&mut bench);
    bench.node(&to_new_life(
        kind::BOUND,
        asked[0].nonce,
        Addr { nr: 10, gen_: 90 },
    ));
    bench.node(&to_new_life(kind::ASK, 2, Addr::number(0)));
    let said = bench.said();
    assert_eq!((said[0].kind, said[0].payload.len()), (kind::TELL, 64));
    assert_eq!(said[0].payload[4..8], 90u32.to_le_bytes());
    let (id, state) = bench.core.state(10, bench.now);
    assert_eq!(bench.result(id), 0);
    assert_eq!(state.gen_, before.gen_);
}
