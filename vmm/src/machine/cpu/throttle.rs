//! Takes a share of its time from a guest, so that it writes no more than can be sent.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Most of its time that a guest can lose, in percent.
const MAX: u8 = 99;
/// How often the guest is stopped, unless it would run too shortly in between.
const PERIOD: Duration = Duration::from_millis(50);
/// Shorter runs would be spent on getting in and out of the guest.
const LEAST_RUN: Duration = Duration::from_millis(1);

/// What can be stopped for a while.
pub trait Hold: Send + Sync {
    /// Stops it, or lets it go on. Must not wait.
    fn hold(&self, on: bool);
}

/// Stops what it is given for a share of the time.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<Option<Worker>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Throttle {
    /// Takes `percent` of their time from all that are `held`, at most 99. They must be the same until that is 0 again,
    /// when all go on at once.
    pub fn set<H: Hold + 'static>(&self, percent: u8, held: &[Arc<H>]) -> io::Result<()> {
        let percent = percent.min(MAX);
        let mut worker = lock(&self.0);
        match worker.as_ref() {
            _ if percent == 0 => *worker = None,
            Some(worker) => worker.set(percent),
            None => *worker = Some(Worker::start(held.to_vec(), percent)?),
        }
        Ok(())
    }
}

/// For how long the guest runs and is then held, of each period.
fn shares(percent: u8) -> (Duration, Duration) {
    let lost = u32::from(percent.min(MAX));
    let left = 100 - lost;
    let run = (PERIOD * left / 100).max(LEAST_RUN);
    (run, run * lost / left)
}

/// The thread that stops and lets go.
#[derive(Debug)]
struct Worker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    percent: Mutex<u8>,
    changed: Condvar,
}

impl Worker {
    fn start<H: Hold + 'static>(held: Vec<Arc<H>>, percent: u8) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            percent: Mutex::new(percent),
            changed: Condvar::new(),
        });
        let thread = std::thread::Builder::new().name("throttle".into()).spawn({
            let shared = shared.clone();
            move || shared.work(&held)
        })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    fn set(&self, percent: u8) {
        *lock(&self.shared.percent) = percent;
        self.shared.changed.notify_all();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.set(0);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that slows the guest down panicked");
        }
    }
}

impl Shared {
    fn work<H: Hold>(&self, held: &[Arc<H>]) {
        loop {
            if !self.wait(|percent| shares(percent).0) {
                return;
            }
            held.iter().for_each(|one| one.hold(true));
            let goes_on = self.wait(|percent| shares(percent).1);
            held.iter().for_each(|one| one.hold(false));
            if !goes_on {
                return;
            }
        }
    }

    /// Waits for the time that the percentage asks for; false at once when it is 0.
    fn wait(&self, time: impl FnOnce(u8) -> Duration) -> bool {
        let percent = lock(&self.percent);
        let time = time(*percent);
        let (percent, _) = self
            .changed
            .wait_timeout_while(percent, time, |percent| *percent > 0)
            .unwrap_or_else(PoisonError::into_inner);
        *percent > 0
    }
}

#[cfg(test)]
#[path = "throttle_test.rs"]
mod tests;
