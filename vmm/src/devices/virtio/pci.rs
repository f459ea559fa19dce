//! Virtio over PCI (virtio 1.2, section 4.1): the modern transport.
//!
//! Doorbells are ports: an exit for a port write costs less than one for memory, since KVM need not decode the
//! instruction. They are ioeventfds wherever the guest has placed the BAR, so the VMM sees none of the traffic.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use vmm_sys_util::eventfd::EventFd;

use super::capabilities::config_space;
use super::common::{Action, Common, STATUS_NEEDS_RESET};
use super::{Activation, DeviceBroken, DriverNotice, QueueSetup, VirtioDevice};
use crate::machine::kvm::{Doorbells, Interrupts, KvmError};
use crate::machine::layout;
use crate::machine::memory::GuestMemory;
use crate::machine::pci::config::ConfigSpace;
use crate::machine::pci::msix::Msix;
use crate::machine::pci::{Function, Space};

/// The memory BAR: the structures one page each.
pub(super) const MEMORY_BAR: usize = 0;
pub(super) const MEMORY_SIZE: u32 = 0x8000;
pub(super) const COMMON: u64 = 0x0000;
pub(super) const ISR: u64 = 0x1000;
pub(super) const DEVICE: u64 = 0x2000;
pub(super) const TABLE: u64 = 0x3000;
pub(super) const PENDING: u64 = 0x4000;
pub(super) const PAGE: u64 = 0x1000;
/// The port BAR: four bytes for the doorbell of each queue.
pub(super) const PORT_BAR: usize = 1;
pub(super) const PORTS: u32 = 32;
pub(super) const DOORBELL_STRIDE: u32 = 4;

/// Where in the machine the BARs are at its start.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Address of the memory BAR.
    pub memory: u32,
    /// First port of the port BAR.
    pub port: u32,
}

impl Place {
    /// The start of both windows.
    pub fn first() -> Self {
        Self {
            memory: low32(layout::PCI_MMIO),
            port: low32(layout::PCI_IO),
        }
    }
}

pub(super) fn low32(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}

/// What the transport needs of the machine.
#[derive(Clone)]
pub struct Wiring {
    /// Interrupts.
    pub interrupts: Arc<dyn Interrupts>,
    /// Doorbells.
    pub doorbells: Arc<dyn Doorbells>,
    /// The guest's memory.
    pub memory: GuestMemory,
}

impl std::fmt::Debug for Wiring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wiring").finish_non_exhaustive()
    }
}

/// A virtio device on the PCI bus.
pub struct VirtioPci {
    this: Weak<Self>,
    device: Arc<dyn VirtioDevice>,
    wiring: Wiring,
    pub(super) msix: Msix,
    msix_at: usize,
    window_at: usize,
    kicks: Vec<EventFd>,
    pub(super) config: Mutex<Config>,
    pub(super) common: Mutex<Common>,
    /// Held through a change of the device's state, so that vCPUs that race each other make them one after the other.
    turn: Mutex<()>,
}

#[derive(Debug)]
pub(super) struct Config {
    pub(super) space: ConfigSpace,
    /// First port of the doorbells that KVM has.
    doorbells: Option<u64>,
}

impl std::fmt::Debug for VirtioPci {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VirtioPci")
            .field("common", &self.common)
            .finish_non_exhaustive()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl VirtioPci {
    /// Puts `device` on the bus with its BARs at `place`: one interrupt for each queue and one for its configuration.
    pub fn new(
        device: Arc<dyn VirtioDevice>,
        place: Place,
        wiring: Wiring,
    ) -> Result<Arc<Self>, KvmError> {
        let sizes = device.queue_sizes();
        let queues = u16::try_from(sizes.len()).map_err(|_| KvmError::NoInterrupts)?;
        let vectors = queues + 1;
        let msix = Msix::new(wiring.interrupts.clone(), vectors)?;
        let kicks = sizes.iter().map(|_| eventfd()).collect::<Result<_, _>>()?;
        let (space, msix_at, window_at) = config_space(device.device_type(), vectors, place);
        let common = Common::new(device.features(), sizes, vectors);
        Ok(Arc::new_cyclic(|this| Self {
            this: this.clone(),
            msix,
            msix_at,
            window_at,
            kicks,
            config: Mutex::new(Config {
                space,
                doorbells: None,
            }),
            common: Mutex::new(common),
            turn: Mutex::new(()),
            device,
            wiring,
        }))
    }

    fn activate(&self) {
        if let Err(error) = self.try_activate() {
            // At a level that a guest cannot fill a log with.
            tracing::info!(%error, "a virtio device cannot start");
            lock(&self.common).status |= STATUS_NEEDS_RESET;
            self.config_changed();
        }
    }

    pub(super) fn try_activate(&self) -> Result<(), DeviceBroken> {
        let activation = {
            let common = lock(&self.common);
            self.activation(&common)
        };
        let notice = self
            .this
            .upgrade()
            .map(|this| this as Arc<dyn DriverNotice>);
        match (activation, notice) {
            (Ok(activation), Some(notice)) => self.device.activate(activation, notice),
            (Err(error), _) => Err(DeviceBroken(error.to_string())),
            (_, None) => Ok(()),
        }
    }

    fn activation(&self, common: &Common) -> Result<Activation, KvmError> {
        let mut queues = Vec::new();
        for ((index, queue), kick) in (0u16..).zip(&common.queues).zip(&self.kicks) {
            if queue.enabled {
                // A queue without a vector gets a signal that nobody hears.
                let call = self.msix.event(queue.vector).map_or_else(eventfd, clone)?;
                queues.push(QueueSetup {
                    index,
                    size: queue.size,
                    descriptors: queue.descriptors,
                    available: queue.available,
                    used: queue.used,
                    kick: clone(kick)?,
                    call,
                });
            }
        }
        Ok(Activation {
            features: common.accepted,
            memory: self.wiring.memory.clone(),
            queues,
        })
    }

    fn write_common(&self, offset: u64, data: &[u8]) {
        let _turn = lock(&self.turn);
        let action = lock(&self.common).write(offset, data);
        match action {
            Action::None => {}
            Action::Activate => self.activate(),
            Action::Reset => {
                self.device.reset();
                lock(&self.common).reset();
            }
        }
    }

    /// Follows a change of the configuration space.
    fn config_written(&self, config: &mut Config) {
        self.connect(config, config.space.bar_address(PORT_BAR));
    }

    /// The configuration space is that of another function. Doorbells are connected also where the guest has not
    /// enabled their BAR: each takes KVM a while, and in a machine that moves they are there before its guest's state is.
    pub(super) fn config_loaded(&self, config: &mut Config) {
        self.connect(config, config.space.bar_place(PORT_BAR));
    }

    /// Connects doorbells from this port on, and interrupts as the configuration space says.
    fn connect(&self, config: &mut Config, doorbells: Option<u64>) {
        self.connect_doorbells(config, doorbells);
        self.msix
            .set_control(config.space.read_u16(self.msix_at + 2));
    }

    fn connect_doorbells(&self, config: &mut Config, wanted: Option<u64>) {
        if wanted == config.doorbells {
            return;
        }
        for (port, kick) in ports(config.doorbells).zip(&self.kicks) {
            if let Err(error) = self.wiring.doorbells.silence(kick, port) {
                tracing::error!(%error, port, "a doorbell cannot be taken away");
            }
        }
        for (port, kick) in ports(wanted).zip(&self.kicks) {
            if let Err(error) = self.wiring.doorbells.ring_on_write(kick, port) {
                tracing::error!(%error, port, "a doorbell rings only through the VMM");
            }
        }
        config.doorbells = wanted;
    }

    /// The access that the driver has set up in the configuration access capability (section 4.1.4.9).
    fn window(&self, config: &ConfigSpace, len: usize) -> Option<(usize, u64)> {
        let bar = usize::from(config.read_u16(self.window_at + 4) & 0xff);
        let offset = u64::from(config.read_u32(self.window_at + 8));
        let stated = config.read_u32(self.window_at + 12) as usize;
        let limit = if bar == MEMORY_BAR {
            MEMORY_SIZE
        } else {
            PORTS
        };
        let fits = offset + len as u64 <= u64::from(limit) && offset.is_multiple_of(len as u64);
        (stated == len && matches!(len, 1 | 2 | 4) && fits).then_some((bar, offset))
    }

    fn is_window_data(&self, offset: usize) -> bool {
        offset == self.window_at + 16
    }
}

impl DriverNotice for VirtioPci {
    fn config_changed(&self) {
        let vector = {
            let mut common = lock(&self.common);
            common.generation = common.generation.wrapping_add(1);
            common.config_vector
        };
        if let Some(event) = self.msix.event(vector)
            && let Err(error) = event.write(1)
        {
            tracing::error!(%error, "the guest misses a change of a device's configuration");
        }
    }
}

impl Function for VirtioPci {
    fn read_config(&self, offset: usize, data: &mut [u8]) {
        let window = {
            let config = lock(&self.config);
            config.space.read(offset, data);
            self.is_window_data(offset)
                .then(|| self.window(&config.space, data.len()))
                .flatten()
        };
        if let Some((bar, at)) = window {
            self.read_bar(bar, at, data);
        }
    }

    fn write_config(&self, offset: usize, data: &[u8]) {
        let window = {
            let mut config = lock(&self.config);
            config.space.write(offset, data);
            self.config_written(&mut config);
            self.is_window_data(offset)
                .then(|| self.window(&config.space, data.len()))
                .flatten()
        };
        if let Some((bar, at)) = window {
            self.write_bar(bar, at, data);
        }
    }

    fn decode(&self, space: Space, address: u64, len: usize) -> Option<(usize, u64)> {
        lock(&self.config).space.decode(space, address, len)
    }

    fn read_bar(&self, bar: usize, offset: u64, data: &mut [u8]) {
        data.fill(0);
        match (bar, offset / PAGE * PAGE) {
            (MEMORY_BAR, COMMON) => lock(&self.common).read(offset - COMMON, data),
            (MEMORY_BAR, DEVICE) => self.device.read_config(offset - DEVICE, data),
            (MEMORY_BAR, TABLE) => self.msix.read_table(offset - TABLE, data),
            (MEMORY_BAR, PENDING) => self.msix.read_pending(offset - PENDING, data),
            // The interrupt status has nothing to say with MSI-X, and there is no other interrupt.
            _ => {}
        }
    }

    fn write_bar(&self, bar: usize, offset: u64, data: &[u8]) {
        match (bar, offset / PAGE * PAGE) {
            (MEMORY_BAR, COMMON) => self.write_common(offset - COMMON, data),
            (MEMORY_BAR, DEVICE) => self.device.write_config(offset - DEVICE, data),
            (MEMORY_BAR, TABLE) => self.msix.write_table(offset - TABLE, data),
            // Only a doorbell that KVM does not have arrives here.
            (PORT_BAR, _) => {
                let queue =
                    usize::try_from(offset / u64::from(DOORBELL_STRIDE)).unwrap_or(usize::MAX);
                if let Some(Err(error)) = self.kicks.get(queue).map(|kick| kick.write(1)) {
                    tracing::error!(%error, queue, "a doorbell cannot be rung");
                }
            }
            _ => {}
        }
    }
}

fn eventfd() -> Result<EventFd, KvmError> {
    EventFd::new(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC).map_err(no_eventfd)
}

fn clone(event: &EventFd) -> Result<EventFd, KvmError> {
    event.try_clone().map_err(no_eventfd)
}

fn no_eventfd(error: std::io::Error) -> KvmError {
    let source = kvm_ioctls::Error::new(error.raw_os_error().unwrap_or(libc::EMFILE));
    KvmError::Failed {
        what: "get an eventfd for a device",
        source,
    }
}

/// The doorbell ports from `base` on; none without a base.
fn ports(base: Option<u64>) -> impl Iterator<Item = u64> {
    base.into_iter()
        .flat_map(|base| (base..).step_by(DOORBELL_STRIDE as usize))
}

#[cfg(test)]
#[path = "pci_test.rs"]
mod tests;
