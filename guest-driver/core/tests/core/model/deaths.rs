//! What the end of an endpoint, or of a whole VM, means to the others.

use super::world::*;
use dvs_core::errors::*;

impl World {
    /// The process gives up its endpoint, or ends.
    pub fn unbind(mut self, addr: Addr) -> Vec<World> {
        let fits = |e: &Endpoint| e.addr == addr;
        let Some(e) = self.bound.get(&addr.nr).filter(|e| fits(e)).cloned() else {
            return vec![self];
        };
        self.bound.remove(&addr.nr);
        self.former.insert(addr.nr);
        self.leaving.insert(addr.nr, e.vm);
        self.end_sides_of(addr);
        let each = self.hear_of_own_sides(addr).into_iter();
        each.map(|w| w.end_endpoint(&e)).collect()
    }

    fn end_endpoint(mut self, e: &Endpoint) -> World {
        let Endpoint { addr, vm, .. } = *e;
        self.end_calls_of(addr, vm);
        for m in &e.queue {
            self.end(m.id, Answer::Result(EDSTDIED), vm);
        }
        for m in &e.open {
            self.end(m.id, Answer::Result(ESRCDIED), vm);
        }
        self.forget_source(addr, vm);
        self.fail_receivers(addr, vm);
        self.end_setters(addr, vm);
        self.end_leavers(addr, vm);
        for (&(_, nr), flights) in &mut self.flights {
            if nr == addr.nr {
                flights.iter_mut().for_each(|f| f.away = true);
            }
        }
        self.cancelled.retain(|_, c| c.from != addr);
        let others: Vec<Vm> = self.vms.iter().copied().filter(|&v| v != vm).collect();
        for other in others {
            self.deaths.insert((addr, vm, other));
        }
        let bound = &self.bound;
        let here = |nr: i32| bound.get(&nr).is_some_and(|e| e.vm == vm);
        for (&(_, nr), flights) in &mut self.flights {
            flights.retain(|f| f.from != addr || !here(nr));
        }
        self.sweep();
        self
    }

    fn end_setters(&mut self, addr: Addr, vm: Vm) {
        let (ended, left): (Vec<Setter>, _) = self.setters.iter().partition(|s| s.ep == addr);
        self.setters = left;
        for setter in ended {
            self.end(setter.id, Answer::Result(ENOTBIND), vm);
        }
    }

    /// Those of this VM who waited for the end of that life.
    fn end_leavers(&mut self, addr: Addr, vm: Vm) {
        let waits = |l: &Leaver| l.vm == vm && l.nr == addr.nr && l.life == Some(addr.life);
        let (ended, left): (Vec<Leaver>, _) = self.leavers.iter().partition(|l| waits(l));
        self.leavers = left;
        for leaver in ended {
            self.end(leaver.id, Answer::Result(0), vm);
        }
    }

    /// As [`World::fail_far_receivers`]: who has begun only now may have another life in mind.
    fn end_far_leavers(self, addr: Addr, vm: Vm) -> Vec<World> {
        let mut again = self.clone();
        let mut fresh = again.leavers.iter_mut();
        let unsure = fresh.any(|l| l.vm == vm && l.nr == addr.nr && !l.settled);
        for l in again
            .leavers
            .iter_mut()
            .filter(|l| l.vm == vm && l.nr == addr.nr && !l.settled)
        {
            l.life = None;
        }
        let mut all = if unsure { vec![again] } else { vec![] };
        all.push(self);
        all.iter_mut().for_each(|w| w.end_leavers(addr, vm));
        all
    }

    fn end_calls_of(&mut self, addr: Addr, vm: Vm) {
        let own = |c: &Call| c.ep == addr && c.what != What::Bind;
        let calls: Vec<Id> = self
            .calls
            .iter()
            .filter(|(_, c)| own(c))
            .map(|(&id, _)| id)
            .collect();
        for id in calls {
            self.end(id, Answer::Result(ENOTBIND), vm);
        }
        let calls = &self.calls;
        self.awaits.retain(|id, _| calls.contains_key(id));
        self.leavers.retain(|l| calls.contains_key(&l.id));
        self.redirects.retain(|r| calls.contains_key(&r.id));
        let ended = self.ended.iter();
        let ended = ended.filter(|(_, e)| own(&e.call) && e.by != e.call.vm);
        let ended: Vec<Id> = ended.map(|(&id, _)| id).collect();
        for id in ended {
            self.arrived_as(id, ENOTBIND);
        }
    }

    /// What the dead one left at the endpoints of this VM.
    fn forget_source(&mut self, addr: Addr, vm: Vm) {
        for e in self.bound.values_mut().filter(|e| e.vm == vm) {
            e.queue.retain(|m| m.from != addr);
            e.open.retain(|m| m.from != addr);
            if !e.kept.contains(&addr) {
                e.notes.remove(&addr);
            }
        }
    }

    fn waiting_for(&self, addr: Addr, vm: Vm) -> Vec<Receiver> {
        let here = self.bound.values().filter(|e| e.vm == vm);
        here.flat_map(|e| e.receivers.iter().copied())
            .filter(|r| r.from != From::Any && r.from.takes(addr))
            .collect()
    }

    pub fn fail_receiver(&mut self, id: Id, vm: Vm, result: i32) {
        for e in self.bound.values_mut() {
            e.receivers.retain(|r| r.id != id);
        }
        self.end(id, Answer::Result(result), vm);
    }

    fn fail_receivers(&mut self, addr: Addr, vm: Vm) {
        for r in self.waiting_for(addr, vm) {
            self.fail_receiver(r.id, vm, ESRCDIED);
        }
    }

    /// Those who waited for the dead one in another VM. Who has begun only now may not have asked
    /// about that life, and looks again.
    fn fail_far_receivers(self, addr: Addr, vm: Vm) -> Vec<World> {
        let mut worlds = vec![self.clone()];
        for r in self.waiting_for(addr, vm) {
            let mut next = vec![];
            for mut world in worlds {
                if !r.settled {
                    let mut again = world.clone();
                    let all = again.bound.values_mut().flat_map(|e| &mut e.receivers);
                    all.filter(|o| o.id == r.id).for_each(|o| o.looking = true);
                    next.push(again);
                }
                world.fail_receiver(r.id, vm, ESRCDIED);
                next.push(world);
            }
            worlds = next;
        }
        worlds
            .into_iter()
            .flat_map(|w| w.end_far_leavers(addr, vm))
            .collect()
    }

    /// A VM hears of deaths in others.
    pub fn obituaries(&self) -> Vec<World> {
        let mut out = vec![];
        for &(addr, at, to) in &self.deaths {
            let mut world = self.clone();
            world.deaths.remove(&(addr, at, to));
            world.forget_source(addr, to);
            let bound = &world.bound;
            let elsewhere = |nr: i32| bound.get(&nr).is_some_and(|e| e.vm != to && e.vm != at);
            for (&(_, nr), flights) in &mut world.flights {
                flights.retain(|f| f.from != addr || elsewhere(nr));
            }
            world.sweep();
            out.extend(world.fail_far_receivers(addr, to));
        }
        out
    }

    /// The whole VM is lost.
    pub fn kill(mut self, vm: Vm) -> Vec<World> {
        self.vms.remove(&vm);
        let dead: Vec<Endpoint> = self
            .bound
            .values()
            .filter(|e| e.vm == vm)
            .cloned()
            .collect();
        for &to in &self.vms {
            let told = self
                .deaths
                .iter()
                .filter(|(_, at, t)| (*at, *t) == (vm, to));
            let addrs = dead.iter().map(|e| e.addr).chain(told.map(|(a, _, _)| *a));
            self.gone.insert((vm, to), addrs.collect());
        }
        for m in dead.iter().flat_map(|e| e.queue.iter().chain(&e.open)) {
            if m.vm != vm && self.calls.contains_key(&m.id) {
                self.lost.insert(m.id, vm);
                self.cancelled.remove(&m.id);
            }
        }
        self.bound.retain(|_, e| e.vm != vm);
        self.former.extend(dead.iter().map(|e| e.addr.nr));
        self.leaving.retain(|_, at| *at != vm);
        self.returning.retain(|(_, at)| *at != vm);
        self.binds.retain(|b| b.vm != vm);
        self.flights.retain(|(at, _), _| *at != vm);
        self.calls.retain(|_, c| c.vm != vm);
        self.ended.retain(|_, e| e.call.vm != vm);
        let calls = &self.calls;
        self.awaits.retain(|id, _| calls.contains_key(id));
        self.leavers.retain(|l| calls.contains_key(&l.id));
        self.redirects.retain(|r| calls.contains_key(&r.id));
        self.setters.retain(|s| dead.iter().all(|e| e.addr != s.ep));
        let placed: Vec<Id> = self.message_ids();
        self.cancelled
            .retain(|id, c| c.vm != vm && placed.contains(id));
        self.deaths.retain(|(_, at, to)| *at != vm && *to != vm);
        self.gone.retain(|(_, to), _| *to != vm);
        let calls = &self.calls;
        self.lost.retain(|id, _| calls.contains_key(id));
        for (&(_, nr), flights) in &mut self.flights {
            if self.hosted.contains(&(nr, vm)) {
                flights
                    .iter_mut()
                    .for_each(|f| (f.away, f.lost) = (true, true));
            }
        }
        self.hosted.retain(|(_, at)| *at != vm);
        self.sweep();
        self.lose_sides(vm)
    }

    fn message_ids(&self) -> Vec<Id> {
        let waiting = self
            .bound
            .values()
            .flat_map(|e| e.queue.iter().chain(&e.open));
        let flying = self.flights.values().flatten().map(|f| f.id);
        let redirected = self.redirects.iter().map(|r| r.id);
        waiting
            .map(|m| m.id)
            .chain(flying)
            .chain(redirected)
            .collect()
    }

    pub fn boot(mut self, vm: Vm) -> Vec<World> {
        self.vms.insert(vm);
        vec![self]
    }

    /// A VM hears that another one is lost.
    pub fn losses(&self) -> Vec<World> {
        let mut out = vec![];
        for (&(vm, to), addrs) in &self.gone {
            let mut world = self.clone();
            world.gone.remove(&(vm, to));
            for e in world.bound.values_mut().filter(|e| e.vm == to) {
                e.queue.retain(|m| m.vm != vm);
                e.open.retain(|m| m.vm != vm);
                let kept = &e.kept;
                e.notes
                    .retain(|a, _| !addrs.contains(a) || kept.contains(a));
            }
            let calls = &self.calls;
            let late = |r: &Redirect| r.by == vm && calls.get(&r.id).is_some_and(|c| c.vm == to);
            for redirect in self.redirects.iter().filter(|r| late(r)) {
                world.end_here(redirect.id, ESRCDIED);
            }
            world.redirects.retain(|r| !late(r));
            for (&id, &at) in &self.lost {
                if let Some(call) = self.calls.get(&id).filter(|c| at == vm && c.vm == to) {
                    world.end_here(id, died(call));
                }
            }
            world.sweep();
            let mut worlds = world.lose_answers(vm, to);
            for &addr in addrs {
                worlds = worlds
                    .into_iter()
                    .flat_map(|w| w.fail_far_receivers(addr, to))
                    .collect();
            }
            out.extend(worlds);
        }
        out
    }

    /// Answers that the lost VM gave may have got through, or not.
    fn lose_answers(self, vm: Vm, to: Vm) -> Vec<World> {
        let mut worlds = vec![self.clone()];
        for (&id, ended) in &self.ended {
            if ended.by != vm || ended.call.vm != to {
                continue;
            }
            for mut world in worlds.clone() {
                world.arrived_as(id, died(&ended.call));
                worlds.push(world);
            }
        }
        worlds
    }

    /// What a dead source sent is on its way no longer than the news of its death.
    fn sweep(&mut self) {
        let (bound, deaths) = (&self.bound, &self.deaths);
        let lives = |a: Addr| bound.get(&a.nr).is_some_and(|e| e.addr == a);
        let heard = |a: Addr| !deaths.iter().any(|(d, _, _)| *d == a);
        for flights in self.flights.values_mut() {
            flights.retain(|f| lives(f.from) || !heard(f.from));
        }
        self.flights.retain(|_, flights| !flights.is_empty());
    }
}

/// Whether a request was taken is not known when its VM is lost.
pub fn died(call: &Call) -> i32 {
    if call.what == What::Sendrec {
        ESRCDIED
    } else {
        EDSTDIED
    }
}
