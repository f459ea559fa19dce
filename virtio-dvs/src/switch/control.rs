//! Control requests: bind, unbind, look up, await, privileges.

use crate::directory::{
    Answer, DirectoryError, Endpoint, Found, Interest, Location, Owner, Request, Token,
};
use crate::frame::{
    CTL_AWAIT, CTL_BIND, CTL_FORGET, CTL_LOOKUP, CTL_OFFER, CTL_PRIVILEGE, CTL_TAKE, CTL_UNBIND,
    ControlRequest, ControlStatus, Frame, VM_NODE, kind, result, vm_and_incarnation,
};
use crate::privileges::Privileges;
use crate::switch::hands::{self, tell_privileges};
use crate::switch::port::{Bound, Port};
use crate::switch::{Action, Pending, PortId, Switch};

/// Requests of one port that the directory may owe an answer at once.
pub const ASKED_MAX: usize = 64;

/// What a request asks the directory for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Bind,
    Unbind,
    Lookup,
    Await,
    Privilege(Privileges),
    Offer(Option<Token>),
    Take(Token),
}

impl Op {
    /// `None` for numbers that nobody knows, for a TAKE without a token, and for FORGET, which needs
    /// no directory.
    fn of(request: &ControlRequest) -> Option<Op> {
        match request.op.get() {
            CTL_BIND => Some(Op::Bind),
            CTL_UNBIND => Some(Op::Unbind),
            CTL_LOOKUP => Some(Op::Lookup),
            CTL_AWAIT => Some(Op::Await),
            CTL_PRIVILEGE => Some(Op::Privilege(Privileges {
                calls: request.calls.get(),
                ipc_to: request.ipc_to.get(),
                level: request.level.get(),
            })),
            CTL_OFFER => Some(Op::Offer(hands::token(request.calls.get()))),
            CTL_TAKE => hands::token(request.calls.get()).map(Op::Take),
            _ => None,
        }
    }
}

/// A control request that waits for the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    port: PortId,
    /// The life that asked; the answer is for nobody else.
    owner: Owner,
    op: Op,
    nonce: u64,
    number: i32,
    generation: u32,
}

/// What a request comes to.
struct Outcome {
    result: i32,
    generation: u32,
    arg: u64,
    privileges: Option<Privileges>,
}

impl Outcome {
    fn failed(result: i32) -> Outcome {
        Outcome {
            result,
            generation: 0,
            arg: 0,
            privileges: None,
        }
    }

    fn done(generation: u32) -> Outcome {
        Outcome {
            result: result::OK,
            generation,
            arg: 0,
            privileges: None,
        }
    }

    fn found(found: &Found) -> Outcome {
        Outcome {
            arg: vm_and_incarnation(found.vm, found.location.incarnation),
            ..Outcome::done(found.generation)
        }
    }
}

impl Switch {
    /// A control request came from the guest. Where the status is [`ControlStatus::Accepted`], the
    /// result follows as a frame.
    pub fn control(&mut self, id: PortId, request: &ControlRequest) -> ControlStatus {
        let Some(port) = self.port_mut(id) else {
            return ControlStatus::Busy;
        };
        let op = Op::of(request);
        let forget = request.op.get() == CTL_FORGET;
        let known = forget || request.op.get() == CTL_TAKE;
        if op.is_none() && !known {
            return ControlStatus::Unsupported;
        }
        if !is_well_formed(request, op) || (op.is_none() && !forget) {
            return ControlStatus::Malformed;
        }
        port.may_retry_source = true;
        let Some(op) = op else {
            let (dcid, nonce) = (port.attributes.dcid, request.nonce.get());
            let number = port.awaiting.number_of(nonce);
            port.awaiting.remove(nonce);
            self.unwatch_unawaited(dcid, number.as_slice());
            return ControlStatus::Accepted;
        };
        let Some(incarnation) = port.asking_life() else {
            port.owed_busy = true;
            return ControlStatus::Busy;
        };
        let vm = port.attributes.vm;
        let asked = Asked {
            port: id,
            owner: Owner { vm, incarnation },
            op,
            nonce: request.nonce.get(),
            number: request.ep.get(),
            generation: request.generation.get(),
        };
        match decide(port, &asked) {
            Some(outcome) => self.tell(&asked, &outcome),
            None => self.ask_directory(asked),
        }
        ControlStatus::Accepted
    }

    fn ask_directory(&mut self, asked: Asked) {
        let Some(port) = self.port_mut(asked.port) else {
            return;
        };
        port.asked += 1;
        let endpoint = Endpoint {
            dcid: port.attributes.dcid,
            number: asked.number,
        };
        let (owner, generation) = (asked.owner, asked.generation);
        let request = match asked.op {
            Op::Bind => {
                port.binding += 1;
                Request::Bind {
                    endpoint,
                    owner,
                    nonce: asked.nonce,
                }
            }
            Op::Unbind => {
                // From now on no frame may have it as its source.
                port.bound.remove(&asked.number);
                port.unbinding.push((asked.number, generation));
                Request::Unbind {
                    endpoint,
                    owner,
                    generation,
                }
            }
            Op::Lookup => Request::Lookup { endpoint },
            Op::Await => {
                // Before the directory looks, so that no bind comes between.
                port.awaiting.insert(asked.nonce, asked.number);
                Request::Await { endpoint }
            }
            Op::Privilege(privileges) => Request::Privilege {
                endpoint,
                owner,
                generation,
                privileges,
            },
            Op::Offer(token) => {
                port.offer(asked.number, generation);
                Request::Offer {
                    endpoint,
                    owner,
                    generation,
                    token,
                }
            }
            Op::Take(token) => {
                port.binding += 1;
                Request::Adopt {
                    endpoint,
                    owner,
                    generation,
                    token,
                    nonce: asked.nonce,
                }
            }
        };
        self.ask(request, Pending::Control(asked));
    }

    /// The directory has answered a control request.
    pub(super) fn control_answered(&mut self, asked: Asked, answer: Answer) {
        let me = self.me;
        let same_life = |port: &&mut Port| {
            port.attributes.vm == asked.owner.vm
                && port.incarnation() == Some(asked.owner.incarnation)
        };
        let Some(port) = self.port_mut(asked.port).filter(same_life) else {
            return;
        };
        port.asked = port.asked.saturating_sub(1);
        match asked.op {
            Op::Bind | Op::Take(_) => port.binding = port.binding.saturating_sub(1),
            Op::Unbind => {
                let meant = (asked.number, asked.generation);
                if let Some(place) = port.unbinding.iter().position(|it| *it == meant) {
                    port.unbinding.swap_remove(place);
                }
            }
            _ => {}
        }
        let owed_busy = std::mem::take(&mut port.owed_busy);
        let (dcid, epoch) = (port.attributes.dcid, port.epoch);
        let bound = match answer {
            Answer::Bound(Ok(generation)) => Some(Found {
                vm: asked.owner.vm,
                generation,
                location: Location {
                    incarnation: asked.owner.incarnation,
                    node: me,
                    epoch,
                    dcid,
                },
            }),
            _ => None,
        };
        if let Some(outcome) = settle(port, &asked, answer) {
            self.tell(&asked, &outcome);
        }
        if let Some(found) = bound {
            self.end_awaiting(dcid, asked.number, &found);
        } else if asked.op == Op::Await {
            self.unwatch_unawaited(dcid, &[asked.number]);
        }
        if owed_busy {
            self.say_retry(asked.port, VM_NODE);
        }
    }

    /// An endpoint is bound: whoever waits for it in its DC is told, also the VM that bound it.
    pub(super) fn end_awaiting(&mut self, dcid: u32, number: i32, found: &Found) {
        let outcome = Outcome::found(found);
        for id in self.ports().collect::<Vec<_>>() {
            let of_dc = |port: &&mut Port| port.attributes.dcid == dcid;
            let Some(port) = self.port_mut(id).filter(of_dc) else {
                continue;
            };
            let Some(incarnation) = port.incarnation() else {
                continue;
            };
            let vm = port.attributes.vm;
            for nonce in port.awaiting.take(number) {
                let asked = Asked {
                    port: id,
                    owner: Owner { vm, incarnation },
                    op: Op::Await,
                    nonce,
                    number,
                    generation: 0,
                };
                self.tell(&asked, &outcome);
            }
        }
        self.unwatch_unawaited(dcid, &[number]);
    }

    /// The directory need not tell of endpoints of a DC for which nobody waits here any more.
    pub(super) fn unwatch_unawaited(&mut self, dcid: u32, numbers: &[i32]) {
        if self.cluster.is_none() {
            return;
        }
        for &number in numbers {
            let mut of_dc = self.ports.iter().flatten();
            let waits =
                of_dc.any(|port| port.attributes.dcid == dcid && port.awaiting.waits_for(number));
            if !waits {
                let endpoint = Endpoint { dcid, number };
                let interest = Interest::Endpoint(endpoint);
                self.actions.push_back(Action::Unwatch(interest));
            }
        }
    }

    fn tell(&mut self, asked: &Asked, outcome: &Outcome) {
        let kind = match asked.op {
            Op::Bind | Op::Take(_) => kind::BOUND,
            Op::Offer(_) => kind::OFFERED,
            Op::Unbind => kind::UNBOUND,
            Op::Lookup | Op::Await => kind::FOUND,
            Op::Privilege(_) => kind::PRIVILEGED,
        };
        let mut frame = Frame::from_node(kind, asked.owner.vm, asked.owner.incarnation);
        frame.op = asked.nonce.into();
        frame.dst_ep = asked.number.into();
        frame.dst_gen = outcome.generation.into();
        frame.result = outcome.result.into();
        frame.arg = outcome.arg.into();
        if let Some(privileges) = &outcome.privileges {
            tell_privileges(&mut frame, privileges);
        }
        self.actions.push_back(Action::Say(asked.port, frame));
    }
}

/// Fields that a request does not use are zero.
fn is_well_formed(request: &ControlRequest, op: Option<Op>) -> bool {
    let reserved = request.reserved.iter().all(|it| it.get() == 0);
    let privileges = match op {
        Some(Op::Privilege(privileges)) => privileges.is_valid(),
        Some(Op::Offer(_) | Op::Take(_)) => request.ipc_to.get() == 0 && request.level.get() == 0,
        _ => {
            let fields = [request.calls.get(), request.ipc_to.get()];
            fields == [0, 0] && request.level.get() == 0
        }
    };
    let zero = request.flags.get() == 0 && request.reserved0.get() == 0;
    zero && reserved && privileges
}

/// What needs no directory: numbers outside the DC, limits, what is bound here already.
fn decide(port: &Port, asked: &Asked) -> Option<Outcome> {
    let in_dc = port.dc.contains(asked.number);
    let max = port.attributes.limits.max_endpoints as usize;
    let (number, generation) = (asked.number, asked.generation);
    // In generation 0 a bind that the directory has not answered yet may be meant.
    // One that is being given back is not free before the directory says so.
    let is_bound = generation == 0
        || port.bound(number, generation).is_some()
        || port.is_unbinding(number, generation);
    match asked.op {
        Op::Bind | Op::Await | Op::Take(_) if !in_dc => Some(Outcome::failed(result::ERANGE)),
        Op::Bind | Op::Take(_) => match port.bound.get(&number) {
            Some(bound) if bound.nonce == asked.nonce => Some(bound_again(asked.op, bound)),
            Some(_) => Some(Outcome::failed(result::ESLOTUSED)),
            None => {
                let full = port.bound.len() + port.binding >= max;
                full.then(|| Outcome::failed(result::EALLOCMEM))
            }
        },
        Op::Await => {
            let full = port.awaiting.len() >= max && !port.awaiting.contains(asked.nonce);
            full.then(|| Outcome::failed(result::EALLOCMEM))
        }
        Op::Privilege(_) if !port.attributes.admin => Some(Outcome {
            generation,
            ..Outcome::failed(result::EPRIVILEGES)
        }),
        Op::Unbind | Op::Privilege(_) | Op::Offer(_) if !is_bound => Some(Outcome {
            generation,
            ..Outcome::failed(result::ENOTBIND)
        }),
        Op::Lookup if !in_dc => Some(Outcome::failed(result::EDSTDIED)),
        Op::Unbind | Op::Privilege(_) | Op::Offer(_) | Op::Lookup => None,
    }
}

/// This life has it already, by the same request.
fn bound_again(op: Op, bound: &Bound) -> Outcome {
    Outcome {
        privileges: matches!(op, Op::Take(_)).then_some(bound.privileges),
        ..Outcome::done(bound.generation)
    }
}

/// What the directory's answer changes at the port that asked, and what the guest is told; `None`
/// where it goes on waiting, or does not wait any more.
fn settle(port: &mut Port, asked: &Asked, answer: Answer) -> Option<Outcome> {
    let (number, generation) = (asked.number, asked.generation);
    let outcome = match (asked.op, answer) {
        (_, Answer::Bound(Ok(generation))) => {
            // A bind that is asked again gives nothing back that was taken since.
            let known = port.bound(number, generation).map(|it| it.privileges);
            let bound = Bound {
                generation,
                nonce: asked.nonce,
                privileges: known.unwrap_or_else(|| Privileges::of_number(&port.dc, number)),
                offered: false,
            };
            // One that was asked twice may have been given back since: it must not come back.
            if !port.is_unbinding(number, generation) {
                port.bound.insert(number, bound);
            }
            Outcome::done(generation)
        }
        (_, Answer::Bound(Err(error))) => Outcome::failed(change_result(&error)),
        (_, Answer::Unbound(unbound)) => {
            // The answer to a bind that was asked twice may have come since it was asked.
            if generation == 0 || port.bound(number, generation).is_some() {
                port.bound.remove(&number);
            }
            Outcome {
                result: unbound.map_or(result::ENOTBIND, |()| result::OK),
                ..Outcome::done(generation)
            }
        }
        (Op::Privilege(privileges), Answer::Privileged(Ok(generation))) => {
            let bound = port.bound.get_mut(&number);
            if let Some(bound) = bound.filter(|it| it.generation == generation) {
                bound.privileges = privileges;
            }
            Outcome::done(generation)
        }
        (_, Answer::Privileged(Err(error))) => Outcome {
            generation,
            ..Outcome::failed(change_result(&error))
        },
        (Op::Offer(token), Answer::Offered(offered)) => {
            port.offer_answered(number, generation, token.is_none(), &offered);
            match offered {
                Ok(generation) => Outcome::done(generation),
                Err(error) => Outcome {
                    generation,
                    ..Outcome::failed(change_result(&error))
                },
            }
        }
        (_, Answer::Adopted(Ok(taken))) => Outcome {
            privileges: Some(port.take(number, &taken, asked.nonce)),
            ..Outcome::done(taken.generation)
        },
        (_, Answer::Adopted(Err(error))) => Outcome::failed(change_result(&error)),
        (Op::Await, Answer::Found(found)) => {
            let found = found?;
            if !port.awaiting.remove(asked.nonce) {
                return None;
            }
            Outcome::found(&found)
        }
        (_, Answer::Found(Some(found))) => Outcome::found(&found),
        _ => Outcome::failed(result::EDSTDIED),
    };
    Some(outcome)
}

/// The result of a change that the directory refuses.
fn change_result(error: &DirectoryError) -> i32 {
    match error {
        DirectoryError::Taken { .. } => result::ESLOTUSED,
        DirectoryError::NotBound(_) => result::ENOTBIND,
        _ => result::EALLOCMEM,
    }
}
