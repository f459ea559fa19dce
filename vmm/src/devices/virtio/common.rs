//! The common configuration structure (virtio 1.2, section 4.1.4.3): status, features, queues.

use serde::{Deserialize, Serialize};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::machine::persist::StateError;

/// No interrupt vector.
pub const NO_VECTOR: u16 = 0xffff;
/// The device was reset.
pub const STATUS_RESET: u8 = 0;
/// The driver is ready.
pub const STATUS_DRIVER_OK: u8 = 4;
/// The features are agreed on.
pub const STATUS_FEATURES_OK: u8 = 8;
/// The device cannot go on without a reset.
pub const STATUS_NEEDS_RESET: u8 = 64;

const VERSION_1: u64 = 1 << 32;

/// What a write to the structure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing beyond the structure.
    None,
    /// The driver resets the device.
    Reset,
    /// The driver is ready.
    Activate,
}

/// The structure as the driver sees it.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct View {
    device_feature_select: U32,
    device_feature: U32,
    driver_feature_select: U32,
    driver_feature: U32,
    config_vector: U16,
    queues: U16,
    status: u8,
    generation: u8,
    queue_select: U16,
    queue_size: U16,
    queue_vector: U16,
    queue_enable: U16,
    queue_notify_offset: U16,
    descriptors: U64,
    available: U64,
    used: U64,
}

/// Bytes of the structure.
pub const SIZE: usize = size_of::<View>();

/// One queue's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Largest size.
    pub max: u16,
    /// Size that the driver chose.
    pub size: u16,
    /// Interrupt vector, or [`NO_VECTOR`].
    pub vector: u16,
    /// The driver has enabled it.
    pub enabled: bool,
    /// Guest address of the descriptor table.
    pub descriptors: u64,
    /// Guest address of the available ring.
    pub available: u64,
    /// Guest address of the used ring.
    pub used: u64,
}

/// What moves with a device.
#[derive(Debug, Serialize, Deserialize)]
pub struct CommonState {
    status: u8,
    generation: u8,
    accepted: u64,
    config_vector: u16,
    queues: Vec<Queue>,
    device_feature_select: u32,
    driver_feature_select: u32,
    queue_select: u16,
}

/// The state behind the structure.
#[derive(Debug)]
pub struct Common {
    offered: u64,
    vectors: u16,
    /// Bits of the device status.
    pub status: u8,
    /// Changes whenever the configuration space does.
    pub generation: u8,
    /// Features that the driver accepts.
    pub accepted: u64,
    /// Interrupt vector of configuration changes, or [`NO_VECTOR`].
    pub config_vector: u16,
    /// The queues.
    pub queues: Vec<Queue>,
    device_feature_select: u32,
    driver_feature_select: u32,
    queue_select: u16,
}

impl Common {
    /// The state after power-on of a device that offers these features and queues, and has `vectors` interrupts.
    pub fn new(offered: u64, queue_sizes: &[u16], vectors: u16) -> Self {
        let queue = |max: &u16| Queue {
            max: *max,
            size: *max,
            vector: NO_VECTOR,
            enabled: false,
            descriptors: 0,
            available: 0,
            used: 0,
        };
        Self {
            offered,
            vectors,
            status: STATUS_RESET,
            generation: 0,
            accepted: 0,
            config_vector: NO_VECTOR,
            queues: queue_sizes.iter().map(queue).collect(),
            device_feature_select: 0,
            driver_feature_select: 0,
            queue_select: 0,
        }
    }

    /// Everything as after power-on, except the generation.
    pub fn reset(&mut self) {
        let sizes: Vec<_> = self.queues.iter().map(|q| q.max).collect();
        *self = Self {
            generation: self.generation,
            ..Self::new(self.offered, &sizes, self.vectors)
        };
    }

    /// What moves with the device.
    pub fn save(&self) -> CommonState {
        CommonState {
            status: self.status,
            generation: self.generation,
            accepted: self.accepted,
            config_vector: self.config_vector,
            queues: self.queues.clone(),
            device_feature_select: self.device_feature_select,
            driver_feature_select: self.driver_feature_select,
            queue_select: self.queue_select,
        }
    }

    /// Takes over what another device has saved, if a driver could have made it so.
    pub fn load(&mut self, saved: CommonState) -> Result<(), StateError> {
        let unfit = |what: &str| Err(StateError::Unfit(what.to_owned()));
        let agreed = saved.status & STATUS_FEATURES_OK != 0;
        if agreed && saved.accepted & !self.offered != 0 {
            return unfit("features of a device that are not offered here");
        }
        let fits = |(queue, own): (&Queue, &Queue)| {
            queue.max == own.max
                && queue.size.is_power_of_two()
                && queue.size <= own.max
                && queue.vector == self.vector(queue.vector)
        };
        if saved.queues.len() != self.queues.len()
            || !saved.queues.iter().zip(&self.queues).all(fits)
        {
            return unfit("the queues of another device");
        }
        *self = Self {
            offered: self.offered,
            vectors: self.vectors,
            config_vector: self.vector(saved.config_vector),
            status: saved.status,
            generation: saved.generation,
            accepted: saved.accepted,
            queues: saved.queues,
            device_feature_select: saved.device_feature_select,
            driver_feature_select: saved.driver_feature_select,
            queue_select: saved.queue_select,
        };
        Ok(())
    }

    /// Whether the driver has started the device, and the device could be started.
    pub fn is_started(&self) -> bool {
        const STARTED: u8 = STATUS_FEATURES_OK | STATUS_DRIVER_OK;
        self.status & (STARTED | STATUS_NEEDS_RESET) == STARTED
    }

    /// Fills `data` from the structure.
    pub fn read(&self, offset: u64, data: &mut [u8]) {
        let view = self.view();
        let bytes = view.as_bytes();
        for (at, byte) in (offset..).zip(data) {
            *byte = usize::try_from(at)
                .ok()
                .and_then(|at| bytes.get(at))
                .copied()
                .unwrap_or(0);
        }
    }

    /// Takes a write, of any part of the structure.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Action {
        let mut view = self.view();
        for (at, byte) in (offset..).zip(data) {
            let slot = usize::try_from(at)
                .ok()
                .and_then(|at| view.as_mut_bytes().get_mut(at));
            if let Some(slot) = slot {
                *slot = *byte;
            }
        }
        let status_written = (offset..).zip(data).any(|(at, _)| at == 0x14);
        self.take(&view, offset, status_written)
    }

    fn queue(&self) -> Option<&Queue> {
        self.queues.get(usize::from(self.queue_select))
    }

    fn view(&self) -> View {
        let half = |features: u64, select: u32| match select {
            0 => U32::new((features & 0xffff_ffff) as u32),
            1 => U32::new((features >> 32) as u32),
            _ => U32::new(0),
        };
        let mut view = View {
            device_feature_select: self.device_feature_select.into(),
            device_feature: half(self.offered, self.device_feature_select),
            driver_feature_select: self.driver_feature_select.into(),
            driver_feature: half(self.accepted, self.driver_feature_select),
            config_vector: self.config_vector.into(),
            queues: u16::try_from(self.queues.len()).unwrap_or(u16::MAX).into(),
            status: self.status,
            generation: self.generation,
            queue_select: self.queue_select.into(),
            queue_vector: NO_VECTOR.into(),
            ..View::default()
        };
        if let Some(queue) = self.queue() {
            view.queue_size = queue.size.into();
            view.queue_vector = queue.vector.into();
            view.queue_enable = u16::from(queue.enabled).into();
            view.queue_notify_offset = self.queue_select.into();
            view.descriptors = queue.descriptors.into();
            view.available = queue.available.into();
            view.used = queue.used.into();
        }
        view
    }

    /// Takes over what the driver may change; `view` has its write in it.
    fn take(&mut self, view: &View, offset: u64, status_written: bool) -> Action {
        let selected = self.queue_select;
        self.device_feature_select = view.device_feature_select.get();
        // A write that selects another half or queue brings no values for it.
        if view.driver_feature_select.get() == self.driver_feature_select {
            self.take_features(view.driver_feature.get());
        }
        self.driver_feature_select = view.driver_feature_select.get();
        self.config_vector = self.vector(view.config_vector.get());
        self.queue_select = view.queue_select.get();
        if self.queue_select == selected && offset >= 0x18 {
            self.take_queue(view);
        }
        if status_written {
            self.take_status(view.status)
        } else {
            Action::None
        }
    }

    fn take_features(&mut self, half: u32) {
        if self.status & STATUS_FEATURES_OK == 0 {
            self.accepted = match self.driver_feature_select {
                0 => self.accepted & !0xffff_ffff | u64::from(half),
                1 => self.accepted & 0xffff_ffff | u64::from(half) << 32,
                _ => self.accepted,
            };
        }
    }

    fn vector(&self, wanted: u16) -> u16 {
        if wanted < self.vectors {
            wanted
        } else {
            NO_VECTOR
        }
    }

    /// A queue that is enabled does not change any more until reset.
    fn take_queue(&mut self, view: &View) {
        let vector = self.vector(view.queue_vector.get());
        let selected = usize::from(self.queue_select);
        let Some(queue) = self.queues.get_mut(selected).filter(|q| !q.enabled) else {
            return;
        };
        let size = view.queue_size.get();
        if size.is_power_of_two() && size <= queue.max {
            queue.size = size;
        }
        queue.vector = vector;
        queue.descriptors = view.descriptors.get();
        queue.available = view.available.get();
        queue.used = view.used.get();
        queue.enabled = view.queue_enable.get() == 1;
    }

    fn take_status(&mut self, status: u8) -> Action {
        if status == STATUS_RESET {
            return Action::Reset;
        }
        let fresh = status & !self.status;
        // The driver can set bits, but not clear them, nor set the device's own.
        self.status |= status & !STATUS_NEEDS_RESET;
        let agreed = self.accepted & !self.offered == 0 && self.accepted & VERSION_1 != 0;
        if fresh & STATUS_FEATURES_OK != 0 && !agreed {
            self.status &= !STATUS_FEATURES_OK;
        }
        let ready = fresh & STATUS_DRIVER_OK != 0 && self.status & STATUS_FEATURES_OK != 0;
        if ready {
            Action::Activate
        } else {
            Action::None
        }
    }
}

#[cfg(test)]
#[path = "common_test.rs"]
mod tests;
