//! What can happen at any moment by itself: something on its way arrives.

use super::world::*;
use dvs_core::errors::*;

impl World {
    /// Every world that one such event can make of this one.
    pub fn moves(&self) -> Vec<World> {
        let mut out = self.decide_binds();
        out.extend(self.releases());
        out.extend(self.give_back());
        out.extend(self.looks());
        out.extend(self.withdrawals());
        out.extend(self.obituaries());
        out.extend(self.losses());
        out.extend(self.arrive_redirects());
        out.extend(self.agree());
        out.extend(self.find_awaited());
        out.extend(self.look_for_leavers());
        out.extend(self.copies_go_on());
        out.extend(self.answer_lenders());
        for (&(vm, nr), flights) in &self.flights {
            let away = flights.iter().any(|f| f.away);
            for (i, f) in flights.iter().enumerate() {
                let first = i == 0
                    || away
                    || matches!(f.cargo, Cargo::Check | Cargo::Where | Cargo::Note(None));
                if first && !self.behind_a_death(vm, nr, f) {
                    out.extend(self.arrive(vm, nr, i));
                }
            }
        }
        out
    }

    /// The news that the sender's number was given up before goes first.
    fn behind_a_death(&self, vm: Vm, nr: i32, f: &Flight) -> bool {
        let Some(target) = self.bound.get(&nr) else {
            return false;
        };
        let mut deaths = self.deaths.iter();
        deaths.any(|&(a, at, to)| {
            at == vm && to == target.vm && a.nr == f.from.nr && a.life != f.from.life
        })
    }

    fn decide_binds(&self) -> Vec<World> {
        let mut out = vec![];
        for (i, bind) in self.binds.iter().enumerate() {
            let Bind { id, life, vm, nr } = *bind;
            if self.leaving.get(&nr) == Some(&vm) || self.returning.contains(&(nr, vm)) {
                continue;
            }
            let mut world = self.clone();
            world.binds.remove(i);
            if self.bound.contains_key(&nr) || self.leaving.contains_key(&nr) {
                world.returning.insert((nr, vm));
                world.end(id.unwrap_or(0), Answer::Result(ESLOTUSED), 0);
            } else {
                let addr = Addr { nr, life };
                world.hosted.insert((nr, vm));
                world.bound.insert(
                    nr,
                    Endpoint {
                        addr,
                        vm,
                        owner: id.map_or(Owner::Nobody, Owner::Binding),
                        queue: vec![],
                        notes: [].into(),
                        kept: [].into(),
                        open: vec![],
                        receivers: vec![],
                        woken: false,
                        rights: Rights::default_of(nr),
                    },
                );
                world.end(id.unwrap_or(0), Answer::Bound(addr), 0);
            }
            out.push(world);
        }
        out
    }

    /// The directory has heard that a number is free: the first who waited for it may ask.
    fn release(&mut self, nr: i32, vm: Vm) {
        let (_, later): (Vec<usize>, Vec<Bind>) = {
            let mine = self.binds.iter().filter(|b| b.nr == nr && b.vm == vm);
            (vec![], mine.skip(1).copied().collect())
        };
        for bind in later {
            self.binds.retain(|b| *b != bind);
            if let Some(id) = bind.id {
                self.end(id, Answer::Result(ESLOTUSED), vm);
            }
        }
    }

    fn releases(&self) -> Vec<World> {
        let mut out = vec![];
        for (&nr, &vm) in &self.leaving {
            let mut world = self.clone();
            world.leaving.remove(&nr);
            world.release(nr, vm);
            out.push(world);
        }
        for &(nr, vm) in &self.returning {
            let mut world = self.clone();
            world.returning.remove(&(nr, vm));
            world.release(nr, vm);
            out.push(world);
        }
        out
    }

    /// An endpoint whose binder left is nobody's.
    fn give_back(&self) -> Vec<World> {
        let orphans = self.bound.values().filter(|e| e.owner == Owner::Nobody);
        orphans.flat_map(|e| self.clone().unbind(e.addr)).collect()
    }

    /// A receiver learns where its far source is.
    fn looks(&self) -> Vec<World> {
        let mut out = vec![];
        for e in self.bound.values() {
            for r in e.receivers.iter().filter(|r| r.looking) {
                let From::Only(want) = r.from else { continue };
                let target = self.bound.get(&want.nr);
                let result = match target {
                    None => Some(ESRCDIED),
                    Some(t) if ![0, t.addr.life].contains(&want.life) => Some(EENDPOINT),
                    Some(_) => None,
                };
                if target.is_none_or(|t| t.owner != Owner::Process) || result.is_some() {
                    let result = result.unwrap_or(ESRCDIED);
                    out.push(self.with(|w| w.fail_receiver(r.id, e.vm, result)));
                }
                if self.has_another(want.nr, want.life) {
                    out.push(self.with(|w| w.fail_receiver(r.id, e.vm, EENDPOINT)));
                }
                if result.is_none() {
                    let mut world = self.clone();
                    let all = world.bound.values_mut().flat_map(|e| &mut e.receivers);
                    all.filter(|o| o.id == r.id).for_each(|o| o.looking = false);
                    out.push(world);
                }
            }
        }
        out
    }

    /// This one of the flights gets to where the number is bound, or learns that it is not.
    fn arrive(&self, vm: Vm, nr: i32, i: usize) -> Vec<World> {
        let mut rest = self.clone();
        let flights = rest.flights.entry((vm, nr)).or_default();
        let f = flights.remove(i);
        if flights.is_empty() {
            rest.flights.remove(&(vm, nr));
        }
        match f.cargo {
            Cargo::Note(None) => self.locate_note(vm, nr, i, &rest),
            Cargo::Note(Some(life)) => {
                if rest.bound.get(&nr).is_some_and(|e| e.addr.life == life) {
                    rest.note(nr, f.from, f.body);
                }
                vec![rest]
            }
            Cargo::Check => rest.failures(vm, nr, &f, Some(EPROCSTS)),
            Cargo::Where => rest.tell_where(vm, nr, &f),
            Cargo::Message | Cargo::Request => {
                let mut out = rest.failures(vm, nr, &f, None);
                if let Some(e) = rest.bound.get(&nr)
                    && [0, e.addr.life].contains(&f.want)
                {
                    let message = Message {
                        id: f.id,
                        from: f.from,
                        vm,
                        request: f.cargo == Cargo::Request,
                        body: f.body,
                    };
                    rest.deliver(nr, message, f.nowait);
                    out.push(rest);
                }
                out
            }
        }
    }

    /// The directory may have a life of that number that is over, and not the wanted one.
    pub fn has_another(&self, nr: i32, want: Life) -> bool {
        want != 0 && self.leaving.contains_key(&nr)
    }

    /// The ways in which a flight can fail, `found` being its result where it finds the endpoint.
    fn failures(&self, vm: Vm, nr: i32, f: &Flight, found: Option<i32>) -> Vec<World> {
        let target = self.bound.get(&nr);
        let mut results = vec![];
        match target {
            None => results.push(EDSTDIED),
            Some(e) if ![0, e.addr.life].contains(&f.want) => results.push(EENDPOINT),
            Some(_) => results.extend(found),
        }
        if self.has_another(nr, f.want) {
            results.push(EENDPOINT);
        }
        if f.away || target.is_some_and(|e| e.owner != Owner::Process) {
            results.push(EDSTDIED);
            results.extend(self.cancelled.get(&f.id).map(|c| c.why));
        }
        if f.lost && f.cargo == Cargo::Request {
            results.push(ESRCDIED);
        }
        if self.tight && f.nowait {
            results.push(EAGAIN);
        }
        if f.cargo == Cargo::Check && self.may_remember(vm, nr) {
            results.push(EPROCSTS);
        }
        results
            .into_iter()
            .map(|result| {
                let mut world = self.clone();
                // Only what was never sent is decided on here: the answer comes at any time.
                world.end(f.id, Answer::Result(result), 0);
                world
            })
            .collect()
    }

    /// A notification's call is over as soon as it is known where to.
    fn locate_note(&self, vm: Vm, nr: i32, i: usize, rest: &World) -> Vec<World> {
        let f = self.flights[&(vm, nr)][i];
        let mut out = vec![];
        match self.bound.get(&nr) {
            Some(e) if [0, e.addr.life].contains(&f.want) => {
                let cargo = Cargo::Note(Some(e.addr.life));
                let mut world = self.clone();
                let flights = world.flights.entry((vm, nr)).or_default();
                let waits = |o: &Flight| o.from == f.from && o.cargo == cargo;
                let earlier = flights[..i].iter().position(waits);
                flights[i].cargo = cargo;
                world.end_here(f.id, 0);
                out.push(world);
                if let Some(earlier) = earlier {
                    let mut world = rest.clone();
                    world.flights.entry((vm, nr)).or_default()[earlier].body = f.body;
                    world.end_here(f.id, 0);
                    out.push(world);
                }
            }
            _ => out.extend(rest.failures(vm, nr, &f, None)),
        }
        if f.away {
            out.extend(rest.failures(vm, nr, &f, None));
        }
        if self.may_remember(vm, nr) {
            let mut world = rest.clone();
            world.end_here(f.id, 0);
            out.push(world);
        }
        out
    }
}

impl Flight {
    pub fn new(id: Id, from: Addr, cargo: Cargo) -> Flight {
        Flight {
            id,
            from,
            cargo,
            want: 0,
            body: 0,
            nowait: false,
            away: false,
            lost: false,
        }
    }
}
