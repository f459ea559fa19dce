//! CPUs: whatever the guest may use must be there at the destination too.

use crate::message::{Cpu, CpuLeaf};

/// Bits that say what a CPU can do: leaf, subleaf, register, bits that change as the guest runs.
const FEATURES: &[(u32, u32, usize, u32)] = &[
    // OSXSAVE follows CR4.
    (0x1, 0, ECX, 1 << 27),
    (0x1, 0, EDX, 0),
    (0x6, 0, EAX, 0),
    (0x7, 0, EBX, 0),
    // OSPKE follows CR4.
    (0x7, 0, ECX, 1 << 4),
    (0x7, 0, EDX, 0),
    (0x7, 1, EAX, 0),
    (0x7, 1, EDX, 0),
    (0x7, 2, EDX, 0),
    // Parts of the extended state.
    (0xd, 0, EAX, 0),
    (0xd, 0, EDX, 0),
    (0xd, 1, EAX, 0),
    (0xd, 1, ECX, 0),
    // What KVM offers to its guests.
    (0x4000_0001, 0, EAX, 0),
    (0x8000_0001, 0, ECX, 0),
    (0x8000_0001, 0, EDX, 0),
    (0x8000_0007, 0, EDX, 0),
    (0x8000_0008, 0, EBX, 0),
    (0x8000_000a, 0, EDX, 0),
    (0x8000_0021, 0, EAX, 0),
];
const EAX: usize = 0;
const EBX: usize = 1;
const ECX: usize = 2;
const EDX: usize = 3;
const NAMES: [&str; 4] = ["EAX", "EBX", "ECX", "EDX"];
/// Leaf that holds the sizes of addresses.
const ADDRESSES: u32 = 0x8000_0008;
/// What KVM takes for the same frequency.
const TSC_TOLERANCE_PPM: u64 = 250;

/// What a guest would miss.
pub fn obstacles(guest: &Cpu, host: &Cpu, tsc_scaling: bool) -> Vec<String> {
    let mut found = Vec::new();
    let (theirs, ours) = (vendor(guest), vendor(host));
    if theirs != ours {
        found.push("the CPUs of the two hosts are of different makers".to_owned());
        // The features of another maker's CPU mean nothing more.
        return found;
    }
    let bits = |cpu: &Cpu| register(cpu, ADDRESSES, 0, EAX) & 0xff;
    if bits(guest) > bits(host) {
        found.push(format!(
            "the VM may use physical addresses of {} bits, this host's CPU has {}",
            bits(guest),
            bits(host)
        ));
    }
    for &(function, index, which, changing) in FEATURES {
        let has = register(guest, function, index, which);
        let missing = has & !register(host, function, index, which) & !changing;
        if missing != 0 {
            let name = NAMES.get(which).unwrap_or(&"");
            found.push(format!(
                "this host's CPU lacks features that the VM may use: bits {missing:#010x} of {name} of CPUID leaf {function:#x}, {index}"
            ));
        }
    }
    found.extend(clock(
        guest.tsc_khz.into(),
        host.tsc_khz.into(),
        tsc_scaling,
    ));
    found
}

fn clock(theirs: u64, ours: u64, scaling: bool) -> Option<String> {
    let known = theirs > 0 && ours > 0;
    let apart = theirs.abs_diff(ours) * 1_000_000 > theirs * TSC_TOLERANCE_PPM;
    (known && apart && !scaling).then(|| {
        format!(
            "the VM's time stamp counter runs at {theirs} kHz, this host's at {ours} kHz, and its CPU cannot scale it"
        )
    })
}

fn vendor(cpu: &Cpu) -> [u32; 3] {
    [EBX, ECX, EDX].map(|which| register(cpu, 0, 0, which))
}

/// A register of a leaf; 0, as CPUID has it, where there is none.
fn register(cpu: &Cpu, function: u32, index: u32, which: usize) -> u32 {
    let is_it = |leaf: &&CpuLeaf| leaf.function == function && leaf.index == index;
    let leaf = cpu.leaves.iter().find(is_it);
    leaf.and_then(|leaf| leaf.registers.get(which))
        .map_or(0, |value| *value)
}
