//! What can happen to a copy at any moment by itself, and the loss of a VM that takes part in it.

use super::copying::*;
use super::world::*;
use dvs_core::errors::*;

impl World {
    pub fn copies_go_on(&self) -> Vec<World> {
        let mut out = vec![];
        for i in 0..self.copies.len() {
            for which in [SOURCE, DESTINATION] {
                out.extend(self.side_goes_on(i, which));
            }
            out.extend(self.pieces(i));
            out.extend(self.conclusions(i));
        }
        out
    }

    /// A call that lends its memory gets its answer from another VM.
    pub fn answer_lenders(&self) -> Vec<World> {
        let answered = self.ended.iter();
        let lenders = answered.filter(|(id, e)| e.by != e.call.vm && self.lends(**id));
        lenders
            .map(|(&id, _)| self.with(|w| w.arrived(id)))
            .collect()
    }

    fn side_goes_on(&self, i: usize, which: usize) -> Vec<World> {
        let copying = &self.copies[i];
        let side = &copying.sides[which];
        let mut out = match side.stage {
            Stage::Sought => self.seek(i, which),
            Stage::Asked(_) => self.clone().open(i, which),
            _ => vec![],
        };
        let over = copying.stopped(which).filter(|_| !side.is_done());
        out.extend(over.map(|result| self.with(|w| w.fail(i, which, result))));
        let other_lost = side.is_open() && copying.sides[1 - which].lost;
        if other_lost {
            out.push(self.with(|w| w.fail(i, which, died(1 - which))));
        }
        out
    }

    /// The requester learns where a side is, or where it has been.
    fn seek(&self, i: usize, which: usize) -> Vec<World> {
        let copying = &self.copies[i];
        let (vm, side) = (copying.vm, copying.sides[which]);
        let nr = side.want.nr;
        let fits = |e: &Endpoint| [0, e.addr.life].contains(&side.want.life);
        let found = |at: Vm, addr: Addr| {
            let mut world = self.clone();
            let side = &mut world.copies[i].sides[which];
            (side.vm, side.stage) = (at, Stage::Found(addr));
            world.ask(i)
        };
        let failed = |result: i32| vec![self.with(|w| w.fail(i, which, result))];
        let mut out = match self.bound.get(&nr) {
            None if self.leaving.contains_key(&nr) => vec![],
            Some(e) if !fits(e) => failed(EENDPOINT),
            Some(e) => found(e.vm, e.addr),
            None => failed(died(which)),
        };
        if self.has_another(nr, side.want.life) {
            out.extend(failed(EENDPOINT));
        }
        let doubtful = self.may_remember(vm, nr);
        if doubtful || (side.remembered && self.former.contains(&nr)) {
            out.extend(found(0, Addr { nr, life: 0 }));
        }
        out
    }

    fn pieces(&self, i: usize) -> Vec<World> {
        let copying = &self.copies[i];
        let open = copying.sides.map(|s| s.is_open());
        let mut out = vec![];
        if copying.busy {
            out.push(self.with(|w| w.piece_is_copied(i)));
        } else if copying.joined && open[DESTINATION] && (open[SOURCE] || !copying.in_one_vm()) {
            out.push(self.with(|w| w.copies[i].busy = true));
        }
        if !copying.joined {
            return out;
        }
        if !copying.in_one_vm() {
            for which in [SOURCE, DESTINATION] {
                if open[which] && !copying.touches(which) {
                    out.push(self.with(|w| w.fail(i, which, 0)));
                }
            }
        } else if open == [true; 2] && !copying.busy {
            out.push(self.with(|w| {
                w.copies[i].close(SOURCE, 0);
                w.fail(i, DESTINATION, 0);
            }));
        }
        out
    }

    fn piece_is_copied(&mut self, i: usize) {
        let copying = &mut self.copies[i];
        copying.busy = false;
        let mut lenders = vec![];
        for side in &mut copying.sides {
            if let Stage::Closing(call, result) = side.stage {
                side.stage = Stage::Done(result);
                lenders.push(call);
            }
        }
        for call in lenders {
            if !self.lends(call) {
                self.let_go(call);
            }
        }
        self.follow(i);
    }

    /// The requester has heard of both sides: which of two failures first, depends.
    fn conclusions(&self, i: usize) -> Vec<World> {
        let copying = &self.copies[i];
        if copying.id == NOBODY || !copying.sides.iter().all(Side::is_done) {
            return vec![];
        }
        let failures = copying.sides.iter().enumerate();
        let mut failures: Vec<(usize, i32)> = failures
            .filter_map(|(which, s)| Some((which, s.failure()?)))
            .collect();
        if failures.is_empty() {
            failures.push((SOURCE, 0));
        }
        let mut out = vec![];
        for (which, result) in failures {
            let mut world = self.clone();
            let astray = result == ASTRAY;
            if astray && world.copies[i].again(which) {
                out.extend(world.locate(i));
            } else {
                world.conclude(i, if astray { died(which) } else { result });
                out.push(world);
            }
        }
        out
    }

    /// A requester that is over and a side itself may hear of the side's end before that of its
    /// calls: if it has heard of the other one, or need not wait for that.
    pub fn hear_of_own_sides(self, requester: Addr) -> Vec<World> {
        let mut worlds = vec![self];
        for (i, which) in worlds[0].all_sides() {
            let copying = &worlds[0].copies[i];
            let own = copying.id != NOBODY && copying.requester == requester;
            let (side, other) = (copying.sides[which], copying.sides[1 - which]);
            let waits = other.is_open() && !worlds[0].slow;
            let Some(result) = side
                .failure()
                .filter(|_| own && side.want.nr == requester.nr)
            else {
                continue;
            };
            if !waits {
                let heard = worlds.clone().into_iter().map(|mut w| {
                    w.give_up(i, |c, which| c.is_far(which).then_some(result));
                    w.conclude(i, result);
                    w
                });
                worlds = heard.chain(worlds).collect();
            }
        }
        worlds
    }

    /// What was there is lost, even the news that all went well.
    pub fn lose_sides(mut self, vm: Vm) -> Vec<World> {
        for copying in self.copies.iter_mut().filter(|c| c.vm == vm) {
            copying.lose_requester();
        }
        let mut worlds = vec![self];
        for (i, which) in worlds[0].all_sides() {
            let side = worlds[0].copies[i].sides[which];
            let astray = side.vm == 0 && matches!(side.stage, Stage::Found(_) | Stage::Asked(_));
            if side.vm != vm && !astray {
                continue;
            }
            let unsure = astray || side.is_done();
            let spared = if unsure { worlds.clone() } else { vec![] };
            for world in &mut worlds {
                world.copies[i].lose(which);
            }
            worlds.extend(spared);
        }
        for copying in worlds.iter_mut().flat_map(|w| &mut w.copies) {
            for side in copying.sides.iter_mut().filter(|s| s.vm == vm) {
                side.lost = true;
            }
        }
        worlds
    }

    fn all_sides(&self) -> Vec<(usize, usize)> {
        let all = 0..self.copies.len();
        all.flat_map(|i| [(i, SOURCE), (i, DESTINATION)]).collect()
    }

    /// What is under way to another VM for a copy that the endpoint may not ask for any more ends,
    /// or goes on.
    pub fn copies_denied(self, ep: Addr, rights: Rights) -> Vec<World> {
        let code = |c: &Copying, which: usize| {
            let denied = if !rights.allows(super::calls::may::VCOPY) {
                EBADCALL
            } else if !rights.reaches(c.sides[which].want.nr) {
                ETRAPDENIED
            } else {
                return None;
            };
            Some(if c.why == 0 { denied } else { c.why })
        };
        let mut worlds = vec![self];
        for (i, which) in worlds[0].all_sides() {
            let copying = &worlds[0].copies[i];
            let own = copying.id != NOBODY && copying.requester == ep && copying.is_far(which);
            if !own || code(copying, which).is_none() {
                continue;
            }
            let unsent = matches!(copying.sides[which].stage, Stage::Sought | Stage::Found(_));
            let goes_on = if unsent { vec![] } else { worlds.clone() };
            for world in &mut worlds {
                world.give_up(i, |c, w| if w == which { code(c, w) } else { None });
            }
            worlds.extend(goes_on);
        }
        worlds
    }
}
