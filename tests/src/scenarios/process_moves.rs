//! A process that moves to another guest by its own means, and takes its endpoint along.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::SERVER;
use super::demo::stage;
use super::lifecycle::{expect_clean, no_complaints};
use super::operator_moves::operator_moves;
use super::ping::{self, RUN_LIMIT};
use crate::harness::{COMMAND_LIMIT, Guest, Host, Lab, Task};

/// Guests, each with a client. The last has nothing else.
const GUESTS: u32 = 3;
/// Moves of the server: there and back again, twice.
const MOVES: u32 = 4;
/// Calls between two moves, about.
const CALLS: u32 = 400;

/// What a server prints before it moves.
#[derive(Deserialize)]
struct Moving {
    moving: String,
}

/// A server goes from guest to guest while clients in all of them call it, each with a notification
/// before each call: nothing is lost, repeated or failed, and no client is told. First it begins
/// to move where nobody adopts, and stays. At last an operator moves an endpoint.
pub fn process_moves(lab: &Lab) -> Result<()> {
    let (host, mut guests) = stage(lab, GUESTS)?;
    let first = guests.first_mut().context("a guest was booted")?;
    let options = format!("--stay-after {} --move-after {CALLS}", CALLS / 2);
    let mut server = start(first, &options)?;
    told(&mut server, "bound")?;
    let clients = call(&mut guests)?;
    told(&mut server, "stays")?;
    lab.say("the server began to move, where nobody adopts, and stays");
    for moved in 1..=MOVES {
        let saved: Moving = server.wait_line(RUN_LIMIT, |line| serde_json::from_str(line).ok())?;
        let next = guests
            .get_mut(usize::try_from(moved % 2)?)
            .context("there are guests")?;
        lab.say(format!(
            "the server moves to {}; {} messages and notifications wait for it",
            next.name(),
            waiting(&host)?
        ));
        let mut options = format!("--adopt '{}'", saved.moving);
        if moved < MOVES {
            write!(options, " --move-after {}", (moved + 1) * CALLS)?;
        }
        let arrived = start(next, &options)?;
        // The old process ends when the new one has the endpoint.
        server.finish(COMMAND_LIMIT)?.success()?;
        server = arrived;
    }
    for client in clients {
        expect_clean(&ping::finish(client)?, (MOVES * CALLS).into())?;
    }
    server.finish(RUN_LIMIT)?.success()?;
    operator_moves(lab, &host, &mut guests)?;
    guests.iter_mut().try_for_each(no_complaints)
}

fn start(guest: &mut Guest, options: &str) -> Result<Task> {
    guest.spawn(&format!(
        "dvs-ping server --ep {SERVER} --clients {GUESTS} --json {options}"
    ))
}

fn told(server: &mut Task, what: &str) -> Result<()> {
    server.wait_line(RUN_LIMIT, |line| line.contains(what).then_some(()))
}

/// What waits for the server, which moves, as the node is told.
fn waiting(host: &Host) -> Result<u32> {
    let endpoints = host.client().endpoints()?;
    let mut states = endpoints.into_iter().filter(|it| it.endpoint == SERVER);
    let state = states.next().and_then(|it| it.state);
    let state = state.context("the guest does not tell of the server's endpoint")?;
    let moves = state.state.split(' ').any(|word| word == "MIGRATE");
    ensure!(moves, "the server is to move, but it is {}", state.state);
    Ok(state.queued)
}

/// Starts a client in each guest. Whatever waits for the server while it moves is a notification and a
/// request, but of the client whose request it has taken.
fn call(guests: &mut [Guest]) -> Result<Vec<Task>> {
    let count = MOVES * CALLS;
    let options = format!("--count {count} --sends 100 --notifies {count}");
    (0..)
        .zip(guests)
        .map(|(number, guest)| guest.spawn(&ping::client_line(number, &options)))
        .collect()
}
