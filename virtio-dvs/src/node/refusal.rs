//! Who is to blame for a refusal.

use crate::directory::DirectoryError;
use crate::node::service::NodeError;
use crate::switch::{AttachError, MoveError, OrderError};

impl NodeError {
    /// Whether the request is to blame and not the node.
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            NodeError::NoVm(_)
            | NodeError::Attach(AttachError::Directory(DirectoryError::NoVm(_))) => {
                ErrorKind::NotFound
            }
            NodeError::Order(OrderError::NotBound { .. }) => ErrorKind::NotFound,
            NodeError::Attach(AttachError::Attributes(_))
            | NodeError::Trace(_)
            | NodeError::Step(_) => ErrorKind::Wrong,
            NodeError::Attach(AttachError::TooMany(_) | AttachError::UnderWay(_))
            | NodeError::TraceBusy(_) => ErrorKind::Conflict,
            NodeError::Attach(AttachError::Directory(
                DirectoryError::VmInUse(_) | DirectoryError::DcDiffers { .. },
            )) => ErrorKind::Conflict,
            NodeError::Move(error) => of_move(error),
            NodeError::Order(_) => ErrorKind::Conflict,
            NodeError::Stopped(_)
            | NodeError::Unanswered
            | NodeError::NotAttached(_)
            | NodeError::Silent => ErrorKind::Stopped,
            _ => ErrorKind::Failed,
        }
    }
}

fn of_move(error: &MoveError) -> ErrorKind {
    match error {
        MoveError::NoVm(_) => ErrorKind::NotFound,
        MoveError::NoLease => ErrorKind::Stopped,
        MoveError::Attach(AttachError::Directory(
            DirectoryError::Broken(_) | DirectoryError::UsedUp(_),
        )) => ErrorKind::Failed,
        _ => ErrorKind::Conflict,
    }
}

/// What kind of refusal an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// The request is wrong.
    Wrong,
    /// What it names is not there.
    NotFound,
    /// It does not fit to what is there.
    Conflict,
    /// The node has stopped, or is cut off: later it may be different.
    Stopped,
    /// The node could not do it.
    Failed,
}
