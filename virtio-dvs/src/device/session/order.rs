//! Messages that nobody waits for. A VMM that sets up its queues makes some thirty of them at once, and
//! while its VM moves the guest stands still meanwhile: the event loop gets them one behind the other,
//! and only what the VMM waits for waits for the event loop.

use super::Session;
use crate::device::fabric::{Fabric, SessionError};
use crate::device::port::SessionId;
use crate::device::refusal::Refusal;
use crate::switch::PortId;
use rustix::io::retry_on_intr;
use rustix::net::{RecvFlags, recv};
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

/// Commands that the event loop may have before it.
const UNDER_WAY_MAX: usize = 64;
/// Bytes of a message's header: request, flags, size.
const HEADER_SIZE: usize = 12;
/// In the flags: the VMM waits for an acknowledgement.
const NEED_REPLY: u32 = 1 << 3;

/// Commands of a connection that nobody has waited for.
#[derive(Debug)]
pub(super) struct Orders {
    /// Whether the VMM waits for an acknowledgement of what it asks now.
    awaited: bool,
    /// How many there may be.
    under_way: usize,
    /// Why one of them was refused. Nothing is done after it.
    refused: Arc<Mutex<Option<SessionError>>>,
    /// Is shut down then.
    stream: Arc<UnixStream>,
}

impl Orders {
    pub(super) fn new(stream: UnixStream) -> Orders {
        Orders {
            awaited: true,
            under_way: 0,
            refused: Arc::default(),
            stream: Arc::new(stream),
        }
    }

    /// Why the connection was shut down, if that was done here.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.take().map(Refusal::from)
    }
}

impl Session {
    /// Waits for the next message, and looks whether the VMM waits for an acknowledgement of it. The end of the connection,
    /// or half a header, is for the reader of messages to find.
    pub(in crate::device) fn await_message(&mut self) -> io::Result<()> {
        let mut header = [0; HEADER_SIZE];
        let flags = RecvFlags::PEEK | RecvFlags::WAITALL;
        let (_, there) = retry_on_intr(|| recv(&*self.orders.stream, &mut header, flags))?;
        let word = header.get(4..8).and_then(|it| it.try_into().ok());
        let flags = u32::from_ne_bytes(word.unwrap_or_default());
        self.orders.awaited = there < HEADER_SIZE || flags & NEED_REPLY != 0;
        Ok(())
    }

    /// Why the connection is over, if it was this side that ended it.
    pub(in crate::device) fn refusal(&self) -> Option<Refusal> {
        self.orders.refusal()
    }

    /// Has the fabric do something that gives nothing. If that is refused where nobody waits for it the connection is
    /// shut down, and nothing that comes after it is done.
    pub(super) fn order(
        &mut self,
        command: impl FnOnce(&mut Fabric, PortId, SessionId) -> Result<(), SessionError>
        + Send
        + 'static,
    ) -> Result<(), Refusal> {
        if self.orders.awaited || self.orders.under_way >= UNDER_WAY_MAX {
            return self.command(command);
        }
        let (port, id) = (self.port, self.id);
        let refused = self.orders.refused.clone();
        let stream = self.orders.stream.clone();
        self.orders.under_way += 1;
        self.remote.run(move |worker| {
            let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
            if refused.is_none()
                && let Err(error) = command(worker.fabric(), port, id)
            {
                *refused = Some(error);
                // It may have been shut down by the VMM.
                stream.shutdown(Shutdown::Both).ok();
            }
        })?;
        Ok(())
    }

    /// Has the fabric do something, and waits until it and all that was ordered before is done.
    pub(super) fn command<T: Send + 'static>(
        &mut self,
        command: impl FnOnce(&mut Fabric, PortId, SessionId) -> Result<T, SessionError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (port, id) = (self.port, self.id);
        let done = self
            .remote
            .ask(move |worker, done| done(command(worker.fabric(), port, id)))?;
        self.orders.under_way = 0;
        match self.orders.refusal() {
            Some(refusal) => Err(refusal),
            None => Ok(done?),
        }
    }

    /// All that was ordered is done, or this is why it is not.
    pub(super) fn catch_up(&mut self) -> Result<(), Refusal> {
        if self.orders.under_way > 0 {
            self.command(|_, _, _| Ok(()))?;
        }
        Ok(())
    }
}
