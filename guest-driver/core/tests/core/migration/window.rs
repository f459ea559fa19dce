//! Between start and commit or rollback.

use super::{TOKEN, assert_answered, low, start, take, three};
use dvs_core::errors::*;
use dvs_core::{ANY, Kind, NOWAIT, RTS_MIGRATE};

const CLIENTS: [(u32, i32); 3] = [(1, 10), (2, 11), (3, 12)];

#[test]
fn back_is_as_before() {
    let mut net = three();
    let receive = net.receive(1, 20, ANY, 0);
    let before = net.state(1, 20);
    start(&mut net, 1, 20);
    let open = CLIENTS.map(|(vm, nr)| {
        let id = net.sendrec(vm, nr, 20, &[low(nr)], 0);
        assert!(net.pending(vm, id), "it waits");
        (vm, nr, id)
    });
    assert_eq!(net.notify(3, 15, 20), 0);
    assert!(net.pending(1, receive));
    assert_eq!(net.state(1, 20).rts, before.rts | RTS_MIGRATE);
    assert!(!net.core(1).is_readable(20));
    let id = net.migrate_rollback(1, 20);
    assert_eq!(net.result(1, id), 0);
    let got = net.outcome(1, receive);
    assert_eq!((got.result, got.kind, got.from.nr), (0, Kind::Notify, 15));
    assert_eq!(net.state(1, 20).rts, 0);
    for (vm, nr, id) in open {
        assert!(take(&mut net, 1, 20).is_some());
        assert_eq!(net.reply(1, 20, nr, b"r"), 0);
        assert_answered(&mut net, vm, id, b"r");
    }
    net.migrate(1, 2, 20);
    net.assert_clean();
}

#[test]
fn what_may_not_wait_does_not() {
    let mut net = three();
    start(&mut net, 1, 20);
    for (vm, nr) in CLIENTS {
        let id = net.send(vm, nr, 20, b"x", NOWAIT);
        assert_eq!(net.result(vm, id), EAGAIN);
        let id = net.sendrec(vm, nr, 20, b"x", 0);
        net.cancel(vm, id, ETIMEDOUT);
        assert_eq!(net.result(vm, id), ETIMEDOUT);
    }
    assert_eq!(net.wakeup(1, 10, 20), EMIGRATE);
    net.adopt(2, 20, TOKEN);
    let id = net.migrate_commit(1, 20, 0);
    assert_eq!(net.result(1, id), 0);
    assert_eq!(take(&mut net, 2, 20), None, "they have left");
    net.assert_clean();
}

#[test]
fn its_process_sleeps() {
    let mut net = three();
    start(&mut net, 1, 20);
    let now = net.now;
    let receive = net.receive(1, 20, ANY, 0);
    assert_eq!(net.result(1, receive), EMIGRATE);
    let send = net.send(1, 20, 12, b"x", 0);
    assert_eq!(net.result(1, send), EMIGRATE);
    let stay = net.core(1).migrate_stay(20, now).unwrap();
    assert!(net.pending(1, stay));
    let back = net.migrate_rollback(1, 20);
    assert_eq!((net.result(1, stay), net.result(1, back)), (0, 0));
    let receive = net.receive(1, 20, ANY, 0);
    start(&mut net, 1, 20);
    let stay = net.core(1).migrate_stay(20, now).unwrap();
    net.adopt(2, 20, TOKEN);
    let commit = net.migrate_commit(1, 20, 0);
    assert_eq!(net.result(1, commit), 0);
    assert_eq!(net.result(1, stay), EMIGRATE);
    assert_eq!(net.result(1, receive), EMIGRATE);
    net.unbind(1, 20);
    let id = net.sendrec(3, 12, 20, b"q", 0);
    assert!(
        take(&mut net, 2, 20).is_some(),
        "the old process's end means nothing"
    );
    assert_eq!(net.reply(2, 20, 12, b"r"), 0);
    assert_answered(&mut net, 3, id, b"r");
    net.assert_clean();
}

#[test]
fn start_waits_for_what_is_under_way() {
    let mut net = three();
    let send = net.send(1, 20, 12, b"x", 0);
    let started = net.migrate_start(1, 20, TOKEN);
    assert!(net.pending(1, started));
    let commit = net.migrate_commit(1, 20, 0);
    assert_eq!(net.result(1, commit), EPROCSTS);
    assert!(take(&mut net, 3, 12).is_some());
    net.pass(300_000_000);
    assert_eq!((net.result(1, send), net.result(1, started)), (0, 0));
    // Once more is the same one.
    let now = net.now;
    let again = net.core(1).migrate_start(20, TOKEN + 1, now);
    let again = net.outcome(1, again);
    assert_eq!((again.result, again.token), (0, TOKEN));
}

#[test]
fn a_start_that_gives_up_leaves_nothing() {
    let mut net = three();
    let send = net.send(1, 20, 12, b"x", 0);
    let started = net.migrate_start(1, 20, TOKEN);
    net.cancel(1, started, ETIMEDOUT);
    assert_eq!(net.result(1, started), ETIMEDOUT);
    let id = net.migrate_rollback(1, 20);
    assert_eq!(net.result(1, id), EMIGRATE);
    assert!(take(&mut net, 3, 12).is_some());
    assert_eq!(net.result(1, send), 0);
    net.assert_clean();
}

#[test]
fn what_is_wrong_is_said() {
    let mut net = three();
    let wrong = |net: &mut crate::net::Net, nr| {
        let id = net.migrate_commit(1, nr, 0);
        net.result(1, id)
    };
    assert_eq!(wrong(&mut net, 20), EPROCSTS);
    assert_eq!(wrong(&mut net, 12), ERMTPROC);
    assert_eq!(wrong(&mut net, 25), ENOTBIND);
    assert_eq!(wrong(&mut net, 9999), ERANGE);
    for vm in [1, 2] {
        let id = net.adopt(vm, 20, TOKEN);
        assert_eq!(net.result(vm, id), EPROCSTS);
    }
    start(&mut net, 1, 20);
    for vm in [1, 2] {
        let id = net.adopt(vm, 20, TOKEN + 1);
        assert_eq!(net.result(vm, id), EPRIVILEGES);
    }
    let id = net.adopt(2, 25, TOKEN);
    assert_eq!(net.result(2, id), EDSTDIED);
    net.assert_clean();
}

/// Only the VM that was named gets it; another adopter waits in vain.
#[test]
fn the_named_vm_gets_it() {
    let mut net = three();
    start(&mut net, 1, 20);
    let other = net.adopt(3, 20, TOKEN);
    let commit = net.migrate_commit(1, 20, 2);
    assert!(net.pending(1, commit) && net.pending(3, other));
    let right = net.adopt(2, 20, TOKEN);
    assert_eq!((net.result(1, commit), net.result(2, right)), (0, 0));
    assert_eq!(net.result(3, other), ESLOTUSED);
    net.assert_clean();
}
