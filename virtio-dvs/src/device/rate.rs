//! How many frames per second a guest may send.

use std::time::Duration;

const NANOS: u64 = 1_000_000_000;
/// Frames that may come at once after a pause, at least.
const BURST_MIN: u64 = 16;

/// A token bucket. Time is whatever the caller says it is, since any fixed point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    rate: u64,
    burst: u64,
    /// Frames that may come now.
    tokens: u64,
    /// When the last whole token came.
    last: Duration,
}

impl Bucket {
    /// A full bucket for `rate` frames per second; a tenth of a second's frames may come at once.
    pub fn new(rate: u32, now: Duration) -> Bucket {
        let rate = u64::from(rate.max(1));
        let burst = (rate / 10).max(BURST_MIN);
        Bucket {
            rate,
            burst,
            tokens: burst,
            last: now,
        }
    }

    /// Takes one token, or says when there will be one.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        self.fill(now);
        if let Some(rest) = self.tokens.checked_sub(1) {
            self.tokens = rest;
            return Ok(());
        }
        Err(self.last + Duration::from_nanos(NANOS.div_ceil(self.rate)))
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.last).as_nanos();
        let came = u64::try_from(passed * u128::from(self.rate) / u128::from(NANOS));
        match came {
            Ok(came) if came < self.burst - self.tokens => {
                self.tokens += came;
                // What is left of the time counts towards the next token.
                self.last += Duration::from_nanos((came * NANOS).div_ceil(self.rate));
            }
            _ => {
                self.tokens = self.burst;
                self.last = now;
            }
        }
    }
}

#[cfg(test)]
#[path = "rate_test.rs"]
mod tests;
