//! Which pages next, and when to stop.
//!
//! ```text
//!  populated pages ─▶ round 1 ─▶ dirty pages ─▶ round 2 ─▶ … ─▶ rest fits: the guest stops
//!                                     ▲                │              last round: the rest
//!                                     └── does not ────┘
//! ```
//!
//! Pages are sent by N streams. Words of 64 pages go to them in turn, so that even a small part of
//! memory that is written all the time keeps all of them busy, and a page always goes by the same
//! stream. A batch takes whole words, which is what KVM can clear in its log: whoever reads the
//! pages clears their bits *before*, and only theirs, so a page that is written before its turn is
//! sent once.
//!
//! All that is kept is a bit for each page.

mod config;
mod converge;
mod pace;
mod pick;

pub use config::{AtTimeout, Config};
pub use converge::{Throttling, Verdict};
pub use pace::SLOWEST;
pub use pick::{Next, Pick, Sent};

use crate::bitmap::PageBitmap;
use crate::layout::{Layout, PAGE_SIZE};
use converge::{Convergence, Situation};
use pace::{Pacer, duration_of, per_second};
use pick::take_words;
use std::time::Duration;

/// A round of fewer data pages says little about the bandwidth.
const TELLING_PAGES: u64 = 256;

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Stream {
    slot: usize,
    word: usize,
    over: bool,
}

/// The copying of one machine, from its first page to its last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Precopy {
    layout: Layout,
    config: Config,
    pending: PageBitmap,
    remaining: u64,
    streams: Vec<Stream>,
    round: u32,
    last: bool,
    started: Duration,
    round_started: Duration,
    collected: Duration,
    in_round: Sent,
    total: Sent,
    /// Bytes of data pages per second, before packing.
    bandwidth: Option<u64>,
    dirty_rate: u64,
    convergence: Convergence,
    pacer: Pacer,
}

impl Precopy {
    /// Nothing is sent yet. Time counts from `now`.
    pub fn new(layout: Layout, streams: u16, config: Config, now: Duration) -> Precopy {
        let over = Stream {
            over: true,
            ..Stream::default()
        };
        Precopy {
            pending: PageBitmap::none(&layout),
            remaining: 0,
            streams: vec![over; streams.max(1).into()],
            round: 0,
            last: false,
            started: now,
            round_started: now,
            collected: now,
            in_round: Sent::default(),
            total: Sent::default(),
            bandwidth: None,
            dirty_rate: 0,
            convergence: Convergence::default(),
            pacer: Pacer::new(config.bandwidth),
            layout,
            config,
        }
    }

    /// Pages that are to be sent: those that are populated at first, then those that were written
    /// since. What then?
    pub fn collected(&mut self, now: Duration, pages: &PageBitmap) -> Verdict {
        let dirty = self.add(now, pages);
        let situation = Situation {
            rounds: self.round,
            sent: self.in_round.pages(),
            dirty,
            rest: self.rest(),
            late: self.late(now),
        };
        self.convergence.judge(&self.config, situation)
    }

    /// The same when the guest stands still, and no question.
    pub fn collected_last(&mut self, now: Duration, pages: &PageBitmap) {
        self.add(now, pages);
    }

    fn add(&mut self, now: Duration, pages: &PageBitmap) -> u64 {
        let dirty = pages.count();
        if self.round > 0 {
            self.dirty_rate = per_second(dirty, now.saturating_sub(self.collected));
        }
        self.collected = now;
        self.pending.merge(pages);
        self.pending.trim(&self.layout);
        self.remaining = self.pending.count();
        dirty
    }

    /// A round begins: all that is pending is sent, also what an earlier round had not got to.
    pub fn begin_round(&mut self, now: Duration, last: bool) {
        self.round = self.round.saturating_add(1);
        self.last = last;
        self.round_started = now;
        self.in_round = Sent::default();
        for (number, stream) in self.streams.iter_mut().enumerate() {
            *stream = Stream {
                slot: 0,
                word: number,
                over: false,
            };
        }
    }

    /// What stream number `stream` does next.
    pub fn next(&mut self, stream: u16, now: Duration) -> Next {
        let number = usize::from(stream);
        if self.streams.get(number).is_none_or(|stream| stream.over) {
            return Next::Idle;
        }
        if let Some(until) = self.pacer.wait(now).filter(|_| !self.last) {
            return Next::Wait(until);
        }
        if let Some(pick) = self.pick(number) {
            return Next::Pages(pick);
        }
        if let Some(stream) = self.streams.get_mut(number) {
            stream.over = true;
        }
        Next::RoundEnd {
            round: self.round,
            last: self.last,
        }
    }

    fn pick(&mut self, number: usize) -> Option<Pick> {
        let step = self.streams.len();
        let stream = self.streams.get_mut(number)?;
        while let Some(slot) = self.layout.slots().get(stream.slot) {
            let words = self.pending.slot_mut(stream.slot);
            let own = (stream.word..words.len()).step_by(step);
            let Some(first) = own.into_iter().find(|&at| words.get(at) != Some(&0)) else {
                stream.slot += 1;
                stream.word = number;
                continue;
            };
            let (picked, next) = take_words(words, first, step);
            stream.word = next;
            let pages: u32 = picked.iter().map(|word| word.count_ones()).sum();
            self.remaining = self.remaining.saturating_sub(pages.into());
            let first_page = first as u64 * 64;
            return Some(Pick {
                slot: stream.slot,
                first_page,
                words: picked,
                frame: slot.first_frame() + first_page,
            });
        }
        None
    }

    /// A stream has sent a batch.
    pub fn sent(&mut self, now: Duration, sent: Sent) {
        self.in_round.add(sent);
        self.total.add(sent);
        self.pacer.sent(now, sent.bytes);
    }

    /// Whether every stream has said that it has all its pages of the round.
    pub fn all_sent(&self) -> bool {
        self.streams.iter().all(|stream| stream.over)
    }

    /// All pages of the round have arrived.
    pub fn end_round(&mut self, now: Duration) {
        let took = now.saturating_sub(self.round_started);
        let seen = per_second(self.in_round.data_pages * PAGE_SIZE, took);
        let Sent {
            data_pages,
            zero_pages,
            ..
        } = self.in_round;
        // A round of little data is mostly waiting. It may show that more is possible, not less.
        let telling = data_pages >= TELLING_PAGES && data_pages >= zero_pages;
        self.bandwidth = match self.bandwidth {
            Some(known) if !telling => Some(known.max(seen)),
            _ => Some(seen),
        };
    }

    /// Whether the time for all rounds is up.
    pub fn late(&self, now: Duration) -> bool {
        now >= self.deadline()
    }

    /// When the time for all rounds is up.
    pub fn deadline(&self) -> Duration {
        self.started.saturating_add(self.config.timeout)
    }

    /// Number of the round, from 1; 0 before the first.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Time that the pages that are left take; not known before the first round has ended.
    fn rest(&self) -> Option<Duration> {
        let bytes = self.remaining.saturating_mul(PAGE_SIZE);
        match self.bandwidth? {
            _ if bytes == 0 => Some(Duration::ZERO),
            bandwidth => Some(duration_of(bytes, bandwidth)),
        }
    }

    /// For how long the guest would stand still if it stopped now.
    pub fn expected_downtime(&self) -> Option<Duration> {
        let rest = self.rest()?;
        Some(rest.saturating_add(self.config.fixed_cost))
    }

    /// Pages that are yet to be sent.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// What was sent in all rounds.
    pub fn total(&self) -> Sent {
        self.total
    }

    /// Bytes of data pages per second, before packing; not known before the first round has ended.
    pub fn bandwidth(&self) -> Option<u64> {
        self.bandwidth
    }

    /// Pages that the guest wrote per second during the last round.
    pub fn dirty_rate(&self) -> u64 {
        self.dirty_rate
    }

    /// Percent of their time that the CPUs lose.
    pub fn throttle_percent(&self) -> u8 {
        self.convergence.percent()
    }

    /// Guest memory.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How it is copied.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

#[cfg(test)]
#[path = "precopy_test.rs"]
mod tests;
