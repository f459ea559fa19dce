//! What an endpoint may do, by default and by what was set.

use crate::bench::{Bench, Frame, kind};
use crate::ipc::placements;
use crate::net::{Fate, Net};
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, Limits, NOWAIT, Privileges, REQUESTS};

/// A user, a server and a task: 30 is the first user with 34 tasks and 64 system endpoints.
const USER: i32 = 30;
const SERVER: i32 = 29;
const TASK: i32 = -2;

fn all() -> Privileges {
    Privileges {
        calls: u64::MAX,
        ipc_to: u64::MAX,
        level: 1,
        reserved: 0,
    }
}

#[test]
fn defaults_are_by_number() {
    let mut net = Net::new(1);
    for (nr, calls, level) in [
        (USER, 0x2400_0420, 0),
        (SERVER, 0x7_ffff_fffe, 1),
        (TASK, 0x7_ffff_fffe, 2),
    ] {
        net.bind(1, nr);
        let p = net.core(1).privileges(nr).unwrap();
        assert_eq!((p.calls, p.ipc_to, p.level), (calls, u64::MAX, level));
    }
    assert_eq!(net.core(1).privileges(5), Err(ENOTBIND));
    assert_eq!(net.core(1).privileges(500), Err(ERANGE));
}

#[test]
fn a_user_may_only_ask_servers() {
    placements(|mut net, c, s| {
        net.bind(c, USER);
        net.bind(s, USER + 1);
        let send = net.send(c, USER, 20, b"", NOWAIT);
        assert_eq!(net.result(c, send), EBADCALL);
        let receive = net.receive(c, USER, ANY, NOWAIT);
        assert_eq!(net.result(c, receive), EBADCALL);
        assert_eq!(net.reply(c, USER, 20, b""), EBADCALL);
        assert_eq!(net.notify(c, USER, 20), EBADCALL);
        let user = net.sendrec(c, USER, USER + 1, b"", NOWAIT);
        assert_eq!(net.result(c, user), ETRAPDENIED);
        // A server may talk to users.
        let call = net.sendrec(c, 10, USER + 1, b"", NOWAIT);
        assert_eq!(net.result(c, call), EAGAIN);
        let call = net.sendrec(c, USER, 20, b"", NOWAIT);
        assert_eq!(net.result(c, call), EAGAIN);
        net.assert_clean();
    });
}

#[test]
fn only_the_system_takes_requests_and_notifications() {
    placements(|mut net, c, s| {
        net.bind(s, USER);
        assert_eq!(net.notify(c, 10, USER), EBADDEST);
        net.bind(1, USER + 1);
        assert_eq!(net.set_privileges(1, USER + 1, &all()), 0);
        let receive = net.receive(1, USER + 1, ANY, NOWAIT | REQUESTS);
        assert_eq!(net.result(1, receive), EBADCALL);
        let receive = net.receive(1, USER + 1, ANY, NOWAIT);
        assert_eq!(net.result(1, receive), EAGAIN);
    });
}

#[test]
fn checks_have_their_order() {
    let mut net = Net::new(1);
    net.bind(1, 10);
    let no_calls = Privileges { calls: 0, ..all() };
    let nobody = Privileges { ipc_to: 0, ..all() };
    let mut error = |to: i32, len: usize| {
        let id = net.send(1, 10, to, &vec![0; len], NOWAIT);
        let unbound = net.send(1, 11, to, &[], NOWAIT);
        assert_eq!(net.result(1, unbound), ENOTBIND);
        net.result(1, id)
    };
    assert_eq!(error(500, 500), ERANGE);
    assert_eq!(error(-1, 500), EBADDEST);
    assert_eq!(error(20, 500), EMSGSIZE);
    assert_eq!(error(20, 0), EDSTDIED);
    assert_eq!(net.set_privileges(1, 10, &nobody), 0);
    for (to, len, result) in [(500, 0, ERANGE), (10, 0, EBADDEST), (20, 500, ETRAPDENIED)] {
        let id = net.send(1, 10, to, &vec![0; len], NOWAIT);
        assert_eq!(net.result(1, id), result);
    }
    assert_eq!(net.set_privileges(1, 10, &no_calls), 0);
    let id = net.send(1, 10, 500, &[], NOWAIT);
    assert_eq!(net.result(1, id), EBADCALL);
}

#[test]
fn an_answer_needs_no_destination() {
    placements(|mut net, c, s| {
        // Server 10 of the first VM may send to nobody, but it owes an answer.
        net.bind(s, 15);
        let nobody = Privileges { ipc_to: 0, ..all() };
        assert_eq!(net.set_privileges(1, 10, &nobody), 0);
        for by_send in [true, false] {
            let receive = net.receive(c, 10, ANY, 0);
            let call = net.sendrec(s, 15, 10, b"q", 0);
            assert_eq!(net.result(c, receive), 0);
            if by_send {
                let send = net.send(c, 10, 15, b"a", 0);
                assert_eq!(net.result(c, send), 0);
            } else {
                assert_eq!(net.reply(c, 10, 15, b"a"), 0);
            }
            assert_eq!(net.outcome(s, call).data, b"a");
        }
        let send = net.send(c, 10, 15, b"more", 0);
        assert_eq!(net.result(c, send), ETRAPDENIED);
        assert_eq!(net.reply(c, 10, 15, b""), EPROCSTS);
        net.assert_clean();
    });
}

#[test]
fn one_bit_opens_one_server() {
    let mut net = Net::new(1);
    net.bind(1, 10);
    net.bind(1, 20);
    let one = Privileges {
        ipc_to: 1 << (20 + 34),
        ..all()
    };
    assert_eq!(net.set_privileges(1, 10, &one), 0);
    assert_eq!(net.core(1).privileges(10), Ok(one));
    let id = net.send(1, 10, 20, b"", NOWAIT);
    assert_eq!(net.result(1, id), EAGAIN);
    let id = net.send(1, 10, 21, b"", NOWAIT);
    assert_eq!(net.result(1, id), ETRAPDENIED);
}

#[test]
fn setting_needs_an_administrator_and_an_endpoint() {
    let mut net = Net::new(2);
    net.bind(1, 10);
    net.bind(2, 20);
    assert_eq!(net.set_privileges(2, 20, &all()), EPRIVILEGES);
    assert_eq!(net.set_privileges(1, 20, &all()), ENOTBIND);
    assert_eq!(net.set_privileges(1, -35, &all()), ERANGE);
    let level = Privileges { level: 3, ..all() };
    assert_eq!(net.set_privileges(1, 10, &level), EINVAL);
    net.core(1).stop();
    assert_eq!(net.set_privileges(1, 10, &all()), ENOTCONN);
}

/// What the node is asked, and its answer.
fn answer(bench: &mut Bench, result: i32) {
    let asked = bench.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let r = asked[0];
    assert_eq!(r.op, 6);
    let at = Addr {
        nr: r.ep,
        gen_: r.gen_,
    };
    bench.node(
        &Frame::new(kind::PRIVILEGED)
            .op(r.nonce)
            .to(at)
            .result(result),
    );
}

#[test]
fn nothing_changes_unless_the_node_agrees() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let before = bench.core.privileges(10).unwrap();
    let set = bench.core.set_privileges(10, &all(), bench.now);
    assert_eq!(bench.core.privileges(10), Ok(before));
    answer(&mut bench, EPRIVILEGES);
    assert_eq!(bench.result(set), EPRIVILEGES);
    assert_eq!(bench.core.privileges(10), Ok(before));
    let set = bench.core.set_privileges(10, &all(), bench.now);
    let nonce = bench.core.take_control().unwrap().nonce;
    bench.core.refused(nonce, 1, bench.now);
    assert_eq!(bench.result(set), EINVAL);
    assert_eq!(bench.core.privileges(10), Ok(before));
}

#[test]
fn settings_follow_each_other() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let second = Privileges { level: 2, ..all() };
    let a = bench.core.set_privileges(10, &all(), bench.now);
    let b = bench.core.set_privileges(10, &second, bench.now);
    // Who asked leaves: what the node agrees to holds all the same.
    bench.core.cancel(a, ETIMEDOUT, bench.now);
    answer(&mut bench, 0);
    assert_eq!(bench.core.privileges(10), Ok(all()));
    assert!(bench.core.is_pending(b));
    answer(&mut bench, 0);
    assert_eq!(bench.result(b), 0);
    assert_eq!(bench.core.privileges(10), Ok(second));
    let late = bench.core.set_privileges(10, &all(), bench.now);
    bench.core.unbind(10, bench.now);
    assert_eq!(bench.result(late), ENOTBIND);
}

#[test]
fn a_lost_result_is_asked_for_again() {
    let mut bench = Bench::new(Limits::default());
    bench.bind(10);
    let set = bench.core.set_privileges(10, &all(), bench.now);
    let first = bench.asked();
    bench.node(&Frame::new(kind::RETRY));
    let again = bench.asked();
    assert_eq!(first, again);
    let at = Addr {
        nr: 10,
        gen_: again[0].gen_,
    };
    let result = Frame::new(kind::PRIVILEGED).op(again[0].nonce).to(at);
    bench.node(&result);
    bench.node(&result);
    assert_eq!(bench.result(set), 0);
}

/// What the node does not carry any more does not stay on the channel, nor does its call wait.
#[test]
fn a_right_that_is_taken_ends_what_needed_it() {
    let mut net = Net::new(2);
    net.bind(1, 10);
    net.bind(2, 20);
    net.bind(2, 21);
    let known = net.send(1, 10, 20, b"", NOWAIT);
    assert_eq!(net.result(1, known), EAGAIN);
    // Lost on its way, and not sent again yet.
    net.fates.push_back(Fate::Drop);
    let lost = net.send(1, 10, 20, b"lost", 0);
    let arrived = net.sendrec(1, 10, 21, b"arrived", 0);
    let no_sends = Privileges {
        calls: !(1 << 2),
        ..all()
    };
    assert_eq!(net.set_privileges(1, 10, &no_sends), 0);
    assert_eq!(net.result(1, lost), EBADCALL);
    // Another right has stayed.
    let receive = net.receive(2, 21, ANY, 0);
    assert_eq!(net.result(2, receive), 0);
    assert_eq!(net.reply(2, 21, 10, b""), 0);
    assert_eq!(net.result(1, arrived), 0);
    net.assert_clean();
}
