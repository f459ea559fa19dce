//! Signals that end the VMM (SIGINT, SIGTERM, SIGHUP), taken by the main loop.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::FromRawFd;

use event_manager::{EventOps, EventSet, Events, MutEventSubscriber};

use super::mailbox::{Mailbox, Message};

const ENDING: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Turns signals into messages.
#[derive(Debug)]
pub struct SignalHandler {
    signals: File,
    mailbox: Mailbox,
}

impl SignalHandler {
    /// Blocks the signals in this thread, and so in those that it starts later, and takes them by descriptor.
    pub fn new(mailbox: Mailbox) -> io::Result<Self> {
        Ok(Self {
            signals: signal_file(&ENDING)?,
            mailbox,
        })
    }
}

fn signal_file(signals: &[libc::c_int]) -> io::Result<File> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `set` is a signal set of our own; sigemptyset fills it before anything reads it.
    let set = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    };
    // SAFETY: both pointers are valid or null as the call allows.
    let error =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    // SAFETY: the set is filled; -1 asks for a new descriptor.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fd was just returned by the kernel and nobody else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

impl MutEventSubscriber for SignalHandler {
    fn process(&mut self, _events: Events, _ops: &mut EventOps) {
        let mut info = [0; size_of::<libc::signalfd_siginfo>()];
        if self.signals.read(&mut info).is_ok_and(|len| len > 0) {
            self.mailbox.send(Message::Signal);
        }
    }

    fn init(&mut self, ops: &mut EventOps) {
        if let Err(error) = ops.add(Events::new(&self.signals, EventSet::IN)) {
            tracing::error!(?error, "signals cannot be taken");
        }
    }
}
