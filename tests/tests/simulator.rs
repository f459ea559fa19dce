//! Random histories of a whole host, each judged by the same rules.
//!
//! `DVS_HISTORIES=n` plays n of them, `DVS_SEED=n` one with its trace.

use std::io::Write;

use dvs_tests::sim::{Counts, Plan, play, play_traced, shrink};

/// Played unless something else is asked for: less than a minute in a debug build.
const HISTORIES: u64 = 10_000;

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

#[test]
fn every_history_is_right() {
    let seeds = match variable("DVS_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=variable("DVS_HISTORIES").unwrap_or(HISTORIES),
    };
    let mut count = Counts::default();
    for seed in seeds.clone() {
        announce(seed);
        let plan = Plan::new(seed);
        let history = play(&plan);
        if !history.violations.is_empty() {
            fail(&plan, &history.violations);
        }
        count.merge(&history.count);
    }
    println!("{} histories: {count:#?}", seeds.count());
}

#[test]
fn a_seed_is_one_history() {
    let plan = Plan::new(7);
    let (one, other) = (play_traced(&plan), play_traced(&plan));
    assert_eq!(one.trace, other.trace);
}
