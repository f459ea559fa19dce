//! What is asked of the node when the machine moves.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use vhost::VhostBackend;
use vhost::vhost_user::message::{VhostTransferStateDirection, VhostTransferStatePhase};
use vhost::vhost_user::{
    Error as ProtocolError, VhostUserFrontend, VhostUserProtocolFeatures, VhostUserVirtioFeatures,
};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};

use super::super::log::DirtyLog;
use super::{ANSWER_TIME, Session, SessionError, request};

/// The most bytes that a node says about a device of a machine that moves. They fit into a pipe, so whoever writes
/// them waits for nobody.
pub const STATE_MAX: usize = 4096;

/// Like [`request`], for what a node may refuse without ending the connection.
fn state_request(what: &'static str) -> impl FnOnce(vhost::Error) -> SessionError {
    move |source| match source {
        vhost::Error::VhostUserProtocol(ProtocolError::BackendInternalError) => {
            SessionError::State("the node refuses it; its log says why")
        }
        source => SessionError::Request { what, source },
    }
}

impl Session {
    /// Has the node note what it writes.
    pub fn start_log(&mut self, log: &DirtyLog) -> Result<(), SessionError> {
        self.needs(
            VhostUserProtocolFeatures::LOG_SHMFD,
            "a log of what it writes (LOG_SHMFD)",
        )?;
        if self.offered & VhostUserVirtioFeatures::LOG_ALL.bits() == 0 {
            return Err(SessionError::Lacks(
                "a log of what it writes (VHOST_F_LOG_ALL)",
            ));
        }
        self.frontend
            .set_log_base(0, Some(log.region()))
            .map_err(request("SET_LOG_BASE"))?;
        self.logging = true;
        self.set_features()
    }

    /// The node notes nothing any more.
    pub fn stop_log(&mut self) -> Result<(), SessionError> {
        self.logging = false;
        self.set_features()
    }

    /// What another node must know to go on with this device.
    pub fn save(&mut self) -> Result<Vec<u8>, SessionError> {
        let (reader, writer) = io::pipe().map_err(SessionError::Pipe)?;
        self.transfer_state(VhostTransferStateDirection::SAVE, writer.into())?;
        let state = read_state(reader)?;
        self.check_state()?;
        Ok(state)
    }

    /// Goes on with a device of another node.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        let (reader, mut writer) = io::pipe().map_err(SessionError::Pipe)?;
        self.transfer_state(VhostTransferStateDirection::LOAD, reader.into())?;
        writer.write_all(bytes).map_err(SessionError::Pipe)?;
        drop(writer);
        self.check_state()
    }

    fn transfer_state(
        &mut self,
        direction: VhostTransferStateDirection,
        pipe: OwnedFd,
    ) -> Result<(), SessionError> {
        self.needs(
            VhostUserProtocolFeatures::DEVICE_STATE,
            "the state of devices (DEVICE_STATE)",
        )?;
        self.frontend
            .set_device_state_fd(direction, VhostTransferStatePhase::STOPPED, pipe)
            .map(drop)
            .map_err(state_request("SET_DEVICE_STATE_FD"))
    }

    fn check_state(&mut self) -> Result<(), SessionError> {
        self.frontend
            .check_device_state()
            .map_err(state_request("CHECK_DEVICE_STATE"))
    }

    fn needs(
        &self,
        feature: VhostUserProtocolFeatures,
        name: &'static str,
    ) -> Result<(), SessionError> {
        if self.protocol.contains(feature) {
            return Ok(());
        }
        Err(SessionError::Lacks(name))
    }
}

/// What the node puts into a pipe before it closes its end.
fn read_state(mut pipe: io::PipeReader) -> Result<Vec<u8>, SessionError> {
    let mut state = vec![0; STATE_MAX];
    let mut count = 0;
    while let Some(rest) = state.get_mut(count..).filter(|rest| !rest.is_empty()) {
        if !is_readable(&pipe).map_err(SessionError::Pipe)? {
            return Err(SessionError::State("the node does not end it"));
        }
        match pipe.read(rest).map_err(SessionError::Pipe)? {
            0 => {
                state.truncate(count);
                return Ok(state);
            }
            read => count += read,
        }
    }
    Err(SessionError::State("it is larger than it may be"))
}

/// Waits until a read finds something, or the end; at most as long as for an answer.
fn is_readable(pipe: &io::PipeReader) -> io::Result<bool> {
    let epoll = Epoll::new()?;
    let event = EpollEvent::new(EventSet::IN, 0);
    epoll.ctl(ControlOperation::Add, pipe.as_raw_fd(), event)?;
    let limit = i32::try_from(ANSWER_TIME.as_millis()).unwrap_or(i32::MAX);
    loop {
        match epoll.wait(limit, &mut [EpollEvent::default()]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            events => return Ok(events? > 0),
        }
    }
}
