//! The demonstration: a server moves around three hosts while clients on all of them call it.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dvs_migration::progress::Progress;
use dvs_report::{Event, MigrationReport, Moving, Scene};
use serde_json::Value;

use super::field::Field;
use super::load::{Load, USUAL};
use super::report::{Move, picture, report};
use crate::harness::{Lab, Privacy, Wishes};

/// Where the server goes, from the first host.
const TOUR: [u8; 3] = [2, 3, 1];
/// How long it rests at each place.
const REST: Duration = Duration::from_secs(5);
/// Between looks at the scene while nothing moves.
const LOOK: Duration = Duration::from_millis(500);
/// The picture's file.
const PICTURE: &str = "latencies.svg";

/// The server goes from host to host and back to the first.
pub fn migrate_under_load(lab: &Lab) -> Result<MigrationReport> {
    let started = Instant::now();
    let mut field = Field::start(lab, "tour", 3, Privacy::Plain)?;
    let mut load = field.load(lab, USUAL)?;
    rest(lab, &field, &mut load);
    let mut moves = Vec::new();
    for to in TOUR {
        moves.push(leg(lab, &mut field, &mut load, to)?);
        rest(lab, &field, &mut load);
    }
    let done = load.end()?;
    field.no_complaints()?;
    let mut report = report(lab.settings().mode, "migrate-under-load", &moves, &done);
    let svg = picture(&moves, &done)?;
    fs::write(lab.file(PICTURE), svg).context("the picture cannot be written")?;
    report.picture = Some(PICTURE.into());
    field.server.kernel().clone_into(&mut report.guest_kernel);
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Lets time pass in which nothing moves, and shows it.
fn rest(lab: &Lab, field: &Field, load: &mut Load) {
    let end = Instant::now() + REST;
    while Instant::now() < end {
        thread::sleep(LOOK);
        lab.tell(&Event::Scene(scene(field.at, load, None)));
    }
}

/// One move.
fn leg(lab: &Lab, field: &mut Field, load: &mut Load, to: u8) -> Result<Move> {
    let from = field.at;
    lab.say(format!("the server moves from host {from} to host {to}"));
    let mut show = |progress: &Progress| {
        let moving = moving(progress, from, to);
        lab.tell(&Event::Scene(scene(from, load, Some(moving))));
    };
    let migrated = field.migrate(lab, to, &Wishes::default(), &mut show)?;
    Ok(Move { from, to, migrated })
}

fn scene(at: u8, load: &mut Load, moving: Option<Moving>) -> Scene {
    let callers = load.callers();
    let mut clients = Vec::new();
    let mut hosts = Vec::new();
    for (caller, number) in callers.iter_mut().zip(1..) {
        let mut vms = vec![caller.guest.clone()];
        if number == at {
            vms.insert(0, "the server".into());
        }
        hosts.push((format!("host {number}"), vms));
        clients.push((caller.guest.clone(), caller.rate()));
    }
    Scene {
        hosts,
        clients,
        moving,
    }
}

fn moving(progress: &Progress, from: u8, to: u8) -> Moving {
    let state = serde_json::to_value(progress.state);
    let state = state
        .ok()
        .as_ref()
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    Moving {
        from,
        to,
        state,
        round: progress.round,
        transferred_bytes: progress.transferred_bytes,
        remaining_bytes: progress.remaining_bytes,
        dirty_pages_per_s: progress.dirty_pages_per_s,
        throttle_percent: progress.throttle_percent,
    }
}
