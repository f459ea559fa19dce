//! What happens on the event loop: kicks, connections, timers, and what other threads hand in.

use crate::device::connection;
use crate::device::event_loop::StartError;
use crate::device::fabric::{Done, Fabric, SessionError, Watch};
use crate::device::port::SessionId;
use crate::device::remote::Remote;
use crate::device::timer::Timer;
use crate::device::token::Token;
use crate::link::{Readiness, Watch as LinkWatch};
use crate::socket::Listener;
use crate::switch::PortId;
use event_manager::{EventOps, Events, MutEventSubscriber};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;
use vmm_sys_util::epoll::EventSet;

/// Connections that are taken from a port's socket in one go.
const ACCEPT_MAX: usize = 64;

/// A change to what the event loop listens to.
pub(super) enum Change {
    Listen(Events),
    /// The descriptor is closed afterwards.
    Forget(Box<dyn AsRawFd + Send>),
}

/// A socket on which the VMM of a port connects.
#[derive(Debug)]
struct PortListener {
    vm: u32,
    listener: Listener,
}

/// What the event loop owns.
pub struct Worker {
    fabric: Fabric,
    remote: Option<Remote>,
    listeners: BTreeMap<PortId, PortListener>,
    /// To end connections of VMs that are detached.
    streams: BTreeMap<PortId, UnixStream>,
    /// Fires when lives that were taken over must have been taken up by their VMMs.
    adoption: Option<Timer>,
    /// How long VMMs have to come back.
    grace: Duration,
    /// Fires when ports of VMs that move, and that no VMM sees to, are given up.
    orphans: Timer,
    /// Fires when ports over their rate may go on.
    throttle: Timer,
    /// Fires when links must be looked at, and for when it is set.
    link_timer: Timer,
    link_deadline: Option<Duration>,
    changes: Vec<Change>,
    allow_unsealed: bool,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Worker")
            .field("fabric", &self.fabric)
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

impl Worker {
    pub(super) fn new(fabric: Fabric, grace: Duration, allow_unsealed: bool) -> io::Result<Worker> {
        let mut adoption = None;
        if fabric.has_adopted() {
            let timer = Timer::new()?;
            timer.set(grace)?;
            adoption = Some(timer);
        }
        Ok(Worker {
            adoption,
            grace,
            orphans: Timer::new()?,
            throttle: Timer::new()?,
            link_timer: Timer::new()?,
            link_deadline: None,
            fabric,
            remote: None,
            listeners: BTreeMap::new(),
            streams: BTreeMap::new(),
            changes: Vec::new(),
            allow_unsealed,
        })
    }

    /// How sessions will reach this worker.
    pub(super) fn set_remote(&mut self, remote: Remote) {
        self.remote = Some(remote);
    }

    /// The data path.
    pub fn fabric(&mut self) -> &mut Fabric {
        &mut self.fabric
    }

    /// Whether memory that may be shortened while in use is accepted.
    pub fn allow_unsealed(&self) -> bool {
        self.allow_unsealed
    }

    /// Listens for the VMM of a port.
    pub fn listen(&mut self, port: PortId, vm: u32, listener: Listener) {
        let token = Token::Connection(port.index()).pack();
        let set = EventSet::IN | EventSet::EDGE_TRIGGERED;
        let events = Events::with_data(listener.socket(), token, set);
        self.changes.push(Change::Listen(events));
        self.listeners.insert(port, PortListener { vm, listener });
    }

    /// Path of the socket of a port.
    pub fn socket_path(&self, port: PortId) -> Option<&Path> {
        self.listeners.get(&port).map(|it| it.listener.path())
    }

    /// Detaches the VM of a port: closes its socket and its connection, ends its life.
    pub fn detach(&mut self, port: PortId) {
        self.close(port);
        self.fabric.detach(port);
    }

    /// Nobody connects to this port any more, and whoever is connected is cut off.
    fn close(&mut self, port: PortId) {
        if let Some(mut it) = self.listeners.remove(&port) {
            // The event loop lets go of it only later, when the VM may be attached again already.
            it.listener.unlink();
            self.changes.push(Change::Forget(Box::new(it.listener)));
        }
        self.hang_up(port);
    }

    /// A VMM has connected to a port.
    pub fn connected(
        &mut self,
        port: PortId,
        stream: Option<UnixStream>,
        done: Done<Result<SessionId, SessionError>>,
    ) {
        self.make_way(port);
        if !self.fabric.is_connected(port) {
            self.streams.extend(stream.map(|stream| (port, stream)));
        }
        self.fabric.connect(port, done);
    }

    /// The connection of a VMM is over.
    pub fn disconnected(&mut self, port: PortId, session: SessionId) {
        if self.fabric.is_session(port, session) {
            self.streams.remove(&port);
        }
        self.fabric.disconnect(port, session);
    }

    /// Ends a session whose VMM is gone, in case its thread has not seen that yet: whoever comes
    /// next must not be turned away for it.
    fn make_way(&mut self, port: PortId) {
        let gone = self.streams.get(&port).is_some_and(is_hung_up);
        if let Some(session) = self.fabric.session(port).filter(|_| gone) {
            self.disconnected(port, session);
        }
    }

    fn hang_up(&mut self, port: PortId) {
        if let Some(stream) = self.streams.remove(&port) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes the connections that wait at a port's socket.
    fn accept(&mut self, port: PortId) {
        for _ in 0..ACCEPT_MAX {
            let Some(it) = self.listeners.get(&port) else {
                return;
            };
            match it.listener.socket().accept() {
                Ok((stream, _)) => self.accepted(port, it.vm, stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    tracing::warn!(vm = it.vm, "a VMM cannot connect: {error}");
                    return;
                }
            }
        }
    }

    fn accepted(&mut self, port: PortId, vm: u32, stream: UnixStream) {
        self.make_way(port);
        if self.fabric.is_connected(port) {
            tracing::warn!(vm, "a second VMM is turned away: one is connected already");
            return;
        }
        let Some(remote) = self.remote.clone() else {
            return;
        };
        if let Err(error) = spawn_session(stream, remote, port, vm) {
            tracing::warn!(vm, "the connection of a VMM is refused: {error}");
        }
    }

    /// Changes to what the event loop listens to since the last time.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        if let Some(after) = self.fabric.resume_in()
            && let Err(error) = self.throttle.set(after)
        {
            tracing::error!("ports over their rate wait for ever: {error}");
        }
        if let Some(after) = self.fabric.orphans_due_in(self.grace)
            && let Err(error) = self.orphans.set(after)
        {
            tracing::error!("ports of VMs that moved are kept for ever: {error}");
        }
        self.set_link_timer();
        for port in self.fabric.take_closed() {
            self.close(port);
        }
        let mut changes = std::mem::take(&mut self.changes);
        let links = self.fabric.take_link_watches().into_iter();
        changes.extend(links.map(|watch| match watch {
            LinkWatch::Add { socket, token } => {
                let token = Token::Link(token).pack();
                let wanted = Readiness::wanted();
                Change::Listen(Events::with_data(socket.as_ref(), token, wanted))
            }
            LinkWatch::Remove(socket) => Change::Forget(Box::new(socket)),
        }));
        let watches = self.fabric.take_watches().into_iter();
        changes.extend(watches.map(|watch| match watch {
            Watch::Add { file, port, queue } => {
                // Each write to the descriptor is an edge, so it need not be read.
                let set = EventSet::IN | EventSet::EDGE_TRIGGERED;
                let token = Token::Kick(port.index(), queue).pack();
                Change::Listen(Events::with_data(file.as_ref(), token, set))
            }
            Watch::Remove(file) => Change::Forget(Box::new(file)),
        }));
        changes
    }
}

impl Worker {
    /// Links have deadlines far more often than they reach them: the timer is touched only if it
    /// would fire too late.
    fn set_link_timer(&mut self) {
        let Some(deadline) = self.fabric.link_deadline() else {
            return;
        };
        if self.link_deadline.is_some_and(|at| at <= deadline) {
            return;
        }
        let after = deadline.saturating_sub(self.fabric.now());
        match self.link_timer.set(after) {
            Ok(()) => self.link_deadline = Some(deadline),
            Err(error) => tracing::error!("links are not looked after in time: {error}"),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        for port in self.streams.keys().copied().collect::<Vec<_>>() {
            self.hang_up(port);
        }
    }
}

/// Makes the changes.
pub(super) fn apply(changes: Vec<Change>, ops: &mut EventOps<'_>) {
    for change in changes {
        let done = match &change {
            Change::Listen(events) => ops.add(*events),
            Change::Forget(file) => ops.remove(Events::empty_raw(file.as_raw_fd())),
        };
        if let Err(error) = done {
            tracing::error!("the event loop cannot change what it listens to: {error}");
        }
    }
}

/// Whether the other side has closed the connection.
fn is_hung_up(stream: &UnixStream) -> bool {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut poll_fds = [PollFd::new(stream, PollFlags::RDHUP)];
    let ready = poll(&mut poll_fds, Some(&now));
    ready.is_ok_and(|count| count > 0)
}

/// Serves a connection on a thread of its own.
pub fn spawn_session(
    stream: UnixStream,
    remote: Remote,
    port: PortId,
    vm: u32,
) -> Result<(), StartError> {
    thread::Builder::new()
        .name(format!("vm-{vm}"))
        .spawn(move || connection::serve(stream, &remote, port, vm))
        .map(drop)
        .map_err(|error| StartError::Thread("of a VMM's connection", error))
}

impl MutEventSubscriber for Worker {
    fn process(&mut self, events: Events, ops: &mut EventOps<'_>) {
        match Token::unpack(events.data()) {
            Token::Kick(port, queue) => self.fabric.kicked(PortId(port), queue),
            Token::Connection(port) => self.accept(PortId(port)),
            Token::Adoption => {
                if let Some(timer) = self.adoption.take() {
                    self.changes.push(Change::Forget(Box::new(timer)));
                }
                self.fabric.end_adoption();
            }
            Token::Throttle => self.fabric.resume(),
            Token::Orphans => self.fabric.end_orphans(self.grace),
            Token::Directory => self.fabric.directory_ready(),
            Token::Link(token) => {
                self.fabric.link_ready(token, events.event_set().into());
            }
            Token::LinkTimer => {
                self.link_deadline = None;
                self.fabric.link_tick();
            }
        }
        apply(self.take_changes(), ops);
    }

    fn init(&mut self, ops: &mut EventOps<'_>) {
        if let Some(timer) = &self.adoption {
            let token = Token::Adoption.pack();
            let events = Events::with_data(timer, token, EventSet::IN);
            self.changes.push(Change::Listen(events));
        }
        let set = EventSet::IN | EventSet::EDGE_TRIGGERED;
        let events = Events::with_data(&self.throttle, Token::Throttle.pack(), set);
        self.changes.push(Change::Listen(events));
        let events = Events::with_data(&self.orphans, Token::Orphans.pack(), set);
        self.changes.push(Change::Listen(events));
        let events = Events::with_data(&self.link_timer, Token::LinkTimer.pack(), set);
        self.changes.push(Change::Listen(events));
        if let Some(signal) = self.fabric.directory_signal() {
            let events = Events::with_data(&signal.as_raw_fd(), Token::Directory.pack(), set);
            self.changes.push(Change::Listen(events));
        }
        apply(self.take_changes(), ops);
    }
}
