//! The event loop of a node: one thread that carries the frames of all VMs.

use crate::device::fabric::Fabric;
use crate::device::remote::Remote;
use crate::device::worker::{Worker, apply};
use event_manager::{EventManager, SubscriberId, SubscriberOps};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use thiserror::Error;

/// Why the event loop cannot be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// No event loop.
    #[error("cannot create the event loop: {0}")]
    Loop(String),
    /// No thread.
    #[error("cannot start the thread {0}: {1}")]
    Thread(&'static str, std::io::Error),
    /// No timer.
    #[error("cannot create a timer: {0}")]
    Timer(std::io::Error),
}

/// A running event loop. It ends when this is dropped.
#[derive(Debug)]
pub struct Loop {
    remote: Remote,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Loop {
    /// Starts the thread. Lives taken over from an earlier node end after `grace` unless their VMMs
    /// come back.
    pub fn start(
        fabric: Fabric,
        grace: Duration,
        allow_unsealed: bool,
    ) -> Result<Loop, StartError> {
        let worker = Worker::new(fabric, grace, allow_unsealed).map_err(StartError::Timer)?;
        let mut manager =
            EventManager::new().map_err(|error| StartError::Loop(error.to_string()))?;
        let endpoint = manager.remote_endpoint();
        let id = manager.add_subscriber(worker);
        let remote = Remote::new(endpoint, id);
        if let Ok(worker) = manager.subscriber_mut(id) {
            worker.set_remote(remote.clone());
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::Builder::new()
            .name("fabric".to_owned())
            .spawn(move || run(manager, id, &stopped))
            .map_err(|error| StartError::Thread("of the event loop", error))?;
        Ok(Loop {
            remote,
            stop,
            thread: Some(thread),
        })
    }

    /// Reaches the loop.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.remote.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by itself.
            let _ = thread.join();
        }
    }
}

fn run(mut manager: EventManager<Worker>, id: SubscriberId, stop: &AtomicBool) {
    let mut backlog = false;
    while !stop.load(Ordering::Acquire) {
        // With work left over, only look at what has come meanwhile.
        let timeout = if backlog { 0 } else { -1 };
        if let Err(error) = manager.run_with_timeout(timeout) {
            tracing::error!("the event loop ends: {error}");
            return;
        }
        let Ok(worker) = manager.subscriber_mut(id) else {
            return;
        };
        worker.fabric().run_backlog();
        backlog = worker.fabric().has_backlog();
        let changes = worker.take_changes();
        if let Ok(mut ops) = manager.event_ops(id) {
            apply(changes, &mut ops);
        }
    }
}
