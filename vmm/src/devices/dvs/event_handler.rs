//! Notices when the node dies, and connects again when it is back.

use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_manager::{EventOps, EventSet, Events, MutEventSubscriber};
use inotify::{EventMask, Inotify, WatchMask};
use vmm_sys_util::timerfd::TimerFd;

use super::device::Dvs;
use super::node::NodeError;

const LOST: u32 = 0;
const CONNECTION: u32 = 1;
const FOLDER: u32 = 2;
const TIMER: u32 = 3;

/// First and longest wait between attempts that no file event announces.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A connection that lasted this long was a good one: the next loss starts with short waits again.
const GOOD: Duration = Duration::from_secs(10);

/// Keeps a device connected to its node.
///
/// The folder of the node's socket is watched, so the moment at which a node is back is signalled. The timer covers
/// what no file event announces: a socket file appears a moment before anybody listens on it, and a folder may be
/// gone. While a folder is watched nothing is tried without an event.
#[derive(Debug)]
pub struct NodeHandler {
    dvs: Arc<Dvs>,
    connection: Option<UnixStream>,
    folder: Option<Inotify>,
    timer: TimerFd,
    wait: Duration,
    connected: Instant,
}

impl NodeHandler {
    /// A handler for `dvs`, which is connected.
    pub fn new(dvs: Arc<Dvs>) -> io::Result<Self> {
        let timer = TimerFd::new().map_err(io::Error::from)?;
        Ok(Self {
            dvs,
            connection: None,
            folder: None,
            timer,
            wait: FIRST_WAIT,
            connected: Instant::now(),
        })
    }

    fn watch_connection(&mut self, ops: &mut EventOps) {
        self.connection = self.dvs.watch();
        if let Some(connection) = &self.connection {
            // Answers are read by whoever asked; only the end matters here.
            let end = EventSet::READ_HANG_UP | EventSet::HANG_UP;
            add(ops, Events::with_data(connection, CONNECTION, end));
        }
    }

    fn on_loss(&mut self, ops: &mut EventOps) {
        if let Some(connection) = self.connection.take() {
            remove(
                ops,
                Events::with_data(&connection, CONNECTION, EventSet::empty()),
            );
        }
        if self.connected.elapsed() > GOOD {
            self.wait = FIRST_WAIT;
        }
        self.attempt(ops);
    }

    fn watch_folder(&mut self, ops: &mut EventOps) {
        let Some(folder) = self
            .dvs
            .link()
            .path()
            .and_then(Path::parent)
            .filter(|_| self.folder.is_none())
        else {
            return;
        };
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let watch = Inotify::init().and_then(|inotify| {
            inotify.watches().add(
                folder,
                WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::ATTRIB,
            )?;
            Ok(inotify)
        });
        match watch {
            Ok(inotify) => {
                add(ops, Events::with_data(&inotify, FOLDER, EventSet::IN));
                self.folder = Some(inotify);
            }
            Err(error) => {
                tracing::debug!(%error, ?folder, "the folder of the node's socket cannot be watched")
            }
        }
    }

    fn attempt(&mut self, ops: &mut EventOps) {
        // First the watch, then the attempt: so no node slips through between the two.
        self.watch_folder(ops);
        match self.dvs.reconnect() {
            Ok(()) => {
                tracing::info!("the node is back");
                self.connected = Instant::now();
                self.set_timer(None);
                self.unwatch_folder(ops);
                self.watch_connection(ops);
            }
            // Whoever releases it signals that there is no connection.
            Err(NodeError::Held) => self.set_timer(None),
            Err(error) => {
                tracing::debug!(%error, "the node is not back yet");
                self.try_later();
            }
        }
    }

    /// A few more attempts; then only a file event brings the next, where the folder can be watched.
    fn try_later(&mut self) {
        let over = self.wait > LONGEST_WAIT && self.folder.is_some();
        self.set_timer((!over).then_some(self.wait.min(LONGEST_WAIT)));
        self.wait = (self.wait * 2).min(LONGEST_WAIT * 2);
    }

    fn set_timer(&mut self, wait: Option<Duration>) {
        let result = match wait {
            Some(wait) => self.timer.reset(wait, None),
            None => self.timer.clear(),
        };
        if let Err(error) = result {
            tracing::error!(%error, "cannot set the timer for the node");
        }
    }

    fn unwatch_folder(&mut self, ops: &mut EventOps) {
        if let Some(inotify) = self.folder.take() {
            remove(ops, Events::with_data(&inotify, FOLDER, EventSet::IN));
        }
    }

    /// What happened in the folder: the node's socket appeared, or the folder itself is gone.
    fn read_folder(&mut self) -> Option<FolderEvent> {
        let wanted: Option<OsString> = self
            .dvs
            .link()
            .path()
            .and_then(Path::file_name)
            .map(Into::into);
        let mut buffer = [0; 4096];
        let mut seen = None;
        for event in self.folder.as_mut()?.read_events(&mut buffer).ok()? {
            if event.mask.contains(EventMask::IGNORED) {
                return Some(FolderEvent::Gone);
            }
            if event.name == wanted.as_deref() {
                seen = Some(FolderEvent::Socket);
            }
        }
        seen
    }

    fn on_folder(&mut self, ops: &mut EventOps) {
        match self.read_folder() {
            Some(FolderEvent::Socket) => {
                self.wait = FIRST_WAIT;
                self.attempt(ops);
            }
            Some(FolderEvent::Gone) => {
                self.unwatch_folder(ops);
                self.attempt(ops);
            }
            None => {}
        }
    }
}

/// An event of the folder that matters.
#[derive(Clone, Copy, Debug)]
enum FolderEvent {
    Socket,
    Gone,
}

impl MutEventSubscriber for NodeHandler {
    fn process(&mut self, events: Events, ops: &mut EventOps) {
        match events.data() {
            LOST => {
                // Only the signal counts; it may have been taken with the connection's own event.
                if self.dvs.lost().read().is_ok() {
                    self.on_loss(ops);
                }
            }
            CONNECTION => self.dvs.disconnected(),
            FOLDER => self.on_folder(ops),
            _ => {
                if let Err(error) = self.timer.wait() {
                    tracing::debug!(%error, "the timer for the node was set again");
                }
                self.attempt(ops);
            }
        }
        // An end that is known need not be reported again and again.
        if events.data() == CONNECTION
            && let Some(connection) = self.connection.take()
        {
            remove(
                ops,
                Events::with_data(&connection, CONNECTION, EventSet::empty()),
            );
        }
    }

    fn init(&mut self, ops: &mut EventOps) {
        add(ops, Events::with_data(self.dvs.lost(), LOST, EventSet::IN));
        add(ops, Events::with_data(&self.timer, TIMER, EventSet::IN));
        self.watch_connection(ops);
    }
}

fn add(ops: &mut EventOps, events: Events) {
    if let Err(error) = ops.add(events) {
        tracing::error!(?error, "cannot watch the node");
    }
}

fn remove(ops: &mut EventOps, events: Events) {
    if let Err(error) = ops.remove(events) {
        tracing::debug!(?error, "the node was not watched");
    }
}

#[cfg(test)]
#[path = "event_handler_test.rs"]
mod tests;
