//! Time as the guest sees it: KVM's clock and the time stamp counters. Both go on at another host as if the guest had
//! only been asleep.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kvm_ioctls::VcpuFd;
use serde::{Deserialize, Serialize};

use super::cpu::thread::Vcpu;
use super::cpu::tsc;
use super::kvm::KvmVm;
use super::lock;
use super::persist::{Persist, StateError, decode, encode};

/// A guest does not stand still for longer, so the wall clocks of the hosts must be wrong.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The clock of a machine.
pub struct Clock {
    vm: Arc<KvmVm>,
    vcpus: Vec<Arc<Vcpu>>,
    /// When the time stamp counters last got a value.
    start: Mutex<Moment>,
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock")
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

/// A reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    clock: Duration,
    tsc: u64,
}

impl Moment {
    /// What the counter shows when the clock shows `clock`.
    fn tsc_at(&self, clock: Duration, khz: u32) -> u64 {
        let passed = clock.saturating_sub(self.clock).as_nanos();
        let ticks = passed * u128::from(khz) / 1_000_000;
        self.tsc
            .wrapping_add(u64::try_from(ticks).unwrap_or_default())
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct State {
    /// KVM's clock.
    clock: Duration,
    /// The host's wall clock at that moment, since 1970.
    realtime: Duration,
    /// Frequency of the time stamp counters.
    tsc_khz: u32,
    /// The time stamp counters of the vCPUs at that moment.
    tscs: Vec<u64>,
}

/// How long the guest stood still, by the wall clocks of both hosts.
fn pause(then: Duration, now: Duration) -> Option<Duration> {
    let pause = now.saturating_sub(then);
    (pause <= LONGEST_PAUSE).then_some(pause)
}

fn wall_clock() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

impl Clock {
    /// The clock of a machine with these vCPUs, which have never run.
    pub fn new(vm: Arc<KvmVm>, vcpus: Vec<Arc<Vcpu>>) -> Result<Self, StateError> {
        let this = Self {
            start: Mutex::new(Moment {
                clock: vm.clock()?.clock,
                tsc: 0,
            }),
            vm,
            vcpus,
        };
        lock(&this.start).tsc = this.first(tsc::read)?;
        Ok(this)
    }

    fn first<T>(
        &self,
        act: impl FnOnce(&VcpuFd) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        match self.vcpus.first() {
            Some(vcpu) => vcpu.with(act),
            None => Err(StateError::Unfit("a machine without vCPUs".into())),
        }
    }

    /// The time stamp counters at one moment, when KVM's clock shows `clock`.
    fn tscs(&self, clock: Duration, stable: bool) -> Result<Vec<u64>, StateError> {
        let offsets: Option<Vec<u64>> = self.vcpus.iter().map(|v| v.with(tsc::offset)).collect();
        match offsets.as_deref() {
            Some([first, ..]) if stable => {
                let base = self.first(tsc::read)?.wrapping_sub(*first);
                let offsets = offsets.iter().flatten();
                Ok(offsets.map(|offset| base.wrapping_add(*offset)).collect())
            }
            _ => {
                let read = |vcpu: &Arc<Vcpu>| vcpu.with(tsc::read);
                let shown = self.vcpus.iter().map(read);
                let shown = shown.collect::<Result<Vec<_>, _>>()?;
                if stable {
                    return Ok(shown);
                }
                // Where the host's own counter is no good, KVM lets a vCPU's stand still while it is out of the guest,
                // and makes up for that by its clock when it goes in.
                let khz = self.first(|vcpu| Ok(tsc::khz(vcpu)))?;
                let by_clock = lock(&self.start).tsc_at(clock, khz);
                let furthest = shown.into_iter().fold(by_clock, u64::max);
                Ok(vec![furthest; self.vcpus.len()])
            }
        }
    }

    /// Lets the time stamp counters show these values, and go on from there.
    fn set_tscs(&self, values: &[u64]) -> Result<(), StateError> {
        let Some(first) = values.first() else {
            return Ok(());
        };
        let now = self.first(|vcpu| Ok((tsc::offset(vcpu), tsc::read(vcpu)?)))?;
        for (vcpu, value) in self.vcpus.iter().zip(values) {
            vcpu.with(|vcpu| match now {
                // All offsets by the same reading, so that the counters stay together to the tick.
                (Some(offset), shown) => {
                    let offset = offset.wrapping_add(value.wrapping_sub(shown));
                    tsc::set_offset(vcpu, offset).map_err(StateError::from)
                }
                (None, _) => tsc::write(vcpu, *value),
            })?;
        }
        if self.first(tsc::read)? < *first {
            tracing::warn!("this host's KVM cannot set time stamp counters: the guest's jump back");
        }
        Ok(())
    }
}

impl Persist for Clock {
    fn save(&self) -> Result<Vec<u8>, StateError> {
        let reading = self.vm.clock()?;
        encode(&State {
            clock: reading.clock,
            realtime: reading.realtime.unwrap_or_else(wall_clock),
            tsc_khz: self.first(|vcpu| Ok(tsc::khz(vcpu)))?,
            tscs: self.tscs(reading.clock, reading.tsc_stable)?,
        })
    }

    fn load(&self, bytes: &[u8]) -> Result<(), StateError> {
        let state: State = decode(bytes)?;
        if state.tscs.len() != self.vcpus.len() {
            return Err(StateError::Unfit(format!(
                "{} time stamp counters for {} vCPUs",
                state.tscs.len(),
                self.vcpus.len()
            )));
        }
        for vcpu in &self.vcpus {
            vcpu.with(|vcpu| tsc::set_khz(vcpu, state.tsc_khz))?;
        }
        match pause(state.realtime, wall_clock()) {
            Some(_) if self.vm.knows_realtime() => {
                self.vm.set_clock(state.clock, Some(state.realtime))?;
            }
            Some(pause) => self.vm.set_clock(state.clock.saturating_add(pause), None)?,
            None => {
                tracing::warn!("the hosts' wall clocks differ: the guest's clock misses its pause");
                self.vm.set_clock(state.clock, None)?;
            }
        }
        let clock = self.vm.clock()?.clock;
        let khz = self.first(|vcpu| Ok(tsc::khz(vcpu)))?;
        let now = |tsc: &u64| {
            let then = Moment {
                clock: state.clock,
                tsc: *tsc,
            };
            then.tsc_at(clock, khz)
        };
        let tscs: Vec<_> = state.tscs.iter().map(now).collect();
        self.set_tscs(&tscs)?;
        let tsc = tscs.first().copied().unwrap_or_default();
        *lock(&self.start) = Moment { clock, tsc };
        Ok(())
    }
}

#[cfg(test)]
#[path = "clock_test.rs"]
mod tests;
