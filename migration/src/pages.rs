//! What goes over the data streams: pages in batches, and the ends of rounds.
//!
//! A batch is a section with the runs of pages that it holds, and behind the section the contents
//! of the data pages as raw bytes, which the reader can take straight into guest memory. Zero pages
//! are named only. A page always travels on the same stream, so a later copy of it cannot be
//! overtaken by an earlier one.

use crate::layout::{Layout, PAGE_SIZE};
use crate::message::{Message, MessageError, decode, encode};
use crate::stream::{Known, Section};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most pages of a batch.
pub const BATCH_PAGES: u32 = 512;
/// Most data streams.
pub const MAX_STREAMS: u16 = 64;

/// How the contents of a batch are packed. The packing itself is left to whoever has the bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// As one LZ4 block.
    Lz4,
    /// As one zstd frame.
    Zstd,
}

/// What a run of pages holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Content {
    /// Bytes, which follow the batch.
    Data,
    /// Zeros, which do not.
    Zero,
}

/// Pages in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Run {
    /// Number of the first page in guest physical memory.
    pub frame: u64,
    /// How many, at least 1.
    pub pages: u32,
    /// What they hold.
    pub content: Content,
}

/// Some pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Batch {
    /// Which pages, in the order in which their contents follow.
    pub runs: Vec<Run>,
    /// How the contents are packed.
    pub compression: Compression,
    /// Bytes of the contents behind this section.
    pub payload: u32,
}

/// Why a batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BatchError {
    /// No pages, or too many.
    #[error("a batch of {0} pages; there must be 1 to {BATCH_PAGES}")]
    Pages(u64),
    /// They are not guest memory.
    #[error("pages from number {frame:#x} on, {pages} of them, which are not guest memory", frame = .0.frame, pages = .0.pages)]
    Outside(Run),
    /// Packed in a way that was not agreed on.
    #[error("a batch is packed with {0:?}, which was not agreed on")]
    Compression(Compression),
    /// The contents do not have the length of their pages, or packing has made them longer.
    #[error("a batch has {payload} bytes for {data} pages of data")]
    Payload {
        /// Bytes announced.
        payload: u32,
        /// Pages of data.
        data: u32,
    },
}

impl Batch {
    /// A batch of these pages, a run for each stretch of the same content; `runs` says which pages,
    /// whatever content it names, and `zero` looks at a page.
    pub fn sort(runs: impl IntoIterator<Item = Run>, mut zero: impl FnMut(u64) -> bool) -> Batch {
        let mut batch = Batch::default();
        for frame in runs.into_iter().flat_map(|run| run.frames()) {
            let content = if zero(frame) {
                Content::Zero
            } else {
                Content::Data
            };
            batch.push(frame, content);
        }
        batch.payload = batch.data_pages().saturating_mul(PAGE_BYTES);
        batch
    }

    fn push(&mut self, frame: u64, content: Content) {
        match self.runs.last_mut() {
            Some(run) if run.content == content && run.end() == Some(frame) => run.pages += 1,
            _ => self.runs.push(Run {
                frame,
                pages: 1,
                content,
            }),
        }
    }

    /// Pages whose contents follow.
    pub fn data_pages(&self) -> u32 {
        self.pages(Content::Data)
    }

    /// Pages that are zero.
    pub fn zero_pages(&self) -> u32 {
        self.pages(Content::Zero)
    }

    fn pages(&self, content: Content) -> u32 {
        let runs = self.runs.iter().filter(|run| run.content == content);
        runs.fold(0, |sum, run| sum.saturating_add(run.pages))
    }

    /// Whether the pages are memory of this layout and the lengths are possible, so that whoever
    /// reads it knows that at most [`BATCH_PAGES`] pages follow, packed or not.
    ///
    /// # Errors
    /// [`BatchError`], which ends the migration.
    pub fn check(&self, layout: &Layout, agreed: Compression) -> Result<(), BatchError> {
        let pages: u64 = self.runs.iter().map(|run| u64::from(run.pages)).sum();
        if pages == 0 || pages > BATCH_PAGES.into() {
            return Err(BatchError::Pages(pages));
        }
        for run in &self.runs {
            let end = run.end().filter(|_| run.pages > 0);
            if !end.is_some_and(|end| layout.has(&(run.frame..end))) {
                return Err(BatchError::Outside(*run));
            }
        }
        let (payload, data) = (self.payload, self.data_pages());
        let unpacked = data.saturating_mul(PAGE_BYTES);
        let possible = match self.compression {
            Compression::None => payload == unpacked,
            packed if packed != agreed => return Err(BatchError::Compression(packed)),
            // Whatever does not get shorter is sent as it is.
            Compression::Lz4 | Compression::Zstd => payload > 0 && payload < unpacked,
        };
        if possible {
            Ok(())
        } else {
            Err(BatchError::Payload { payload, data })
        }
    }
}

impl Run {
    /// The numbers of its pages.
    pub fn frames(&self) -> std::ops::Range<u64> {
        self.frame..self.frame.saturating_add(self.pages.into())
    }

    fn end(&self) -> Option<u64> {
        self.frame.checked_add(self.pages.into())
    }
}

#[allow(clippy::cast_possible_truncation)] // 4096
const PAGE_BYTES: u32 = PAGE_SIZE as u32;

/// Ties the streams of one attempt together. Chosen at random by the source, so that nobody else
/// can join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attempt(pub [u8; 16]);

/// A section of a data stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// The first one: which stream it is.
    Join {
        /// Of which attempt.
        attempt: Attempt,
        /// Number of the stream, from 0.
        stream: u16,
    },
    /// Pages; their contents follow the section.
    Batch(Batch),
    /// This stream has all its pages of a round.
    RoundEnd {
        /// Number of the round.
        round: u32,
        /// Nothing follows: the machine stands still and this was all.
        last: bool,
    },
}

const JOIN: u16 = 32;
const BATCH: u16 = 33;
const ROUND_END: u16 = 34;

impl Message for Data {
    const KNOWN: &'static [Known] = &[
        Known::v1(JOIN, 64),
        // A run takes at most 16 bytes.
        Known::v1(BATCH, 16 * BATCH_PAGES + 64),
        Known::v1(ROUND_END, 16),
    ];

    fn section(&self) -> Result<Section, MessageError> {
        match self {
            Data::Join { attempt, stream } => encode(JOIN, &(attempt, stream)),
            Data::Batch(batch) => encode(BATCH, batch),
            Data::RoundEnd { round, last } => encode(ROUND_END, &(round, last)),
        }
    }

    fn read(section: &Section) -> Result<Data, MessageError> {
        match section.kind {
            JOIN => decode(section).map(|(attempt, stream)| Data::Join { attempt, stream }),
            BATCH => decode(section).map(Data::Batch),
            ROUND_END => decode(section).map(|(round, last)| Data::RoundEnd { round, last }),
            kind => Err(MessageError::Misplaced(kind)),
        }
    }
}

#[cfg(test)]
#[path = "pages_test.rs"]
mod tests;
