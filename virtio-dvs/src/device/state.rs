//! What one node tells another about a device that moves.
//!
//! Little is needed. Who the VM is stands in the directory, what waits in the rings in the guest's
//! memory, and RETRY(all) makes up for whatever else a node knows.

use crate::spec::QUEUE_COUNT;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::FileTypeExt;
use thiserror::Error;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const MAGIC: [u8; 4] = *b"DVSP";
const VERSION: u32 = 1;

/// Why the state of a device is refused.
#[derive(Debug, Error)]
pub enum StateError {
    /// Nothing blocks on a pipe that is told not to.
    #[error("the state's descriptor is not a pipe")]
    NoPipe,
    /// The pipe failed.
    #[error("the pipe for the state: {0}")]
    Pipe(#[from] io::Error),
    /// The other side has not closed the pipe.
    #[error("the state is not complete: its pipe is still open")]
    Incomplete,
    /// No state was sent or asked for.
    #[error("no state is being transferred")]
    NoTransfer,
    /// It is something else.
    #[error("what came is not the state of a virtio-dvs device")]
    Foreign,
    /// It is of another release.
    #[error("the state has version {0}; this node understands {VERSION}")]
    Version(u32),
    /// The guest uses what this node does not have.
    #[error("the guest uses features {0:#x}, which this node does not have")]
    Features(u64),
    /// It belongs to somebody else.
    #[error("it is the state of VM {vm} in life {incarnation}, not of this one")]
    OtherVm {
        /// The VM.
        vm: u32,
        /// Its life.
        incarnation: u32,
    },
    /// The rings are in use.
    #[error("the queues are in use; stop them with GET_VRING_BASE first")]
    InUse,
}

/// Bytes of the state; a pipe takes them at once, so whoever writes them waits for nobody.
const SIZE: usize = size_of::<DeviceState>();

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
struct Head {
    magic: [u8; 4],
    version: U32,
}

/// A device between two nodes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct DeviceState {
    head: Head,
    /// The VM.
    pub vm: U32,
    /// Its life.
    pub incarnation: U32,
    /// Features that its guest uses.
    pub features: U64,
    /// The entry of each ring that is taken next.
    pub bases: [U16; QUEUE_COUNT],
}

impl DeviceState {
    /// The state of the device of `vm`.
    pub fn new(vm: u32, incarnation: u32, features: u64, bases: [u16; QUEUE_COUNT]) -> DeviceState {
        DeviceState {
            head: Head {
                magic: MAGIC,
                version: VERSION.into(),
            },
            vm: vm.into(),
            incarnation: incarnation.into(),
            features: features.into(),
            bases: bases.map(U16::new),
        }
    }

    /// Reads what another node wrote.
    pub fn parse(bytes: &[u8]) -> Result<DeviceState, StateError> {
        let (head, _) = Head::read_from_prefix(bytes).map_err(|_| StateError::Foreign)?;
        if head.magic != MAGIC {
            return Err(StateError::Foreign);
        }
        if head.version.get() != VERSION {
            return Err(StateError::Version(head.version.get()));
        }
        DeviceState::read_from_bytes(bytes).map_err(|_| StateError::Foreign)
    }
}

/// A transfer between the VMM and this node: a pipe, and then the question whether it went well.
#[derive(Debug, Default)]
pub enum Transfer {
    /// None.
    #[default]
    Idle,
    /// The state is in the pipe.
    Sent,
    /// The VMM puts a state into this pipe.
    Awaited(File),
}

impl Transfer {
    /// Puts `state` into the VMM's pipe and closes it.
    pub fn send(pipe: File, state: &DeviceState) -> Result<Transfer, StateError> {
        let mut pipe = without_waiting(pipe)?;
        pipe.write_all(state.as_bytes())?;
        Ok(Transfer::Sent)
    }

    /// Awaits a state from the VMM's pipe.
    pub fn receive(pipe: File) -> Result<Transfer, StateError> {
        without_waiting(pipe).map(Transfer::Awaited)
    }

    /// Ends the transfer; gives the state that came, if one was awaited. The VMM has closed its end.
    pub fn end(self) -> Result<Option<DeviceState>, StateError> {
        let mut pipe = match self {
            Transfer::Idle => return Err(StateError::NoTransfer),
            Transfer::Sent => return Ok(None),
            Transfer::Awaited(pipe) => pipe,
        };
        // One byte more than there may be.
        let mut bytes = [0; SIZE + 1];
        let mut count = 0;
        while let Some(rest) = bytes.get_mut(count..).filter(|rest| !rest.is_empty()) {
            match pipe.read(rest) {
                Ok(0) => break,
                Ok(read) => count += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(StateError::Incomplete);
                }
                Err(error) => return Err(error.into()),
            }
        }
        DeviceState::parse(bytes.get(..count).unwrap_or_default()).map(Some)
    }
}

/// Checks that it is a pipe and that nothing will wait for its other end.
fn without_waiting(pipe: File) -> Result<File, StateError> {
    if !pipe.metadata()?.file_type().is_fifo() {
        return Err(StateError::NoPipe);
    }
    rustix::io::ioctl_fionbio(&pipe, true).map_err(io::Error::from)?;
    Ok(pipe)
}

#[cfg(test)]
#[path = "state_test.rs"]
mod tests;
