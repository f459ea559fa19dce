//! What is copied from where to where, and what is refused.

use super::trio::*;
use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, CopyEnd, CopyRequest, Limits};

/// Endpoint 10 of the first VM, and 20 of another: a pattern in the one's memory, nothing in the
/// other's.
fn pair(far: u32, bytes: usize) -> (Net, Vec<u8>) {
    let mut net = Net::new(2);
    let pattern = pattern(bytes, 2);
    net.bind(1, 10);
    net.bind(far, 20);
    net.core(1).memory(10).clone_from(&pattern);
    *net.core(far).memory(20) = vec![0; bytes];
    (net, pattern)
}

/// [`request`] with another source.
fn from(src: CopyEnd) -> CopyRequest {
    CopyRequest { src, ..request(10) }
}

/// [`request`] with another destination.
fn to(dst: CopyEnd) -> CopyRequest {
    CopyRequest { dst, ..request(10) }
}

#[test]
fn every_placement_copies_every_size() {
    for vms in PLACEMENTS {
        for bytes in [1, 4096, 65536, 65537, 300_001, LONGEST] {
            let mut trio = Trio::with(vms, Limits::default(), 64, LONGEST);
            assert_eq!(trio.copy(&request(bytes)), 0, "{vms:?} {bytes}");
            assert!(trio.arrived(bytes), "{vms:?} {bytes}");
            trio.finish();
        }
    }
}

#[test]
fn the_requester_may_be_a_party_itself() {
    for far in [1, 2] {
        let (mut net, pattern) = pair(far, 200_000);
        let wait = net.receive(far, 20, ANY, 0);
        let out = net.copy(1, 10, &between(end(10, 0), end(20, 0), SEVERAL));
        assert_eq!(net.result(1, out), 0);
        assert_eq!(net.core(far).memory(20)[..SEVERAL], pattern[..SEVERAL]);
        let back = net.copy(1, 10, &between(end(20, 0), end(10, 50_000), SEVERAL));
        assert_eq!(net.result(1, back), 0);
        assert_eq!(net.core(1).memory(10)[50_000..], pattern[..SEVERAL]);
        assert!(net.pending(far, wait));
        net.assert_clean();
    }
}

#[test]
fn a_client_that_waits_for_its_answer_is_copied_from() {
    for server in [1, 2] {
        let (mut net, pattern) = pair(server, 70_000);
        let receive = net.receive(server, 20, ANY, 0);
        let call = net.sendrec(1, 10, 20, b"read me", 0);
        assert_eq!(net.result(server, receive), 0);
        let copy = net.copy(server, 20, &between(end(10, 0), end(20, 0), 70_000));
        assert_eq!(net.result(server, copy), 0);
        assert_eq!(net.core(server).memory(20)[..], pattern[..]);
        assert_eq!(net.reply(server, 20, 10, b"done"), 0);
        assert_eq!(net.outcome(1, call).data, b"done");
        net.assert_clean();
    }
}

#[test]
fn what_cannot_be_copied() {
    for vms in PLACEMENTS {
        let mut trio = Trio::new(vms);
        let mut stale = request(10);
        stale.dst.ep.gen_ = 99;
        for (change, result) in [
            (request(0), ERANGE),
            (request(LONGEST + 1), E2BIG),
            (from(end(SOURCE, u64::MAX - 5)), ERANGE),
            (from(end(500, 0)), ERANGE),
            (from(end(99, 0)), ESRCDIED),
            (to(end(99, 0)), EDSTDIED),
            (from(end(SOURCE, 1 << 40)), EINVAL),
            (to(end(DESTINATION, 1 << 40)), EINVAL),
            (stale, EENDPOINT),
        ] {
            assert_eq!(trio.copy(&change), result, "{vms:?} {change:?}");
        }
        let id = trio.net.copy(vms[0], 55, &request(10));
        assert_eq!(trio.result(id), ENOTBIND);
        trio.net.bind(vms[0], 100);
        let id = trio.net.copy(vms[0], 100, &request(10));
        assert_eq!(trio.result(id), EBADCALL);
        trio.net.unbind(vms[0], 100);
        assert!(trio.arrived(0));
        trio.finish();
    }
}

#[test]
fn parties_have_to_wait() {
    for vms in PLACEMENTS {
        for ep in [SOURCE, DESTINATION] {
            let mut trio = Trio::new(vms);
            let vm = trio.vm(ep);
            trio.wait_no_more();
            trio.wait(SOURCE + DESTINATION - ep);
            assert_eq!(trio.copy(&request(1000)), EPROCSTS, "{vms:?} {ep}");
            assert!(trio.arrived(0));
            assert_eq!(trio.net.core(vm).stats().sides, 0);
            trio.finish();
        }
    }
}

#[test]
fn an_endpoint_that_has_moved_is_found_again() {
    for ep in [SOURCE, DESTINATION] {
        let mut trio = Trio::new([1, 2, 2]);
        assert_eq!(trio.copy(&request(10)), 0);
        trio.unbind(ep);
        assert_eq!(trio.net.bind(3, ep).result, 0);
        let other = usize::try_from(ep - REQUESTER).unwrap();
        trio.vms[other] = 3;
        trio.furnish(ep, 100_000);
        trio.waits.clear();
        trio.wait(ep);
        assert_eq!(trio.copy(&request(100_000)), 0);
        assert!(trio.arrived(100_000));
    }
}

#[test]
fn a_source_bound_here_meanwhile_holds_no_operation() {
    let mut net = Net::new(1);
    assert_eq!(net.bind(1, REQUESTER).result, 0);
    let now = net.now;
    let bind = net.core(1).bind(SOURCE, now);
    let copy = net.core(1).copy(REQUESTER, &request(1), now);
    net.settle();
    assert_eq!(net.result(1, bind), 0);
    assert_eq!(net.result(1, copy), EDSTDIED);
    net.assert_clean();
}
