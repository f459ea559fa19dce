//! The state in which the first vCPU enters a 64-bit kernel (Linux x86 boot protocol, "64-bit boot protocol").

use kvm_bindings::{Msrs, kvm_fpu, kvm_msr_entry, kvm_regs, kvm_segment, kvm_sregs};
use kvm_ioctls::VcpuFd;
use vm_memory::{Bytes, GuestAddress, GuestMemoryError};

use super::super::layout;
use super::super::memory::GuestMemory;

/// Why a vCPU could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum RegsError {
    /// KVM refused a part of the state.
    #[error("KVM refused the {what} of a vCPU: {source}")]
    Kvm {
        /// Which part.
        what: &'static str,
        /// KVM's answer.
        source: kvm_ioctls::Error,
    },
    /// The tables do not fit in guest memory.
    #[error("cannot write the boot tables to guest memory: {0}")]
    Memory(#[from] GuestMemoryError),
}

fn kvm(what: &'static str) -> impl Fn(kvm_ioctls::Error) -> RegsError {
    move |source| RegsError::Kvm { what, source }
}

/// Sets what every vCPU has after power-on beyond KVM's defaults: caching, FPU, local interrupt lines.
pub fn reset(vcpu: &VcpuFd) -> Result<(), RegsError> {
    const MTRR_DEF_TYPE: u32 = 0x2ff;
    const MTRR_ENABLED_WRITE_BACK: u64 = (1 << 11) | 6;
    const MISC_ENABLE: u32 = 0x1a0;
    const FAST_STRINGS: u64 = 1;
    let entry = |index, data| kvm_msr_entry {
        index,
        data,
        ..Default::default()
    };
    let entries = [
        entry(MISC_ENABLE, FAST_STRINGS),
        entry(MTRR_DEF_TYPE, MTRR_ENABLED_WRITE_BACK),
    ];
    let msrs = Msrs::from_entries(&entries)
        .map_err(|_| kvm("MSRs")(kvm_ioctls::Error::new(libc::ENOMEM)))?;
    vcpu.set_msrs(&msrs).map_err(kvm("MSRs"))?;
    let fpu = kvm_fpu {
        fcw: 0x37f,
        mxcsr: 0x1f80,
        ..Default::default()
    };
    vcpu.set_fpu(&fpu).map_err(kvm("FPU"))?;
    set_local_interrupts(vcpu)
}

/// LINT0 takes the interrupts of the 8259 (ExtINT), LINT1 is the NMI: what firmware sets up.
fn set_local_interrupts(vcpu: &VcpuFd) -> Result<(), RegsError> {
    const LVT_LINT0: usize = 0x350;
    const LVT_LINT1: usize = 0x360;
    const MODE_EXT_INT: u8 = 7;
    const MODE_NMI: u8 = 4;
    let mut lapic = vcpu.get_lapic().map_err(kvm("local APIC"))?;
    for (register, mode) in [(LVT_LINT0, MODE_EXT_INT), (LVT_LINT1, MODE_NMI)] {
        // The delivery mode is in bits 8 to 10: the second byte of the register.
        if let Some(byte) = lapic.regs.get_mut(register + 1) {
            *byte = (*byte & !7) | i8::try_from(mode).unwrap_or_default();
        }
    }
    vcpu.set_lapic(&lapic).map_err(kvm("local APIC"))
}

/// Puts the first vCPU into long mode at `entry` with `zero_page` in RSI.
pub fn enter_long_mode(vcpu: &VcpuFd, memory: &GuestMemory, entry: u64) -> Result<(), RegsError> {
    write_page_tables(memory)?;
    let mut sregs = vcpu.get_sregs().map_err(kvm("system registers"))?;
    write_segments(memory, &mut sregs)?;
    const PE: u64 = 1;
    const ET: u64 = 1 << 4;
    const NE: u64 = 1 << 5;
    const PG: u64 = 1 << 31;
    const PAE: u64 = 1 << 5;
    const LME_LMA: u64 = (1 << 8) | (1 << 10);
    sregs.cr0 = PE | ET | NE | PG;
    sregs.cr3 = layout::BOOT_PML4;
    sregs.cr4 = PAE;
    sregs.efer = LME_LMA;
    vcpu.set_sregs(&sregs).map_err(kvm("system registers"))?;
    let regs = kvm_regs {
        rflags: 2,
        rip: entry,
        rsp: layout::BOOT_STACK,
        rbp: layout::BOOT_STACK,
        rsi: layout::ZERO_PAGE,
        ..Default::default()
    };
    vcpu.set_regs(&regs).map_err(kvm("registers"))
}

/// Maps the first 4 GiB to themselves with pages of 2 MiB.
fn write_page_tables(memory: &GuestMemory) -> Result<(), GuestMemoryError> {
    const PRESENT_WRITABLE: u64 = 3;
    const HUGE: u64 = 1 << 7;
    const PAGE: u64 = 0x1000;
    let pdpt = layout::BOOT_PML4 + PAGE;
    memory.write_obj(pdpt | PRESENT_WRITABLE, GuestAddress(layout::BOOT_PML4))?;
    for gib in 0..4u64 {
        let directory = pdpt + PAGE * (gib + 1);
        memory.write_obj(directory | PRESENT_WRITABLE, GuestAddress(pdpt + gib * 8))?;
        for slot in 0..512u64 {
            let entry = (gib << 30) | (slot << 21) | HUGE | PRESENT_WRITABLE;
            memory.write_obj(entry, GuestAddress(directory + slot * 8))?;
        }
    }
    Ok(())
}

/// Flat 64-bit code at selector 0x10 and data at 0x18, as the boot protocol asks, with a task segment at 0x20.
fn write_segments(memory: &GuestMemory, sregs: &mut kvm_sregs) -> Result<(), GuestMemoryError> {
    let code = kvm_segment {
        type_: 0xb,
        l: 1,
        s: 1,
        ..flat(0x10)
    };
    let data = kvm_segment {
        type_: 0x3,
        db: 1,
        s: 1,
        ..flat(0x18)
    };
    let task = kvm_segment {
        type_: 0xb,
        g: 0,
        limit: 0xffff,
        ..flat(0x20)
    };
    let table = [
        0,
        0,
        descriptor(&code),
        descriptor(&data),
        descriptor(&task),
        0,
    ];
    for (slot, entry) in (0u64..).zip(table) {
        memory.write_obj(entry, GuestAddress(layout::BOOT_GDT + slot * 8))?;
    }
    sregs.gdt.base = layout::BOOT_GDT;
    sregs.gdt.limit = 6 * 8 - 1;
    sregs.idt.base = 0;
    sregs.idt.limit = 0;
    sregs.cs = code;
    for segment in [
        &mut sregs.ds,
        &mut sregs.es,
        &mut sregs.fs,
        &mut sregs.gs,
        &mut sregs.ss,
    ] {
        *segment = data;
    }
    sregs.tr = task;
    Ok(())
}

fn flat(selector: u16) -> kvm_segment {
    kvm_segment {
        base: 0,
        limit: 0xffff_ffff,
        selector,
        present: 1,
        g: 1,
        ..Default::default()
    }
}

/// The descriptor table's form of a segment with base 0.
fn descriptor(segment: &kvm_segment) -> u64 {
    let limit = u64::from(if segment.g == 1 {
        segment.limit >> 12
    } else {
        segment.limit
    });
    let access =
        u64::from(segment.type_) | u64::from(segment.s) << 4 | u64::from(segment.present) << 7;
    let flags = u64::from(segment.l) << 1 | u64::from(segment.db) << 2 | u64::from(segment.g) << 3;
    (limit & 0xffff) | access << 40 | (limit >> 16) << 48 | flags << 52
}

#[cfg(test)]
#[path = "regs_test.rs"]
mod tests;
