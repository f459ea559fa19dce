//! PCI: one root bus, configuration by ports and by memory (ECAM), BARs that the guest may move, MSI-X.

pub mod config;
pub mod msix;
mod root;

pub use root::{HostBridge, Root};

/// An address space that a BAR lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Ports.
    Io,
    /// Memory.
    Memory,
}

/// A function on the bus.
///
/// The guest is hostile: any offset, length and value may come, from several vCPUs at once.
pub trait Function: Send + Sync {
    /// Fills `data` from the configuration space.
    fn read_config(&self, offset: usize, data: &mut [u8]);
    /// Takes a write to the configuration space.
    fn write_config(&self, offset: usize, data: &[u8]);
    /// Which BAR an access of `len` bytes falls into, as the guest has placed and enabled them, and where in it.
    fn decode(&self, space: Space, address: u64, len: usize) -> Option<(usize, u64)>;
    /// Fills `data` from a BAR.
    fn read_bar(&self, bar: usize, offset: u64, data: &mut [u8]);
    /// Takes a write to a BAR.
    fn write_bar(&self, bar: usize, offset: u64, data: &[u8]);
}
