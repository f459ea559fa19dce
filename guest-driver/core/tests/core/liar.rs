//! Random histories with one VM that lies: what it says is changed on the way,
//! or made up. Whatever it says, the other two go on talking to each other.

use crate::bench::{Frame, kind};
use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, Limits, NOWAIT};
use proptest::prelude::*;

/// The VM under attack, the liar, and an honest one; each has two endpoints.
const VICTIM: u32 = 1;
const LIAR: u32 = 2;
const HONEST: u32 = 3;

#[derive(Clone, Debug)]
enum Event {
    Send(usize, usize, bool),
    Sendrec(usize, usize),
    Receive(usize, Option<usize>),
    Reply(usize, usize),
    Notify(usize, usize),
    Cancel(usize),
    Rebind(usize),
    /// The liar's next frame reaches the victim with this field changed.
    Change(usize, u32),
    /// A frame made up by the liar.
    Lie(u8, Vec<u32>),
    /// A frame of the node that fits nothing.
    Node(u8, Vec<u32>),
    Raw(Vec<u8>),
    Step(u32),
    Pass(u64),
}

/// Numbers that are likely to mean something, and others.
fn value() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => 0..12u32,
        2 => Just(1 << 31),
        2 => Just(u32::MAX),
        2 => Just(31438),
        1 => any::<u32>(),
    ]
}

fn any_kind() -> impl Strategy<Value = u8> {
    prop_oneof![
        16 => prop::sample::select(vec![
            16u8, 17, 32, 33, 34, 35, 36, 40, 41, 48, 49, 50, 56, 57, 58, 59, 60, 62, 64, 65,
        ]),
        1 => 16..255u8,
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let ep = 0..6usize;
    let fields = || prop::collection::vec(value(), 12);
    prop_oneof![
        4 => (ep.clone(), ep.clone(), any::<bool>()).prop_map(|(a, b, n)| Event::Send(a, b, n)),
        4 => (ep.clone(), ep.clone()).prop_map(|(a, b)| Event::Sendrec(a, b)),
        6 => (ep.clone(), prop::option::of(ep.clone())).prop_map(|(a, b)| Event::Receive(a, b)),
        3 => (ep.clone(), ep.clone()).prop_map(|(a, b)| Event::Reply(a, b)),
        2 => (ep.clone(), ep.clone()).prop_map(|(a, b)| Event::Notify(a, b)),
        2 => any::<usize>().prop_map(Event::Cancel),
        1 => ep.prop_map(Event::Rebind),
        6 => (0..14usize, value()).prop_map(|(f, v)| Event::Change(f, v)),
        8 => (any_kind(), fields()).prop_map(|(k, v)| Event::Lie(k, v)),
        1 => (0..16u8, fields()).prop_map(|(k, v)| Event::Node(k, v)),
        1 => prop::collection::vec(any::<u8>(), 0..600).prop_map(Event::Raw),
        10 => (1..=3u32).prop_map(Event::Step),
        2 => (1..2_000_000_000u64).prop_map(Event::Pass),
    ]
}

/// Every VM is in the first life that the network gives out.
fn life(vm: u32) -> u32 {
    vm
}

fn vm_of(ep: usize) -> u32 {
    u32::try_from(ep / 2).unwrap() + 1
}

fn number(ep: usize) -> i32 {
    i32::try_from(ep).unwrap() + 4
}

struct History {
    net: Net,
    calls: Vec<(u32, dvs_core::CallId)>,
    /// Number of the next frame that the victim would take from the liar.
    seq: u32,
}

impl History {
    fn new(limits: Limits, ring: usize) -> History {
        let mut net = Net::with(3, limits, ring);
        for ep in 0..6 {
            assert_eq!(net.bind(vm_of(ep), number(ep)).result, 0);
        }
        History {
            net,
            calls: Vec::new(),
            seq: 1,
        }
    }

    fn apply(&mut self, event: &Event) {
        let now = self.net.now;
        match event {
            &Event::Send(a, b, nowait) => {
                let (to, flags) = (Addr::number(number(b)), if nowait { NOWAIT } else { 0 });
                self.call(a, |core| core.send(number(a), to, b"send", flags, now));
            }
            &Event::Sendrec(a, b) => {
                let to = Addr::number(number(b));
                self.call(a, |core| core.sendrec(number(a), to, b"sendrec", 0, now));
            }
            &Event::Receive(a, from) => {
                let from = Addr::number(from.map_or(ANY, number));
                self.call(a, |core| core.receive(number(a), from, 0, now));
            }
            &Event::Reply(a, b) => {
                let to = Addr::number(number(b));
                self.call(a, |core| core.reply(number(a), to, 0, b"reply", now));
            }
            &Event::Notify(a, b) => {
                let to = Addr::number(number(b));
                self.call(a, |core| core.notify(number(a), to, now));
            }
            &Event::Cancel(i) => {
                if let Some(&(vm, id)) = self.calls.get(i % self.calls.len().max(1)) {
                    self.net.core(vm).cancel(id, ETIMEDOUT, now);
                }
            }
            &Event::Rebind(ep) => {
                self.net.core(vm_of(ep)).unbind(number(ep), now);
                self.call(ep, |core| core.bind(number(ep), now));
            }
            &Event::Change(field, value) => self.change(field, value),
            Event::Lie(kind, values) => {
                let lie = self.made_up(*kind, values);
                self.hear(&lie);
            }
            Event::Node(kind, values) => {
                let mut frame = self.made_up(*kind, values);
                // Not RETRY, GONE, RENEWED or the answer to a question: the node does not lie.
                let heeded = [kind::RETRY, kind::GONE, kind::RENEWED].contains(kind);
                frame.kind = if heeded { 0 } else { *kind };
                (frame.src_vm, frame.src_inc) = (0, 0);
                frame.op |= 1 << 40;
                self.hear(&frame);
            }
            Event::Raw(bytes) => self.net.core(VICTIM).frame(bytes, now),
            &Event::Step(vm) => {
                self.net.step(vm);
            }
            &Event::Pass(ns) => self.net.pass(ns),
        }
    }

    fn call(&mut self, ep: usize, f: impl FnOnce(&mut dvs_core::Core) -> dvs_core::CallId) {
        let vm = vm_of(ep);
        let id = f(self.net.core(vm));
        self.calls.push((vm, id));
    }

    fn hear(&mut self, frame: &Frame) {
        let now = self.net.now;
        let core = self.net.core(VICTIM);
        core.frame(&frame.encode(), now);
        core.batch_end(now);
    }

    /// The source is the one thing that the fabric does not let a VM lie about.
    fn made_up(&mut self, kind: u8, v: &[u32]) -> Frame {
        let numbered = (32..64).contains(&kind) && v[0] < 10;
        let seq = if numbered { self.seq } else { v[1] };
        self.seq = self.seq.wrapping_add(u32::from(numbered));
        Frame {
            kind,
            flags: v[2].to_le_bytes()[0],
            src_vm: LIAR,
            src_inc: life(LIAR),
            dst_vm: VICTIM,
            dst_inc: life(VICTIM),
            seq,
            ack: v[3],
            credit: v[4],
            src: Addr {
                nr: v[5].cast_signed(),
                gen_: v[6],
            },
            dst: Addr {
                nr: v[7].cast_signed(),
                gen_: v[8],
            },
            result: v[9].cast_signed(),
            op: u64::from(v[10]) << 32 | u64::from(v[11]),
            arg: u64::from(v[9]),
            bulk_ack: v[9],
            bulk_credit: v[4],
            payload: vec![7; v[2] as usize % 432],
        }
    }

    fn change(&mut self, field: usize, value: u32) {
        let now = self.net.now;
        let Some(bytes) = self.net.core(LIAR).take_frame(now) else {
            return;
        };
        let mut f = Frame::decode(&bytes);
        if f.dst_vm != VICTIM {
            return;
        }
        self.seq = self.seq.max(f.seq.saturating_add(1));
        match field {
            0 => f.kind = 16 + value.to_le_bytes()[0] % 80,
            1 => f.flags = value.to_le_bytes()[0],
            2 => f.seq = f.seq.wrapping_add(value),
            3 => f.ack = f.ack.wrapping_add(value),
            4 => f.credit = f.credit.wrapping_add(value),
            5 => f.src.nr = value.cast_signed(),
            6 => f.src.gen_ = value,
            7 => f.dst.nr = value.cast_signed(),
            8 => f.dst.gen_ = value,
            9 => f.result = value.cast_signed(),
            10 => f.op ^= u64::from(value),
            11 => f.op ^= u64::from(value) << 32,
            12 => f.payload = vec![9; value as usize % 433],
            _ => self.hear(&f.clone()),
        }
        self.hear(&f);
    }

    /// The honest VM and the victim talk in both directions.
    fn talk(&mut self) {
        for (client, server) in [(VICTIM, HONEST), (HONEST, VICTIM)] {
            let (from, to) = (i32::try_from(client).unwrap(), 29);
            assert_eq!(self.net.bind(client, from).result, 0);
            assert_eq!(self.net.bind(server, to).result, 0);
            let receive = self.net.receive(server, to, from, 0);
            let call = self.net.sendrec(client, from, to, b"question", 0);
            assert_eq!(self.net.outcome(server, receive).data, b"question");
            assert_eq!(self.net.reply(server, to, from, b"answer"), 0);
            assert_eq!(self.net.outcome(client, call).data, b"answer");
            assert_eq!(self.net.notify(client, from, to), 0);
            let receive = self.net.receive(server, to, from, 0);
            assert_eq!(self.net.result(server, receive), 0);
            self.net.unbind(client, from);
            self.net.unbind(server, to);
        }
    }

    fn check_bounds(&mut self, limits: Limits) {
        let stats = self.net.core(VICTIM).stats();
        assert!(stats.requests <= 2 * limits.credits, "{stats:?}");
        assert!(stats.unacknowledged <= 2 * limits.window, "{stats:?}");
        assert!(stats.endpoints <= 2 + 4, "{stats:?}");
        assert_eq!(stats.peers.max(2), 2, "{stats:?}");
    }

    /// All leave: nothing of them stays, whatever the liar holds back.
    fn finish(&mut self, limits: Limits) {
        self.net.settle();
        for &(vm, id) in &self.calls {
            let now = self.net.now;
            self.net.core(vm).cancel(id, EINTR, now);
            self.net.core(vm).abandon(id, now);
        }
        self.net.settle();
        self.net.pass(3_000_000_000);
        self.check_bounds(limits);
        self.talk();
        for ep in [0, 1, 4, 5] {
            self.net.unbind(vm_of(ep), number(ep));
        }
        self.net.kill_vm(LIAR);
        self.net.settle();
        self.net.assert_clean();
        self.net.core(VICTIM).stop();
        assert_eq!(self.net.core(VICTIM).stats().endpoints, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("DVS_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(200),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_liar_spoils_only_what_is_its_own(
        events in prop::collection::vec(event(), 1..200),
        small in any::<bool>(),
    ) {
        let limits = Limits {
            peers: 4,
            credits: if small { 8 } else { 64 },
            window: if small { 32 } else { 64 },
            ..Limits::default()
        };
        let mut history = History::new(limits, if small { 3 } else { 256 });
        for event in &events {
            history.apply(event);
            history.check_bounds(limits);
        }
        history.finish(limits);
    }
}
