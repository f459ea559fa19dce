//! A machine: memory, processors, interrupt controllers, buses, and its start.

pub mod acpi;
pub mod boot;
pub mod bus;
pub mod cpu;
pub mod event;
#[cfg(test)]
pub mod fake;
pub mod kvm;
pub mod layout;
mod log;
pub mod memory;
mod offer;
pub mod pci;
pub mod persist;
mod state;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use dvs_migration::layout::Layout;
use dvs_migration::message::Cpu;

use crate::devices::dvs::Dvs;
use crate::devices::power::{I8042, PowerControl};
use crate::devices::uart::Uart;
use crate::devices::virtio::{Place, VirtioPci, Wiring};
use boot::Payload;
use bus::Bus;
use cpu::stats::VcpuStats;
use cpu::thread::{Surroundings, Vcpu};
use event::GuestEvents;
use kvm::KvmVm;
use memory::GuestMemory;
pub use offer::{HostCpu, MACHINE_VERSION, host_cpu, host_devices};
use persist::Named;

/// Why a machine cannot be built or started.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// No guest memory.
    #[error(transparent)]
    Memory(#[from] memory::MemoryError),
    /// KVM refuses.
    #[error(transparent)]
    Kvm(#[from] kvm::KvmError),
    /// The payload cannot be booted.
    #[error(transparent)]
    Boot(#[from] boot::BootError),
    /// The ACPI tables cannot be written.
    #[error(transparent)]
    Acpi(#[from] acpi::AcpiError),
    /// A vCPU cannot be prepared.
    #[error(transparent)]
    Regs(#[from] cpu::regs::RegsError),
    /// Two devices want the same addresses.
    #[error(transparent)]
    Bus(#[from] bus::Overlap),
    /// Guest memory is not of whole pages.
    #[error(transparent)]
    Layout(#[from] dvs_migration::layout::LayoutError),
    /// A state cannot be given or taken.
    #[error("cannot move {name}: {source}")]
    State {
        /// Which part of the machine.
        name: String,
        /// Why.
        source: persist::StateError,
    },
    /// A state came of which this machine has no part.
    #[error(
        "the other host's machine has a part {0:?} that this one lacks: they are not built alike"
    )]
    Unknown(String),
    /// A part of this machine got no state, or more than one.
    #[error("the other host must send the state of {0:?} once")]
    Missing(String),
    /// The host gives no thread or no statistics.
    #[error("cannot start a vCPU: {0}")]
    Vcpu(io::Error),
}

/// What a machine consists of.
#[derive(Debug)]
pub struct Parts {
    /// Processors, 1 to [`cpu::MAX_VCPUS`].
    pub vcpus: u8,
    /// Bytes of memory.
    pub memory: u64,
    /// What it boots; a machine that takes over another's state boots nothing.
    pub payload: Option<Payload>,
    /// First and second serial port, where there is one.
    pub uarts: [Option<Arc<Uart>>; 2],
    /// The virtio-dvs device, connected to its node.
    pub dvs: Option<Arc<Dvs>>,
}

/// A machine that is running or paused. Dropping it ends it.
#[derive(Debug)]
pub struct Machine {
    vcpus: Vec<Vcpu>,
    stats: Vec<Option<VcpuStats>>,
    power: Arc<PowerControl>,
    dvs: Option<Arc<Dvs>>,
    memory: GuestMemory,
    layout: Layout,
    cpu: Mutex<Cpu>,
    /// What has a state, in the order in which interrupts go from one to the next.
    parts: Vec<Named>,
    vm: Arc<KvmVm>,
}

impl Machine {
    /// Builds a machine and loads its payload, if it has one; it is paused until [`Machine::resume`].
    pub fn build(parts: &Parts, events: Arc<dyn GuestEvents>) -> Result<Self, MachineError> {
        let memory = memory::create(parts.memory)?;
        let vm = Arc::new(KvmVm::create(&memory)?);
        let power = Arc::new(PowerControl::new(sci_line(vm.clone()), events.clone()));
        let mut ports = Bus::default();
        ports.insert(
            "ACPI power management",
            layout::PM,
            layout::PM_SIZE,
            power.clone(),
        )?;
        ports.insert(
            "keyboard controller",
            layout::I8042,
            layout::I8042_SIZE,
            Arc::new(I8042::new(events.clone())),
        )?;
        add_uarts(&parts.uarts, &vm, &mut ports)?;
        let mut mmio = Bus::default();
        pci_root(parts, &vm, &memory)?.connect(&mut ports, &mut mmio)?;
        let entry = parts
            .payload
            .as_ref()
            .map(|payload| load(&memory, payload, parts.vcpus))
            .transpose()?;
        let around = Surroundings {
            ports: Arc::new(ports),
            mmio: Arc::new(mmio),
            events,
        };
        let dvs = parts.dvs.clone();
        let mut machine = Self {
            vcpus: Vec::new(),
            stats: Vec::new(),
            power,
            dvs,
            layout: offer::layout(&memory)?,
            memory,
            cpu: Mutex::default(),
            parts: Vec::new(),
            vm: vm.clone(),
        };
        machine.add_vcpus(&vm, parts.vcpus, entry, &around)?;
        Ok(machine)
    }

    fn add_vcpus(
        &mut self,
        vm: &KvmVm,
        count: u8,
        entry: Option<u64>,
        around: &Surroundings,
    ) -> Result<(), MachineError> {
        cpu::thread::install_kick_handler().map_err(MachineError::Vcpu)?;
        for id in 0..count {
            let vcpu = vm.create_vcpu(id, count)?;
            cpu::regs::reset(&vcpu)?;
            if id == 0
                && let Some(entry) = entry
            {
                cpu::regs::enter_long_mode(&vcpu, &self.memory, entry)?;
            }
            self.stats
                .push(VcpuStats::open(&vcpu).map_err(MachineError::Vcpu)?);
            self.vcpus
                .push(Vcpu::spawn(id, vcpu, around.clone()).map_err(MachineError::Vcpu)?);
        }
        Ok(())
    }

    /// Lets the guest run.
    pub fn resume(&self) {
        self.vcpus.iter().for_each(Vcpu::resume);
    }

    /// Stops the guest and waits until every vCPU is out of it.
    pub fn pause(&self) {
        self.vcpus.iter().for_each(Vcpu::request_park);
        self.vcpus.iter().for_each(Vcpu::wait_parked);
    }

    /// Takes away `percent` of the guest's time, 0 to 99.
    pub fn throttle(&self, percent: u8) -> Result<(), MachineError> {
        tracing::debug!(percent, "throttle");
        Ok(())
    }

    /// Presses the power button. False where the guest does not listen to it (yet).
    pub fn press_power_button(&self) -> bool {
        self.power.press_button()
    }

    /// KVM's counters of every vCPU; empty where the host's kernel has none.
    pub fn vcpu_counters(&self) -> io::Result<Vec<BTreeMap<String, u64>>> {
        self.stats
            .iter()
            .map(|stats| stats.as_ref().map_or(Ok(BTreeMap::new()), VcpuStats::read))
            .collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.vcpus.clear();
        // The device and its transport know each other; this takes them apart, and ends the connection to the node.
        if let Some(dvs) = &self.dvs {
            dvs.close();
        }
    }
}

/// Writes the firmware tables and the payload to memory; returns where the first vCPU begins.
fn load(memory: &GuestMemory, payload: &Payload, vcpus: u8) -> Result<u64, MachineError> {
    let rsdp = acpi::write_tables(memory, vcpus)?;
    Ok(boot::load(
        memory,
        payload,
        rsdp,
        hardware_virtualization(),
    )?)
}

/// The PCI bus with its devices.
fn pci_root(
    parts: &Parts,
    vm: &Arc<KvmVm>,
    memory: &GuestMemory,
) -> Result<Arc<pci::Root>, MachineError> {
    let mut root = pci::Root::default();
    root.add(Arc::new(pci::HostBridge::default()));
    if let Some(dvs) = &parts.dvs {
        let wiring = Wiring {
            interrupts: vm.clone(),
            doorbells: vm.clone(),
            memory: memory.clone(),
        };
        root.add(VirtioPci::new(dvs.clone(), Place::first(), wiring)?);
    }
    Ok(Arc::new(root))
}

/// Whether this host's processor runs stock kernels as guests.
fn hardware_virtualization() -> bool {
    match std::fs::read_to_string("/proc/cpuinfo") {
        Ok(text) => kvm::has_hardware_virtualization(&text),
        Err(error) => {
            tracing::warn!(%error, "cannot read /proc/cpuinfo; taking it that KVM can run any kernel");
            true
        }
    }
}

fn sci_line(vm: Arc<KvmVm>) -> crate::devices::power::SciLine {
    Box::new(move |active| {
        if let Err(error) = vm.set_line(layout::SCI_IRQ, active) {
            tracing::error!(%error, "the guest misses an ACPI event");
        }
    })
}

fn add_uarts(
    uarts: &[Option<Arc<Uart>>; 2],
    vm: &KvmVm,
    ports: &mut Bus,
) -> Result<(), MachineError> {
    let places = [
        ("COM1", layout::COM1, layout::COM1_IRQ),
        ("COM2", layout::COM2, layout::COM2_IRQ),
    ];
    for (uart, (name, start, line)) in uarts.iter().zip(places) {
        if let Some(uart) = uart {
            uart.reset();
            vm.connect_line(uart.interrupt(), line)?;
            ports.insert(name, start, layout::COM_SIZE, uart.clone())?;
        }
    }
    Ok(())
}

/// What a vCPU or a device holds is still the best there is when a thread panicked with it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
