//! A process that moves to another guest by its own means, and takes its endpoint along.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::demo::stage;
use super::ping::{self, RUN_LIMIT};
use super::{SERVER, lifecycle::no_complaints};
use crate::harness::{COMMAND_LIMIT, Guest, Lab, Task};

/// Guests, of which the last has only clients.
const GUESTS: u32 = 3;
/// Moves of the server: there and back again, twice.
const MOVES: usize = 4;
/// Calls between two moves, about.
const CALLS: u32 = 400;
/// Clients: one in each guest.
const CLIENTS: u32 = GUESTS;

/// What a server prints before it moves.
#[derive(Deserialize)]
struct Moving {
    moving: String,
}

/// A server goes from guest to guest while clients in all of them call it: nothing is lost,
/// repeated or failed, and no client is told.
pub fn process_moves(lab: &Lab) -> Result<()> {
    let (_host, mut guests) = stage(lab, GUESTS)?;
    let first = guests.first_mut().context("a guest was booted")?;
    let mut server = start(first, CALLS, None)?;
    let mut clients = Vec::new();
    for (number, guest) in (0..).zip(&mut guests) {
        let options = format!("--count {} --sends 100 --notifies 100", CALLS * 4);
        clients.push(guest.spawn(&ping::client_line(number, &options))?);
    }
    for moved in 1..=MOVES {
        let saved: Moving = server.wait_line(RUN_LIMIT, |line| serde_json::from_str(line).ok())?;
        let at = moved % 2;
        let next = guests.get_mut(at).context("there are guests")?;
        lab.say(format!("the server moves to {}", next.name()));
        let after = u32::try_from(moved + 1)? * CALLS;
        let arrived = start(
            next,
            if moved == MOVES { u32::MAX } else { after },
            Some(&saved.moving),
        )?;
        // The old process ends when the new one has the endpoint.
        server.finish(COMMAND_LIMIT)?.success()?;
        server = arrived;
    }
    for client in clients {
        let report = ping::finish(client)?;
        let faults = [
            report.lost,
            report.duplicated,
            report.out_of_order,
            report.errors,
        ];
        ensure!(faults == [0; 4], "a client counts {report:?}");
    }
    server.finish(RUN_LIMIT)?.success()?;
    guests.iter_mut().try_for_each(no_complaints)
}

fn start(guest: &mut Guest, move_after: u32, adopt: Option<&str>) -> Result<Task> {
    let adopt = adopt.map_or_else(String::new, |saved| format!(" --adopt '{saved}'"));
    guest.spawn(&format!(
        "dvs-ping server --ep {SERVER} --clients {CLIENTS} --json --move-after {move_after}{adopt}"
    ))
}
