//! Virtio (specification 1.2): what a device is, and its transport over PCI.

mod capabilities;
mod common;
mod pci;
mod persist;

use std::sync::Arc;

use vmm_sys_util::eventfd::EventFd;

use crate::machine::memory::GuestMemory;

pub use pci::{Place, VirtioPci, Wiring};

/// A queue as the driver has set it up. Its addresses are the guest's and have been checked for nothing.
#[derive(Debug)]
pub struct QueueSetup {
    /// Number of the queue.
    pub index: u16,
    /// Entries: a power of two, at most the device's maximum.
    pub size: u16,
    /// Guest address of the descriptor table.
    pub descriptors: u64,
    /// Guest address of the available ring.
    pub available: u64,
    /// Guest address of the used ring.
    pub used: u64,
    /// The driver signals this.
    pub kick: EventFd,
    /// The device signals this.
    pub call: EventFd,
}

/// What a device gets when its driver is ready.
#[derive(Debug)]
pub struct Activation {
    /// Features that the driver has accepted.
    pub features: u64,
    /// The guest's memory.
    pub memory: GuestMemory,
    /// The enabled queues.
    pub queues: Vec<QueueSetup>,
}

/// How a device tells its driver about itself.
pub trait DriverNotice: Send + Sync {
    /// The configuration space has changed.
    fn config_changed(&self);
}

/// The device cannot work; the sentence says why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DeviceBroken(pub String);

/// A virtio device, whatever its transport. Called on vCPU threads.
pub trait VirtioDevice: Send + Sync {
    /// Its type (section 5 of the specification).
    fn device_type(&self) -> u16;
    /// The largest size of each queue.
    fn queue_sizes(&self) -> &[u16];
    /// Features that it offers.
    fn features(&self) -> u64;
    /// Fills `data` from its configuration space; what it does not have reads as zero.
    fn read_config(&self, offset: u64, data: &mut [u8]);
    /// Takes a write to its configuration space.
    fn write_config(&self, offset: u64, data: &[u8]);
    /// Its driver is ready.
    fn activate(
        &self,
        activation: Activation,
        notice: Arc<dyn DriverNotice>,
    ) -> Result<(), DeviceBroken>;
    /// Its driver has reset it: nothing of the guest is used any more when this returns.
    fn reset(&self);
}
