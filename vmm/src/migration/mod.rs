//! Moves a machine to another host, or takes one: the adapter around the crate `dvs-migration`.
//!
//! ```text
//!   main loop ── vm.send-migration ──▶ source.rs       control thread: state machine, timer
//!       ▲        vm.receive-migration ▶ destination.rs   │ actions            ▲ events
//!       │                                               ▼                    │
//!       └── Step: build, give up, ended ──┬── worker: the other VMM (messages)
//!                                         ├── worker: the machine (vCPUs, logs)
//!                                         ├── worker: the device's rings (vhost-user)
//!                                         ├── worker: the node (control API)
//!                                         └── a thread for each data stream (sender.rs, receiver.rs)
//! ```
//!
//! No party that hangs holds up another. Rules are none here: they are in `dvs-migration`.

mod channel;
mod destination;
mod events;
mod guest;
mod host;
mod node;
mod pack;
mod peer;
mod receiver;
pub mod request;
mod sender;
pub mod serve;
mod source;
mod worker;

use std::sync::mpsc::Sender;

use dvs_migration::progress::{Progress, State};

pub use destination::{Incoming, Receiving};
pub use guest::Guest;
pub use source::{Leaving, Sending};

/// A migration under way or over, as the main loop sees it.
pub trait Migration: Send + Sync + std::fmt::Debug {
    /// How far it is.
    fn progress(&self) -> Progress;
    /// Somebody wishes that the VM stays where it is.
    fn cancel(&self);
    /// The guest has shut down, reset itself or crashed.
    fn guest_stopped(&self);
}

/// What a migration asks of the main loop.
pub enum Step {
    /// Answer when all that came before is done.
    Barrier(Sender<()>),
    /// Build the machine that is to come.
    Build(Box<Incoming>, Sender<Result<Guest, String>>),
    /// Give this copy of the machine up.
    GiveUp(Sender<()>),
    /// The guest that has come runs.
    Runs,
    /// Another stage has begun.
    Changed,
    /// It is over.
    Ended(Ending),
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Barrier(_) => f.write_str("Barrier"),
            Self::Build(incoming, _) => f.debug_tuple("Build").field(incoming).finish(),
            Self::GiveUp(_) => f.write_str("GiveUp"),
            Self::Runs => f.write_str("Runs"),
            Self::Changed => f.write_str("Changed"),
            Self::Ended(ending) => f.debug_tuple("Ended").field(ending).finish(),
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The VM has left.
    Left,
    /// It has stayed.
    Stayed,
    /// It has come and runs.
    Arrived,
    /// It has not come.
    NotHere,
}

/// How the threads of a migration reach the main loop.
pub type Main = std::sync::Arc<dyn Fn(Step) + Send + Sync>;

/// Tells the main loop of each stage of a migration, but not of its end, which has a step of its own.
struct Stages {
    main: Main,
    told: Option<State>,
}

impl Stages {
    fn new(main: Main) -> Self {
        Self { main, told: None }
    }

    /// This is the stage now.
    fn now(&mut self, state: State) {
        if self.told.replace(state) != Some(state) {
            (self.main)(Step::Changed);
        }
    }
}
