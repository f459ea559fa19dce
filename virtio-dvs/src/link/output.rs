//! What waits to be written to a connection.

use crate::link::config::NOTICE_SLACK;

/// Storage that a connection keeps while nothing waits, in bytes.
const KEPT: usize = 16 << 10;

/// Bytes that wait to be written, up to a limit.
#[derive(Debug)]
pub struct Output {
    storage: Vec<u8>,
    start: usize,
    end: usize,
    limit: usize,
    /// A frame found no room; the next may come when half of the limit is free.
    full: bool,
    /// Something was put in since the last look.
    used: bool,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Output {
    /// Nothing waits. Frames may fill it up to `limit` bytes.
    pub fn new(limit: usize) -> Output {
        Output {
            storage: Vec::new(),
            start: 0,
            end: 0,
            limit,
            full: false,
            used: false,
        }
    }

    /// Frames may fill it up to `limit` bytes from now on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The bytes that wait, oldest first.
    pub fn waiting(&self) -> &[u8] {
        self.storage.get(self.start..self.end).unwrap_or_default()
    }

    /// So many of them have been written.
    pub fn written(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Room for a frame's record of `length` bytes at the end, to be filled in; whatever was in it
    /// is to be overwritten. [`Output::cut`] takes it back. After a refusal there is none before
    /// [`Output::take_room`] has told of it.
    pub fn frame(&mut self, length: usize) -> Result<&mut [u8], Full> {
        if self.full || self.len() + length > self.limit {
            self.full = true;
            return Err(Full);
        }
        self.grow(length).ok_or(Full)
    }

    /// Takes the last `length` bytes back.
    pub fn cut(&mut self, length: usize) {
        self.end = self.end.saturating_sub(length).max(self.start);
    }

    /// Appends a record that must not wait for room.
    pub fn put(&mut self, record: &[u8]) -> Result<(), Full> {
        if self.len() + record.len() > self.limit + NOTICE_SLACK {
            return Err(Full);
        }
        self.grow(record.len()).ok_or(Full)?.copy_from_slice(record);
        Ok(())
    }

    /// Whether a frame that found no room may be tried again; says so once.
    pub fn take_room(&mut self) -> bool {
        let room = self.full && self.len() <= self.limit / 2;
        self.full &= !room;
        room
    }

    /// Gives memory back if nothing has used it since the last call.
    pub fn rest(&mut self) {
        if !std::mem::take(&mut self.used) && self.is_empty() && self.storage.len() > KEPT {
            self.storage = Vec::new();
        }
    }

    fn grow(&mut self, length: usize) -> Option<&mut [u8]> {
        self.used = true;
        if self.end + length > self.storage.len() {
            // Half of the limit is free before this comes again, so that each byte moves once.
            self.storage.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.len());
            let wanted = (self.end + length).next_power_of_two();
            let most = self.limit + NOTICE_SLACK;
            if self.storage.len() < self.end + length {
                self.storage.resize(wanted.min(most), 0);
            }
        }
        let start = self.end;
        self.end += length;
        self.storage.get_mut(start..self.end)
    }
}

#[cfg(test)]
#[path = "output_test.rs"]
mod tests;
