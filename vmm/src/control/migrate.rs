//! Migrations, as the main loop sees them.

use std::sync::Arc;

use dvs_migration::progress::{Progress, State};
use event_manager::SubscriberOps;
use rustix::rand::{GetRandomFlags, getrandom};

use super::farewell::Farewell;
use super::vm::{Vm, failed};
use super::{Vmm, VmmError};
use crate::api::{ApiError, Receiving as ReceivingUrl, Request, Response};
use crate::machine::event::GuestEvent;
use crate::migration::request::{ReceiveMigration, SendMigration};
use crate::migration::{Ending, Incoming, Leaving, Migration, Receiving, Sending, Step};

/// The migration that is under way, or was the last.
#[derive(Debug, Default)]
pub(super) struct Moves {
    current: Option<Arc<dyn Migration>>,
    ending: Option<Ending>,
    /// What the guest did while it was about to leave.
    postponed: Option<GuestEvent>,
    /// This process is there for one machine that is to come.
    expecting: Option<Hook>,
}

/// Is told the number of the VM that has come.
struct Hook(Box<dyn FnOnce(u32) + Send>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

impl Moves {
    fn under_way(&self) -> Option<&Arc<dyn Migration>> {
        self.current.as_ref().filter(|_| self.ending.is_none())
    }

    /// How far the migration is that is under way, or how the last one has ended.
    fn progress(&self) -> Option<Progress> {
        let mut progress = self.current.as_ref()?.progress();
        if progress.is_over() && self.ending.is_none() {
            // Only then the machine can be asked for other things again.
            progress.state = State::Closing;
            progress.blocked_by = Some("what was begun for the migration is put away".into());
        }
        Some(progress)
    }

    /// Gives the event of a guest back unless a migration has to end first.
    pub(super) fn postpone(&mut self, event: GuestEvent) -> Option<GuestEvent> {
        let Some(migration) = self.under_way() else {
            return Some(event);
        };
        migration.guest_stopped();
        // The first one counts: the guest does not run after it.
        self.postponed.get_or_insert(event);
        None
    }

    /// Refuses what cannot be done with a machine that moves.
    pub(super) fn must_not_disturb(&self, request: &Request) -> Result<(), ApiError> {
        let harmless = matches!(
            request,
            Request::Ping
                | Request::VmmShutdown
                | Request::Info
                | Request::Counters
                | Request::PowerButton
                | Request::MigrationProgress
                | Request::MigrationCancel
        );
        if harmless || self.under_way().is_none() {
            return Ok(());
        }
        Err(ApiError::Conflict(
            "a migration is under way: wait for its end, or cancel it by vm.migration-cancel"
                .into(),
        ))
    }

    fn start(&mut self, migration: Arc<dyn Migration>) {
        self.current = Some(migration);
        self.ending = None;
        self.postponed = None;
    }
}

impl Vmm {
    /// Waits for one machine from another host and ends if it does not come; `arrived` is told its
    /// number when it runs. Gives where it waits.
    pub fn expect_machine(
        &mut self,
        request: ReceiveMigration,
        arrived: impl FnOnce(u32) + Send + 'static,
    ) -> Result<String, ApiError> {
        self.moves.expecting = Some(Hook(Box::new(arrived)));
        match self.receive_migration(request)? {
            Response::Receiving(receiving) => Ok(receiving.url),
            _ => Ok(String::new()),
        }
    }

    pub(super) fn send_migration(&mut self, request: SendMigration) -> Result<Response, ApiError> {
        request.check()?;
        let vm = self.vm()?;
        let (guest, number, node) = vm.movable()?;
        let leaving = Leaving {
            vm: number,
            guest,
            config: vm.config().clone(),
            node,
            request,
            attempt: attempt().map_err(failed)?,
        };
        let sending = Sending::start(leaving, self.mailbox.steps()).map_err(failed)?;
        self.moves.start(Arc::new(sending));
        Ok(Response::Empty)
    }

    pub(super) fn receive_migration(
        &mut self,
        request: ReceiveMigration,
    ) -> Result<Response, ApiError> {
        request.check()?;
        if self.vm.is_some() {
            return Err(ApiError::Conflict(
                "there is a virtual machine already: delete it first".into(),
            ));
        }
        let receiving =
            Receiving::start(request, self.mailbox.steps()).map_err(ApiError::Failed)?;
        let url = receiving.url();
        self.moves.start(Arc::new(receiving));
        Ok(Response::Receiving(ReceivingUrl { url }))
    }

    pub(super) fn migration_progress(&mut self) -> Result<Response, ApiError> {
        let progress = self.moves.progress().ok_or(ApiError::NoMigration)?;
        if self.moves.ending == Some(Ending::Left) {
            // Nothing else is left to be told.
            self.end.get_or_insert(Ok(()));
        }
        Ok(Response::Progress(Box::new(progress)))
    }

    pub(super) fn migration_cancel(&mut self) -> Result<Response, ApiError> {
        let migration = self.moves.under_way().ok_or(ApiError::NoMigration)?;
        migration.cancel();
        Ok(Response::Empty)
    }

    pub(super) fn migration_step(&mut self, step: Step) {
        match step {
            // Whoever asked may have given up waiting.
            Step::Barrier(done) => {
                let _ = done.send(());
            }
            Step::Build(incoming, done) => {
                let built = self.build(*incoming).map_err(|error| error.to_string());
                drop(done.send(built));
            }
            Step::GiveUp(done) => {
                self.drop_vm();
                let _ = done.send(());
            }
            Step::Runs => {
                if let Some(vm) = &mut self.vm {
                    vm.has_arrived();
                }
            }
            Step::Changed => self.tell_of_migration(),
            Step::Ended(ending) => self.migration_ended(ending),
        }
    }

    /// Whoever watches is told how far it is, as vm.migration-progress would.
    fn tell_of_migration(&mut self) {
        // A guest that moves stands still meanwhile, so nothing is made for nobody.
        if self.monitor.is_watched()
            && let Some(progress) = self.moves.progress()
        {
            // It is plain data, which is always JSON.
            let properties = serde_json::to_value(&progress).unwrap_or_default();
            self.monitor.tell("vm", "migration", properties);
        }
    }

    fn build(&mut self, incoming: Incoming) -> Result<crate::migration::Guest, ApiError> {
        let mut vm = Vm::new(incoming.config);
        let guest = vm.build_empty(&mut self.events, &self.mailbox)?;
        self.vm = Some(vm);
        Ok(guest)
    }

    fn migration_ended(&mut self, ending: Ending) {
        self.moves.ending = Some(ending);
        self.tell_of_migration();
        let postponed = self.moves.postponed.take();
        match ending {
            Ending::Left => return self.leave(),
            Ending::Stayed => {}
            Ending::Arrived => {
                tracing::info!("the virtual machine has come and runs");
                let number = self.moves.current.as_ref().map(|it| it.progress().vm);
                if let (Some(Hook(hook)), Some(vm)) = (self.moves.expecting.take(), number) {
                    hook(vm);
                }
            }
            Ending::NotHere => return self.nobody_comes(),
        }
        if let Some(event) = postponed {
            self.guest_event(event);
        }
    }

    /// A process that is there for one machine ends without it.
    fn nobody_comes(&mut self) {
        if self.moves.expecting.is_none() {
            return;
        }
        let progress = self.moves.current.as_ref().map(|it| it.progress());
        let why = progress.and_then(|it| it.error);
        let why = why.map_or_else(|| "cancelled".to_owned(), String::from);
        let error = VmmError::Guest(format!("the virtual machine does not come: {why}"));
        self.end.get_or_insert(Err(error));
    }

    /// The machine runs elsewhere: this process ends once somebody knows how it went, or soon.
    fn leave(&mut self) {
        tracing::info!("the virtual machine has left");
        match Farewell::begin(self.mailbox.clone()) {
            Ok(farewell) => {
                self.events.add_subscriber(Box::new(farewell));
            }
            Err(error) => {
                tracing::warn!(%error, "nobody is waited for");
                self.end.get_or_insert(Ok(()));
            }
        }
    }
}

/// Tells an attempt from all others, and cannot be guessed.
fn attempt() -> std::io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(bytes)
}
