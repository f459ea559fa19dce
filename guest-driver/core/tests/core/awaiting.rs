//! Waiting for an endpoint to be bound, and to be over.

use crate::bench::{Bench, Frame, kind, life};
use crate::ipc::placements;
use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, Limits, Privileges};

/// No endpoint at all.
const NOBODY: i32 = 77;

#[test]
fn a_bind_is_told_wherever_it_is() {
    placements(|mut net, c, s| {
        for ep in [10, NOBODY] {
            let a = net.await_bind(c, ep, 5);
            let b = net.await_bind(c, ep, 5);
            assert!(net.pending(c, a) && net.pending(c, b));
            assert_eq!(net.awaited(), 1);
            let bound = net.bind(s, 5).from;
            for id in [a, b] {
                let told = net.outcome(c, id);
                assert_eq!((told.result, told.from), (0, bound));
            }
            let late = net.await_bind(c, ep, 5);
            assert_eq!(net.outcome(c, late).from, bound);
            net.unbind(s, 5);
        }
        net.assert_clean();
    });
}

#[test]
fn who_leaves_is_forgotten() {
    let mut net = Net::new(1);
    net.bind(1, 10);
    let a = net.await_bind(1, 10, 5);
    let b = net.await_bind(1, NOBODY, 5);
    net.cancel(1, a, ETIMEDOUT);
    assert_eq!((net.result(1, a), net.awaited()), (ETIMEDOUT, 1));
    net.cancel(1, b, EINTR);
    assert_eq!((net.result(1, b), net.awaited()), (EINTR, 0));
    let a = net.await_bind(1, 10, 5);
    net.unbind(1, 10);
    assert_eq!((net.result(1, a), net.awaited()), (ENOTBIND, 0));
    let b = net.await_bind(1, NOBODY, 5);
    net.core(1).stop();
    assert_eq!(net.result(1, b), ENOTCONN);
    let b = net.await_bind(1, NOBODY, 5);
    assert_eq!(net.result(1, b), ENOTCONN);
}

#[test]
fn the_checks_of_await() {
    let mut net = Net::new(1);
    net.bind(1, 10);
    let id = net.await_bind(1, 10, 500);
    assert_eq!(net.result(1, id), ERANGE);
    let id = net.await_unbind(1, NOBODY, ANY);
    assert_eq!(net.result(1, id), ERANGE);
    let none = Privileges::default();
    assert_eq!(net.set_privileges(1, 10, &none), 0);
    let id = net.await_bind(1, 10, 5);
    assert_eq!(net.result(1, id), EBADCALL);
    let id = net.await_unbind(1, 10, 5);
    assert_eq!(net.result(1, id), EBADCALL);
}

#[test]
fn a_wait_is_asked_for_again_and_can_be_refused() {
    let limits = Limits {
        endpoints: 2,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits);
    let a = bench.core.await_bind(NOBODY, 5, bench.now);
    let first = bench.asked();
    assert_eq!((first.len(), first[0].op, first[0].ep), (1, 4, 5));
    // However long it takes, no timer asks.
    bench.pass(600_000_000_000);
    assert!(bench.asked().is_empty());
    bench.node(&Frame::new(kind::RETRY));
    assert_eq!(bench.asked(), first);
    let found = Frame::new(kind::FOUND)
        .op(first[0].nonce)
        .to(Addr::number(5));
    bench.node(&found.clone().result(EALLOCMEM));
    bench.node(&found);
    assert_eq!(bench.result(a), EALLOCMEM);
    let a = bench.core.await_bind(NOBODY, 5, bench.now);
    let nonce = bench.asked()[0].nonce;
    bench.core.refused(nonce, 2, bench.now);
    assert_eq!(bench.result(a), EINVAL);
    // As many numbers as endpoints.
    let calls: Vec<_> = (0..3)
        .map(|nr| bench.core.await_bind(NOBODY, nr, bench.now))
        .collect();
    assert_eq!(bench.result(calls[2]), EALLOCMEM);
    assert!(bench.core.is_pending(calls[0]) && bench.core.is_pending(calls[1]));
}

#[test]
fn a_full_control_queue_forgets_later() {
    let mut bench = Bench::new(Limits::default());
    let a = bench.core.await_bind(NOBODY, 5, bench.now);
    bench.core.limit_control(1);
    bench.core.cancel(a, ETIMEDOUT, bench.now);
    assert_eq!(bench.result(a), ETIMEDOUT);
    // It is awaited anew before the node has heard that it was not.
    let b = bench.core.await_bind(NOBODY, 5, bench.now);
    let mut seen = bench.asked();
    for _ in 0..2 {
        bench.core.room(bench.now);
        seen.extend(bench.asked());
    }
    let ops: Vec<u32> = seen.iter().map(|r| r.op).collect();
    assert_eq!((ops[0], ops.len()), (4, 3));
    assert!(ops.contains(&5));
    let new = seen.iter().rfind(|r| r.op == 4).unwrap().nonce;
    assert_ne!(new, seen[0].nonce);
    let at = Addr { nr: 5, gen_: 3 };
    bench.node(&Frame::new(kind::FOUND).op(seen[0].nonce).to(at));
    assert!(bench.core.is_pending(b));
    bench.node(&Frame::new(kind::FOUND).op(new).to(at));
    assert_eq!(bench.outcome(b).from, at);
}

#[test]
fn the_end_is_told_wherever_it_was() {
    placements(|mut net, c, s| {
        for ep in [10, NOBODY] {
            let never = net.await_unbind(c, ep, 99);
            assert_eq!(net.result(c, never), 0);
            let a = net.await_unbind(c, ep, 20);
            let b = net.await_unbind(c, ep, 20);
            assert!(net.pending(c, a) && net.pending(c, b));
            net.cancel(c, b, ETIMEDOUT);
            assert_eq!(net.result(c, b), ETIMEDOUT);
            net.unbind(s, 20);
            assert_eq!(net.result(c, a), 0);
            net.bind(s, 20);
        }
        net.assert_clean();
    });
}

#[test]
fn the_end_of_a_vm_is_the_end_of_its_endpoints() {
    let mut net = Net::new(2);
    net.bind(2, 20);
    let a = net.await_unbind(1, NOBODY, 20);
    assert!(net.pending(1, a));
    net.kill_vm(2);
    assert_eq!(net.result(1, a), 0);
    net.bind(1, 10);
    let (near, far) = (
        net.await_unbind(1, NOBODY, 10),
        net.await_unbind(1, NOBODY, 20),
    );
    assert_eq!(net.result(1, far), 0);
    net.boot(2);
    net.bind(2, 20);
    let far = net.await_unbind(1, NOBODY, 20);
    net.core(1).stop();
    let late = net.await_unbind(1, NOBODY, 20);
    for id in [near, far, late] {
        assert_eq!(net.result(1, id), ENOTCONN);
    }
}

#[test]
fn a_later_life_is_not_waited_for() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let (old, new) = (Addr { nr: 20, gen_: 7 }, Addr { nr: 20, gen_: 8 });
    let a = bench.core.await_unbind(10, 20, bench.now);
    bench.found(old, 2);
    let watch = bench.said().into_iter().find(|f| f.kind == kind::WATCH);
    let watch = watch.expect("it is watched");
    // Some died there, and which is not known: it looks again.
    bench.say(2, Frame::new(kind::DIED).from(Addr::number(ANY)));
    assert!(bench.core.is_pending(a));
    bench.found(new, 2);
    assert_eq!(bench.result(a), 0);
    // The same life is still waited for.
    let a = bench.core.await_unbind(10, 20, bench.now);
    bench.say(2, Frame::new(kind::DIED).from(Addr::number(ANY)));
    bench.found(new, 2);
    assert!(bench.core.is_pending(a));
    assert_eq!(
        bench
            .said()
            .iter()
            .filter(|f| f.kind == kind::WATCH)
            .count(),
        2
    );
    bench.say(2, Frame::new(kind::DIED).from(new));
    assert_eq!(bench.result(a), 0);
    assert_eq!(watch.dst, old);
}

#[test]
fn it_came_here_meanwhile() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let a = bench.core.await_unbind(10, 20, bench.now);
    let asked = bench.asked();
    let bind = bench.core.bind(20, bench.now);
    bench.answer_binds();
    assert_eq!(bench.result(bind), 0);
    let mut found = Frame::new(kind::FOUND).op(asked[0].nonce);
    found = found.to(Addr { nr: 20, gen_: 2 });
    found.arg = 1 | u64::from(life(0)) << 32;
    bench.node(&found);
    assert_eq!(bench.result(a), 0);
}
