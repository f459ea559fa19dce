//! Pages on their way from the bitmap to a stream.

use crate::pages::{BATCH_PAGES, Content, Run};
use std::time::Duration;

/// Words of a bitmap that a [`Pick`] spans at most: 1 GiB of guest memory.
const SPAN_WORDS: usize = 4096;

/// Pages for one batch: at most [`BATCH_PAGES`], all of one slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pick {
    /// Number of the slot in the layout.
    pub slot: usize,
    /// First page of the slot that `words` tells of, a multiple of 64.
    pub first_page: u64,
    /// The pages, as KVM's call to clear them in its log has them.
    pub words: Vec<u64>,
    /// Number of `first_page` in guest physical memory.
    pub(super) frame: u64,
}

impl Pick {
    /// The pages in stretches, for [`Batch::sort`](crate::pages::Batch::sort).
    pub fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (word, base) in self.words.iter().zip((self.frame..).step_by(64)) {
            let mut left = *word;
            while left != 0 {
                let skip = left.trailing_zeros();
                let pages = (left >> skip).trailing_ones();
                let mask = if pages == 64 { !0 } else { (1 << pages) - 1 };
                left &= !(mask << skip);
                let frame = base + u64::from(skip);
                match runs.last_mut() {
                    Some(run) if run.frames().end == frame => run.pages += pages,
                    _ => runs.push(Run {
                        frame,
                        pages,
                        content: Content::Data,
                    }),
                }
            }
        }
        runs
    }
}

/// What a stream does next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Next {
    /// Send these pages, then say so.
    Pages(Pick),
    /// Ask again then: the bandwidth is capped.
    Wait(Duration),
    /// Say that this stream has all its pages of the round, then wait for the next round.
    RoundEnd {
        /// Number of the round.
        round: u32,
        /// There is no next one.
        last: bool,
    },
    /// Wait for the next round.
    Idle,
}

/// What was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Sent {
    /// Pages with contents.
    pub data_pages: u64,
    /// Pages that were zero.
    pub zero_pages: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

impl Sent {
    /// Pages of both kinds.
    pub const fn pages(&self) -> u64 {
        self.data_pages.saturating_add(self.zero_pages)
    }

    pub(crate) fn add(&mut self, more: Sent) {
        self.data_pages = self.data_pages.saturating_add(more.data_pages);
        self.zero_pages = self.zero_pages.saturating_add(more.zero_pages);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

/// Takes every `step`th word from `first` on, up to a batch; gives them, with what is between them
/// left empty, and where to go on.
pub(super) fn take_words(words: &mut [u64], first: usize, step: usize) -> (Vec<u64>, usize) {
    let (mut picked, mut pages) = (Vec::new(), 0);
    let end = words.len().min(first.saturating_add(SPAN_WORDS));
    let mut next = first;
    while next < end {
        let Some(word) = words.get_mut(next) else {
            break;
        };
        pages += word.count_ones();
        if pages > BATCH_PAGES {
            break;
        }
        if *word != 0 {
            picked.resize(next - first, 0);
            picked.push(std::mem::take(word));
        }
        next += step;
    }
    (picked, next)
}
