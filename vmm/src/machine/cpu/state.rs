//! What a vCPU knows: taken from one and put into another.

use std::sync::Arc;

use kvm_bindings::{
    CpuId, KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2, kvm_debugregs, kvm_lapic_state, kvm_mp_state,
    kvm_msr_entry, kvm_regs, kvm_sregs, kvm_vcpu_events, kvm_xcrs, kvm_xsave,
};
use kvm_ioctls::VcpuFd;
use serde::{Deserialize, Serialize};

use super::msrs;
use super::thread::Vcpu;
use crate::machine::kvm::{KvmVm, failed};
use crate::machine::persist::{Persist, StateError, decode, encode};

/// The state of a vCPU. The time stamp counter is not in it: it belongs to the machine's clock.
#[derive(Serialize, Deserialize)]
pub struct VcpuState {
    cpuid: Vec<kvm_cpuid_entry2>,
    mp_state: kvm_mp_state,
    regs: kvm_regs,
    sregs: kvm_sregs,
    xsave: kvm_xsave,
    xcrs: kvm_xcrs,
    debug: kvm_debugregs,
    lapic: kvm_lapic_state,
    msrs: Vec<kvm_msr_entry>,
    events: kvm_vcpu_events,
}

impl std::fmt::Debug for VcpuState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VcpuState")
            .field("regs", &self.regs)
            .finish_non_exhaustive()
    }
}

/// A vCPU of a virtual machine, as something that moves.
#[derive(Debug)]
pub struct MovingVcpu(pub Arc<KvmVm>, pub Arc<Vcpu>);

impl Persist for MovingVcpu {
    fn save(&self) -> Result<Vec<u8>, StateError> {
        let Self(vm, vcpu) = self;
        encode(&vcpu.with(|vcpu| VcpuState::save(vcpu, vm.msrs()))?)
    }

    fn load(&self, bytes: &[u8]) -> Result<(), StateError> {
        let state: VcpuState = decode(bytes)?;
        self.1.with(|vcpu| state.load(vcpu))
    }
}

/// The CPUID of a vCPU.
pub fn cpuid(vcpu: &VcpuFd) -> Result<CpuId, StateError> {
    Ok(vcpu
        .get_cpuid2(KVM_MAX_CPUID_ENTRIES)
        .map_err(failed("tell the CPUID of a vCPU"))?)
}

impl VcpuState {
    /// Reads everything, with these MSRs as far as the vCPU has them.
    ///
    /// The order matters: `mp_state` first, since KVM then delivers a start-up message that is on its way; the events
    /// last, since reading the local APIC may change them.
    pub fn save(vcpu: &VcpuFd, indices: &[u32]) -> Result<Self, StateError> {
        Ok(Self {
            mp_state: vcpu
                .get_mp_state()
                .map_err(failed("tell whether a vCPU is halted"))?,
            regs: vcpu
                .get_regs()
                .map_err(failed("read the registers of a vCPU"))?,
            sregs: vcpu
                .get_sregs()
                .map_err(failed("read the system registers of a vCPU"))?,
            xsave: vcpu
                .get_xsave()
                .map_err(failed("read the extended state of a vCPU"))?,
            xcrs: vcpu
                .get_xcrs()
                .map_err(failed("read the extended control registers of a vCPU"))?,
            debug: vcpu
                .get_debug_regs()
                .map_err(failed("read the debug registers of a vCPU"))?,
            lapic: vcpu
                .get_lapic()
                .map_err(failed("read the local APIC of a vCPU"))?,
            cpuid: cpuid(vcpu)?.as_slice().to_vec(),
            msrs: msrs::read(vcpu, indices)?,
            events: vcpu
                .get_vcpu_events()
                .map_err(failed("read the pending events of a vCPU"))?,
        })
    }

    /// Writes everything to a vCPU that has never run.
    ///
    /// The order matters: CPUID says what the other parts may have; the system registers hold the mode of the local
    /// APIC, and that its timer before the MSR with the timer's deadline is set; events refer to all of them.
    pub fn load(&self, vcpu: &VcpuFd) -> Result<(), StateError> {
        let cpuid = CpuId::from_entries(&self.cpuid)
            .map_err(|_| StateError::Unfit("too many leaves of CPUID".into()))?;
        vcpu.set_cpuid2(&cpuid)
            .map_err(failed("set the CPUID of a vCPU"))?;
        vcpu.set_mp_state(self.mp_state)
            .map_err(failed("halt a vCPU or not"))?;
        vcpu.set_regs(&self.regs)
            .map_err(failed("set the registers of a vCPU"))?;
        vcpu.set_sregs(&self.sregs)
            .map_err(failed("set the system registers of a vCPU"))?;
        // SAFETY: KVM reads 4096 bytes, which the structure has, unless this process has asked for larger extended
        // states of guests, which it never does.
        unsafe { vcpu.set_xsave(&self.xsave) }
            .map_err(failed("set the extended state of a vCPU"))?;
        vcpu.set_xcrs(&self.xcrs)
            .map_err(failed("set the extended control registers of a vCPU"))?;
        vcpu.set_debug_regs(&self.debug)
            .map_err(failed("set the debug registers of a vCPU"))?;
        vcpu.set_lapic(&self.lapic)
            .map_err(failed("set the local APIC of a vCPU"))?;
        msrs::write(vcpu, &self.msrs)?;
        vcpu.set_vcpu_events(&self.events)
            .map_err(failed("set the pending events of a vCPU"))?;
        Ok(())
    }
}
