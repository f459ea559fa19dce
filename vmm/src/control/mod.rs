//! The life of one virtual machine: created, booted, paused, rebooted, shut down, deleted.

mod farewell;
mod host;
mod mailbox;
mod migrate;
mod monitor;
mod signals;
mod vm;

use std::collections::BTreeMap;

use event_manager::{EventManager, MutEventSubscriber, SubscriberId, SubscriberOps};
use serde_json::{Value, json};

use crate::api::config::VmConfig;
use crate::api::{ApiError, Request, Response, VmInfo, VmmPing};
use crate::machine::event::GuestEvent;
pub use mailbox::{Mailbox, Message};
use migrate::Moves;
pub use monitor::Monitor;
use vm::Vm;

/// What is called when a file descriptor of the main loop is ready.
pub type Subscriber = Box<dyn MutEventSubscriber>;
/// The main loop's event manager.
pub type Loop = EventManager<Subscriber>;

/// Why the VMM itself cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum VmmError {
    /// No event, signal or epoll descriptor.
    #[error("cannot set up the main loop: {0}")]
    Setup(String),
    /// The machine cannot be created or booted.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The guest cannot go on.
    #[error("{0}")]
    Guest(String),
}

/// The virtual machine monitor: owns the machine and the main loop. All state changes happen on its thread.
pub struct Vmm {
    events: Loop,
    mailbox: Mailbox,
    inbox: mailbox::Inbox,
    vm: Option<Vm>,
    moves: Moves,
    monitor: Monitor,
    end: Option<Result<(), VmmError>>,
}

impl std::fmt::Debug for Vmm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vmm")
            .field("vm", &self.vm)
            .finish_non_exhaustive()
    }
}

impl Vmm {
    /// A monitor without a machine. Blocks the signals that end it, so this must come before any other thread.
    pub fn new() -> Result<Self, VmmError> {
        let setup = |e: &dyn std::fmt::Display| VmmError::Setup(e.to_string());
        let (mailbox, inbox, bell) = mailbox::open().map_err(|e| setup(&e))?;
        let mut events = Loop::new().map_err(|e| setup(&e))?;
        events.add_subscriber(Box::new(bell));
        let signals = signals::SignalHandler::new(mailbox.clone()).map_err(|e| setup(&e))?;
        events.add_subscriber(Box::new(signals));
        Ok(Self {
            events,
            mailbox,
            inbox,
            vm: None,
            moves: Moves::default(),
            monitor: Monitor::none(),
            end: None,
        })
    }

    /// Tells what happens from now on.
    pub fn watch(&mut self, mut monitor: Monitor) {
        monitor.tell("vmm", "starting", Value::Null);
        self.monitor = monitor;
    }

    /// Where requests go.
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// Runs until the guest powers off, a signal or request ends the VMM, or the guest cannot go on.
    pub fn run(mut self) -> Result<(), VmmError> {
        loop {
            if let Some(result) = self.end.take() {
                self.drop_vm();
                self.monitor.tell("vmm", "shutdown", Value::Null);
                return result;
            }
            self.events
                .run()
                .map_err(|e| VmmError::Setup(e.to_string()))?;
            while let Some(message) = self.inbox.next() {
                self.handle(message);
            }
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Request(request, reply) => reply(self.request(*request)),
            Message::Migration(step) => self.migration_step(step),
            Message::Signal => self.end = Some(Ok(())),
            Message::Guest { boot, event } => {
                // Events of a machine that a reboot has replaced concern nobody.
                if self.vm.as_ref().is_some_and(|vm| vm.is_boot(boot)) {
                    self.guest_event(event);
                }
            }
        }
    }

    fn guest_event(&mut self, event: GuestEvent) {
        let Some(event) = self.moves.postpone(event) else {
            return;
        };
        match event {
            GuestEvent::PowerOff => {
                tracing::info!("the guest powered off");
                self.monitor.tell("vm", "shutdown", Value::Null);
                self.end = Some(Ok(()));
            }
            GuestEvent::Reset => {
                tracing::info!("the guest resets");
                match self.reboot() {
                    Ok(_) => self.monitor.tell("vm", "rebooted", Value::Null),
                    Err(error) => self.end = Some(Err(error.into())),
                }
            }
            GuestEvent::Failed(reason) => {
                self.monitor.tell("vm", "failed", json!({"reason": reason}));
                self.end = Some(Err(VmmError::Guest(reason)));
            }
        }
    }

    /// Does what the API asks.
    pub fn request(&mut self, request: Request) -> Result<Response, ApiError> {
        self.moves.must_not_disturb(&request)?;
        let event = event_of(&request);
        let answer = self.carry_out(request)?;
        if let Some(event) = event {
            self.monitor.tell("vm", event, Value::Null);
        }
        Ok(answer)
    }

    fn carry_out(&mut self, request: Request) -> Result<Response, ApiError> {
        match request {
            Request::Ping => Ok(Response::Ping(VmmPing::this())),
            Request::VmmShutdown => {
                self.end = Some(Ok(()));
                Ok(Response::Empty)
            }
            Request::Create(config) => self.create(config),
            Request::Boot => self.boot(),
            Request::Info => self.info(),
            Request::Counters => Ok(Response::Counters(self.vm()?.counters()?)),
            Request::Pause => self.vm()?.pause(),
            Request::Resume => self.vm()?.resume(),
            Request::PowerButton => self.vm()?.press_power_button(),
            Request::Reboot => {
                self.vm()?.must_be_booted()?;
                self.reboot()
            }
            Request::Shutdown => self.shutdown(),
            Request::Delete => {
                self.vm()?;
                self.drop_vm();
                Ok(Response::Empty)
            }
            Request::SendMigration(request) => self.send_migration(*request),
            Request::ReceiveMigration(request) => self.receive_migration(*request),
            Request::MigrationProgress => self.migration_progress(),
            Request::MigrationCancel => self.migration_cancel(),
        }
    }

    fn vm(&mut self) -> Result<&mut Vm, ApiError> {
        self.vm.as_mut().ok_or(ApiError::NoVm)
    }

    fn create(&mut self, config: Box<VmConfig>) -> Result<Response, ApiError> {
        config.check()?;
        if self.vm.is_some() {
            return Err(ApiError::Conflict(
                "there is a virtual machine already: delete it first".into(),
            ));
        }
        self.vm = Some(Vm::new(*config));
        Ok(Response::Empty)
    }

    fn boot(&mut self) -> Result<Response, ApiError> {
        let vm = self.vm.as_mut().ok_or(ApiError::NoVm)?;
        vm.boot(&mut self.events, &self.mailbox)?;
        Ok(Response::Empty)
    }

    fn reboot(&mut self) -> Result<Response, ApiError> {
        let vm = self.vm.as_mut().ok_or(ApiError::NoVm)?;
        vm.reboot(&mut self.events, &self.mailbox)?;
        Ok(Response::Empty)
    }

    fn shutdown(&mut self) -> Result<Response, ApiError> {
        let vm = self.vm.as_mut().ok_or(ApiError::NoVm)?;
        vm.must_be_booted()?;
        vm.shutdown(&mut self.events);
        Ok(Response::Empty)
    }

    fn info(&mut self) -> Result<Response, ApiError> {
        let vm = self.vm()?;
        Ok(Response::Info(Box::new(VmInfo {
            config: vm.config().clone(),
            state: vm.state(),
            memory_actual_size: vm.config().memory.size,
        })))
    }

    fn drop_vm(&mut self) {
        if let Some(mut vm) = self.vm.take() {
            vm.shutdown(&mut self.events);
        }
    }
}

/// What has happened when a request was carried out. Migrations tell of themselves.
fn event_of(request: &Request) -> Option<&'static str> {
    Some(match request {
        Request::Create(_) => "created",
        Request::Boot => "booted",
        Request::Pause => "paused",
        Request::Resume => "resumed",
        Request::Reboot => "rebooted",
        Request::Shutdown => "shutdown",
        Request::Delete => "deleted",
        _ => return None,
    })
}

/// Counters of the parts of a machine: part, counter, value.
pub type Counters = BTreeMap<String, BTreeMap<String, u64>>;

fn remove(events: &mut Loop, id: SubscriberId) {
    if let Err(error) = events.remove_subscriber(id) {
        tracing::warn!(?error, "the main loop did not know a subscriber");
    }
}
