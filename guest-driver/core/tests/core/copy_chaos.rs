//! Random histories of copies, deaths and a fabric that loses, repeats and reorders: a copy that
//! succeeds has brought every byte, and whatever happens nothing is left over.

use std::collections::BTreeMap;

use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, CallId, CopyEnd, CopyRequest, Limits, READ, WRITE};
use proptest::prelude::*;

const VMS: u32 = 3;
const SIZES: [u64; 5] = [1, 5000, 65536, 66000, 140_000];
/// Every endpoint has its pattern to copy from at the beginning of its memory.
const PATTERN: usize = 200_000;

#[derive(Clone, Debug)]
enum Event {
    Copy(usize, usize, usize, usize, bool),
    Receive(usize),
    Sendrec(usize, usize),
    Cancel(usize, bool),
    Rebind(usize),
    KillVm(u32),
    Fate(u8, bool),
    Release(usize),
    Work(u32),
    Step(u32),
    Settle,
    Revoke(usize),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let ep = 0..6usize;
    prop_oneof![
        8 => (ep.clone(), ep.clone(), ep.clone(), 0..5usize, any::<bool>())
            .prop_map(|(r, s, d, n, g)| Event::Copy(r, s, d, n, g)),
        6 => ep.clone().prop_map(Event::Receive),
        3 => (ep.clone(), ep.clone()).prop_map(|(a, b)| Event::Sendrec(a, b)),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(i, a)| Event::Cancel(i, a)),
        1 => ep.clone().prop_map(Event::Rebind),
        1 => (1..=VMS).prop_map(Event::KillVm),
        8 => (0..4u8, any::<bool>()).prop_map(|(f, b)| Event::Fate(f, b)),
        3 => any::<usize>().prop_map(Event::Release),
        20 => (1..=VMS).prop_map(Event::Work),
        24 => (1..=VMS).prop_map(Event::Step),
        2 => Just(Event::Settle),
        1 => ep.prop_map(Event::Revoke),
        1 => (1..40_000_000u64).prop_map(Event::Pass),
    ]
}

fn vm_of(ep: usize) -> u32 {
    u32::try_from(ep / 2).unwrap() + 1
}

fn number(ep: usize) -> i32 {
    i32::try_from(ep).unwrap() + 10
}

fn pattern(ep: usize) -> Vec<u8> {
    (0..PATTERN)
        .map(|i| ((i * 7 + i / 253 + ep * 41) % 255 + 1).to_le_bytes()[0])
        .collect()
}

#[derive(Clone, Copy, Debug)]
struct Copy {
    src: usize,
    dst: usize,
    at: usize,
    bytes: usize,
    /// Lives of the destination's VM so far.
    life: u32,
}

struct History {
    net: Net,
    copies: BTreeMap<(u32, CallId), Copy>,
    calls: Vec<(u32, CallId)>,
    lives: [u32; 4],
    /// The grants for reading and writing that each endpoint gave when it was bound.
    grants: [Option<(u64, u64)>; 6],
}

impl History {
    fn new(limits: Limits, ring: usize) -> History {
        let mut history = History {
            net: Net::with(VMS, limits, ring),
            copies: BTreeMap::new(),
            calls: Vec::new(),
            lives: [0; 4],
            grants: [None; 6],
        };
        for ep in 0..6 {
            history.furnish(ep);
        }
        for vm in 1..=VMS {
            history.net.core(vm).hold_copies();
        }
        history
    }

    /// Binds an endpoint, with memory that it lends.
    fn furnish(&mut self, ep: usize) {
        let (vm, nr, now) = (vm_of(ep), number(ep), self.net.now);
        *self.net.core(vm).memory(nr) = pattern(ep);
        let id = self.net.core(vm).bind(nr, now);
        self.net.settle();
        if !self.net.pending(vm, id) {
            let core = self.net.core(vm);
            let lend = |core: &mut dvs_core::Core, rights| {
                core.lend(nr, Addr::number(ANY), rights, 0, 1 << 40, now)
            };
            let pair = lend(core, READ).ok().zip(lend(core, WRITE).ok());
            self.grants[ep] = pair;
        }
    }

    fn apply(&mut self, event: &Event) {
        let now = self.net.now;
        match *event {
            Event::Copy(r, s, d, n, grant) => self.copy(r, s, d, SIZES[n], grant),
            Event::Receive(ep) => {
                let any = Addr::number(ANY);
                let id = self.net.core(vm_of(ep)).receive(number(ep), any, 0, now);
                self.calls.push((vm_of(ep), id));
            }
            Event::Sendrec(a, b) => {
                let to = Addr::number(number(b));
                let id = self.net.core(vm_of(a)).sendrec(number(a), to, b"", 0, now);
                self.calls.push((vm_of(a), id));
            }
            Event::Cancel(i, abandon) => {
                let n = self.calls.len().max(1);
                if let Some(&(vm, id)) = self.calls.get(i % n) {
                    self.net.core(vm).cancel(id, ETIMEDOUT, now);
                    if abandon {
                        self.net.core(vm).abandon(id, now);
                    }
                }
            }
            Event::Rebind(ep) => {
                self.net.core(vm_of(ep)).unbind(number(ep), now);
                // What is written to a memory that nobody has any more is nobody's.
                self.look();
                self.copies.retain(|_, c| c.dst != ep);
                self.furnish(ep);
            }
            Event::KillVm(vm) => self.kill(vm),
            Event::Fate(fate, bulk) => self.net.destine(fate, bulk),
            Event::Release(i) => self.net.release(i),
            Event::Work(vm) => {
                self.net.core(vm).copy_step(now);
            }
            Event::Step(vm) => {
                self.net.step(vm);
            }
            Event::Settle => self.net.settle(),
            Event::Revoke(ep) => {
                if let Some((_, write)) = self.grants[ep] {
                    self.net.core(vm_of(ep)).revoke(number(ep), write, now);
                }
            }
            Event::Pass(ns) => self.net.pass(ns),
        }
        self.look();
    }

    fn copy(&mut self, r: usize, s: usize, d: usize, bytes: u64, grant: bool) {
        let now = self.net.now;
        let memory = self.net.core(vm_of(d)).memory(number(d));
        let at = memory.len();
        let length = usize::try_from(bytes).unwrap();
        memory.resize(at + length, 0);
        let grants = (self.grants[s], self.grants[d]);
        let (read, write) = match grants {
            (Some((read, _)), Some((_, write))) if grant => (read, write),
            _ => (0, 0),
        };
        let request = CopyRequest {
            src: CopyEnd {
                ep: Addr::number(number(s)),
                address: 100,
                grant: read,
            },
            dst: CopyEnd {
                ep: Addr::number(number(d)),
                address: at as u64,
                grant: write,
            },
            bytes,
        };
        let id = self.net.core(vm_of(r)).copy(number(r), &request, now);
        let copy = Copy {
            src: s,
            dst: d,
            at,
            bytes: length,
            life: self.lives[vm_of(d) as usize],
        };
        self.copies.insert((vm_of(r), id), copy);
        self.calls.push((vm_of(r), id));
    }

    fn kill(&mut self, vm: u32) {
        self.look();
        self.lives[vm as usize] += 1;
        self.copies.retain(|&(at, _), _| at != vm);
        self.calls.retain(|&(at, _)| at != vm);
        self.net.kill_vm(vm);
        self.net.boot(vm);
        self.net.core(vm).hold_copies();
        for ep in (0..6).filter(|&ep| vm_of(ep) == vm) {
            self.grants[ep] = None;
            self.furnish(ep);
        }
    }

    fn look(&mut self) {
        for vm in 1..=VMS {
            while let Some((id, outcome)) = self.net.core(vm).finished() {
                self.net.outcomes.insert((vm, id), outcome);
            }
        }
        for (key, outcome) in std::mem::take(&mut self.net.outcomes) {
            self.calls.retain(|&call| call != key);
            let Some(copy) = self.copies.remove(&key) else {
                continue;
            };
            let known = [
                0, EPROCSTS, ESRCDIED, EDSTDIED, ETIMEDOUT, EINTR, ENOTBIND, EALLOCMEM, EINVAL,
            ];
            assert!(known.contains(&outcome.result), "{copy:?}: {outcome:?}");
            if outcome.result == 0 && copy.life == self.lives[vm_of(copy.dst) as usize] {
                self.check(copy);
            }
        }
    }

    fn check(&mut self, copy: Copy) {
        let memory = self.net.core(vm_of(copy.dst)).memory(number(copy.dst));
        let got = &memory[copy.at..copy.at + copy.bytes];
        assert!(got == &pattern(copy.src)[100..100 + copy.bytes], "{copy:?}");
    }

    /// Faults stop; what can end does, and all others leave.
    fn finish(&mut self) {
        self.net.fates.clear();
        self.net.bulk_fates.clear();
        for round in 0..50 {
            self.net.settle_copies();
            self.look();
            if round == 20 {
                for (vm, id) in self.calls.clone() {
                    let now = self.net.now;
                    self.net.core(vm).cancel(id, EINTR, now);
                }
            }
            self.net.pass(1_000_000_000);
        }
        self.look();
        assert!(self.copies.is_empty(), "these hang: {:?}", self.copies);
        self.net.assert_clean();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("DVS_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(60),
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_copy_is_whole_or_an_error(
        events in prop::collection::vec(event(), 1..250),
        small in any::<bool>(),
    ) {
        let limits = Limits {
            sides: if small { 8 } else { 0 },
            copies: if small { 4 } else { 0 },
            credits: if small { 8 } else { 0 },
            ..Limits::default()
        };
        let mut history = History::new(limits, if small { 3 } else { 64 });
        for event in &events {
            history.apply(event);
        }
        history.finish();
    }
}
