//! What client and server say to each other.

use dvs::{GrantKey, MESSAGE_MAX};

/// Bytes of a key at most.
pub const KEY_MAX: usize = MESSAGE_MAX - 1 - GrantKey::SIZE;

const PUT: u8 = 1;
const GET: u8 = 2;
const DELETE: u8 = 3;

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Store what was lent; nothing, if nothing was.
    Put(Option<GrantKey>),
    /// Copy the value to what was lent, if there is room.
    Get(Option<GrantKey>),
    /// Remove the value.
    Delete,
}

fn name(grant: Option<GrantKey>) -> [u8; GrantKey::SIZE] {
    grant.map_or([0; GrantKey::SIZE], GrantKey::to_bytes)
}

/// A request: an action on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'k> {
    /// What to do.
    pub action: Action,
    /// With which.
    pub key: &'k [u8],
}

impl<'k> Request<'k> {
    /// As a message.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MESSAGE_MAX);
        match self.action {
            Action::Put(grant) => {
                bytes.push(PUT);
                bytes.extend(name(grant));
            }
            Action::Get(grant) => {
                bytes.push(GET);
                bytes.extend(name(grant));
            }
            Action::Delete => bytes.push(DELETE),
        }
        bytes.extend(self.key);
        bytes
    }

    /// Of a message; None: it makes no sense.
    pub fn decode(bytes: &'k [u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (action, key) = match *kind {
            PUT | GET => {
                let (grant, key) = rest.split_first_chunk()?;
                let grant = GrantKey::from_bytes(*grant);
                let action = match *kind {
                    PUT => Action::Put(grant),
                    _ => Action::Get(grant),
                };
                (action, key)
            }
            DELETE => (Action::Delete, rest),
            _ => return None,
        };
        Some(Self { action, key })
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done; the value has (Put, Get) or had (Delete) so many bytes.
    Done(u64),
    /// There is no such key.
    NotFound,
    /// The value has so many bytes, more than were lent.
    NoRoom(u64),
    /// The server keeps no more than it does.
    Full,
    /// The request makes no sense, or the copy failed.
    Refused,
}

impl Reply {
    /// Bytes of a reply.
    pub const SIZE: usize = 9;

    /// As a message.
    pub fn encode(self) -> [u8; Self::SIZE] {
        let (kind, size) = match self {
            Self::Done(size) => (0, size),
            Self::NotFound => (1, 0),
            Self::NoRoom(size) => (2, size),
            Self::Full => (3, 0),
            Self::Refused => (4, 0),
        };
        let mut bytes = [kind; Self::SIZE];
        bytes[1..].copy_from_slice(&size.to_le_bytes());
        bytes
    }

    /// Of a message; None: it makes no sense.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, size) = bytes.split_first()?;
        let size = u64::from_le_bytes(size.try_into().ok()?);
        Some(match *kind {
            0 => Self::Done(size),
            1 => Self::NotFound,
            2 => Self::NoRoom(size),
            3 => Self::Full,
            4 => Self::Refused,
            _ => return None,
        })
    }
}

#[cfg(test)]
#[path = "protocol_test.rs"]
mod tests;
