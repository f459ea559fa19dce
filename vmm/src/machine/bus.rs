//! Dispatch of port and memory accesses that reach the VMM.

use std::sync::Arc;

/// What answers accesses of the guest at some addresses.
///
/// The guest is hostile: any offset inside the range, any length from 1 to 8 and any value may come, from several
/// vCPUs at once.
pub trait BusDevice: Send + Sync {
    /// Fills `data` with what the guest reads at `offset` from the start of the range.
    fn read(&self, offset: u64, data: &mut [u8]);
    /// Takes what the guest writes at `offset` from the start of the range.
    fn write(&self, offset: u64, data: &[u8]);
}

/// Two devices want the same addresses.
#[derive(Debug, thiserror::Error)]
#[error("{name} at {start:#x}+{len:#x} overlaps another device")]
pub struct Overlap {
    name: &'static str,
    start: u64,
    len: u64,
}

struct Entry {
    start: u64,
    len: u64,
    device: Arc<dyn BusDevice>,
}

/// An address space of devices: the ports or the memory-mapped registers of a machine.
#[derive(Default)]
pub struct Bus {
    entries: Vec<Entry>,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ranges = self.entries.iter().map(|e| e.start..e.start + e.len);
        f.debug_list().entries(ranges).finish()
    }
}

impl Bus {
    /// Puts a device at `start`, `len` bytes long.
    pub fn insert(
        &mut self,
        name: &'static str,
        start: u64,
        len: u64,
        device: Arc<dyn BusDevice>,
    ) -> Result<(), Overlap> {
        let at = self.entries.partition_point(|e| e.start < start);
        let before = at.checked_sub(1).and_then(|i| self.entries.get(i));
        let clash = before.is_some_and(|e| e.start + e.len > start)
            || self.entries.get(at).is_some_and(|e| start + len > e.start);
        if clash {
            return Err(Overlap { name, start, len });
        }
        self.entries.insert(at, Entry { start, len, device });
        Ok(())
    }

    /// A read by the guest; addresses of nobody read as all ones, as on real machines.
    pub fn read(&self, address: u64, data: &mut [u8]) {
        match self.find(address, data.len()) {
            Some((device, offset)) => device.read(offset, data),
            None => data.fill(0xff),
        }
    }

    /// A write by the guest; writes to addresses of nobody are lost.
    pub fn write(&self, address: u64, data: &[u8]) {
        if let Some((device, offset)) = self.find(address, data.len()) {
            device.write(offset, data);
        }
    }

    fn find(&self, address: u64, len: usize) -> Option<(&dyn BusDevice, u64)> {
        let at = self.entries.partition_point(|e| e.start <= address);
        let entry = self.entries.get(at.checked_sub(1)?)?;
        let offset = address - entry.start;
        // A repeated string access arrives as one long slice on a single port, so only the start is checked for it.
        let end = offset.checked_add(if len > 8 { 1 } else { len as u64 })?;
        (end <= entry.len).then_some((entry.device.as_ref(), offset))
    }
}

#[cfg(test)]
#[path = "bus_test.rs"]
mod tests;
