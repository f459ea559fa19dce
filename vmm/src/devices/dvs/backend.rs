//! One vhost-user connection to the node.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use vhost::vhost_user::message::{VhostUserConfigFlags, VhostUserHeaderFlag};
use vhost::vhost_user::{
    Frontend, VhostUserFrontend, VhostUserProtocolFeatures, VhostUserVirtioFeatures,
};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo};
use virtio_bindings::bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_dvs::spec;
use vm_memory::GuestMemoryBackend;

use super::queue::Place;
use crate::devices::virtio::{Activation, QueueSetup};

mod migration;

pub use migration::STATE_MAX;

/// How long the node may take for one answer. It answers at once, so a longer silence means that it hangs.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Feature bits of the vhost-user connection that are none of the driver's business.
const NOT_FOR_DRIVERS: u64 =
    VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits() | VhostUserVirtioFeatures::LOG_ALL.bits();

/// Features that every node of this release offers to a driver.
pub const DRIVER_FEATURES: u64 = virtio_dvs::device::session::FEATURES & !NOT_FOR_DRIVERS;

/// Why a connection cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A request failed, or its answer did not come in time.
    #[error("{what}: {source}")]
    Request {
        /// Which request.
        what: &'static str,
        /// Why.
        source: vhost::Error,
    },
    /// The socket failed.
    #[error("socket: {0}")]
    Socket(#[from] io::Error),
    /// What answers is no node, or an old one.
    #[error("it lacks {0}")]
    Lacks(&'static str),
    /// The driver placed a queue where no memory is.
    #[error("the guest placed queue {0} outside its memory")]
    Queue(u16),
    /// Guest memory has no file.
    #[error("guest memory cannot be shared")]
    Memory,
    /// The state of a device is not what it should be.
    #[error("the state of a device that moves: {0}")]
    State(&'static str),
    /// The pipe for it failed.
    #[error("the pipe for the state of a device that moves: {0}")]
    Pipe(io::Error),
}

impl SessionError {
    /// Whether nobody knows after it what the node has heard.
    pub fn breaks_connection(&self) -> bool {
        matches!(self, Self::Request { .. } | Self::Socket(_))
    }
}

fn request(what: &'static str) -> impl FnOnce(vhost::Error) -> SessionError {
    move |source| SessionError::Request { what, source }
}

/// A connection after its handshake.
pub struct Session {
    frontend: Frontend,
    stream: UnixStream,
    offered: u64,
    protocol: VhostUserProtocolFeatures,
    /// What the driver has accepted.
    accepted: u64,
    /// The node notes what it writes.
    logging: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("offered", &self.offered)
            .finish_non_exhaustive()
    }
}

impl Drop for Session {
    /// Ends the connection for everyone who has a duplicate of it.
    fn drop(&mut self) {
        if let Err(error) = self.stream.shutdown(std::net::Shutdown::Both) {
            tracing::debug!(%error, "the connection to the node was closed already");
        }
    }
}

impl Session {
    /// Agrees with the node on what both can do.
    pub fn open(stream: UnixStream) -> Result<Self, SessionError> {
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        stream.set_write_timeout(Some(ANSWER_TIME))?;
        let mut frontend = Frontend::from_stream(stream.try_clone()?, spec::QUEUE_COUNT as u64);
        frontend.set_owner().map_err(request("SET_OWNER"))?;
        let offered = frontend.get_features().map_err(request("GET_FEATURES"))?;
        if offered & (1 << VIRTIO_F_VERSION_1) == 0 {
            return Err(SessionError::Lacks("virtio 1 (VIRTIO_F_VERSION_1)"));
        }
        if offered & VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits() == 0 {
            return Err(SessionError::Lacks("protocol features"));
        }
        let has = frontend
            .get_protocol_features()
            .map_err(request("GET_PROTOCOL_FEATURES"))?;
        let protocol = wanted(has)?;
        frontend
            .set_protocol_features(protocol)
            .map_err(request("SET_PROTOCOL_FEATURES"))?;
        frontend.set_hdr_flags(VhostUserHeaderFlag::NEED_REPLY);
        if frontend.get_queue_num().map_err(request("GET_QUEUE_NUM"))? < spec::QUEUE_COUNT as u64 {
            return Err(SessionError::Lacks("the five queues of virtio-dvs"));
        }
        Ok(Self {
            frontend,
            stream,
            offered,
            protocol,
            accepted: 0,
            logging: false,
        })
    }

    /// Features that the driver may be offered.
    pub fn driver_features(&self) -> u64 {
        self.offered & !NOT_FOR_DRIVERS
    }

    /// A duplicate of the connection, to wait for its end.
    pub fn watch(&self) -> io::Result<UnixStream> {
        self.stream.try_clone()
    }

    /// The device's configuration space.
    pub fn config(&mut self) -> Result<Vec<u8>, SessionError> {
        let size = spec::CONFIG_SIZE;
        let (_, bytes) = self
            .frontend
            .get_config(
                0,
                u32::try_from(size).unwrap_or(u32::MAX),
                VhostUserConfigFlags::WRITABLE,
                &vec![0; size],
            )
            .map_err(request("GET_CONFIG"))?;
        Ok(bytes)
    }

    /// Tells the node about a write of the guest to the configuration space.
    pub fn write_config(&mut self, offset: u32, data: &[u8]) -> Result<(), SessionError> {
        self.frontend
            .set_config(offset, VhostUserConfigFlags::WRITABLE, data)
            .map_err(request("SET_CONFIG"))
    }

    /// Gives the node memory and queues, and starts them. `resumed`: the queues were in use before; their used rings
    /// say how far.
    pub fn start(&mut self, activation: &Activation, resumed: bool) -> Result<(), SessionError> {
        self.in_one_go(|it| {
            it.introduce(activation, resumed, true)?;
            it.enable_all(activation)
        })
    }

    /// The same, but the node does not touch the queues before [`Session::enable`].
    pub fn prepare(&mut self, activation: &Activation, resumed: bool) -> Result<(), SessionError> {
        self.in_one_go(|it| it.introduce(activation, resumed, false))
    }

    /// Makes requests of which none waits for an acknowledgement of its own: a guest that moves stands still
    /// meanwhile. A node that cannot carry one of them out ends the connection, which shows at the end.
    fn in_one_go(
        &mut self,
        requests: impl FnOnce(&mut Self) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        self.frontend.set_hdr_flags(VhostUserHeaderFlag::empty());
        let made = requests(self);
        self.frontend.set_hdr_flags(VhostUserHeaderFlag::NEED_REPLY);
        made?;
        let heard = self.frontend.get_features();
        heard.map(drop).map_err(request("GET_FEATURES"))
    }

    /// Tells the node of memory and queues, which it may touch at once only if `free`.
    fn introduce(
        &mut self,
        activation: &Activation,
        resumed: bool,
        free: bool,
    ) -> Result<(), SessionError> {
        // The guest's mistakes are found before the node hears anything.
        let places = activation
            .queues
            .iter()
            .map(|queue| {
                Place::of(&activation.memory, queue, resumed)
                    .ok_or(SessionError::Queue(queue.index))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let regions = activation
            .memory
            .iter()
            .map(VhostUserMemoryRegionInfo::from_guest_region)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| SessionError::Memory)?;
        self.accepted = activation.features;
        self.set_features()?;
        if !free {
            // Only after the features are agreed on is there something that could be enabled or not.
            for queue in &activation.queues {
                self.enable_queue(queue, false)?;
            }
        }
        self.frontend
            .set_mem_table(&regions)
            .map_err(request("SET_MEM_TABLE"))?;
        for (queue, place) in activation.queues.iter().zip(&places) {
            self.introduce_queue(queue, place)?;
        }
        Ok(())
    }

    /// Starts the queues that the node knows.
    pub fn enable(&mut self, activation: &Activation) -> Result<(), SessionError> {
        self.in_one_go(|it| it.enable_all(activation))
    }

    fn enable_all(&mut self, activation: &Activation) -> Result<(), SessionError> {
        let mut queues = activation.queues.iter();
        queues.try_for_each(|queue| self.enable_queue(queue, true))
    }

    /// Takes the queues back: the node gives back all buffers and touches none any more.
    pub fn stop(&mut self) -> Result<(), SessionError> {
        for index in 0..spec::QUEUE_COUNT {
            // Where it has come to stands in the used ring as well.
            self.frontend
                .get_vring_base(index)
                .map_err(request("GET_VRING_BASE"))?;
        }
        Ok(())
    }

    fn set_features(&mut self) -> Result<(), SessionError> {
        let mut features = self.accepted | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();
        if self.logging {
            features |= VhostUserVirtioFeatures::LOG_ALL.bits();
        }
        self.frontend
            .set_features(features)
            .map_err(request("SET_FEATURES"))
    }

    fn enable_queue(&mut self, queue: &QueueSetup, enable: bool) -> Result<(), SessionError> {
        self.frontend
            .set_vring_enable(usize::from(queue.index), enable)
            .map_err(request("SET_VRING_ENABLE"))
    }

    fn introduce_queue(&mut self, queue: &QueueSetup, place: &Place) -> Result<(), SessionError> {
        let index = usize::from(queue.index);
        self.frontend
            .set_vring_num(index, queue.size)
            .map_err(request("SET_VRING_NUM"))?;
        self.frontend
            .set_vring_addr(index, &place.parts)
            .map_err(request("SET_VRING_ADDR"))?;
        self.frontend
            .set_vring_base(index, place.base)
            .map_err(request("SET_VRING_BASE"))?;
        self.frontend
            .set_vring_call(index, &queue.call)
            .map_err(request("SET_VRING_CALL"))?;
        self.frontend
            .set_vring_kick(index, &queue.kick)
            .map_err(request("SET_VRING_KICK"))
    }

    /// The guest has reset the device: the node forgets its queues and its state.
    pub fn reset(&mut self) -> Result<(), SessionError> {
        self.frontend
            .reset_device()
            .map_err(request("RESET_DEVICE"))
    }
}

/// The protocol features that are used. A node must have all but those for a machine that moves.
fn wanted(has: VhostUserProtocolFeatures) -> Result<VhostUserProtocolFeatures, SessionError> {
    let needed = [
        (VhostUserProtocolFeatures::MQ, "several queues (MQ)"),
        (
            VhostUserProtocolFeatures::CONFIG,
            "the configuration space (CONFIG)",
        ),
        (
            VhostUserProtocolFeatures::REPLY_ACK,
            "acknowledgements (REPLY_ACK)",
        ),
        (
            VhostUserProtocolFeatures::RESET_DEVICE,
            "reset (RESET_DEVICE)",
        ),
    ];
    let mut features = VhostUserProtocolFeatures::empty();
    for (feature, name) in needed {
        if !has.contains(feature) {
            return Err(SessionError::Lacks(name));
        }
        features |= feature;
    }
    let moving = VhostUserProtocolFeatures::LOG_SHMFD | VhostUserProtocolFeatures::DEVICE_STATE;
    Ok(features | (has & moving))
}
