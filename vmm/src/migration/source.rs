//! The control thread of the side that a VM leaves.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use dvs_migration::message::{Offer, ToDestination};
use dvs_migration::pages::{Attempt, Compression};
use dvs_migration::place::Place;
use dvs_migration::progress::{Progress, State};
use dvs_migration::source::{Action, Config, Event, Outcome, Source};
use dvs_migration::text::Text;
use virtio_dvs::node::control::Info;

use super::channel::{Channel, Security};
use super::events::Events;
use super::guest::Guest;
use super::node::Node;
use super::peer::{Peer, listen};
use super::request::SendMigration;
use super::sender;
use super::worker::Worker;
use super::{Ending, Main, Migration, Stages, Step};
use crate::api::config::VmConfig;
use crate::machine::MACHINE_VERSION;

mod shared;

pub(super) use shared::Shared;
use shared::Stage;

/// How long whatever is undone may take before it is reported that the migration is over.
const UNDOING: Duration = Duration::from_secs(10);
/// How long the main loop may take to give a machine up.
const GIVING_UP: Duration = Duration::from_secs(10);

/// A machine that is to leave, and how.
#[derive(Debug)]
pub struct Leaving {
    /// Number of the VM.
    pub vm: u32,
    /// The machine.
    pub guest: Guest,
    /// Its configuration.
    pub config: VmConfig,
    /// The control socket of this host's node.
    pub node: PathBuf,
    /// What was asked for.
    pub request: SendMigration,
    /// Tells this attempt from all others.
    pub attempt: [u8; 16],
}

/// The migration of a VM away from here.
#[derive(Debug)]
pub struct Sending(Arc<Shared>);

impl Sending {
    /// Starts it; returns at once.
    pub fn start(leaving: Leaving, main: Main) -> std::io::Result<Self> {
        let (events, inbox) = Events::open();
        let shared = Arc::new(Shared::new(leaving.vm, events));
        let control = shared.clone();
        std::thread::Builder::new()
            .name("migration".into())
            .spawn(move || {
                let ending = match begin(&leaving, &control) {
                    Ok(opening) => {
                        match Control::new(leaving, opening, control.clone(), main.clone()) {
                            Ok(control) => control.run(&inbox),
                            Err(why) => control.fail(why),
                        }
                    }
                    Err(why) => control.fail(why),
                };
                main(Step::Ended(ending));
            })?;
        Ok(Self(shared))
    }
}

impl Migration for Sending {
    fn progress(&self) -> Progress {
        self.0.progress()
    }

    fn cancel(&self) {
        if let Stage::Early { cancelled, .. } = &mut *self.0.lock() {
            *cancelled = true;
        }
        self.0.tell(Event::Cancel);
    }

    fn guest_stopped(&self) {
        self.0.tell(Event::GuestStopped);
    }
}

/// What is there when the state machine begins.
struct Opening {
    channel: Channel,
    security: Security,
    address: SocketAddr,
    info: Info,
    cluster: String,
}

/// Asks the node who it is, and connects.
fn begin(leaving: &Leaving, shared: &Shared) -> Result<Opening, String> {
    let info = Node::new(&leaving.node, leaving.vm).info()?;
    let cluster = info.cluster.clone().ok_or(
        "the node of this host belongs to no cluster, so there is nowhere to move to: start it with --etcd",
    )?;
    let request = &leaving.request;
    let security = request.security(info.nodeid)?;
    let address = request.address().map_err(|error| error.to_string())?;
    let channel = Channel::dial(address, &security, request.destination_node.unwrap_or(0))?;
    match &*shared.lock() {
        Stage::Early {
            cancelled: true, ..
        } => Err("cancelled".into()),
        _ => Ok(Opening {
            channel,
            security,
            address,
            info,
            cluster,
        }),
    }
}

/// The offer that is made.
fn offer(leaving: &Leaving, info: &Info, cluster: &str) -> Result<Offer, String> {
    let machine = &leaving.guest.machine;
    Ok(Offer {
        attempt: Attempt(leaving.attempt),
        vm: leaving.vm,
        // Found out before the offer is sent.
        place: Place {
            node: info.nodeid,
            epoch: 0,
            life: 0,
        },
        cluster: Text::from(cluster),
        machine: MACHINE_VERSION,
        vcpus: leaving.config.cpus.boot_vcpus.into(),
        layout: machine.layout().clone(),
        cpu: machine.cpu(),
        devices: machine.devices(),
        config: serde_json::to_vec(&leaving.config).map_err(|error| error.to_string())?,
        streams: leaving.request.connections,
        compression: leaving.request.compression,
    })
}

/// The control thread.
struct Control {
    leaving: Leaving,
    shared: Arc<Shared>,
    main: Main,
    channel: Channel,
    security: Security,
    address: SocketAddr,
    node: Node,
    peer: Peer,
    to_machine: Worker,
    to_rings: Worker,
    to_node: Worker,
    streams: Vec<Channel>,
    stages: Stages,
}

impl Control {
    fn new(
        leaving: Leaving,
        opening: Opening,
        shared: Arc<Shared>,
        main: Main,
    ) -> Result<Self, String> {
        let text = |error: std::io::Error| format!("cannot start a migration: {error}");
        let offer = offer(&leaving, &opening.info, &opening.cluster)?;
        let channel = opening.channel;
        let peer = Peer::begin(&channel)?;
        channel.be_patient().map_err(text)?;
        let hearing = shared.clone();
        listen(&channel, move |heard| {
            hearing.tell(heard.map_or_else(Event::PeerLost, Event::Peer));
        })
        .map_err(text)?;
        let config: Config = leaving.request.config();
        let (source, actions) =
            Source::new(offer, config, shared.now()).map_err(|error| error.to_string())?;
        let control = Self {
            node: Node::new(&leaving.node, leaving.vm),
            peer,
            to_machine: Worker::start("migration-cpus").map_err(text)?,
            to_rings: Worker::start("migration-ring").map_err(text)?,
            to_node: Worker::start("migration-node").map_err(text)?,
            streams: Vec::new(),
            stages: Stages::new(main.clone()),
            security: opening.security,
            address: opening.address,
            leaving,
            shared,
            main,
            channel,
        };
        let lost = control.shared.clone();
        let notice = move || lost.tell(Event::NodeLost("its connection broke".into()));
        control.leaving.guest.dvs.when_lost(Some(Box::new(notice)));
        *control.shared.lock() = Stage::Under(Box::new(source));
        // The first action asks the node, which needs nothing of this thread.
        for action in actions {
            control.ask(action);
        }
        Ok(control)
    }

    fn run(mut self, events: &Receiver<Event>) -> Ending {
        loop {
            let event = self.wait(events);
            let now = self.shared.now();
            let (actions, state) = match &mut *self.shared.lock() {
                Stage::Under(source) => (source.handle(now, event), source.state()),
                Stage::Early { .. } => (Vec::new(), State::Setup),
            };
            for action in actions {
                match action {
                    Action::Ended(outcome) => return self.end(&outcome),
                    Action::Destroy => self.destroy(),
                    Action::OpenStreams {
                        count,
                        compression,
                        port,
                    } => {
                        self.address.set_port(port);
                        self.open_streams(count, compression);
                    }
                    action => self.ask(action),
                }
            }
            self.stages.now(state);
        }
    }

    fn wait(&self, events: &Receiver<Event>) -> Event {
        let deadline = match &*self.shared.lock() {
            Stage::Under(source) => source.deadline(),
            Stage::Early { .. } => None,
        };
        let event = self.shared.events.wait(events, deadline);
        event.unwrap_or(Event::Tick)
    }

    /// Has a party do something; its result comes back as an event.
    fn ask(&self, action: Action) {
        let (shared, guest, node) = (
            self.shared.clone(),
            self.leaving.guest.clone(),
            self.node.clone(),
        );
        match action {
            Action::Send(message) => self.send(message),
            Action::SendPages => shared.changed.notify_all(),
            Action::CheckNode => self
                .to_node
                .run(move || shared.tell(Event::NodeChecked(node.place()))),
            Action::DropFrames => self.to_node.run(move || {
                guest.dvs.hold_connection(true);
                shared.tell(Event::FramesDropped(node.hold()));
            }),
            Action::Take { from } => self
                .to_node
                .run(move || shared.tell(Event::Taken(node.take(from)))),
            Action::AcceptFrames => self.to_node.run(move || {
                if let Err(why) = node.release() {
                    tracing::error!("the node does not carry the VM's frames again: {why}");
                }
                guest.dvs.hold_connection(false);
            }),
            Action::StartLog => self
                .to_machine
                .run(move || shared.tell(Event::LogStarted(guest.start_log()))),
            Action::Collect { .. } => self
                .to_machine
                .run(move || shared.tell(Event::Collected(guest.collect_log()))),
            Action::Throttle(percent) => {
                self.to_machine.run(move || {
                    if let Err(error) = guest.machine.throttle(percent) {
                        tracing::warn!(%error, "the guest cannot be slowed down");
                    }
                });
            }
            Action::PauseVcpus => self.pause(),
            Action::ResumeVcpus => self.to_machine.run(move || guest.machine.resume()),
            Action::StopLog => self.to_machine.run(move || guest.stop_log()),
            Action::DrainRings => self.to_rings.run(move || {
                let drained = guest.dvs.stop_rings().map_err(|error| error.to_string());
                shared.tell(Event::RingsDrained(drained));
            }),
            Action::SaveState => self
                .to_rings
                .run(move || shared.tell(Event::StateSaved(guest.save()))),
            Action::StartRings => self.to_rings.run(move || {
                if let Err(error) = guest.dvs.start_rings() {
                    // The connection is made anew then, and with it the rings are started.
                    tracing::warn!(%error, "the node does not take the rings back");
                }
            }),
            Action::OpenStreams { .. } | Action::Destroy | Action::Ended(_) => {}
        }
    }

    fn send(&self, message: ToDestination) {
        let shared = self.shared.clone();
        self.peer
            .send(message, move |why| shared.tell(Event::PeerLost(why)));
    }

    /// Stops the vCPUs. If the guest has ended by itself shortly before, that is known first.
    fn pause(&self) {
        let (shared, guest, main) = (
            self.shared.clone(),
            self.leaving.guest.clone(),
            self.main.clone(),
        );
        self.to_machine.run(move || {
            guest.machine.pause();
            let (done, heard) = mpsc::channel();
            main(Step::Barrier(done));
            let paused = heard.recv().map_err(|_| "the VMM is ending".to_owned());
            shared.tell(Event::VcpusPaused(paused));
        });
    }

    fn open_streams(&mut self, count: u16, compression: Compression) {
        for number in 0..count {
            if let Err(why) = self.open_stream(number, compression) {
                self.shared
                    .tell(Event::Failed(format!("cannot open a data stream: {why}")));
                return;
            }
        }
    }

    fn open_stream(&mut self, number: u16, compression: Compression) -> Result<(), String> {
        let node = self.leaving.request.destination_node.unwrap_or(0);
        let channel = Channel::dial(self.address, &self.security, node)?;
        let writer = channel.writer().map_err(|error| error.to_string())?;
        let sender = sender::Sender {
            number,
            attempt: Attempt(self.leaving.attempt),
            compression,
            guest: self.leaving.guest.clone(),
            writer,
        };
        let shared = self.shared.clone();
        std::thread::Builder::new()
            .name(format!("pages-{number}"))
            .spawn(move || sender.run(&shared))
            .map_err(|error| error.to_string())?;
        self.streams.push(channel);
        Ok(())
    }

    /// The VM is elsewhere: this copy goes.
    fn destroy(&self) {
        give_up(&self.main);
        if let Err(why) = self.node.forget() {
            tracing::warn!("the node keeps the port of a VM that has left: {why}");
        }
    }

    fn end(self, outcome: &Outcome) -> Ending {
        self.leaving.guest.dvs.when_lost(None);
        self.shared.changed.notify_all();
        let before = Instant::now();
        let left = || UNDOING.saturating_sub(before.elapsed());
        let said = self.peer.finish(left());
        let parties = [
            ("its CPUs hang", self.to_machine.finish(left())),
            ("its devices hang", self.to_rings.finish(left())),
            ("its node does not answer", self.to_node.finish(left())),
        ];
        for (why, _) in parties.iter().filter(|(_, done)| !done) {
            tracing::error!("the VM may not be as it was before the migration: {why}");
        }
        if !said {
            tracing::warn!("the destination was not told how it ended");
        }
        self.channel.close();
        self.streams.iter().for_each(Channel::close);
        match outcome {
            Outcome::Left(_) => Ending::Left,
            Outcome::Stayed { reason, .. } => {
                tracing::warn!(vm = self.leaving.vm, "the VM stays here: {reason}");
                Ending::Stayed
            }
        }
    }
}

/// Has the main loop give the machine up, and waits for it.
pub(super) fn give_up(main: &Main) {
    let (done, given_up) = mpsc::channel();
    main(Step::GiveUp(done));
    if given_up.recv_timeout(GIVING_UP).is_err() {
        tracing::error!("the machine that is not needed any more does not end");
    }
}
