//! What a migration asks of this host's node.

use std::path::Path;

use dvs_migration::place::{Place, Residence, Start};
use dvs_migration::take::Answer;
use virtio_dvs::node::client::Client;
use virtio_dvs::node::control::{self, Attached, Info};

/// This host's node, and the VM that moves.
#[derive(Clone, Debug)]
pub struct Node {
    client: Client,
    vm: u32,
}

impl Node {
    /// The node whose control API is at `socket`.
    pub fn new(socket: &Path, vm: u32) -> Self {
        Self {
            client: Client::new(socket).kept_open(),
            vm,
        }
    }

    /// About the node.
    pub fn info(&self) -> Result<Info, String> {
        self.client.info().map_err(text)
    }

    /// Where the VM lives; refused unless the node could serve a move.
    pub fn place(&self) -> Result<Place, String> {
        self.client.place(self.vm).map(here).map_err(text)
    }

    /// Makes a port for the VM that lives at `place`.
    pub fn prepare(&self, place: Place) -> Result<Attached, String> {
        self.client.prepare(self.vm, there(place)).map_err(text)
    }

    /// Frames for and from the VM are dropped from now on.
    pub fn hold(&self) -> Result<Place, String> {
        self.client.hold(self.vm).map(here).map_err(text)
    }

    /// Takes the VM from a place.
    pub fn take(&self, from: Place) -> Answer {
        let taken = self.client.take(self.vm, there(from)).map_err(text)?;
        let start = match taken.start {
            control::Start::Made => Start::Made,
            control::Start::Awaited => Start::Awaited,
            control::Start::Declined => Start::Declined,
        };
        Ok(taken.place.map(|place| Residence {
            place: here(place),
            start,
        }))
    }

    /// Frames are carried again, or the VM that was taken is about to run.
    pub fn release(&self) -> Result<(), String> {
        self.client.release(self.vm).map_err(text)
    }

    /// The port goes. A VM that was taken has not run.
    pub fn forget(&self) -> Result<(), String> {
        self.client.forget(self.vm).map_err(text)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn here(place: control::Place) -> Place {
    Place {
        node: place.node,
        epoch: place.epoch,
        life: place.incarnation,
    }
}

fn there(place: Place) -> control::Place {
    control::Place {
        node: place.node,
        epoch: place.epoch,
        incarnation: place.life,
    }
}
