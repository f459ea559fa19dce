//! Makes steps.

use anyhow::{Context, bail};
use dvs::{Any, Endpoint, Error, Message, Received, Request, Timeout};
use nix::sys::signal::SigSet;

use crate::step::Step;

/// Who makes them.
#[derive(Debug)]
pub struct Actor<'e> {
    endpoint: &'e Endpoint,
    gate: SigSet,
    /// What was received last, if it waits for an answer.
    request: Option<Request<'e>>,
}

impl<'e> Actor<'e> {
    pub fn new(endpoint: &'e Endpoint, gate: SigSet) -> Self {
        Self {
            endpoint,
            gate,
            request: None,
        }
    }

    /// Makes one; tells what came of it. A call that fails is no error: its number is told.
    pub fn make(&mut self, step: &Step) -> anyhow::Result<String> {
        let device = self.endpoint.device();
        let outcome = match step {
            Step::Gate => {
                println!("at the gate");
                self.gate.wait()?;
                return Ok("open".into());
            }
            Step::Receive(time) => self.receive(*time),
            Step::Send(to, text, time) => {
                let sent = self.endpoint.send(*to, text.as_bytes(), *time);
                sent.map(|()| "ok".into())
            }
            Step::Sendrec(to, text, time) => {
                let answer = self.endpoint.sendrec(*to, text.as_bytes(), *time);
                answer.map(|answer| told("reply", &answer))
            }
            Step::Answer(text) => {
                let Some(request) = self.request.take() else {
                    bail!("there is no request to answer");
                };
                request.answer(text.as_bytes()).map(|()| "ok".into())
            }
            Step::Notify(to) => self.endpoint.notify(*to).map(|()| "ok".into()),
            Step::AwaitBound(number) => {
                let bound = device.await_bound(*number, Timeout::Forever);
                bound.map(|address| address.to_string())
            }
            Step::AwaitUnbound(number) => {
                let unbound = device.await_unbound(*number, Timeout::Forever);
                unbound.map(|()| "ok".into())
            }
            Step::Privileges => {
                let privileges = device.privileges(self.endpoint.address().number);
                privileges.map(|it| format!("{it:?}"))
            }
            Step::Node => device.info().map(|info| info.nodeid.to_string()),
        };
        outcome.or_else(|error| {
            let number = error.number();
            let number = number.context(error)?;
            Ok(number.to_string())
        })
    }

    fn receive(&mut self, time: Timeout) -> Result<String, Error> {
        Ok(match self.endpoint.receive(Any, time)? {
            Received::Message(message) => told("message", &message),
            Received::Request(request) => {
                let told = told("request", request.message());
                self.request = Some(request);
                told
            }
            Received::Notification(of) => format!("notification from {}", of.from.number),
        })
    }
}

fn told(kind: &str, message: &Message) -> String {
    let text = String::from_utf8_lossy(message.bytes());
    format!("{kind} {text} from {}", message.from().number)
}
