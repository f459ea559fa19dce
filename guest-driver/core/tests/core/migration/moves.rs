//! What an endpoint takes along, whoever waits for it and wherever.

use super::{TOKEN, assert_answered, low, start, take, three};
use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, HARDWARE, Kind, NO_VALUE};

const CLIENTS: [(u32, i32); 3] = [(1, 10), (2, 11), (3, 12)];
const LATER: [(u32, i32); 3] = [(1, 13), (2, 14), (3, 15)];

/// Requests that are open, requests that wait, and notifications, of clients everywhere.
#[test]
fn all_that_waits_goes_along() {
    for to in [2, 3] {
        let mut net = three();
        let generation = net.located(20).gen_;
        let open = CLIENTS.map(|(vm, nr)| {
            let id = net.sendrec(vm, nr, 20, &[1, low(nr)], 0);
            assert_eq!(take(&mut net, 1, 20).unwrap().1, Kind::Request);
            (vm, nr, id)
        });
        let waiting = LATER.map(|(vm, nr)| (vm, nr, net.sendrec(vm, nr, 20, &[2, low(nr)], 0)));
        for (vm, nr) in CLIENTS {
            assert_eq!(net.notify_value(vm, nr, 20, dvs_core::SELF, nr.into()), 0);
        }
        assert_eq!(net.notify_value(1, 10, 20, HARDWARE, NO_VALUE), 0);
        net.migrate(1, to, 20);
        assert_eq!(net.located(20).gen_, generation, "the address is the same");
        let mut notes = Vec::new();
        let mut requests = Vec::new();
        while let Some((from, kind, data, value)) = take(&mut net, to, 20) {
            match kind {
                Kind::Notify => notes.push((from, value.cast_signed())),
                _ => requests.push((from, data)),
            }
        }
        notes.sort_unstable();
        assert_eq!(notes, [(-1, NO_VALUE), (10, 10), (11, 11), (12, 12)]);
        requests.sort();
        assert_eq!(requests, [13, 14, 15].map(|nr| (nr, vec![2, low(nr)])));
        for (vm, nr, id) in open.into_iter().chain(waiting) {
            assert!(net.pending(vm, id));
            assert_eq!(net.reply(to, 20, nr, &[9, low(nr)]), 0);
            assert_answered(&mut net, vm, id, &[9, low(nr)]);
        }
        net.assert_clean();
    }
}

/// The server's tokens hold, and those of new requests are others.
#[test]
fn tokens_hold() {
    let mut net = three();
    let first = net.sendrec(3, 12, 20, b"a", 0);
    let a = take(&mut net, 1, 20).unwrap().3;
    let second = net.sendrec(3, 15, 20, b"b", 0);
    let b = take(&mut net, 1, 20).unwrap().3;
    net.migrate(1, 2, 20);
    let third = net.sendrec(1, 10, 20, b"c", 0);
    let c = take(&mut net, 2, 20).unwrap().3;
    assert!(a != b && b != c && a != c);
    let now = net.now;
    for (token, nr, call, vm) in [(b, 15, second, 3), (c, 10, third, 1), (a, 12, first, 3)] {
        let dst = dvs_core::Addr::number(nr);
        let id = net.core(2).reply(20, dst, token, b"r", now);
        net.settle();
        assert_eq!(net.result(2, id), 0);
        assert_answered(&mut net, vm, call, b"r");
    }
    net.assert_clean();
}

/// A request stays open over many moves, there and back.
#[test]
fn a_request_outlives_many_moves() {
    let mut net = three();
    let calls = CLIENTS.map(|(vm, nr)| {
        let id = net.sendrec(vm, nr, 20, b"q", 0);
        assert!(take(&mut net, 1, 20).is_some());
        (vm, nr, id)
    });
    let mut at = 1;
    for to in [2, 1, 2, 3, 1, 3, 2, 1, 2, 1, 3, 1] {
        net.migrate(at, to, 20);
        at = to;
        // Others come and go meanwhile.
        for (vm, nr) in LATER {
            let id = net.sendrec(vm, nr, 20, b"x", 0);
            assert_eq!(take(&mut net, at, 20).unwrap().0, nr);
            assert_eq!(net.reply(at, 20, nr, b"y"), 0);
            assert_answered(&mut net, vm, id, b"y");
        }
    }
    for (vm, nr, id) in calls {
        assert_eq!(net.reply(at, 20, nr, b"r"), 0);
        assert_answered(&mut net, vm, id, b"r");
    }
    net.assert_clean();
}

/// Senders of one endpoint keep their order, with what they notified before.
#[test]
fn order_is_kept() {
    for (vm, nr) in CLIENTS {
        let mut net = three();
        start(&mut net, 1, 20);
        let first = net.send(vm, nr, 20, b"1", 0);
        assert_eq!(net.notify(vm, nr, 20), 0);
        let second = net.send(vm, nr, 20, b"2", 0);
        let adopted = net.adopt(2, 20, TOKEN);
        let committed = net.migrate_commit(1, 20, 0);
        assert_eq!((net.result(1, committed), net.result(2, adopted)), (0, 0));
        let third = net.send(vm, nr, 20, b"3", 0);
        assert_eq!(take(&mut net, 2, 20).unwrap().1, Kind::Notify);
        for (data, id) in [(b"1", first), (b"2", second), (b"3", third)] {
            assert_eq!(take(&mut net, 2, 20).unwrap().2, data);
            assert_eq!(net.result(vm, id), 0);
        }
        net.assert_clean();
    }
}

/// Who waits for the endpoint's end, or for it to speak, waits on.
#[test]
fn waits_for_it_go_on() {
    let mut net = three();
    let ends = [1, 2, 3].map(|vm| net.await_unbind(vm, 0, 20));
    let hears = CLIENTS.map(|(vm, nr)| (vm, nr, net.receive(vm, nr, 20, 0)));
    net.migrate(1, 2, 20);
    for (vm, end) in [1, 2, 3].into_iter().zip(ends) {
        assert!(net.pending(vm, end), "VM {vm}");
    }
    for (vm, nr, id) in hears {
        assert!(net.pending(vm, id));
        let sent = net.send(2, 20, nr, b"hello", 0);
        assert_eq!(net.outcome(vm, id).data, b"hello");
        assert_eq!(net.result(2, sent), 0);
    }
    let deaf = CLIENTS.map(|(vm, nr)| (vm, net.receive(vm, nr, 20, 0)));
    net.migrate(2, 3, 20);
    net.unbind(3, 20);
    for (vm, end) in [1, 2, 3].into_iter().zip(ends) {
        assert_eq!(net.result(vm, end), 0, "VM {vm}");
    }
    for (vm, id) in deaf {
        assert_eq!(net.result(vm, id), ESRCDIED, "VM {vm}");
    }
    net.assert_clean();
}

/// What it notified others of before it left is not taken back.
#[test]
fn its_own_notifications_stay() {
    let mut net = three();
    assert_eq!(net.bind(1, 21).result, 0);
    for to in [10, 11, 12, 21] {
        assert_eq!(net.notify_value(1, 20, to, dvs_core::SELF, 7), 0);
    }
    net.migrate(1, 2, 20);
    for (vm, nr) in [(1, 10), (2, 11), (3, 12), (1, 21)] {
        let (from, kind, _, value) = take(&mut net, vm, nr).unwrap();
        assert_eq!((from, kind, value), (20, Kind::Notify, 7));
    }
    net.assert_clean();
}

/// To another process of the same VM.
#[test]
fn in_one_vm() {
    let mut net = three();
    let open = net.sendrec(3, 12, 20, b"o", 0);
    assert!(take(&mut net, 1, 20).is_some());
    let waiting = CLIENTS.map(|(vm, nr)| (vm, nr, net.sendrec(vm, nr + 3, 20, b"w", 0)));
    assert_eq!(net.notify(1, 10, 20), 0);
    let generation = net.located(20).gen_;
    net.migrate(1, 1, 20);
    assert_eq!(net.located(20).gen_, generation);
    assert_eq!(take(&mut net, 1, 20).unwrap().1, Kind::Notify);
    for (vm, nr, id) in waiting {
        assert!(take(&mut net, 1, 20).is_some());
        assert_eq!(net.reply(1, 20, nr + 3, b"r"), 0);
        assert_answered(&mut net, vm, id, b"r");
    }
    assert_eq!(net.reply(1, 20, 12, b"r"), 0);
    assert_answered(&mut net, 3, open, b"r");
    net.assert_clean();
}

/// More than a frame has room for.
#[test]
fn many_requests_go_along() {
    let mut net = Net::new(3);
    net.bind(1, 20);
    let clients: Vec<_> = (0..60).map(|i| (1 + i % 3, 30 + i as i32)).collect();
    let calls: Vec<_> = clients
        .iter()
        .map(|&(vm, nr)| {
            net.bind(vm, nr);
            let id = net.sendrec(vm, nr, 20, &[low(nr)], 0);
            assert!(take(&mut net, 1, 20).is_some());
            assert_eq!(net.notify(vm, nr, 20), EBADCALL, "users may not");
            (vm, nr, id)
        })
        .collect();
    net.migrate(1, 2, 20);
    for &(vm, nr, id) in &calls {
        assert_eq!(net.reply(2, 20, nr, &[low(nr)]), 0);
        assert_answered(&mut net, vm, id, &[low(nr)]);
    }
    let id = net.receive(2, 20, ANY, 0);
    assert!(net.pending(2, id));
    net.cancel(2, id, EINTR);
    net.assert_clean();
}
