//! How the calls begin: what is decided at once, and what has to be sent.

use super::special::is_system;
use super::world::*;
use dvs_core::errors::*;

/// The DVS's numbers of the calls that privileges are about.
pub mod may {
    pub const SEND: u32 = 2;
    pub const RECEIVE: u32 = 3;
    pub const NOTIFY: u32 = 4;
    pub const SENDREC: u32 = 5;
    pub const RCVRQST: u32 = 6;
    pub const REPLY: u32 = 7;
    pub const VCOPY: u32 = 13;
    pub const RELAY: u32 = 16;
    pub const WAIT4BIND: u32 = 29;
    pub const WAKEUP: u32 = 34;
}

/// Who calls, in which VM, and by which endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub id: Id,
    pub vm: Vm,
    /// `None`: bound to none.
    pub ep: Option<Addr>,
}

/// How a message is sent.
#[derive(Clone, Copy, Debug)]
pub struct How {
    pub nowait: bool,
    pub sole: bool,
}

/// In whose name a notification is.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    Caller,
    Other(i32),
    Hardware,
}

pub fn valid(nr: i32) -> bool {
    (-TASKS..PROCS).contains(&nr)
}

impl World {
    pub fn refuse(mut self, caller: Caller, result: i32) -> Vec<World> {
        let Caller { id, vm, ep } = caller;
        let ep = ep.unwrap_or(Addr { nr: 0, life: 0 });
        self.begin(id, vm, ep, What::Receive);
        self.end_here(id, result);
        vec![self]
    }

    /// Is it bound, and may it make this call?
    pub fn permit(&self, caller: Caller, call: u32) -> Result<Addr, i32> {
        let ep = caller.ep.ok_or(ENOTBIND)?;
        let e = self.bound.get(&ep.nr).filter(|e| e.addr == ep);
        match e {
            Some(e) if e.rights.allows(call) => Ok(ep),
            Some(_) => Err(EBADCALL),
            None => Err(ENOTBIND),
        }
    }

    /// The checks of every call that names an endpoint.
    pub fn check(&self, caller: Caller, nr: i32, call: u32, sends: bool) -> Result<Addr, i32> {
        let ep = self.permit(caller, call)?;
        if !valid(nr) {
            Err(ERANGE)
        } else if nr == -1 || nr == ep.nr {
            Err(EBADDEST)
        } else if sends && !self.reaches(ep, nr) {
            Err(ETRAPDENIED)
        } else {
            Ok(ep)
        }
    }

    pub fn reaches(&self, ep: Addr, nr: i32) -> bool {
        self.bound.get(&ep.nr).is_some_and(|e| e.rights.reaches(nr))
    }

    pub fn bind(mut self, caller: Caller, nr: i32) -> Vec<World> {
        let Caller { id, vm, .. } = caller;
        if !valid(nr) {
            return self.refuse(caller, ERANGE);
        }
        let here = self.bound.get_mut(&nr).filter(|e| e.vm == vm);
        let taken = here.as_ref().is_some_and(|e| e.owner != Owner::Nobody);
        let mut asked = self.binds.iter_mut().filter(|b| b.vm == vm && b.nr == nr);
        let waits = self.leaving.get(&nr) == Some(&vm) || self.returning.contains(&(nr, vm));
        let orphan = asked.by_ref().find(|b| b.id.is_none());
        if taken || (!waits && orphan.is_none() && asked.next().is_some()) {
            return self.refuse(caller, ESLOTUSED);
        }
        let life = id;
        if let Some(bind) = orphan {
            (bind.id, bind.life) = (Some(id), life);
        } else if let Some(e) = here {
            let before = std::mem::replace(&mut e.addr.life, life);
            e.owner = Owner::Binding(id);
            self.rename(before, life);
            self.begin(id, vm, Addr { nr, life }, What::Bind);
            self.end(id, Answer::Bound(Addr { nr, life }), 0);
            return vec![self];
        } else {
            let id = Some(id);
            self.binds.push(Bind { id, life, vm, nr });
        }
        self.begin(id, vm, Addr { nr, life }, What::Bind);
        vec![self]
    }

    /// A life that nobody has been told of is somebody else's.
    fn rename(&mut self, before: Life, after: Life) {
        for flight in self.flights.values_mut().flatten() {
            if flight.cargo == Cargo::Note(Some(before)) {
                flight.cargo = Cargo::Note(Some(after));
            }
        }
        self.rename_sides(before, after);
    }

    pub fn send(mut self, caller: Caller, to: Addr, how: How) -> Vec<World> {
        let from = match self.check(caller, to.nr, may::SEND, false) {
            Ok(from) => from,
            Err(result) => return self.refuse(caller, result),
        };
        self.begin(caller.id, caller.vm, from, What::Send);
        self.set_sole(caller.id, how);
        if self.answer(caller, from, to, None) {
            self.end_here(caller.id, 0);
        } else if !self.reaches(from, to.nr) {
            self.end_here(caller.id, ETRAPDENIED);
        } else {
            self.post(caller, from, to, false, how.nowait, caller.id);
        }
        vec![self]
    }

    pub fn sendrec(mut self, caller: Caller, to: Addr, how: How) -> Vec<World> {
        let from = match self.check(caller, to.nr, may::SENDREC, true) {
            Ok(from) => from,
            Err(result) => return self.refuse(caller, result),
        };
        self.begin(caller.id, caller.vm, from, What::Sendrec);
        self.set_sole(caller.id, how);
        self.post(caller, from, to, true, how.nowait, caller.id);
        vec![self]
    }

    fn set_sole(&mut self, id: Id, how: How) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.sole = how.sole;
        }
    }

    /// The message goes to where the number is bound: here, or on its way.
    pub fn post(
        &mut self,
        caller: Caller,
        from: Addr,
        to: Addr,
        request: bool,
        nowait: bool,
        body: Body,
    ) {
        let Caller { id, vm, .. } = caller;
        if let Some(call) = self.calls.get_mut(&id) {
            call.to = to.nr;
        }
        if let Some(e) = self.local(vm, to.nr) {
            if [0, e.addr.life].contains(&to.life) {
                let message = Message {
                    id,
                    from,
                    vm,
                    request,
                    body,
                };
                self.deliver(to.nr, message, nowait);
            } else {
                self.end_here(id, EENDPOINT);
            }
            return;
        }
        let cargo = if request {
            Cargo::Request
        } else {
            Cargo::Message
        };
        let want = to.life;
        let flight = Flight::new(id, from, cargo);
        self.fly(
            vm,
            to.nr,
            Flight {
                want,
                body,
                nowait,
                ..flight
            },
        );
    }

    /// Answers the oldest open request of `to` that fits, or this one.
    fn answer(&mut self, caller: Caller, from: Addr, to: Addr, which: Option<Body>) -> bool {
        let Some(e) = self.local(caller.vm, from.nr) else {
            return false;
        };
        let by = e.vm;
        let fits = |m: &Message| From::Only(to).takes(m.from) && which.is_none_or(|b| b == m.body);
        let Some(i) = e.open.iter().position(fits) else {
            return false;
        };
        let request = e.open.remove(i).id;
        let got = Answer::Got(Kind::Reply, from, caller.id);
        self.end(request, got, by);
        true
    }

    pub fn reply(mut self, caller: Caller, to: Addr, which: Option<Body>) -> Vec<World> {
        let from = match self.check(caller, to.nr, may::REPLY, false) {
            Ok(from) => from,
            Err(result) => return self.refuse(caller, result),
        };
        let Caller { id, vm, .. } = caller;
        self.begin(id, vm, from, What::Reply);
        if self.answer(caller, from, to, which) {
            self.end_here(id, 0);
        } else if let Some(e) = self.local(vm, to.nr) {
            let fits = [0, e.addr.life].contains(&to.life);
            self.end_here(id, if fits { EPROCSTS } else { EENDPOINT });
        } else {
            let want = to.life;
            let flight = Flight::new(id, from, Cargo::Check);
            self.fly(vm, to.nr, Flight { want, ..flight });
        }
        vec![self]
    }

    pub fn notify(mut self, caller: Caller, source: Source, to: Addr, value: Body) -> Vec<World> {
        let source = match self.check_notify(caller, source, to.nr) {
            Ok(source) => source,
            Err(result) => return self.refuse(caller, result),
        };
        let Caller { id, vm, .. } = caller;
        let nobody = Addr { nr: -1, life: 0 };
        self.begin(id, vm, source.or(caller.ep).unwrap_or(nobody), What::Notify);
        if let Some(e) = self.local(vm, to.nr) {
            if [0, e.addr.life].contains(&to.life) {
                self.note(to.nr, source.unwrap_or(nobody), value);
                self.end_here(id, 0);
            } else {
                self.end_here(id, EENDPOINT);
            }
        } else if let Some(from) = source {
            let (want, body) = (to.life, value);
            let flight = Flight::new(id, from, Cargo::Note(None));
            let flight = Flight {
                want,
                body,
                ..flight
            };
            self.fly(vm, to.nr, flight);
        } else {
            self.end_here(id, ERMTPROC);
        }
        vec![self]
    }

    /// In whose name; `None`: the hardware's.
    fn check_notify(
        &mut self,
        caller: Caller,
        source: Source,
        nr: i32,
    ) -> Result<Option<Addr>, i32> {
        let ep = self.permit(caller, may::NOTIFY)?;
        let source = match source {
            Source::Caller => Some(ep),
            Source::Other(other) => Some(self.local(caller.vm, other).ok_or(ENOTBIND)?.addr),
            Source::Hardware => None,
        };
        if !valid(nr) {
            Err(ERANGE)
        } else if nr == -1 || source.is_some_and(|s| s.nr == nr) || !is_system(nr) {
            Err(EBADDEST)
        } else if !self.reaches(ep, nr) {
            Err(ETRAPDENIED)
        } else {
            // Who is named must be allowed to as well; for the hardware, its caller answers.
            let named = Caller {
                ep: source.or(caller.ep),
                ..caller
            };
            self.check(named, nr, may::NOTIFY, true).or_else(|error| {
                let hardware = source.is_none() && error == EBADDEST;
                if hardware { Ok(ep) } else { Err(error) }
            })?;
            Ok(source)
        }
    }

    pub fn receive(
        mut self,
        caller: Caller,
        from: From,
        requests: bool,
        nowait: bool,
    ) -> Vec<World> {
        let nr = match from {
            From::Any => 0,
            From::Only(a) => a.nr,
        };
        let call = if requests { may::RCVRQST } else { may::RECEIVE };
        let checked = match self.permit(caller, call) {
            Ok(ep) if requests && !is_system(ep.nr) => Err(EBADCALL),
            Ok(_) if from != From::Any => self.check(caller, nr, call, false),
            checked => checked,
        };
        let ep = match checked {
            Ok(ep) => ep,
            Err(result) => return self.refuse(caller, result),
        };
        let Caller { id, vm, .. } = caller;
        self.begin(id, vm, ep, What::Receive);
        let Some(e) = self.local(vm, ep.nr) else {
            return vec![];
        };
        if from == From::Any && std::mem::take(&mut e.woken) {
            self.end_here(id, EWOKENUP);
            return vec![self];
        }
        let notes: Vec<Addr> = e.notes.keys().copied().collect();
        let notes: Vec<Addr> = notes.into_iter().filter(|&a| from.takes(a)).collect();
        if !requests && !notes.is_empty() {
            return notes
                .iter()
                .map(|&a| self.clone().take_note(ep, id, a))
                .collect();
        }
        let fits = |m: &Message| (m.request || !requests) && from.takes(m.from);
        if let Some(i) = e.queue.iter().position(fits) {
            let message = e.queue.remove(i);
            self.take(ep.nr, id, message);
            return vec![self];
        }
        let result = match from {
            _ if nowait => Some(EAGAIN),
            From::Any => None,
            From::Only(a) => self
                .local(vm, nr)
                .filter(|e| ![0, e.addr.life].contains(&a.life))
                .map(|_| EENDPOINT),
        };
        let looking = from != From::Any && self.local(vm, nr).is_none();
        if let Some(result) = result {
            self.end_here(id, result);
        } else if let Some(e) = self.local(vm, ep.nr) {
            let settled = false;
            e.receivers.push(Receiver {
                id,
                from,
                requests,
                looking,
                settled,
            });
        }
        vec![self]
    }

    /// Which of several notifications comes first is nobody's business.
    fn take_note(mut self, ep: Addr, receiver: Id, from: Addr) -> World {
        if let Some(e) = self.bound.get_mut(&ep.nr) {
            let value = e.notes.remove(&from).unwrap_or_default();
            e.kept.remove(&from);
            let by = e.vm;
            self.end(receiver, Answer::Got(Kind::Notify, from, value), by);
        }
        self
    }
}
