//! Calls and their results: in one VM and between two, by the same tests.

use crate::net::{Fate, Net};
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, Kind, Limits, NOWAIT, REQUESTS};

/// Client (VM, endpoint) and server (VM, endpoint) in both placements.
pub fn placements(test: impl Fn(Net, u32, u32)) {
    for (client, server) in [(1, 1), (1, 2)] {
        let mut net = Net::new(2);
        assert_eq!(net.bind(client, 10).result, 0);
        assert_eq!(net.bind(server, 20).result, 0);
        test(net, client, server);
    }
}

#[test]
fn sendrec_is_answered() {
    placements(|mut net, c, s| {
        for i in 0..300u32 {
            let rcv = net.receive(s, 20, ANY, 0);
            let call = net.sendrec(c, 10, 20, &i.to_le_bytes(), 0);
            assert!(net.pending(c, call));
            let got = net.outcome(s, rcv);
            assert_eq!((got.result, got.kind, got.from.nr), (0, Kind::Request, 10));
            assert_eq!(got.data, i.to_le_bytes());
            assert_eq!(net.reply(s, 20, 10, &(i + 1).to_le_bytes()), 0);
            let answer = net.outcome(c, call);
            assert_eq!(
                (answer.result, answer.kind, answer.from.nr),
                (0, Kind::Reply, 20)
            );
            assert_eq!(answer.data, (i + 1).to_le_bytes());
        }
        net.assert_clean();
    });
}

#[test]
fn an_rpc_needs_two_frames() {
    let mut net = Net::new(2);
    net.bind(1, 10);
    net.bind(2, 20);
    for warm in [true, false] {
        net.kinds.clear();
        for _ in 0..10 {
            let call = net.sendrec(1, 10, 20, b"x", 0);
            let rcv = net.receive(2, 20, ANY, 0);
            assert_eq!(net.result(2, rcv), 0);
            net.reply(2, 20, 10, b"y");
            assert_eq!(net.result(1, call), 0);
        }
        if !warm {
            assert_eq!(net.kinds.len(), 20, "{:?}", net.kinds);
        }
    }
}

#[test]
fn send_returns_when_the_receiver_has_it() {
    placements(|mut net, c, s| {
        let a = net.send(c, 10, 20, b"one", 0);
        let b = net.send(c, 10, 20, b"two", 0);
        assert!(net.pending(c, a) && net.pending(c, b));
        for (id, data) in [(a, b"one"), (b, b"two")] {
            let rcv = net.receive(s, 20, ANY, 0);
            assert_eq!(net.outcome(s, rcv).data, data);
            assert_eq!(net.result(c, id), 0);
        }
        net.assert_clean();
    });
}

#[test]
fn a_send_to_a_waiting_client_is_its_reply() {
    placements(|mut net, c, s| {
        let call = net.sendrec(c, 10, 20, b"q", 0);
        let rcv = net.receive(s, 20, 10, 0);
        assert_eq!(net.result(s, rcv), 0);
        let send = net.send(s, 20, 10, b"a", 0);
        assert_eq!(net.result(s, send), 0);
        assert_eq!(net.outcome(c, call).data, b"a");
        assert_eq!(net.reply(s, 20, 10, b"again"), EPROCSTS);
        net.assert_clean();
    });
}

#[test]
fn notifications_coalesce_and_come_first() {
    placements(|mut net, c, s| {
        let msg = net.send(c, 10, 20, b"m", 0);
        for _ in 0..5 {
            assert_eq!(net.notify(c, 10, 20), 0);
        }
        assert!(net.core(s).is_readable(20));
        let rcv = net.receive(s, 20, ANY, 0);
        let got = net.outcome(s, rcv);
        assert_eq!((got.kind, got.from.nr), (Kind::Notify, 10));
        let rcv = net.receive(s, 20, ANY, 0);
        assert_eq!(net.outcome(s, rcv).kind, Kind::Message);
        assert_eq!(net.result(c, msg), 0);
        let rcv = net.receive(s, 20, ANY, NOWAIT);
        assert_eq!(net.result(s, rcv), EAGAIN);
        net.assert_clean();
    });
}

#[test]
fn requests_only_skips_the_rest() {
    placements(|mut net, c, s| {
        net.notify(c, 10, 20);
        let _send = net.send(c, 10, 20, b"m", 0);
        let _call = net.sendrec(c, 10, 20, b"r", 0);
        let rcv = net.receive(s, 20, ANY, REQUESTS);
        assert_eq!(net.outcome(s, rcv).data, b"r");
    });
}

#[test]
fn wrong_destinations() {
    placements(|mut net, c, _| {
        for (to, error) in [
            (10, EBADDEST),
            (-1, EBADDEST),
            (221, ERANGE),
            (-35, ERANGE),
            (ANY, ERANGE),
            (99, EDSTDIED),
        ] {
            let id = net.send(c, 10, to, b"", 0);
            assert_eq!(net.result(c, id), error, "send to {to}");
        }
        let id = net.send(c, 11, 20, b"", 0);
        assert_eq!(net.result(c, id), ENOTBIND);
        let id = net.send(c, 10, 20, &[0; 433], 0);
        assert_eq!(net.result(c, id), EMSGSIZE);
        let id = net.receive(c, 10, 99, 0);
        assert_eq!(net.result(c, id), ESRCDIED);
        net.assert_clean();
    });
}

#[test]
fn a_stale_generation_is_detected() {
    placements(|mut net, c, s| {
        let old = net.bind(s, 21).from;
        net.unbind(s, 21);
        let new = net.bind(s, 21).from;
        assert_ne!(old.gen_, new.gen_);
        let now = net.now;
        let id = net.core(c).send(10, old, b"", 0, now);
        net.settle();
        assert_eq!(net.result(c, id), EENDPOINT);
        let id = net.core(c).send(10, new, b"", 0, now);
        net.settle();
        assert!(net.pending(c, id));
    });
}

#[test]
fn nowait_fails_unless_the_receiver_waits() {
    placements(|mut net, c, s| {
        let id = net.send(c, 10, 20, b"", NOWAIT);
        assert_eq!(net.result(c, id), EAGAIN);
        let rcv = net.receive(s, 20, ANY, 0);
        let id = net.send(c, 10, 20, b"x", NOWAIT);
        assert_eq!(net.result(c, id), 0);
        assert_eq!(net.outcome(s, rcv).data, b"x");
        net.assert_clean();
    });
}

#[test]
fn a_cancelled_message_is_never_delivered() {
    placements(|mut net, c, s| {
        let id = net.sendrec(c, 10, 20, b"late", 0);
        net.cancel(c, id, ETIMEDOUT);
        assert_eq!(net.result(c, id), ETIMEDOUT);
        let rcv = net.receive(s, 20, ANY, NOWAIT);
        assert_eq!(net.result(s, rcv), EAGAIN);
        net.assert_clean();
    });
}

#[test]
fn a_reply_to_one_who_left_finds_nobody() {
    placements(|mut net, c, s| {
        let id = net.sendrec(c, 10, 20, b"q", 0);
        let rcv = net.receive(s, 20, ANY, 0);
        assert_eq!(net.result(s, rcv), 0);
        net.cancel(c, id, EINTR);
        assert_eq!(net.result(c, id), EINTR);
        let reply = net.reply(s, 20, 10, b"a");
        assert!(
            reply == EPROCSTS || (c != s && reply == EDSTDIED),
            "{reply}"
        );
        net.assert_clean();
    });
}

#[test]
fn death_of_the_server() {
    placements(|mut net, c, s| {
        let taken = net.sendrec(c, 10, 20, b"taken", 0);
        let rcv = net.receive(s, 20, ANY, 0);
        assert_eq!(net.result(s, rcv), 0);
        let queued = net.sendrec(c, 10, 20, b"queued", 0);
        let sent = net.send(c, 10, 20, b"sent", 0);
        let waiting = net.receive(c, 10, 20, 0);
        net.unbind(s, 20);
        assert_eq!(net.result(c, taken), ESRCDIED);
        assert_eq!(net.result(c, queued), EDSTDIED);
        assert_eq!(net.result(c, sent), EDSTDIED);
        assert_eq!(net.result(c, waiting), ESRCDIED);
        let id = net.send(c, 10, 20, b"", 0);
        assert_eq!(net.result(c, id), EDSTDIED);
        net.assert_clean();
    });
}

#[test]
fn death_of_the_client() {
    placements(|mut net, c, s| {
        net.notify(c, 10, 20);
        net.send(c, 10, 20, b"never seen", 0);
        net.sendrec(c, 10, 20, b"nor this", 0);
        net.unbind(c, 10);
        let rcv = net.receive(s, 20, ANY, NOWAIT);
        assert_eq!(net.result(s, rcv), EAGAIN);
        assert_eq!(net.bind(c, 10).result, 0);
        net.assert_clean();
    });
}

#[test]
fn a_dead_client_gets_no_reply() {
    placements(|mut net, c, s| {
        net.sendrec(c, 10, 20, b"q", 0);
        let rcv = net.receive(s, 20, ANY, 0);
        assert_eq!(net.result(s, rcv), 0);
        net.unbind(c, 10);
        assert_eq!(net.reply(s, 20, 10, b"a"), EDSTDIED);
        net.assert_clean();
    });
}

#[test]
fn own_calls_end_at_unbind() {
    placements(|mut net, c, s| {
        let a = net.receive(c, 10, ANY, 0);
        let b = net.sendrec(c, 10, 20, b"", 0);
        net.unbind(c, 10);
        assert_eq!(net.result(c, a), ENOTBIND);
        assert_eq!(net.result(c, b), ENOTBIND);
        let rcv = net.receive(s, 20, ANY, NOWAIT);
        assert_eq!(net.result(s, rcv), EAGAIN);
        net.assert_clean();
    });
}

#[test]
fn bind_clashes_and_reuse() {
    let mut net = Net::new(2);
    assert_eq!(net.bind(1, 10).result, 0);
    assert_eq!(net.bind(1, 10).result, ESLOTUSED);
    assert_eq!(net.bind(2, 10).result, ESLOTUSED);
    assert_eq!(net.bind(2, 500).result, ERANGE);
    assert_eq!(net.bind(2, ANY).result, ERANGE);
    net.unbind(1, 10);
    assert_eq!(net.bind(2, 10).result, 0);
    let full = Limits {
        endpoints: 1,
        ..Limits::default()
    };
    let mut net = Net::with(1, full, 16);
    assert_eq!(net.bind(1, 10).result, 0);
    assert_eq!(net.bind(1, 11).result, EALLOCMEM);
}

#[test]
fn a_bind_waits_for_the_unbind_before_it() {
    let mut net = Net::new(1);
    net.bind(1, 10);
    let now = net.now;
    net.core(1).unbind(10, now);
    let first = net.core(1).bind(10, now);
    let second = net.core(1).bind(10, now);
    assert!(net.pending(1, first));
    net.settle();
    assert_eq!(net.result(1, first), 0);
    assert_eq!(net.result(1, second), ESLOTUSED);
}

#[test]
fn loss_of_a_vm() {
    let mut net = Net::new(3);
    net.bind(1, 10);
    net.bind(2, 20);
    let taken = net.sendrec(1, 10, 20, b"", 0);
    let rcv = net.receive(2, 20, ANY, 0);
    assert_eq!(net.result(2, rcv), 0);
    let sent = net.send(1, 10, 20, b"", 0);
    let waiting = net.receive(1, 10, 20, 0);
    net.kill_vm(2);
    assert_eq!(net.result(1, taken), ESRCDIED);
    assert_eq!(net.result(1, sent), EDSTDIED);
    assert_eq!(net.result(1, waiting), ESRCDIED);
    net.boot(2);
    assert_eq!(net.bind(2, 20).result, 0);
    let id = net.send(1, 10, 20, b"hello", 0);
    let rcv = net.receive(2, 20, ANY, 0);
    assert_eq!(net.outcome(2, rcv).data, b"hello");
    assert_eq!(net.result(1, id), 0);
    net.assert_clean();
}

#[test]
fn lost_frames_are_sent_again_at_retry() {
    let mut net = Net::new(2);
    net.bind(1, 10);
    net.bind(2, 20);
    net.fates = [Fate::Drop, Fate::Drop, Fate::Repeat, Fate::Drop].into();
    let call = net.sendrec(1, 10, 20, b"q", 0);
    let rcv = net.receive(2, 20, ANY, 0);
    assert_eq!(net.outcome(2, rcv).data, b"q");
    net.fates = [Fate::Drop, Fate::Repeat].into();
    assert_eq!(net.reply(2, 20, 10, b"a"), 0);
    assert_eq!(net.outcome(1, call).data, b"a");
    net.assert_clean();
    assert_eq!(net.core(1).stats().backstop_fired, 0);
    assert!(net.core(1).stats().frames_sent_again > 0);
}

#[test]
fn the_backstop_covers_what_nobody_announced() {
    let mut net = Net::new(2);
    net.bind(1, 10);
    net.bind(2, 20);
    net.bind(1, 11);
    let warm = net.send(1, 10, 20, b"", 0);
    let rcv = net.receive(2, 20, ANY, 0);
    net.result(2, rcv);
    net.result(1, warm);
    net.fates = [Fate::Drop].into();
    let now = net.now;
    let call = net.core(1).sendrec(10, Addr::number(20), b"q", 0, now);
    net.step(1);
    net.forget_retries();
    net.pass(3_000_000_000);
    assert!(net.core(1).stats().backstop_fired > 0);
    let rcv = net.receive(2, 20, ANY, 0);
    assert_eq!(net.outcome(2, rcv).data, b"q");
    assert!(net.pending(1, call));
}

#[test]
fn without_credit_callers_wait_in_their_own_core() {
    let limits = Limits {
        credits: 8,
        ..Limits::default()
    };
    let mut net = Net::with(2, limits, 256);
    net.bind(1, 10);
    net.bind(2, 20);
    let calls: Vec<_> = (0..50u8).map(|i| net.send(1, 10, 20, &[i], 0)).collect();
    assert_eq!(net.core(2).stats().requests, 8);
    for (i, id) in (0..50u8).zip(calls) {
        let rcv = net.receive(2, 20, ANY, 0);
        assert_eq!(net.outcome(2, rcv).data, [i]);
        assert_eq!(net.result(1, id), 0);
    }
    net.assert_clean();
}

#[test]
fn a_flood_of_notifications_passes_a_small_ring() {
    let limits = Limits {
        credits: 8,
        window: 32,
        ..Limits::default()
    };
    let mut net = Net::with(2, limits, 2);
    net.bind(2, 20);
    for nr in 0..30 {
        assert_eq!(net.bind(1, nr).result, if nr == 20 { ESLOTUSED } else { 0 });
    }
    for nr in (0..30).filter(|&nr| nr != 20) {
        assert_eq!(net.notify(1, nr, 20), 0);
    }
    let mut seen = Vec::new();
    while seen.len() < 29 {
        net.pass(250_000_000);
        let rcv = net.receive(2, 20, ANY, NOWAIT);
        let got = net.outcome(2, rcv);
        assert_eq!(got.result, 0, "after {seen:?}");
        seen.push(got.from.nr);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 29);
    net.assert_clean();
}

#[test]
fn one_peer_too_many_is_refused() {
    let limits = Limits {
        peers: 1,
        ..Limits::default()
    };
    let mut net = Net::with(3, limits, 64);
    net.bind(1, 10);
    net.bind(2, 20);
    net.bind(3, 29);
    let a = net.send(1, 10, 29, b"", 0);
    let rcv = net.receive(3, 29, ANY, 0);
    assert_eq!(net.result(3, rcv), 0);
    assert_eq!(net.result(1, a), 0);
    let b = net.send(2, 20, 29, b"", 0);
    assert_eq!(net.result(2, b), ERSCBUSY);
}

#[test]
fn a_stopped_core_ends_every_call() {
    let mut net = Net::new(2);
    net.bind(1, 10);
    net.bind(2, 20);
    let a = net.receive(1, 10, ANY, 0);
    let b = net.sendrec(1, 10, 20, b"", 0);
    net.core(1).stop();
    assert_eq!(net.result(1, a), ENOTCONN);
    assert_eq!(net.result(1, b), ENOTCONN);
    let now = net.now;
    net.core(1).unbind(10, now);
    assert_eq!(net.core(1).stats().endpoints, 0);
}

#[test]
fn malformed_frames_are_dropped() {
    let mut net = Net::new(2);
    net.bind(1, 10);
    let now = net.now;
    let core = net.core(1);
    core.frame(&[], now);
    core.frame(&[0xff; 79], now);
    core.frame(&[0xff; 512], now);
    core.frame(&[0; 80], now);
    assert_eq!(core.stats().malformed_dropped, 4);
}

#[test]
fn who_binds_after_a_binder_that_left_gets_its_bind() {
    let mut net = Net::new(1);
    let now = net.now;
    let first = net.core(1).bind(5, now);
    net.core(1).cancel(first, EINTR, now);
    let second = net.core(1).bind(5, now);
    net.settle();
    assert_eq!(net.result(1, first), EINTR);
    assert_eq!(net.result(1, second), 0);
    assert_eq!(net.core(1).stats().endpoints, 1);
}

#[test]
fn a_bind_that_was_refused_is_given_back_in_any_case() {
    let mut net = Net::new(2);
    assert_eq!(net.bind(1, 5).result, 0);
    let now = net.now;
    let refused = net.core(2).bind(5, now);
    let ask = net.core(2).take_control().expect("asks to bind");
    net.answer(2, &ask);
    assert_eq!(net.result(2, refused), ESLOTUSED);
    // The same request was on the queue once more, and finds the number free.
    net.core(1).unbind(5, now);
    let free = net.core(1).take_control().expect("asks to unbind");
    net.answer(1, &free);
    net.answer(2, &ask);
    net.settle();
    assert_eq!(net.bind(1, 5).result, 0);
    assert_eq!(net.core(2).stats().endpoints, 0);
}

#[test]
fn retry_says_nothing_to_a_vm_that_was_never_spoken_to() {
    let mut net = Net::new(2);
    assert_eq!(net.bind(1, 5).result, 0);
    assert_eq!(net.bind(2, 6).result, 0);
    let now = net.now;
    // Found, but left before there was anything to send.
    let left = net.core(1).send(5, Addr::number(6), b"", 0, now);
    net.core(1).cancel(left, EINTR, now);
    net.settle();
    net.retry_all();
    assert_eq!(net.kinds, [0u8; 0]);
    assert_eq!(net.core(2).stats().malformed_dropped, 0);
}
