//! Random histories of whole hosts and of clusters, each judged by the same rules.
//!
//! `DVS_HISTORIES=n` plays n of each, `DVS_SEED=n` one with its trace.

use std::io::Write;
use std::ops::RangeInclusive;

use dvs_tests::sim::{Many, Plan, play_traced, shrink};

/// Played unless something else is asked for: less than a minute in a debug build.
const HISTORIES: u64 = 10_000;
/// The same for clusters.
const CLUSTERS: u64 = 20_000;
/// The same for clusters whose machines move.
const MOVING: u64 = 5_000;

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value} is not a number")),
    )
}

/// A sanitizer ends the process: the seed has to be known before.
fn announce(seed: u64) {
    if cfg!(feature = "sanitize") {
        let line = format!("history {seed}\n");
        std::io::stderr()
            .write_all(line.as_bytes())
            .unwrap_or_else(|error| panic!("the seed cannot be told: {error}"));
    }
}

fn fail(plan: &Plan, violations: &[String]) -> ! {
    let small = shrink(plan);
    let history = play_traced(&small);
    let seed = plan.seed;
    let first = violations.join("\n  ");
    let shrunk = history.violations.join("\n  ");
    if variable("DVS_SEED").is_some() {
        eprintln!("{}", history.trace.join("\n"));
    }
    panic!(
        "history {seed} is wrong:\n  {first}\nthe smallest history that is:\n{small:#?}\n  {shrunk}\n\
         DVS_SEED={seed} plays it again with its trace"
    );
}

/// Plays histories on all processors, which have nothing in common; the first wrong one is told.
fn play_all(seeds: RangeInclusive<u64>, plan: impl Fn(u64) -> Plan + Sync) {
    let seeds = match variable("DVS_SEED") {
        Some(seed) => seed..=seed,
        None => seeds,
    };
    let many = Many::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                many.play(&seeds, |seed| {
                    announce(seed);
                    plan(seed)
                })
            });
        }
    });
    let (count, wrong) = many.result();
    if let Some((plan, violations)) = wrong {
        fail(&plan, &violations);
    }
    println!("{} histories: {count:#?}", seeds.count());
}

#[test]
fn every_history_of_a_host_is_right() {
    play_all(
        1..=variable("DVS_HISTORIES").unwrap_or(HISTORIES),
        Plan::new,
    );
}

#[test]
fn every_history_of_a_cluster_is_right() {
    let histories = variable("DVS_HISTORIES").unwrap_or(CLUSTERS);
    play_all(1..=histories, |seed| Plan::cluster(seed, None));
}

#[test]
fn every_history_of_a_cluster_whose_machines_move_is_right() {
    let histories = variable("DVS_HISTORIES").unwrap_or(MOVING);
    play_all(1..=histories, |seed| Plan::moving(seed, None));
}

#[test]
fn a_seed_is_one_history() {
    for plan in [Plan::new(7), Plan::cluster(7, None), Plan::moving(7, None)] {
        let (one, other) = (play_traced(&plan), play_traced(&plan));
        assert_eq!(one.trace, other.trace);
    }
}
