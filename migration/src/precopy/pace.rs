//! The cap on bandwidth.

use std::time::Duration;

/// What may be made up for after a time without sending.
const BURST: Duration = Duration::from_millis(50);
/// The lowest cap, in bytes per second: below it nothing would ever end.
pub const SLOWEST: u64 = 1 << 20;

/// A token bucket that counts in time: each byte costs a moment, and whoever has sent ahead of the
/// clock waits until it has caught up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pacer {
    /// Bytes per second; `None`: no cap.
    rate: Option<u64>,
    free_at: Duration,
}

impl Pacer {
    /// At most `rate` bytes per second, but no less than [`SLOWEST`].
    pub fn new(rate: Option<u64>) -> Pacer {
        Pacer {
            rate: rate.map(|rate| rate.max(SLOWEST)),
            free_at: Duration::ZERO,
        }
    }

    /// Until when nothing more may be sent; `None`: now is fine.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        (self.rate.is_some() && self.free_at > now).then_some(self.free_at)
    }

    /// So many bytes were sent.
    pub fn sent(&mut self, now: Duration, bytes: u64) {
        if let Some(rate) = self.rate {
            let from = self.free_at.max(now.saturating_sub(BURST));
            self.free_at = from.saturating_add(duration_of(bytes, rate));
        }
    }
}

/// How long `bytes` take at `rate` bytes per second; for ever at 0.
pub fn duration_of(bytes: u64, rate: u64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000;
    let nanos = nanos.checked_div(rate.into()).unwrap_or(u128::MAX);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How many a second that is, counting `amount` in `time`.
pub fn per_second(amount: u64, time: Duration) -> u64 {
    let nanos = time.as_nanos().max(1_000);
    let rate = u128::from(amount) * 1_000_000_000 / nanos;
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "pace_test.rs"]
mod tests;
