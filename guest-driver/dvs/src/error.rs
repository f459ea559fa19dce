//! What can go wrong, by the DVS's own numbers (reference: EDVS*).

use std::io;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// −4: a signal interrupted the call; the message was not taken.
    #[error("a signal interrupted the call")]
    Interrupted,
    /// −7: more bytes than the call can take.
    #[error("more bytes than the call can take")]
    TooBig,
    /// −11: the call would have to wait, and was not to.
    #[error("the call would have to wait")]
    Again,
    /// −16: the open file has an endpoint already.
    #[error("this open file has an endpoint already")]
    Busy,
    /// −22: a value that the call cannot take.
    #[error("a field of the call has a value that it cannot have")]
    Invalid,
    /// −34: an endpoint number that cannot exist.
    #[error("no such endpoint number")]
    Range,
    /// −38: the driver or the node does not know the call.
    #[error("the call is not supported")]
    NotSupported,
    /// −55: the caller itself, or HARDWARE, as the destination.
    #[error("this endpoint cannot be the destination of the call")]
    BadDestination,
    /// −61: the time that the call could take is over.
    #[error("the time of the call is over")]
    TimedOut,
    /// −64: the other VM, or the host, cannot be reached any more.
    #[error("the connection to the other virtual machine, or to the host, is lost")]
    NotConnected,
    /// −65: a privileged program has ended this endpoint.
    #[error("the endpoint was unbound by a privileged program")]
    Shutdown,
    /// −73: longer than [`crate::Info::max_message`].
    #[error("the message is longer than messages can be")]
    MessageSize,
    /// −101: the call would close a cycle of endpoints that wait for each other.
    #[error("the call would close a cycle of calls that wait for each other")]
    Deadlock,
    /// −102: the endpoint's privileges do not include the call.
    #[error("the endpoint may not use this call")]
    BadCall,
    /// −108: whom the call waited for has died; it may have taken the request.
    #[error("the endpoint that was to answer has died")]
    SourceDied,
    /// −109: nobody is bound there, or it died without taking the message.
    #[error("the destination is not bound, or has died")]
    DestinationDied,
    /// −110: the endpoint's privileges do not include the destination.
    #[error("the endpoint may not send to this destination")]
    TrapDenied,
    /// −302: no such distributed container here.
    #[error("no such distributed container")]
    BadContainer,
    /// −304: the process has no endpoint.
    #[error("the process has no endpoint")]
    BadProcess,
    /// −305: no such process.
    #[error("no such process")]
    BadPid,
    /// −306: the number is bound in another generation.
    #[error("the number is bound, but in another generation")]
    StaleEndpoint,
    /// −308: the endpoint is in another VM, and the call is for those of this one.
    #[error("the endpoint is in another virtual machine")]
    OtherVm,
    /// −310: the endpoint was unbound.
    #[error("the caller has no endpoint")]
    NotBound,
    /// −320: the endpoint does not wait.
    #[error("the endpoint does not wait")]
    Runs,
    /// −324: the destination of a reply does not wait for one; the party of a copy does not wait.
    #[error("the other endpoint does not wait as the call needs it")]
    NotWaiting,
    /// −328: a copy from or to the endpoint is under way.
    #[error("a copy of the endpoint's memory is under way")]
    OnCopy,
    /// −332: the endpoint has moved to another process or VM; or, of a call that moves one: it is
    /// not being moved.
    #[error("the endpoint has moved, or is not being moved")]
    Moved,
    /// −334: the thread is not the leader of its process.
    #[error("the thread is not the leader of its process")]
    GroupLeader,
    /// −335: the caller, or this VM, may not do this.
    #[error("this program or virtual machine has not the privilege for the call")]
    Privileges,
    /// −336: an endpoint of another kind.
    #[error("the endpoint was bound in another way")]
    BindType,
    /// −337: another program has this number.
    #[error("the endpoint number is in use")]
    SlotUsed,
    /// −342: something with this name or number is in use.
    #[error("what the call needs is in use")]
    ResourceBusy,
    /// −344: a limit of this VM (endpoints, peers, calls under way) is reached.
    #[error("a limit of this virtual machine is reached")]
    Limit,
    /// −348: somebody called [`crate::Endpoint::wakeup`], or
    /// [`crate::Endpoint::cancel_receive`].
    #[error("the receive was woken up")]
    WokenUp,
    /// Another number of the DVS.
    #[error("the call failed with the number {0}")]
    Other(i32),
    /// The driver speaks another version of the interface.
    #[error("the driver has version {0} of the interface; this program needs version {1}")]
    Version(u32, u32),
    /// The call could not be carried out: no device, no permission, the device is gone.
    #[error("/dev/dvs: {0}")]
    Io(io::Error),
}

/// The DVS's number of each error that has one.
macro_rules! numbers {
    ($($number:literal => $variant:ident),* $(,)?) => {
        /// An outcome other than 0.
        fn of_number(number: i32) -> Error {
            match number {
                $($number => Error::$variant,)*
                other => Error::Other(other),
            }
        }

        impl Error {
            /// The DVS's number (EDVS*), negative; None if the call could not be carried out.
            pub fn number(&self) -> Option<i32> {
                match self {
                    $(Self::$variant => Some($number),)*
                    Self::Other(number) => Some(*number),
                    Self::Version(..) | Self::Io(_) => None,
                }
            }
        }
    };
}

numbers! {
    -4 => Interrupted,
    -7 => TooBig,
    -11 => Again,
    -16 => Busy,
    -22 => Invalid,
    -34 => Range,
    -38 => NotSupported,
    -55 => BadDestination,
    -61 => TimedOut,
    -64 => NotConnected,
    -65 => Shutdown,
    -73 => MessageSize,
    -101 => Deadlock,
    -102 => BadCall,
    -108 => SourceDied,
    -109 => DestinationDied,
    -110 => TrapDenied,
    -302 => BadContainer,
    -304 => BadProcess,
    -305 => BadPid,
    -306 => StaleEndpoint,
    -308 => OtherVm,
    -310 => NotBound,
    -320 => Runs,
    -324 => NotWaiting,
    -328 => OnCopy,
    -332 => Moved,
    -334 => GroupLeader,
    -335 => Privileges,
    -336 => BindType,
    -337 => SlotUsed,
    -342 => ResourceBusy,
    -344 => Limit,
    -348 => WokenUp,
}

impl Error {
    /// The outcome of a call by its number.
    pub(crate) fn check(result: i32) -> Result<(), Self> {
        match result {
            0 => Ok(()),
            number => Err(of_number(number)),
        }
    }

    /// Whether an answer failed because the client waits for it no more: it was killed, its time
    /// was over, or its VM is lost. Nothing is wrong with the server then.
    pub fn is_client_gone(&self) -> bool {
        matches!(
            self,
            Self::NotWaiting | Self::DestinationDied | Self::StaleEndpoint
        )
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Io(error) => return error,
            Error::Interrupted => io::ErrorKind::Interrupted,
            Error::Again => io::ErrorKind::WouldBlock,
            Error::TimedOut => io::ErrorKind::TimedOut,
            Error::NotConnected => io::ErrorKind::NotConnected,
            Error::BadCall | Error::TrapDenied | Error::Privileges => {
                io::ErrorKind::PermissionDenied
            }
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
#[path = "error_test.rs"]
mod tests;
