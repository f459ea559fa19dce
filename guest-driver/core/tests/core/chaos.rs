//! Random histories of calls, deaths and a fabric that loses, repeats and
//! reorders: every message exactly once, in order, and nothing is left over.

use std::collections::{BTreeMap, BTreeSet};

use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, CallId, Kind, Limits, NOWAIT, Outcome};
use proptest::prelude::*;

const VMS: u32 = 3;
const REPLY: u64 = 1 << 63;

#[derive(Clone, Debug)]
enum Event {
    Send(usize, usize, bool),
    Sendrec(usize, usize),
    Receive(usize, Option<usize>),
    Reply(usize),
    Notify(usize, usize),
    Cancel(usize),
    Rebind(usize),
    KillVm(u32),
    /// A new life of a VM, of which its core hears after so many steps.
    Renew(u32, u8),
    Fate(u8),
    Release(usize),
    Step(u32),
    Retry,
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let ep = 0..6usize;
    prop_oneof![
        6 => (ep.clone(), ep.clone(), any::<bool>()).prop_map(|(a, b, n)| Event::Send(a, b, n)),
        6 => (ep.clone(), ep.clone()).prop_map(|(a, b)| Event::Sendrec(a, b)),
        8 => (ep.clone(), prop::option::of(ep.clone())).prop_map(|(a, b)| Event::Receive(a, b)),
        6 => any::<usize>().prop_map(Event::Reply),
        3 => (ep.clone(), ep.clone()).prop_map(|(a, b)| Event::Notify(a, b)),
        2 => any::<usize>().prop_map(Event::Cancel),
        1 => ep.prop_map(Event::Rebind),
        1 => (1..=VMS).prop_map(Event::KillVm),
        1 => (1..=VMS, 0..4u8).prop_map(|(vm, steps)| Event::Renew(vm, steps)),
        8 => (0..4u8).prop_map(Event::Fate),
        3 => any::<usize>().prop_map(Event::Release),
        16 => (1..=VMS).prop_map(Event::Step),
        2 => Just(Event::Retry),
        1 => (1..40_000_000u64).prop_map(Event::Pass),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Send(u64),
    Sendrec(u64),
    Receive(i32),
    Other,
}

struct History {
    net: Net,
    calls: BTreeMap<(u32, CallId), What>,
    next: u64,
    received: BTreeSet<u64>,
    /// Last serial number seen, by source and destination.
    order: BTreeMap<(i32, i32), u64>,
    open: Vec<(u32, i32, Addr, u64, u64)>,
    sends: BTreeMap<u64, i32>,
    deaths: bool,
    passed: u64,
    /// Sends that answer a request: nothing tells whether the client still waits.
    replies: BTreeSet<u64>,
    receipts: u64,
}

fn vm_of(ep: usize) -> u32 {
    u32::try_from(ep / 2).unwrap() + 1
}

fn number(ep: usize) -> i32 {
    i32::try_from(ep).unwrap() + 10
}

impl History {
    fn new(limits: Limits, ring: usize) -> History {
        let mut net = Net::with(VMS, limits, ring);
        for ep in 0..6 {
            assert_eq!(net.bind(vm_of(ep), number(ep)).result, 0);
        }
        History {
            net,
            calls: BTreeMap::new(),
            next: 0,
            received: BTreeSet::new(),
            order: BTreeMap::new(),
            open: Vec::new(),
            sends: BTreeMap::new(),
            deaths: false,
            passed: 0,
            replies: BTreeSet::new(),
            receipts: 0,
        }
    }

    fn serial(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn apply(&mut self, event: &Event) {
        let now = self.net.now;
        match *event {
            Event::Send(a, b, nowait) => {
                let serial = self.serial();
                let flags = if nowait { NOWAIT } else { 0 };
                let core = self.net.core(vm_of(a));
                let to = Addr::number(number(b));
                let id = core.send(number(a), to, &serial.to_le_bytes(), flags, now);
                self.calls.insert((vm_of(a), id), What::Send(serial));
                if self
                    .open
                    .iter()
                    .any(|o| o.1 == number(a) && o.2.nr == number(b))
                {
                    self.replies.insert(serial);
                }
            }
            Event::Sendrec(a, b) => {
                let serial = self.serial();
                let core = self.net.core(vm_of(a));
                let to = Addr::number(number(b));
                let id = core.sendrec(number(a), to, &serial.to_le_bytes(), 0, now);
                self.calls.insert((vm_of(a), id), What::Sendrec(serial));
            }
            Event::Receive(a, from) => {
                let from = Addr::number(from.map_or(ANY, number));
                let id = self.net.core(vm_of(a)).receive(number(a), from, 0, now);
                self.calls.insert((vm_of(a), id), What::Receive(number(a)));
            }
            Event::Reply(i) => self.reply(i),
            Event::Notify(a, b) => {
                let to = Addr::number(number(b));
                let id = self.net.core(vm_of(a)).notify(number(a), to, now);
                self.calls.insert((vm_of(a), id), What::Other);
            }
            Event::Cancel(i) => {
                let n = self.calls.len();
                if let Some(&(vm, id)) = self.calls.keys().nth(if n == 0 { 0 } else { i % n }) {
                    self.net.core(vm).cancel(id, ETIMEDOUT, now);
                }
            }
            Event::Rebind(ep) => self.rebind(ep),
            Event::KillVm(vm) => self.kill(vm),
            Event::Renew(vm, steps) => {
                self.deaths = true;
                self.net.renew_untold(vm);
                for _ in 0..steps {
                    self.net.step(vm);
                }
                self.net.tell_renewed(vm);
            }
            Event::Fate(fate) => self.net.destine(fate, false),
            Event::Release(i) => self.net.release(i),
            Event::Step(vm) => {
                self.net.step(vm);
            }
            Event::Retry => self.net.settle(),
            Event::Pass(ns) => {
                self.passed += ns;
                self.net.pass(ns);
            }
        }
        self.look();
    }

    fn reply(&mut self, i: usize) {
        if self.open.is_empty() {
            return;
        }
        let (vm, ep, to, token, serial) = self.open.swap_remove(i % self.open.len());
        let now = self.net.now;
        let data = (serial | REPLY).to_le_bytes();
        let id = self.net.core(vm).reply(ep, to, token, &data, now);
        self.calls.insert((vm, id), What::Other);
    }

    fn rebind(&mut self, ep: usize) {
        let (vm, nr, now) = (vm_of(ep), number(ep), self.net.now);
        self.deaths = true;
        self.net.core(vm).unbind(nr, now);
        self.open.retain(|o| o.1 != nr);
        self.look();
        let id = self.net.core(vm).bind(nr, now);
        self.calls.insert((vm, id), What::Other);
    }

    fn kill(&mut self, vm: u32) {
        self.deaths = true;
        self.look();
        self.calls.retain(|&(at, _), _| at != vm);
        self.open.retain(|o| o.0 != vm);
        self.net.kill_vm(vm);
        self.net.boot(vm);
        for ep in (0..6).filter(|&e| vm_of(e) == vm) {
            let now = self.net.now;
            let id = self.net.core(vm).bind(number(ep), now);
            self.calls.insert((vm, id), What::Other);
        }
    }

    /// Looks at every call that has ended since.
    fn look(&mut self) {
        for vm in 1..=VMS {
            while let Some((id, o)) = self.net.core(vm).finished() {
                self.net.outcomes.insert((vm, id), o);
            }
        }
        for ((vm, id), o) in std::mem::take(&mut self.net.outcomes) {
            if let Some(what) = self.calls.remove(&(vm, id)) {
                self.ended(vm, what, &o);
            }
        }
    }

    fn ended(&mut self, vm: u32, what: What, o: &Outcome) {
        let explained = match o.result {
            0 | EAGAIN | ETIMEDOUT | EBADDEST => true,
            EPROCSTS => true, // a reply to one who was cancelled
            EDSTDIED | ESRCDIED | ENOTCONN | ENOTBIND | EENDPOINT | ESLOTUSED => self.deaths,
            _ => false,
        };
        assert!(explained, "{what:?} ended with {}", o.result);
        self.receipts += u64::from(matches!(what, What::Receive(_)) && o.result == 0);
        match what {
            What::Send(serial) => {
                self.sends.insert(serial, o.result);
            }
            What::Sendrec(serial) if o.result == 0 => {
                let answer = u64::from_le_bytes(o.data.clone().try_into().unwrap());
                if answer & REPLY != 0 {
                    assert_eq!(answer, serial | REPLY);
                } else {
                    // A send to one who waits for a reply is the reply.
                    assert!(self.received.insert(answer), "{answer} came twice");
                }
                assert!(self.received.contains(&serial), "answered unseen");
            }
            What::Sendrec(serial) => {
                self.sends.insert(serial, o.result);
            }
            What::Receive(nr) if o.result == 0 && o.kind != Kind::Notify => self.got(vm, nr, o),
            _ => {}
        }
    }

    fn got(&mut self, vm: u32, nr: i32, o: &Outcome) {
        let serial = u64::from_le_bytes(o.data.clone().try_into().unwrap());
        assert!(self.received.insert(serial), "{serial} came twice");
        if o.kind == Kind::Request {
            self.open.push((vm, nr, o.from, o.token, serial));
        }
        let last = self.order.insert((o.from.nr, nr), serial).unwrap_or(0);
        assert!(self.deaths || last < serial, "{serial} came after {last}");
    }

    /// Faults stop; everybody receives and answers until all is quiet.
    fn finish(&mut self) {
        self.net.fates.clear();
        for _ in 0..200 {
            self.net.settle();
            self.look();
            while !self.open.is_empty() {
                self.reply(0);
            }
            let before = self.receipts;
            for ep in 0..6 {
                let (vm, now) = (vm_of(ep), self.net.now);
                let id = self
                    .net
                    .core(vm)
                    .receive(number(ep), Addr::number(ANY), NOWAIT, now);
                self.calls.insert((vm, id), What::Receive(number(ep)));
            }
            self.net.pass(250_000_000);
            self.net.settle();
            self.look();
            let sending = self.calls.values().any(|w| !matches!(w, What::Receive(_)));
            if !sending && self.open.is_empty() && before == self.receipts {
                break;
            }
        }
        let left: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, w)| !matches!(w, What::Receive(_)))
            .collect();
        assert!(left.is_empty(), "these calls hang: {left:?}");
        for (serial, result) in &self.sends {
            let seen = self.received.contains(serial);
            match *result {
                0 if !(self.deaths && self.replies.contains(serial)) => {
                    assert!(seen, "{serial} was sent and never came");
                }
                ETIMEDOUT if self.passed < 100_000_000 => {}
                EAGAIN => assert!(!seen, "{serial} came although it failed"),
                _ => {}
            }
        }
        self.net.assert_clean();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("DVS_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(400),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_history_is_exactly_once(events in prop::collection::vec(event(), 1..250)) {
        let mut history = History::new(Limits::default(), 64);
        for event in &events {
            history.apply(event);
        }
        history.finish();
    }

    #[test]
    fn also_with_the_smallest_pools(events in prop::collection::vec(event(), 1..250)) {
        let limits = Limits { credits: 8, window: 32, destinations: 8, ..Limits::default() };
        let mut history = History::new(limits, 2);
        for event in &events {
            history.apply(event);
        }
        history.finish();
    }
}
