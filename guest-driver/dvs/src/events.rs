//! Calls of an endpoint without a message: notify and wakeup.

use std::os::fd::AsFd;

use crate::abi;
use crate::address::Address;
use crate::endpoint::{Endpoint, io_to};
use crate::error::Error;
use crate::sys::{self, Call};
use crate::timeout::Timeout;

impl Endpoint {
    /// Notifies: no bytes, no wait for the receiver; several that were not received yet are one.
    /// The receiver has to be a server.
    ///
    /// # Errors
    /// [`Error::DestinationDied`], [`Error::Interrupted`], and those of addresses and privileges.
    pub fn notify(&self, to: impl Into<Address>) -> Result<(), Error> {
        self.notify_by(io_to(to.into(), Timeout::Forever), None)
    }

    /// Notifies, with a value: of several that were not received yet, the last one's stays.
    ///
    /// # Errors
    /// As [`Self::notify`].
    pub fn notify_value(&self, to: impl Into<Address>, value: i64) -> Result<(), Error> {
        self.notify_by(io_to(to.into(), Timeout::Forever), Some(value))
    }

    /// Notifies in the name of another endpoint, which needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// As [`Self::notify`], and [`Error::Privileges`].
    pub fn notify_as(
        &self,
        source: i32,
        to: impl Into<Address>,
        value: Option<i64>,
    ) -> Result<(), Error> {
        let io = abi::Io {
            flags: abi::IO_SOURCE,
            from: source,
            ..io_to(to.into(), Timeout::Forever)
        };
        self.notify_by(io, value)
    }

    fn notify_by(&self, mut io: abi::Io, value: Option<i64>) -> Result<(), Error> {
        if let Some(value) = value {
            io.flags |= abi::IO_VALUE;
            io.token = value.cast_unsigned();
        }
        self.run(Call::Notify, io, &[], &mut [])?;
        Ok(())
    }

    /// Ends a receive from [`Any`](crate::Any) of an endpoint of this VM with [`Error::WokenUp`]; if it is in
    /// none now, its next one.
    ///
    /// # Errors
    /// [`Error::OtherVm`], [`Error::NotBound`], [`Error::BadCall`] by privileges.
    pub fn wakeup(&self, number: i32) -> Result<(), Error> {
        let mut wakeup = abi::Wakeup {
            ep: number,
            id: self.id(),
            ..abi::Wakeup::default()
        };
        match sys::exchange(self.as_fd(), &mut wakeup) {
            // Its next one, then.
            Err(Error::Runs) => Ok(()),
            result => result,
        }
    }

    /// Cancels, from another thread, the receive from [`Any`](crate::Any) (or [`Self::serve`]) that a thread
    /// is in with this endpoint, or else the next one: it ends with [`Error::WokenUp`], and takes
    /// nothing. One call ends one receive.
    ///
    /// Other calls cannot be ended by another thread: give them a [`Timeout`], or send their
    /// thread a signal that has a handler ([`Error::Interrupted`]).
    ///
    /// # Errors
    /// As [`Self::wakeup`].
    pub fn cancel_receive(&self) -> Result<(), Error> {
        self.wakeup(self.address().number)
    }
}
