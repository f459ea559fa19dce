//! How other threads reach the event loop: they hand in what is to be done there and wait for the
//! result, while the loop itself never waits for anybody.

use crate::device::fabric::Done;
use crate::device::worker::{Worker, apply};
use event_manager::{RemoteEndpoint, SubscriberId, SubscriberOps};
use std::sync::mpsc::{self, Receiver};
use thiserror::Error;

/// The node has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the node has stopped")]
pub struct Stopped;

/// Reaches the event loop from other threads.
#[derive(Debug, Clone)]
pub struct Remote {
    endpoint: RemoteEndpoint<Worker>,
    id: SubscriberId,
}

impl Remote {
    pub(super) fn new(endpoint: RemoteEndpoint<Worker>, id: SubscriberId) -> Remote {
        Remote { endpoint, id }
    }

    /// Wakes the event loop.
    pub(super) fn wake(&self) {
        // Fails only if the loop has ended.
        let _ = self.endpoint.kick();
    }

    /// Has the event loop do something, without waiting for it.
    pub fn run(&self, task: impl FnOnce(&mut Worker) + Send + 'static) -> Result<(), Stopped> {
        let id = self.id;
        let run = move |subscribers: &mut dyn SubscriberOps<Subscriber = Worker>| {
            let Ok(worker) = subscribers.subscriber_mut(id) else {
                return;
            };
            task(worker);
            let changes = worker.take_changes();
            if let Ok(mut ops) = subscribers.event_ops(id) {
                apply(changes, &mut ops);
            }
        };
        self.endpoint.fire(run).map_err(|_| Stopped)
    }

    /// Has the event loop do something, and waits for what it gives to its second argument. Never
    /// call it on the event loop's own thread.
    pub fn ask<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Worker, Done<T>) + Send + 'static,
    ) -> Result<T, Stopped> {
        let (done, receiver) = reply();
        self.run(move |worker| task(worker, done))?;
        receiver.recv().map_err(|_| Stopped)
    }
}

/// What gives a result to whoever waits at the other end.
pub fn reply<T: Send + 'static>() -> (Done<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::sync_channel(1);
    let done: Done<T> = Box::new(move |value| {
        // Whoever asked may have left.
        let _ = sender.try_send(value);
    });
    (done, receiver)
}
