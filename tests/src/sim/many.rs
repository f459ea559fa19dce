//! Many histories at once: they have nothing in common, so each thread takes the next seed.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Counts, Plan, play};

/// Histories that several threads play.
#[derive(Debug, Default)]
pub struct Many {
    taken: AtomicU64,
    played: AtomicU64,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    count: Counts,
    /// The wrong one with the smallest seed.
    wrong: Option<(Plan, Vec<String>)>,
}

impl Many {
    /// Plays those histories that no other thread plays, until one is found wrong.
    pub fn play(&self, seeds: &RangeInclusive<u64>, plan: impl Fn(u64) -> Plan) {
        loop {
            let next = self.taken.fetch_add(1, Ordering::Relaxed);
            let seed = seeds.start().saturating_add(next);
            if !seeds.contains(&seed) || self.found().wrong.is_some() {
                return;
            }
            let plan = plan(seed);
            let history = play(&plan);
            self.played.fetch_add(1, Ordering::Relaxed);
            let mut found = self.found();
            found.count.merge(&history.count);
            let first = found.wrong.as_ref().is_none_or(|it| seed < it.0.seed);
            if !history.violations.is_empty() && first {
                found.wrong = Some((plan, history.violations));
            }
        }
    }

    /// How many were played.
    pub fn played(&self) -> u64 {
        self.played.load(Ordering::Relaxed)
    }

    /// What happened, and the first wrong history with what is wrong.
    pub fn result(self) -> (Counts, Option<(Plan, Vec<String>)>) {
        let found = self.found.into_inner();
        let found = found.unwrap_or_else(PoisonError::into_inner);
        (found.count, found.wrong)
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
