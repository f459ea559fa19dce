//! Why a message of a VMM is refused.

use crate::device::fabric::SessionError;
use crate::device::log::LogError;
use crate::device::memory::MemoryError;
use crate::device::remote::Stopped;
use crate::device::ring::RingError;
use crate::device::state::StateError;
use std::io;
use thiserror::Error;
use vhost::vhost_user::Error as ProtocolError;

/// Why a message is refused.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error("the connection fails: {0}")]
    Socket(io::Error),
    #[error("queue {queue}: {error}")]
    Ring { queue: usize, error: RingError },
    #[error("features {0:#x} were not offered")]
    Features(u64),
    #[error("protocol features {0:#x} were not offered")]
    ProtocolFeatures(u64),
    #[error("queue {0} has no kick descriptor; polling is not supported")]
    NoKick(usize),
    #[error("{0} is not supported")]
    Unsupported(&'static str),
}

impl From<Refusal> for ProtocolError {
    fn from(refusal: Refusal) -> ProtocolError {
        ProtocolError::ReqHandlerError(io::Error::other(refusal.to_string()))
    }
}
