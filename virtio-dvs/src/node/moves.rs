//! VMs that move: what their VMMs ask of the node. Whoever asks may ask again: what was carried out
//! already is only told again.

use crate::device::remote::reply;
use crate::device::worker::Worker;
use crate::directory::{self, NodeId, Residence, Start};
use crate::node::control::{Attached, Place, Taken};
use crate::node::service::{Control, NodeError, answered};
use crate::switch::{MoveRequest, PortId, Settled};
use std::path::{Path, PathBuf};

impl From<directory::Place> for Place {
    fn from(place: directory::Place) -> Place {
        Place {
            node: place.node.0,
            epoch: place.epoch,
            incarnation: place.incarnation,
        }
    }
}

impl From<Place> for directory::Place {
    fn from(place: Place) -> directory::Place {
        directory::Place {
            node: NodeId(place.node),
            epoch: place.epoch,
            incarnation: place.incarnation,
        }
    }
}

impl Control {
    /// Where a VM of this node lives, after a look at its record.
    pub fn place(&self, vm: u32) -> Result<Place, NodeError> {
        self.place_after(vm, MoveRequest::Place { vm })
    }

    /// Makes a port for a VM of another node, and listens for its VMM.
    pub fn prepare(&self, vm: u32, place: Place) -> Result<Attached, NodeError> {
        let place = place.into();
        self.request_move(MoveRequest::Prepare { vm, place })?;
        let listened = self.listen_for(vm);
        if listened.is_err() {
            self.forget(vm)?;
        }
        let socket = listened?;
        Ok(Attached { vm, socket })
    }

    /// Carries nothing for a VM any more.
    pub fn hold(&self, vm: u32) -> Result<Place, NodeError> {
        self.place_after(vm, MoveRequest::Hold { vm })
    }

    fn place_after(&self, vm: u32, request: MoveRequest) -> Result<Place, NodeError> {
        let found = self.request_move(request)?;
        found.map(|it| it.place.into()).ok_or(NodeError::NoVm(vm))
    }

    /// Takes a VM from a place; gives where it is afterwards. After an error it may have been taken.
    pub fn take(&self, vm: u32, from: Place) -> Result<Taken, NodeError> {
        let from = from.into();
        let found = self.request_move(MoveRequest::Take { vm, from })?;
        let here =
            |it: &Residence| it.place.node.0 == self.config.nodeid && it.start != Start::Declined;
        if found.as_ref().is_some_and(here)
            && let Err(error) = self.listen_for(vm)
        {
            // It is here all the same.
            tracing::error!(vm, "its VMM cannot connect: {error}");
        }
        Ok(Taken {
            place: found.map(|it| it.place.into()),
            start: found.map_or(Start::Made, |it| it.start),
        })
    }

    /// Carries again for a VM that was held, or lets one that was taken run.
    pub fn release(&self, vm: u32) -> Result<(), NodeError> {
        self.request_move(MoveRequest::Release { vm }).map(drop)
    }

    /// Removes the port of a VM that is not here any more, or not yet; one that has not run here is given back.
    pub fn forget(&self, vm: u32) -> Result<(), NodeError> {
        self.request_move(MoveRequest::Forget { vm }).map(drop)
    }

    fn request_move(&self, request: MoveRequest) -> Result<Option<Residence>, NodeError> {
        let (done, receiver) = reply::<Settled>();
        self.remote
            .run(move |worker| worker.fabric().request_move(request, done))?;
        Ok(answered(&receiver)??)
    }

    /// Listens for the VMM of a VM, unless somebody does.
    fn listen_for(&self, vm: u32) -> Result<PathBuf, NodeError> {
        let look = move |worker: &mut Worker| -> Option<(PortId, Option<PathBuf>)> {
            let port = worker.fabric().switch().any_port_of(vm)?;
            Some((port, worker.socket_path(port).map(Path::to_path_buf)))
        };
        let found = self.remote.ask(move |worker, done| done(look(worker)))?;
        match found.ok_or(NodeError::NoVm(vm))? {
            (_, Some(path)) => Ok(path),
            (port, None) => self.listen(port, vm),
        }
    }
}
