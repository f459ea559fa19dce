//! When to dial again.

use rand_core::Rng;
use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(50);
/// The longest pause. A session that lasted this long counts as a success.
const LONGEST: Duration = Duration::from_secs(2);

/// Counts failures: at once, then after a pause that doubles up to 2 s.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// An attempt has failed, or a session that lasted for `lasted` has ended: how long to wait.
    /// Up to half of a pause is left out by chance, so that nodes do not dial in step.
    pub fn pause(&mut self, lasted: Option<Duration>, random: &mut dyn Rng) -> Duration {
        if lasted.is_some_and(|lasted| lasted >= LONGEST) {
            self.failures = 0;
        }
        let at_once = lasted.is_some() && self.failures == 0;
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        if at_once {
            return Duration::ZERO;
        }
        let pause = doubled.min(LONGEST);
        let half = pause / 2;
        half + half * (random.next_u32() >> 16) / (1 << 16)
    }

    /// Whatever failed before does not count.
    pub fn forget(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
#[path = "backoff_test.rs"]
mod tests;
