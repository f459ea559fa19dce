//! Many moves, one after the other.

use std::time::Instant;

use anyhow::Result;
use dvs_report::{Event, MigrationReport, Mode};

use super::field::Field;
use super::load::USUAL;
use super::report::{Move, report};
use crate::harness::{Lab, Privacy, Wishes};

/// Moves of the long soak.
const MANY: u64 = 100;
/// Moves in one emulated machine, which seldom lives long enough for all: the demonstration begins so
/// many machines as make a hundred.
const ROUND: u64 = 10;

/// A hundred moves under load, or a round of them.
pub fn soak(lab: &Lab) -> Result<MigrationReport> {
    let started = Instant::now();
    let mut field = Field::start(lab, "soak", 3, Privacy::Plain)?;
    let mut load = field.load(lab, USUAL)?;
    let mut moves = Vec::new();
    let many = match lab.settings().mode {
        Mode::Native => MANY,
        Mode::Nested => ROUND,
    };
    for done in 1..=many {
        let (from, to) = (field.at, field.at % 3 + 1);
        let migrated = field.migrate(lab, to, &Wishes::default(), &mut |_| {})?;
        moves.push(Move { from, to, migrated });
        load.wait_calls()?;
        lab.tell(&Event::Progress {
            what: "moves".into(),
            done,
            total: many,
            per_second: 0.0,
        });
    }
    let done = load.end()?;
    field.no_complaints()?;
    let mut report = report(lab.settings().mode, "migration-soak", &moves, &done);
    field.server.kernel().clone_into(&mut report.guest_kernel);
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}
