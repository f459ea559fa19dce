//! The calls about endpoints rather than messages, and what comes of them on the way.

use super::calls::{Caller, may};
use super::world::*;
use dvs_core::errors::*;

const USER_NUMBERS: i32 = 30;

impl Rights {
    /// What an endpoint may from its bind on.
    pub fn default_of(nr: i32) -> Rights {
        let user = nr >= USER_NUMBERS;
        Rights {
            calls: if user { 0x2400_0420 } else { 0x7_ffff_fffe },
            ipc_to: u64::MAX,
            level: if user { 0 } else { 1 },
        }
    }

    pub fn allows(self, call: u32) -> bool {
        self.calls & 1 << call != 0
    }

    pub fn reaches(self, nr: i32) -> bool {
        if nr >= USER_NUMBERS {
            self.level >= 1
        } else {
            self.ipc_to & 1 << (nr + TASKS) != 0
        }
    }
}

pub fn is_system(nr: i32) -> bool {
    nr < USER_NUMBERS
}

impl World {
    /// A request that is open at the caller goes on to another server, with another message.
    pub fn relay(
        mut self,
        caller: Caller,
        client: Addr,
        which: Option<Body>,
        to: Addr,
    ) -> Vec<World> {
        let Caller { id, vm, .. } = caller;
        let from = match self.check(caller, to.nr, may::RELAY, true) {
            Ok(from) => from,
            Err(result) => return self.refuse(caller, result),
        };
        let local_life = self.local(vm, to.nr).map(|e| e.addr.life);
        let open = self.local(vm, from.nr).map_or(&[][..], |e| &e.open[..]);
        let Some(i) = open
            .iter()
            .position(|m| From::Only(client).takes(m.from) && which.is_none_or(|b| b == m.body))
        else {
            return self.refuse(caller, EPROCSTS);
        };
        let message = open[i];
        if message.from.nr == to.nr {
            return self.refuse(caller, EBADDEST);
        }
        if local_life.is_some_and(|life| ![0, life].contains(&to.life)) {
            return self.refuse(caller, EENDPOINT);
        }
        if let Some(e) = self.local(vm, from.nr) {
            e.open.remove(i);
        }
        self.begin(id, vm, from, What::Relay);
        self.end_here(id, 0);
        if message.vm == vm {
            self.send_anew(message.id, to, id);
        } else {
            let (id, body) = (message.id, id);
            let by = vm;
            self.redirects.push(Redirect { id, by, to, body });
        }
        vec![self]
    }

    /// The client's call begins anew.
    fn send_anew(&mut self, client: Id, to: Addr, body: Body) {
        let Some(call) = self.calls.get(&client).copied() else {
            return;
        };
        let rights = self.bound.get(&call.ep.nr).map(|e| e.rights);
        if to.nr == call.ep.nr {
            self.end_here(client, EBADDEST);
        } else if rights.is_none_or(|r| !r.reaches(to.nr)) {
            self.end_here(client, ETRAPDENIED);
        } else {
            let caller = Caller {
                id: client,
                vm: call.vm,
                ep: Some(call.ep),
            };
            self.post(caller, call.ep, to, true, false, body);
        }
    }

    pub fn arrive_redirects(&self) -> Vec<World> {
        let mut out = vec![];
        for (i, redirect) in self.redirects.iter().enumerate() {
            let mut world = self.clone();
            world.redirects.remove(i);
            if let Some(cancel) = self.cancelled.get(&redirect.id) {
                world.cancelled.remove(&redirect.id);
                world.end_here(redirect.id, cancel.why);
            } else {
                world.send_anew(redirect.id, redirect.to, redirect.body);
            }
            out.push(world);
        }
        out
    }

    pub fn wakeup(mut self, caller: Caller, nr: i32) -> Vec<World> {
        let Caller { id, vm, .. } = caller;
        let ep = match self.permit(caller, may::WAKEUP) {
            Ok(_) if !(-TASKS..PROCS).contains(&nr) => return self.refuse(caller, ERANGE),
            Ok(ep) => ep,
            Err(result) => return self.refuse(caller, result),
        };
        self.begin(id, vm, ep, What::Wakeup);
        let Some(e) = self.local(vm, nr) else {
            self.fly(vm, nr, Flight::new(id, ep, Cargo::Where));
            return vec![self];
        };
        let any = e.receivers.iter().position(|r| r.from == From::Any);
        e.woken = any.is_none();
        if let Some(i) = any {
            let receiver = e.receivers.remove(i).id;
            self.end_here(receiver, EWOKENUP);
        }
        self.end_here(id, if any.is_some() { 0 } else { EPROCRUN });
        vec![self]
    }

    /// The call needs an endpoint of its own VM, and learns where there is one.
    pub fn tell_where(&self, vm: Vm, nr: i32, f: &Flight) -> Vec<World> {
        let elsewhere = self.bound.get(&nr).is_some_and(|e| e.vm != vm);
        let mut results = vec![if elsewhere { ERMTPROC } else { ENOTBIND }];
        if f.away {
            results.push(ENOTBIND);
        }
        if self.may_remember(vm, nr) {
            results.push(ERMTPROC);
        }
        let end = |result| {
            let mut world = self.clone();
            world.end_here(f.id, result);
            world
        };
        results.into_iter().map(end).collect()
    }

    fn await_(&mut self, caller: Caller, nr: i32, what: What) -> Result<(), i32> {
        let Caller { id, vm, .. } = caller;
        let ep = match caller.ep {
            Some(_) => self.permit(caller, may::WAIT4BIND)?,
            None => Addr { nr: 0, life: 0 },
        };
        if !(-TASKS..PROCS).contains(&nr) {
            return Err(ERANGE);
        }
        self.begin(id, vm, ep, what);
        Ok(())
    }

    pub fn await_bind(mut self, caller: Caller, nr: i32) -> Vec<World> {
        let Caller { id, vm, .. } = caller;
        if let Err(result) = self.await_(caller, nr, What::AwaitBind) {
            return self.refuse(caller, result);
        }
        if self.local(vm, nr).is_some() {
            self.end(id, Answer::Found(nr), vm);
        } else {
            self.awaits.insert(id, (vm, nr));
        }
        vec![self]
    }

    pub fn find_awaited(&self) -> Vec<World> {
        let mut out = vec![];
        for (&id, &(_, nr)) in &self.awaits {
            if self.bound.contains_key(&nr) || self.leaving.contains_key(&nr) {
                let mut world = self.clone();
                world.awaits.remove(&id);
                world.end(id, Answer::Found(nr), 0);
                out.push(world);
            }
        }
        out
    }

    pub fn await_unbind(mut self, caller: Caller, nr: i32) -> Vec<World> {
        let Caller { id, vm, .. } = caller;
        if let Err(result) = self.await_(caller, nr, What::AwaitUnbind) {
            return self.refuse(caller, result);
        }
        let life = self.local(vm, nr).map(|e| e.addr.life);
        let settled = false;
        self.leavers.push(Leaver {
            id,
            vm,
            nr,
            life,
            settled,
        });
        vec![self]
    }

    pub fn look_for_leavers(&self) -> Vec<World> {
        let mut out = vec![];
        for (i, l) in self.leavers.iter().enumerate() {
            if l.life.is_some() {
                continue;
            }
            let target = self.bound.get(&l.nr).filter(|e| e.vm != l.vm);
            if let Some(e) = target {
                let mut world = self.clone();
                world.leavers[i].life = Some(e.addr.life);
                out.push(world);
            }
            if target.is_none_or(|e| e.owner != Owner::Process) {
                let mut world = self.clone();
                world.leavers.remove(i);
                world.end(l.id, Answer::Result(0), l.vm);
                out.push(world);
            }
        }
        out
    }

    /// Only VMs that may administer set privileges, and only of their own endpoints.
    pub fn set_rights(
        mut self,
        caller: Caller,
        admin: bool,
        nr: i32,
        rights: Rights,
    ) -> Vec<World> {
        let Caller { id, vm, .. } = caller;
        let found = self.local(vm, nr).map(|e| e.addr);
        let result = match found {
            _ if !admin => EPRIVILEGES,
            None => ENOTBIND,
            Some(ep) => {
                let nobody = Addr { nr: 0, life: 0 };
                self.begin(id, vm, nobody, What::Privileges);
                self.setters.push(Setter { id, ep, rights });
                return vec![self];
            }
        };
        self.refuse(caller, result)
    }

    /// The node agrees to the first wish for an endpoint.
    pub fn agree(&self) -> Vec<World> {
        let mut out = vec![];
        for (i, setter) in self.setters.iter().enumerate() {
            if self.setters[..i].iter().any(|s| s.ep == setter.ep) {
                continue;
            }
            let mut world = self.clone();
            world.setters.remove(i);
            let target = world.bound.get_mut(&setter.ep.nr);
            let had = target.filter(|e| e.addr == setter.ep).is_some_and(|e| {
                e.rights = setter.rights;
                true
            });
            world.end_here(setter.id, 0);
            if had {
                out.extend(world.rights_taken(setter.ep, setter.rights));
            } else {
                out.push(world);
            }
        }
        out
    }
}
