//! What a client has seen over time, on this host's clock.

use std::time::{Duration, Instant};

use serde::Deserialize;

/// The beginning of a client's time is not counted: its first calls find nothing prepared.
const WARM_UP: Duration = Duration::from_secs(1);

/// As programs in guests tell it.
#[derive(Debug, Clone, Deserialize)]
pub struct Told {
    part_ms: u64,
    counts: Vec<u32>,
    max_us: Vec<u64>,
}

/// Calls of a client over time.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// When its first part begins.
    pub started: Instant,
    told: Told,
}

/// A part of it.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// When it begins.
    pub begin: Instant,
    /// Calls that ended in it.
    pub count: u32,
    /// The longest of them, in milliseconds.
    pub longest_ms: f64,
}

impl Timeline {
    /// Of a client that has begun then.
    pub fn new(started: Instant, told: Told) -> Self {
        Self { started, told }
    }

    /// Its parts, one after the other.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        let length = Duration::from_millis(self.told.part_ms);
        let begins = (0..).map(move |number| self.started + length * number);
        let told = self.told.counts.iter().zip(&self.told.max_us);
        begins.zip(told).map(|(begin, (count, max_us))| Part {
            begin,
            count: *count,
            longest_ms: Duration::from_micros(*max_us).as_secs_f64() * 1000.0,
        })
    }

    fn within(&self, from: Instant, until: Instant) -> impl Iterator<Item = Part> {
        let length = Duration::from_millis(self.told.part_ms);
        self.parts()
            .filter(move |part| part.begin + length > from && part.begin < until)
    }

    /// The longest call that ended in this time, in milliseconds.
    pub fn longest(&self, from: Instant, until: Instant) -> f64 {
        longest(self.within(from, until))
    }

    /// The longest call that ended in none of these times, nor in the client's first second.
    pub fn longest_outside(&self, times: &[(Instant, Instant)]) -> f64 {
        let length = Duration::from_millis(self.told.part_ms);
        let outside = |part: &Part| {
            part.begin >= self.started + WARM_UP
                && times
                    .iter()
                    .all(|(from, until)| part.begin + length <= *from || part.begin >= *until)
        };
        longest(self.parts().filter(outside))
    }

    /// Calls a second in this time.
    pub fn rate(&self, from: Instant, until: Instant) -> f64 {
        let count: f64 = self
            .within(from, until)
            .map(|part| f64::from(part.count))
            .sum();
        count / until.saturating_duration_since(from).as_secs_f64()
    }
}

fn longest(parts: impl Iterator<Item = Part>) -> f64 {
    parts.map(|part| part.longest_ms).fold(0.0, f64::max)
}

#[cfg(test)]
#[path = "timeline_test.rs"]
mod tests;
