//! What a receive gets.

use std::fmt;

use crate::abi;
use crate::address::Address;
use crate::request::Request;

/// The bytes of a message, and who sent it.
#[derive(Clone)]
pub struct Message {
    from: Address,
    length: usize,
    buffer: [u8; abi::MESSAGE_MAX],
}

impl Message {
    /// Room for one.
    pub(crate) fn empty() -> Self {
        Self {
            from: Address {
                number: abi::ADDR_NONE,
                generation: 0,
            },
            length: 0,
            buffer: [0; abi::MESSAGE_MAX],
        }
    }

    /// Where a call receives it; [`Self::came`] if the call has succeeded.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.length = 0;
        &mut self.buffer
    }

    pub(crate) fn came(&mut self, io: &abi::Io) {
        self.from = Address {
            number: io.from,
            generation: io.from_generation,
        };
        self.length = (io.recv_len as usize).min(self.buffer.len());
    }

    /// Who sent it.
    pub fn from(&self) -> Address {
        self.from
    }

    /// What was sent.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("from", &self.from)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Something happened at another endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Who notified, one or more times.
    pub from: Address,
    /// What it gave the last time; −1 if it gave nothing.
    pub value: i64,
}

/// What a receive got.
#[derive(Debug)]
pub enum Received<'e> {
    /// By send; its sender does not wait any more.
    Message(Message),
    /// By sendrec; its sender waits for [`Request::answer`].
    Request(Request<'e>),
    /// By notify.
    Notification(Notification),
}

#[cfg(test)]
#[path = "message_test.rs"]
mod tests;
