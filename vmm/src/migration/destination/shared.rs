//! What the threads of the side that a VM comes to share.

use std::net::{Shutdown, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use dvs_migration::compat::Host;
use dvs_migration::destination::{Destination, Event, Waits};
use dvs_migration::layout::Layout;
use dvs_migration::message::{Offer, ToDestination};
use dvs_migration::pages::{Attempt, Compression};
use dvs_migration::precopy::Sent;
use dvs_migration::progress::{Progress, Side, State};
use socket2::SockRef;

use crate::machine::memory::GuestMemory;
use crate::migration::channel::Channel;
use crate::migration::events::Events;
use crate::migration::guest::Guest;
use crate::migration::pack::Touched;

/// Guest memory that pages go to.
#[derive(Debug)]
pub(in crate::migration) struct Memory {
    pub(in crate::migration) guest: GuestMemory,
    pub(in crate::migration) layout: Layout,
    pub(in crate::migration) touched: Touched,
}

/// A source that makes an offer.
#[derive(Debug)]
pub(in crate::migration) struct Arrival {
    pub(in crate::migration) channel: Arc<Channel>,
    pub(in crate::migration) offer: Box<Offer>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Nobody has come.
    Listening,
    /// The state machine knows.
    Under {
        machine: Box<Destination>,
        /// All connections, the control connection first.
        channels: Vec<Arc<Channel>>,
    },
    /// It was given up before anybody came.
    Cancelled,
}

/// What all threads of a migration share.
#[derive(Debug)]
pub(in crate::migration) struct Shared {
    host: Host,
    pub(super) events: Events<Event>,
    stage: Mutex<Stage>,
    listener: TcpListener,
    pub(super) memory: OnceLock<Arc<Memory>>,
    pub(super) guest: OnceLock<Guest>,
}

impl Shared {
    /// Nobody has come.
    pub(super) fn new(host: Host, events: Events<Event>, listener: TcpListener) -> Shared {
        Shared {
            host,
            events,
            stage: Mutex::new(Stage::Listening),
            listener,
            memory: OnceLock::new(),
            guest: OnceLock::new(),
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

    /// A source makes an offer: the first one is the one.
    pub(in crate::migration) fn arrive(&self, arrival: Arrival) -> Result<(), String> {
        let mut stage = self.lock();
        match &*stage {
            Stage::Listening => {}
            _ => return Err("a VM is on its way here already".into()),
        }
        let machine = Destination::new(self.host.clone(), Waits::default(), self.now());
        *stage = Stage::Under {
            machine: Box::new(machine),
            channels: vec![arrival.channel],
        };
        drop(stage);
        self.tell(Event::Peer(ToDestination::Offer(arrival.offer)));
        Ok(())
    }

    /// A data stream comes; gives where its pages go, and how they are packed.
    pub(in crate::migration) fn join(
        &self,
        attempt: Attempt,
        stream: u16,
        channel: &Arc<Channel>,
    ) -> Result<(Arc<Memory>, Compression), String> {
        let now = self.now();
        let mut stage = self.lock();
        let Stage::Under { machine, channels } = &mut *stage else {
            return Err("no VM is on its way here".into());
        };
        let memory = self.memory.get().cloned();
        machine
            .join(now, attempt, stream)
            .map_err(|error| error.to_string())?;
        channels.push(channel.clone());
        let compression = machine.progress(now).compression;
        let memory = memory.ok_or("the machine is not built yet")?;
        Ok((memory, compression))
    }

    /// Pages are in memory.
    pub(in crate::migration) fn applied(&self, pages: Sent) {
        let now = self.now();
        if let Stage::Under { machine, .. } = &mut *self.lock() {
            machine.applied(now, pages);
        }
    }

    pub(super) fn progress(&self) -> Progress {
        let stage = self.lock();
        if let Stage::Under { machine, .. } = &*stage {
            return machine.progress(self.now());
        }
        let mut progress = Progress::new(Side::Destination, 0);
        if matches!(*stage, Stage::Cancelled) {
            progress.state = State::Cancelled;
        } else {
            progress.blocked_by = Some("a source has to come".into());
        }
        progress
    }

    /// Nobody else may come, and all who are here leave.
    pub(super) fn close(&self) {
        if let Err(error) = SockRef::from(&self.listener).shutdown(Shutdown::Both) {
            tracing::debug!(%error, "nobody listened any more");
        }
        if let Stage::Under { channels, .. } = &*self.lock() {
            channels.iter().for_each(|channel| channel.close());
        }
    }
}
