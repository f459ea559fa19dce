//! MSI-X: a table of messages, one interrupt each (PCI Local Bus 3.0, section 6.8.2).
//!
//! Every vector has an eventfd that its source signals. While the vector is unmasked the eventfd is an irqfd of KVM, so
//! an interrupt needs nothing of the VMM. While it is masked, signals stay pending in the eventfd; connecting it again
//! delivers them.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use vmm_sys_util::eventfd::EventFd;
use vmm_sys_util::poll::PollContext;

use super::super::kvm::{Interrupts, KvmError, MsiMessage};
use super::super::persist::StateError;

/// Bytes of one table entry.
pub const ENTRY_SIZE: u64 = 16;
/// Capability ID.
pub const CAPABILITY: u8 = 0x11;
/// Offset of the message control register in the capability's body.
pub const CONTROL: usize = 0;
/// Bits of message control that the guest writes.
pub const CONTROL_WRITABLE: u16 = ENABLE | MASK_ALL;

const ENABLE: u16 = 1 << 15;
const MASK_ALL: u16 = 1 << 14;
const MASKED: u32 = 1;

/// What moves with a function; the message control register moves with its configuration space.
#[derive(Debug, Serialize, Deserialize)]
pub struct MsixState {
    vectors: Vec<VectorState>,
}

#[derive(Debug, Serialize, Deserialize)]
struct VectorState {
    entry: [u32; 4],
    /// Its source has signalled it while it was masked.
    pending: bool,
}

/// The interrupts of one function.
pub struct Msix {
    interrupts: Arc<dyn Interrupts>,
    events: Vec<EventFd>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    control: u16,
    vectors: Vec<Vector>,
}

#[derive(Debug)]
struct Vector {
    gsi: u32,
    /// Address, low and high, data, and control, as the guest wrote them.
    entry: [u32; 4],
    connected: bool,
}

impl Vector {
    fn message(&self) -> MsiMessage {
        let [low, high, data, _] = self.entry;
        MsiMessage {
            address: u64::from(high) << 32 | u64::from(low),
            data,
        }
    }
}

impl std::fmt::Debug for Msix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Msix")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The capability's body: message control, table and pending bits in BAR `bar` at these offsets.
pub fn capability(vectors: u16, bar: usize, table: u32, pending: u32) -> [u8; 10] {
    let bar = u32::try_from(bar).unwrap_or_default();
    let [c0, c1] = (vectors - 1).to_le_bytes();
    let [t0, t1, t2, t3] = (table | bar).to_le_bytes();
    let [p0, p1, p2, p3] = (pending | bar).to_le_bytes();
    [c0, c1, t0, t1, t2, t3, p0, p1, p2, p3]
}

impl Msix {
    /// `count` vectors, all masked.
    pub fn new(interrupts: Arc<dyn Interrupts>, count: u16) -> Result<Self, KvmError> {
        let mut events = Vec::new();
        let mut vectors = Vec::new();
        for _ in 0..count {
            events.push(EventFd::new(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC).map_err(no_eventfd)?);
            vectors.push(Vector {
                gsi: interrupts.allocate()?,
                entry: [0, 0, 0, MASKED],
                connected: false,
            });
        }
        Ok(Self {
            interrupts,
            events,
            state: Mutex::new(State {
                control: 0,
                vectors,
            }),
        })
    }

    /// What the source of vector `index` signals.
    pub fn event(&self, index: u16) -> Option<&EventFd> {
        self.events.get(usize::from(index))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guest has written message control.
    pub fn set_control(&self, control: u16) {
        let mut state = self.lock();
        state.control = control & CONTROL_WRITABLE;
        self.update(&mut state, 0..self.events.len());
    }

    /// Reads from the table.
    pub fn read_table(&self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        let state = self.lock();
        for (at, chunk) in (offset..).step_by(4).zip(data.chunks_exact_mut(4)) {
            if let Some((vector, word)) = place(at)
                && let Some(value) = state.vectors.get(vector).and_then(|v| v.entry.get(word))
            {
                chunk.copy_from_slice(&value.to_le_bytes());
            }
        }
    }

    /// Writes to the table: whole words, as the standard asks of drivers.
    pub fn write_table(&self, offset: u64, data: &[u8]) {
        let mut state = self.lock();
        for (at, chunk) in (offset..).step_by(4).zip(data.as_chunks::<4>().0) {
            let Some((vector, word)) = place(at) else {
                continue;
            };
            if let Some(value) = state
                .vectors
                .get_mut(vector)
                .and_then(|v| v.entry.get_mut(word))
            {
                *value = u32::from_le_bytes(*chunk);
                self.update(&mut state, vector..vector + 1);
            }
        }
    }

    /// Reads the pending bits: a masked vector is pending while its eventfd is signalled.
    pub fn read_pending(&self, offset: u64, data: &mut [u8]) {
        let state = self.lock();
        let pending = |index: usize| {
            let masked = state.vectors.get(index).is_some_and(|v| !v.connected);
            masked && self.events.get(index).is_some_and(is_signalled)
        };
        for (at, byte) in (offset..).zip(data) {
            let first = usize::try_from(at).unwrap_or(usize::MAX).saturating_mul(8);
            *byte = (0..8)
                .filter(|bit| pending(first.saturating_add(*bit)))
                .fold(0, |bits, bit| bits | 1 << bit);
        }
    }

    /// The table and what is pending.
    pub fn save(&self) -> MsixState {
        let state = self.lock();
        let vectors = state.vectors.iter().zip(&self.events);
        MsixState {
            vectors: vectors
                .map(|(vector, event)| VectorState {
                    entry: vector.entry,
                    pending: !vector.connected && is_signalled(event),
                })
                .collect(),
        }
    }

    /// Takes over what another function has saved. Its vectors stay masked until [`Msix::set_control`].
    pub fn load(&self, saved: &MsixState) -> Result<(), StateError> {
        let mut state = self.lock();
        if saved.vectors.len() != state.vectors.len() {
            return Err(StateError::Unfit(format!(
                "{} interrupts of a device that has {}",
                saved.vectors.len(),
                state.vectors.len()
            )));
        }
        state.control = 0;
        self.update(&mut state, 0..self.events.len());
        let parts = state.vectors.iter_mut().zip(&self.events);
        for (from, (vector, event)) in saved.vectors.iter().zip(parts) {
            vector.entry = from.entry;
            if from.pending {
                event.write(1).map_err(no_eventfd)?;
            }
        }
        Ok(())
    }

    /// Connects or disconnects vectors as their masks say.
    fn update(&self, state: &mut State, indices: Range<usize>) {
        let unmasked = state.control & (ENABLE | MASK_ALL) == ENABLE;
        let wanted = |vector: &Vector| {
            let [.., mask] = vector.entry;
            unmasked && mask & MASKED == 0
        };
        let vectors = state.vectors.get_mut(indices.clone()).unwrap_or_default();
        let routed = vectors.iter().filter(|vector| wanted(vector));
        let messages: Vec<_> = routed.map(|v| (v.gsi, v.message())).collect();
        let result = if messages.is_empty() {
            Ok(())
        } else {
            self.interrupts.route(&messages)
        };
        let events = self.events.get(indices).unwrap_or_default();
        let mut connections = vectors.iter_mut().zip(events);
        let result = result.and_then(|()| {
            connections.try_for_each(|(vector, event)| self.connect(vector, event, wanted(vector)))
        });
        // A guest can cause this at will, by messages that are none.
        if let Err(error) = result {
            tracing::debug!(%error, "an interrupt of a device is lost");
        }
    }

    fn connect(&self, vector: &mut Vector, event: &EventFd, wanted: bool) -> Result<(), KvmError> {
        match (vector.connected, wanted) {
            (false, true) => self.interrupts.connect(event, vector.gsi)?,
            (true, false) => self.interrupts.disconnect(event, vector.gsi)?,
            _ => {}
        }
        vector.connected = wanted;
        Ok(())
    }
}

/// Which word of which vector is at this offset of the table.
fn place(offset: u64) -> Option<(usize, usize)> {
    let vector = usize::try_from(offset / ENTRY_SIZE).ok()?;
    let word = usize::try_from(offset % ENTRY_SIZE / 4).ok()?;
    offset.is_multiple_of(4).then_some((vector, word))
}

fn no_eventfd(error: std::io::Error) -> KvmError {
    KvmError::Failed {
        what: "use an eventfd for an interrupt",
        source: kvm_ioctls::Error::new(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

fn is_signalled(event: &EventFd) -> bool {
    PollContext::<()>::new()
        .and_then(|poll| {
            poll.add(event, ())?;
            Ok(poll
                .wait_timeout(std::time::Duration::ZERO)?
                .iter_readable()
                .next()
                .is_some())
        })
        .unwrap_or(false)
}

#[cfg(test)]
#[path = "msix_test.rs"]
mod tests;
