//! A server hands a request on to another one, in every placement.

use crate::bench::{Bench, Frame, kind};
use crate::net::{Fate, Net};
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, CallId, Kind, Limits, NOWAIT, Privileges};

const CLIENT: i32 = 10;
const FIRST: i32 = 20;
const SECOND: i32 = 25;

/// VMs of client, first and second server.
fn placements(test: impl Fn(Net, u32, u32, u32)) {
    for (c, f, s) in [(1, 1, 1), (1, 1, 2), (1, 2, 1), (1, 2, 2), (1, 2, 3)] {
        let mut net = Net::new(3);
        assert_eq!(net.bind(c, CLIENT).result, 0);
        assert_eq!(net.bind(f, FIRST).result, 0);
        assert_eq!(net.bind(s, SECOND).result, 0);
        test(net, c, f, s);
    }
}

/// A request that the first server has taken.
fn taken(net: &mut Net, c: u32, f: u32, data: &[u8], flags: u32) -> CallId {
    let receive = net.receive(f, FIRST, ANY, 0);
    let call = net.sendrec(c, CLIENT, FIRST, data, flags);
    assert_eq!(net.outcome(f, receive).data, data);
    call
}

#[test]
fn the_second_server_answers_the_client() {
    placements(|mut net, c, f, s| {
        for flags in [0, NOWAIT] {
            let call = taken(&mut net, c, f, b"q", flags);
            // Longer than what the client sent.
            let long = [7; 432];
            assert_eq!(net.relay(f, FIRST, CLIENT, SECOND, &long), 0);
            assert!(net.pending(c, call));
            let receive = net.receive(s, SECOND, ANY, 0);
            let got = net.outcome(s, receive);
            assert_eq!((got.kind, got.from.nr), (Kind::Request, CLIENT));
            assert_eq!(got.data, long);
            // It is the second one's now.
            assert_eq!(net.reply(f, FIRST, CLIENT, b"no"), EPROCSTS);
            assert_eq!(net.reply(s, SECOND, CLIENT, b"yes"), 0);
            let answer = net.outcome(c, call);
            assert_eq!((answer.result, answer.kind), (0, Kind::Reply));
            assert_eq!(
                (answer.from.nr, answer.data.as_slice()),
                (SECOND, &b"yes"[..])
            );
        }
        net.assert_clean();
    });
}

#[test]
fn it_may_be_handed_back() {
    placements(|mut net, c, f, s| {
        let call = taken(&mut net, c, f, b"q", 0);
        for _ in 0..3 {
            assert_eq!(net.relay(f, FIRST, CLIENT, SECOND, b"there"), 0);
            let receive = net.receive(s, SECOND, ANY, 0);
            assert_eq!(net.outcome(s, receive).data, b"there");
            assert_eq!(net.relay(s, SECOND, CLIENT, FIRST, b"back"), 0);
            let receive = net.receive(f, FIRST, ANY, 0);
            assert_eq!(net.outcome(f, receive).data, b"back");
        }
        assert_eq!(net.reply(f, FIRST, CLIENT, b"a"), 0);
        assert_eq!(net.outcome(c, call).from.nr, FIRST);
        net.assert_clean();
    });
}

#[test]
fn wrong_relays_leave_the_request_open() {
    placements(|mut net, c, f, s| {
        assert_eq!(net.relay(f, FIRST, CLIENT, SECOND, b""), EPROCSTS);
        assert_eq!(net.relay(f, 3, CLIENT, SECOND, b""), ENOTBIND);
        let call = taken(&mut net, c, f, b"q", 0);
        for (to, len, result) in [
            (500, 0, ERANGE),
            (-1, 0, EBADDEST),
            (FIRST, 0, EBADDEST),
            (CLIENT, 0, EBADDEST),
            (SECOND, 433, EMSGSIZE),
        ] {
            assert_eq!(net.relay(f, FIRST, CLIENT, to, &vec![0; len]), result);
        }
        let now = net.now;
        let stale = Addr {
            nr: SECOND,
            gen_: 99,
        };
        if f == s {
            let id = net
                .core(f)
                .relay(FIRST, Addr::number(CLIENT), 0, stale, b"", now);
            assert_eq!(net.result(f, id), EENDPOINT);
        }
        assert_eq!(net.reply(f, FIRST, CLIENT, b"a"), 0);
        assert_eq!(net.outcome(c, call).data, b"a");
        net.assert_clean();
    });
}

#[test]
fn the_clients_own_privileges_decide() {
    placements(|mut net, c, f, _| {
        let only_first = Privileges {
            calls: u64::MAX,
            ipc_to: 1 << (FIRST + 34),
            level: 1,
            reserved: 0,
        };
        assert_eq!(net.set_privileges(c, CLIENT, &only_first), 0);
        let call = taken(&mut net, c, f, b"q", 0);
        assert_eq!(net.relay(f, FIRST, CLIENT, SECOND, b"q"), 0);
        assert_eq!(net.result(c, call), ETRAPDENIED);
        net.assert_clean();
    });
}

#[test]
fn the_relayer_needs_the_right() {
    let mut net = Net::new(1);
    for nr in [CLIENT, FIRST, SECOND] {
        net.bind(1, nr);
    }
    let may_not = Privileges {
        calls: !(1 << 16),
        ipc_to: u64::MAX,
        level: 1,
        reserved: 0,
    };
    assert_eq!(net.set_privileges(1, FIRST, &may_not), 0);
    let call = taken(&mut net, 1, 1, b"q", 0);
    assert_eq!(net.relay(1, FIRST, CLIENT, SECOND, b""), EBADCALL);
    assert_eq!(net.reply(1, FIRST, CLIENT, b""), 0);
    assert_eq!(net.result(1, call), 0);
}

#[test]
fn a_dead_second_server_is_told_to_the_client() {
    placements(|mut net, c, f, s| {
        // Before it has taken the request, and after.
        for receives in [false, true] {
            let call = taken(&mut net, c, f, b"q", 0);
            assert_eq!(net.relay(f, FIRST, CLIENT, SECOND, b""), 0);
            if receives {
                let receive = net.receive(s, SECOND, ANY, 0);
                assert_eq!(net.result(s, receive), 0);
            }
            net.unbind(s, SECOND);
            let result = if receives { ESRCDIED } else { EDSTDIED };
            assert_eq!(net.result(c, call), result);
            net.bind(s, SECOND);
        }
        net.unbind(s, SECOND);
        let call = taken(&mut net, c, f, b"q", 0);
        assert_eq!(net.relay(f, FIRST, CLIENT, SECOND, b""), 0);
        assert_eq!(net.result(c, call), EDSTDIED);
        // The first one's death does not matter any more.
        net.bind(s, SECOND);
        let call = taken(&mut net, c, f, b"q", 0);
        assert_eq!(net.relay(f, FIRST, CLIENT, SECOND, b""), 0);
        net.unbind(f, FIRST);
        let receive = net.receive(s, SECOND, ANY, 0);
        assert_eq!(net.result(s, receive), 0);
        assert_eq!(net.reply(s, SECOND, CLIENT, b"a"), 0);
        assert_eq!(net.outcome(c, call).data, b"a");
        net.assert_clean();
    });
}

#[test]
fn a_client_leaves_after_a_relay() {
    placements(|mut net, c, f, s| {
        let call = taken(&mut net, c, f, b"q", 0);
        assert_eq!(net.relay(f, FIRST, CLIENT, SECOND, b""), 0);
        net.cancel(c, call, ETIMEDOUT);
        assert_eq!(net.result(c, call), ETIMEDOUT);
        let receive = net.receive(s, SECOND, ANY, NOWAIT);
        assert_eq!(net.result(s, receive), EAGAIN);
        net.assert_clean();
    });
}

#[test]
fn a_cancel_meets_the_relay() {
    let mut net = Net::new(2);
    net.bind(1, CLIENT);
    net.bind(2, FIRST);
    net.bind(2, SECOND);
    let call = taken(&mut net, 1, 2, b"q", 0);
    let now = net.now;
    let to = Addr::number(SECOND);
    let relay = net
        .core(2)
        .relay(FIRST, Addr::number(CLIENT), 0, to, b"", now);
    // Both are on their way at once, and one of them twice.
    net.fates.extend([Fate::Repeat, Fate::Drop]);
    net.cancel(1, call, EINTR);
    assert_eq!(net.result(2, relay), 0);
    assert_eq!(net.result(1, call), EINTR);
    let receive = net.receive(2, SECOND, ANY, NOWAIT);
    assert_eq!(net.result(2, receive), EAGAIN);
    net.assert_clean();
}

#[test]
fn a_lying_redirect_hurts_only_its_own_request() {
    for (to, result) in [(500, ERANGE), (CLIENT, EBADDEST), (-1, EBADDEST)] {
        let mut bench = Bench::new(Limits::default());
        bench.bind(CLIENT);
        let at = Addr { nr: FIRST, gen_: 7 };
        let send = bench.core.send(CLIENT, at, b"m", 0, bench.now);
        bench.found(at, 2);
        let call = bench.core.sendrec(CLIENT, at, b"q", 0, bench.now);
        let said = bench.said();
        assert_eq!(said.len(), 2);
        let redirect = |op| Frame::new(kind::REDIRECT).op(op).from(Addr::number(to));
        // Of a send there is nothing to redirect.
        bench.say(2, redirect(said[0].op));
        assert!(bench.core.is_pending(send));
        // Another VM has no say in it.
        bench.say(3, redirect(said[1].op));
        assert!(bench.core.is_pending(call));
        bench.say(2, redirect(said[1].op));
        assert_eq!(bench.result(call), result);
        bench.say(2, redirect(said[1].op));
        bench.say(2, Frame::new(kind::TAKEN).op(said[0].op));
        assert_eq!(bench.result(send), 0);
    }
}
