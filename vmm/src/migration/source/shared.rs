//! What the threads of the side that a VM leaves share.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dvs_migration::precopy::{Next, Sent};
use dvs_migration::progress::{Progress, Side, State};
use dvs_migration::source::{Event, Source};
use dvs_migration::text::Text;

use crate::migration::Ending;
use crate::migration::events::Events;

/// How far it is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Both hosts are asked for what the state machine begins with.
    Early {
        cancelled: bool,
        error: Option<String>,
    },
    /// The state machine knows.
    Under(Box<Source>),
}

/// What all threads of a migration share.
#[derive(Debug)]
pub(in crate::migration) struct Shared {
    vm: u32,
    pub(super) events: Events<Event>,
    stage: Mutex<Stage>,
    /// There may be something for the data streams.
    pub(super) changed: Condvar,
}

impl Shared {
    /// Nobody has been asked.
    pub(super) fn new(vm: u32, events: Events<Event>) -> Shared {
        let (cancelled, error) = (false, None);
        Shared {
            vm,
            events,
            stage: Mutex::new(Stage::Early { cancelled, error }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
        self.events.now()
    }

    /// Something happened.
    pub(in crate::migration) fn tell(&self, event: Event) {
        self.events.tell(event);
    }

    /// What a data stream does next; `None` when the migration is over.
    pub(in crate::migration) fn next(&self, stream: u16) -> Option<Next> {
        let mut stage = self.lock();
        loop {
            let now = self.now();
            let Stage::Under(source) = &mut *stage else {
                return None;
            };
            stage = match source.next(now, stream) {
                Next::Idle if source.deadline().is_none() => return None,
                Next::Idle => self
                    .changed
                    .wait(stage)
                    .unwrap_or_else(PoisonError::into_inner),
                Next::Wait(until) => {
                    let waited = self.changed.wait_timeout(stage, until.saturating_sub(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                next => return Some(next),
            };
        }
    }

    /// A data stream has sent a batch.
    pub(in crate::migration) fn sent(&self, sent: Sent) {
        let now = self.now();
        if let Stage::Under(source) = &mut *self.lock() {
            source.sent(now, sent);
        }
    }

    pub(super) fn progress(&self) -> Progress {
        match &*self.lock() {
            Stage::Under(source) => source.progress(self.now()),
            Stage::Early { cancelled, error } => {
                let mut progress = Progress::new(Side::Source, self.vm);
                progress.state = match error {
                    None => State::Setup,
                    Some(_) if *cancelled => State::Cancelled,
                    Some(_) => State::Failed,
                };
                progress.total = Some(self.now());
                progress.error = error.clone().map(Text::from);
                progress.blocked_by = match error {
                    None => Some("the node and the destination are asked".into()),
                    Some(_) => None,
                };
                progress
            }
        }
    }

    pub(super) fn fail(&self, why: String) -> Ending {
        tracing::warn!(vm = self.vm, "the VM stays here: {why}");
        if let Stage::Early { error, .. } = &mut *self.lock() {
            *error = Some(why);
        }
        Ending::Stayed
    }
}
