//! A new life of a VM, in which its processes go on.

use super::deaths::died;
use super::world::*;
use dvs_core::errors::*;

impl World {
    /// When all is at rest a VM gets a new life, and everybody hears of it.
    pub fn renew(mut self, vm: Vm) -> Vec<World> {
        self.keep_notes(vm);
        self.drop_messages(vm);
        self.end_far_receivers(vm);
        self.end_leavers_across(vm);
        vec![self]
    }

    /// Does what is between these two VMs end with the life of this one?
    fn is_between(one: Vm, other: Vm, vm: Vm) -> bool {
        one != other && [one, other].contains(&vm)
    }

    fn vm_of(&self, nr: i32) -> Option<Vm> {
        self.bound.get(&nr).map(|e| e.vm)
    }

    /// Notifications stay in the VM; in others they go with the life of their source.
    fn keep_notes(&mut self, vm: Vm) {
        let lives = self.bound.values().filter(|e| e.vm == vm);
        let sources: Vec<Addr> = lives.map(|e| e.addr).collect();
        for e in self.bound.values_mut() {
            if e.vm == vm {
                let far = e.notes.keys().filter(|a| a.nr >= -TASKS && a.life != 0);
                e.kept.extend(far.filter(|a| !sources.contains(a)));
            } else {
                let kept = &e.kept;
                e.notes
                    .retain(|a, _| !sources.contains(a) || kept.contains(a));
            }
        }
    }

    fn drop_messages(&mut self, vm: Vm) {
        let mut dropped = vec![];
        for e in self.bound.values_mut() {
            let at = e.vm;
            let mut stays = |m: &Message| {
                let ends = World::is_between(m.vm, at, vm);
                dropped.extend(ends.then_some(m.id));
                !ends
            };
            e.queue.retain(&mut stays);
            e.open.retain(&mut stays);
        }
        for id in dropped {
            if let Some(call) = self.calls.get(&id).copied() {
                self.end_here(id, if call.vm == vm { ENOTCONN } else { died(&call) });
            }
        }
    }

    fn end_far_receivers(&mut self, vm: Vm) {
        let mut ended = vec![];
        for e in self.bound.values() {
            for r in &e.receivers {
                let From::Only(source) = r.from else { continue };
                let at = self.vm_of(source.nr).unwrap_or(e.vm);
                if World::is_between(at, e.vm, vm) {
                    ended.push((r.id, e.vm));
                }
            }
        }
        for (id, at) in ended {
            self.fail_receiver(id, at, if at == vm { ENOTCONN } else { ESRCDIED });
        }
    }

    fn end_leavers_across(&mut self, vm: Vm) {
        let (ended, left): (Vec<Leaver>, _) = self.leavers.iter().partition(|l| {
            let at = self.vm_of(l.nr).unwrap_or(l.vm);
            World::is_between(at, l.vm, vm)
        });
        self.leavers = left;
        for l in ended {
            self.end_here(l.id, if l.vm == vm { ENOTCONN } else { 0 });
        }
    }
}
