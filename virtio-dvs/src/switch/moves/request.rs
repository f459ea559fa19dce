//! What can be asked for a VM that moves, and what it comes to.

use crate::directory::{DirectoryError, Place, Residence};
use crate::switch::AttachError;
use thiserror::Error;

/// Ties what a request came to to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What is asked for a VM that moves. [`Action::Settled`](crate::switch::Action::Settled) follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveRequest {
    /// Where does a VM of this node live? It is refused unless the directory answers and the lease is
    /// good. Gives the place.
    Place {
        /// The VM.
        vm: u32,
    },
    /// A port for a VM that lives at another node and may come. [`Action::Attached`](crate::switch::Action::Attached) comes before the
    /// answer, unless there is one already. Gives the place.
    Prepare {
        /// The VM.
        vm: u32,
        /// Where it lives.
        place: Place,
    },
    /// Nothing is carried to and from the VM from now on; the port neither begins a life nor ends
    /// one. Gives the place.
    Hold {
        /// The VM.
        vm: u32,
    },
    /// The VM is wanted here: see [`Request::Take`](crate::directory::Request::Take). Gives where it is afterwards; `None`: nowhere.
    Take {
        /// The VM.
        vm: u32,
        /// From where.
        from: Place,
    },
    /// A VM that was held is not any more, or one that was taken is about to run. A life that was given up
    /// meanwhile is renewed. Gives `None`.
    Release {
        /// The VM.
        vm: u32,
    },
    /// The port goes; nothing of the record changes but that a VM that was taken has not run here, and never
    /// will. Gives `None`.
    Forget {
        /// The VM.
        vm: u32,
    },
}

/// Why a request for a VM that moves is refused. Only [`MoveRequest::Take`] may have been carried out
/// all the same.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoveError {
    /// There is no port for it.
    #[error("VM {0} is not attached to this node")]
    NoVm(u32),
    /// It lives no life.
    #[error("VM {0} is not alive at this node; nothing of it can move")]
    NoLife(u32),
    /// It lives elsewhere.
    #[error("VM {0} does not live at this node")]
    NotHere(u32),
    /// It was given back.
    #[error("VM {0} has not run at this node in time, and was given back to where it came from")]
    GivenBack(u32),
    /// It lives here and is not on its way.
    #[error("VM {0} lives at this node; detach it instead")]
    Here(u32),
    /// The record says something else.
    #[error("VM {vm} does not live where it is said to live: {}", place_or_none(.found))]
    Differs {
        /// The VM.
        vm: u32,
        /// What the record says.
        found: Option<Place>,
    },
    /// The lease is not good.
    #[error("this node does not hold its lease in the directory now; try again when it does")]
    NoLease,
    /// A VMM is connected to the port.
    #[error("a VMM is connected to the port of VM {0}; end it first")]
    Occupied(u32),
    /// Too many questions, or another one.
    #[error("the directory has not answered an earlier request about VM {0}; try again later")]
    Busy(u32),
    /// No port.
    #[error(transparent)]
    Attach(#[from] AttachError),
}

impl From<DirectoryError> for MoveError {
    fn from(error: DirectoryError) -> MoveError {
        MoveError::Attach(error.into())
    }
}

fn place_or_none(place: &Option<Place>) -> String {
    place.map_or_else(
        || "no node has it".to_owned(),
        |it| format!("it is at {} in epoch {}", it.node, it.epoch),
    )
}

/// What a request comes to.
pub type Settled = Result<Option<Residence>, MoveError>;
