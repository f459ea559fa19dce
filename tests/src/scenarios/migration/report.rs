//! What moves under load have come to.

use std::time::{Duration, Instant};

use anyhow::Result;
use dvs_migration::progress::Downtime;
use dvs_report::{ClientFigures, DowntimeParts, Migration, MigrationReport, Mode};

use super::field::milliseconds;
use super::load::Done;
use super::picture::{Curve, Mark, draw};
use crate::harness::Migrated;
use crate::scenarios::timeline::Timeline;

/// Calls that a move has delayed end somewhat later than it.
const AFTERMATH: Duration = Duration::from_secs(1);

/// A move from one host to another.
#[derive(Debug)]
pub struct Move {
    pub from: u8,
    pub to: u8,
    pub migrated: Migrated,
}

impl Move {
    /// When it could be seen by clients.
    fn time(&self) -> (Instant, Instant) {
        (self.migrated.began, self.migrated.ended + AFTERMATH)
    }
}

/// The figures of all moves, and of the load meanwhile.
pub fn report(mode: Mode, scenario: &str, moves: &[Move], done: &Done) -> MigrationReport {
    let times: Vec<_> = moves.iter().map(Move::time).collect();
    let clients = clients(done);
    let longest = |(from, until)| {
        let longest = clients.iter().map(|client| client.2.longest(from, until));
        longest.fold(0.0, f64::max)
    };
    let migrations: Vec<_> = moves
        .iter()
        .map(|one| migration(one, longest(one.time())))
        .collect();
    let max_stall_ms = times.iter().copied().map(longest).fold(0.0, f64::max);
    let figures = clients.iter().map(|(name, calls, timeline)| ClientFigures {
        name: name.clone(),
        calls: *calls,
        longest_calm_ms: timeline.longest_outside(&times),
        longest_moving_ms: times
            .iter()
            .map(|(from, until)| timeline.longest(*from, *until))
            .fold(0.0, f64::max),
    });
    MigrationReport {
        scenario: scenario.to_owned(),
        mode,
        migrations,
        clients: figures.collect(),
        rpcs: done.sum(|report| report.rpcs),
        copies: done.copied.copies,
        pages_written: done.written.writes,
        lost: done.sum(|report| report.lost),
        duplicated: done.sum(|report| report.duplicated),
        out_of_order: done.sum(|report| report.out_of_order),
        errors: done.errors(),
        max_stall_ms,
        guest_kernel: String::new(),
        seconds: 0.0,
        picture: None,
    }
}

/// Name, calls and timeline of each client.
fn clients(done: &Done) -> Vec<(String, u64, &Timeline)> {
    let calls = done.called.iter();
    let mut clients: Vec<_> = calls
        .map(|called| (called.guest.clone(), called.report.rpcs, &called.timeline))
        .collect();
    let copied = &done.copied;
    clients.push(("copies".into(), copied.copies, &copied.timeline));
    clients
}

fn migration(one: &Move, longest_stall_ms: f64) -> Migration {
    let progress = &one.migrated.destination;
    let throttle = one.migrated.source.as_ref();
    Migration {
        from: one.from,
        to: one.to,
        total_ms: milliseconds(progress.total),
        downtime_ms: milliseconds(progress.downtime),
        downtime_parts: parts(progress.downtime_parts),
        rounds: progress.round,
        data_pages: progress.data_pages,
        zero_pages: progress.zero_pages,
        transferred_bytes: progress.transferred_bytes,
        throttle_percent: throttle.map_or(progress.throttle_percent, |it| it.throttle_percent),
        longest_stall_ms,
    }
}

fn parts(parts: Downtime) -> DowntimeParts {
    DowntimeParts {
        pause_ms: milliseconds(parts.pause),
        drain_ms: milliseconds(parts.drain),
        last_pass_ms: milliseconds(parts.last_pass),
        state_ms: milliseconds(parts.state),
        commit_ms: milliseconds(parts.commit),
        resume_ms: milliseconds(parts.resume),
    }
}

/// The clients' latencies as an SVG.
pub fn picture(moves: &[Move], done: &Done) -> Result<String> {
    let clients = clients(done);
    let Some(start) = clients
        .iter()
        .map(|(_, _, timeline)| timeline.started)
        .min()
    else {
        return draw(&[], &[]);
    };
    let seconds = |at: Instant| at.saturating_duration_since(start).as_secs_f64();
    let curves: Vec<_> = clients
        .into_iter()
        .map(|(name, _, timeline)| Curve {
            name,
            points: timeline
                .parts()
                .map(|part| (seconds(part.begin), part.longest_ms))
                .collect(),
        })
        .collect();
    let marks: Vec<_> = moves
        .iter()
        .map(|one| Mark {
            name: format!("host {} to {}", one.from, one.to),
            begin: seconds(one.migrated.began),
            end: seconds(one.migrated.ended),
        })
        .collect();
    draw(&curves, &marks)
}

#[cfg(test)]
#[path = "report_test.rs"]
mod tests;
