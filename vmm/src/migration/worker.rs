//! A thread that does what one party is asked, in order. Nobody else waits for it.

use std::io;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// The thread of a party. It ends after its last job when this is dropped.
#[derive(Debug)]
pub struct Worker(Sender<Job>);

impl Worker {
    /// Starts the thread.
    pub fn start(name: &str) -> io::Result<Self> {
        let (sender, jobs) = channel::<Job>();
        std::thread::Builder::new()
            .name(name.into())
            .spawn(move || jobs.iter().for_each(|job| job()))?;
        Ok(Self(sender))
    }

    /// Has something done after all that was asked before.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        // Only a panic, which was reported, ends the thread while this exists.
        drop(self.0.send(Box::new(job)));
    }

    /// Waits until all is done that was asked before, or for as long as `limit`; says whether it is.
    pub fn finish(&self, limit: Duration) -> bool {
        let (done, finished) = sync_channel(1);
        self.run(move || {
            let _ = done.send(());
        });
        finished.recv_timeout(limit).is_ok()
    }
}

#[cfg(test)]
#[path = "worker_test.rs"]
mod tests;
