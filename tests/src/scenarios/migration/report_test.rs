use dvs_migration::progress::{Progress, Side};
use dvs_report::RttUs;

use super::*;
use crate::scenarios::migration::load::{Called, Copied, Written};
use crate::scenarios::ping::Report;
use crate::scenarios::timeline::Told;

/// A client that has begun then; each number is the longest call of a second, in milliseconds.
fn timeline(started: Instant, longest_ms: &[u64]) -> Timeline {
    let counts: Vec<u32> = longest_ms.iter().map(|_| 10).collect();
    let max_us: Vec<u64> = longest_ms.iter().map(|ms| ms * 1000).collect();
    let told = serde_json::json!({"part_ms": 1000, "counts": counts, "max_us": max_us});
    let told: Told = serde_json::from_value(told).expect("a timeline");
    Timeline::new(started, told)
}

fn done(started: Instant) -> Done {
    let report = Report {
        rpcs: 50,
        lost: 1,
        duplicated: 0,
        out_of_order: 0,
        errors: 2,
        rtt_us: RttUs::default(),
        seconds: 8.0,
    };
    Done {
        written: Written {
            writes: 7,
            wrong: 4,
        },
        called: vec![Called {
            guest: "client-1".into(),
            report,
            timeline: timeline(started, &[900, 3, 4, 80, 5, 4, 3, 2]),
        }],
        copied: Copied {
            copies: 9,
            errors: 8,
            timeline: timeline(started, &[1, 2, 2, 30, 60, 2, 2, 2]),
        },
        complaint: None,
    }
}

fn moved(started: Instant) -> Move {
    let at = |seconds| started + Duration::from_secs(seconds);
    let mut destination = Progress::new(Side::Destination, 1);
    destination.total = Some(Duration::from_millis(950));
    destination.downtime = Some(Duration::from_millis(12));
    destination.downtime_parts.commit = Some(Duration::from_millis(2));
    Move {
        from: 1,
        to: 2,
        migrated: Migrated {
            began: at(3),
            ended: at(4),
            source: None,
            destination,
        },
    }
}

#[test]
fn stalls_belong_to_the_move_that_they_fall_into() {
    let started = Instant::now();
    let report = report(Mode::Nested, "test", &[moved(started)], &done(started));
    let [migration] = report.migrations.as_slice() else {
        panic!("one move was made: {report:?}");
    };
    let near = |one: f64, other: f64| (one - other).abs() < 1e-6;
    assert!(near(migration.total_ms, 950.0) && near(migration.downtime_ms, 12.0));
    assert!(near(migration.downtime_parts.commit_ms, 2.0));
    assert!(near(migration.longest_stall_ms, 80.0) && near(report.max_stall_ms, 80.0));
    let [calls, copies] = report.clients.as_slice() else {
        panic!("there were two clients: {report:?}");
    };
    // The first second does not count.
    assert!(near(calls.longest_calm_ms, 4.0), "{calls:?}");
    assert!(near(copies.longest_moving_ms, 60.0), "{copies:?}");
}

#[test]
fn whatever_went_wrong_counts() {
    let started = Instant::now();
    let report = report(Mode::Nested, "test", &[], &done(started));
    assert_eq!((report.lost, report.errors), (1, 2 + 8 + 4));
    assert_eq!(
        (report.rpcs, report.copies, report.pages_written),
        (50, 9, 7)
    );
    assert!(!report.whole());
}

#[test]
fn the_picture_has_clients_and_moves() {
    let started = Instant::now();
    let svg = picture(&[moved(started)], &done(started)).expect("drawn");
    for text in ["client-1", "copies", "host 1 to 2"] {
        assert!(svg.contains(text), "{text}");
    }
}
