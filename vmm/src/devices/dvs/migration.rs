//! The device while its machine moves to another host.
//!
//! ```text
//!   source:       start_log ─▶ collect_log … ─▶ hold ─▶ stop_rings ─▶ collect_log ─▶ save
//!   and back:                                   release ◀─ start_rings
//!   destination:  connect ─▶ hold ─▶ restore, activate ─▶ start_rings ─▶ release ─▶ show_node
//! ```

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use virtio_dvs::spec;

use super::backend::{STATE_MAX, Session, SessionError};
use super::device::{Dvs, Rings, State};
use super::log::DirtyLog;
use super::node::NodeError;
use crate::devices::virtio::VirtioDevice;
use crate::machine::memory::GuestMemory;

/// Is called when the connection to the node is lost. It must not call the device.
pub type LossNotice = Box<dyn Fn() + Send>;

/// What the device of a machine that moves takes along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DvsState {
    /// Features that the driver was offered.
    features: u64,
    /// The configuration space as the driver knows it.
    config: Vec<u8>,
    /// What the node says about its side.
    node: Vec<u8>,
}

impl Dvs {
    /// From now on the node notes each page of `memory` that it writes.
    pub fn start_log(&self, memory: &GuestMemory) -> Result<(), NodeError> {
        let log = Arc::new(DirtyLog::new(memory).map_err(NodeError::Log)?);
        let mut state = self.lock();
        self.ask_node(&mut state, |session| session.start_log(&log))?;
        state.log = Some(log);
        Ok(())
    }

    /// Names the pages that the node has written since the last time, by guest frame number. What it writes
    /// meanwhile is named now or the next time.
    pub fn collect_log(&self, each: &mut dyn FnMut(u64)) {
        let log = self.lock().log.clone();
        if let Some(log) = log {
            log.collect(each);
        }
    }

    /// The node notes nothing any more.
    pub fn stop_log(&self) {
        let mut state = self.lock();
        if state.log.take().is_some() {
            self.with_node(&mut state, Session::stop_log);
        }
    }

    /// Takes the rings back. When this returns every buffer is back, the node touches no ring and no buffer, and
    /// what it has written is in the log.
    pub fn stop_rings(&self) -> Result<(), NodeError> {
        let mut state = self.lock();
        if state.rings != Rings::Off {
            self.ask_node(&mut state, Session::stop)?;
            state.rings = Rings::Off;
        }
        Ok(())
    }

    /// Gives the rings back after [`Dvs::stop_rings`], or for the first time at a destination; also while the
    /// connection is held. Where the node is away they start when it is back. Gives whether the node has all of
    /// them in use.
    pub fn start_rings(&self) -> Result<bool, NodeError> {
        let mut state = self.lock();
        let rings = state.rings;
        let State {
            session, active, ..
        } = &mut *state;
        let (Some(session), Some(active)) = (session, active) else {
            return Ok(false);
        };
        let started = match rings {
            Rings::On => Ok(()),
            Rings::Prepared => session.enable(&active.activation),
            Rings::Off => session.start(&active.activation, true),
        };
        match started {
            Ok(()) => state.rings = Rings::On,
            Err(error @ (SessionError::Queue(_) | SessionError::Memory)) => {
                return Err(error.into());
            }
            Err(error) => {
                tracing::warn!(%error, "the node does not take the guest's queues");
                self.give_up(&mut state);
            }
        }
        Ok(state.rings == Rings::On)
    }

    /// The driver is told of the node that the machine has come to: it is another than the one that it knows.
    pub fn show_node(&self) {
        let mut state = self.lock();
        if let Some(config) = self.with_node(&mut state, Session::config) {
            self.show_config(state, config);
        }
    }

    /// What the destination must know. The rings are stopped; nothing changes here.
    pub fn save(&self) -> Result<DvsState, NodeError> {
        let mut state = self.lock();
        let node = self.ask_node(&mut state, Session::save)?;
        Ok(DvsState {
            features: self.features(),
            config: state.config.clone(),
            node,
        })
    }

    /// The device goes on as one that was saved. Before its rings are started; before or after its activation.
    pub fn restore(&self, saved: &DvsState) -> Result<(), NodeError> {
        if saved.config.len() != spec::CONFIG_SIZE || saved.node.len() > STATE_MAX {
            return Err(SessionError::State("it has no such sizes").into());
        }
        let mut state = self.lock();
        let missing = saved.features & !self.ask_node(&mut state, |it| Ok(it.driver_features()))?;
        if missing != 0 {
            return Err(SessionError::Lacks("features that the guest was offered before").into());
        }
        self.ask_node(&mut state, |session| session.load(&saved.node))?;
        self.set_features(saved.features);
        state.config.clone_from(&saved.config);
        Ok(())
    }

    /// While the connection is held, an activation does not start the rings, and a connection that is lost is not
    /// made again. Once it is released both are made up for.
    pub fn hold_connection(&self, held: bool) {
        let mut state = self.lock();
        state.held = held;
        if !held && state.session.is_none() && !state.closed {
            self.signal_loss();
        }
    }

    /// Has `notice` called when the connection is lost, at once if there is none; `None` to forget the last one.
    pub fn when_lost(&self, notice: Option<LossNotice>) {
        let mut state = self.lock();
        if let Some(notice) = notice.as_ref().filter(|_| state.session.is_none()) {
            notice();
        }
        state.on_loss = notice;
    }
}
