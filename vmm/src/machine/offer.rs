//! What a machine is, for a host that may take it over.

use dvs_migration::layout::{Layout, LayoutError, Slot};
use dvs_migration::message::{Cpu, CpuLeaf, Device, Part};
use kvm_bindings::{CpuId, kvm_cpuid_entry2};
use vm_memory::{GuestMemoryBackend, GuestMemoryRegion};

use super::board::{DVS, SERIAL_PORTS};
use super::cpu::{self, thread::Vcpu};
use super::memory::GuestMemory;
use super::persist::{Named, StateError};
use super::{Machine, MachineError, kvm, lock};
use crate::devices::virtio::VirtioDevice;

/// Version of the machine: what is on which bus, what the firmware tables say. To be counted up with any change of
/// these, since a guest that moves has seen the old ones.
pub const MACHINE_VERSION: u32 = 1;

/// What this host gives to the virtual CPUs of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCpu {
    /// The first virtual CPU.
    pub cpu: Cpu,
    /// Whether the time stamp counter of a guest may run at another frequency than the host's.
    pub tsc_scaling: bool,
}

/// What this host would give to the first of `vcpus` virtual CPUs.
pub fn host_cpu(vcpus: u8) -> Result<HostCpu, MachineError> {
    let (cpuid, tsc_khz, tsc_scaling) = kvm::host_cpu(vcpus)?;
    Ok(HostCpu {
        cpu: cpu(&cpuid, tsc_khz),
        tsc_scaling,
    })
}

/// The devices that this host can build: `dvs_features` are those that its node offers to a driver.
pub fn host_devices(dvs_features: u64) -> Vec<Device> {
    let serial = SERIAL_PORTS.map(|(kind, ..)| device(kind, 0));
    serial
        .into_iter()
        .chain([device(DVS, dvs_features)])
        .collect()
}

fn device(kind: &str, features: u64) -> Device {
    Device {
        kind: kind.into(),
        version: 1,
        features,
    }
}

impl Machine {
    /// Where guest memory is.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Guest memory.
    pub fn memory(&self) -> &GuestMemory {
        &self.memory
    }

    /// What the guest may use of its CPUs.
    pub fn cpu(&self) -> Cpu {
        lock(&self.cpu).clone()
    }

    /// Its devices.
    pub fn devices(&self) -> Vec<Device> {
        let features = |part: &Named| match &self.dvs {
            Some(dvs) if part.name == DVS => dvs.features(),
            _ => 0,
        };
        let devices = self.parts.iter().filter(|part| part.part == Part::Device);
        devices
            .map(|part| device(&part.name, features(part)))
            .collect()
    }
}

pub(super) fn layout(memory: &GuestMemory) -> Result<Layout, LayoutError> {
    Layout::new(
        memory
            .iter()
            .map(|region| Slot {
                start: region.start_addr().0,
                size: region.len(),
            })
            .collect(),
    )
}

/// What a guest may use of this vCPU, which must be parked.
pub(super) fn cpu_of(vcpu: &Vcpu) -> Result<Cpu, StateError> {
    vcpu.with(|vcpu| Ok(cpu(&cpu::state::cpuid(vcpu)?, cpu::tsc::khz(vcpu))))
}

fn cpu(cpuid: &CpuId, tsc_khz: u32) -> Cpu {
    let leaf = |entry: &kvm_cpuid_entry2| CpuLeaf {
        function: entry.function,
        index: entry.index,
        registers: [entry.eax, entry.ebx, entry.ecx, entry.edx],
    };
    Cpu {
        leaves: cpuid.as_slice().iter().map(leaf).collect(),
        tsc_khz,
    }
}
