//! The configuration space of a function: header type 0 (PCI Local Bus 3.0, section 6.1), BARs, capabilities.

use super::Space;
use crate::machine::persist::StateError;

/// Bytes of the conventional configuration space.
pub const SIZE: usize = 256;
/// BARs of a function.
pub const BARS: usize = 6;

const VENDOR: usize = 0x00;
const COMMAND: usize = 0x04;
const STATUS: usize = 0x06;
const REVISION: usize = 0x08;
const BAR0: usize = 0x10;
const SUBSYSTEM: usize = 0x2c;
const CAPABILITIES: usize = 0x34;
const FIRST_CAPABILITY: usize = 0x40;

const COMMAND_IO: u16 = 1;
const COMMAND_MEMORY: u16 = 2;
/// I/O, memory, bus master, interrupt disable.
const COMMAND_WRITABLE: u16 = 0x0407;
const STATUS_CAPABILITIES: u8 = 0x10;

/// What a function is.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Vendor ID, also of the subsystem.
    pub vendor: u16,
    /// Device ID.
    pub device: u16,
    /// Device ID of the subsystem.
    pub subsystem: u16,
    /// Class, subclass and interface: 0xCCSSII.
    pub class: u32,
    /// Revision.
    pub revision: u8,
}

#[derive(Clone, Copy, Debug)]
struct Bar {
    space: Space,
    size: u32,
}

/// A configuration space.
#[derive(Debug)]
pub struct ConfigSpace {
    bytes: [u8; SIZE],
    writable: [u8; SIZE],
    bars: [Option<Bar>; BARS],
    last_capability: usize,
    end: usize,
}

impl ConfigSpace {
    /// A function without BARs and capabilities.
    pub fn new(identity: Identity) -> Self {
        let mut this = Self {
            bytes: [0; SIZE],
            writable: [0; SIZE],
            bars: [None; BARS],
            last_capability: CAPABILITIES,
            end: FIRST_CAPABILITY,
        };
        put(&mut this.bytes, VENDOR, &identity.vendor.to_le_bytes());
        put(&mut this.bytes, VENDOR + 2, &identity.device.to_le_bytes());
        let class_and_revision = identity.class << 8 | u32::from(identity.revision);
        put(&mut this.bytes, REVISION, &class_and_revision.to_le_bytes());
        put(&mut this.bytes, SUBSYSTEM, &identity.vendor.to_le_bytes());
        put(
            &mut this.bytes,
            SUBSYSTEM + 2,
            &identity.subsystem.to_le_bytes(),
        );
        put(&mut this.writable, COMMAND, &COMMAND_WRITABLE.to_le_bytes());
        // The interrupt line register is scratch space for the guest.
        put(&mut this.writable, 0x3c, &[0xff]);
        this
    }

    /// Adds BAR `index` of `size` bytes (a power of two, at least 16) at `address`.
    pub fn add_bar(&mut self, index: usize, space: Space, size: u32, address: u32) {
        let fixed_bits = match space {
            Space::Io => 0b11,
            Space::Memory => 0b1111,
        };
        let kind = u32::from(space == Space::Io);
        put(
            &mut self.bytes,
            BAR0 + 4 * index,
            &(address | kind).to_le_bytes(),
        );
        put(
            &mut self.writable,
            BAR0 + 4 * index,
            &(!(size - 1) & !fixed_bits).to_le_bytes(),
        );
        if let Some(bar) = self.bars.get_mut(index) {
            *bar = Some(Bar { space, size });
        }
    }

    /// Adds a capability with this body after its two-byte header; returns its offset. Bits set in `writable` (as long
    /// as the body) can be written by the guest.
    pub fn add_capability(&mut self, id: u8, body: &[u8], writable: &[u8]) -> usize {
        let at = self.end;
        let link = if self.last_capability == CAPABILITIES {
            CAPABILITIES
        } else {
            self.last_capability + 1
        };
        put(
            &mut self.bytes,
            link,
            &[u8::try_from(at).unwrap_or_default()],
        );
        put(&mut self.bytes, at, &[id, 0]);
        put(&mut self.bytes, at + 2, body);
        put(&mut self.writable, at + 2, writable);
        put(&mut self.bytes, STATUS, &[STATUS_CAPABILITIES]);
        self.last_capability = at;
        self.end = (at + 2 + body.len()).next_multiple_of(4);
        at
    }

    /// Fills `data`; beyond the conventional space there is nothing.
    pub fn read(&self, offset: usize, data: &mut [u8]) {
        for (at, byte) in (offset..).zip(data) {
            *byte = self.bytes.get(at).copied().unwrap_or(0);
        }
    }

    /// Changes what of `data` is writable.
    pub fn write(&mut self, offset: usize, data: &[u8]) {
        for (at, byte) in (offset..).zip(data) {
            if let (Some(old), Some(mask)) = (self.bytes.get_mut(at), self.writable.get(at)) {
                *old = (*old & !mask) | (byte & mask);
            }
        }
    }

    /// All bytes.
    pub fn save(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    /// Takes over what another function of the same kind has saved.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let fixed = |((new, old), mask): ((&u8, &u8), &u8)| (new ^ old) & !mask == 0;
        let mut all = bytes.iter().zip(&self.bytes).zip(&self.writable);
        if bytes.len() != SIZE || !all.all(fixed) {
            return Err(StateError::Unfit(
                "the configuration space of another PCI function".into(),
            ));
        }
        self.write(0, bytes);
        Ok(())
    }

    /// The two bytes at `offset`.
    pub fn read_u16(&self, offset: usize) -> u16 {
        let mut bytes = [0; 2];
        self.read(offset, &mut bytes);
        u16::from_le_bytes(bytes)
    }

    /// The four bytes at `offset`.
    pub fn read_u32(&self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        self.read(offset, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// Where BAR `index` is, while the guest has its address space enabled.
    pub fn bar_address(&self, index: usize) -> Option<u64> {
        let bar = self.bars.get(index).copied().flatten()?;
        let enabled = match bar.space {
            Space::Io => COMMAND_IO,
            Space::Memory => COMMAND_MEMORY,
        };
        let place = self.bar_place(index);
        place.filter(|_| self.read_u16(COMMAND) & enabled != 0)
    }

    /// Where BAR `index` is once the guest enables its address space.
    pub fn bar_place(&self, index: usize) -> Option<u64> {
        let bar = self.bars.get(index).copied().flatten()?;
        let address = self.read_u32(BAR0 + 4 * index) & !(bar.size - 1);
        Some(u64::from(address))
    }

    /// Which BAR an access falls into, and where in it.
    pub fn decode(&self, space: Space, address: u64, len: usize) -> Option<(usize, u64)> {
        (0..BARS).find_map(|index| {
            let bar = self
                .bars
                .get(index)
                .copied()
                .flatten()
                .filter(|bar| bar.space == space)?;
            let offset = address.checked_sub(self.bar_address(index)?)?;
            let end = offset.checked_add(len as u64)?;
            (end <= u64::from(bar.size)).then_some((index, offset))
        })
    }
}

fn put(bytes: &mut [u8; SIZE], offset: usize, value: &[u8]) {
    for (slot, byte) in bytes.iter_mut().skip(offset).zip(value) {
        *slot = *byte;
    }
}

#[cfg(test)]
#[path = "config_test.rs"]
mod tests;
