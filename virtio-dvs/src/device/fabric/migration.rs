//! A device whose VM moves: what it writes is noted, its rings are drained, its state is handed over.

use super::*;
use crate::device::log::LogBits;
use crate::device::ring::Ring;
use crate::device::state::{DeviceState, StateError};
use zerocopy::little_endian::U16;

impl Fabric {
    /// Stops a ring; gives the index of the entry that would be taken next. When this returns, the
    /// ring is not touched any more.
    pub fn stop_ring(
        &mut self,
        id: PortId,
        session: SessionId,
        queue: usize,
    ) -> Result<u16, SessionError> {
        let device = self.device_mut_of(id, session)?;
        let ring = device
            .rings
            .get_mut(queue)
            .ok_or(SessionError::NoQueue(queue))?;
        ring.stop();
        let base = ring.base();
        let kick = ring.take_kick();
        self.unwatch(kick);
        self.update(id)?;
        Ok(base)
    }

    /// Notes in these bits what is written into the guest's memory, while VHOST_F_LOG_ALL is set.
    pub fn set_log(
        &mut self,
        id: PortId,
        session: SessionId,
        bits: LogBits,
    ) -> Result<(), SessionError> {
        let device = self.device_mut_of(id, session)?;
        device.memory.log().replace(bits);
        self.update(id)
    }

    /// What another node must know to go on with the device. Its rings are stopped.
    pub fn save_state(&self, id: PortId, session: SessionId) -> Result<DeviceState, SessionError> {
        let device = self.device_of(id, session)?;
        check_stopped(device)?;
        let config = self.switch.config(id).ok_or(SessionError::Detached)?;
        let bases = device.rings.each_ref().map(Ring::base);
        let (vm, incarnation) = (config.vm.get(), config.incarnation.get());
        Ok(DeviceState::new(vm, incarnation, device.features, bases))
    }

    /// Goes on with the device of another node. Memory and rings are set up as at any start.
    pub fn load_state(
        &mut self,
        id: PortId,
        session: SessionId,
        state: &DeviceState,
    ) -> Result<(), SessionError> {
        let config = self.config(id, session)?;
        if (state.vm, state.incarnation) != (config.vm, config.incarnation) {
            let (vm, incarnation) = (state.vm.get(), state.incarnation.get());
            return Err(StateError::OtherVm { vm, incarnation }.into());
        }
        let device = self.device_mut_of(id, session)?;
        check_stopped(device)?;
        let bases = state.bases.map(U16::get);
        for (queue, (ring, base)) in device.rings.iter_mut().zip(bases).enumerate() {
            ring.set_base(base.into())
                .map_err(|error| SessionError::Ring { queue, error })?;
        }
        Ok(())
    }
}

fn check_stopped(device: &DevicePort) -> Result<(), StateError> {
    if device.rings.iter().any(Ring::is_active) {
        return Err(StateError::InUse);
    }
    Ok(())
}
