//! Control requests: bind, unbind, look up.

use crate::directory::{Answer, DirectoryError, Endpoint, Owner, Request};
use crate::frame::{
    CTL_BIND, CTL_LOOKUP, CTL_UNBIND, ControlRequest, ControlStatus, Frame, VM_NODE, kind, result,
    vm_and_incarnation,
};
use crate::switch::port::{Bound, Port};
use crate::switch::{Action, Pending, PortId, Switch};

/// Requests of one port that the directory may owe an answer at once.
pub const ASKED_MAX: usize = 64;

/// A control request that waits for the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    port: PortId,
    /// The life that asked; the answer is for nobody else.
    owner: Owner,
    op: u32,
    nonce: u64,
    number: i32,
    generation: u32,
}

/// What a request comes to.
struct Outcome {
    result: i32,
    generation: u32,
    arg: u64,
}

impl Outcome {
    fn failed(result: i32) -> Outcome {
        Outcome {
            result,
            generation: 0,
            arg: 0,
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
        let op = request.op.get();
        if !matches!(op, CTL_BIND | CTL_UNBIND | CTL_LOOKUP) {
            return ControlStatus::Unsupported;
        }
        if request.flags.get() != 0 || request.reserved.iter().any(|it| it.get() != 0) {
            return ControlStatus::Malformed;
        }
        port.may_retry_unbound = true;
        let Some(incarnation) = port.incarnation().filter(|_| port.asked < ASKED_MAX) else {
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
        let owner = asked.owner;
        let request = match asked.op {
            CTL_BIND => {
                port.binding += 1;
                Request::Bind {
                    endpoint,
                    owner,
                    nonce: asked.nonce,
                }
            }
            CTL_UNBIND => {
                // From now on no frame may have it as its source.
                port.bound.remove(&asked.number);
                Request::Unbind {
                    endpoint,
                    owner,
                    generation: asked.generation,
                }
            }
            _ => Request::Lookup { endpoint },
        };
        self.ask(request, Pending::Control(asked));
    }

    /// The directory has answered a control request.
    pub(super) fn control_answered(&mut self, asked: Asked, answer: Answer) {
        let same_life = |port: &&mut Port| {
            port.attributes.vm == asked.owner.vm
                && port.incarnation() == Some(asked.owner.incarnation)
        };
        let Some(port) = self.port_mut(asked.port).filter(same_life) else {
            return;
        };
        port.asked = port.asked.saturating_sub(1);
        if asked.op == CTL_BIND {
            port.binding = port.binding.saturating_sub(1);
        }
        let outcome = match answer {
            Answer::Bound(Ok(generation)) => {
                let nonce = asked.nonce;
                port.bound.insert(asked.number, Bound { generation, nonce });
                Outcome {
                    result: result::OK,
                    generation,
                    arg: 0,
                }
            }
            Answer::Bound(Err(error)) => Outcome::failed(bind_result(&error)),
            Answer::Unbound(unbound) => {
                // The answer to a bind that was asked twice may have come since it was asked.
                if asked.generation == 0 || port.is_bound(asked.number, asked.generation) {
                    port.bound.remove(&asked.number);
                }
                Outcome {
                    result: unbound.map_or(result::ENOTBIND, |()| result::OK),
                    generation: asked.generation,
                    arg: 0,
                }
            }
            Answer::Found(Some((owner, generation))) => Outcome {
                result: result::OK,
                generation,
                arg: vm_and_incarnation(owner.vm, owner.incarnation),
            },
            _ => Outcome::failed(result::EDSTDIED),
        };
        let owed_busy = std::mem::take(&mut port.owed_busy);
        self.tell(&asked, &outcome);
        if owed_busy {
            self.say_retry(asked.port, VM_NODE);
        }
    }

    fn tell(&mut self, asked: &Asked, outcome: &Outcome) {
        let kind = match asked.op {
            CTL_BIND => kind::BOUND,
            CTL_UNBIND => kind::UNBOUND,
            _ => kind::FOUND,
        };
        let mut frame = Frame::from_node(kind, asked.owner.vm, asked.owner.incarnation);
        frame.op = asked.nonce.into();
        frame.dst_ep = asked.number.into();
        frame.dst_gen = outcome.generation.into();
        frame.result = outcome.result.into();
        frame.arg = outcome.arg.into();
        self.actions.push_back(Action::Say(asked.port, frame));
    }
}

/// What needs no directory: numbers outside the DC, limits, what is bound here already.
fn decide(port: &Port, asked: &Asked) -> Option<Outcome> {
    let in_dc = port.dc.contains(asked.number);
    let bound = port.bound.get(&asked.number);
    match asked.op {
        CTL_BIND if !in_dc => Some(Outcome::failed(result::ERANGE)),
        CTL_BIND => match bound {
            Some(bound) if bound.nonce == asked.nonce => Some(Outcome {
                result: result::OK,
                generation: bound.generation,
                arg: 0,
            }),
            Some(_) => Some(Outcome::failed(result::ESLOTUSED)),
            None => {
                let used = port.bound.len() + port.binding;
                let full = used >= port.attributes.limits.max_endpoints as usize;
                full.then(|| Outcome::failed(result::EALLOCMEM))
            }
        },
        // A bind that the directory has not answered yet may be what is given back.
        CTL_UNBIND if asked.generation == 0 => None,
        CTL_UNBIND if !port.is_bound(asked.number, asked.generation) => Some(Outcome {
            result: result::ENOTBIND,
            generation: asked.generation,
            arg: 0,
        }),
        CTL_LOOKUP if !in_dc => Some(Outcome::failed(result::EDSTDIED)),
        _ => None,
    }
}

fn bind_result(error: &DirectoryError) -> i32 {
    match error {
        DirectoryError::Taken { .. } => result::ESLOTUSED,
        _ => result::EALLOCMEM,
    }
}
