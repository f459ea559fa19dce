//! A few VMs, a directory and a fabric that can lose, repeat and hold frames.

use std::collections::{BTreeMap, VecDeque};

use crate::bench::{Frame, kind};
pub use crate::fate::Fate;
use dvs_core::errors::*;
use dvs_core::{
    ADMIN, Addr, CallId, ControlRequest, CopyRequest, Core, EndpointState, Identity, Limits,
    Outcome, Privileges,
};

pub struct Net {
    pub cores: BTreeMap<u32, Core>,
    incarnations: BTreeMap<u32, u32>,
    directory: BTreeMap<i32, (u32, u32)>,
    /// The token under which a number is offered.
    offers: BTreeMap<i32, u64>,
    binds: BTreeMap<(u32, u64), u32>,
    next_generation: u32,
    next_incarnation: u32,
    pub now: u64,
    pub outcomes: BTreeMap<(u32, CallId), Outcome>,
    pub fates: VecDeque<Fate>,
    /// The same for the frames of the bulk class.
    pub bulk_fates: VecDeque<Fate>,
    owed: Vec<(u32, u32)>,
    held: Vec<Vec<u8>>,
    /// Who waits for which number.
    awaiting: Vec<(u32, ControlRequest)>,
    ring_size: usize,
    limits: Limits,
    pub kinds: Vec<u8>,
    /// What the node was told, and by which VM.
    pub told: Vec<(u32, Frame)>,
}

/// The VM id under which the node speaks.
const NODE: u32 = 0;

pub fn u32_at(frame: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(frame[at..at + 4].try_into().unwrap())
}

impl Net {
    pub fn new(vms: u32) -> Net {
        Net::with(vms, Limits::default(), 256)
    }

    pub fn with(vms: u32, limits: Limits, ring_size: usize) -> Net {
        let mut net = Net {
            cores: BTreeMap::new(),
            incarnations: BTreeMap::new(),
            directory: BTreeMap::new(),
            offers: BTreeMap::new(),
            binds: BTreeMap::new(),
            next_generation: 0,
            next_incarnation: 0,
            now: 1_000_000_000,
            outcomes: BTreeMap::new(),
            fates: VecDeque::new(),
            bulk_fates: VecDeque::new(),
            owed: Vec::new(),
            held: Vec::new(),
            awaiting: Vec::new(),
            ring_size,
            limits,
            kinds: Vec::new(),
            told: Vec::new(),
        };
        for vm in 1..=vms {
            net.boot(vm);
        }
        net
    }

    pub fn boot(&mut self, vm: u32) {
        self.next_incarnation += 1;
        let identity = Identity {
            vm,
            incarnation: self.next_incarnation,
            nr_tasks: 34,
            nr_procs: 221,
            nr_sysprocs: 64,
            // The first VM may administer the DC.
            flags: if vm == 1 { ADMIN } else { 0 },
        };
        self.incarnations.insert(vm, self.next_incarnation);
        let core = Core::new(identity, self.limits, self.ring_size).expect("limits in range");
        self.cores.insert(vm, core);
    }

    pub fn core(&mut self, vm: u32) -> &mut Core {
        self.cores.get_mut(&vm).unwrap()
    }

    /// The node says something.
    pub fn node_frame(&mut self, vm: u32, mut frame: Frame) {
        let Some(inc) = self.incarnations.get(&vm).copied() else {
            return;
        };
        (frame.dst_vm, frame.dst_inc) = (vm, inc);
        let now = self.now;
        self.core(vm).frame(&frame.encode(), now);
        self.core(vm).batch_end(now);
        self.collect(vm);
    }

    /// The result of a control request, about this generation.
    fn result_frame(&mut self, vm: u32, r: &ControlRequest, gen_: u32, result: i32) {
        let kind = match r.op {
            1 => kind::BOUND,
            2 => kind::UNBOUND,
            7 => kind::OFFERED,
            _ => kind::PRIVILEGED,
        };
        let at = Addr { nr: r.ep, gen_ };
        self.node_frame(vm, Frame::new(kind).op(r.nonce).to(at).result(result));
    }

    fn tell(&mut self, vm: u32, kind: u8, arg: u64) {
        let frame = Frame::new(kind);
        self.node_frame(vm, Frame { arg, ..frame });
    }

    fn collect(&mut self, vm: u32) {
        while let Some((id, outcome)) = self.core(vm).finished() {
            self.outcomes.insert((vm, id), outcome);
        }
    }

    fn control(&mut self, vm: u32) -> bool {
        let Some(r) = self.core(vm).take_control() else {
            return false;
        };
        self.answer(vm, &r);
        true
    }

    /// Where an endpoint is.
    fn found(&mut self, vm: u32, r: &ControlRequest) {
        let found = self.directory.get(&r.ep).copied();
        let (at, gen_) = found.unwrap_or_default();
        let inc = self.incarnations.get(&at).copied().unwrap_or_default();
        let frame = Frame::new(kind::FOUND).op(r.nonce);
        let frame = frame.to(Addr { nr: r.ep, gen_ });
        let frame = frame.result(if found.is_some() { 0 } else { EDSTDIED });
        let arg = u64::from(at) | u64::from(inc) << 32;
        self.node_frame(vm, Frame { arg, ..frame });
    }

    fn tell_awaiting(&mut self, nr: i32) {
        if !self.directory.contains_key(&nr) {
            return;
        }
        let all = std::mem::take(&mut self.awaiting);
        let (told, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, r)| r.ep == nr);
        self.awaiting = left;
        for (vm, r) in told {
            self.found(vm, &r);
        }
    }

    /// Of how many numbers somebody awaits the bind.
    pub fn awaited(&self) -> usize {
        self.awaiting.len()
    }

    /// What the node does with a control request.
    pub fn answer(&mut self, vm: u32, r: &ControlRequest) {
        match r.op {
            1 => {
                let again = self.binds.get(&(vm, r.nonce)).copied();
                if let Some(generation) = again {
                    self.result_frame(vm, r, generation, 0);
                } else if self.directory.contains_key(&r.ep) {
                    self.result_frame(vm, r, 0, ESLOTUSED);
                } else {
                    self.next_generation += 1;
                    let generation = self.next_generation;
                    self.directory.insert(r.ep, (vm, generation));
                    self.binds.insert((vm, r.nonce), generation);
                    self.result_frame(vm, r, generation, 0);
                    self.tell_awaiting(r.ep);
                }
            }
            2 => {
                let bound = self.directory.get(&r.ep);
                let mine = bound.is_some_and(|&(at, g)| at == vm && [0, g].contains(&r.gen_));
                if mine {
                    self.offers.remove(&r.ep);
                    self.directory.remove(&r.ep);
                }
                let result = if mine { 0 } else { ENOTBIND };
                self.result_frame(vm, r, r.gen_, result);
            }
            3 => self.found(vm, r),
            4 => {
                self.awaiting
                    .retain(|(at, it)| (*at, it.nonce) != (vm, r.nonce));
                self.awaiting.push((vm, *r));
                self.tell_awaiting(r.ep);
            }
            5 => self
                .awaiting
                .retain(|(at, it)| (*at, it.nonce) != (vm, r.nonce)),
            6 => {
                let bound = self.directory.get(&r.ep) == Some(&(vm, r.gen_));
                let result = match (vm, bound) {
                    (1, true) => 0,
                    (1, false) => ENOTBIND,
                    _ => EPRIVILEGES,
                };
                self.result_frame(vm, r, r.gen_, result);
            }
            7 => self.offer(vm, r),
            8 => self.take(vm, r),
            op => panic!("control request {op}"),
        }
    }

    /// The endpoint is offered to who knows the token, or (0) to nobody.
    fn offer(&mut self, vm: u32, r: &ControlRequest) {
        let mine = self.directory.get(&r.ep) == Some(&(vm, r.gen_));
        self.offers.remove(&r.ep);
        if mine && r.calls != 0 {
            self.offers.insert(r.ep, r.calls);
        }
        self.result_frame(vm, r, r.gen_, if mine { 0 } else { ENOTBIND });
    }

    /// An endpoint that is offered changes hands.
    fn take(&mut self, vm: u32, r: &ControlRequest) {
        let record = self.directory.get(&r.ep).copied();
        let offered = self.offers.get(&r.ep) == Some(&r.calls);
        let again = self.binds.get(&(vm, r.nonce)) == Some(&r.gen_);
        let result = match record {
            Some((_, generation)) if generation == r.gen_ && offered => 0,
            Some(held) if held == (vm, r.gen_) && again => 0,
            _ => ENOTBIND,
        };
        if result == 0 {
            self.offers.remove(&r.ep);
            self.directory.insert(r.ep, (vm, r.gen_));
            self.binds.insert((vm, r.nonce), r.gen_);
        }
        let at = Addr {
            nr: r.ep,
            gen_: r.gen_,
        };
        let frame = Frame::new(kind::BOUND).op(r.nonce).to(at).result(result);
        // What a server may.
        let frame = frame.from(Addr { nr: 0, gen_: 1 });
        let (bulk_ack, bulk_credit) = (u32::MAX, u32::MAX);
        let arg = 0x7_ffff_fffe;
        self.node_frame(
            vm,
            Frame {
                arg,
                bulk_ack,
                bulk_credit,
                ..frame
            },
        );
    }

    /// The node says RETRY(all) to everybody.
    pub fn retry_all(&mut self) {
        let vms: Vec<u32> = self.cores.keys().copied().collect();
        self.owed.extend(vms.into_iter().map(|vm| (vm, 0)));
        self.settle();
    }

    fn deliver(&mut self, frame: &[u8]) {
        // Nodes carry nothing of a life that is over.
        if self.incarnations.get(&u32_at(frame, 8)) != Some(&u32_at(frame, 12)) {
            return;
        }
        let dst = u32_at(frame, 16);
        if dst == NODE {
            self.told.push((u32_at(frame, 8), Frame::decode(frame)));
            return;
        }
        if self.incarnations.get(&dst) != Some(&u32_at(frame, 20)) {
            let (src, inc) = (u32_at(frame, 8), u32_at(frame, 20));
            self.tell(src, kind::GONE, u64::from(dst) | u64::from(inc) << 32);
            return;
        }
        let now = self.now;
        self.core(dst).frame(frame, now);
        self.core(dst).batch_end(now);
        self.collect(dst);
    }

    fn transmit(&mut self, vm: u32) -> bool {
        let now = self.now;
        let Some(frame) = self.core(vm).take_frame(now) else {
            return false;
        };
        let fate = self.fates.pop_front().unwrap_or(Fate::Deliver);
        self.carry(vm, frame, fate);
        true
    }

    fn transmit_bulk(&mut self, vm: u32) -> bool {
        let now = self.now;
        let Some(frame) = self.core(vm).take_bulk(now) else {
            return false;
        };
        let fate = self.bulk_fates.pop_front().unwrap_or(Fate::Deliver);
        self.carry(vm, frame, fate);
        true
    }

    fn carry(&mut self, vm: u32, frame: Vec<u8>, fate: Fate) {
        self.collect(vm);
        self.kinds.push(frame[0]);
        match fate {
            Fate::Deliver => self.deliver(&frame),
            Fate::Drop => self.owed.push((vm, u32_at(&frame, 16))),
            Fate::Hold => {
                self.owed.push((vm, u32_at(&frame, 16)));
                self.held.push(frame);
            }
            Fate::Repeat => {
                self.deliver(&frame);
                self.deliver(&frame);
            }
        }
    }

    /// One of the frames held back arrives.
    pub fn release(&mut self, which: usize) {
        if self.held.is_empty() {
            return;
        }
        let frame = self.held.swap_remove(which % self.held.len());
        self.deliver(&frame);
    }

    /// One thing that is ready at this VM. False: there was none.
    pub fn step(&mut self, vm: u32) -> bool {
        self.collect(vm);
        self.transmit(vm) || self.transmit_bulk(vm) || self.control(vm)
    }

    /// Lets everything happen that needs no time; RETRY follows each loss.
    pub fn settle(&mut self) {
        self.until_quiet(Net::step);
    }

    /// As [`Net::settle`], also with what the shells do for copies.
    pub fn settle_copies(&mut self) {
        self.until_quiet(|net, vm| {
            let now = net.now;
            net.step(vm) | net.core(vm).copy_step(now)
        });
    }

    fn until_quiet(&mut self, step: impl Fn(&mut Net, u32) -> bool) {
        for _ in 0..100_000 {
            let vms: Vec<u32> = self.cores.keys().copied().collect();
            let mut busy = false;
            for vm in vms {
                busy |= step(self, vm);
            }
            if !busy && !self.say_retry() {
                return;
            }
        }
        panic!("the cores never come to rest");
    }

    fn say_retry(&mut self) -> bool {
        let owed = std::mem::take(&mut self.owed);
        let any = !owed.is_empty();
        for (vm, to) in owed {
            self.tell(vm, kind::RETRY, u64::from(to));
        }
        any
    }

    /// Losses are not announced: only the backstop timers help.
    pub fn forget_retries(&mut self) {
        self.owed.clear();
    }

    /// Time passes, with every timer on the way.
    pub fn pass(&mut self, ns: u64) {
        let end = self.now + ns;
        loop {
            let next = self.cores.iter().map(|(vm, c)| (c.timer_at(), *vm)).min();
            let Some((at, vm)) = next.filter(|&(at, _)| at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            let now = self.now;
            self.core(vm).timer(now);
            self.settle();
        }
        self.now = end;
    }

    /// What the directory and the node knew of this life of the VM is nothing any more.
    fn end_life(&mut self, vm: u32) {
        let inc = self.incarnations.remove(&vm).unwrap();
        self.directory.retain(|_, (at, _)| *at != vm);
        let directory = &self.directory;
        self.offers.retain(|nr, _| directory.contains_key(nr));
        self.binds.retain(|(at, _), _| *at != vm);
        self.awaiting.retain(|(at, _)| *at != vm);
        let others: Vec<u32> = self.cores.keys().copied().collect();
        for other in others {
            self.tell(other, kind::GONE, u64::from(vm) | u64::from(inc) << 32);
        }
    }

    pub fn kill_vm(&mut self, vm: u32) {
        self.cores.remove(&vm);
        self.end_life(vm);
    }

    /// The VM was lost for the others, and is there again; its core has not been told.
    pub fn renew_untold(&mut self, vm: u32) {
        self.end_life(vm);
        self.next_incarnation += 1;
        self.incarnations.insert(vm, self.next_incarnation);
    }

    /// The address of a number that is bound, as the directory has it.
    pub fn located(&self, nr: i32) -> Addr {
        let gen_ = self.directory[&nr].1;
        Addr { nr, gen_ }
    }

    /// The core learns which life it is in.
    pub fn tell_renewed(&mut self, vm: u32) {
        let inc = self.incarnations[&vm];
        self.tell(vm, kind::RENEWED, u64::from(inc));
    }

    /// A new life of the VM, with the results of all that follows from it.
    pub fn renew(&mut self, vm: u32) {
        self.renew_untold(vm);
        self.tell_renewed(vm);
        self.settle();
    }

    pub fn bind(&mut self, vm: u32, nr: i32) -> Outcome {
        let now = self.now;
        let id = self.core(vm).bind(nr, now);
        self.settle();
        self.outcome(vm, id)
    }

    pub fn outcome(&mut self, vm: u32, id: CallId) -> Outcome {
        self.collect(vm);
        self.outcomes
            .remove(&(vm, id))
            .unwrap_or_else(|| panic!("call {id:?} of VM {vm} has not ended"))
    }

    pub fn result(&mut self, vm: u32, id: CallId) -> i32 {
        self.outcome(vm, id).result
    }

    pub fn pending(&mut self, vm: u32, id: CallId) -> bool {
        self.collect(vm);
        self.core(vm).is_pending(id)
    }

    pub fn send(&mut self, vm: u32, ep: i32, to: i32, data: &[u8], flags: u32) -> CallId {
        let now = self.now;
        let id = self.core(vm).send(ep, Addr::number(to), data, flags, now);
        self.settle();
        id
    }

    pub fn sendrec(&mut self, vm: u32, ep: i32, to: i32, data: &[u8], flags: u32) -> CallId {
        let now = self.now;
        let id = self
            .core(vm)
            .sendrec(ep, Addr::number(to), data, flags, now);
        self.settle();
        id
    }

    pub fn receive(&mut self, vm: u32, ep: i32, from: i32, flags: u32) -> CallId {
        let now = self.now;
        let id = self.core(vm).receive(ep, Addr::number(from), flags, now);
        self.settle();
        id
    }

    pub fn reply(&mut self, vm: u32, ep: i32, to: i32, data: &[u8]) -> i32 {
        let now = self.now;
        let id = self.core(vm).reply(ep, Addr::number(to), 0, data, now);
        self.settle();
        self.result(vm, id)
    }

    pub fn notify(&mut self, vm: u32, ep: i32, to: i32) -> i32 {
        let now = self.now;
        let id = self.core(vm).notify(ep, Addr::number(to), now);
        self.settle();
        self.result(vm, id)
    }

    /// In the name of `source`, with a value.
    pub fn notify_value(&mut self, vm: u32, ep: i32, to: i32, source: i32, value: i64) -> i32 {
        let now = self.now;
        let to = Addr::number(to);
        let id = self.core(vm).notify_value(ep, to, source, value, now);
        self.settle();
        self.result(vm, id)
    }

    pub fn set_privileges(&mut self, vm: u32, nr: i32, privileges: &Privileges) -> i32 {
        let now = self.now;
        let id = self.core(vm).set_privileges(nr, privileges, now);
        self.settle();
        self.result(vm, id)
    }

    /// Hands the oldest request of `client` on.
    pub fn relay(&mut self, vm: u32, ep: i32, client: i32, to: i32, data: &[u8]) -> i32 {
        let now = self.now;
        let (client, to) = (Addr::number(client), Addr::number(to));
        let id = self.core(vm).relay(ep, client, 0, to, data, now);
        self.settle();
        self.result(vm, id)
    }

    pub fn wakeup(&mut self, vm: u32, ep: i32, nr: i32) -> i32 {
        let now = self.now;
        let id = self.core(vm).wakeup(ep, nr, now);
        self.settle();
        self.result(vm, id)
    }

    pub fn await_bind(&mut self, vm: u32, ep: i32, nr: i32) -> CallId {
        let now = self.now;
        let id = self.core(vm).await_bind(ep, nr, now);
        self.settle();
        id
    }

    pub fn await_unbind(&mut self, vm: u32, ep: i32, nr: i32) -> CallId {
        let now = self.now;
        let id = self.core(vm).await_unbind(ep, nr, now);
        self.settle();
        id
    }

    /// The state of an endpoint of this VM.
    pub fn state(&mut self, vm: u32, nr: i32) -> EndpointState {
        let now = self.now;
        let (id, state) = self.core(vm).state(nr, now);
        assert_eq!(self.result(vm, id), 0);
        state
    }

    pub fn copy(&mut self, vm: u32, ep: i32, request: &CopyRequest) -> CallId {
        let now = self.now;
        let id = self.core(vm).copy(ep, request, now);
        self.settle();
        id
    }

    pub fn cancel(&mut self, vm: u32, id: CallId, why: i32) {
        let now = self.now;
        self.core(vm).cancel(id, why, now);
        self.settle();
    }

    /// Begins to move an endpoint; returns the call.
    pub fn migrate_start(&mut self, vm: u32, nr: i32, token: u64) -> CallId {
        let now = self.now;
        let id = self.core(vm).migrate_start(nr, token, now);
        self.settle();
        id
    }

    pub fn migrate_commit(&mut self, vm: u32, nr: i32, to: u32) -> CallId {
        let now = self.now;
        let id = self.core(vm).migrate_commit(nr, to, now);
        self.settle();
        self.pass(300_000_000); // until everybody knows
        id
    }

    pub fn migrate_rollback(&mut self, vm: u32, nr: i32) -> CallId {
        let now = self.now;
        let id = self.core(vm).migrate_rollback(nr, now);
        self.settle();
        id
    }

    pub fn adopt(&mut self, vm: u32, nr: i32, token: u64) -> CallId {
        let now = self.now;
        let id = self.core(vm).adopt(nr, token, now);
        self.settle();
        id
    }

    /// Moves an endpoint, which has to succeed.
    pub fn migrate(&mut self, from: u32, to: u32, nr: i32) {
        const TOKEN: u64 = 0x1234_5678_9abc_def0;
        let started = self.migrate_start(from, nr, TOKEN);
        self.pass(300_000_000); // for acknowledgements
        let started = self.outcome(from, started);
        assert_eq!((started.result, started.token), (0, TOKEN));
        let adopted = self.adopt(to, nr, TOKEN);
        let committed = self.migrate_commit(from, nr, to);
        assert_eq!(self.result(from, committed), 0);
        let adopted = self.outcome(to, adopted);
        assert_eq!((adopted.result, adopted.from.nr), (0, nr));
    }

    pub fn unbind(&mut self, vm: u32, nr: i32) {
        let now = self.now;
        self.core(vm).unbind(nr, now);
        self.settle();
    }

    /// Nothing that a finished history needed is left in any core.
    pub fn assert_clean(&mut self) {
        self.pass(500_000_000);
        for (vm, core) in &self.cores {
            let s = core.stats();
            assert_eq!(s.operations, 0, "VM {vm}: {s:?}");
            assert_eq!(s.requests, 0, "VM {vm}: {s:?}");
            assert_eq!(s.unacknowledged, 0, "VM {vm}: {s:?}");
            assert_eq!(s.copies, 0, "VM {vm}: {s:?}");
            assert_eq!(s.sides, 0, "VM {vm}: {s:?}");
            assert_eq!(s.bulk_unacknowledged, 0, "VM {vm}: {s:?}");
        }
    }
}
