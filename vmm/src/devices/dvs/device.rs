//! The device as the guest sees it. It stays when the node dies; then it does nothing until the node is back.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use virtio_dvs::spec;
use vmm_sys_util::eventfd::EventFd;

use super::backend::{Session, SessionError};
use super::log::DirtyLog;
use super::migration::LossNotice;
use super::node::{NodeError, NodeLink};
use crate::devices::virtio::{Activation, DeviceBroken, DriverNotice, VirtioDevice};

const QUEUE_SIZES: [u16; spec::QUEUE_COUNT] = [spec::QUEUE_SIZE_MAX; spec::QUEUE_COUNT];

/// A virtio-dvs device.
#[derive(Debug)]
pub struct Dvs {
    link: Arc<NodeLink>,
    /// What the driver is offered: by the first node of the machine, wherever it is now.
    features: AtomicU64,
    state: Mutex<State>,
    /// Signalled when the connection was found broken.
    lost: EventFd,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) session: Option<Session>,
    pub(super) active: Option<Active>,
    pub(super) rings: Rings,
    /// The configuration space as last seen.
    pub(super) config: Vec<u8>,
    /// The guest has reset the device while the node was away, which the node must hear.
    reset_owed: bool,
    /// The machine is ending.
    pub(super) closed: bool,
    /// The machine is moving: nothing is started or connected but on request.
    pub(super) held: bool,
    /// Where the node notes what it writes, while the machine moves.
    pub(super) log: Option<Arc<DirtyLog>>,
    pub(super) on_loss: Option<LossNotice>,
    counters: Counters,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("session", &self.session)
            .field("active", &self.active)
            .field("rings", &self.rings)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

/// What the node does with the rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Rings {
    /// It does not have them.
    #[default]
    Off,
    /// It knows them and does not touch them.
    Prepared,
    /// They are in use.
    On,
}

#[derive(Debug, Default)]
struct Counters {
    connects: u64,
    losses: u64,
    activations: u64,
    resets: u64,
}

pub(super) struct Active {
    pub(super) activation: Activation,
    notice: Arc<dyn DriverNotice>,
}

impl std::fmt::Debug for Active {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Active")
            .field("activation", &self.activation)
            .finish_non_exhaustive()
    }
}

impl Dvs {
    /// A device that is connected to its node.
    pub fn connect(link: Arc<NodeLink>) -> Result<Self, NodeError> {
        let lost =
            EventFd::new(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC).map_err(NodeError::Watch)?;
        let mut session = Session::open(link.connect()?)?;
        let config = session.config()?;
        let features = session.driver_features();
        let counters = Counters {
            connects: 1,
            ..Counters::default()
        };
        let state = State {
            session: Some(session),
            config,
            counters,
            ..State::default()
        };
        Ok(Self {
            link,
            features: AtomicU64::new(features),
            state: Mutex::new(state),
            lost,
        })
    }

    /// The way to the node.
    pub fn link(&self) -> &NodeLink {
        &self.link
    }

    /// Signalled when the connection was found broken.
    pub fn lost(&self) -> &EventFd {
        &self.lost
    }

    /// A duplicate of the connection, to wait for its end; `None` while there is none.
    pub fn watch(&self) -> Option<UnixStream> {
        self.lock()
            .session
            .as_ref()
            .and_then(|session| session.watch().ok())
    }

    /// The node has ended the connection.
    pub fn disconnected(&self) {
        self.give_up(&mut self.lock());
    }

    /// Connects again, and hands the queues over where they were.
    pub fn reconnect(&self) -> Result<(), NodeError> {
        let mut state = self.lock();
        if state.session.is_some() || state.closed {
            return Ok(());
        }
        if state.held {
            return Err(NodeError::Held);
        }
        let mut session = Session::open(self.link.connect()?)?;
        if self.features() & !session.driver_features() != 0 {
            return Err(SessionError::Lacks("features that the guest was offered before").into());
        }
        if state.reset_owed {
            session.reset()?;
            state.reset_owed = false;
        }
        if let Some(active) = &state.active {
            session.start(&active.activation, true)?;
        }
        let config = session.config()?;
        state.rings = match state.active {
            Some(_) => Rings::On,
            None => Rings::Off,
        };
        state.session = Some(session);
        state.counters.connects += 1;
        self.show_config(state, config);
        Ok(())
    }

    /// The configuration space is this from now on; the driver is told if it has changed.
    pub(super) fn show_config(&self, mut state: MutexGuard<'_, State>, config: Vec<u8>) {
        let changed = std::mem::replace(&mut state.config, config) != state.config;
        let notice = state.active.as_ref().map(|active| active.notice.clone());
        drop(state);
        if let Some(notice) = notice.filter(|_| changed) {
            notice.config_changed();
        }
    }

    /// Ends the device with its machine.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.active = None;
        state.session = None;
    }

    /// What was counted.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let state = self.lock();
        let Counters {
            connects,
            losses,
            activations,
            resets,
        } = state.counters;
        [
            ("connected", u64::from(state.session.is_some())),
            ("connects", connects),
            ("losses", losses),
            ("activations", activations),
            ("resets", resets),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a broken connection up; whoever waits for it is told.
    pub(super) fn give_up(&self, state: &mut State) {
        if state.session.take().is_some() {
            state.rings = Rings::Off;
            // The next node knows nothing of what this one has written.
            state.log = None;
            state.counters.losses += 1;
            tracing::warn!("the node is gone; the guest runs on without it until it is back");
            self.signal_loss();
            if let Some(notice) = &state.on_loss {
                notice();
            }
        }
    }

    pub(super) fn signal_loss(&self) {
        if let Err(error) = self.lost.write(1) {
            tracing::error!(%error, "cannot tell that the node is gone");
        }
    }

    /// Does something with the node, where it is there; a failure ends the connection.
    pub(super) fn with_node<T>(
        &self,
        state: &mut State,
        act: impl FnOnce(&mut Session) -> Result<T, SessionError>,
    ) -> Option<T> {
        match self.ask_node(state, act) {
            Ok(value) => Some(value),
            Err(NodeError::Away) => None,
            Err(error) => {
                tracing::warn!(%error, "the node does not answer as it should");
                None
            }
        }
    }

    /// The same for those who must know of the failure.
    pub(super) fn ask_node<T>(
        &self,
        state: &mut State,
        act: impl FnOnce(&mut Session) -> Result<T, SessionError>,
    ) -> Result<T, NodeError> {
        let session = state.session.as_mut().ok_or(NodeError::Away)?;
        act(session).map_err(|error| {
            if error.breaks_connection() {
                self.give_up(state);
            }
            error.into()
        })
    }

    /// The driver is offered what another node offered it.
    pub(super) fn set_features(&self, features: u64) {
        self.features.store(features, Ordering::Relaxed);
    }
}

impl VirtioDevice for Dvs {
    fn device_type(&self) -> u16 {
        (spec::VIRTIO_ID & 0xffff) as u16
    }

    fn queue_sizes(&self) -> &[u16] {
        &QUEUE_SIZES
    }

    fn features(&self) -> u64 {
        self.features.load(Ordering::Relaxed)
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        let mut state = self.lock();
        if let Some(config) = self.with_node(&mut state, Session::config) {
            state.config = config;
        }
        for (at, byte) in (offset..).zip(data) {
            *byte = usize::try_from(at)
                .ok()
                .and_then(|at| state.config.get(at))
                .copied()
                .unwrap_or(0);
        }
    }

    fn write_config(&self, offset: u64, data: &[u8]) {
        let Ok(offset) = u32::try_from(offset) else {
            return;
        };
        if data.len() as u64 + u64::from(offset) <= spec::CONFIG_SIZE as u64 {
            let mut state = self.lock();
            self.with_node(&mut state, |session| session.write_config(offset, data));
        }
    }

    fn activate(
        &self,
        activation: Activation,
        notice: Arc<dyn DriverNotice>,
    ) -> Result<(), DeviceBroken> {
        let mut state = self.lock();
        if state.closed {
            return Ok(());
        }
        state.counters.activations += 1;
        let held = state.held;
        if let Some(session) = state.session.as_mut() {
            // At a destination the queues were in use before, and are started when all is there.
            let taken = if held {
                session.prepare(&activation, true).map(|()| Rings::Prepared)
            } else {
                session.start(&activation, false).map(|()| Rings::On)
            };
            match taken {
                Ok(rings) => state.rings = rings,
                // The guest's own fault, and the node has heard nothing of it.
                Err(error @ (SessionError::Queue(_) | SessionError::Memory)) => {
                    return Err(DeviceBroken(error.to_string()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the node does not take the guest's queues");
                    self.give_up(&mut state);
                }
            }
        }
        // Without a node the guest starts all the same; the node gets the queues when it is back.
        state.active = Some(Active { activation, notice });
        Ok(())
    }

    fn reset(&self) {
        let mut state = self.lock();
        if state.active.take().is_some() {
            state.counters.resets += 1;
            state.rings = Rings::Off;
            state.reset_owed = self.with_node(&mut state, Session::reset).is_none();
        }
    }
}

#[cfg(test)]
#[path = "device_test.rs"]
mod tests;
