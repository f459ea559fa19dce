//! What can go wrong, by the DVS's own numbers (reference: EDVS*).

use std::io;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// −4: a signal interrupted the call; the message was not taken.
    #[error("a signal interrupted the call")]
    Interrupted,
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
    /// −73: longer than [`crate::Info::max_message`].
    #[error("the message is longer than messages can be")]
    MessageSize,
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
    /// −306: the number is bound in another generation.
    #[error("the number is bound, but in another generation")]
    StaleEndpoint,
    /// −310: the endpoint was unbound.
    #[error("the caller has no endpoint")]
    NotBound,
    /// −324: the destination of a reply does not wait for one.
    #[error("the destination does not wait for a reply")]
    NotWaiting,
    /// −337: another program has this number.
    #[error("the endpoint number is in use")]
    SlotUsed,
    /// −344: a limit of this VM (endpoints, peers, calls under way) is reached.
    #[error("a limit of this virtual machine is reached")]
    Limit,
    /// Another number of the DVS.
    #[error("the call failed with the number {0}")]
    Other(i32),
    /// The driver speaks another version of the interface.
    #[error("the driver has version {0} of the interface; this program needs version {1}")]
    Version(u32, u32),
    /// The call could not be carried out: no device, no permission, the device is gone.
    #[error("/dev/dvs: {0}")]
    Io(#[from] io::Error),
}

impl Error {
    /// The outcome of a call by its number.
    pub(crate) fn check(result: i32) -> Result<(), Self> {
        Err(match result {
            0 => return Ok(()),
            -4 => Self::Interrupted,
            -11 => Self::Again,
            -16 => Self::Busy,
            -22 => Self::Invalid,
            -34 => Self::Range,
            -38 => Self::NotSupported,
            -55 => Self::BadDestination,
            -61 => Self::TimedOut,
            -64 => Self::NotConnected,
            -73 => Self::MessageSize,
            -102 => Self::BadCall,
            -108 => Self::SourceDied,
            -109 => Self::DestinationDied,
            -110 => Self::TrapDenied,
            -306 => Self::StaleEndpoint,
            -310 => Self::NotBound,
            -324 => Self::NotWaiting,
            -337 => Self::SlotUsed,
            -344 => Self::Limit,
            other => Self::Other(other),
        })
    }
}

#[cfg(test)]
#[path = "error_test.rs"]
mod tests;
