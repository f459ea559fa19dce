//! One vhost-user connection to the node.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use vhost::vhost_user::message::{VhostUserConfigFlags, VhostUserHeaderFlag};
use vhost::vhost_user::{
    Frontend, VhostUserFrontend, VhostUserProtocolFeatures, VhostUserVirtioFeatures,
};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use virtio_bindings::bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_dvs::spec;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

use crate::devices::virtio::{Activation, QueueSetup};
use crate::machine::memory::GuestMemory;

/// How long the node may take for one answer. It answers at once, so a longer silence means that it hangs.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Feature bits of the vhost-user connection that are none of the driver's business.
const NOT_FOR_DRIVERS: u64 =
    VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits() | VhostUserVirtioFeatures::LOG_ALL.bits();

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
}

fn request(what: &'static str) -> impl FnOnce(vhost::Error) -> SessionError {
    move |source| SessionError::Request { what, source }
}

/// A connection after its handshake.
pub struct Session {
    frontend: Frontend,
    stream: UnixStream,
    offered: u64,
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
        frontend
            .set_protocol_features(wanted(has)?)
            .map_err(request("SET_PROTOCOL_FEATURES"))?;
        frontend.set_hdr_flags(VhostUserHeaderFlag::NEED_REPLY);
        if frontend.get_queue_num().map_err(request("GET_QUEUE_NUM"))? < spec::QUEUE_COUNT as u64 {
            return Err(SessionError::Lacks("the five queues of virtio-dvs"));
        }
        Ok(Self {
            frontend,
            stream,
            offered,
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

    /// Gives the node memory and queues. `resumed`: the queues were in use before; their used rings say how far.
    pub fn start(&mut self, activation: &Activation, resumed: bool) -> Result<(), SessionError> {
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
        let features = activation.features | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();
        self.frontend
            .set_features(features)
            .map_err(request("SET_FEATURES"))?;
        self.frontend
            .set_mem_table(&regions)
            .map_err(request("SET_MEM_TABLE"))?;
        for (queue, place) in activation.queues.iter().zip(&places) {
            self.start_queue(queue, place)?;
        }
        Ok(())
    }

    fn start_queue(&mut self, queue: &QueueSetup, place: &Place) -> Result<(), SessionError> {
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
            .map_err(request("SET_VRING_KICK"))?;
        self.frontend
            .set_vring_enable(index, true)
            .map_err(request("SET_VRING_ENABLE"))
    }

    /// The guest has reset the device: the node forgets its queues and its state.
    pub fn reset(&mut self) -> Result<(), SessionError> {
        self.frontend
            .reset_device()
            .map_err(request("RESET_DEVICE"))
    }
}

/// The protocol features that are used, all of which the node must have.
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
    Ok(features)
}

/// Where a queue is in this process, and how far it has come.
struct Place {
    parts: VringConfigData,
    base: u16,
}

impl Place {
    /// `None` where a part of the queue is not inside guest memory, or not aligned.
    fn of(memory: &GuestMemory, queue: &QueueSetup, resumed: bool) -> Option<Self> {
        let size = u64::from(queue.size);
        let host = |address: u64, len: u64, alignment: u64| {
            let len = usize::try_from(len).ok()?;
            let aligned = address.is_multiple_of(alignment);
            // One slice: the whole part lies in one region.
            let slice = memory
                .get_slice(GuestAddress(address), len)
                .ok()
                .filter(|_| aligned)?;
            Some(slice.ptr_guard().as_ptr() as u64)
        };
        let parts = VringConfigData {
            queue_max_size: spec::QUEUE_SIZE_MAX,
            queue_size: queue.size,
            flags: 0,
            desc_table_addr: host(queue.descriptors, 16 * size, 16)?,
            avail_ring_addr: host(queue.available, 6 + 2 * size, 2)?,
            used_ring_addr: host(queue.used, 6 + 8 * size, 4)?,
            log_addr: None,
        };
        let base = if resumed {
            used_index(memory, queue)?
        } else {
            0
        };
        Some(Self { parts, base })
    }
}

/// The index of the used ring: how many buffers the node has given back.
fn used_index(memory: &GuestMemory, queue: &QueueSetup) -> Option<u16> {
    const INDEX: u64 = 2;
    let address = queue.used.checked_add(INDEX)?;
    memory
        .load(GuestAddress(address), std::sync::atomic::Ordering::Acquire)
        .ok()
}
