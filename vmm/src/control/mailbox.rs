//! How other threads reach the main loop.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use event_manager::{EventOps, EventSet, Events, MutEventSubscriber};
use vmm_sys_util::eventfd::EventFd;

use crate::api::{ApiError, Request, Response};
use crate::machine::event::{GuestEvent, GuestEvents};
use crate::migration::{Main, Step};

/// Takes the answer to a request.
pub type Reply = Box<dyn FnOnce(Result<Response, ApiError>) + Send>;

/// What the main loop is told.
pub enum Message {
    /// A request of the API, and where its answer goes.
    Request(Box<Request>, Reply),
    /// An event of the guest in its `boot`-th start.
    Guest {
        /// Which start of the machine.
        boot: u64,
        /// What happened.
        event: GuestEvent,
    },
    /// A migration wants something of the main loop.
    Migration(Step),
    /// The process shall end.
    Signal,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request(request, _) => f.debug_tuple("Request").field(request).finish(),
            Self::Guest { boot, event } => f
                .debug_struct("Guest")
                .field("boot", boot)
                .field("event", event)
                .finish(),
            Self::Migration(step) => f.debug_tuple("Migration").field(step).finish(),
            Self::Signal => f.write_str("Signal"),
        }
    }
}

/// The sending side; clones reach the same loop.
#[derive(Clone, Debug)]
pub struct Mailbox {
    queue: Sender<Message>,
    bell: Arc<EventFd>,
}

/// The receiving side.
#[derive(Debug)]
pub struct Inbox(Receiver<Message>);

/// Wakes the main loop when a message is there.
#[derive(Debug)]
pub struct Bell(Arc<EventFd>);

/// Makes a mailbox, its receiving side, and what wakes the loop.
pub fn open() -> io::Result<(Mailbox, Inbox, Bell)> {
    let (queue, inbox) = channel();
    let bell = Arc::new(EventFd::new(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC)?);
    Ok((
        Mailbox {
            queue,
            bell: bell.clone(),
        },
        Inbox(inbox),
        Bell(bell),
    ))
}

impl Mailbox {
    /// Sends a message. After the end of the loop it is dropped, and with it the reply it carries.
    pub fn send(&self, message: Message) {
        if self.queue.send(message).is_err() {
            tracing::debug!("the main loop has ended");
            return;
        }
        if let Err(error) = self.bell.write(1) {
            tracing::error!(%error, "cannot wake the main loop");
        }
    }

    /// How the threads of a migration reach the main loop.
    pub fn steps(&self) -> Main {
        let mailbox = self.clone();
        Arc::new(move |step| mailbox.send(Message::Migration(step)))
    }

    /// Takes the events of one start of the machine.
    pub fn guest_events(&self, boot: u64) -> Arc<dyn GuestEvents> {
        Arc::new(BootEvents {
            boot,
            mailbox: self.clone(),
        })
    }
}

impl Inbox {
    /// The next message, if one is there.
    pub fn next(&mut self) -> Option<Message> {
        self.0.try_recv().ok()
    }
}

impl MutEventSubscriber for Bell {
    fn process(&mut self, _events: Events, _ops: &mut EventOps) {
        if let Err(error) = self.0.read() {
            tracing::debug!(%error, "the main loop was woken twice");
        }
    }

    fn init(&mut self, ops: &mut EventOps) {
        if let Err(error) = ops.add(Events::new(self.0.as_ref(), EventSet::IN)) {
            tracing::error!(?error, "the main loop cannot be woken");
        }
    }
}

struct BootEvents {
    boot: u64,
    mailbox: Mailbox,
}

impl GuestEvents for BootEvents {
    fn report(&self, event: GuestEvent) {
        self.mailbox.send(Message::Guest {
            boot: self.boot,
            event,
        });
    }
}
