//! The endpoint bound to an open device, and its calls with messages.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::abi;
use crate::address::{Address, Any, OneOrAny};
use crate::device::{Dvs, Role};
use crate::error::Error;
use crate::message::{Message, Notification, Received};
use crate::migration::MigrationToken;
use crate::request::{Answer, Request, only_request};
use crate::sys::{self, Call};
use crate::timeout::Timeout;

/// A bound endpoint; dropping it gives it up, unless it was [`Self::assigned`]. Many threads may
/// call it at once.
///
/// The endpoint belongs to its open file: a process that forks shares it with its child, and it
/// lasts until both have closed it. It is not inherited over exec.
#[derive(Debug)]
pub struct Endpoint {
    device: Dvs,
    address: Address,
    /// Whose it is.
    id: u32,
}

/// What a receive takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Accept {
    All,
    Requests,
}

impl Endpoint {
    /// Binds a number to this open device.
    ///
    /// # Errors
    /// [`Error::SlotUsed`] if another program of the container has it, [`Error::Range`],
    /// [`Error::Limit`], [`Error::Interrupted`], [`Error::Io`].
    pub fn bind(device: Dvs, number: i32) -> Result<Self, Error> {
        Self::bind_as(device, number, Role::Plain)
    }

    /// Binds a number, with a role that is recorded and shown.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub fn bind_as(device: Dvs, number: i32, role: Role) -> Result<Self, Error> {
        let mut bind = abi::Bind {
            ep: number,
            owner: abi::BIND_FILE,
            flags: role.flags(),
            ..abi::Bind::default()
        };
        sys::exchange(device.as_fd(), &mut bind)?;
        let address = Address {
            number,
            generation: bind.generation,
        };
        Ok(Self {
            device,
            address,
            id: abi::ID_FILE,
        })
    }

    /// Takes an endpoint over that is being moved ([`Dvs::migrate_start`]) from another VM or another
    /// process of this one: with all that waits for it, the requests that it has taken (their tokens
    /// hold) and its privileges. Waits for [`Dvs::migrate_commit`].
    ///
    /// # Errors
    /// [`Error::NotWaiting`] if it is not being moved (any more), [`Error::Privileges`] for a wrong
    /// token, [`Error::SlotUsed`] if another one has taken it, [`Error::DestinationDied`] if it is
    /// over, [`Error::Limit`], [`Error::TimedOut`], [`Error::Interrupted`], [`Error::Io`].
    pub fn adopt(
        device: Dvs,
        number: i32,
        token: MigrationToken,
        timeout: Timeout,
    ) -> Result<Self, Error> {
        let mut call = abi::Migrate {
            what: abi::MIGRATE_ADOPT,
            ep: number,
            token: token.0,
            owner: abi::BIND_FILE,
            timeout_ms: timeout.millis(),
            ..abi::Migrate::default()
        };
        sys::exchange(device.as_fd(), &mut call)?;
        let address = Address {
            number,
            generation: call.generation,
        };
        Ok(Self {
            device,
            address,
            id: abi::ID_FILE,
        })
    }

    /// Waits until a privileged program binds a number to this process
    /// ([`Dvs::bind_process`](crate::Dvs::bind_process)), and uses that. It belongs to the process
    /// then, not to the open file: it lasts until the process exits or unbinds it.
    ///
    /// # Errors
    /// [`Error::Again`], [`Error::TimedOut`], [`Error::Interrupted`], [`Error::Io`].
    pub fn assigned(device: Dvs, timeout: Timeout) -> Result<Self, Error> {
        let address = device.await_own(timeout)?;
        Ok(Self {
            device,
            address,
            id: abi::ID_TASK,
        })
    }

    /// Gives the endpoint up; the device can be bound anew.
    ///
    /// # Errors
    /// [`Error::NotBound`] if it was ended from outside, [`Error::Io`].
    pub fn unbind(self) -> Result<Dvs, Error> {
        let mut unbind = abi::Unbind {
            id: self.id,
            ..abi::Unbind::default()
        };
        sys::exchange(self.device.as_fd(), &mut unbind)?;
        Ok(self.device)
    }

    /// Number and generation.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The device it is bound to.
    pub fn device(&self) -> &Dvs {
        &self.device
    }

    /// Whose endpoint it is, for the driver.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn run(
        &self,
        call: Call,
        mut io: abi::Io,
        send: &[u8],
        recv: &mut [u8],
    ) -> Result<abi::Io, Error> {
        io.id = self.id;
        sys::io(self.device.as_fd(), call, &mut io, send, recv)?;
        Ok(io)
    }

    /// Sends, and returns when the receiver has the message.
    ///
    /// To an endpoint that waits for an answer of this one it is that answer.
    ///
    /// # Errors
    /// [`Error::DestinationDied`], [`Error::StaleEndpoint`], [`Error::Again`],
    /// [`Error::TimedOut`], [`Error::Interrupted`], [`Error::MessageSize`], [`Error::BadCall`] and
    /// [`Error::TrapDenied`] by privileges, and those of addresses.
    pub fn send(
        &self,
        to: impl Into<Address>,
        bytes: &[u8],
        timeout: Timeout,
    ) -> Result<(), Error> {
        self.run(Call::Send, io_to(to.into(), timeout), bytes, &mut [])?;
        Ok(())
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// As [`Self::send`]; [`Error::SourceDied`] if the receiver may have taken the request before
    /// it died; [`Error::Deadlock`] if the receiver waits for this program.
    pub fn sendrec(
        &self,
        to: impl Into<Address>,
        bytes: &[u8],
        timeout: Timeout,
    ) -> Result<Message, Error> {
        let mut message = Message::empty();
        self.take_into(
            Call::Sendrec,
            io_to(to.into(), timeout),
            bytes,
            &mut message,
        )?;
        Ok(message)
    }

    /// Sends a request and waits for its answer, which comes to the start of `answer`; nothing is
    /// copied or cleared besides. Gives the length of the answer in bytes: if that is more than
    /// `answer` has, the rest is lost.
    ///
    /// # Errors
    /// As [`Self::sendrec`].
    pub fn sendrec_into(
        &self,
        to: impl Into<Address>,
        bytes: &[u8],
        answer: &mut [u8],
        timeout: Timeout,
    ) -> Result<usize, Error> {
        let io = self.run(Call::Sendrec, io_to(to.into(), timeout), bytes, answer)?;
        Ok(io.recv_len as usize)
    }

    /// Waits for something from one endpoint, or from [`Any`]: notifications first, then messages
    /// in the order of their arrival.
    ///
    /// # Errors
    /// [`Error::SourceDied`] if the endpoint received from dies, [`Error::WokenUp`],
    /// [`Error::Again`], [`Error::TimedOut`], [`Error::Interrupted`].
    pub fn receive(
        &self,
        from: impl Into<OneOrAny>,
        timeout: Timeout,
    ) -> Result<Received<'_>, Error> {
        self.take(Call::Receive, io_to(from.into().0, timeout), &[])
    }

    /// Waits for a request. Messages and notifications stay where they are.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub fn receive_request(
        &self,
        from: impl Into<OneOrAny>,
        timeout: Timeout,
    ) -> Result<Request<'_>, Error> {
        let io = io_request(from.into(), timeout);
        only_request(self.take(Call::Receive, io, &[])?)
    }

    pub(crate) fn reply_receive(
        &self,
        answer: Answer<'_>,
        from: OneOrAny,
        accept: Accept,
        timeout: Timeout,
    ) -> Result<Received<'_>, Error> {
        let io = io_answer(&answer, from, accept, timeout);
        self.take(Call::ReplyReceive, io, answer.bytes)
    }

    fn take(&self, call: Call, io: abi::Io, send: &[u8]) -> Result<Received<'_>, Error> {
        let mut message = Message::empty();
        let io = self.take_into(call, io, send, &mut message)?;
        Ok(match io.came {
            abi::CAME_REQUEST => Received::Request(Request::of(self, message, io.token)),
            abi::CAME_NOTIFY => Received::Notification(Notification {
                from: message.from(),
                value: io.token.cast_signed(),
            }),
            _ => Received::Message(message),
        })
    }

    fn take_into(
        &self,
        call: Call,
        io: abi::Io,
        send: &[u8],
        message: &mut Message,
    ) -> Result<abi::Io, Error> {
        let io = self.run(call, io, send, message.room())?;
        message.came(&io);
        Ok(io)
    }

    /// Serves: answers each request by what `answer` makes of it, with one system call per
    /// request. Clients that have left in the meantime and signals do not end it.
    ///
    /// Only requests are taken. For a server of messages and notifications too, call
    /// [`Self::receive`] and [`Request::reply_and_receive`] in turn.
    ///
    /// ```no_run
    /// # let endpoint = dvs::Endpoint::bind(dvs::Dvs::open()?, 10)?;
    /// endpoint.serve(|request| request.bytes().len().to_string())?;
    /// # Ok::<(), dvs::Error>(())
    /// ```
    ///
    /// Returns when the endpoint is woken up: by [`Self::cancel_receive`] of another thread, or
    /// by another program's [`Self::wakeup`].
    ///
    /// # Errors
    /// Whatever makes receiving impossible; [`Error::MessageSize`] if an answer is too long.
    pub fn serve<A: AsRef<[u8]>>(
        &self,
        mut answer: impl FnMut(&Message) -> A,
    ) -> Result<(), Error> {
        // One message for all requests: nothing is copied or cleared for each of them.
        let mut message = Message::empty();
        let receive = || io_request(Any.into(), Timeout::Forever);
        let mut next = self.take_into(Call::Receive, receive(), &[], &mut message);
        loop {
            next = match next {
                Ok(io) if io.came == abi::CAME_REQUEST => {
                    let bytes = answer(&message);
                    let answer = Answer {
                        to: message.from(),
                        token: io.token,
                        bytes: bytes.as_ref(),
                    };
                    let io = io_answer(&answer, Any.into(), Accept::Requests, Timeout::Forever);
                    self.take_into(Call::ReplyReceive, io, answer.bytes, &mut message)
                }
                // The driver gave what was not asked for.
                Ok(_) => return Err(Error::Invalid),
                Err(Error::WokenUp) => return Ok(()),
                // What there was to answer has been answered, or nobody waits for it.
                Err(error) if error.is_client_gone() || matches!(error, Error::Interrupted) => {
                    self.take_into(Call::Receive, receive(), &[], &mut message)
                }
                Err(error) => return Err(error),
            };
        }
    }

    /// Answers the oldest request of an endpoint that is not answered yet; a [`Request`] at hand
    /// is better answered by itself.
    ///
    /// # Errors
    /// [`Error::NotWaiting`], [`Error::DestinationDied`], [`Error::MessageSize`],
    /// [`Error::Interrupted`].
    pub fn reply(&self, to: impl Into<Address>, bytes: &[u8]) -> Result<(), Error> {
        self.reply_to(to.into(), 0, bytes, Timeout::Forever)
    }

    pub(crate) fn reply_to(
        &self,
        to: Address,
        token: u64,
        bytes: &[u8],
        timeout: Timeout,
    ) -> Result<(), Error> {
        let io = abi::Io {
            token,
            ..io_to(to, timeout)
        };
        self.run(Call::Reply, io, bytes, &mut [])?;
        Ok(())
    }

    pub(crate) fn relay(
        &self,
        to: Address,
        client: Address,
        token: u64,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let io = abi::Io {
            token,
            from: client.number,
            from_generation: client.generation,
            ..io_to(to, Timeout::Forever)
        };
        self.run(Call::Relay, io, bytes, &mut [])?;
        Ok(())
    }
}

impl AsFd for Endpoint {
    /// For poll: readable when a receive from any would get something at once.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl AsRawFd for Endpoint {
    fn as_raw_fd(&self) -> RawFd {
        self.device.as_fd().as_raw_fd()
    }
}

pub(crate) fn io_to(address: Address, timeout: Timeout) -> abi::Io {
    abi::Io {
        ep: address.number,
        generation: address.generation,
        timeout_ms: timeout.millis(),
        ..abi::Io::default()
    }
}

fn io_request(from: OneOrAny, timeout: Timeout) -> abi::Io {
    abi::Io {
        flags: abi::IO_REQUESTS,
        ..io_to(from.0, timeout)
    }
}

fn io_answer(answer: &Answer<'_>, from: OneOrAny, accept: Accept, timeout: Timeout) -> abi::Io {
    abi::Io {
        flags: match accept {
            Accept::All => 0,
            Accept::Requests => abi::IO_REQUESTS,
        },
        token: answer.token,
        from: from.0.number,
        from_generation: from.0.generation,
        ..io_to(answer.to, timeout)
    }
}

#[cfg(test)]
#[path = "endpoint_test.rs"]
mod tests;
