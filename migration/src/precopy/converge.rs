//! When to stop copying, and what to do when it does not get less.

use super::Config;
use std::time::Duration;

/// What to do with a guest that writes faster than its pages can be sent: give it less time on its
/// CPUs, step by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Throttling {
    /// Percent of their time that the CPUs lose at first.
    pub start: u8,
    /// Percent more with each further step.
    pub step: u8,
    /// Most percent.
    pub most: u8,
    /// A round does not shrink if the guest wrote to more than so many percent of what was sent.
    pub trigger_percent: u8,
}

impl Default for Throttling {
    fn default() -> Throttling {
        Throttling {
            start: 20,
            step: 10,
            most: 99,
            trigger_percent: 50,
        }
    }
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Another round; `throttle`: from now on the CPUs lose so many percent of their time.
    Round {
        /// Percent, if it changes.
        throttle: Option<u8>,
    },
    /// Stop the guest now: what is left fits the limit, or the time is up and was to end so.
    SwitchOver,
    /// The time is up: give up.
    TimedOut,
}

/// What is known at the end of a round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation {
    /// Rounds so far.
    pub rounds: u32,
    /// Pages sent in the last one.
    pub sent: u64,
    /// Pages written meanwhile.
    pub dirty: u64,
    /// Time that the rest takes, as far as that is known.
    pub rest: Option<Duration>,
    /// Whether the time is up.
    pub late: bool,
}

/// Rounds in a row that must not shrink before the CPUs are slowed down.
const STRIKES: u8 = 2;
/// Rounds that are made for a downtime below the limit.
const POLISH: u8 = 4;

/// Remembers how the rounds went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Convergence {
    strikes: u8,
    polished: u8,
    percent: u8,
}

impl Convergence {
    /// By how much the CPUs are slowed down.
    pub fn percent(&self) -> u8 {
        self.percent
    }

    /// What to do after a round.
    pub fn judge(&mut self, config: &Config, now: Situation) -> Verdict {
        if now.late {
            return match config.at_timeout {
                super::AtTimeout::Cancel => Verdict::TimedOut,
                super::AtTimeout::Force => Verdict::SwitchOver,
            };
        }
        let fits = |rest: Duration| rest.saturating_add(config.fixed_cost) <= config.downtime;
        let Some(rest) = now.rest.filter(|_| now.rounds > 0) else {
            return Verdict::Round { throttle: None };
        };
        if fits(rest) {
            return self.polish(config, now, rest);
        }
        Verdict::Round {
            throttle: self.throttle(config, now),
        }
    }

    /// It could stop now. As long as a round makes clearly less of it, which takes less time than
    /// the limit, a short downtime is worth one more.
    fn polish(&mut self, config: &Config, now: Situation, rest: Duration) -> Verdict {
        let shrinks = now.dirty.saturating_mul(4) <= now.sent.saturating_mul(3);
        if shrinks && self.polished < POLISH && rest > config.downtime / 64 {
            self.polished += 1;
            return Verdict::Round { throttle: None };
        }
        Verdict::SwitchOver
    }

    fn throttle(&mut self, config: &Config, now: Situation) -> Option<u8> {
        let throttling = config.throttling?;
        let trigger = u64::from(throttling.trigger_percent);
        if now.dirty.saturating_mul(100) <= now.sent.saturating_mul(trigger) {
            self.strikes = 0;
            return None;
        }
        self.strikes += 1;
        if self.strikes < STRIKES {
            return None;
        }
        self.strikes = 0;
        let next = match self.percent {
            0 => throttling.start,
            percent => percent.saturating_add(throttling.step),
        };
        let next = next.min(throttling.most).min(99);
        let changed = next > self.percent;
        self.percent = self.percent.max(next);
        changed.then_some(next)
    }
}

#[cfg(test)]
#[path = "converge_test.rs"]
mod tests;
