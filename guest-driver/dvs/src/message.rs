//! Addresses, messages and requests.

use std::fmt;

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::sys;

/// An endpoint, of this VM or another one of its distributed container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Its number.
    pub number: i32,
    /// Which of those bound to the number over time; 0: whichever is now.
    pub generation: u32,
}

impl std::convert::From<i32> for Address {
    /// Whichever endpoint is bound to the number now.
    fn from(number: i32) -> Self {
        Self {
            number,
            generation: 0,
        }
    }
}

/// From any endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Any;

/// From whom to receive.
#[derive(Clone, Copy, Debug)]
pub struct From(pub(crate) Address);

impl std::convert::From<Any> for From {
    fn from(_: Any) -> Self {
        Self(sys::ADDR_ANY.into())
    }
}

impl<T: Into<Address>> std::convert::From<T> for From {
    fn from(address: T) -> Self {
        Self(address.into())
    }
}

/// The bytes of a message, and who sent it.
#[derive(Clone)]
pub struct Message {
    pub(crate) from: Address,
    pub(crate) length: usize,
    pub(crate) buffer: [u8; sys::MESSAGE_MAX],
}

impl Message {
    /// Who sent it.
    pub fn from(&self) -> Address {
        self.from
    }

    /// What was sent.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
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

/// A message whose sender waits for an answer (it called sendrec).
#[derive(Debug)]
#[must_use = "the sender waits until the request is answered"]
pub struct Request<'e> {
    pub(crate) endpoint: &'e Endpoint,
    pub(crate) message: Message,
    pub(crate) token: u64,
}

impl Request<'_> {
    /// What was asked.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Answers; the sender's call ends with these bytes. Does not wait for the sender.
    ///
    /// # Errors
    /// [`Error::NotWaiting`] or [`Error::DestinationDied`] if the sender has left in the
    /// meantime; [`Error::MessageSize`].
    pub fn answer(self, bytes: &[u8]) -> Result<(), Error> {
        loop {
            match self.endpoint.reply_to(self.message.from, self.token, bytes) {
                // Only the way out was full, so nothing has been sent yet.
                Err(Error::Interrupted) => {}
                result => return result,
            }
        }
    }
}

/// What a receive got.
#[derive(Debug)]
pub enum Received<'e> {
    /// By send; its sender does not wait any more.
    Message(Message),
    /// By sendrec; its sender waits for [`Request::answer`].
    Request(Request<'e>),
    /// By notify, from this endpoint, one or more times.
    Notification(Address),
}
