//! Callers that leave before their call is over: time-outs, signals, and those who do not wait
//! for what another VM decides about it.

use super::calls::may;
use super::world::*;
use dvs_core::errors::*;

impl World {
    /// The caller wants to leave. Only another VM that has the message may decide otherwise.
    pub fn cancel(mut self, id: Id, why: i32) -> Vec<World> {
        if let Some(ended) = self.ended.get(&id).copied() {
            return match ended.call.what {
                What::Bind => vec![self.leave_bind(id, why)],
                _ if ended.held => vec![self],
                // Its answer is on its way, and is believed. If that is only that it may leave, it
                // leaves for its latest reason.
                _ => {
                    let mut out = self.out_of_reach(id, why);
                    self.ended.entry(id).and_modify(|e| {
                        if e.by != e.call.vm && e.answer == Answer::Result(e.why) {
                            e.answer = Answer::Result(why);
                        }
                        e.why = why;
                    });
                    out.push(self);
                    out
                }
            };
        }
        let Some(call) = self.calls.get(&id).copied() else {
            return vec![self];
        };
        match call.what {
            What::Bind => vec![self.leave_bind(id, why)],
            What::Send | What::Sendrec => self.leave_send(id, call, why),
            What::Copy => self.cancel_copy(id, why),
            _ => {
                self.forget(id);
                self.end_here(id, why);
                vec![self]
            }
        }
    }

    /// The caller leaves at once; what other VMs decide later is nothing to it.
    pub fn abandon(self, id: Id) -> Vec<World> {
        let cancelled = self.cancelled.get(&id).map(|c| c.why);
        let ended = self.ended.get(&id).map(|e| e.why);
        let left = self.wants_to_leave(id);
        let why = cancelled.or(ended).or(left).unwrap_or(EINTR);
        let mut worlds = self.abandon_as(id, why);
        worlds.iter_mut().for_each(|w| w.let_go(id));
        worlds
    }

    /// All calls of this endpoint are ended from outside.
    pub fn shutdown(self, ep: Addr) -> Vec<World> {
        let own = |c: &Call| c.ep == ep && c.what != What::Bind;
        let calls = self.calls.iter().filter(|(_, c)| own(c));
        let ended = self.ended.iter().filter(|(_, e)| own(&e.call));
        let ids: Vec<Id> = calls
            .map(|(&id, _)| id)
            .chain(ended.map(|(&id, _)| id))
            .collect();
        let mut worlds = vec![self];
        for id in ids {
            let each = worlds.into_iter();
            worlds = each.flat_map(|w| w.abandon_as(id, ESHUTDOWN)).collect();
        }
        worlds
    }

    /// What another VM has not confirmed yet of the calls that the endpoint may not make any more
    /// ends, or goes on; notifications that are on their way come, or not.
    pub fn rights_taken(self, ep: Addr, rights: Rights) -> Vec<World> {
        let code = |what: What| {
            let call = match what {
                What::Send => may::SEND,
                What::Sendrec => may::SENDREC,
                What::Notify => may::NOTIFY,
                _ => return None,
            };
            if !rights.allows(call) {
                return Some(EBADCALL);
            }
            (rights.ipc_to != u64::MAX || rights.level == 0).then_some(ETRAPDENIED)
        };
        let calls = self.calls.iter().map(|(&id, c)| (id, *c));
        let ended = self.ended.iter().map(|(&id, e)| (id, e.call));
        let own = calls.chain(ended).filter(|(_, c)| c.ep == ep);
        let denied: Vec<(Id, Vm, i32)> = own
            .filter_map(|(id, c)| Some((id, c.vm, code(c.what)?)))
            .collect();
        let mut worlds = vec![self];
        for (id, vm, why) in denied {
            let each = worlds.into_iter();
            worlds = each
                .flat_map(|w| {
                    let far = !w.clone().forget_local(id, vm);
                    let given_up = far.then(|| w.clone().abandon_as(id, why));
                    given_up
                        .into_iter()
                        .flatten()
                        .chain([w])
                        .collect::<Vec<_>>()
                })
                .collect();
        }
        worlds = worlds
            .into_iter()
            .flat_map(|w| w.copies_denied(ep, rights))
            .collect();
        if code(What::Notify).is_some() {
            worlds = worlds
                .into_iter()
                .flat_map(|w| w.without_notes(ep))
                .collect();
        }
        worlds
    }

    /// This world, and those without some of the notifications of this endpoint on their way.
    fn without_notes(self, ep: Addr) -> Vec<World> {
        let is_note = |f: &&Flight| f.from == ep && matches!(f.cargo, Cargo::Note(_));
        let flights = self.flights.values().flatten();
        let notes: Vec<Id> = flights.filter(is_note).map(|f| f.id).collect();
        let mut worlds = vec![self];
        for id in notes {
            let less = worlds.clone().into_iter().map(|mut w| {
                w.forget_flight(id);
                w
            });
            worlds = less.chain(worlds).collect();
        }
        worlds
    }

    fn abandon_as(mut self, id: Id, why: i32) -> Vec<World> {
        let ended = self.ended.get(&id).filter(|e| e.call.what != What::Bind);
        if let Some(ended) = ended {
            if !ended.held {
                self.arrived_as(id, why);
            }
            return vec![self];
        }
        if self.calls.get(&id).is_some_and(|c| c.what == What::Copy) {
            self.end_here(id, why);
            return vec![self];
        }
        let far = self.calls.get(&id).copied();
        let Some(call) = far.filter(|c| [What::Send, What::Sendrec].contains(&c.what)) else {
            return self.cancel(id, why);
        };
        let mut unsent = self.clone();
        let flies = unsent.forget_flight(id);
        unsent.end_here(id, why);
        let mut out = if flies { vec![unsent] } else { vec![] };
        out.push(self.detach(id, call, why));
        out
    }

    /// Its message goes on without a caller, followed by the wish to take it back.
    fn detach(mut self, id: Id, call: Call, why: i32) -> World {
        let local = self.forget_local(id, call.vm);
        let was_lost = self.lost.contains_key(&id);
        let redirected = self.redirects.iter().any(|r| r.id == id);
        self.redirects.retain(|r| r.id != id);
        self.end_here(id, why);
        if !local && !was_lost && !redirected {
            let (vm, from) = (call.vm, call.ep);
            self.cancelled.insert(id, Cancel { vm, from, why });
        }
        self
    }

    /// The answer may not get through for so long that the caller leaves without it.
    fn out_of_reach(&self, id: Id, why: i32) -> Vec<World> {
        let mut world = self.clone();
        if !self.slow {
            return vec![];
        }
        world.arrived_as(id, why);
        vec![world]
    }

    fn leave_bind(mut self, id: Id, why: i32) -> World {
        let vm = self.calls.get(&id).map(|c| c.vm);
        if let Some(bind) = self.binds.iter_mut().find(|b| b.id == Some(id)) {
            let waits = self.leaving.get(&bind.nr) == Some(&bind.vm)
                || self.returning.contains(&(bind.nr, bind.vm));
            bind.id = None;
            if waits {
                self.binds.retain(|b| b.id.is_some());
            }
            self.end_here(id, why);
        } else if let Some(ended) = self.ended.get_mut(&id) {
            ended.answer = Answer::Result(why);
            ended.by = vm.unwrap_or(ended.call.vm);
            let mut all = self.bound.values_mut();
            if let Some(e) = all.find(|e| e.owner == Owner::Binding(id)) {
                e.owner = Owner::Nobody;
            }
        }
        self
    }

    fn leave_send(mut self, id: Id, call: Call, why: i32) -> Vec<World> {
        if self.forget_local(id, call.vm) {
            self.end_here(id, why);
            return vec![self];
        }
        let mut out = vec![];
        if self.slow {
            out.push(self.clone().detach(id, call, why));
        }
        if self.lost.contains_key(&id) {
            out.push(self);
            return out;
        }
        let mut unsent = self.clone();
        if !self.cancelled.contains_key(&id) && unsent.forget_flight(id) {
            unsent.end_here(id, why);
            out.push(unsent);
        }
        let (vm, from) = (call.vm, call.ep);
        self.cancelled.insert(id, Cancel { vm, from, why });
        out.push(self);
        out
    }

    /// Takes the message out of the queues of this VM. Was it there?
    fn forget_local(&mut self, id: Id, vm: Vm) -> bool {
        let mut found = false;
        for e in self.bound.values_mut().filter(|e| e.vm == vm) {
            let before = e.queue.len() + e.open.len();
            e.queue.retain(|m| m.id != id);
            e.open.retain(|m| m.id != id);
            found |= before != e.queue.len() + e.open.len();
        }
        found
    }

    fn forget_flight(&mut self, id: Id) -> bool {
        let mut found = false;
        for flights in self.flights.values_mut() {
            let before = flights.len();
            flights.retain(|f| f.id != id);
            found |= before != flights.len();
        }
        self.flights.retain(|_, flights| !flights.is_empty());
        found
    }

    fn forget(&mut self, id: Id) {
        self.forget_flight(id);
        self.awaits.remove(&id);
        self.leavers.retain(|l| l.id != id);
        // Only what the node has been asked for already comes to be.
        let mut seen = vec![];
        self.setters.retain(|s| {
            let first = !seen.contains(&s.ep);
            seen.push(s.ep);
            first || s.id != id
        });
        for e in self.bound.values_mut() {
            e.receivers.retain(|r| r.id != id);
        }
    }

    /// The wish to take a message back has arrived where it is.
    pub fn withdrawals(&self) -> Vec<World> {
        let mut out = vec![];
        for (&id, cancel) in &self.cancelled {
            for e in self.bound.values().filter(|e| e.vm != cancel.vm) {
                if e.queue.iter().chain(&e.open).any(|m| m.id == id) {
                    let mut world = self.clone();
                    world.forget_local(id, e.vm);
                    world.end(id, Answer::Result(cancel.why), e.vm);
                    out.push(world);
                }
            }
        }
        out
    }
}
