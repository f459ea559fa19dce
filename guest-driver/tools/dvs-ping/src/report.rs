//! Figures of a run.

use std::time::{Duration, Instant};

use dvs_load::Timeline;
use serde::{Deserialize, Serialize};

/// What went wrong, as counted by one side or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Never arrived.
    pub lost: u64,
    /// Arrived more than once.
    pub duplicated: u64,
    /// Arrived after a later one.
    pub out_of_order: u64,
    /// Arrived changed, or calls that failed.
    pub errors: u64,
}

impl Faults {
    /// Bytes of [`Self::encode`].
    pub const SIZE: usize = 32;

    /// Of both sides.
    pub fn and(self, other: Self) -> Self {
        Self {
            lost: self.lost.saturating_add(other.lost),
            duplicated: self.duplicated.saturating_add(other.duplicated),
            out_of_order: self.out_of_order.saturating_add(other.out_of_order),
            errors: self.errors.saturating_add(other.errors),
        }
    }

    /// For the other side.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let fields = [self.lost, self.duplicated, self.out_of_order, self.errors];
        for (place, field) in bytes.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    /// From the other side.
    pub fn decode(bytes: &[u8; Self::SIZE]) -> Self {
        let mut fields = bytes
            .chunks_exact(8)
            .map(|eight| eight.try_into().map_or(0, u64::from_le_bytes));
        let mut next = || fields.next().unwrap_or(0);
        Self {
            lost: next(),
            duplicated: next(),
            out_of_order: next(),
            errors: next(),
        }
    }
}

/// Round-trip times in microseconds.
#[derive(Debug, Default, Serialize)]
pub struct Times {
    min: f64,
    p50: f64,
    p99: f64,
    max: f64,
}

impl Times {
    /// Of these durations, in any order.
    pub fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |percent: usize| {
            let last = durations.len().saturating_sub(1);
            let nanos = durations
                .get(last * percent / 100)
                .map_or(0, Duration::as_nanos);
            // Tenths of a microsecond; the sum is small enough for an exact f64.
            u32::try_from(nanos / 100).map_or(f64::INFINITY, |tenths| f64::from(tenths) / 10.0)
        };
        Self {
            min: at(0),
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

/// What a client prints at its end.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Requests that got their reply, without those of the warm-up.
    pub rpcs: u64,
    /// Of both sides.
    #[serde(flatten)]
    pub faults: Faults,
    /// Of the requests that got their reply.
    pub rtt_us: Times,
    /// Messages by send.
    pub sends: u64,
    /// Notifications.
    pub notifies: u64,
    /// From the end of the warm-up to the last reply.
    pub seconds: f64,
    /// Calls over time, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
}

impl Report {
    /// For people, or as one line of JSON.
    pub fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        let Times { min, p50, p99, max } = self.rtt_us;
        println!(
            "{} calls, {} sends, {} notifications in {:.3} s",
            self.rpcs, self.sends, self.notifies, self.seconds
        );
        println!("round trip: min {min} µs, p50 {p50} µs, p99 {p99} µs, max {max} µs");
        let Faults {
            lost,
            duplicated,
            out_of_order,
            errors,
        } = self.faults;
        println!(
            "lost {lost}, duplicated {duplicated}, out of order {out_of_order}, errors {errors}"
        );
        Ok(())
    }
}

/// Tells on standard error how it goes, about once a second, as calls are made.
#[derive(Debug)]
pub struct Progress {
    since: Instant,
    calls: u64,
    total: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// From now on.
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            calls: 0,
            total: 0,
        }
    }

    /// A call was made, and ended at `now`.
    pub fn call(&mut self, now: Instant) {
        self.calls += 1;
        self.total += 1;
        let elapsed = now.duration_since(self.since);
        if elapsed >= Duration::from_secs(1) {
            let rate = u128::from(self.calls) * 1_000_000 / elapsed.as_micros();
            eprintln!("{} calls, {rate} calls/s", self.total);
            self.calls = 0;
            self.since = now;
        }
    }
}

#[cfg(test)]
#[path = "report_test.rs"]
mod tests;
