//! What an endpoint does, as its VM and the node are told.

use std::collections::BTreeSet;

use crate::bench::{Bench, Frame, kind};
use crate::ipc::placements;
use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, CopyEnd, CopyRequest, EndpointState, Limits, NONE};

const SENDING: u32 = 0x4;
const RECEIVING: u32 = 0x8;
const ONCOPY: u32 = 0x400;
const WAITUNBIND: u32 = 0x20000;
const WAITBIND: u32 = 0x40000;
const NOTIFY: u32 = 0x4;
const WOKENUP: u32 = 0x200;

/// Flags, source and destination of the wait.
fn waits(state: &EndpointState) -> (u32, i32, i32) {
    (state.rts, state.getfrom, state.sendto)
}

#[test]
fn calls_are_shown() {
    placements(|mut net, c, s| {
        let bound = net.state(c, 10);
        assert_eq!((bound.nr, waits(&bound)), (10, (0, NONE, NONE)));
        assert_eq!((bound.pid, &bound.name[..5]), (-1, &b"core\0"[..]));
        let receive = net.receive(s, 20, ANY, 0);
        assert_eq!(waits(&net.state(s, 20)), (RECEIVING, ANY, NONE));
        net.cancel(s, receive, EINTR);
        let receive = net.receive(s, 20, 10, 0);
        assert_eq!(waits(&net.state(s, 20)), (RECEIVING, 10, NONE));
        net.cancel(s, receive, EINTR);
        let send = net.send(c, 10, 20, b"m", 0);
        assert_eq!(waits(&net.state(c, 10)), (SENDING, NONE, 20));
        net.cancel(c, send, EINTR);
        let call = net.sendrec(c, 10, 20, b"m", 0);
        assert_eq!(waits(&net.state(c, 10)), (SENDING | RECEIVING, 20, 20));
        assert_eq!(net.state(s, 20).queued, 1);
        let receive = net.receive(s, 20, ANY, 0);
        assert_eq!(net.result(s, receive), 0);
        if c == s {
            assert_eq!(waits(&net.state(c, 10)), (RECEIVING, 20, NONE));
        }
        assert_eq!(net.reply(s, 20, 10, b"a"), 0);
        assert_eq!(net.result(c, call), 0);
        assert_eq!(waits(&net.state(c, 10)), (0, NONE, NONE));
        let bind = net.await_bind(c, 10, 5);
        assert_eq!(net.state(c, 10).rts, WAITBIND);
        let unbind = net.await_unbind(c, 10, 20);
        assert_eq!(net.state(c, 10).rts, WAITBIND | WAITUNBIND);
        net.cancel(c, bind, EINTR);
        net.cancel(c, unbind, EINTR);
        net.assert_clean();
    });
}

#[test]
fn what_waits_and_what_was_sent_is_counted() {
    placements(|mut net, c, s| {
        for _ in 0..3 {
            assert_eq!(net.notify(c, 10, 20), 0);
        }
        let _send = net.send(c, 10, 20, b"m", 0);
        let state = net.state(s, 20);
        assert_eq!((state.queued, state.misc), (2, NOTIFY));
        let sent = net.state(c, 10);
        let (near, far) = if c == s { (4, 0) } else { (0, 4) };
        assert_eq!((sent.lclsent, sent.rmtsent), (near, far));
        net.bind(s, 21);
        assert_eq!(net.wakeup(s, 21, 20), EPROCRUN);
        assert_eq!(net.state(s, 20).misc, NOTIFY | WOKENUP);
        // A new life begins anew.
        net.unbind(c, 10);
        net.bind(c, 10);
        let state = net.state(c, 10);
        assert_eq!((state.lclsent, state.rmtsent), (0, 0));
    });
}

/// Endpoint 10 of the first VM copies from its own memory to that of 20, which waits.
fn copying(s: u32) -> (Net, CopyRequest) {
    let mut net = Net::new(2);
    net.bind(1, 10);
    net.bind(s, 20);
    for (vm, ep) in [(1, 10), (s, 20)] {
        *net.core(vm).memory(ep) = vec![7; 100_000];
    }
    let end = |nr| CopyEnd {
        ep: Addr::number(nr),
        address: 0,
        grant: 0,
    };
    let request = CopyRequest {
        src: end(10),
        dst: end(20),
        bytes: 100_000,
    };
    (net, request)
}

#[test]
fn copies_are_shown_and_counted() {
    for s in [1, 2] {
        let (mut net, request) = copying(s);
        let wait = net.receive(s, 20, ANY, 0);
        let now = net.now;
        let id = net.core(1).copy(10, &request, now);
        if s == 2 {
            assert_eq!(net.state(1, 10).rts, ONCOPY);
        }
        net.settle();
        assert_eq!(net.result(1, id), 0);
        assert!(net.pending(s, wait));
        let (asked, took) = (net.state(1, 10), net.state(s, 20));
        assert_eq!((asked.rts, took.rts), (0, RECEIVING));
        let (near, far) = if s == 1 { (1, 0) } else { (0, 1) };
        assert_eq!((asked.lclcopy, asked.rmtcopy), (near, far));
        assert_eq!((took.lclcopy, took.rmtcopy), (near, far));
        net.assert_clean();
    }
}

#[test]
fn a_shutdown_ends_copies() {
    for (vm, ep) in [(1, 10), (2, 20)] {
        for steps in 0..40 {
            let (mut net, request) = copying(2);
            let wait = net.receive(2, 20, ANY, 0);
            let now = net.now;
            let id = net.core(1).copy(10, &request, now);
            for step in 0..steps {
                net.step(1 + step % 2);
            }
            let over = !net.pending(1, id);
            net.core(vm).shutdown(ep, now);
            net.settle();
            let (copied, waited) = (net.result(1, id), net.pending(2, wait));
            if vm == 1 {
                let expected = if over { 0 } else { ESHUTDOWN };
                assert_eq!((copied, waited), (expected, true), "after {steps} steps");
            } else {
                assert!([0, EPROCSTS, EDSTDIED].contains(&copied), "{copied}");
                assert_eq!(net.result(2, wait), ESHUTDOWN);
            }
            net.assert_clean();
        }
    }
}

#[test]
fn elsewhere_and_nowhere_differ() {
    let mut net = Net::new(2);
    let bound = net.bind(2, 20).from;
    let mut state = |nr| {
        let now = net.now;
        let (id, _) = net.core(1).state(nr, now);
        net.settle();
        net.outcome(1, id)
    };
    let far = state(20);
    assert_eq!((far.result, far.from, far.token), (ERMTPROC, bound, 2));
    // What is remembered is not taken for true.
    assert_eq!(state(20).result, ERMTPROC);
    assert_eq!(state(99).result, ENOTBIND);
    assert_eq!(state(500).result, ERANGE);
    net.unbind(2, 20);
    let now = net.now;
    let (gone, _) = net.core(1).state(20, now);
    let (late, _) = net.core(1).state(20, now);
    net.cancel(1, late, EINTR);
    assert_eq!(net.result(1, gone), ENOTBIND);
    assert_eq!(net.result(1, late), EINTR);
    net.assert_clean();
    let (id, _) = net.core(1).state(99, now);
    net.core(1).stop();
    assert_eq!(net.result(1, id), ENOTCONN);
    let (id, _) = net.core(1).state(99, now);
    assert_eq!(net.result(1, id), ENOTCONN);
}

#[test]
fn an_answer_that_names_this_vm_finds_nobody() {
    // It is dying here, or was bound after the question.
    for bound in [false, true] {
        let mut bench = Bench::new(Limits::default());
        let (id, _) = bench.core.state(20, bench.now);
        let asked = bench.asked();
        if bound {
            bench.bind(20);
        }
        let at = Addr { nr: 20, gen_: 1 };
        let mut found = Frame::new(kind::FOUND).op(asked[0].nonce).to(at);
        found.arg = 1 | 100 << 32;
        bench.node(&found);
        assert_eq!(bench.result(id), ENOTBIND);
    }
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// All that the core tells from this place on; each answer is one frame.
fn ask(bench: &mut Bench, nonce: u64, from: u64) -> Frame {
    let mut question = Frame::new(kind::ASK).op(nonce);
    question.arg = from;
    bench.node(&question);
    let mut told = bench.said();
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0)
}

#[test]
fn the_node_is_told_in_parts() {
    let mut bench = Bench::new(Limits::default());
    let empty = ask(&mut bench, 1, 0);
    assert_eq!(
        (empty.kind, empty.payload.len(), empty.arg),
        (kind::TELL, 0, 0)
    );
    for nr in 0..15 {
        bench.bind(nr);
    }
    bench.core.unbind(3, bench.now);
    bench.answer_binds();
    let receive = bench
        .core
        .receive(7, dvs_core::Addr::number(ANY), 0, bench.now);
    let (mut seen, mut at) = (BTreeSet::new(), 0);
    for part in 0.. {
        let told = ask(&mut bench, 77 + part, at);
        assert_eq!(
            (told.kind, told.op, told.dst_vm),
            (kind::TELL, 77 + part, 0)
        );
        assert_eq!((told.seq, told.src_vm), (0, 1));
        for record in told.payload.chunks_exact(64) {
            let nr = i32_at(record, 0);
            assert!(seen.insert(nr));
            let expected = if nr == 7 { RECEIVING } else { 0 };
            assert_eq!(i32_at(record, 8).cast_unsigned(), expected);
        }
        at = told.arg;
        if at == 0 {
            break;
        }
    }
    let all: BTreeSet<i32> = (0..15).filter(|nr| *nr != 3).collect();
    assert_eq!(seen, all);
    assert_eq!(ask(&mut bench, 1, u64::MAX).payload.len(), 0);
    assert!(bench.core.is_pending(receive));
}

#[test]
fn a_full_ring_tells_later() {
    let mut bench = Bench::with_ring(Limits::default(), 1);
    bench.bind(10);
    for nonce in [1, 2] {
        bench.node(&Frame::new(kind::ASK).op(nonce));
    }
    // The first answer is still there when the second question comes.
    let told: Vec<u64> = bench.said().iter().map(|f| f.op).collect();
    assert_eq!(told, [1, 2]);
    assert!(bench.said().is_empty());
}
