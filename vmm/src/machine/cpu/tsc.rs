//! The time stamp counter of a vCPU: its frequency, its value, and its distance to the host's.

use kvm_bindings::{KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, KVMIO, kvm_device_attr, kvm_msr_entry};
use kvm_ioctls::VcpuFd;
use vmm_sys_util::ioctl::ioctl_with_ref;

use super::msrs;
use crate::machine::kvm::{KvmError, failed};
use crate::machine::persist::StateError;

mod ioctls {
    #![allow(
        missing_docs,
        reason = "the macro makes functions without documentation"
    )]
    use super::{KVMIO, kvm_device_attr};
    vmm_sys_util::ioctl_iow_nr!(KVM_SET_DEVICE_ATTR, KVMIO, 0xe1, kvm_device_attr);
    vmm_sys_util::ioctl_iow_nr!(KVM_GET_DEVICE_ATTR, KVMIO, 0xe2, kvm_device_attr);
}

/// Frequency in kHz; 0 where KVM does not know it.
pub fn khz(vcpu: &VcpuFd) -> u32 {
    vcpu.get_tsc_khz().unwrap_or(0)
}

/// Lets the counter run at `khz`, if it does not.
pub fn set_khz(vcpu: &VcpuFd, khz: u32) -> Result<(), KvmError> {
    if khz == 0 || self::khz(vcpu) == khz {
        return Ok(());
    }
    vcpu.set_tsc_khz(khz).map_err(failed(
        "let the time stamp counter of a vCPU run at another frequency",
    ))
}

/// The counter.
pub fn read(vcpu: &VcpuFd) -> Result<u64, StateError> {
    let values = msrs::read(vcpu, &[msrs::TSC])?;
    let value = values.first().map(|msr| msr.data);
    value.ok_or_else(|| StateError::Unfit("this host's KVM does not tell time stamps".into()))
}

/// Sets the counter. KVM takes a value within a second of the other vCPUs' for theirs.
pub fn write(vcpu: &VcpuFd, value: u64) -> Result<(), StateError> {
    let entry = kvm_msr_entry {
        index: msrs::TSC,
        data: value,
        ..Default::default()
    };
    msrs::write(vcpu, &[entry])
}

fn offset_at(place: *mut u64) -> kvm_device_attr {
    kvm_device_attr {
        group: KVM_VCPU_TSC_CTRL,
        attr: u64::from(KVM_VCPU_TSC_OFFSET),
        addr: place as u64,
        flags: 0,
    }
}

/// What is added to the host's counter; `None` where KVM does not tell.
pub fn offset(vcpu: &VcpuFd) -> Option<u64> {
    let mut value = 0;
    // SAFETY: for this attribute the kernel writes eight bytes to `addr`, which is `value`.
    let result = unsafe {
        ioctl_with_ref(
            vcpu,
            ioctls::KVM_GET_DEVICE_ATTR(),
            &offset_at(&raw mut value),
        )
    };
    (result == 0).then_some(value)
}

/// Sets what is added to the host's counter.
pub fn set_offset(vcpu: &VcpuFd, mut value: u64) -> Result<(), KvmError> {
    // SAFETY: for this attribute the kernel reads eight bytes from `addr`, which is `value`.
    let result = unsafe {
        ioctl_with_ref(
            vcpu,
            ioctls::KVM_SET_DEVICE_ATTR(),
            &offset_at(&raw mut value),
        )
    };
    if result != 0 {
        return Err(failed("set the time stamp counter of a vCPU")(
            kvm_ioctls::Error::last(),
        ));
    }
    Ok(())
}
