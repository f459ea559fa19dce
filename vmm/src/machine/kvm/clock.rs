//! The guest's clock as KVM keeps it (kvmclock).

use std::time::Duration;

use kvm_bindings::{KVM_CLOCK_REALTIME, KVM_CLOCK_TSC_STABLE, kvm_clock_data};
use kvm_ioctls::Cap;

use super::{KvmError, KvmVm, failed};

/// What KVM says of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The guest's clock.
    pub clock: Duration,
    /// The host's wall clock at the same moment, since 1970; `None` where KVM does not tell it.
    pub realtime: Option<Duration>,
    /// Whether the host's time stamp counter is good enough for the clock to follow it.
    pub tsc_stable: bool,
}

impl KvmVm {
    /// Reads the clock.
    pub fn clock(&self) -> Result<ClockReading, KvmError> {
        let data = self.vm.get_clock().map_err(failed("read its clock"))?;
        let has = |flag| data.flags & flag != 0;
        Ok(ClockReading {
            clock: Duration::from_nanos(data.clock),
            realtime: has(KVM_CLOCK_REALTIME).then(|| Duration::from_nanos(data.realtime)),
            tsc_stable: has(KVM_CLOCK_TSC_STABLE),
        })
    }

    /// Whether KVM can tell how much time has passed since a moment of the wall clock.
    pub fn knows_realtime(&self) -> bool {
        let flags = u32::try_from(self.vm.check_extension_int(Cap::AdjustClock)).unwrap_or(0);
        flags & KVM_CLOCK_REALTIME != 0
    }

    /// Sets the clock to what it was at a moment of the wall clock, or (`None`) to what it is now.
    pub fn set_clock(&self, clock: Duration, at: Option<Duration>) -> Result<(), KvmError> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let data = kvm_clock_data {
            clock: nanos(clock),
            flags: if at.is_some() { KVM_CLOCK_REALTIME } else { 0 },
            realtime: at.map(nanos).unwrap_or_default(),
            ..Default::default()
        };
        self.vm.set_clock(&data).map_err(failed("set its clock"))
    }
}
