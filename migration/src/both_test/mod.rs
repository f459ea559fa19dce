//! Both machines against a directory and a connection that fail at every step.
//!
//! The world is small: one stream, two pages, one record. What can happen in it, in any order, is
//! all that the protocol allows for: messages take any time, the connection breaks, results are
//! errors, a transaction is carried out late, or twice, or its answer is lost, VMMs die, nodes are
//! started again, time runs out, somebody cancels. Every state that can be reached with so many
//! faults is looked at once.

mod fault;
mod moves;
mod node;
mod world;

use fault::{Fault, Step};
use moves::Move;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use world::{DESTINATION, EPOCH, Fate, World};

/// Calls `seen` with every state that is reached with at most `faults` faults, once each.
fn explore(faults: u8, mut seen: impl FnMut(&World)) -> usize {
    let hasher = RandomState::new();
    let mut known = HashSet::new();
    let mut open = vec![World::new(faults)];
    while let Some(world) = open.pop() {
        if !known.insert(hasher.hash_one(&world)) {
            continue;
        }
        world.check();
        seen(&world);
        open.extend(world.moves().into_iter().map(|step| world.after(step)));
    }
    known.len()
}

#[test]
fn without_a_fault_it_moves() {
    let mut ends = BTreeSet::new();
    let states = explore(0, |world| {
        if world.is_over() {
            ends.insert(world.fate());
            assert_eq!(
                world.record.map(|p| (p.node, p.epoch)),
                Some((DESTINATION, EPOCH + 1))
            );
        }
    });
    assert!(states > 30, "{states} states");
    assert_eq!(ends, BTreeSet::from([Fate::Destination]));
}

#[test]
fn whatever_happens_exactly_one_runs_it() {
    let mut ends: BTreeMap<Fate, usize> = BTreeMap::new();
    let states = explore(2, |world| {
        if world.is_over() {
            world.check_end();
            *ends.entry(world.fate()).or_default() += 1;
        }
    });
    println!("{states} states, ends: {ends:?}");
    for fate in [Fate::Source, Fate::Destination, Fate::Lost] {
        assert!(ends.get(&fate).is_some_and(|n| *n > 100), "{ends:?}");
    }
}

/// What one fault at each step leads to, as docs/migration.md shows it.
#[test]
fn one_fault_at_each_step() {
    let mut table: BTreeMap<(Step, Fault), BTreeSet<Fate>> = BTreeMap::new();
    explore(1, |world| {
        if let Some(cause) = world.cause.filter(|_| world.is_over()) {
            table.entry(cause).or_default().insert(world.fate());
        }
    });
    let mut text = String::new();
    for ((step, fault), fates) in &table {
        let fates: Vec<_> = fates.iter().map(|fate| fate.name()).collect();
        text += &format!(
            "| {} | {} | {} |\n",
            step.name(),
            fault.name(),
            fates.join(" or ")
        );
    }
    let docs = include_str!("../../../docs/migration.md");
    for line in text.lines() {
        assert!(
            docs.contains(line),
            "docs/migration.md lacks a line of:\n{text}"
        );
    }
}

/// Longer histories with more faults, by chance.
#[test]
fn many_faults_by_chance() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};
    let choices = prop::collection::vec(any::<usize>(), 400);
    let config = Config {
        cases: 2000,
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&choices, |choices| {
        let mut world = World::new(6);
        for choice in choices {
            world.check();
            let mut moves = world.moves();
            if moves.is_empty() {
                break;
            }
            // Faults are most of what can happen, but not of what does.
            if choice % 7 > 0 && moves.iter().any(Move::is_progress) {
                moves.retain(Move::is_progress);
            }
            world = world.after(moves.swap_remove(choice / 7 % moves.len()));
        }
        prop_assert!(world.is_over(), "{world:?}");
        world.check_end();
        Ok(())
    });
    result.unwrap();
}
