//! Differences of counters, divided by time.

use std::time::Duration;

use serde::Serialize;
use virtio_dvs::device::counters::PortCounters;
use virtio_dvs::node::control::LinkInfo;

/// What happened at a port in a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Rates {
    pub(super) frames_in: f64,
    pub(super) frames_out: f64,
    pub(super) bytes_in: f64,
    pub(super) bytes_out: f64,
    pub(super) kicks: f64,
    pub(super) interrupts: f64,
    pub(super) drops: f64,
}

impl Rates {
    /// Rates between two looks that are `time` apart; `None` where the counters began anew meanwhile.
    pub(super) fn between(
        before: &PortCounters,
        after: &PortCounters,
        time: Duration,
    ) -> Option<Rates> {
        let sum = |counts: fn(&PortCounters) -> u64| rate(counts(before), counts(after), time);
        Some(Rates {
            frames_in: sum(|it| it.frames_in)?,
            frames_out: sum(|it| it.frames_out)?,
            bytes_in: sum(|it| it.bytes_in)?,
            bytes_out: sum(|it| it.bytes_out)?,
            kicks: sum(|it| it.kicks.values().sum())?,
            interrupts: sum(|it| it.calls.values().sum())?,
            drops: sum(|it| it.drops.values().sum())?,
        })
    }

    pub(super) fn frames(&self) -> f64 {
        self.frames_in + self.frames_out
    }

    pub(super) fn bytes(&self) -> f64 {
        self.bytes_in + self.bytes_out
    }
}

/// What went over a link in a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct LinkRates {
    pub(super) frames_in: f64,
    pub(super) frames_out: f64,
    pub(super) bytes_in: f64,
    pub(super) bytes_out: f64,
    pub(super) dropped: f64,
}

impl LinkRates {
    /// As [`Rates::between`].
    pub(super) fn between(before: &LinkInfo, after: &LinkInfo, time: Duration) -> Option<Self> {
        let of = |count: fn(&LinkInfo) -> u64| rate(count(before), count(after), time);
        Some(LinkRates {
            frames_in: of(|it| it.frames_in)?,
            frames_out: of(|it| it.frames_out)?,
            bytes_in: of(|it| it.bytes_in)?,
            bytes_out: of(|it| it.bytes_out)?,
            dropped: of(|it| it.dropped)?,
        })
    }
}

fn rate(before: u64, after: u64, time: Duration) -> Option<f64> {
    let grown = after.checked_sub(before)?;
    let seconds = time.as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
    let grown = grown as f64;
    (seconds > 0.0).then(|| grown / seconds)
}

#[cfg(test)]
#[path = "rates_test.rs"]
mod tests;
