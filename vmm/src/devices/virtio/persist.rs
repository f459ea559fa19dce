//! How a virtio device on the PCI bus moves: what the driver has set up, and the start of the device by it.

use serde::{Deserialize, Serialize};

use super::common::CommonState;
use super::pci::{VirtioPci, lock};
use crate::machine::pci::msix::MsixState;
use crate::machine::persist::{Persist, StateError, decode, encode};

#[derive(Serialize, Deserialize)]
struct State {
    config: Vec<u8>,
    msix: MsixState,
    common: CommonState,
}

impl Persist for VirtioPci {
    fn save(&self) -> Result<Vec<u8>, StateError> {
        encode(&State {
            config: lock(&self.config).space.save(),
            msix: self.msix.save(),
            common: lock(&self.common).save(),
        })
    }

    /// The device is started as its driver would do it, with eventfds of this host.
    fn load(&self, bytes: &[u8]) -> Result<(), StateError> {
        let state: State = decode(bytes)?;
        lock(&self.common).load(state.common)?;
        self.msix.load(&state.msix)?;
        let mut config = lock(&self.config);
        config.space.load(&state.config)?;
        self.config_loaded(&mut config);
        drop(config);
        if lock(&self.common).is_started() {
            self.try_activate()
                .map_err(|error| StateError::Unfit(error.to_string()))?;
        }
        Ok(())
    }
}
