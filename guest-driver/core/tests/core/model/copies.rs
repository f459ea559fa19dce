//! Copies: who has to wait for one, and what it means to those who leave, are cancelled or die.
//!
//! What the requester has not heard yet is not followed: a side that is done in its VM is done, and
//! when both are the copy ends at some later moment. Only if everything is in one VM that is now.

use super::calls::{Caller, may, valid};
use super::copying::*;
use super::world::*;
use dvs_core::errors::*;

// What happens at once.
impl World {
    pub fn copy(mut self, caller: Caller, ends: [Addr; 2]) -> Vec<World> {
        let checked = self.permit(caller, may::VCOPY).and_then(|ep| {
            ends.iter()
                .try_for_each(|end| self.check_end(ep, end.nr))
                .map(|()| ep)
        });
        let ep = match checked {
            Ok(ep) => ep,
            Err(result) => return self.refuse(caller, result),
        };
        self.begin(caller.id, caller.vm, ep, What::Copy);
        self.copies.push(Copying::new(caller, ep, ends));
        let last = self.copies.len() - 1;
        self.locate(last)
    }

    fn check_end(&self, ep: Addr, nr: i32) -> Result<(), i32> {
        if !valid(nr) {
            Err(ERANGE)
        } else if nr == -1 {
            Err(EBADDEST)
        } else if nr != ep.nr && !self.reaches(ep, nr) {
            Err(ETRAPDENIED)
        } else {
            Ok(())
        }
    }

    /// What is in the requester's VM is found at once.
    pub fn locate(mut self, i: usize) -> Vec<World> {
        let vm = self.copies[i].vm;
        for which in [SOURCE, DESTINATION] {
            let want = self.copies[i].sides[which].want;
            let Some(addr) = self.local(vm, want.nr).map(|e| e.addr) else {
                continue;
            };
            let side = &mut self.copies[i].sides[which];
            side.vm = vm;
            side.stage = Stage::Found(addr);
            if ![0, addr.life].contains(&want.life) {
                side.stage = Stage::Done(EENDPOINT);
                break;
            }
        }
        self.ask(i)
    }

    /// If both sides are found they are asked.
    pub fn ask(mut self, i: usize) -> Vec<World> {
        let found = |s: &Side| matches!(s.stage, Stage::Found(_));
        if !self.copies[i].sides.iter().all(found) {
            return vec![self];
        }
        for side in &mut self.copies[i].sides {
            if let Stage::Found(addr) = side.stage {
                side.stage = Stage::Asked(addr);
            }
        }
        let mut worlds = vec![self];
        for which in [DESTINATION, SOURCE] {
            let here = |w: &World| !w.copies[i].is_far(which);
            let each = worlds.into_iter();
            worlds = each
                .flat_map(|w| if here(&w) { w.open(i, which) } else { vec![w] })
                .collect();
        }
        worlds
    }

    /// The side's own VM has been asked for it.
    pub fn open(self, i: usize, which: usize) -> Vec<World> {
        let copying = &self.copies[i];
        let Stage::Asked(addr) = copying.sides[which].stage else {
            return vec![self];
        };
        let target = self.bound.get(&addr.nr).filter(|e| e.addr == addr);
        let owner = target.map_or(Owner::Nobody, |e| e.owner);
        let mut out = vec![];
        if owner != Owner::Process {
            let far = copying.is_far(which);
            let result = if far { ASTRAY } else { died(which) };
            out.push(self.with(|w| w.fail(i, which, result)));
        }
        if owner != Owner::Nobody {
            out.extend(self.lend(i, which, addr));
        }
        out
    }

    /// The endpoint lends its memory if it waits.
    fn lend(self, i: usize, which: usize, addr: Addr) -> Vec<World> {
        let copying = &self.copies[i];
        let lenders = if addr == copying.requester && !copying.is_far(which) {
            let own = copying.id;
            vec![(self, Some(own))]
        } else {
            let requester = copying.requester.nr;
            self.lenders(addr, requester)
        };
        let each = lenders.into_iter().map(|(mut world, call)| {
            let copying = &mut world.copies[i];
            match call {
                // The other side was over with the answer to its call.
                _ if copying.sides[which].is_done() => {}
                None => world.fail(i, which, EPROCSTS),
                Some(call) => {
                    copying.sides[which].stage = Stage::Open(addr, call);
                    copying.joined = copying.sides.iter().all(Side::is_open);
                }
            }
            world
        });
        each.collect()
    }

    /// By which of its calls an endpoint waits: best a sendrec to the requester, then any sendrec,
    /// then a receive. Who has its answer on its way may have got it.
    fn lenders(self, addr: Addr, requester: i32) -> Vec<(World, Option<Id>)> {
        let is_sendrec = |c: &Call| c.ep == addr && c.what == What::Sendrec;
        let calls = self.calls.iter().filter(|(_, c)| is_sendrec(c));
        let answered = self.ended.iter();
        let answered = answered.filter(|(_, e)| is_sendrec(&e.call) && e.by != e.call.vm);
        let mut all: Vec<(bool, Id, bool)> = calls
            .map(|(&id, c)| (c.to != requester, id, true))
            .chain(answered.map(|(&id, e)| (e.call.to != requester, id, false)))
            .collect();
        all.sort_unstable();
        let (mut world, mut out) = (self, vec![]);
        for (_, id, waits) in all {
            if waits {
                out.push((world, Some(id)));
                return out;
            }
            out.push((world.clone(), Some(id)));
            world.arrived(id);
        }
        let receivers = world.bound.get(&addr.nr).map(|e| &e.receivers);
        let first = receivers.and_then(|r| r.first()).map(|r| r.id);
        out.push((world, first));
        out
    }

    pub fn fail(&mut self, i: usize, which: usize, result: i32) {
        self.copies[i].close(which, result);
        self.follow(i);
    }

    pub fn conclude(&mut self, i: usize, result: i32) {
        let copying = std::mem::replace(&mut self.copies[i], Copying::over());
        self.end_here(copying.id, result);
    }

    /// Within one VM the failure of a side is that of the other, and the end of both that of the
    /// copy.
    pub fn follow(&mut self, i: usize) {
        let copying = &mut self.copies[i];
        if copying.is_over() {
            *copying = Copying::over();
        }
        if copying.id == NOBODY || !copying.is_local() {
            return;
        }
        let failure = copying.sides.iter().find_map(Side::failure);
        for which in [SOURCE, DESTINATION] {
            if let Some(result) = failure {
                copying.close(which, result);
            }
        }
        if copying.sides.iter().all(Side::is_done) {
            self.conclude(i, failure.unwrap_or(0));
        }
    }
}

// What others do to a copy.
impl World {
    pub fn lends(&self, call: Id) -> bool {
        self.copies.iter().any(|c| c.lends(call))
    }

    fn open_side(&self, is: impl Fn(Addr, Id) -> bool) -> Option<(usize, usize)> {
        let sides = self.copies.iter().enumerate();
        let sides =
            sides.flat_map(|(i, c)| [DESTINATION, SOURCE].map(|w| (i, w, c.sides[w].stage)));
        let mut open = sides.filter(|(_, _, stage)| match *stage {
            Stage::Open(addr, call) => is(addr, call),
            _ => false,
        });
        open.next().map(|(i, which, _)| (i, which))
    }

    /// The call has ended. Is its memory being touched this very moment?
    pub fn stop_lending(&mut self, call: Id) -> bool {
        while let Some((i, which)) = self.open_side(|_, c| c == call) {
            self.fail(i, which, EPROCSTS);
        }
        self.lends(call)
    }

    /// It does not wait for who touches its memory this very moment.
    pub fn let_go(&mut self, call: Id) {
        for side in self.copies.iter_mut().flat_map(|c| &mut c.sides) {
            if let Stage::Closing(c, result) = side.stage
                && c == call
            {
                side.stage = Stage::Closing(NOBODY, result);
            }
        }
        if let Some(ended) = self.ended.get_mut(&call) {
            ended.held = false;
        }
    }

    pub fn end_sides_of(&mut self, addr: Addr) {
        while let Some((i, which)) = self.open_side(|a, _| a == addr) {
            self.fail(i, which, died(which));
        }
    }

    /// The same endpoint has another life.
    pub fn rename_sides(&mut self, before: Life, after: Life) {
        for side in self.copies.iter_mut().flat_map(|c| &mut c.sides) {
            if let Stage::Found(addr) | Stage::Asked(addr) = &mut side.stage
                && addr.life == before
            {
                addr.life = after;
            }
        }
    }

    /// The call of a copy has ended without it.
    pub fn end_copy(&mut self, id: Id) {
        let Some(i) = self.copies.iter().position(|c| c.id == id) else {
            return;
        };
        self.copies[i].id = NOBODY;
        self.leave(i, EINTR);
        self.follow(i);
    }

    /// The requester wants to leave: what has not been asked elsewhere is over now.
    fn leave(&mut self, i: usize, why: i32) {
        let copying = &mut self.copies[i];
        copying.why = why;
        for which in [SOURCE, DESTINATION] {
            let unasked = matches!(copying.sides[which].stage, Stage::Sought | Stage::Found(_));
            if unasked || !copying.is_far(which) {
                copying.close(which, why);
            }
        }
    }

    pub fn wants_to_leave(&self, id: Id) -> Option<i32> {
        let copying = self.copies.iter().find(|c| c.id == id)?;
        (copying.why != 0).then_some(copying.why)
    }

    pub fn cancel_copy(mut self, id: Id, why: i32) -> Vec<World> {
        let unwilling = |c: &Copying| c.id == id && c.why == 0;
        let Some(i) = self.copies.iter().position(unwilling) else {
            return vec![self];
        };
        self.leave(i, why);
        let mut out = vec![];
        if self.slow && !self.copies[i].is_local() {
            let mut away = self.clone();
            away.give_up(i, |c, which| c.is_far(which).then_some(why));
            out.push(away);
        }
        self.follow(i);
        out.push(self);
        out
    }

    /// For the requester these sides are over; they go on without it until they hear of that.
    pub fn give_up(&mut self, i: usize, result: impl Fn(&Copying, usize) -> Option<i32>) {
        let mut rest = self.copies[i].clone();
        rest.lose_requester();
        for which in [SOURCE, DESTINATION] {
            if let Some(result) = result(&self.copies[i], which) {
                self.copies[i].sides[which].stage = Stage::Done(result);
            }
        }
        if rest.matters() {
            self.copies.push(rest);
        }
    }
}
