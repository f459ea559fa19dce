//! The calls of a history, each in the core and in the model.

use super::calls::{Caller, How, Source};
use super::events::{NUMBERS, To, Which, number};
use super::history::{History, Pending};
use super::memory::FROM;
use super::world::{self, Answer, Id};
use dvs_core::{
    ANY, Addr, CallId, CopyEnd, CopyRequest, HARDWARE, NO_VALUE, NOWAIT, Privileges, REQUESTS,
    SELF, SOLE,
};

impl History {
    pub(super) fn began(&mut self, vm: u32, call: CallId, caller: Caller, ep: i32) {
        let pending = Pending {
            id: caller.id,
            ep,
            answer: Answer::Result(0),
        };
        self.calls.insert((vm, call), pending);
    }

    pub(super) fn bind(&mut self, vm: u32, nr: i32) {
        let caller = self.call(vm, None);
        let id = self.net.cores.get_mut(&vm).unwrap().bind(nr, self.net.now);
        let (id, ep) = ((vm, id), nr);
        let answer = Answer::Bound(world::Addr {
            nr,
            life: caller.id,
        });
        let pending = Pending {
            id: caller.id,
            ep,
            answer,
        };
        self.calls.insert(id, pending);
        self.worlds.apply(|w| w.bind(caller, nr));
    }

    pub(super) fn unbind(&mut self, nr: i32) {
        let Some((vm, life)) = self.bound.remove(&nr) else {
            return;
        };
        let now = self.net.now;
        self.net.core(vm).unbind(nr, now);
        self.worlds.apply(|w| w.unbind(world::Addr { nr, life }));
        self.asked.retain(|a| a.ep != nr);
    }

    pub(super) fn send(&mut self, ep: usize, to: To, request: bool, how: How) {
        let nr = number(ep);
        let (vm, caller) = self.caller(nr);
        let ((real, to), now) = (self.address(vm, to), self.net.now);
        let flags = if how.nowait { NOWAIT } else { 0 } | if how.sole { SOLE } else { 0 };
        let body = caller.id.to_le_bytes();
        let core = self.net.core(vm);
        let id = if request {
            core.sendrec(nr, real, &body, flags, now)
        } else {
            core.send(nr, real, &body, flags, now)
        };
        self.began(vm, id, caller, nr);
        self.worlds.apply(|w| {
            if request {
                w.sendrec(caller, to, how)
            } else {
                w.send(caller, to, how)
            }
        });
    }

    pub(super) fn receive(&mut self, ep: usize, from: Option<To>, requests: bool, nowait: bool) {
        let nr = number(ep);
        let (vm, caller) = self.caller(nr);
        let (real, from) = match from {
            None => (Addr::number(ANY), world::From::Any),
            Some(from) => {
                let (real, from) = self.address(vm, from);
                (real, world::From::Only(from))
            }
        };
        let flags = if nowait { NOWAIT } else { 0 } | if requests { REQUESTS } else { 0 };
        let now = self.net.now;
        let id = self.net.core(vm).receive(nr, real, flags, now);
        self.began(vm, id, caller, nr);
        self.worlds
            .apply(|w| w.receive(caller, from, requests, nowait));
    }

    pub(super) fn answer(&mut self, i: usize, by_token: bool) {
        if self.asked.is_empty() {
            return;
        }
        let asked = &self.asked[i % self.asked.len()];
        let (vm, nr, real, to) = (asked.vm, asked.ep, asked.from, asked.source);
        let (token, which) = if by_token {
            (asked.token, Some(asked.body))
        } else {
            (0, None)
        };
        let (now, (_, caller)) = (self.net.now, self.caller(nr));
        let body = caller.id.to_le_bytes();
        let id = self.net.core(vm).reply(nr, real, token, &body, now);
        self.began(vm, id, caller, nr);
        self.worlds.apply(|w| w.reply(caller, to, which));
    }

    pub(super) fn reply(&mut self, ep: usize, to: To) {
        let nr = number(ep);
        let (vm, caller) = self.caller(nr);
        let ((real, to), now) = (self.address(vm, to), self.net.now);
        let body = caller.id.to_le_bytes();
        let id = self.net.core(vm).reply(nr, real, 0, &body, now);
        self.began(vm, id, caller, nr);
        self.worlds.apply(|w| w.reply(caller, to, None));
    }

    /// A few in the name of others; half of them with a value.
    pub(super) fn notify(&mut self, ep: usize, to: To, source: u8) {
        let nr = number(ep);
        let (vm, caller) = self.caller(nr);
        let ((real, to), now) = (self.address(vm, to), self.net.now);
        let value = if source.is_multiple_of(2) {
            NO_VALUE
        } else {
            i64::try_from(caller.id).unwrap()
        };
        let (number, source) = match source {
            6 => (HARDWARE, Source::Hardware),
            7 => (number(0), Source::Other(number(0))),
            _ => (SELF, Source::Caller),
        };
        let core = self.net.core(vm);
        let id = core.notify_value(nr, real, number, value, now);
        self.began(vm, id, caller, nr);
        let value = u64::from_le_bytes(value.to_le_bytes());
        self.worlds.apply(|w| w.notify(caller, source, to, value));
    }

    pub(super) fn relay(&mut self, i: usize, to: To, by_token: bool) {
        if self.asked.is_empty() {
            return;
        }
        let asked = &self.asked[i % self.asked.len()];
        let (vm, nr, real, client) = (asked.vm, asked.ep, asked.from, asked.source);
        let (token, which) = if by_token {
            (asked.token, Some(asked.body))
        } else {
            (0, None)
        };
        let ((real_to, to), now) = (self.address(vm, to), self.net.now);
        let (_, caller) = self.caller(nr);
        let body = caller.id.to_le_bytes();
        let core = self.net.core(vm);
        let id = core.relay(nr, real, token, real_to, &body, now);
        self.began(vm, id, caller, nr);
        self.worlds.apply(|w| w.relay(caller, client, which, to));
    }

    pub(super) fn wakeup(&mut self, ep: usize, other: usize) {
        let ((vm, caller), now) = (self.caller(number(ep)), self.net.now);
        let id = self.net.core(vm).wakeup(number(ep), number(other), now);
        self.began(vm, id, caller, number(ep));
        self.worlds.apply(|w| w.wakeup(caller, number(other)));
    }

    pub(super) fn await_bind(&mut self, ep: usize, other: usize) {
        let ((vm, caller), now) = (self.caller(number(ep)), self.net.now);
        let (nr, ep) = (number(other), number(ep));
        let id = self.net.core(vm).await_bind(ep, nr, now);
        let answer = Answer::Found(nr);
        let pending = Pending {
            id: caller.id,
            ep,
            answer,
        };
        self.calls.insert((vm, id), pending);
        self.worlds.apply(|w| w.await_bind(caller, nr));
    }

    pub(super) fn await_unbind(&mut self, ep: usize, other: usize) {
        let ((vm, caller), now) = (self.caller(number(ep)), self.net.now);
        let id = self
            .net
            .core(vm)
            .await_unbind(number(ep), number(other), now);
        self.began(vm, id, caller, number(ep));
        self.worlds.apply(|w| w.await_unbind(caller, number(other)));
    }

    pub(super) fn shutdown(&mut self, nr: i32) {
        if let Some(&(vm, life)) = self.bound.get(&nr) {
            let now = self.net.now;
            self.net.core(vm).shutdown(nr, now);
            self.worlds.apply(|w| w.shutdown(world::Addr { nr, life }));
        }
    }

    /// All, none but sendrec, one destination less, or a user's level.
    pub(super) fn set_rights(&mut self, nr: i32, which: u8) {
        let vm = self.bound.get(&nr).map_or(1, |(vm, _)| *vm);
        let (caller, now) = (self.call(vm, None), self.net.now);
        let rights = world::Rights {
            calls: if which == 1 { 1 << 5 } else { 0x7_ffff_fffe },
            ipc_to: if which == 2 {
                !(1 << (number(2) + world::TASKS))
            } else {
                u64::MAX
            },
            level: u32::from(which != 3),
        };
        let privileges = Privileges {
            calls: rights.calls,
            ipc_to: rights.ipc_to,
            level: rights.level,
            reserved: 0,
        };
        let id = self.net.core(vm).set_privileges(nr, &privileges, now);
        self.began(vm, id, caller, nr);
        self.worlds
            .apply(|w| w.set_rights(caller, vm == 1, nr, rights));
    }

    /// Names those who have a call under way, or call just now, instead of just anybody.
    pub(super) fn apt(&self, ep: usize, to: To) -> To {
        let calls = |other: &usize| {
            let mut calls = self.calls.values();
            *other == ep || calls.any(|p| p.ep == number(*other))
        };
        let all: Vec<usize> = (0..NUMBERS).filter(calls).collect();
        To(all[to.0 % all.len()], to.1)
    }

    pub(super) fn copy(&mut self, ep: usize, ends: [To; 2], bytes: usize) {
        let nr = number(ep);
        let (vm, caller) = self.caller(nr);
        let addresses = ends.map(|to| self.address(vm, to));
        let places = ends.map(|to| to.0);
        let at = self
            .memories
            .reserve(&mut self.net, caller.id, places, bytes);
        let end = |i: usize, address: u64| CopyEnd {
            ep: match ends[i] {
                To(other, Which::Present) if other == ep => Addr::number(SELF),
                _ => addresses[i].0,
            },
            address,
            grant: 0,
        };
        let request = CopyRequest {
            src: end(0, FROM as u64),
            dst: end(1, at),
            bytes: bytes as u64,
        };
        let now = self.net.now;
        let id = self.net.core(vm).copy(nr, &request, now);
        self.began(vm, id, caller, nr);
        self.copies.insert(caller.id, self.next_vm);
        self.worlds
            .apply(|w| w.copy(caller, addresses.map(|a| a.1)));
    }

    pub(super) fn pick(&self, i: usize) -> Option<((u32, CallId), Id)> {
        let n = self.calls.len().max(1);
        self.calls.iter().nth(i % n).map(|(&at, p)| (at, p.id))
    }

    pub(super) fn cancel(&mut self, i: usize, why: i32) {
        if let Some(((vm, call), id)) = self.pick(i) {
            let now = self.net.now;
            self.net.core(vm).cancel(call, why, now);
            self.worlds.apply(|w| w.cancel(id, why));
        }
    }

    pub(super) fn abandon(&mut self, i: usize) {
        if let Some(((vm, call), id)) = self.pick(i) {
            let now = self.net.now;
            self.net.core(vm).abandon(call, now);
            self.memories.may_change();
            self.left_in_the_middle = true;
            self.worlds.apply(|w| w.abandon(id));
        }
    }
}
