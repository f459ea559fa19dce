//! The control thread of the side that a VM comes to.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use dvs_migration::destination::{Action, Event, Outcome};
use dvs_migration::message::{Accept, Offer, ToSource};
use dvs_migration::pages::MAX_STREAMS;
use dvs_migration::progress::{Progress, State};

use super::channel::Security;
use super::events::Events;
use super::guest::Guest;
use super::host;
use super::node::Node;
use super::pack::Touched;
use super::peer::Peer;
use super::receiver;
use super::request::ReceiveMigration;
use super::source::give_up;
use super::worker::Worker;
use super::{Ending, Main, Migration, Stages, Step};
use crate::api::config::{ConsoleConfig, ConsoleMode, DvsConfig, VmConfig};

mod shared;

use shared::Stage;
pub(super) use shared::{Arrival, Memory, Shared};

/// Connections that are served at once, at most: the control connection, data streams, and some
/// that turn out to be strangers.
const MAX_CONNECTIONS: usize = MAX_STREAMS as usize + 16;
/// How long what was begun may take at the end.
const LAST_JOBS: Duration = Duration::from_secs(10);

/// A machine that is to be built, empty.
#[derive(Debug)]
pub struct Incoming {
    /// Its configuration, as it is to be on this host.
    pub config: VmConfig,
}

/// The wait for a VM, and its coming.
#[derive(Debug)]
pub struct Receiving {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Receiving {
    /// Listens; returns at once.
    pub fn start(request: ReceiveMigration, main: Main) -> Result<Self, String> {
        let node = Node::new(&request.node, 0);
        let info = node.info()?;
        let cluster = info.cluster.clone().ok_or(
            "the node of this host belongs to no cluster, so no VM can come: start it with --etcd",
        )?;
        let security = request.security(info.nodeid)?;
        let connected = match request.address().map_err(|error| error.to_string())? {
            Some(address) => Err(address),
            None => Ok(standard_input()?),
        };
        let address = match &connected {
            Err(address) => *address,
            // Data streams come to the same address, at a port that the source is told.
            Ok((_, address)) => SocketAddr::new(address.ip(), 0),
        };
        let listen = |error: std::io::Error| format!("cannot listen on {address}: {error}");
        let listener = TcpListener::bind(address).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let host = host::host(&request, info.nodeid, &cluster, address.port())?;
        let (events, inbox) = Events::open();
        let door = listener.try_clone().map_err(listen)?;
        let shared = Arc::new(Shared::new(host, events, door));
        let start = |error: std::io::Error| format!("cannot start a migration: {error}");
        let first = connected.ok().map(|(socket, _)| socket);
        accept(listener, first, security, shared.clone()).map_err(start)?;
        let control = Control {
            node,
            request,
            shared: shared.clone(),
            stages: Stages::new(main.clone()),
            main,
            peer: None,
            to_machine: Worker::start("migration-cpus").map_err(start)?,
            to_node: Worker::start("migration-node").map_err(start)?,
        };
        std::thread::Builder::new()
            .name("migration".into())
            .spawn(move || {
                let main = control.main.clone();
                let ending = control.run(&inbox);
                main(Step::Ended(ending));
            })
            .map_err(start)?;
        Ok(Self { shared, address })
    }

    /// Where it listens, as the source is to be told.
    pub fn url(&self) -> String {
        format!("tcp:{}", self.address)
    }
}

impl Migration for Receiving {
    fn progress(&self) -> Progress {
        self.shared.progress()
    }

    fn cancel(&self) {
        self.shared.tell(Event::Cancel);
    }

    fn guest_stopped(&self) {}
}

/// The connection that is standard input, and its own address.
fn standard_input() -> Result<(TcpStream, SocketAddr), String> {
    let taken = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .and_then(|fd| {
            let socket = TcpStream::from(fd);
            let address = socket.local_addr()?;
            Ok((socket, address))
        });
    taken.map_err(|error| format!("standard input is no TCP connection: {error}"))
}

/// Takes connections, each on a thread of its own, until the listener is shut down; `first` is there
/// already.
fn accept(
    listener: TcpListener,
    first: Option<TcpStream>,
    security: Security,
    shared: Arc<Shared>,
) -> std::io::Result<()> {
    // Each connection holds a piece of this.
    let guests = Arc::new(());
    let serve = move |socket| {
        if Arc::strong_count(&guests) > MAX_CONNECTIONS {
            tracing::warn!("too many connections to a migration at once");
            return;
        }
        let (guest, security, shared) = (guests.clone(), security.clone(), shared.clone());
        let served = std::thread::Builder::new()
            .name("from-source".into())
            .spawn(move || {
                receiver::welcome(socket, &security, &shared);
                drop(guest);
            });
        if let Err(error) = served {
            tracing::warn!(%error, "no thread for a connection of a migration");
        }
    };
    std::thread::Builder::new()
        .name("from-sources".into())
        .spawn(move || {
            first.into_iter().for_each(&serve);
            while let Ok((socket, _)) = listener.accept() {
                serve(socket);
            }
        })?;
    Ok(())
}

/// The control thread.
struct Control {
    request: ReceiveMigration,
    shared: Arc<Shared>,
    main: Main,
    node: Node,
    peer: Option<Peer>,
    to_machine: Worker,
    to_node: Worker,
    stages: Stages,
}

impl Control {
    fn run(mut self, events: &Receiver<Event>) -> Ending {
        loop {
            let event = self.wait(events);
            let cancelled = event == Event::Cancel;
            let now = self.shared.now();
            let (actions, state) = match &mut *self.shared.lock() {
                Stage::Under { machine, .. } => (machine.handle(now, event), machine.state()),
                stage if cancelled => {
                    *stage = Stage::Cancelled;
                    (Vec::new(), State::Cancelled)
                }
                _ => (Vec::new(), State::Setup),
            };
            if cancelled && matches!(*self.shared.lock(), Stage::Cancelled) {
                self.shared.close();
                return Ending::NotHere;
            }
            for action in actions {
                match action {
                    Action::Ended(outcome) => return self.end(&outcome),
                    Action::Destroy => self.destroy(),
                    Action::Prepare(offer) => self.prepare(*offer),
                    Action::Send(message) => self.send(message),
                    action => self.ask(action),
                }
            }
            self.stages.now(state);
        }
    }

    fn wait(&self, events: &Receiver<Event>) -> Event {
        let deadline = match &*self.shared.lock() {
            Stage::Under { machine, .. } => machine.deadline(),
            _ => None,
        };
        let event = self.shared.events.wait(events, deadline);
        event.unwrap_or(Event::Tick)
    }

    /// Has the node make a port, and the main loop build the machine.
    fn prepare(&mut self, offer: Offer) {
        self.node = Node::new(&self.request.node, offer.vm);
        let (shared, node, main) = (self.shared.clone(), self.node.clone(), self.main.clone());
        let request = self.request.clone();
        self.to_node.run(move || {
            let prepared = prepare(&offer, &request, &node, &main).and_then(|guest| {
                let memory = Memory {
                    guest: guest.memory().clone(),
                    layout: guest.layout().clone(),
                    touched: Touched::none(guest.layout()),
                };
                // The only one that fills them.
                drop(shared.memory.set(Arc::new(memory)));
                let lost = shared.clone();
                let notice = move || lost.tell(Event::NodeLost("its connection broke".into()));
                guest.dvs.when_lost(Some(Box::new(notice)));
                drop(shared.guest.set(guest.clone()));
                if *guest.layout() != offer.layout {
                    return Err(
                        "the machine that its configuration describes has other memory".into(),
                    );
                }
                // What is missing shows before the guest stands still, and what is slow the first time is not then.
                guest.machine.rehearse().map_err(|error| error.to_string())
            });
            shared.tell(Event::Prepared(prepared));
        });
    }

    fn ask(&self, action: Action) {
        let (shared, node) = (self.shared.clone(), self.node.clone());
        let guest = shared.guest.get().cloned().ok_or("no machine was built");
        match action {
            Action::Load(pieces) => self.to_machine.run(move || {
                let loaded = guest.map_err(str::to_owned);
                shared.tell(Event::Loaded(loaded.and_then(|guest| guest.load(&pieces))));
            }),
            Action::Take { from } => self
                .to_node
                .run(move || shared.tell(Event::Taken(node.take(from)))),
            Action::Resume(_) => {
                let main = self.main.clone();
                self.to_machine.run(move || {
                    let resumed = guest
                        .map_err(str::to_owned)
                        .and_then(|guest| resume(&guest, &node, &main));
                    shared.tell(Event::Resumed(resumed));
                });
            }
            // A stream is taken when it comes.
            Action::TakeStreams(Accept { .. })
            | Action::Prepare(_)
            | Action::Send(_)
            | Action::Destroy
            | Action::Ended(_) => {}
        }
    }

    fn send(&mut self, message: ToSource) {
        let shared = self.shared.clone();
        let lost = move |why| shared.tell(Event::PeerLost(why));
        match self.peer() {
            Ok(peer) => peer.send(message, lost),
            Err(why) => lost(why),
        }
    }

    /// The way to the source, which is begun with the first message.
    fn peer(&mut self) -> Result<&Peer, String> {
        if self.peer.is_none() {
            let stage = self.shared.lock();
            let Stage::Under { channels, .. } = &*stage else {
                return Err("nobody has come".into());
            };
            let begun = Peer::begin(channels.first().ok_or("nobody has come")?)?;
            drop(stage);
            self.peer = Some(begun);
        }
        self.peer.as_ref().ok_or_else(|| "nobody has come".into())
    }

    /// Nothing of the VM stays here.
    fn destroy(&self) {
        give_up(&self.main);
        if let Err(why) = self.node.forget() {
            tracing::debug!("the node had no port of the VM: {why}");
        }
    }

    fn end(self, outcome: &Outcome) -> Ending {
        if let Some(guest) = self.shared.guest.get() {
            guest.dvs.when_lost(None);
            if matches!(outcome, Outcome::Runs(_)) {
                guest.dvs.show_node();
            }
        }
        let mut done = self.peer.is_none_or(|peer| peer.finish(LAST_JOBS));
        for party in [&self.to_machine, &self.to_node] {
            done &= party.finish(LAST_JOBS);
        }
        if !done {
            tracing::error!("something that a migration has begun does not end");
        }
        self.shared.close();
        match outcome {
            Outcome::Runs(_) => Ending::Arrived,
            Outcome::NotHere { reason, .. } => {
                tracing::warn!("the VM does not come: {reason}");
                Ending::NotHere
            }
        }
    }
}

/// Starts the guest. An error: it has not run.
fn resume(guest: &Guest, node: &Node, main: &Main) -> Result<(), String> {
    guest.dvs.hold_connection(false);
    // The node must know it before the first instruction, or it may give the VM back if this process ends.
    if !guest.dvs.start_rings().map_err(|error| error.to_string())? {
        node.release()?;
    }
    guest.machine.resume();
    main(Step::Runs);
    Ok(())
}

/// Has a serial port lead to where it is wished. Whether there is such a port the guest knows already.
fn lead(port: &mut ConsoleConfig, wish: Option<&ConsoleConfig>) {
    let Some(wish) = wish.filter(|_| port.mode != ConsoleMode::Off) else {
        return;
    };
    *port = wish.clone();
    if wish.mode == ConsoleMode::Off {
        port.mode = ConsoleMode::Null;
    }
}

/// Makes a port for the VM at the node, and builds its machine.
fn prepare(
    offer: &Offer,
    request: &ReceiveMigration,
    node: &Node,
    main: &Main,
) -> Result<Guest, String> {
    let config = VmConfig::from_json(&offer.config);
    let mut config =
        config.map_err(|error| format!("the configuration is not understood: {error}"))?;
    if u32::from(config.cpus.boot_vcpus) != offer.vcpus {
        return Err("the offer contradicts its configuration".into());
    }
    let socket: PathBuf = node.prepare(offer.place)?.socket;
    config.dvs = Some(DvsConfig {
        socket: Some(socket),
        node: Some(request.node.clone()),
        vm: None,
        dcid: None,
    });
    lead(&mut config.serial, request.serial.as_ref());
    lead(&mut config.console, request.console.as_ref());
    config.check().map_err(|error| error.to_string())?;
    let (done, built) = mpsc::channel();
    main(Step::Build(Box::new(Incoming { config }), done));
    built
        .recv()
        .unwrap_or_else(|_| Err("the VMM is ending".into()))
}
