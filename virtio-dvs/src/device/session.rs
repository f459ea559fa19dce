//! What a VMM asks: vhost-user messages in, commands to the fabric out.
//!
//! Messages are read on a thread of their own, so a VMM that is slow, silent or hostile holds up
//! nobody. A message that is refused ends the connection, and with it the life of the VM.

use crate::device::fabric::{Done, RingCommand, SessionError};
use crate::device::memory::{Memory, REGIONS_MAX, RegionPlace};
use crate::device::port::SessionId;
use crate::device::refusal::Refusal;
use crate::device::remote::Remote;
use crate::device::ring::{EventSignal, RingAddresses};
use crate::device::state::Transfer;
use crate::device::worker::Worker;
use crate::spec::QUEUE_COUNT;
use crate::switch::PortId;
use order::Orders;
use std::fs::File;
use std::os::unix::net::UnixStream;
use vhost::vhost_user::message::{
    VhostTransferStateDirection, VhostTransferStatePhase, VhostUserConfigFlags, VhostUserInflight,
    VhostUserLog, VhostUserMemoryRegion, VhostUserShMemConfig, VhostUserSharedMsg,
    VhostUserSingleMemoryRegion, VhostUserVringAddrFlags, VhostUserVringState,
};
use vhost::vhost_user::{
    GpuBackend, Result as ProtocolResult, VhostUserBackendReqHandlerMut, VhostUserProtocolFeatures,
    VhostUserVirtioFeatures,
};
use virtio_bindings::bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::bindings::virtio_ring::{
    VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC,
};
use zerocopy::IntoBytes;

mod migration;
mod order;

/// Features of the device and of the vhost-user connection.
pub const FEATURES: u64 = 1 << VIRTIO_F_VERSION_1
    | 1 << VIRTIO_RING_F_EVENT_IDX
    | 1 << VIRTIO_RING_F_INDIRECT_DESC
    | VhostUserVirtioFeatures::LOG_ALL.bits()
    | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();

/// Protocol features of the vhost-user connection.
pub const PROTOCOL_FEATURES: VhostUserProtocolFeatures = VhostUserProtocolFeatures::MQ
    .union(VhostUserProtocolFeatures::REPLY_ACK)
    .union(VhostUserProtocolFeatures::CONFIG)
    .union(VhostUserProtocolFeatures::RESET_DEVICE)
    .union(VhostUserProtocolFeatures::CONFIGURE_MEM_SLOTS)
    .union(VhostUserProtocolFeatures::LOG_SHMFD)
    .union(VhostUserProtocolFeatures::DEVICE_STATE);

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    orders: Orders,
    remote: Remote,
    port: PortId,
    id: SessionId,
    /// For logs.
    vm: u32,
    allow_unsealed: bool,
    memory: Memory,
    protocol_features: VhostUserProtocolFeatures,
    transfer: Transfer,
}

impl Session {
    /// The connection `id` to the port of `vm`.
    pub(super) fn open(
        remote: Remote,
        port: PortId,
        id: SessionId,
        vm: u32,
        allow_unsealed: bool,
        stream: UnixStream,
    ) -> Result<Session, Refusal> {
        let mut session = Session {
            orders: Orders::new(stream),
            remote,
            port,
            id,
            vm,
            allow_unsealed,
            memory: Memory::new(),
            protocol_features: VhostUserProtocolFeatures::empty(),
            transfer: Transfer::Idle,
        };
        // So that the log of this memory is the port's from the beginning.
        let memory = session.memory.clone();
        session.command(move |fabric, port, id| fabric.set_memory(port, id, memory))?;
        Ok(session)
    }

    pub(super) fn id(&self) -> SessionId {
        self.id
    }

    fn ring(&mut self, queue: usize, command: RingCommand) -> ProtocolResult<()> {
        Ok(self.order(move |fabric, port, id| fabric.set_ring(port, id, queue, command))?)
    }

    fn use_memory(&mut self, memory: Memory) -> ProtocolResult<()> {
        self.memory = memory.clone();
        Ok(self.order(move |fabric, port, id| fabric.set_memory(port, id, memory))?)
    }

    fn reset(&mut self) -> ProtocolResult<()> {
        self.catch_up()?;
        let (port, id) = (self.port, self.id);
        let reset = move |worker: &mut Worker, done: Done<Result<(), SessionError>>| {
            worker.fabric().reset(port, id, done);
        };
        let result = self.remote.ask(reset).map_err(Refusal::from)?;
        Ok(result.map_err(Refusal::from)?)
    }
}

fn signal(queue: usize, file: File, what: &'static str) -> ProtocolResult<EventSignal> {
    let signal = EventSignal::new(file, what);
    Ok(signal.map_err(|error| Refusal::Ring { queue, error })?)
}

fn index(queue: u32) -> usize {
    usize::try_from(queue).unwrap_or(usize::MAX)
}

fn unsupported<T>(what: &'static str) -> ProtocolResult<T> {
    Err(Refusal::Unsupported(what).into())
}

impl VhostUserBackendReqHandlerMut for Session {
    fn set_owner(&mut self) -> ProtocolResult<()> {
        Ok(())
    }

    fn reset_owner(&mut self) -> ProtocolResult<()> {
        self.reset()
    }

    fn reset_device(&mut self) -> ProtocolResult<()> {
        self.reset()
    }

    fn get_features(&mut self) -> ProtocolResult<u64> {
        self.catch_up()?;
        Ok(FEATURES)
    }

    fn set_features(&mut self, features: u64) -> ProtocolResult<()> {
        if features & !FEATURES != 0 {
            return Err(Refusal::Features(features & !FEATURES).into());
        }
        Ok(self.order(move |fabric, port, id| fabric.set_features(port, id, features))?)
    }

    fn set_mem_table(
        &mut self,
        regions: &[VhostUserMemoryRegion],
        files: Vec<File>,
        _postcopy_listening: Option<bool>,
    ) -> ProtocolResult<Option<Vec<u64>>> {
        let mut memory = self.memory.emptied();
        for (region, file) in regions.iter().zip(files) {
            let place = RegionPlace {
                guest: region.guest_phys_addr,
                size: region.memory_size,
                user: region.user_addr,
                offset: region.mmap_offset,
            };
            memory = memory
                .with(place, file, self.allow_unsealed)
                .map_err(Refusal::from)?;
        }
        self.use_memory(memory)?;
        Ok(None)
    }

    fn set_vring_num(&mut self, queue: u32, num: u32) -> ProtocolResult<()> {
        self.ring(index(queue), RingCommand::Size(num))
    }

    fn set_vring_addr(
        &mut self,
        queue: u32,
        _flags: VhostUserVringAddrFlags,
        descriptor: u64,
        used: u64,
        available: u64,
        _log: u64,
    ) -> ProtocolResult<()> {
        let addresses = RingAddresses {
            descriptors: descriptor,
            available,
            used,
        };
        self.ring(index(queue), RingCommand::Addresses(addresses))
    }

    fn set_vring_base(&mut self, queue: u32, base: u32) -> ProtocolResult<()> {
        self.ring(index(queue), RingCommand::Base(base))
    }

    fn get_vring_base(&mut self, queue: u32) -> ProtocolResult<VhostUserVringState> {
        let number = index(queue);
        let (base, in_use) = self.command(move |fabric, port, id| {
            let base = fabric.stop_ring(port, id, number)?;
            Ok((base, fabric.any_ring_active(port)))
        })?;
        // Without RESET_DEVICE, a VMM stops the rings when the guest resets the device, and has no
        // other way to say so. While its memory is followed the VM moves, and nothing is reset.
        if !in_use
            && !self.memory.log().is_on()
            && !self
                .protocol_features
                .contains(VhostUserProtocolFeatures::RESET_DEVICE)
        {
            self.reset()?;
        }
        Ok(VhostUserVringState::new(queue, u32::from(base)))
    }

    fn set_vring_kick(&mut self, queue: u8, file: Option<File>) -> ProtocolResult<()> {
        let queue = usize::from(queue);
        let file = file.ok_or(Refusal::NoKick(queue))?;
        self.ring(queue, RingCommand::Kick(signal(queue, file, "kick")?))
    }

    fn set_vring_call(&mut self, queue: u8, file: Option<File>) -> ProtocolResult<()> {
        let queue = usize::from(queue);
        let call = file.map(|file| signal(queue, file, "call")).transpose()?;
        self.ring(queue, RingCommand::Call(call))
    }

    fn set_vring_err(&mut self, queue: u8, file: Option<File>) -> ProtocolResult<()> {
        let queue = usize::from(queue);
        let err = file.map(|file| signal(queue, file, "error")).transpose()?;
        self.ring(queue, RingCommand::Err(err))
    }

    fn get_protocol_features(&mut self) -> ProtocolResult<VhostUserProtocolFeatures> {
        Ok(PROTOCOL_FEATURES)
    }

    fn set_protocol_features(&mut self, features: u64) -> ProtocolResult<()> {
        let unknown = features & !PROTOCOL_FEATURES.bits();
        if unknown != 0 {
            return Err(Refusal::ProtocolFeatures(unknown).into());
        }
        self.protocol_features = VhostUserProtocolFeatures::from_bits_truncate(features);
        Ok(())
    }

    fn get_queue_num(&mut self) -> ProtocolResult<u64> {
        Ok(QUEUE_COUNT as u64)
    }

    fn set_vring_enable(&mut self, queue: u32, enable: bool) -> ProtocolResult<()> {
        self.ring(index(queue), RingCommand::Enable(enable))
    }

    fn get_config(
        &mut self,
        offset: u32,
        size: u32,
        _flags: VhostUserConfigFlags,
    ) -> ProtocolResult<Vec<u8>> {
        let config = self.command(|fabric, port, id| fabric.config(port, id))?;
        // It is the guest that chooses: behind the end there are zeros. The protocol's own limit
        // is 256 bytes.
        let zeros = std::iter::repeat(0);
        let bytes = config.as_bytes().iter().copied().chain(zeros);
        Ok(bytes.skip(index(offset)).take(index(size)).collect())
    }

    fn set_config(
        &mut self,
        _offset: u32,
        _bytes: &[u8],
        _flags: VhostUserConfigFlags,
    ) -> ProtocolResult<()> {
        // It is the guest that writes; its VMM is not to blame.
        Ok(self.order(|fabric, port, id| fabric.config_written(port, id))?)
    }

    fn set_gpu_socket(&mut self, _backend: GpuBackend) -> ProtocolResult<()> {
        unsupported("a GPU socket")
    }

    fn get_shared_object(&mut self, _object: VhostUserSharedMsg) -> ProtocolResult<File> {
        unsupported("a shared object")
    }

    fn get_inflight_fd(
        &mut self,
        _inflight: &VhostUserInflight,
    ) -> ProtocolResult<(VhostUserInflight, File)> {
        unsupported("in-flight tracking")
    }

    fn set_inflight_fd(
        &mut self,
        _inflight: &VhostUserInflight,
        _file: File,
    ) -> ProtocolResult<()> {
        unsupported("in-flight tracking")
    }

    fn get_max_mem_slots(&mut self) -> ProtocolResult<u64> {
        Ok(REGIONS_MAX as u64)
    }

    fn add_mem_region(
        &mut self,
        region: &VhostUserSingleMemoryRegion,
        file: File,
        _postcopy_listening: Option<bool>,
    ) -> ProtocolResult<Option<u64>> {
        let memory = self
            .memory
            .with(place(region), file, self.allow_unsealed)
            .map_err(Refusal::from)?;
        self.use_memory(memory)?;
        Ok(None)
    }

    fn remove_mem_region(&mut self, region: &VhostUserSingleMemoryRegion) -> ProtocolResult<()> {
        let memory = self.memory.without(place(region)).map_err(Refusal::from)?;
        self.use_memory(memory)
    }

    fn set_device_state_fd(
        &mut self,
        direction: VhostTransferStateDirection,
        _phase: VhostTransferStatePhase,
        file: File,
    ) -> ProtocolResult<Option<File>> {
        // A failure is told in an answer without words, and is not the end of the connection.
        self.transfer = self
            .begin_transfer(direction, file)
            .inspect_err(|refusal| tracing::warn!(vm = self.vm, "no device state: {refusal}"))?;
        Ok(None)
    }

    fn check_device_state(&mut self) -> ProtocolResult<()> {
        Ok(self
            .end_transfer()
            .inspect_err(|refusal| tracing::warn!(vm = self.vm, "no device state: {refusal}"))?)
    }

    fn get_shmem_config(&mut self) -> ProtocolResult<VhostUserShMemConfig> {
        unsupported("shared memory regions")
    }

    fn set_log_base(&mut self, log: &VhostUserLog, file: File) -> ProtocolResult<()> {
        Ok(self.use_log(log, file)?)
    }
}

fn place(region: &VhostUserSingleMemoryRegion) -> RegionPlace {
    RegionPlace {
        guest: region.guest_phys_addr,
        size: region.memory_size,
        user: region.user_addr,
        offset: region.mmap_offset,
    }
}
