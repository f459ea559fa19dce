//! Model-specific registers of a vCPU: which there are, and their values.

use std::ops::Range;

use kvm_bindings::{Msrs, kvm_msr_entry};
use kvm_ioctls::{Kvm, VcpuFd};

use crate::machine::kvm::{KvmError, failed};
use crate::machine::persist::StateError;

/// Time stamp counter; it goes on by the machine's clock.
pub const TSC: u32 = 0x10;
/// When the local APIC's timer fires. It can be set only when the counter and the timer's mode are.
const TSC_DEADLINE: u32 = 0x6e0;
/// Most registers of one request to KVM.
const BATCH: usize = 128;
/// Most registers that a vCPU's state may have.
const MAX: usize = 4096;

/// Memory types, which KVM keeps but does not list.
fn memory_types() -> impl Iterator<Item = u32> {
    let variable = 0x200..0x210;
    variable
        .chain([0x250, 0x258, 0x259, 0x2ff])
        .chain(0x268..0x270)
}

/// Registers of Hyper-V, which the machine does not offer. Some of them count what this host does.
const HYPERV: Range<u32> = 0x4000_0000..0x4000_0200;

/// The registers that make up a vCPU's state on this host, in the order in which they must be set.
pub fn indices(kvm: &Kvm) -> Result<Vec<u32>, KvmError> {
    let list = kvm
        .get_msr_index_list()
        .map_err(failed("list the MSRs of a vCPU"))?;
    let mut indices: Vec<u32> = list
        .as_slice()
        .iter()
        .copied()
        .filter(|index| *index != TSC && !HYPERV.contains(index))
        .chain(memory_types())
        .collect();
    indices.sort_by_key(|index| *index == TSC_DEADLINE);
    Ok(indices)
}

fn batch(entries: &[kvm_msr_entry]) -> Result<Msrs, KvmError> {
    Msrs::from_entries(entries)
        .map_err(|_| failed("take so many MSRs")(kvm_ioctls::Error::new(libc::E2BIG)))
}

/// Reads these registers; those that the vCPU does not have are left out.
pub fn read(vcpu: &VcpuFd, indices: &[u32]) -> Result<Vec<kvm_msr_entry>, StateError> {
    let mut values = Vec::new();
    let mut left = indices;
    while !left.is_empty() {
        let asked: Vec<_> = left
            .iter()
            .take(BATCH)
            .map(|index| kvm_msr_entry {
                index: *index,
                ..Default::default()
            })
            .collect();
        let mut msrs = batch(&asked)?;
        let read = vcpu
            .get_msrs(&mut msrs)
            .map_err(failed("read the MSRs of a vCPU"))?;
        values.extend(msrs.as_slice().iter().take(read));
        // KVM stops at the first that it does not have.
        let passed = if read < asked.len() { read + 1 } else { read };
        left = left.get(passed..).unwrap_or_default();
    }
    Ok(values)
}

/// Sets these registers. One that this host's vCPU lacks is no harm while it holds 0, as all do at first.
pub fn write(vcpu: &VcpuFd, values: &[kvm_msr_entry]) -> Result<(), StateError> {
    if values.len() > MAX {
        return Err(StateError::Unfit(format!("{} MSRs", values.len())));
    }
    let mut left = values;
    while !left.is_empty() {
        let asked = left.get(..BATCH).unwrap_or(left);
        let written = vcpu
            .set_msrs(&batch(asked)?)
            .map_err(failed("set the MSRs of a vCPU"))?;
        let refused = asked.get(written);
        if let Some(refused) = refused.filter(|msr| msr.data != 0) {
            return Err(StateError::Unfit(format!(
                "MSR {:#x} cannot be {:#x} on this host",
                refused.index, refused.data
            )));
        }
        let passed = written + usize::from(refused.is_some());
        left = left.get(passed..).unwrap_or_default();
    }
    Ok(())
}
