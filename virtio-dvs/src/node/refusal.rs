//! Who is to blame for a refusal.

use crate::directory::DirectoryError;
use crate::node::service::NodeError;
use crate::switch::AttachError;

impl NodeError {
    /// Whether the request is to blame and not the node.
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            NodeError::NoVm(_)
            | NodeError::Attach(AttachError::Directory(DirectoryError::NoVm(_))) => {
                ErrorKind::NotFound
            }
            NodeError::Attach(AttachError::Attributes(_)) | NodeError::Trace(_) => ErrorKind::Wrong,
            NodeError::Attach(AttachError::TooMany(_)) | NodeError::TraceBusy(_) => {
                ErrorKind::Conflict
            }
            NodeError::Attach(AttachError::Directory(
                DirectoryError::VmInUse(_) | DirectoryError::DcDiffers { .. },
            )) => ErrorKind::Conflict,
            NodeError::Stopped(_) => ErrorKind::Stopped,
            _ => ErrorKind::Failed,
        }
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
    /// The node has stopped.
    Stopped,
    /// The node could not do it.
    Failed,
}
