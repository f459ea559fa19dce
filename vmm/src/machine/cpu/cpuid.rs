//! CPUID: what KVM supports on this host, with the topology of this machine.
//!
//! KVM leaves it to the VMM to announce the TSC-deadline timer, since only the in-kernel local APIC has it. Without it
//! a guest calibrates its timer against the 8254, which fails on a busy host.
//!
//! A guest is not offered to run guests of its own: what KVM keeps for those does not move with the machine.

use kvm_bindings::{CpuId, kvm_cpuid_entry2};

/// Fits the supported CPUID leaves to vCPU `id` of `count`: one package, `count` cores, one thread a core.
///
/// `deadline_timer`: the in-kernel local APIC has a TSC-deadline timer.
pub fn for_vcpu(supported: &CpuId, id: u8, count: u8, deadline_timer: bool) -> CpuId {
    const TSC_DEADLINE: u32 = 1 << 24;
    let mut cpuid = supported.clone();
    for entry in cpuid.as_mut_slice() {
        fit(entry, id, count);
        if entry.function == 1 && deadline_timer {
            entry.ecx |= TSC_DEADLINE;
        }
    }
    cpuid
}

fn fit(entry: &mut kvm_cpuid_entry2, id: u8, count: u8) {
    const HYPERVISOR: u32 = 1 << 31;
    const HTT: u32 = 1 << 28;
    const VMX: u32 = 1 << 5;
    const SVM: u32 = 1 << 2;
    let (apic_id, cores) = (u32::from(id), u32::from(count));
    match entry.function {
        0x1 => {
            entry.ebx = (entry.ebx & 0x0000_ffff) | (cores << 16) | (apic_id << 24);
            entry.ecx = (entry.ecx | HYPERVISOR) & !VMX;
            entry.edx = (entry.edx & !HTT) | if count > 1 { HTT } else { 0 };
        }
        // Deterministic cache parameters: cores of the package; caches above level 2 are shared by all of them.
        0x4 => {
            let level = (entry.eax >> 5) & 7;
            let sharing = if level > 2 { cores - 1 } else { 0 };
            entry.eax = (entry.eax & 0x3fff) | (sharing << 14) | ((cores - 1) << 26);
        }
        0xb | 0x1f => fit_topology(entry, apic_id, cores),
        0x8000_0001 => entry.ecx &= !SVM,
        0x8000_000a => (entry.eax, entry.ebx, entry.ecx, entry.edx) = (0, 0, 0, 0),
        0x8000_0008 => entry.ecx = (entry.ecx & !0xf0ff) | (cores - 1) | (id_bits(cores) << 12),
        0x8000_001e => {
            entry.eax = apic_id;
            entry.ebx = apic_id;
            entry.ecx = 0;
        }
        _ => {}
    }
}

/// Extended topology: level 0 is threads (one), level 1 is cores, then the end.
fn fit_topology(entry: &mut kvm_cpuid_entry2, apic_id: u32, cores: u32) {
    let (shift, processors, kind) = match entry.index {
        0 => (0, 1, 1),
        1 => (id_bits(cores), cores, 2),
        _ => (0, 0, 0),
    };
    entry.eax = shift;
    entry.ebx = processors;
    entry.ecx = (entry.index & 0xff) | (kind << 8);
    entry.edx = apic_id;
}

/// Bits of an APIC id that tell `cores` cores apart.
fn id_bits(cores: u32) -> u32 {
    cores.next_power_of_two().trailing_zeros()
}

#[cfg(test)]
#[path = "cpuid_test.rs"]
mod tests;
