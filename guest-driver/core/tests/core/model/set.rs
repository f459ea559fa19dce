//! All worlds that are possible so far.

use std::collections::{BTreeMap, BTreeSet};

use super::world::*;

/// More worlds than this are not followed: the history comes to rest first.
pub const MANY: usize = 400;

#[derive(Debug)]
pub struct Worlds(BTreeSet<World>);

impl Worlds {
    pub fn new(first: World) -> Worlds {
        Worlds([first].into())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &World> {
        self.0.iter()
    }

    /// Something happens in each of them.
    pub fn apply(&mut self, event: impl Fn(World) -> Vec<World>) {
        self.0 = std::mem::take(&mut self.0)
            .into_iter()
            .flat_map(event)
            .collect();
    }

    /// These calls, and no others, have been seen to end since.
    pub fn observe(&mut self, seen: &BTreeMap<Id, Answer>) -> Result<(), String> {
        let before = self.0.clone();
        let mut all = BTreeSet::new();
        let mut fresh: Vec<World> = std::mem::take(&mut self.0).into_iter().collect();
        while let Some(world) = fresh.pop() {
            if allowed(&world, seen) && !all.contains(&world) {
                fresh.extend(world.moves());
                all.insert(world);
            }
        }
        let is = |w: &World, (id, answer): (&Id, &Answer)| {
            let is_free = |e: &Ended| !e.held && !w.lends(*id);
            w.ended
                .get(id)
                .is_some_and(|e| e.answer == *answer && is_free(e))
        };
        let over = |w: &World| seen.iter().all(|one| is(w, one));
        self.0 = all
            .into_iter()
            .filter(over)
            .map(|w| ended(w, seen))
            .collect();
        if self.0.is_empty() {
            return Err(explain(&before, seen));
        }
        Ok(())
    }

    /// Everything that was on its way has arrived.
    pub fn rest(&mut self) -> Result<(), String> {
        let before = self.0.clone();
        self.0 = std::mem::take(&mut self.0)
            .into_iter()
            .filter(World::at_rest)
            .map(settled)
            .collect();
        if self.0.is_empty() {
            return Err(format!("this is not over: {:#?}", before.iter().next()));
        }
        Ok(())
    }
}

/// What a VM decides about its own calls is seen at once; what others decide at any later time,
/// or never, if they are lost with it.
fn allowed(world: &World, seen: &BTreeMap<Id, Answer>) -> bool {
    let is_seen = |id: &Id, ended: &Ended| seen.get(id) == Some(&ended.answer);
    let mut ended = world.ended.iter();
    ended.all(|(id, e)| e.by != e.call.vm || e.held || is_seen(id, e))
}

fn ended(mut world: World, seen: &BTreeMap<Id, Answer>) -> World {
    world.copies.retain(|c| !c.is_over());
    for (id, answer) in seen {
        world.ended.remove(id);
        if let Answer::Bound(addr) = answer
            && let Some(e) = world.bound.get_mut(&addr.nr)
            && e.owner == Owner::Binding(*id)
        {
            e.owner = Owner::Process;
        }
    }
    world
}

fn settled(mut world: World) -> World {
    world.slow = false;
    world.lost.clear();
    world.leavers.iter_mut().for_each(|l| l.settled = true);
    for e in world.bound.values_mut() {
        e.receivers.iter_mut().for_each(|r| r.settled = true);
    }
    world
}

fn explain(before: &BTreeSet<World>, seen: &BTreeMap<Id, Answer>) -> String {
    let some: Vec<&World> = before.iter().take(2).collect();
    format!(
        "{seen:?} is not allowed in any of {} worlds, such as {some:#?}",
        before.len()
    )
}
