//! Copies: requester, source and destination in every placement, deaths of each, grants.

use crate::net::{Fate, Net};
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, CallId, CopyEnd, CopyRequest, Limits, MAX_COPY, READ, WRITE};

const REQUESTER: i32 = 10;
const SOURCE: i32 = 11;
const DESTINATION: i32 = 12;
/// [`MAX_COPY`] as a length.
const LONGEST: usize = 1 << 20;

/// The VMs of requester, source and destination, the three endpoints being different ones.
const PLACEMENTS: [[u32; 3]; 5] = [[1, 1, 1], [1, 1, 2], [1, 2, 1], [1, 2, 2], [1, 2, 3]];

fn pattern(bytes: usize, seed: usize) -> Vec<u8> {
    (0..bytes)
        .map(|i| ((i * 31 + i / 251 + seed * 7) % 256).to_le_bytes()[0])
        .collect()
}

fn end(ep: i32, address: u64) -> CopyEnd {
    CopyEnd {
        ep: Addr::number(ep),
        address,
        grant: 0,
    }
}

fn request(bytes: u64) -> CopyRequest {
    CopyRequest {
        src: end(SOURCE, 100),
        dst: end(DESTINATION, 200),
        bytes,
    }
}

/// The three endpoints, source and destination waiting in a receive.
struct Trio {
    net: Net,
    vms: [u32; 3],
    waits: Vec<(u32, CallId)>,
}

impl Trio {
    fn new(vms: [u32; 3]) -> Trio {
        Trio::with(vms, Limits::default(), 64, 200_000)
    }

    fn with(vms: [u32; 3], limits: Limits, ring: usize, bytes: usize) -> Trio {
        let mut net = Net::with(3, limits, ring);
        for (vm, ep) in vms.into_iter().zip([REQUESTER, SOURCE, DESTINATION]) {
            assert_eq!(net.bind(vm, ep).result, 0);
        }
        let mut trio = Trio {
            net,
            vms,
            waits: Vec::new(),
        };
        *trio.memory(SOURCE) = pattern(bytes + 100, 1);
        *trio.memory(DESTINATION) = vec![0; bytes + 200];
        trio.wait(SOURCE);
        trio.wait(DESTINATION);
        trio
    }

    fn vm(&self, ep: i32) -> u32 {
        self.vms[usize::try_from(ep - REQUESTER).unwrap()]
    }

    fn memory(&mut self, ep: i32) -> &mut Vec<u8> {
        let vm = self.vm(ep);
        self.net.core(vm).memory(ep)
    }

    fn wait(&mut self, ep: i32) -> CallId {
        let vm = self.vm(ep);
        let id = self.net.receive(vm, ep, ANY, 0);
        self.waits.push((vm, id));
        id
    }

    fn copy(&mut self, bytes: u64) -> CallId {
        self.net.copy(self.vms[0], REQUESTER, &request(bytes))
    }

    fn result(&mut self, id: CallId) -> i32 {
        self.net.result(self.vms[0], id)
    }

    fn arrived(&mut self, bytes: usize) -> bool {
        let expected = pattern(bytes + 100, 1)[100..].to_vec();
        let memory = self.memory(DESTINATION);
        memory[200..200 + bytes] == expected
            && memory[..200].iter().all(|&b| b == 0)
            && memory[200 + bytes..].iter().all(|&b| b == 0)
    }

    /// The endpoints still work, and nothing of the copy is left.
    fn finish(mut self) {
        for (vm, id) in std::mem::take(&mut self.waits) {
            if self.net.cores.contains_key(&vm) && self.net.pending(vm, id) {
                self.net.cancel(vm, id, EINTR);
                assert_eq!(self.net.result(vm, id), EINTR);
            }
        }
        self.net.assert_clean();
    }

    /// One thing at a time, with the shells' own work held back, until `done` or all is quiet.
    fn steps(&mut self, mut done: impl FnMut(&mut Trio, usize) -> bool) {
        for n in 0..10_000 {
            if done(self, n) {
                return;
            }
            let vms: Vec<u32> = self.net.cores.keys().copied().collect();
            let now = self.net.now;
            let busy = vms
                .into_iter()
                .any(|vm| self.net.step(vm) || self.net.core(vm).copy_step(now));
            if !busy {
                return;
            }
        }
        panic!("the cores never come to rest");
    }
}

#[test]
fn every_placement_copies_every_size() {
    for vms in PLACEMENTS {
        for bytes in [1, 4096, 65536, 65537, 300_001, LONGEST] {
            let mut trio = Trio::with(vms, Limits::default(), 64, LONGEST);
            let id = trio.copy(bytes as u64);
            assert_eq!(trio.result(id), 0, "{vms:?} {bytes}");
            assert!(trio.arrived(bytes), "{vms:?} {bytes}");
            trio.finish();
        }
    }
}

#[test]
fn the_requester_may_be_a_party_itself() {
    for far in [1, 2] {
        let mut net = Net::new(2);
        net.bind(1, 10);
        net.bind(far, 20);
        *net.core(1).memory(10) = pattern(200_000, 2);
        *net.core(far).memory(20) = vec![0; 200_000];
        let wait = net.receive(far, 20, ANY, 0);
        let mut r = CopyRequest {
            src: end(10, 0),
            dst: end(20, 0),
            bytes: 150_000,
        };
        let out = net.copy(1, 10, &r);
        assert_eq!(net.result(1, out), 0);
        assert_eq!(
            net.core(far).memory(20)[..150_000],
            pattern(200_000, 2)[..150_000]
        );
        std::mem::swap(&mut r.src, &mut r.dst);
        r.dst.address = 50_000;
        let back = net.copy(1, 10, &r);
        assert_eq!(net.result(1, back), 0);
        assert_eq!(
            net.core(1).memory(10)[50_000..],
            pattern(200_000, 2)[..150_000]
        );
        assert!(net.pending(far, wait));
        net.assert_clean();
    }
}

#[test]
fn a_client_that_waits_for_its_answer_is_copied_from() {
    for server in [1, 2] {
        let mut net = Net::new(2);
        net.bind(1, 10);
        net.bind(server, 20);
        *net.core(1).memory(10) = pattern(70_000, 3);
        *net.core(server).memory(20) = vec![0; 70_000];
        let receive = net.receive(server, 20, ANY, 0);
        let call = net.sendrec(1, 10, 20, b"read me", 0);
        assert_eq!(net.result(server, receive), 0);
        let copy = net.copy(
            server,
            20,
            &CopyRequest {
                src: end(10, 0),
                dst: end(20, 0),
                bytes: 70_000,
            },
        );
        assert_eq!(net.result(server, copy), 0);
        assert_eq!(net.core(server).memory(20)[..], pattern(70_000, 3)[..]);
        assert_eq!(net.reply(server, 20, 10, b"done"), 0);
        assert_eq!(net.outcome(1, call).data, b"done");
        net.assert_clean();
    }
}

#[test]
fn what_cannot_be_copied() {
    for vms in PLACEMENTS {
        let mut trio = Trio::new(vms);
        for (change, result) in [
            (request(0), ERANGE),
            (request(MAX_COPY + 1), E2BIG),
            (
                CopyRequest {
                    src: end(SOURCE, u64::MAX - 5),
                    ..request(10)
                },
                ERANGE,
            ),
            (
                CopyRequest {
                    src: end(500, 0),
                    ..request(10)
                },
                ERANGE,
            ),
            (
                CopyRequest {
                    src: end(99, 0),
                    ..request(10)
                },
                ESRCDIED,
            ),
            (
                CopyRequest {
                    dst: end(99, 0),
                    ..request(10)
                },
                EDSTDIED,
            ),
            (
                CopyRequest {
                    src: end(SOURCE, 1 << 40),
                    ..request(10)
                },
                EINVAL,
            ),
            (
                CopyRequest {
                    dst: end(DESTINATION, 1 << 40),
                    ..request(10)
                },
                EINVAL,
            ),
        ] {
            let id = trio.net.copy(vms[0], REQUESTER, &change);
            assert_eq!(trio.result(id), result, "{vms:?} {change:?}");
        }
        let mut stale = request(10);
        stale.dst.ep.gen_ = 99;
        let id = trio.net.copy(vms[0], REQUESTER, &stale);
        assert_eq!(trio.result(id), EENDPOINT);
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
            for (at, id) in std::mem::take(&mut trio.waits) {
                trio.net.cancel(at, id, EINTR);
            }
            trio.wait(SOURCE + DESTINATION - ep);
            let id = trio.copy(1000);
            assert_eq!(trio.result(id), EPROCSTS, "{vms:?} {ep}");
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
        let id = trio.copy(10);
        assert_eq!(trio.result(id), 0);
        trio.net.unbind(2, ep);
        assert_eq!(trio.net.bind(3, ep).result, 0);
        let other = usize::try_from(ep - REQUESTER).unwrap();
        trio.vms[other] = 3;
        *trio.memory(ep) = if ep == SOURCE {
            pattern(100_100, 1)
        } else {
            vec![0; 100_200]
        };
        trio.waits.clear();
        trio.wait(ep);
        let id = trio.copy(100_000);
        assert_eq!(trio.result(id), 0);
        assert!(trio.arrived(100_000));
    }
}

/// Something happens after each number of steps in turn; every party then finds its way.
fn at_every_moment(vms: [u32; 3], event: impl Fn(&mut Trio), allowed: &[i32]) {
    for moment in 0.. {
        let mut trio = Trio::new(vms);
        for vm in 1..=3 {
            trio.net.core(vm).hold_copies();
        }
        let now = trio.net.now;
        let id = trio
            .net
            .core(vms[0])
            .copy(REQUESTER, &request(150_000), now);
        let mut happened = false;
        trio.steps(|trio, n| {
            if n == moment {
                event(trio);
                happened = true;
            }
            false
        });
        trio.steps(|trio, _| {
            trio.net.settle();
            false
        });
        if trio.net.cores.contains_key(&vms[0]) {
            let result = trio.result(id);
            assert!(allowed.contains(&result), "{vms:?} {moment}: {result}");
            if result == 0 {
                let there = trio.net.cores.contains_key(&trio.vm(DESTINATION));
                assert!(!there || trio.arrived(150_000), "{vms:?} {moment}");
            }
        }
        for vm in 1..=3 {
            if let Some(core) = trio.net.cores.get(&vm) {
                let stats = core.stats();
                assert_eq!((stats.sides, stats.copies), (0, 0), "{vms:?} {moment}");
            }
        }
        trio.finish();
        if !happened {
            break;
        }
    }
}

#[test]
fn a_party_may_die_at_any_moment() {
    for vms in PLACEMENTS {
        at_every_moment(
            vms,
            |t| t.net.unbind(t.vm(SOURCE), SOURCE),
            &[0, ESRCDIED, EDSTDIED],
        );
        at_every_moment(
            vms,
            |t| t.net.unbind(t.vm(DESTINATION), DESTINATION),
            &[0, EDSTDIED, ESRCDIED],
        );
        at_every_moment(
            vms,
            |t| t.net.unbind(t.vm(REQUESTER), REQUESTER),
            &[0, ENOTBIND],
        );
    }
}

#[test]
fn a_vm_may_die_at_any_moment() {
    for vms in PLACEMENTS {
        for vm in 1..=3 {
            let lost = |t: &mut Trio| t.net.kill_vm(vm);
            let allowed = [0, ESRCDIED, EDSTDIED];
            if vms.contains(&vm) {
                at_every_moment(vms, lost, &allowed);
            }
        }
    }
}

#[test]
fn everybody_may_leave_at_any_moment() {
    for vms in PLACEMENTS {
        let leave = |ep: i32| {
            move |t: &mut Trio| {
                let (vm, id) = t.waits[usize::try_from(ep - SOURCE).unwrap()];
                let now = t.net.now;
                t.net.core(vm).cancel(id, ETIMEDOUT, now);
            }
        };
        at_every_moment(vms, leave(SOURCE), &[0, EPROCSTS]);
        at_every_moment(vms, leave(DESTINATION), &[0, EPROCSTS]);
    }
}

#[test]
fn the_requester_may_leave_at_any_moment() {
    for vms in PLACEMENTS {
        for abandon in [false, true] {
            for moment in 0.. {
                let mut trio = Trio::new(vms);
                for vm in 1..=3 {
                    trio.net.core(vm).hold_copies();
                }
                let now = trio.net.now;
                let core = trio.net.core(vms[0]);
                let id = core.copy(REQUESTER, &request(150_000), now);
                let mut happened = false;
                trio.steps(|trio, n| {
                    if n == moment {
                        happened = true;
                        let core = trio.net.core(vms[0]);
                        core.cancel(id, ETIMEDOUT, now);
                        if abandon {
                            core.abandon(id, now);
                        }
                    }
                    false
                });
                let result = trio.result(id);
                assert!([0, ETIMEDOUT].contains(&result), "{vms:?} {result}");
                assert!(result != 0 || trio.arrived(150_000), "{vms:?} {moment}");
                trio.finish();
                if !happened {
                    break;
                }
            }
        }
    }
}

#[test]
fn bulk_frames_may_be_lost_repeated_and_late() {
    let fates = [Fate::Deliver, Fate::Drop, Fate::Repeat, Fate::Hold];
    for vms in PLACEMENTS {
        for seed in 0..16usize {
            let mut trio = Trio::with(vms, Limits::default(), 2 + seed % 40, LONGEST);
            let mut x = seed * 2_654_435_761 + 1;
            for _ in 0..40 {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                trio.net.bulk_fates.push_back(fates[(x >> 33) % 4]);
                trio.net.fates.push_back(fates[(x >> 40) % 4]);
            }
            let id = trio.copy(MAX_COPY);
            for i in 0..20 {
                trio.net.release(i * 7);
                trio.net.settle();
            }
            trio.net.pass(3_000_000_000);
            assert_eq!(trio.result(id), 0, "{vms:?} {seed}");
            assert!(trio.arrived(LONGEST), "{vms:?} {seed}");
            trio.finish();
        }
    }
}

#[test]
fn the_backstop_covers_what_nobody_announces() {
    let mut trio = Trio::with([1, 2, 3], Limits::default(), 64, LONGEST);
    trio.net.bulk_fates.extend([Fate::Drop; 20]);
    let now = trio.net.now;
    let id = trio.net.core(1).copy(REQUESTER, &request(MAX_COPY), now);
    for _ in 0..500 {
        for vm in 1..=3 {
            trio.net.step(vm);
        }
        trio.net.forget_retries();
    }
    trio.net.pass(5_000_000_000);
    assert_eq!(trio.result(id), 0);
    assert!(trio.arrived(LONGEST));
    trio.finish();
}

#[test]
fn many_copies_at_once_take_turns() {
    let mut net = Net::new(3);
    let mut calls = Vec::new();
    for i in 0..30i32 {
        let (vm, other) = (1 + i.unsigned_abs() % 3, 1 + (i.unsigned_abs() + 1) % 3);
        let (requester, server) = (-34 + i, i);
        net.bind(vm, requester);
        net.bind(other, server);
        *net.core(vm).memory(requester) = pattern(150_000, usize::try_from(i).unwrap());
        *net.core(other).memory(server) = vec![0; 150_000];
        net.receive(other, server, ANY, 0);
        let r = CopyRequest {
            src: end(requester, 0),
            dst: end(server, 0),
            bytes: 150_000,
        };
        let now = net.now;
        calls.push((vm, other, net.core(vm).copy(requester, &r, now), i));
    }
    net.settle();
    for (vm, other, id, i) in calls {
        assert_eq!(net.result(vm, id), 0);
        let expected = pattern(150_000, usize::try_from(i).unwrap());
        assert_eq!(net.core(other).memory(i)[..], expected[..]);
    }
    net.assert_clean();
}

#[test]
fn pools_have_an_end() {
    let limits = Limits {
        copies: 2,
        sides: 4,
        grants: 1,
        ..Limits::default()
    };
    let mut trio = Trio::with([1, 1, 2], limits, 64, 1000);
    for vm in 1..=3 {
        trio.net.core(vm).hold_copies();
    }
    let now = trio.net.now;
    let core = trio.net.core(1);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(core.copy(REQUESTER, &request(10), now));
    }
    trio.steps(|_, _| false);
    let results: Vec<i32> = ids.iter().map(|&id| trio.result(id)).collect();
    assert_eq!(results[2], EALLOCMEM, "{results:?}");
    assert!(results.contains(&0) || results.contains(&EALLOCMEM));
    let core = trio.net.core(1);
    assert!(
        core.lend(SOURCE, Addr::number(ANY), READ, 0, 10, now)
            .is_ok()
    );
    let more = core.lend(SOURCE, Addr::number(ANY), READ, 0, 10, now);
    assert_eq!(more, Err(EALLOCMEM));
    trio.finish();
}

#[test]
fn a_grant_opens_its_region_and_nothing_else() {
    for vms in PLACEMENTS {
        let mut trio = Trio::new(vms);
        for (at, id) in std::mem::take(&mut trio.waits) {
            trio.net.cancel(at, id, EINTR);
        }
        let now = trio.net.now;
        let lender = |trio: &mut Trio, ep: i32, to: i32, rights: u32| {
            let vm = trio.vm(ep);
            let core = trio.net.core(vm);
            core.lend(ep, Addr::number(to), rights, 100, 1000, now)
                .unwrap()
        };
        let read = lender(&mut trio, SOURCE, REQUESTER, READ);
        let write = lender(&mut trio, DESTINATION, ANY, WRITE);
        let other = lender(&mut trio, SOURCE, 77, READ);
        let copy = |trio: &mut Trio, src: u64, dst: u64, from: u64, bytes: u64| {
            let mut r = request(bytes);
            (r.src.grant, r.src.address) = (src, from);
            (r.dst.grant, r.dst.address) = (dst, 100);
            let id = trio.net.copy(vms[0], REQUESTER, &r);
            trio.result(id)
        };
        assert_eq!(copy(&mut trio, read, write, 0, 900), 0);
        assert!(trio.arrived(900));
        for (src, dst, from, bytes) in [
            (read, write, 0, 901),
            (read, write, 101, 900),
            (read, write, u64::MAX, 2),
            (other, write, 0, 1),
            (read ^ 1 << 40, write, 0, 1),
        ] {
            let result = copy(&mut trio, src, dst, from, bytes);
            assert!(
                [EPROCSTS, ERANGE].contains(&result),
                "{vms:?} {from} {bytes}: {result}"
            );
        }
        if vms[1] == vms[2] {
            assert_eq!(copy(&mut trio, write, write, 0, 1), EPROCSTS);
            assert_eq!(copy(&mut trio, read, read, 0, 1), EPROCSTS);
        }
        let vm = trio.vm(SOURCE);
        assert_eq!(trio.net.core(vm).revoke(SOURCE, read, now), 0);
        assert_eq!(trio.net.core(vm).revoke(SOURCE, read, now), EINVAL);
        assert_eq!(copy(&mut trio, read, write, 0, 10), EPROCSTS);
        let vm = trio.vm(DESTINATION);
        trio.net.unbind(vm, DESTINATION);
        assert_eq!(
            trio.net.core(vm).stats().grants,
            u32::from(vms[1] == vms[2])
        );
        trio.finish();
    }
}

#[test]
fn a_revoked_grant_is_touched_no_more() {
    for vms in PLACEMENTS {
        for moment in 0.. {
            let mut trio = Trio::new(vms);
            for vm in 1..=3 {
                trio.net.core(vm).hold_copies();
            }
            let now = trio.net.now;
            let to = trio.vm(DESTINATION);
            let core = trio.net.core(to);
            let grant = core.lend(DESTINATION, Addr::number(ANY), WRITE, 200, MAX_COPY, now);
            let grant = grant.unwrap();
            let mut r = request(150_000);
            (r.dst.grant, r.dst.address) = (grant, 0);
            let id = trio.net.core(vms[0]).copy(REQUESTER, &r, now);
            let mut revoked = false;
            let mut seen = None;
            trio.steps(|trio, n| {
                if n >= moment && !revoked {
                    revoked = trio.net.core(to).revoke(DESTINATION, grant, now) != 1;
                    seen = revoked.then(|| trio.memory(DESTINATION).clone());
                }
                false
            });
            if let Some(seen) = seen {
                assert!(*trio.memory(DESTINATION) == seen, "{vms:?} {moment}");
            }
            let result = trio.result(id);
            assert!([0, EPROCSTS].contains(&result), "{vms:?} {result}");
            assert!(result != 0 || trio.arrived(150_000), "{vms:?} {moment}");
            trio.finish();
            if !revoked {
                break;
            }
        }
    }
}

#[test]
fn the_device_may_go_at_any_moment() {
    for vms in PLACEMENTS {
        for moment in 0..60 {
            let mut trio = Trio::new(vms);
            for vm in 1..=3 {
                trio.net.core(vm).hold_copies();
            }
            let now = trio.net.now;
            let id = trio
                .net
                .core(vms[0])
                .copy(REQUESTER, &request(150_000), now);
            trio.steps(|_, n| n == moment);
            trio.net.core(vms[0]).stop();
            let result = trio.result(id);
            assert!([0, ENOTCONN].contains(&result), "{vms:?} {result}");
        }
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
