//! LZ4 for bulk frames, where it pays.

use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size,
};

/// Payloads shorter than this are not worth it, in bytes.
const SHORTEST: usize = 512;
/// Frames that are left alone after a row of failures, at most.
const SKIP_MAX: u32 = 256;

/// Decides by what happened to earlier frames of a connection whether to try the next.
#[derive(Debug, Default)]
pub struct Trying {
    /// Frames to leave alone after the next failure.
    skip: u32,
    /// Frames still to leave alone.
    left: u32,
}

impl Trying {
    /// Whether to try to compress this payload.
    pub fn wants(&mut self, payload: usize) -> bool {
        if payload < SHORTEST {
            return false;
        }
        let now = self.left == 0;
        self.left = self.left.saturating_sub(1);
        now
    }

    /// Whether it paid.
    pub fn tried(&mut self, paid: bool) {
        if paid {
            self.skip = 0;
        } else {
            self.skip = (self.skip * 2).clamp(4, SKIP_MAX);
            self.left = self.skip;
        }
    }
}

/// Compresses and decompresses, with memory for one payload.
pub struct Packer {
    table: CompressTable,
    scratch: Vec<u8>,
    payload_max: usize,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    /// For payloads of at most `payload_max` bytes.
    pub fn new(payload_max: usize) -> Packer {
        Packer {
            table: CompressTable::large(),
            scratch: vec![0; get_maximum_output_size(payload_max)],
            payload_max,
        }
    }

    /// The compressed form, if it saves at least an eighth.
    pub fn pack(&mut self, payload: &[u8]) -> Option<&[u8]> {
        let length = compress_into_with_table(payload, &mut self.scratch, &mut self.table).ok()?;
        let most = payload.len() - payload.len() / 8;
        (length <= most).then(|| self.scratch.get(..length))?
    }

    /// What was compressed, if it has exactly `length` bytes.
    pub fn unpack(&mut self, packed: &[u8], length: usize) -> Option<&[u8]> {
        if length > self.payload_max {
            return None;
        }
        let into = self.scratch.get_mut(..length)?;
        let got = decompress_into(packed, into).ok()?;
        (got == length).then_some(into)
    }
}

#[cfg(test)]
#[path = "packing_test.rs"]
mod tests;
