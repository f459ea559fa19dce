//! What has come so far.

use crate::message::{MAX_PIECES, MAX_STATE, Piece};
use crate::precopy::Sent;
use thiserror::Error;

/// Why a data stream is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JoinError {
    /// It belongs to another attempt, or comes at the wrong time.
    #[error("a data stream that belongs to no migration that is under way here")]
    Stranger,
    /// There is no such stream, or it is there already.
    #[error("a data stream with number {0}, which is not expected")]
    Number(u16),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Stream {
    joined: bool,
    round: u32,
    last: bool,
}

/// Pages and state that have come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Received {
    streams: Vec<Stream>,
    /// The round that all streams have ended.
    round: u32,
    pieces: Vec<Piece>,
    size: usize,
    pages: Sent,
}

impl Received {
    /// So many streams will come.
    pub fn expect(&mut self, streams: u16) {
        self.streams = vec![Stream::default(); streams.into()];
    }

    /// Stream number `number` is there.
    pub fn join(&mut self, number: u16) -> Result<(), JoinError> {
        match self.streams.get_mut(usize::from(number)) {
            Some(stream) if !stream.joined => {
                stream.joined = true;
                Ok(())
            }
            _ => Err(JoinError::Number(number)),
        }
    }

    /// A stream has ended a round. Gives the round that all have ended now, if that is another than
    /// before, or nothing at all if it cannot be.
    pub fn round_ended(&mut self, number: u16, round: u32, last: bool) -> Option<Option<u32>> {
        let stream = self.streams.get_mut(usize::from(number))?;
        if !stream.joined || stream.last || round <= stream.round {
            return None;
        }
        stream.round = round;
        stream.last = last;
        let all = self.streams.iter().map(|stream| stream.round).min()?;
        let more = all > self.round;
        self.round = all;
        Some(more.then_some(all))
    }

    /// The round that all streams have ended, if none of them goes on.
    pub fn complete(&self) -> Option<u32> {
        let all = self.streams.iter().all(|stream| stream.last);
        all.then_some(self.round)
    }

    /// The last round that all streams have ended.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Keeps a piece of state; `false` if it becomes too much.
    pub fn keep(&mut self, piece: Piece) -> bool {
        self.size = self.size.saturating_add(piece.size());
        let fits = self.size <= MAX_STATE && self.count() < MAX_PIECES;
        if fits {
            self.pieces.push(piece);
        }
        fits
    }

    /// How many pieces.
    pub fn count(&self) -> u32 {
        u32::try_from(self.pieces.len()).unwrap_or(u32::MAX)
    }

    /// All pieces in the order in which they are loaded.
    pub fn pieces(&mut self) -> Vec<Piece> {
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.sort_by_key(|piece| piece.part);
        pieces
    }

    /// Pages have come.
    pub fn add(&mut self, sent: Sent) {
        self.pages.add(sent);
    }

    /// Pages that have come.
    pub fn pages(&self) -> Sent {
        self.pages
    }
}
