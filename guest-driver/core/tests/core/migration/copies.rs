//! Copies from and to an endpoint that moves.

use super::{TOKEN, start, three};
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, CopyEnd, CopyRequest};

const BYTES: usize = 100_000;

fn copy(from: i32, to: i32) -> CopyRequest {
    let end = |nr| CopyEnd {
        ep: Addr::number(nr),
        ..CopyEnd::default()
    };
    CopyRequest {
        src: end(from),
        dst: end(to),
        bytes: BYTES as u64,
    }
}

/// A copy that is asked for while the endpoint moves is of the memory at its new place, as soon as
/// its process waits there.
#[test]
fn a_copy_waits_until_it_has_moved() {
    for to in [1, 2, 3] {
        for (vm, nr) in [(1, 10), (2, 11), (3, 12)] {
            let mut net = three();
            for (at, ep, byte) in [(1, 20, 1), (to, 20, 2), (vm, nr, 0)] {
                *net.core(at).memory(ep) = vec![byte; BYTES];
            }
            net.receive(1, 20, ANY, 0);
            start(&mut net, 1, 20);
            let out = net.copy(vm, nr, &copy(20, nr));
            net.adopt(to, 20, TOKEN);
            assert!(net.pending(vm, out));
            let commit = net.migrate_commit(1, 20, 0);
            assert_eq!(net.result(1, commit), 0);
            net.settle_copies();
            assert!(net.pending(vm, out), "its process does not wait yet");
            net.receive(to, 20, ANY, 0);
            net.settle_copies();
            net.pass(1_000_000_000);
            net.settle_copies();
            assert_eq!(net.result(vm, out), 0, "from VM {to} by VM {vm}");
            assert_eq!(net.core(vm).memory(nr)[BYTES - 1], 2);
            net.assert_clean();
        }
    }
}

#[test]
fn a_copy_goes_on_where_it_stays() {
    for (vm, nr) in [(1, 10), (2, 11)] {
        let mut net = three();
        *net.core(1).memory(20) = vec![0; BYTES];
        *net.core(vm).memory(nr) = vec![7; BYTES];
        net.receive(1, 20, ANY, 0);
        start(&mut net, 1, 20);
        let out = net.copy(vm, nr, &copy(nr, 20));
        assert!(net.pending(vm, out));
        let back = net.migrate_rollback(1, 20);
        assert_eq!(net.result(1, back), 0);
        net.settle_copies();
        assert_eq!(net.result(vm, out), 0);
        assert_eq!(net.core(1).memory(20)[0], 7);
        net.assert_clean();
    }
}

#[test]
fn a_copy_that_waits_can_leave() {
    for (vm, nr) in [(1, 10), (2, 11)] {
        let mut net = three();
        for (at, ep) in [(1, 20), (vm, nr)] {
            *net.core(at).memory(ep) = vec![0; BYTES];
        }
        net.receive(1, 20, ANY, 0);
        start(&mut net, 1, 20);
        let out = net.copy(vm, nr, &copy(20, nr));
        net.cancel(vm, out, ETIMEDOUT);
        assert_eq!(net.result(vm, out), ETIMEDOUT);
        let back = net.migrate_rollback(1, 20);
        assert_eq!(net.result(1, back), 0);
        net.assert_clean();
    }
}

/// One that is under way is waited for.
#[test]
fn start_waits_for_copies() {
    let mut net = three();
    *net.core(1).memory(20) = vec![3; BYTES];
    *net.core(3).memory(12) = vec![0; BYTES];
    net.core(1).hold_copies();
    net.receive(1, 20, ANY, 0);
    let out = net.copy(3, 12, &copy(20, 12));
    let started = net.migrate_start(1, 20, TOKEN);
    net.pass(300_000_000);
    assert!(net.pending(1, started));
    net.settle_copies();
    net.pass(1_000_000_000);
    net.settle_copies();
    assert_eq!((net.result(3, out), net.result(1, started)), (0, 0));
    net.assert_clean();
}
