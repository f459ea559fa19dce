//! The open device and the endpoint bound to it.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::error::Error;
use crate::message::{Address, From, Message, Received, Request};
use crate::sys;

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// As long as it takes.
    Forever,
    /// [`Error::Again`] if it cannot be done at once.
    NoWait,
    /// [`Error::TimedOut`] after this time, rounded up to milliseconds.
    After(Duration),
}

impl Timeout {
    fn millis(self) -> i64 {
        match self {
            Self::Forever => sys::TIMEOUT_FOREVER,
            Self::NoWait => sys::TIMEOUT_NOWAIT,
            Self::After(time) => {
                let millis = time.as_nanos().div_ceil(1_000_000).max(1);
                i64::try_from(millis).unwrap_or(i64::MAX)
            }
        }
    }
}

/// What the host told of this VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// Id of this VM.
    pub vm: u32,
    /// Which life of the VM this is.
    pub incarnation: u32,
    /// Distributed container of the VM.
    pub dcid: u32,
    /// Bytes that a message can have.
    pub max_message: u32,
    /// Endpoints that this VM may have bound at once.
    pub max_endpoints: u32,
    /// Endpoint numbers begin with minus this …
    pub nr_tasks: u32,
    /// … and end below this.
    pub nr_procs: u32,
    /// A number is a server's if the sum of it and `nr_tasks` is below this.
    pub nr_sysprocs: u32,
}

/// An open `/dev/dvs`.
#[derive(Debug)]
pub struct Dvs {
    file: File,
}

impl Dvs {
    /// Opens the device.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no device or no permission, [`Error::Version`].
    pub fn open() -> Result<Self, Error> {
        let file = sys::open()?;
        let version = sys::info(file.as_fd())?.abi_version;
        if version != sys::ABI_VERSION {
            return Err(Error::Version(version, sys::ABI_VERSION));
        }
        Ok(Self { file })
    }

    /// What the host told of this VM.
    ///
    /// # Errors
    /// [`Error::Io`] if the device is gone.
    pub fn info(&self) -> Result<Info, Error> {
        let info = sys::info(self.file.as_fd())?;
        Ok(Info {
            vm: info.vm,
            incarnation: info.incarnation,
            dcid: info.dcid,
            max_message: info.max_message,
            max_endpoints: info.max_endpoints,
            nr_tasks: info.nr_tasks,
            nr_procs: info.nr_procs,
            nr_sysprocs: info.nr_sysprocs,
        })
    }
}

/// A bound endpoint; dropping it gives it up. Many threads may call it at once.
#[derive(Debug)]
pub struct Endpoint {
    device: Dvs,
    address: Address,
}

impl Endpoint {
    /// Binds a number to this open device.
    ///
    /// # Errors
    /// [`Error::SlotUsed`] if another program of the container has it, [`Error::Range`],
    /// [`Error::Limit`], [`Error::Interrupted`], [`Error::Io`].
    pub fn bind(device: Dvs, number: i32) -> Result<Self, Error> {
        let mut bind = sys::Bind {
            ep: number,
            owner: sys::BIND_FILE,
            ..sys::Bind::default()
        };
        sys::bind(device.file.as_fd(), &mut bind)?;
        Error::check(bind.result)?;
        let address = Address {
            number,
            generation: bind.generation,
        };
        Ok(Self { device, address })
    }

    /// Number and generation.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The device it is bound to.
    pub fn device(&self) -> &Dvs {
        &self.device
    }

    fn run(
        &self,
        call: sys::Call,
        mut io: sys::Io,
        send: &[u8],
        recv: &mut [u8],
    ) -> Result<sys::Io, Error> {
        io.id = sys::ID_FILE;
        sys::io(self.device.file.as_fd(), call, &mut io, send, recv)?;
        Error::check(io.result)?;
        Ok(io)
    }

    /// Sends, and returns when the receiver has the message.
    ///
    /// To an endpoint that waits for an answer of this one it is that answer.
    ///
    /// # Errors
    /// [`Error::DestinationDied`], [`Error::StaleEndpoint`], [`Error::Again`],
    /// [`Error::TimedOut`], [`Error::Interrupted`], [`Error::MessageSize`], and those of
    /// addresses.
    pub fn send(
        &self,
        to: impl Into<Address>,
        bytes: &[u8],
        timeout: Timeout,
    ) -> Result<(), Error> {
        self.run(sys::Call::Send, io_to(to.into(), timeout), bytes, &mut [])?;
        Ok(())
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// As [`Self::send`], and [`Error::SourceDied`] if the receiver may have taken the request
    /// before it died.
    pub fn sendrec(
        &self,
        to: impl Into<Address>,
        bytes: &[u8],
        timeout: Timeout,
    ) -> Result<Message, Error> {
        let mut buffer = [0; sys::MESSAGE_MAX];
        let io = io_to(to.into(), timeout);
        let io = self.run(sys::Call::Sendrec, io, bytes, &mut buffer)?;
        Ok(message(&io, buffer))
    }

    /// Waits for something from one endpoint, or from [`Any`](crate::Any): notifications first,
    /// then messages in the order of their arrival.
    ///
    /// # Errors
    /// [`Error::SourceDied`] if the endpoint received from dies, [`Error::Again`],
    /// [`Error::TimedOut`], [`Error::Interrupted`].
    pub fn receive(&self, from: impl Into<From>, timeout: Timeout) -> Result<Received<'_>, Error> {
        let mut buffer = [0; sys::MESSAGE_MAX];
        let io = io_to(from.into().0, timeout);
        let io = self.run(sys::Call::Receive, io, &[], &mut buffer)?;
        let message = message(&io, buffer);
        Ok(match io.came {
            sys::CAME_REQUEST => Received::Request(Request {
                endpoint: self,
                message,
                token: io.token,
            }),
            sys::CAME_NOTIFY => Received::Notification(message.from),
            _ => Received::Message(message),
        })
    }

    /// Answers the oldest request of an endpoint that is not answered yet; a [`Request`] at hand
    /// is better answered by itself.
    ///
    /// # Errors
    /// [`Error::NotWaiting`], [`Error::DestinationDied`], [`Error::MessageSize`].
    pub fn reply(&self, to: impl Into<Address>, bytes: &[u8]) -> Result<(), Error> {
        self.reply_to(to.into(), 0, bytes)
    }

    pub(crate) fn reply_to(&self, to: Address, token: u64, bytes: &[u8]) -> Result<(), Error> {
        let io = sys::Io {
            token,
            ..io_to(to, Timeout::Forever)
        };
        self.run(sys::Call::Reply, io, bytes, &mut [])?;
        Ok(())
    }

    /// Notifies: no bytes, no wait for the receiver; several that were not received yet are one.
    ///
    /// # Errors
    /// [`Error::DestinationDied`], and those of addresses.
    pub fn notify(&self, to: impl Into<Address>) -> Result<(), Error> {
        let io = io_to(to.into(), Timeout::Forever);
        self.run(sys::Call::Notify, io, &[], &mut [])?;
        Ok(())
    }
}

impl AsFd for Endpoint {
    /// For poll: readable when a receive from any would get something at once.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.file.as_fd()
    }
}

fn io_to(address: Address, timeout: Timeout) -> sys::Io {
    sys::Io {
        ep: address.number,
        generation: address.generation,
        timeout_ms: timeout.millis(),
        ..sys::Io::default()
    }
}

fn message(io: &sys::Io, buffer: [u8; sys::MESSAGE_MAX]) -> Message {
    Message {
        from: Address {
            number: io.from,
            generation: io.from_generation,
        },
        length: usize::try_from(io.recv_len).map_or(buffer.len(), |n| n.min(buffer.len())),
        buffer,
    }
}

#[cfg(test)]
#[path = "endpoint_test.rs"]
mod tests;
