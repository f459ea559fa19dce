//! Output of a serial port: a queue that the guest fills without ever waiting, and a thread that empties it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes kept for a reader that is slow or not there yet. Beyond that the oldest are lost.
const BACKLOG: usize = 256 * 1024;
/// How long the end of the VMM waits for the rest of the output to be written.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The queue of a serial port's output. Clones share it.
#[derive(Clone, Debug)]
pub struct Output {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<u8>,
    sink: Option<Arc<File>>,
    /// The thread has taken bytes that it has not written yet.
    writing: bool,
    lost: u64,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output {
    /// An empty queue with its thread; bytes stay queued until there is a sink.
    pub fn start(name: &str) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        std::thread::Builder::new()
            .name(format!("{name}-out"))
            .spawn({
                let shared = shared.clone();
                move || write_out(&shared)
            })?;
        Ok(Self { shared })
    }

    /// Sends the output to `sink` from now on, what is queued first.
    pub fn set_sink(&self, sink: Option<Arc<File>>) {
        self.shared.lock().sink = sink;
        self.shared.changed.notify_all();
    }

    /// Bytes that were lost because nobody read them.
    pub fn lost(&self) -> u64 {
        self.shared.lock().lost
    }

    /// Waits until all is written, but not for ever, and ends the thread.
    pub fn close(&self) {
        let state = self.shared.lock();
        let busy = |s: &mut State| s.sink.is_some() && (s.writing || !s.queue.is_empty());
        let (mut state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, DRAIN_TIME, busy)
            .unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        let over = (state.queue.len() + bytes.len())
            .saturating_sub(BACKLOG)
            .min(state.queue.len());
        state.queue.drain(..over);
        state.lost += over as u64;
        state.queue.extend(bytes);
        drop(state);
        self.shared.changed.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The thread: writes what is queued; a sink that fails is given up.
fn write_out(shared: &Shared) {
    let mut state = shared.lock();
    loop {
        if state.closed {
            return;
        }
        let Some(sink) = state.sink.clone().filter(|_| !state.queue.is_empty()) else {
            state = shared.wait(state);
            continue;
        };
        let chunk = Vec::from(std::mem::take(&mut state.queue));
        state.writing = true;
        drop(state);
        let result = (&*sink).write_all(&chunk);
        state = shared.lock();
        state.writing = false;
        if let Err(error) = result {
            tracing::debug!(%error, "a reader of serial output is gone");
            // A new reader may have come meanwhile.
            if state.sink.as_ref().is_some_and(|s| Arc::ptr_eq(s, &sink)) {
                state.sink = None;
            }
        }
        shared.changed.notify_all();
    }
}

#[cfg(test)]
#[path = "output_test.rs"]
mod tests;
