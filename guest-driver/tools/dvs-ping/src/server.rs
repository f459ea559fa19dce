//! The side that answers.

use std::collections::HashMap;
use std::io::Write;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use dvs::{Address, Any, Dvs, Endpoint, Error, Message, Received, Request, Timeout};
use serde::{Deserialize, Serialize};

use crate::payload::{Header, Kind};
use crate::relocation::{self, Unanswered};
use crate::report::{Faults, Progress};
use crate::sequence::Sequence;

/// Clients that are kept apart at once; those of more are refused.
const CLIENTS_MAX: usize = 1024;

/// Of `dvs-ping server`.
#[derive(Debug, Args)]
pub struct Options {
    /// Endpoint number to serve.
    #[arg(long, allow_negative_numbers = true)]
    ep: i32,
    /// Clients that must have finished before the server ends.
    #[arg(long, default_value_t = 1)]
    clients: u64,
    /// Never end.
    #[arg(long)]
    forever: bool,
    /// Print JSON lines: {"bound", "generation"} at the start, the counts at the end.
    #[arg(long)]
    json: bool,
    /// Begin to move after so many calls, with the next one unanswered, tell nobody, and take it
    /// back when nobody has come; a line of JSON, {"stays"}, tells of it.
    #[arg(long, requires = "json")]
    stay_after: Option<u64>,
    /// Move to another process after so many calls, with the next one unanswered: print
    /// {"moving": …}, which is for the other's --adopt, and end when that has the endpoint.
    #[arg(long, requires = "json")]
    move_after: Option<u64>,
    /// Go on from what --move-after has printed, in this VM or another one.
    #[arg(long)]
    adopt: Option<String>,
}

/// What came from one client.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Client {
    requests: Sequence,
    messages: Sequence,
    notifies: u32,
    errors: u64,
}

impl Client {
    fn faults(&self) -> Faults {
        Faults {
            lost: self.requests.lost() + self.messages.lost(),
            duplicated: self.requests.duplicated + self.messages.duplicated,
            out_of_order: self.requests.out_of_order + self.messages.out_of_order,
            errors: self.errors,
        }
    }

    /// Messages by send that have come.
    fn sends(&self) -> u32 {
        u32::try_from(self.messages.count()).unwrap_or(u32::MAX)
    }

    fn header(&self, sequence: u64) -> Header {
        Header {
            kind: Kind::Reply,
            sequence,
            sends: self.sends(),
            notifies: self.notifies,
        }
    }

    /// A request: its number, and what must have come before it.
    fn request(&mut self, header: Header) {
        self.requests.came(header.sequence);
        let messages = u64::from(header.sends);
        self.messages.ended(messages);
        if header.notifies != self.notifies {
            self.errors += 1;
            self.notifies = header.notifies;
        }
    }

    /// The reply to a request; None: it does not make sense.
    fn answer(&mut self, bytes: &[u8]) -> (Option<Kind>, Vec<u8>) {
        match Header::check(bytes) {
            Some(header) if header.kind == Kind::Request => {
                self.request(header);
                let reply = self.header(header.sequence).message(bytes.len());
                (Some(Kind::Request), reply)
            }
            Some(header) if header.kind == Kind::Finish => {
                self.requests.ended(header.sequence);
                self.messages.ended(u64::from(header.sends));
                (Some(Kind::Finish), self.faults().encode().to_vec())
            }
            _ => {
                self.errors += 1;
                (None, Vec::new())
            }
        }
    }

    fn message(&mut self, bytes: &[u8]) {
        match Header::check(bytes) {
            Some(header) if header.kind == Kind::Message => self.messages.came(header.sequence),
            _ => self.errors += 1,
        }
    }
}

#[derive(Debug, Default)]
pub struct Server {
    pub clients: HashMap<Address, Client>,
    /// Of those that have finished.
    pub faults: Faults,
    pub rpcs: u64,
    pub finished: u64,
    pub refused: u64,
    pub progress: Progress,
}

impl Server {
    fn client(&mut self, address: Address) -> Option<&mut Client> {
        if self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&address) {
            self.refused += 1;
            return None;
        }
        Some(self.clients.entry(address).or_default())
    }

    /// The answer to the request, where the server is to move before it is given.
    fn request(
        &mut self,
        request: Request<'_>,
        pause_after: Option<u64>,
    ) -> Result<Option<Unanswered>, Error> {
        let from = request.message().from();
        let bytes = request.message().bytes();
        let (kind, reply) = self
            .client(from)
            .map_or((None, Vec::new()), |client| client.answer(bytes));
        if kind == Some(Kind::Request) && pause_after.is_some_and(|calls| self.rpcs >= calls) {
            self.rpcs += 1;
            request.leave_open();
            return Ok(Some(Unanswered { to: from, reply }));
        }
        match request.answer(&reply) {
            // The client has left in the meantime; that is for it to report.
            Ok(()) | Err(Error::NotWaiting | Error::DestinationDied | Error::StaleEndpoint) => {}
            Err(error) => return Err(error),
        }
        match kind {
            Some(Kind::Finish) => {
                let client = self.clients.remove(&from).unwrap_or_default();
                self.faults = self.faults.and(client.faults());
                self.finished += 1;
            }
            _ => {
                self.rpcs += 1;
                self.progress.call(Instant::now());
            }
        }
        Ok(None)
    }

    fn message(&mut self, message: &Message) {
        if let Some(client) = self.client(message.from()) {
            client.message(message.bytes());
        }
    }

    fn one(
        &mut self,
        endpoint: &Endpoint,
        pause_after: Option<u64>,
    ) -> Result<Option<Unanswered>, Error> {
        match endpoint.receive(Any, Timeout::Forever)? {
            Received::Request(request) => return self.request(request, pause_after),
            Received::Message(message) => self.message(&message),
            Received::Notification(notification) => {
                if let Some(client) = self.client(notification.from) {
                    client.notifies = client.notifies.saturating_add(1);
                }
            }
        }
        Ok(None)
    }

    fn print(&self, json: bool) -> Faults {
        let open = self.clients.values().map(Client::faults);
        let mut faults = open.fold(self.faults, Faults::and);
        faults.errors = faults.errors.saturating_add(self.refused);
        let Faults {
            lost,
            duplicated,
            out_of_order,
            errors,
        } = faults;
        if json {
            println!(
                "{}",
                serde_json::json!({"rpcs": self.rpcs, "lost": lost, "duplicated": duplicated,
                    "out_of_order": out_of_order, "errors": errors})
            );
        } else {
            println!(
                "{} calls answered; lost {lost}, duplicated {duplicated}, \
                 out of order {out_of_order}, errors {errors}",
                self.rpcs
            );
        }
        faults
    }
}

fn announce(endpoint: &Endpoint, json: bool) -> std::io::Result<()> {
    let Address { number, generation } = endpoint.address();
    if json {
        println!(
            "{}",
            serde_json::json!({"bound": number, "generation": generation})
        );
    } else {
        println!("endpoint {number} bound, generation {generation}");
    }
    std::io::stdout().flush()
}

fn bind(number: i32) -> anyhow::Result<Endpoint> {
    Endpoint::bind(Dvs::open()?, number).with_context(|| format!("cannot bind endpoint {number}"))
}

/// True: nothing went wrong.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    let (endpoint, mut server) = match &options.adopt {
        Some(saved) => relocation::arrive(options.ep, saved)?,
        None => (bind(options.ep)?, Server::default()),
    };
    announce(&endpoint, options.json)?;
    let mut stay_after = options.stay_after;
    while options.forever || server.finished < options.clients {
        match server.one(&endpoint, stay_after.or(options.move_after)) {
            Ok(Some(unanswered)) if stay_after.take().is_some() => {
                relocation::stay(&endpoint, &unanswered)?;
            }
            Ok(Some(unanswered)) => {
                relocation::leave(&endpoint, &server, &unanswered)?;
                return Ok(true);
            }
            Ok(None) | Err(Error::Interrupted) => {}
            Err(error) => return Err(error).context("cannot receive"),
        }
    }
    Ok(server.print(options.json) == Faults::default())
}

#[cfg(test)]
#[path = "server_test.rs"]
mod tests;
