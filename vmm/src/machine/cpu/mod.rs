//! Virtual CPUs: what the guest sees of them, their start state, and the threads that run them.

pub mod cpuid;
pub mod msrs;
pub mod regs;
pub mod state;
pub mod stats;
pub mod thread;
pub mod throttle;
pub mod tsc;

/// Most vCPUs of a machine: local APIC ids above 254 would need x2APIC tables.
pub const MAX_VCPUS: u8 = 64;
