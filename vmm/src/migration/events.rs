//! What happens to one side of a migration, on its way to the control thread.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Without an event the control thread looks at the time at least this often.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Where all threads of a side tell what happened, and the time that they go by.
#[derive(Debug)]
pub struct Events<E> {
    began: Instant,
    sender: Sender<E>,
}

impl<E> Events<E> {
    /// Time counts from now; the control thread gets the other end.
    pub fn open() -> (Self, Receiver<E>) {
        let (sender, inbox) = channel();
        let began = Instant::now();
        (Self { began, sender }, inbox)
    }

    /// Time since the beginning.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Something happened.
    pub fn tell(&self, event: E) {
        // After the end nobody listens.
        drop(self.sender.send(event));
    }

    /// Waits for the next event; `None`: the deadline has come.
    pub fn wait(&self, inbox: &Receiver<E>, deadline: Option<Duration>) -> Option<E> {
        let wait = deadline.map_or(LONGEST_WAIT, |at| at.saturating_sub(self.now()));
        // The sender is here, so that only the time can end the wait.
        inbox.recv_timeout(wait).ok()
    }
}
