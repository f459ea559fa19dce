//! Pages between guest memory and the bytes of a batch.

use std::sync::atomic::{AtomicU64, Ordering};

use dvs_migration::layout::{Layout, PAGE_SIZE};
use dvs_migration::pages::{BATCH_PAGES, Batch, Compression, Content, Run};
use vm_memory::{Bytes, GuestAddress};

use crate::machine::memory::GuestMemory;

const PAGE: usize = 4096;

/// Room for the contents of one batch, and for the same packed.
#[derive(Debug)]
pub struct Buffer {
    plain: Vec<u8>,
    packed: Vec<u8>,
}

/// Why the contents of a batch cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Not memory of this machine.
    #[error("page {0:#x} is no guest memory")]
    Memory(u64),
    /// Packed bytes that are not what they should be.
    #[error("the packed contents of a batch are damaged")]
    Damaged,
}

impl Buffer {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            plain: vec![0; BATCH_PAGES as usize * PAGE],
            packed: Vec::new(),
        }
    }

    /// Copies pages out of guest memory; gives the batch and the bytes that follow it.
    pub fn fill(
        &mut self,
        memory: &GuestMemory,
        runs: Vec<Run>,
        compression: Compression,
    ) -> Result<(Batch, &[u8]), PackError> {
        let mut filled = 0;
        let mut missing = None;
        let plain = &mut self.plain;
        let mut batch = Batch::sort(runs, |frame| {
            let Some(page) = plain.get_mut(filled..filled + PAGE) else {
                missing = Some(frame);
                return true;
            };
            if memory
                .read_slice(page, GuestAddress(frame * PAGE_SIZE))
                .is_err()
            {
                missing = Some(frame);
            }
            let zero = is_zero(page);
            filled += if zero { 0 } else { PAGE };
            zero
        });
        if let Some(frame) = missing {
            return Err(PackError::Memory(frame));
        }
        let plain = self.plain.get(..filled).unwrap_or_default();
        if compression == Compression::Lz4 && filled > 0 {
            self.packed
                .resize(lz4_flex::block::get_maximum_output_size(filled), 0);
            if let Ok(size) = lz4_flex::block::compress_into(plain, &mut self.packed)
                && size < filled
            {
                batch.compression = Compression::Lz4;
                batch.payload = u32::try_from(size).unwrap_or(u32::MAX);
                return Ok((batch, self.packed.get(..size).unwrap_or_default()));
            }
        }
        Ok((batch, plain))
    }

    /// Room for the bytes that follow a batch, which has been checked.
    pub fn room(&mut self, batch: &Batch) -> &mut [u8] {
        let size = batch.payload as usize;
        if batch.compression == Compression::None {
            return self.plain.get_mut(..size).unwrap_or_default();
        }
        self.packed.resize(size, 0);
        &mut self.packed
    }

    /// Copies what has come into guest memory.
    pub fn apply(
        &mut self,
        batch: &Batch,
        memory: &GuestMemory,
        touched: &Touched,
    ) -> Result<(), PackError> {
        let size = batch.data_pages() as usize * PAGE;
        if batch.compression != Compression::None {
            let plain = self.plain.get_mut(..size).ok_or(PackError::Damaged)?;
            match lz4_flex::block::decompress_into(&self.packed, plain) {
                Ok(unpacked) if unpacked == size => {}
                _ => return Err(PackError::Damaged),
            }
        }
        let mut pages = self
            .plain
            .get(..size)
            .unwrap_or_default()
            .chunks_exact(PAGE);
        for run in &batch.runs {
            for frame in run.frames() {
                let known = touched.mark(frame, run.content == Content::Data);
                let page: &[u8] = match run.content {
                    Content::Data => pages.next().ok_or(PackError::Damaged)?,
                    // What nobody has written to is zero.
                    Content::Zero if !known => continue,
                    Content::Zero => &[0; PAGE],
                };
                let written = memory.write_slice(page, GuestAddress(frame * PAGE_SIZE));
                written.map_err(|_| PackError::Memory(frame))?;
            }
        }
        Ok(())
    }
}

fn is_zero(page: &[u8]) -> bool {
    // Without an exit inside of a chunk, so that many bytes are looked at at once.
    let empty = |chunk: &[u8]| chunk.iter().fold(0, |all, byte| all | byte) == 0;
    page.chunks(256).all(empty)
}

/// The pages that hold something else than zeros, as far as anybody has written to them here.
#[derive(Debug)]
pub struct Touched(Vec<AtomicU64>);

impl Touched {
    /// No page of this memory.
    pub fn none(layout: &Layout) -> Self {
        let end = layout.slots().last();
        let frames = end.map_or(0, |slot| slot.first_frame() + slot.pages());
        let words = usize::try_from(frames.div_ceil(64)).unwrap_or(0);
        Self((0..words).map(|_| AtomicU64::new(0)).collect())
    }

    /// Notes what a page holds; gives whether it may have held something before.
    fn mark(&self, frame: u64, data: bool) -> bool {
        let word = usize::try_from(frame / 64).ok();
        let Some(word) = word.and_then(|word| self.0.get(word)) else {
            return true;
        };
        let bit = 1 << (frame % 64);
        let before = if data {
            word.fetch_or(bit, Ordering::Relaxed)
        } else {
            word.fetch_and(!bit, Ordering::Relaxed)
        };
        before & bit != 0
    }
}

#[cfg(test)]
#[path = "pack_test.rs"]
mod tests;
