//! Either side fails, at any step.

use super::{TOKEN, assert_answered, start, take, three};
use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, CallId};

/// A request is open and one waits; both are answered by the server in this VM.
fn assert_serves(net: &mut Net, at: u32, open: CallId, waiting: CallId) {
    assert_eq!(net.reply(at, 20, 12, b"open"), 0);
    assert_answered(net, 3, open, b"open");
    assert_eq!(take(net, at, 20).unwrap().0, 15);
    assert_eq!(net.reply(at, 20, 15, b"waiting"), 0);
    assert_answered(net, 3, waiting, b"waiting");
}

fn loaded() -> (Net, CallId, CallId) {
    let mut net = three();
    let open = net.sendrec(3, 12, 20, b"o", 0);
    assert!(take(&mut net, 1, 20).is_some());
    let waiting = net.sendrec(3, 15, 20, b"w", 0);
    (net, open, waiting)
}

/// An endpoint on its way from VM 1 to VM 2.
struct Moving {
    net: Net,
    open: CallId,
    waiting: CallId,
    commit: CallId,
    adopt: CallId,
}

/// Both sides have agreed to the move, and the fabric has done so many steps of it.
fn moving(steps: u32) -> Moving {
    let (mut net, open, waiting) = loaded();
    start(&mut net, 1, 20);
    let now = net.now;
    let commit = net.core(1).migrate_commit(20, 0, now);
    let adopt = net.core(2).adopt(20, TOKEN, now);
    for i in 0..steps {
        net.step(1 + i % 3);
    }
    Moving {
        net,
        open,
        waiting,
        commit,
        adopt,
    }
}

#[test]
fn nobody_adopts() {
    let (mut net, open, waiting) = loaded();
    start(&mut net, 1, 20);
    let commit = net.migrate_commit(1, 20, 0);
    net.cancel(1, commit, ETIMEDOUT);
    assert_eq!(net.result(1, commit), ETIMEDOUT);
    // Nobody has agreed to it now.
    let adopt = net.adopt(2, 20, TOKEN);
    assert!(net.pending(2, adopt));
    let back = net.migrate_rollback(1, 20);
    assert_eq!((net.result(1, back), net.result(2, adopt)), (0, EPROCSTS));
    assert_serves(&mut net, 1, open, waiting);
    net.assert_clean();
}

/// The new VM is lost after so many steps of the fabric: it stays, or went with that VM.
#[test]
fn the_new_vm_is_lost() {
    for steps in 0..40 {
        let Moving {
            mut net,
            open,
            waiting,
            commit,
            ..
        } = moving(steps);
        net.kill_vm(2);
        net.settle();
        net.pass(300_000_000);
        if net.pending(1, commit) {
            // It has not been asked for: another VM may adopt it.
            net.cancel(1, commit, EDSTDIED);
        }
        let committed = net.result(1, commit);
        if committed == 0 {
            for id in [open, waiting] {
                let result = net.result(3, id);
                assert!([ESRCDIED, EDSTDIED].contains(&result), "{steps}: {result}");
            }
        } else {
            assert_eq!(committed, EDSTDIED, "after {steps} steps");
            let back = net.migrate_rollback(1, 20);
            assert_eq!(net.result(1, back), 0);
            assert_serves(&mut net, 1, open, waiting);
        }
        net.assert_clean();
    }
}

/// The old VM is lost after so many steps: everybody hears of it, or is served by the new one.
#[test]
fn the_old_vm_is_lost() {
    for steps in 0..40 {
        let (mut net, open, waiting) = loaded();
        start(&mut net, 1, 20);
        let now = net.now;
        net.core(1).migrate_commit(20, 0, now);
        let adopt = net.core(2).adopt(20, TOKEN, now);
        for i in 0..steps {
            net.step(1 + i % 3);
        }
        net.kill_vm(1);
        net.settle();
        let adopted = net.result(2, adopt);
        if adopted == 0 {
            for (id, nr) in [(open, 12), (waiting, 15)] {
                if !net.pending(3, id) {
                    let result = net.result(3, id);
                    assert!([ESRCDIED, EDSTDIED].contains(&result), "{steps}: {result}");
                    continue;
                }
                take(&mut net, 2, 20);
                assert_eq!(net.reply(2, 20, nr, b"r"), 0);
                assert_answered(&mut net, 3, id, b"r");
            }
        } else {
            for id in [open, waiting] {
                let result = net.result(3, id);
                assert!([ESRCDIED, EDSTDIED].contains(&result), "{steps}: {result}");
            }
        }
    }
}

/// Rolled back after so many steps: it stays, or it has moved, and both sides say so.
#[test]
fn rolled_back_at_any_step() {
    let mut both = [false; 2];
    for steps in 0..40 {
        let Moving {
            mut net,
            open,
            waiting,
            commit,
            adopt,
        } = moving(steps);
        let back = net.migrate_rollback(1, 20);
        net.pass(300_000_000);
        let (back, commit) = (net.result(1, back), net.result(1, commit));
        let adopt = net.result(2, adopt);
        let moved = adopt == 0;
        both[usize::from(moved)] = true;
        if moved {
            assert_eq!(commit, 0);
            assert!([EPROCSTS, ERMTPROC].contains(&back), "{steps}: {back}");
        } else {
            assert_eq!((commit, back), (EPROCSTS, 0), "after {steps} steps");
            assert_eq!(adopt, EPROCSTS);
        }
        let at = if moved { 2 } else { 1 };
        assert_serves(&mut net, at, open, waiting);
        net.assert_clean();
    }
    assert_eq!(both, [true; 2]);
}

/// The adopter leaves after so many steps.
#[test]
fn the_adopter_leaves_at_any_step() {
    for steps in 0..40 {
        let Moving {
            mut net,
            open,
            waiting,
            commit,
            adopt,
        } = moving(steps);
        net.cancel(2, adopt, EINTR);
        net.pass(300_000_000);
        if net.result(2, adopt) == 0 {
            assert_eq!(net.result(1, commit), 0);
            assert_serves(&mut net, 2, open, waiting);
        } else {
            // Another one takes its place.
            if net.pending(1, commit) {
                net.cancel(1, commit, ETIMEDOUT);
            }
            let committed = net.result(1, commit);
            assert!(
                [EDSTDIED, ETIMEDOUT].contains(&committed),
                "{steps}: {committed}"
            );
            let adopt = net.adopt(3, 20, TOKEN);
            let commit = net.migrate_commit(1, 20, 0);
            assert_eq!((net.result(1, commit), net.result(3, adopt)), (0, 0));
            assert_serves(&mut net, 3, open, waiting);
        }
        net.assert_clean();
    }
}

/// The old process exits after so many steps.
#[test]
fn the_old_process_exits_at_any_step() {
    for steps in 0..40 {
        let Moving {
            mut net,
            open,
            waiting,
            commit,
            adopt,
        } = moving(steps);
        net.unbind(1, 20);
        net.pass(300_000_000);
        if net.result(2, adopt) == 0 {
            assert_eq!(net.result(1, commit), 0);
            assert_serves(&mut net, 2, open, waiting);
        } else {
            assert_ne!(net.result(1, commit), 0);
            assert_eq!(net.result(3, open), ESRCDIED);
            assert_eq!(net.result(3, waiting), EDSTDIED);
        }
        net.assert_clean();
    }
}

/// The old VM gets a new life after so many steps: the endpoint stays there or is in the new VM.
#[test]
fn the_old_vm_is_renewed() {
    for steps in 0..40 {
        let Moving {
            mut net,
            open,
            waiting,
            commit,
            adopt,
        } = moving(steps);
        net.renew(1);
        net.pass(300_000_000);
        for id in [open, waiting] {
            if net.pending(3, id) {
                continue;
            }
            let result = net.result(3, id);
            assert!([ESRCDIED, EDSTDIED].contains(&result), "{steps}: {result}");
        }
        if net.pending(1, commit) {
            net.cancel(1, commit, ENOTCONN);
        }
        let committed = net.result(1, commit);
        if net.result(2, adopt) == 0 {
            assert!([0, ENOTCONN].contains(&committed), "{steps}: {committed}");
            let id = net.sendrec(1, 10, 20, b"q", 0);
            while let Some((from, ..)) = take(&mut net, 2, 20) {
                assert_eq!(net.reply(2, 20, from, b"r"), 0);
            }
            assert_answered(&mut net, 1, id, b"r");
        } else {
            assert_eq!(committed, ENOTCONN, "after {steps} steps");
            let back = net.migrate_rollback(1, 20);
            assert_eq!(net.result(1, back), 0);
            let receive = net.receive(1, 20, ANY, 0);
            let id = net.sendrec(3, 12, 20, b"q", 0);
            assert_eq!(net.result(1, receive), 0);
            assert_eq!(net.reply(1, 20, 12, b"r"), 0);
            assert_answered(&mut net, 3, id, b"r");
        }
    }
}

/// The endpoint dies at its new place before its clients have come for their answers.
#[test]
fn it_dies_before_its_clients_come() {
    let (mut net, open, waiting) = loaded();
    start(&mut net, 1, 20);
    let now = net.now;
    let commit = net.core(1).migrate_commit(20, 0, now);
    let adopt = net.core(2).adopt(20, TOKEN, now);
    while net.core(2).is_pending(adopt) {
        net.step(1);
        net.step(2);
    }
    net.core(2).unbind(20, now);
    net.settle();
    net.pass(300_000_000);
    assert_eq!(net.result(1, commit), 0);
    assert_eq!(net.result(3, open), ESRCDIED);
    assert_eq!(net.result(3, waiting), EDSTDIED);
    net.assert_clean();
}

/// Once the commit has returned, the end of the old VM is nothing to anybody.
#[test]
fn the_old_vm_may_go_after_the_commit() {
    let (mut net, open, waiting) = loaded();
    let watcher = net.await_unbind(3, 0, 20);
    start(&mut net, 1, 20);
    let now = net.now;
    let commit = net.core(1).migrate_commit(20, 0, now);
    net.adopt(2, 20, TOKEN);
    while net.core(1).is_pending(commit) {
        net.pass(10_000_000);
    }
    net.kill_vm(1);
    net.settle();
    assert!(net.pending(3, watcher));
    assert_serves(&mut net, 2, open, waiting);
    net.assert_clean();
}
