//! State that moves with a machine: how a part gives it, and takes it from a stranger.

use std::sync::Arc;

use dvs_migration::message::{Part, Piece};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a part has no state to give, or does not take this one.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// KVM refuses.
    #[error(transparent)]
    Kvm(#[from] super::kvm::KvmError),
    /// The state cannot be written down.
    #[error("its state cannot be written down: {0}")]
    Encode(postcard::Error),
    /// The bytes are no state.
    #[error("what the other host sent is no state of it: {0}")]
    Decode(postcard::Error),
    /// The state of something else, or none that it can have.
    #[error("what the other host sent does not fit: {0}")]
    Unfit(String),
    /// Another release wrote it.
    #[error(
        "its state has version {0}, which this release does not know: use the same release on both hosts"
    )]
    Version(u16),
}

/// A part of a machine whose state moves with it. The machine is paused whenever this is asked.
pub trait Persist: Send + Sync {
    /// Version of the form that [`Persist::save`] gives and [`Persist::load`] takes.
    fn version(&self) -> u16 {
        1
    }
    /// Its state. The part can go on afterwards as if nothing had been.
    fn save(&self) -> Result<Vec<u8>, StateError>;
    /// Takes over the state of another machine's part, which nobody has checked.
    fn load(&self, bytes: &[u8]) -> Result<(), StateError>;
}

/// A part by its name.
#[derive(Clone)]
pub struct Named {
    /// What it belongs to.
    pub part: Part,
    /// Which one of them.
    pub name: String,
    /// The part itself.
    pub what: Arc<dyn Persist>,
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.part, self.name)
    }
}

impl Named {
    /// Names a part.
    pub fn new(part: Part, name: &str, what: Arc<dyn Persist>) -> Self {
        Self {
            part,
            name: name.to_owned(),
            what,
        }
    }

    /// Its state as a piece.
    pub fn save(&self) -> Result<Piece, StateError> {
        Ok(Piece {
            part: self.part,
            name: self.name.as_str().into(),
            version: self.what.version(),
            bytes: self.what.save()?,
        })
    }

    /// Whether this is a state of it.
    pub fn is_meant(&self, piece: &Piece) -> bool {
        self.part == piece.part && self.name == piece.name.as_str()
    }

    /// Takes over the state in a piece.
    pub fn load(&self, piece: &Piece) -> Result<(), StateError> {
        if piece.version != self.what.version() {
            return Err(StateError::Version(piece.version));
        }
        self.what.load(&piece.bytes)
    }
}

/// Writes a state down.
pub fn encode<T: Serialize>(state: &T) -> Result<Vec<u8>, StateError> {
    postcard::to_allocvec(state).map_err(StateError::Encode)
}

/// Reads what [`encode`] wrote, all of it. Memory grows with the bytes that are there, not with lengths that they state.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StateError> {
    match postcard::take_from_bytes(bytes).map_err(StateError::Decode)? {
        (state, []) => Ok(state),
        (_, rest) => Err(StateError::Unfit(format!("{} bytes too many", rest.len()))),
    }
}

#[cfg(test)]
#[path = "persist_test.rs"]
mod tests;
