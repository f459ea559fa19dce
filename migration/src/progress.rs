//! What whoever watches a migration is told.

use crate::pages::Compression;
use crate::place::Place;
use crate::precopy::Precopy;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Which side tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The VM leaves.
    Source,
    /// The VM comes.
    Destination,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Both hosts are looked at; no page is sent yet.
    Setup,
    /// The guest runs and its memory is copied.
    Precopy,
    /// The guest stands still; the rest of its memory and its state are sent.
    SwitchOver,
    /// The state is handed over: the directory decides.
    Commit,
    /// The guest is started.
    Resume,
    /// It is decided where the VM runs; what was begun for the migration is being put away.
    Closing,
    /// The VM runs at the destination.
    Completed,
    /// The VM runs at the source, or has not come.
    Failed,
    /// The same, because it was wished.
    Cancelled,
}

/// The parts of the downtime, one after the other. `None`: not reached, or not seen by this side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Downtime {
    /// Stopping the CPUs.
    #[serde(rename = "pause_ms", with = "millis")]
    pub pause: Option<Duration>,
    /// Stopping the devices and having all buffers back.
    #[serde(rename = "drain_ms", with = "millis")]
    pub drain: Option<Duration>,
    /// The last round of pages, until it has arrived.
    #[serde(rename = "last_pass_ms", with = "millis")]
    pub last_pass: Option<Duration>,
    /// The rest of saving, sending and loading state.
    #[serde(rename = "state_ms", with = "millis")]
    pub state: Option<Duration>,
    /// The directory's transaction.
    #[serde(rename = "commit_ms", with = "millis")]
    pub commit: Option<Duration>,
    /// Starting clock, devices and CPUs.
    #[serde(rename = "resume_ms", with = "millis")]
    pub resume: Option<Duration>,
}

impl fmt::Display for Downtime {
    /// The parts that are known, in milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("pause", self.pause),
            ("drain", self.drain),
            ("last pass", self.last_pass),
            ("state", self.state),
            ("commit", self.commit),
            ("resume", self.resume),
        ];
        let mut separator = "";
        for (name, time) in parts {
            if let Some(time) = time {
                write!(f, "{separator}{name} {:.1}", time.as_secs_f64() * 1e3)?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl Downtime {
    /// All parts that are known together.
    pub fn sum(&self) -> Duration {
        let parts = [
            self.pause,
            self.drain,
            self.last_pass,
            self.state,
            self.commit,
            self.resume,
        ];
        let parts = parts.into_iter().flatten();
        parts.fold(Duration::ZERO, Duration::saturating_add)
    }
}

/// A migration as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Progress {
    /// Which side tells.
    pub side: Side,
    /// How far it is.
    pub state: State,
    /// Number of the VM.
    pub vm: u32,
    /// Node of the other side, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_node: Option<u32>,
    /// Where the VM lives at last, once that is settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Bytes of guest memory.
    pub total_bytes: u64,
    /// Bytes sent so far, as they went over the wire.
    pub transferred_bytes: u64,
    /// Bytes of guest memory that are yet to be sent, as far as is known now.
    pub remaining_bytes: u64,
    /// Pages sent with their contents, each as often as it was sent.
    pub data_pages: u64,
    /// Pages sent as markers.
    pub zero_pages: u64,
    /// Number of the round, from 1.
    pub round: u32,
    /// Pages that the guest wrote per second during the last round.
    pub dirty_pages_per_s: u64,
    /// Bytes of guest memory per second in the last round that told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth_bytes_per_s: Option<u64>,
    /// Percent of their time that the CPUs lose so that the guest writes less.
    pub throttle_percent: u8,
    /// Data streams.
    pub streams: u16,
    /// How pages are packed.
    pub compression: Compression,
    /// For how long the guest would stand still if it stopped now.
    #[serde(rename = "expected_downtime_ms", with = "millis")]
    pub expected_downtime: Option<Duration>,
    /// For how long it may.
    #[serde(rename = "downtime_limit_ms", with = "millis")]
    pub downtime_limit: Option<Duration>,
    /// For how long it did, or has until now.
    #[serde(rename = "downtime_ms", with = "millis")]
    pub downtime: Option<Duration>,
    /// What that was spent on.
    pub downtime_parts: Downtime,
    /// From the beginning to the first page.
    #[serde(rename = "setup_ms", with = "millis")]
    pub setup: Option<Duration>,
    /// From the beginning to the end, or until now.
    #[serde(rename = "total_ms", with = "millis")]
    pub total: Option<Duration>,
    /// What it waits for, if that is not pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<Text>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Text>,
}

impl Progress {
    /// Whether the migration has come to its end, a good one or not.
    pub fn is_over(&self) -> bool {
        matches!(
            self.state,
            State::Completed | State::Failed | State::Cancelled
        )
    }

    /// Nothing has happened yet.
    pub fn new(side: Side, vm: u32) -> Progress {
        Progress {
            side,
            state: State::Setup,
            vm,
            peer_node: None,
            place: None,
            total_bytes: 0,
            transferred_bytes: 0,
            remaining_bytes: 0,
            data_pages: 0,
            zero_pages: 0,
            round: 0,
            dirty_pages_per_s: 0,
            bandwidth_bytes_per_s: None,
            throttle_percent: 0,
            streams: 0,
            compression: Compression::None,
            expected_downtime: None,
            downtime_limit: None,
            downtime: None,
            downtime_parts: Downtime::default(),
            setup: None,
            total: None,
            blocked_by: None,
            error: None,
        }
    }

    /// Takes in what the copying knows.
    pub fn copying(&mut self, precopy: &Precopy) {
        let total = precopy.total();
        self.total_bytes = precopy.layout().bytes();
        self.transferred_bytes = total.bytes;
        self.remaining_bytes = precopy.remaining().saturating_mul(crate::layout::PAGE_SIZE);
        self.data_pages = total.data_pages;
        self.zero_pages = total.zero_pages;
        self.round = precopy.round();
        self.dirty_pages_per_s = precopy.dirty_rate();
        self.bandwidth_bytes_per_s = precopy.bandwidth();
        self.throttle_percent = precopy.throttle_percent();
        self.expected_downtime = precopy.expected_downtime();
        self.downtime_limit = Some(precopy.config().downtime);
    }
}

/// Durations as milliseconds with three decimals.
mod millis {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    #[allow(clippy::ref_option)] // as serde calls it
    pub fn serialize<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        let micros = time.map(|time| (time.as_secs_f64() * 1e6).round());
        micros.map(|micros| micros / 1000.0).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let value = Option::<f64>::deserialize(from)?;
        let time = value.map(|ms| Duration::try_from_secs_f64((ms * 1000.0).round() / 1e6));
        time.transpose().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[path = "progress_test.rs"]
mod tests;
