//! Random histories, in the core and in the model at once.

use std::collections::BTreeMap;

use super::calls::Caller;
use super::events::{BYTES, Event, NUMBERS, To, VMS, Which, number};
use super::memory::{FRAME, Memories};
use super::set::{MANY, Worlds};
use super::world::{self, Answer, Id, Life, Vm, World};
use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{Addr, CallId, Kind, Limits, Outcome};
use proptest::prelude::*;

/// A request that was received.
pub struct Asked {
    pub vm: u32,
    pub ep: i32,
    pub from: Addr,
    pub source: world::Addr,
    pub token: u64,
    pub body: world::Body,
}

/// A call under way.
#[derive(Clone, Copy)]
pub struct Pending {
    pub id: Id,
    pub ep: i32,
    /// What it says if it ends well and received nothing.
    pub answer: Answer,
}

pub struct History {
    pub net: Net,
    pub worlds: Worlds,
    pub vms: BTreeMap<u32, Vm>,
    pub next_vm: Vm,
    pub next: Id,
    pub calls: BTreeMap<(u32, CallId), Pending>,
    /// Where a number is bound, as far as its process knows.
    pub bound: BTreeMap<i32, (u32, Life)>,
    pub generations: BTreeMap<Life, Addr>,
    /// How other VMs know it, if that is another generation than its own VM has for it.
    pub outside: BTreeMap<Life, Addr>,
    pub asked: Vec<Asked>,
    pub memories: Memories,
    /// Copies, and how many VMs there had been when each began.
    pub copies: BTreeMap<Id, Vm>,
    /// Since the last rest somebody has left while its memory may have been touched.
    pub left_in_the_middle: bool,
}

type Verdict = Result<(), TestCaseError>;

impl History {
    fn new(limits: Limits, ring: usize, tight: bool) -> Result<History, TestCaseError> {
        let mut history = History {
            net: Net::with(VMS, limits, ring),
            worlds: Worlds::new(World::new(tight)),
            vms: BTreeMap::new(),
            next_vm: 0,
            next: 0,
            calls: BTreeMap::new(),
            bound: BTreeMap::new(),
            generations: BTreeMap::new(),
            outside: BTreeMap::new(),
            asked: Vec::new(),
            memories: Memories::new(),
            copies: BTreeMap::new(),
            left_in_the_middle: false,
        };
        for vm in 1..=VMS {
            history.boot(vm);
        }
        for ep in 0..NUMBERS {
            history.bind(u32::try_from(ep / 2).unwrap() + 1, number(ep));
            history.rest()?;
        }
        Ok(history)
    }

    fn boot(&mut self, vm: u32) {
        self.next_vm += 1;
        let life = self.next_vm;
        self.vms.insert(vm, life);
        self.net.core(vm).hold_copies();
        self.memories.furnish(&mut self.net, vm);
        self.worlds.apply(|w| w.boot(life));
    }

    /// The endpoint of that number calls; who is not bound calls from anywhere.
    pub(super) fn caller(&mut self, nr: i32) -> (u32, Caller) {
        let at = self.bound.get(&nr).copied();
        let vm = at.map_or(1, |(vm, _)| vm);
        let ep = at.map(|(_, life)| world::Addr { nr, life });
        (vm, self.call(vm, ep))
    }

    pub(super) fn call(&mut self, vm: u32, ep: Option<world::Addr>) -> Caller {
        self.next += 1;
        let (id, vm) = (self.next, self.vms[&vm]);
        Caller { id, vm, ep }
    }

    /// The same address for the core of that VM and for the model.
    pub(super) fn address(&self, vm: u32, to: To) -> (Addr, world::Addr) {
        let nr = number(to.0);
        let present = self.bound.get(&nr).map(|(_, life)| *life);
        let past = self
            .generations
            .iter()
            .rev()
            .find(|(life, a)| a.nr == nr && Some(**life) != present);
        let life = match to.1 {
            Which::Any => None,
            Which::Present => present,
            Which::Past => past.map(|(life, _)| *life),
        };
        let is_far = self.bound.get(&nr).is_none_or(|(at, _)| *at != vm);
        let outside = |life| self.outside.get(&life).filter(|_| is_far);
        let known = |life| outside(life).unwrap_or(&self.generations[&life]);
        let gen_ = life.map_or(0, |life| known(life).gen_);
        let life = life.unwrap_or(0);
        (Addr { nr, gen_ }, world::Addr { nr, life })
    }

    fn apply(&mut self, event: &Event) -> Verdict {
        match *event {
            Event::Bind(vm, ep) => self.bind(vm, number(ep)),
            Event::Unbind(ep) => self.unbind(number(ep)),
            Event::Send(ep, to, how) => self.send(ep, to, false, how),
            Event::Sendrec(ep, to, how) => self.send(ep, to, true, how),
            Event::Receive(ep, from, requests, nowait) => self.receive(ep, from, requests, nowait),
            Event::Answer(i, token) => self.answer(i, token),
            Event::ReplyTo(ep, to) => self.reply(ep, to),
            Event::Notify(ep, to, source) => self.notify(ep, to, source),
            Event::Relay(i, to, by_token) => self.relay(i, to, by_token),
            Event::Wakeup(ep, other) => self.wakeup(ep, other),
            Event::AwaitBind(ep, other) => self.await_bind(ep, other),
            Event::AwaitUnbind(ep, other) => self.await_unbind(ep, other),
            Event::Shutdown(ep) => self.shutdown(number(ep)),
            Event::Rights(ep, which) => self.set_rights(number(ep), which),
            Event::Cancel(i, signal) => self.cancel(i, if signal { EINTR } else { ETIMEDOUT }),
            Event::Abandon(i) => self.abandon(i),
            Event::KillVm(vm) => self.kill(vm)?,
            Event::Renew(vm) => return self.renew(vm),
            Event::Copy(ep, ends, n, apt) => {
                let ends = ends.map(|to| if apt { self.apt(ep, to) } else { to });
                self.copy(ep, ends, BYTES[n]);
            }
            Event::Work(vm) => {
                let now = self.net.now;
                self.net.core(vm).copy_step(now);
            }
            Event::Fate(fate, bulk) => self.net.destine(fate, bulk),
            Event::Release(i) => self.net.release(i),
            Event::Step(vm) => {
                self.net.step(vm);
            }
            Event::Retry => self.net.retry_all(),
            Event::Silence => {
                self.net.now += 500_000_000;
                self.worlds.apply(|w| vec![World { slow: true, ..w }]);
            }
            Event::Rest => return self.rest(),
        }
        self.look()?;
        if self.worlds.len() > MANY {
            self.rest()?;
        }
        Ok(())
    }

    fn kill(&mut self, vm: u32) -> Verdict {
        let life = self.vms[&vm];
        self.net.kill_vm(vm);
        self.calls.retain(|&(at, _), _| at != vm);
        self.bound.retain(|_, (at, _)| *at != vm);
        self.asked.retain(|a| a.vm != vm);
        self.worlds.apply(|w| w.kill(life));
        self.look()?;
        self.net.boot(vm);
        self.boot(vm);
        Ok(())
    }

    fn renew(&mut self, vm: u32) -> Verdict {
        self.rest()?;
        let life = self.vms[&vm];
        self.net.renew(vm);
        for (&nr, &(at, life)) in &self.bound {
            if at == vm {
                self.outside.insert(life, self.net.located(nr));
            }
        }
        let bound = &self.bound;
        let is_in = |nr: i32| bound.get(&nr).is_some_and(|(at, _)| *at == vm);
        self.asked.retain(|a| is_in(a.ep) == is_in(a.from.nr));
        self.worlds.apply(|w| w.renew(life));
        self.rest()
    }

    /// What has ended since in the core has to have ended in the model.
    fn look(&mut self) -> Verdict {
        let vms: Vec<u32> = self.net.cores.keys().copied().collect();
        for vm in vms {
            while let Some((id, o)) = self.net.core(vm).finished() {
                self.net.outcomes.insert((vm, id), o);
            }
        }
        let mut seen = BTreeMap::new();
        for ((vm, call), o) in std::mem::take(&mut self.net.outcomes) {
            if let Some(pending) = self.calls.remove(&(vm, call)) {
                seen.insert(pending.id, self.ended(vm, &pending, &o));
                self.check_copy(pending.id, o.result)?;
            }
        }
        self.check_stillness()?;
        self.worlds.observe(&seen).map_err(TestCaseError::fail)
    }

    /// A copy that ended well has brought everything, unless that is lost with its VM.
    fn check_copy(&mut self, id: Id, result: i32) -> Verdict {
        let began = self.copies.remove(&id);
        if result == 0 && began == Some(self.next_vm) {
            let arrived = self.memories.arrived(&mut self.net, id);
            prop_assert!(arrived, "copy {id} has not brought everything");
        }
        Ok(())
    }

    fn check_stillness(&mut self) -> Verdict {
        if self.left_in_the_middle {
            return Ok(());
        }
        let waiting = self.calls.iter().map(|((vm, _), p)| (*vm, p.ep)).collect();
        let stays = self.memories.stays(&mut self.net, &waiting);
        stays.map_err(TestCaseError::fail)
    }

    fn ended(&mut self, vm: u32, pending: &Pending, o: &Outcome) -> Answer {
        let kind = match o.kind {
            _ if o.result != 0 => return Answer::Result(o.result),
            Kind::None => {
                if let Answer::Bound(addr) = pending.answer {
                    self.generations.insert(addr.life, o.from);
                    self.bound.insert(addr.nr, (vm, addr.life));
                }
                return pending.answer;
            }
            Kind::Message => world::Kind::Message,
            Kind::Request => world::Kind::Request,
            Kind::Notify => world::Kind::Notify,
            Kind::Reply => world::Kind::Reply,
        };
        let mut lives = self.generations.iter().chain(&self.outside);
        let life = lives
            .find(|(_, a)| **a == o.from)
            .map_or(0, |(life, _)| *life);
        let source = world::Addr {
            nr: o.from.nr,
            life,
        };
        let body = <[u8; 8]>::try_from(o.data.as_slice()).map(u64::from_le_bytes);
        let body = body.unwrap_or(o.token);
        if o.kind == Kind::Request {
            self.asked.push(Asked {
                vm,
                ep: pending.ep,
                from: o.from,
                source,
                token: o.token,
                body,
            });
        }
        Answer::Got(kind, source, body)
    }
}

impl History {
    /// Everything that is on its way arrives; then both sides agree on who still waits.
    fn rest(&mut self) -> Verdict {
        self.net.settle_copies();
        self.net.pass(250_000_000);
        self.net.settle_copies();
        self.look()?;
        self.left_in_the_middle = false;
        self.memories
            .check(&mut self.net)
            .map_err(TestCaseError::fail)?;
        self.worlds.rest().map_err(TestCaseError::fail)?;
        let waiting: Vec<Id> = self.calls.values().map(|p| p.id).collect();
        for (nr, (vm, _)) in &self.bound {
            let readable = self.net.cores[vm].is_readable(*nr);
            let expected = |w: &World| {
                let e = &w.bound[nr];
                readable != (e.queue.is_empty() && e.notes.is_empty())
            };
            prop_assert!(self.worlds.iter().any(expected), "readable: {readable}");
        }
        for world in self.worlds.iter() {
            let mut calls: Vec<Id> = world.calls.keys().copied().collect();
            calls.sort_unstable();
            let mut waiting = waiting.clone();
            waiting.sort_unstable();
            prop_assert_eq!(calls, waiting);
        }
        Ok(())
    }

    /// Everybody leaves; nothing is left over.
    fn finish(mut self) -> Verdict {
        self.net.fates.clear();
        self.net.bulk_fates.clear();
        self.rest()?;
        while !self.calls.is_empty() {
            self.cancel(0, ETIMEDOUT);
            self.look()?;
            self.rest()?;
        }
        for ep in 0..NUMBERS - 1 {
            self.set_rights(number(ep), 0);
            self.look()?;
        }
        self.rest()?;
        for ep in (0..NUMBERS).cycle().take(NUMBERS * NUMBERS) {
            self.receive(ep, None, false, true);
            self.look()?;
        }
        self.net.assert_clean();
        Ok(())
    }
}

/// All of this happens, and then everybody leaves.
pub fn run(events: &[Event], limits: Limits, ring: usize, tight: bool) -> Verdict {
    let limits = Limits {
        bulk_payload: u32::try_from(FRAME).unwrap(),
        ..limits
    };
    let mut history = History::new(limits, ring, tight)?;
    for event in events {
        history.apply(event)?;
    }
    history.finish()
}
