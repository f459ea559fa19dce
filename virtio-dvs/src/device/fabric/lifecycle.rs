//! Ports come and go, VMMs connect, rings are set up.

use super::*;
use crate::device::log::LogError;
use crate::device::rate::Bucket;
use crate::device::ring::{Ring, RingAddresses};
use crate::device::state::StateError;
use crate::spec::QUEUE_NAMES;
use crate::vm::VmAttributes;
use thiserror::Error;
use vhost::vhost_user::VhostUserVirtioFeatures;

/// Why a command of a VMM is refused.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The VM was detached, or the node ended the connection.
    #[error("the VM is not attached to this node any more")]
    Detached,
    /// Another VMM is connected.
    #[error("VM {0} is driven by another connection already")]
    Occupied(u32),
    /// The directory gives the VM no life.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// There is no such queue.
    #[error("there is no queue {0}; the device has queues 0 to 4")]
    NoQueue(usize),
    /// The ring is refused.
    #[error("queue {}: {error}", QUEUE_NAMES.get(*.queue).unwrap_or(&"?"))]
    Ring {
        /// The queue.
        queue: usize,
        /// What is wrong.
        error: RingError,
    },
    /// The dirty log is refused.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state of a device that moves is refused.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What a VMM says about one ring.
#[derive(Debug)]
pub enum RingCommand {
    /// Number of entries.
    Size(u32),
    /// Index of the entry that is taken next.
    Base(u32),
    /// Where the parts lie.
    Addresses(RingAddresses),
    /// How the guest kicks.
    Kick(EventSignal),
    /// How the guest is called.
    Call(Option<EventSignal>),
    /// How the VMM is told of a broken ring.
    Err(Option<EventSignal>),
    /// Whether the ring may be used.
    Enable(bool),
}

impl Fabric {
    /// Attaches a VM; `done` gets its port.
    pub fn attach(&mut self, attributes: VmAttributes, done: Done<Result<PortId, AttachError>>) {
        let vm = attributes.vm;
        match self.switch.attach(attributes) {
            Ok(()) => {
                self.waiting_attach.insert(vm, done);
            }
            Err(error) => done(Err(error)),
        }
        self.settle();
    }

    /// Detaches a VM: its life is over. The connection, if there is one, gets errors from now on.
    pub fn detach(&mut self, id: PortId) {
        let vm = self.switch.attributes(id).map_or(0, |it| it.vm);
        self.reset_device(id);
        self.life_settled(id, &Err(DirectoryError::NoVm(vm)));
        if let Some(slot) = self.ports.get_mut(id.index()) {
            *slot = None;
        }
        self.switch.detach(id);
        self.settle();
    }

    /// A VMM connects. `done` gets the session when the VM's life has begun.
    pub fn connect(&mut self, id: PortId, done: Done<Result<SessionId, SessionError>>) {
        let vm = self.switch.attributes(id).map_or(0, |it| it.vm);
        let session = SessionId(self.next_session);
        let Some(device) = self.device_mut(id) else {
            return done(Err(SessionError::Detached));
        };
        if device.session.is_some() {
            return done(Err(SessionError::Occupied(vm)));
        }
        device.session = Some(session);
        self.next_session += 1;
        self.wait_for_life(id, done, session);
        self.switch.connected(id);
        self.settle();
    }

    fn wait_for_life<T: Send + 'static>(
        &mut self,
        id: PortId,
        done: Done<Result<T, SessionError>>,
        value: T,
    ) {
        let waiting = self.waiting_life.entry(id).or_default();
        waiting.push(Box::new(move |life| {
            done(life.map(|()| value).map_err(SessionError::from));
        }));
    }

    /// The connection is closed: the VM's life is over.
    pub fn disconnect(&mut self, id: PortId, session: SessionId) {
        if self.device_of(id, session).is_err() {
            return;
        }
        self.reset_device(id);
        if let Some(device) = self.device_mut(id) {
            device.session = None;
            device.adopted = false;
        }
        self.waiting_life.remove(&id);
        self.switch.disconnected(id);
        self.settle();
    }

    /// Ends lives that were taken over from an earlier node and whose VMMs have not come back.
    pub fn end_adoption(&mut self) {
        for id in self.switch.ports().collect::<Vec<_>>() {
            let Some(device) = self.device_mut(id) else {
                continue;
            };
            if device.session.is_none() && std::mem::take(&mut device.adopted) {
                let vm = self.switch.attributes(id).map_or(0, |it| it.vm);
                tracing::info!(vm, "its VMM has not come back: this life of the VM is over");
                self.switch.abandon(id);
            }
        }
        self.settle();
    }

    /// The configuration space as the guest reads it now.
    pub fn config(
        &self,
        id: PortId,
        session: SessionId,
    ) -> Result<crate::spec::DeviceConfig, SessionError> {
        self.device_of(id, session)?;
        self.switch.config(id).ok_or(SessionError::Detached)
    }

    /// The guest wrote to the configuration space.
    pub fn config_written(&mut self, id: PortId, session: SessionId) -> Result<(), SessionError> {
        self.device_mut_of(id, session)?.counting.config_writes += 1;
        Ok(())
    }

    /// Features that the guest uses.
    pub fn set_features(
        &mut self,
        id: PortId,
        session: SessionId,
        features: u64,
    ) -> Result<(), SessionError> {
        let device = self.device_mut_of(id, session)?;
        device.set_features(features);
        if features & VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits() == 0 {
            // Such a VMM knows no SET_VRING_ENABLE.
            device.rings.iter_mut().for_each(|it| it.set_enabled(true));
        }
        self.update(id)
    }

    /// The guest's memory is this from now on.
    pub fn set_memory(
        &mut self,
        id: PortId,
        session: SessionId,
        memory: Memory,
    ) -> Result<(), SessionError> {
        let device = self.device_mut_of(id, session)?;
        device.memory = Arc::new(memory);
        for (queue, ring) in device.rings.iter_mut().enumerate() {
            ring.place(&device.memory)
                .map_err(|error| SessionError::Ring { queue, error })?;
        }
        self.update(id)
    }

    /// Something about one ring.
    pub fn set_ring(
        &mut self,
        id: PortId,
        session: SessionId,
        queue: usize,
        command: RingCommand,
    ) -> Result<(), SessionError> {
        let device = self.device_mut_of(id, session)?;
        let memory = device.memory.clone();
        let ring = device
            .rings
            .get_mut(queue)
            .ok_or(SessionError::NoQueue(queue))?;
        let mut kick_changed = None;
        let done = match command {
            RingCommand::Size(size) => ring.set_size(size),
            RingCommand::Base(base) => ring.set_base(base),
            RingCommand::Addresses(addresses) => ring.set_addresses(addresses, &memory),
            RingCommand::Kick(kick) => {
                kick_changed = Some((kick.file().clone(), ring.set_kick(kick)));
                Ok(())
            }
            RingCommand::Call(call) => {
                ring.set_call(call);
                Ok(())
            }
            RingCommand::Err(err) => {
                ring.set_err(err);
                Ok(())
            }
            RingCommand::Enable(enable) => {
                ring.set_enabled(enable);
                if !enable {
                    ring.stop();
                }
                Ok(())
            }
        };
        done.map_err(|error| SessionError::Ring { queue, error })?;
        if let Some((file, previous)) = kick_changed {
            self.unwatch(previous);
            self.watches.push(Watch::Add {
                file,
                port: id,
                queue,
            });
        }
        self.update(id)
    }

    /// Whether any ring of the port is in use.
    pub fn any_ring_active(&self, id: PortId) -> bool {
        self.device(id)
            .is_some_and(|device| device.rings.iter().any(Ring::is_active))
    }

    /// The guest has reset its device; `done` is told when a new life has begun, or that the old
    /// one goes on since the guest had not driven the device.
    pub fn reset(&mut self, id: PortId, session: SessionId, done: Done<Result<(), SessionError>>) {
        let device = match self.device_mut_of(id, session) {
            Ok(device) => device,
            Err(error) => return done(Err(error)),
        };
        device.adopted = false;
        let features = device.features;
        let memory = device.memory.clone();
        self.reset_device(id);
        if let Some(device) = self.device_mut(id) {
            // The VMM may keep these over a reset.
            device.memory = memory;
            device.set_features(features);
        }
        self.wait_for_life(id, done, ());
        self.switch.reset(id);
        self.settle();
    }

    pub(super) fn add_device(&mut self, id: PortId, adopted: bool) {
        let rate = self.switch.attributes(id).and_then(|it| it.limits.rate);
        let bucket = rate.map(|rate| Bucket::new(rate, self.epoch.elapsed()));
        let device = match DevicePort::new(adopted, bucket) {
            Ok(device) => device,
            Err(error) => {
                tracing::error!("no rings: {error}");
                return;
            }
        };
        if self.ports.len() <= id.index() {
            self.ports.resize_with(id.index() + 1, || None);
        }
        if let Some(slot) = self.ports.get_mut(id.index()) {
            *slot = Some(device);
        }
    }

    pub(super) fn device_of(
        &self,
        id: PortId,
        session: SessionId,
    ) -> Result<&DevicePort, SessionError> {
        self.device(id)
            .filter(|device| device.session == Some(session))
            .ok_or(SessionError::Detached)
    }

    pub(super) fn device_mut_of(
        &mut self,
        id: PortId,
        session: SessionId,
    ) -> Result<&mut DevicePort, SessionError> {
        self.device_mut(id)
            .filter(|device| device.session == Some(session))
            .ok_or(SessionError::Detached)
    }

    /// Takes the rings out of use and stops listening to them.
    pub(super) fn reset_device(&mut self, id: PortId) {
        self.throttled.remove(&id);
        let kicks = self.device_mut(id).map(DevicePort::reset);
        for kick in kicks.unwrap_or_default() {
            self.unwatch(Some(kick));
        }
        self.switch.stopped(id);
    }

    pub(super) fn unwatch(&mut self, kick: Option<EventSignal>) {
        self.watches
            .extend(kick.map(|kick| Watch::Remove(kick.file().clone())));
    }

    /// The device works while all its rings are in use.
    pub(super) fn update(&mut self, id: PortId) -> Result<(), SessionError> {
        let may_run = self.switch.may_run(id);
        let Some(device) = self.device_mut(id) else {
            return Err(SessionError::Detached);
        };
        if let Err(error) = device.check_log() {
            // Nothing may be written that is not noted.
            self.reset_device(id);
            return Err(error.into());
        }
        if may_run {
            device.activate().map_err(|error| SessionError::Ring {
                queue: device
                    .rings
                    .iter()
                    .position(|ring| ring.is_set_up() && !ring.is_active())
                    .unwrap_or_default(),
                error,
            })?;
        }
        let all = device.rings.iter().all(Ring::is_active);
        match (device.running, all) {
            (false, true) => self.start(id),
            (true, false) => {
                device.running = false;
                self.switch.stopped(id);
            }
            _ => {}
        }
        self.settle();
        Ok(())
    }

    /// All rings are in use: nothing may be missed, whatever happened before.
    fn start(&mut self, id: PortId) {
        let Some(device) = self.device_mut(id) else {
            return;
        };
        device.running = true;
        device.counting.starts += 1;
        if std::mem::take(&mut device.adopted) && device.is_untouched() {
            // Not the VM that an earlier node knew: rings of a driven device have moved.
            self.switch.reset(id);
        }
        self.quiet_receive_rings(id);
        self.switch.started(id);
        self.settle();
        if let Some(device) = self.device_mut(id) {
            device.call_all();
        }
        for queue in [QUEUE_MSG_TX, QUEUE_BULK_TX, QUEUE_CONTROL] {
            self.later(id, queue);
        }
    }

    /// Kicks of receive rings are of use only while somebody waits for room.
    fn quiet_receive_rings(&mut self, id: PortId) {
        for class in Class::ALL {
            let queue = rx_queue(class);
            let Some((ring, mem, _)) = self.ring(id, queue) else {
                return;
            };
            if let Err(error) = ring.want_no_kicks(mem) {
                self.give_up(id, queue, &error);
            }
        }
    }
}
