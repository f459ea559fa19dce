//! What processes hear of a new life of their VM, and what they do not.

use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, ControlRequest, Kind, Limits, NOWAIT, SELF};

/// Endpoints 10 and 11 in VM 1, which gets the new life; 20 and 21 in VM 2.
fn net() -> Net {
    let mut net = Net::new(2);
    for (vm, nr) in [(1, 10), (1, 11), (2, 20), (2, 21)] {
        assert_eq!(net.bind(vm, nr).result, 0);
    }
    net
}

/// A request there and its answer.
fn talks(net: &mut Net, client: (u32, i32), server: (u32, i32)) {
    let receive = net.receive(server.0, server.1, client.1, 0);
    let call = net.sendrec(client.0, client.1, server.1, b"question", 0);
    assert_eq!(net.outcome(server.0, receive).data, b"question");
    assert_eq!(net.reply(server.0, server.1, client.1, b"answer"), 0);
    assert_eq!(net.outcome(client.0, call).data, b"answer");
}

#[test]
fn calls_to_other_vms_end_with_notconn() {
    let mut net = net();
    let sent = net.send(1, 10, 20, b"sent", 0);
    let taken = net.receive(2, 21, ANY, 0);
    let asked = net.sendrec(1, 10, 21, b"taken", 0);
    assert_eq!(net.outcome(2, taken).kind, Kind::Request);
    let awaited = net.receive(1, 11, 20, 0);
    let unbound = net.await_unbind(1, 11, 21);
    net.renew(1);
    for id in [sent, asked, awaited, unbound] {
        assert_eq!(net.result(1, id), ENOTCONN);
    }
    // The message is nowhere any more.
    let receive = net.receive(2, 20, ANY, NOWAIT);
    assert_eq!(net.result(2, receive), EAGAIN);
    assert_eq!(net.reply(2, 21, 10, b"late"), EPROCSTS);
    net.assert_clean();
}

#[test]
fn both_sides_talk_again() {
    let mut net = net();
    talks(&mut net, (1, 10), (2, 20));
    talks(&mut net, (2, 21), (1, 11));
    for _ in 0..3 {
        net.renew(1);
        talks(&mut net, (1, 10), (2, 20));
        talks(&mut net, (2, 21), (1, 11));
    }
    assert_eq!(net.core(1).stats().backstop_fired, 0);
    net.assert_clean();
}

#[test]
fn lone_acknowledgements_are_of_the_new_life() {
    let mut net = net();
    for _ in 0..2 {
        let receive = net.receive(1, 10, ANY, 0);
        let sent = net.send(2, 20, 10, b"", 0);
        assert_eq!(net.result(1, receive), 0);
        assert_eq!(net.result(2, sent), 0);
        let noted = net.notify(2, 20, 10);
        assert_eq!(noted, 0);
        net.pass(300_000_000);
        assert_eq!(net.core(2).stats().unacknowledged, 0);
        let receive = net.receive(1, 10, ANY, 0);
        assert_eq!(net.result(1, receive), 0);
        net.renew(1);
    }
}

#[test]
fn requests_of_other_vms_are_dropped() {
    let mut net = net();
    let queued = net.send(2, 20, 10, b"queued", 0);
    let open = net.sendrec(2, 21, 11, b"open", 0);
    let receive = net.receive(1, 11, ANY, 0);
    let token = net.outcome(1, receive).token;
    net.renew(1);
    // For them the VM is gone.
    assert_eq!(net.result(2, queued), EDSTDIED);
    assert_eq!(net.result(2, open), ESRCDIED);
    let receive = net.receive(1, 10, ANY, NOWAIT);
    assert_eq!(net.result(1, receive), EAGAIN);
    let now = net.now;
    let reply = net.core(1).reply(11, Addr::number(21), token, b"", now);
    net.settle();
    assert_eq!(net.result(1, reply), EPROCSTS);
    net.assert_clean();
}

#[test]
fn what_is_between_processes_of_the_vm_goes_on() {
    let mut net = net();
    let mine = net.bind(1, 12).from;
    let queued = net.send(1, 10, 11, b"queued", 0);
    let waits = net.receive(1, 12, 11, 0);
    let leaves = net.await_unbind(1, 10, 12);
    net.notify(1, 10, 11);
    net.renew_untold(1);
    net.tell_renewed(1);
    let now = net.now;
    // Also before the directory has bound the endpoints anew.
    let note = net.core(1).receive(11, Addr::number(ANY), 0, now);
    assert_eq!(net.outcome(1, note).kind, Kind::Notify);
    let got = net.core(1).receive(11, Addr::number(10), 0, now);
    assert_eq!(net.outcome(1, got).data, b"queued");
    assert_eq!(net.result(1, queued), 0);
    let asked = net.core(1).sendrec(11, mine, b"asked", 0, now);
    let got = net.outcome(1, waits);
    net.settle();
    // By the addresses that both have known all the time.
    let reply = net.core(1).reply(12, got.from, got.token, b"answered", now);
    assert_eq!(net.result(1, reply), 0);
    let answer = net.outcome(1, asked);
    assert_eq!(
        (answer.from, answer.data.as_slice()),
        (mine, b"answered".as_slice())
    );
    assert!(net.pending(1, leaves));
    net.unbind(1, 12);
    assert_eq!(net.result(1, leaves), 0);
    net.assert_clean();
}

#[test]
fn others_know_a_new_generation() {
    let mut net = net();
    let before = net.bind(1, 12).from;
    net.renew(1);
    let (receive, now) = (net.receive(2, 20, ANY, 0), net.now);
    net.send(1, 12, 20, b"", 0);
    let after = net.outcome(2, receive).from;
    assert!(after.gen_ > before.gen_);
    let stale = net.core(2).send(20, before, b"", 0, now);
    net.settle();
    assert_eq!(net.result(2, stale), EENDPOINT);
    // An address that came from elsewhere names a process here as well as its own does.
    for address in [before, after] {
        let receive = net.core(1).receive(10, address, 0, now);
        let send = net.core(1).sendrec(12, Addr::number(10), b"", 0, now);
        let got = net.outcome(1, receive);
        assert_eq!(got.from, before);
        let reply = net.core(1).reply(10, address, got.token, b"", now);
        assert_eq!(net.result(1, reply), 0);
        assert_eq!(net.result(1, send), 0);
        let note = net.core(1).send(10, address, b"", NOWAIT, now);
        assert_eq!(net.result(1, note), EAGAIN);
    }
}

#[test]
fn notifications_that_had_come_stay() {
    let mut net = net();
    assert_eq!(net.notify_value(2, 20, 10, SELF, 7), 0);
    assert_eq!(net.notify_value(2, 21, 10, SELF, 8), 0);
    net.renew(1);
    net.renew(1);
    assert_eq!(net.core(1).stats().requests, 2);
    // A later one of the same source changes the value.
    assert_eq!(net.notify_value(2, 21, 10, SELF, 9), 0);
    for (from, value) in [(20, 7), (21, 9)] {
        let receive = net.receive(1, 10, ANY, 0);
        let got = net.outcome(1, receive);
        assert_eq!(
            (got.kind, got.from.nr, got.token),
            (Kind::Notify, from, value)
        );
    }
    let receive = net.receive(1, 10, ANY, NOWAIT);
    assert_eq!(net.result(1, receive), EAGAIN);
    net.assert_clean();
}

#[test]
fn kept_notifications_take_no_room_from_others() {
    let limits = Limits {
        peers: 1,
        credits: 8,
        ..Limits::default()
    };
    let mut net = Net::with(2, limits, 64);
    assert_eq!(net.bind(1, 10).result, 0);
    for nr in 20..28 {
        assert_eq!(net.bind(2, nr).result, 0);
        assert_eq!(net.notify(2, nr, 10), 0);
    }
    net.renew(1);
    assert_eq!(net.core(1).stats().requests, 8);
    let sends: Vec<_> = (20..28).map(|nr| net.send(2, nr, 10, b"", 0)).collect();
    for id in sends {
        let receive = net.receive(1, 10, ANY, 0);
        assert_eq!(net.outcome(1, receive).kind, Kind::Message);
        assert_eq!(net.result(2, id), 0);
    }
    net.assert_clean();
}

#[test]
fn notifications_die_with_whom_they_are_for() {
    let mut net = net();
    assert_eq!(net.notify(2, 20, 10), 0);
    net.renew(1);
    net.unbind(1, 10);
    assert_eq!(net.core(1).stats().requests, 0);
}

#[test]
fn sends_wait_until_the_endpoint_is_bound_again() {
    let mut net = net();
    talks(&mut net, (1, 10), (2, 20));
    net.renew_untold(1);
    net.tell_renewed(1);
    let binds: Vec<ControlRequest> = [(); 2].map(|()| net.core(1).take_control().unwrap()).into();
    assert!(binds.iter().all(|r| r.op == 1 && r.gen_ == 0));
    let now = net.now;
    let note = net.core(1).notify(10, Addr::number(20), now);
    let send = net.core(1).send(10, Addr::number(20), b"later", 0, now);
    let leaves = net.core(1).send(11, Addr::number(20), b"never", 0, now);
    net.settle();
    assert!(net.pending(1, send));
    net.cancel(1, leaves, ETIMEDOUT);
    assert_eq!(net.result(1, leaves), ETIMEDOUT);
    for r in &binds {
        net.answer(1, r);
    }
    net.settle();
    for (kind, data) in [(Kind::Notify, b"".as_slice()), (Kind::Message, b"later")] {
        let receive = net.receive(2, 20, ANY, 0);
        let got = net.outcome(2, receive);
        assert_eq!((got.kind, got.data.as_slice()), (kind, data));
    }
    assert_eq!(net.result(1, note), 0);
    assert_eq!(net.result(1, send), 0);
    net.assert_clean();
}

#[test]
fn a_waiting_send_hears_of_the_death_of_its_destination() {
    let mut net = net();
    net.renew_untold(1);
    net.tell_renewed(1);
    let binds: Vec<ControlRequest> = [(); 2].map(|()| net.core(1).take_control().unwrap()).into();
    let now = net.now;
    let ask = net.core(1).sendrec(10, Addr::number(20), b"", 0, now);
    let send = net.core(1).send(11, Addr::number(20), b"", 0, now);
    net.settle();
    net.kill_vm(2);
    assert_eq!(net.result(1, ask), EDSTDIED);
    assert_eq!(net.result(1, send), EDSTDIED);
    net.renew(1);
    for r in &binds {
        net.answer(1, r);
    }
    net.settle();
    net.assert_clean();
}

#[test]
fn a_number_that_is_taken_meanwhile_is_lost() {
    let mut net = net();
    let waits = net.receive(1, 10, ANY, 0);
    let local = net.receive(1, 11, 10, 0);
    net.renew_untold(1);
    assert_eq!(net.bind(2, 10).result, 0);
    net.tell_renewed(1);
    let now = net.now;
    let sends = net.core(1).send(10, Addr::number(20), b"", 0, now);
    net.settle();
    assert_eq!(net.result(1, waits), ENOTBIND);
    assert_eq!(net.result(1, sends), ENOTBIND);
    assert_eq!(net.result(1, local), ESRCDIED);
    let later = net.send(1, 10, 20, b"", 0);
    assert_eq!(net.result(1, later), ENOTBIND);
    assert_eq!(net.core(1).stats().endpoints, 1);
    // The other is not hurt by that.
    talks(&mut net, (1, 11), (2, 10));
    net.assert_clean();
}

#[test]
fn an_endpoint_that_leaves_before_it_is_bound_again_is_given_back() {
    let mut net = net();
    net.renew_untold(1);
    net.tell_renewed(1);
    let now = net.now;
    net.core(1).unbind(10, now);
    net.settle();
    assert_eq!(net.core(1).stats().endpoints, 1);
    assert_eq!(net.bind(2, 10).result, 0);
}
