//! Ends work when the person or the harness says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::{SigSet, Signal};

/// Whether SIGTERM or SIGINT has come.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Takes both signals from now on. To be called before any other thread starts, so that none is
    /// interrupted by them in a call.
    ///
    /// # Errors
    /// Fails if the system refuses.
    pub fn listen() -> nix::Result<Self> {
        let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
        signals.thread_block()?;
        let stop = Self::default();
        let asked = stop.clone();
        thread::spawn(move || {
            // It fails only for signals that do not exist.
            signals.wait().ok();
            asked.0.store(true, Ordering::Relaxed);
        });
        Ok(stop)
    }

    /// Whether the work shall end.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
