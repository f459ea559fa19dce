//! A machine: memory, processors, interrupt controllers, buses, and its start.

pub mod acpi;
mod board;
pub mod boot;
pub mod bus;
mod clock;
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
use crate::devices::power::PowerControl;
use crate::devices::uart::Uart;
use board::Board;
use boot::Payload;
use cpu::stats::VcpuStats;
use cpu::thread::{Surroundings, Vcpu};
use cpu::throttle::Throttle;
use event::GuestEvents;
use kvm::KvmVm;
use memory::GuestMemory;
pub use offer::{HostCpu, MACHINE_VERSION, host_cpu, host_devices};
use persist::Named;
use state::{of, processors};

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
    throttle: Throttle,
    vcpus: Vec<Arc<Vcpu>>,
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
        let layout = offer::layout(&memory)?;
        let vm = Arc::new(KvmVm::create(&memory)?);
        let board = Board::build(parts, &vm, &memory, events.clone())?;
        let entry = parts.payload.as_ref();
        let entry = entry.map(|payload| load(&memory, payload, parts.vcpus));
        let entry = entry.transpose()?;
        let around = Surroundings {
            ports: Arc::new(board.ports),
            mmio: Arc::new(board.mmio),
            events,
        };
        let vcpus = vcpus(&vm, &memory, parts.vcpus, entry, &around)?;
        let stats = vcpus.iter().map(|vcpu| vcpu.with(VcpuStats::open));
        let stats = stats.collect::<Result<_, _>>();
        let cpu = vcpus.first().map(|vcpu| offer::cpu_of(vcpu));
        Ok(Self {
            throttle: Throttle::default(),
            cpu: Mutex::new(cpu.transpose().map_err(of("vcpu0"))?.unwrap_or_default()),
            parts: [board.parts, processors(&vm, &vcpus)?].concat(),
            vcpus,
            stats: stats.map_err(MachineError::Vcpu)?,
            power: board.power,
            dvs: parts.dvs.clone(),
            memory,
            layout,
            vm,
        })
    }

    /// Lets the guest run.
    pub fn resume(&self) {
        self.vcpus.iter().for_each(|vcpu| vcpu.resume());
    }

    /// Stops the guest and waits until every vCPU is out of it.
    pub fn pause(&self) {
        self.vcpus.iter().for_each(|vcpu| vcpu.request_park());
        self.vcpus.iter().for_each(|vcpu| vcpu.wait_parked());
    }

    /// Takes away `percent` of the guest's time, 0 to 99.
    pub fn throttle(&self, percent: u8) -> Result<(), MachineError> {
        self.throttle
            .set(percent, &self.vcpus)
            .map_err(MachineError::Vcpu)
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
        if let Err(error) = self.throttle(0) {
            tracing::error!(%error, "the guest is still held");
        }
        self.parts.clear();
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

/// The vCPUs on threads of their own, parked. The first one begins at `entry`.
fn vcpus(
    vm: &KvmVm,
    memory: &GuestMemory,
    count: u8,
    entry: Option<u64>,
    around: &Surroundings,
) -> Result<Vec<Arc<Vcpu>>, MachineError> {
    cpu::thread::install_kick_handler().map_err(MachineError::Vcpu)?;
    let mut vcpus = Vec::new();
    for id in 0..count {
        let vcpu = vm.create_vcpu(id, count)?;
        cpu::regs::reset(&vcpu)?;
        if id == 0
            && let Some(entry) = entry
        {
            cpu::regs::enter_long_mode(&vcpu, memory, entry)?;
        }
        let vcpu = Vcpu::spawn(id, vcpu, around.clone()).map_err(MachineError::Vcpu)?;
        vcpus.push(Arc::new(vcpu));
    }
    Ok(vcpus)
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

/// What a vCPU or a device holds is still the best there is when a thread panicked with it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
