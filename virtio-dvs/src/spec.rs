//! Constants of the virtio-dvs device: identity, queues, features, configuration space.
//!
//! The text that binds is `resources/virtio-dvs-spec.md`; a test holds these constants, those of
//! the guest's `wire.h` and the text against each other.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Virtio device ID (section 1).
pub const VIRTIO_ID: u32 = 63;

/// Queue on which the driver sends message frames (section 2).
pub const QUEUE_MSG_TX: usize = 0;
/// Queue on which the driver receives message frames and what the node says.
pub const QUEUE_MSG_RX: usize = 1;
/// Queue on which the driver sends bulk frames.
pub const QUEUE_BULK_TX: usize = 2;
/// Queue on which the driver receives bulk frames.
pub const QUEUE_BULK_RX: usize = 3;
/// Queue of control requests.
pub const QUEUE_CONTROL: usize = 4;
/// Number of virtqueues.
pub const QUEUE_COUNT: usize = 5;
/// Names of the queues, by number, as counters and messages show them.
pub const QUEUE_NAMES: [&str; QUEUE_COUNT] = ["msg_tx", "msg_rx", "bulk_tx", "bulk_rx", "control"];
/// Largest size of a queue, in entries.
pub const QUEUE_SIZE_MAX: u16 = 1024;
/// Largest number of descriptors in one chain.
pub const CHAIN_MAX: usize = 64;

/// Length of [`DeviceConfig`] in bytes.
pub const CONFIG_SIZE: usize = size_of::<DeviceConfig>();
/// Length of the name of a distributed container in bytes, padding included.
pub const DC_NAME_SIZE: usize = 16;

/// Default of `nr_tasks`: endpoint numbers begin at minus this.
pub const NR_TASKS: u32 = 34;
/// Default of `nr_procs`: endpoint numbers end below this.
pub const NR_PROCS: u32 = 221;
/// Default of `nr_sysprocs`: endpoints with `number + nr_tasks` below this are servers.
pub const NR_SYSPROCS: u32 = 64;
/// Default limit of endpoints that a VM may have bound at once.
pub const MAX_ENDPOINTS: u32 = 256;
/// Default limit of VMs that a VM may talk to at once.
pub const MAX_PEERS: u32 = 32;

/// Endpoint number that stands for any endpoint.
pub const ANY: i32 = 31438;
/// Endpoint number that stands for no endpoint.
pub const NONE: i32 = 27342;
/// Endpoint number that stands for the caller.
pub const SELF: i32 = 35534;
/// Endpoint numbers that programs give a meaning of their own. Never bound.
pub const MAGIC_ENDPOINTS: [i32; 3] = [ANY, NONE, SELF];

/// Flag of the configuration: this VM may administer its DC.
pub const CONFIG_ADMIN: u32 = 0x1;

/// The device's configuration space (section 4). Read-only for the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DeviceConfig {
    /// Id of this VM, 1 to 0xffff_fffe.
    pub vm: U32,
    /// Which life of this VM it is.
    pub incarnation: U32,
    /// The distributed container that this VM belongs to.
    pub dcid: U32,
    /// Payload bytes of a message frame, at most.
    pub max_message: U32,
    /// Payload bytes of a bulk frame, at most.
    pub max_bulk: U32,
    /// Endpoints that this VM may have bound at once.
    pub max_endpoints: U32,
    /// VMs that this VM may talk to at once.
    pub max_peers: U32,
    /// Endpoint numbers begin at minus this.
    pub nr_tasks: U32,
    /// Endpoint numbers end below this.
    pub nr_procs: U32,
    /// Endpoints with `number + nr_tasks` below this are servers.
    pub nr_sysprocs: U32,
    /// [`CONFIG_ADMIN`].
    pub flags: U32,
    /// Number of the host's node, as programs of the DVS see it.
    pub nodeid: U32,
    /// Name of the distributed container, padded with zeros.
    pub dc_name: [u8; DC_NAME_SIZE],
}
