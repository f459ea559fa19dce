//! A VMM whose machine has left stays for a while: somebody may ask how it went.

use std::time::Duration;

use event_manager::{EventOps, EventSet, Events, MutEventSubscriber};
use vmm_sys_util::timerfd::TimerFd;

use super::{Mailbox, Message};

/// How long it waits for that.
const FAREWELL: Duration = Duration::from_secs(5);

/// Ends the VMM when the time is over.
#[derive(Debug)]
pub struct Farewell {
    timer: TimerFd,
    mailbox: Mailbox,
}

impl Farewell {
    /// From now on.
    pub fn begin(mailbox: Mailbox) -> std::io::Result<Self> {
        let mut timer = TimerFd::new()?;
        timer.reset(FAREWELL, None)?;
        Ok(Self { timer, mailbox })
    }
}

impl MutEventSubscriber for Farewell {
    fn process(&mut self, _events: Events, _ops: &mut EventOps) {
        if let Err(error) = self.timer.wait() {
            tracing::debug!(%error, "the timer of the farewell cannot be read");
        }
        self.mailbox.send(Message::Signal);
    }

    fn init(&mut self, ops: &mut EventOps) {
        if let Err(error) = ops.add(Events::new(&self.timer, EventSet::IN)) {
            tracing::error!(?error, "the VMM does not wait for a farewell");
            self.mailbox.send(Message::Signal);
        }
    }
}
