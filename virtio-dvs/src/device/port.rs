//! A port's device: five rings, the guest's memory, and what is counted.

use crate::device::counters::Counting;
use crate::device::log::LogError;
use crate::device::memory::{GuestMem, Memory};
use crate::device::rate::Bucket;
use crate::device::ring::{EventSignal, Ring, RingError};
use crate::frame::Class;
use crate::spec::{QUEUE_BULK_RX, QUEUE_COUNT, QUEUE_MSG_RX};
use std::sync::Arc;
use vhost::vhost_user::VhostUserVirtioFeatures;
use virtio_bindings::bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;

/// Feature bit by which a VMM has all writes noted.
const LOG_ALL: u64 = VhostUserVirtioFeatures::LOG_ALL.bits();

/// Ties commands to the connection that gives them: a port's number, and even its VM, may have
/// changed hands since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(super) u64);

/// The receive queue of a class.
pub const fn rx_queue(class: Class) -> usize {
    match class {
        Class::Message => QUEUE_MSG_RX,
        Class::Bulk => QUEUE_BULK_RX,
    }
}

/// One port's device.
#[derive(Debug)]
pub(super) struct DevicePort {
    pub(super) rings: [Ring; QUEUE_COUNT],
    pub(super) memory: Arc<Memory>,
    pub(super) features: u64,
    pub(super) running: bool,
    /// The connection that drives this device.
    pub(super) session: Option<SessionId>,
    /// The life was taken over from an earlier node and its VMM has not shown yet whether it is
    /// still the same.
    pub(super) adopted: bool,
    /// Receive queues that got something since the guest was called last.
    pub(super) uncalled: [bool; Class::ALL.len()],
    /// Where the VM may send only so many frames per second.
    pub(super) bucket: Option<Bucket>,
    pub(super) counting: Counting,
}

impl DevicePort {
    pub(super) fn new(adopted: bool, bucket: Option<Bucket>) -> Result<DevicePort, RingError> {
        Ok(DevicePort {
            rings: [
                Ring::new()?,
                Ring::new()?,
                Ring::new()?,
                Ring::new()?,
                Ring::new()?,
            ],
            memory: Arc::new(Memory::new()),
            features: 0,
            running: false,
            session: None,
            adopted,
            uncalled: [false; Class::ALL.len()],
            bucket,
            counting: Counting::default(),
        })
    }

    /// Features that the guest and its VMM use.
    pub(super) fn set_features(&mut self, features: u64) {
        self.features = features;
        self.memory.log().switch(features & LOG_ALL != 0);
    }

    /// Whether everything that may be written will be noted, if it has to be.
    pub(super) fn check_log(&self) -> Result<(), LogError> {
        let log = self.memory.log();
        if !log.is_on() {
            return Ok(());
        }
        let end = self.memory.end();
        match log.covers(end) {
            Some(true) => Ok(()),
            Some(false) => Err(LogError::TooSmall(end)),
            // A VMM may say later where the log is, as long as nothing is written.
            None if self.rings.iter().any(|it| it.is_active() || it.is_set_up()) => {
                Err(LogError::Missing)
            }
            None => Ok(()),
        }
    }

    pub(super) fn ring_and_memory(
        &mut self,
        queue: usize,
    ) -> Option<(&mut Ring, &GuestMem, &mut Counting)> {
        let ring = self.rings.get_mut(queue)?;
        Some((ring, self.memory.guest(), &mut self.counting))
    }

    /// Takes rings into use that are ready for it.
    pub(super) fn activate(&mut self) -> Result<(), RingError> {
        let event_idx = self.features & (1 << VIRTIO_RING_F_EVENT_IDX) != 0;
        for ring in &mut self.rings {
            if ring.is_set_up() && !ring.is_active() {
                ring.activate(self.memory.guest(), event_idx)?;
            }
        }
        Ok(())
    }

    /// Takes all rings out of use and forgets them; gives back what the guest kicked them with.
    pub(super) fn reset(&mut self) -> Vec<EventSignal> {
        self.running = false;
        self.features = 0;
        self.memory = Arc::new(Memory::new());
        self.uncalled = Default::default();
        self.rings.iter_mut().filter_map(Ring::reset).collect()
    }

    /// Whether no ring has ever moved: a device that was driven has at least received RETRY.
    pub(super) fn is_untouched(&self) -> bool {
        self.rings.iter().all(|ring| ring.base() == 0)
    }

    pub(super) fn count_kick(&mut self, queue: usize) {
        if let Some(count) = self.counting.kicks.get_mut(queue) {
            *count += 1;
        }
    }

    pub(super) fn count_call(&mut self, queue: usize) {
        if let Some(count) = self.counting.calls.get_mut(queue) {
            *count += 1;
        }
    }

    /// Gives back on queue `queue` what was taken, and calls the guest if it wants that.
    pub(super) fn call_if_wanted(&mut self, queue: usize) -> Result<(), RingError> {
        let Some((ring, mem, _)) = self.ring_and_memory(queue) else {
            return Ok(());
        };
        if ring.is_active() && ring.call_if_wanted(mem)? {
            self.count_call(queue);
        }
        Ok(())
    }

    /// After a start: whatever the guest missed, one look at each queue finds it.
    pub(super) fn call_all(&mut self) {
        for queue in 0..QUEUE_COUNT {
            if self.rings.get(queue).is_some_and(Ring::call) {
                self.count_call(queue);
            }
        }
    }
}
