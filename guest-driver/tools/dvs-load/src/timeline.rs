//! How often something was done and how long it took, over time.

use std::time::{Duration, Instant};

use serde::Serialize;

/// A part of the time.
const PART: Duration = Duration::from_millis(100);
/// Parts that are kept, of more than two hours; what comes later counts to the last.
const PARTS_MAX: usize = 80_000;

/// For each tenth of a second: how often something ended in it, and the longest that it took.
#[derive(Debug, Serialize)]
pub struct Timeline {
    #[serde(skip)]
    start: Instant,
    /// Milliseconds of each part.
    part_ms: u64,
    /// How often.
    counts: Vec<u32>,
    /// The longest, in microseconds.
    max_us: Vec<u64>,
}

impl Timeline {
    /// An empty one that starts then.
    #[must_use]
    pub fn from(start: Instant) -> Self {
        Self {
            start,
            part_ms: 100,
            counts: Vec::new(),
            max_us: Vec::new(),
        }
    }

    /// Something was done from `begin` to `end`.
    pub fn add(&mut self, begin: Instant, end: Instant) {
        let part = end.saturating_duration_since(self.start).as_millis() / PART.as_millis();
        let part = usize::try_from(part)
            .unwrap_or(PARTS_MAX)
            .min(PARTS_MAX - 1);
        if part >= self.counts.len() {
            self.counts.resize(part + 1, 0);
            self.max_us.resize(part + 1, 0);
        }
        let took = end.saturating_duration_since(begin).as_micros();
        let took = u64::try_from(took).unwrap_or(u64::MAX);
        if let (Some(count), Some(max)) = (self.counts.get_mut(part), self.max_us.get_mut(part)) {
            *count += 1;
            *max = took.max(*max);
        }
    }
}

#[cfg(test)]
#[path = "timeline_test.rs"]
mod tests;
