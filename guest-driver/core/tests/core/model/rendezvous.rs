//! What happens where a message and its receiver are in one place.

use super::world::*;
use dvs_core::errors::*;

impl World {
    /// A message is at its endpoint: a receiver gets it, or it waits.
    pub fn deliver(&mut self, nr: i32, message: Message, nowait: bool) {
        let Some(e) = self.bound.get_mut(&nr) else {
            return;
        };
        let by = e.vm;
        let waits = |r: &Receiver| (message.request || !r.requests) && r.from.takes(message.from);
        if let Some(i) = e.receivers.iter().position(waits) {
            let receiver = e.receivers.remove(i).id;
            self.take(nr, receiver, message);
        } else if nowait {
            self.end(message.id, Answer::Result(EAGAIN), by);
        } else if by == message.vm && self.closes_cycle(message.id, nr) {
            self.end(message.id, Answer::Result(ELOCKED), by);
        } else if let Some(e) = self.bound.get_mut(&nr) {
            e.queue.push(message);
        }
    }

    /// The rendezvous.
    pub fn take(&mut self, nr: i32, receiver: Id, message: Message) {
        let Some(e) = self.bound.get_mut(&nr) else {
            return;
        };
        let by = e.vm;
        let kind = if message.request {
            e.open.push(message);
            Kind::Request
        } else {
            Kind::Message
        };
        if !message.request {
            self.end(message.id, Answer::Result(0), by);
        }
        let got = Answer::Got(kind, message.from, message.body);
        self.end(receiver, got, by);
    }

    /// Would this call wait for itself in the end, with nobody else to help?
    fn closes_cycle(&self, id: Id, mut nr: i32) -> bool {
        let Some(call) = self.calls.get(&id).filter(|c| c.sole) else {
            return false;
        };
        for _ in 0..self.bound.len() {
            if nr == call.ep.nr {
                return true;
            }
            let Some(next) = self.bound.get(&nr).and_then(|e| self.waits_for(e, call.vm)) else {
                return false;
            };
            nr = next;
        }
        false
    }

    /// The endpoint of this VM that the first sole call of another waits for.
    fn waits_for(&self, e: &Endpoint, vm: Vm) -> Option<i32> {
        let sole = self.calls.iter().filter(|(_, c)| c.sole && c.ep == e.addr);
        let at = |id: Id| {
            let mut here = self.bound.values().filter(|t| t.vm == vm && t.vm == e.vm);
            here.find(|t| t.queue.iter().chain(&t.open).any(|m| m.id == id))
        };
        sole.filter_map(|(&id, _)| at(id)).map(|t| t.addr.nr).next()
    }

    /// A notification is at its endpoint.
    pub fn note(&mut self, nr: i32, from: Addr, value: Body) {
        let Some(e) = self.bound.get_mut(&nr) else {
            return;
        };
        let by = e.vm;
        let waits = |r: &Receiver| !r.requests && r.from.takes(from);
        if let Some(i) = e.receivers.iter().position(waits) {
            let receiver = e.receivers.remove(i).id;
            self.end(receiver, Answer::Got(Kind::Notify, from, value), by);
        } else {
            e.notes.insert(from, value);
        }
    }
}
