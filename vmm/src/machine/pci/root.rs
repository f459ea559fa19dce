//! The root bus and the ways to it: configuration ports, configuration memory, windows of BARs.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::bus::{Bus, BusDevice, Overlap};
use super::super::layout;
use super::super::persist::{Persist, StateError, decode, encode};
use super::config::{ConfigSpace, Identity};
use super::{Function, Space};

/// Devices of a bus.
const SLOTS: usize = 32;

/// The functions of the one bus; the place in the list is the device number.
#[derive(Default)]
pub struct Root {
    functions: Vec<Arc<dyn Function>>,
    /// What the guest wrote to the address port.
    address: AtomicU32,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Root")
            .field("functions", &self.functions.len())
            .finish()
    }
}

impl Root {
    /// Plugs a function into the next slot.
    pub fn add(&mut self, function: Arc<dyn Function>) {
        debug_assert!(self.functions.len() < SLOTS, "the bus is full");
        self.functions.push(function);
    }

    /// Puts the ways to the bus into the machine's address spaces.
    pub fn connect(self: Arc<Self>, ports: &mut Bus, mmio: &mut Bus) -> Result<(), Overlap> {
        ports.insert(
            "PCI configuration",
            layout::PCI_CONFIG,
            layout::PCI_CONFIG_SIZE,
            Arc::new(ConfigPorts(self.clone())),
        )?;
        let ecam = Ecam(self.clone());
        mmio.insert(
            "PCI configuration",
            layout::PCI_ECAM,
            layout::PCI_ECAM_SIZE,
            Arc::new(ecam),
        )?;
        let io = Window {
            root: self.clone(),
            space: Space::Io,
            start: layout::PCI_IO,
        };
        ports.insert(
            "PCI windows",
            layout::PCI_IO,
            layout::PCI_IO_SIZE,
            Arc::new(io),
        )?;
        let memory = Window {
            root: self,
            space: Space::Memory,
            start: layout::PCI_MMIO,
        };
        mmio.insert(
            "PCI windows",
            layout::PCI_MMIO,
            layout::PCI_MMIO_SIZE,
            Arc::new(memory),
        )
    }

    /// The function at bus, device and function number.
    fn at(&self, bus: usize, device: usize, function: usize) -> Option<&dyn Function> {
        self.functions
            .get(device)
            .filter(|_| bus == 0 && function == 0)
            .map(AsRef::as_ref)
    }

    fn decode(
        &self,
        space: Space,
        address: u64,
        len: usize,
    ) -> Option<(&dyn Function, usize, u64)> {
        self.functions.iter().find_map(|f| {
            f.decode(space, address, len)
                .map(|(bar, at)| (f.as_ref(), bar, at))
        })
    }
}

impl Persist for Root {
    fn save(&self) -> Result<Vec<u8>, StateError> {
        encode(&self.address.load(Ordering::SeqCst))
    }

    fn load(&self, bytes: &[u8]) -> Result<(), StateError> {
        self.address.store(decode(bytes)?, Ordering::SeqCst);
        Ok(())
    }
}

/// Configuration by ports: an address at 0xcf8, data at 0xcfc (PCI Local Bus 3.0, section 3.2.2.3.2).
struct ConfigPorts(Arc<Root>);

impl ConfigPorts {
    const DATA: u64 = 4;

    /// The addressed function, and the offset of the data port `offset` in its configuration space.
    fn target(&self, offset: u64, len: usize) -> Option<(&dyn Function, usize)> {
        const ENABLED: u32 = 1 << 31;
        let address = self.0.address.load(Ordering::SeqCst);
        let byte = usize::try_from(offset.checked_sub(Self::DATA)?).ok()?;
        if address & ENABLED == 0 || byte + len > 4 {
            return None;
        }
        let address = address as usize;
        let function = self
            .0
            .at(address >> 16 & 0xff, address >> 11 & 0x1f, address >> 8 & 7)?;
        Some((function, (address & 0xfc) + byte))
    }
}

impl BusDevice for ConfigPorts {
    fn read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0xff);
        if offset == 0 && data.len() == 4 {
            data.copy_from_slice(&self.0.address.load(Ordering::SeqCst).to_le_bytes());
        } else if let Some((function, at)) = self.target(offset, data.len()) {
            function.read_config(at, data);
        }
    }

    fn write(&self, offset: u64, data: &[u8]) {
        match (offset, data) {
            (0, [a, b, c, d]) => self
                .0
                .address
                .store(u32::from_le_bytes([*a, *b, *c, *d]), Ordering::SeqCst),
            _ => {
                if let Some((function, at)) = self.target(offset, data.len()) {
                    function.write_config(at, data);
                }
            }
        }
    }
}

/// Configuration by memory: 4 KiB for each function.
struct Ecam(Arc<Root>);

impl Ecam {
    fn target(&self, offset: u64, len: usize) -> Option<(&dyn Function, usize)> {
        let offset = usize::try_from(offset).ok()?;
        let register = offset & 0xfff;
        let function = self
            .0
            .at(offset >> 20, offset >> 15 & 0x1f, offset >> 12 & 7)?;
        (register + len <= 0x1000).then_some((function, register))
    }
}

impl BusDevice for Ecam {
    fn read(&self, offset: u64, data: &mut [u8]) {
        match self.target(offset, data.len()) {
            Some((function, register)) => function.read_config(register, data),
            None => data.fill(0xff),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) {
        if let Some((function, register)) = self.target(offset, data.len()) {
            function.write_config(register, data);
        }
    }
}

/// The window in which the guest places BARs.
struct Window {
    root: Arc<Root>,
    space: Space,
    start: u64,
}

impl BusDevice for Window {
    fn read(&self, offset: u64, data: &mut [u8]) {
        match self
            .root
            .decode(self.space, self.start + offset, data.len())
        {
            Some((function, bar, at)) => function.read_bar(bar, at, data),
            None => data.fill(0xff),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) {
        if let Some((function, bar, at)) =
            self.root
                .decode(self.space, self.start + offset, data.len())
        {
            function.write_bar(bar, at, data);
        }
    }
}

/// The bridge between processor and bus; it has an identity and nothing else.
#[derive(Debug)]
pub struct HostBridge(Mutex<ConfigSpace>);

impl Default for HostBridge {
    fn default() -> Self {
        // Red Hat's generic PCIe host bridge.
        let identity = Identity {
            vendor: 0x1b36,
            device: 0x0008,
            subsystem: 0x1100,
            class: 0x06_00_00,
            revision: 0,
        };
        Self(Mutex::new(ConfigSpace::new(identity)))
    }
}

impl HostBridge {
    fn lock(&self) -> MutexGuard<'_, ConfigSpace> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Persist for HostBridge {
    fn save(&self) -> Result<Vec<u8>, StateError> {
        encode(&self.lock().save())
    }

    fn load(&self, bytes: &[u8]) -> Result<(), StateError> {
        self.lock().load(&decode::<Vec<u8>>(bytes)?)
    }
}

impl Function for HostBridge {
    fn read_config(&self, offset: usize, data: &mut [u8]) {
        self.lock().read(offset, data);
    }

    fn write_config(&self, offset: usize, data: &[u8]) {
        self.lock().write(offset, data);
    }

    fn decode(&self, _space: Space, _address: u64, _len: usize) -> Option<(usize, u64)> {
        None
    }

    fn read_bar(&self, _bar: usize, _offset: u64, data: &mut [u8]) {
        data.fill(0xff);
    }

    fn write_bar(&self, _bar: usize, _offset: u64, _data: &[u8]) {}
}

#[cfg(test)]
#[path = "root_test.rs"]
mod tests;
