//! What a VMM asks whose VM moves.

use super::{FEATURES, Session};
use crate::device::log::{LogBits, LogError};
use crate::device::refusal::Refusal;
use crate::device::state::{StateError, Transfer};
use std::fs::File;
use vhost::vhost_user::message::{VhostTransferStateDirection, VhostUserLog};

impl Session {
    /// Notes what is written in this log. It is in use when this returns, and an earlier one is not.
    pub(super) fn use_log(&mut self, log: &VhostUserLog, file: File) -> Result<(), Refusal> {
        let (offset, size) = (log.mmap_offset, log.mmap_size);
        let bits = LogBits::map(file, offset, size, self.allow_unsealed)?;
        let end = self.memory.end();
        if !bits.covers(end) {
            return Err(LogError::TooSmall(end).into());
        }
        self.command(move |fabric, port, id| fabric.set_log(port, id, bits))
    }

    /// Begins to send or to receive the state of the device.
    pub(super) fn begin_transfer(
        &mut self,
        direction: VhostTransferStateDirection,
        pipe: File,
    ) -> Result<Transfer, Refusal> {
        if direction == VhostTransferStateDirection::LOAD {
            return Ok(Transfer::receive(pipe)?);
        }
        let state = self.command(|fabric, port, id| fabric.save_state(port, id))?;
        Ok(Transfer::send(pipe, &state)?)
    }

    /// The transfer is over; a state that came is taken.
    pub(super) fn end_transfer(&mut self) -> Result<(), Refusal> {
        let Some(state) = std::mem::take(&mut self.transfer).end()? else {
            return Ok(());
        };
        let unknown = state.features.get() & !FEATURES;
        if unknown != 0 {
            return Err(StateError::Features(unknown).into());
        }
        self.command(move |fabric, port, id| fabric.load_state(port, id, &state))
    }
}
