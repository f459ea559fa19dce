//! One virtqueue of a guest, from the device's side.

use crate::device::memory::{GuestMem, Memory};
use crate::spec::QUEUE_SIZE_MAX;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use thiserror::Error;
use virtio_bindings::bindings::virtio_ring::VRING_AVAIL_F_NO_INTERRUPT;
use virtio_queue::{DescriptorChain, Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress};

/// Why a ring is refused or given up.
#[derive(Debug, Error)]
pub enum RingError {
    /// The size is not a power of two up to the limit.
    #[error("a queue of {0} entries; the size must be a power of two up to {QUEUE_SIZE_MAX}")]
    Size(u32),
    /// The next index does not fit.
    #[error("a queue that begins at entry {0}; indexes have 16 bits")]
    Base(u32),
    /// The ring is in use.
    #[error("the queue is in use; stop it with GET_VRING_BASE first")]
    InUse,
    /// An address is not in the memory table.
    #[error("the queue's address {0:#x} is not in the memory table")]
    Address(u64),
    /// An address is not aligned, or the ring does not fit into the memory.
    #[error("the queue does not lie in the guest's memory: {0}")]
    Place(String),
    /// The descriptor is something else.
    #[error("the queue's {0} descriptor is not an eventfd")]
    NotEventFd(&'static str),
    /// The guest broke the rules.
    #[error("the guest broke the queue: {0}")]
    Broken(String),
}

/// Where a ring's parts lie in the VMM's address space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingAddresses {
    /// Descriptor table.
    pub descriptors: u64,
    /// Available ring.
    pub available: u64,
    /// Used ring.
    pub used: u64,
}

/// A file descriptor that was checked to be an eventfd.
#[derive(Debug, Clone)]
pub struct EventSignal(Arc<File>);

impl EventSignal {
    /// Checks the descriptor; `what` names it in the error. Anything but an eventfd could block the
    /// thread that carries everybody's frames, or keep it busy without end.
    pub fn new(file: File, what: &'static str) -> Result<EventSignal, RingError> {
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        let target = std::fs::read_link(link).map_err(|_| RingError::NotEventFd(what))?;
        if !target.to_string_lossy().contains("[eventfd]") {
            return Err(RingError::NotEventFd(what));
        }
        // A full counter must not block either.
        rustix::io::ioctl_fionbio(&file, true).map_err(|_| RingError::NotEventFd(what))?;
        Ok(EventSignal(Arc::new(file)))
    }

    /// The descriptor.
    pub fn file(&self) -> &Arc<File> {
        &self.0
    }

    /// Signals. A counter that is full has been signalled, so failing is no loss.
    fn signal(&self) -> bool {
        (&*self.0).write(&1u64.to_ne_bytes()).is_ok()
    }
}

/// One virtqueue.
#[derive(Debug)]
pub struct Ring {
    queue: Queue,
    addresses: Option<RingAddresses>,
    kick: Option<EventSignal>,
    call: Option<EventSignal>,
    err: Option<EventSignal>,
    enabled: bool,
    active: bool,
    /// Chains that were taken and not given back.
    taken: u16,
}

impl Ring {
    /// A ring that is not set up.
    pub fn new() -> Result<Ring, RingError> {
        let queue =
            Queue::new(QUEUE_SIZE_MAX).map_err(|error| RingError::Place(error.to_string()))?;
        Ok(Ring {
            queue,
            addresses: None,
            kick: None,
            call: None,
            err: None,
            enabled: false,
            active: false,
            taken: 0,
        })
    }

    /// Whether frames may go through it.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Whether the guest's side is complete, so that [`Ring::activate`] may be tried.
    pub fn is_set_up(&self) -> bool {
        self.enabled && self.kick.is_some() && self.addresses.is_some()
    }

    /// The index of the entry that is taken next.
    pub fn base(&self) -> u16 {
        self.queue.next_avail()
    }

    /// Sets the number of entries.
    pub fn set_size(&mut self, size: u32) -> Result<(), RingError> {
        self.check_stopped()?;
        let fits = u16::try_from(size).map_err(|_| RingError::Size(size))?;
        self.queue
            .try_set_size(fits)
            .map_err(|_| RingError::Size(size))
    }

    /// Sets the index of the entry that is taken next.
    pub fn set_base(&mut self, base: u32) -> Result<(), RingError> {
        self.check_stopped()?;
        let base = u16::try_from(base).map_err(|_| RingError::Base(base))?;
        self.queue.set_next_avail(base);
        Ok(())
    }

    /// Sets where the ring lies. A ring in use moves there at once.
    pub fn set_addresses(
        &mut self,
        addresses: RingAddresses,
        memory: &Memory,
    ) -> Result<(), RingError> {
        let previous = self.addresses.replace(addresses);
        let placed = self.place(memory);
        if placed.is_err() {
            self.addresses = previous;
        }
        placed
    }

    /// Finds the ring again after the memory table has changed.
    pub fn place(&mut self, memory: &Memory) -> Result<(), RingError> {
        let Some(addresses) = self.addresses else {
            return Ok(());
        };
        let find = |user| memory.translate(user).ok_or(RingError::Address(user));
        let (descriptors, available, used) = (
            find(addresses.descriptors)?,
            find(addresses.available)?,
            find(addresses.used)?,
        );
        let fail = |error: virtio_queue::Error| RingError::Place(error.to_string());
        self.queue
            .try_set_desc_table_address(descriptors)
            .map_err(fail)?;
        self.queue
            .try_set_avail_ring_address(available)
            .map_err(fail)?;
        self.queue.try_set_used_ring_address(used).map_err(fail)?;
        if self.active && !self.queue.is_valid(memory.guest()) {
            return Err(RingError::Place("it ends outside the memory".to_owned()));
        }
        Ok(())
    }

    /// Sets the descriptor by which the guest kicks; gives the previous one back.
    pub fn set_kick(&mut self, kick: EventSignal) -> Option<EventSignal> {
        self.kick.replace(kick)
    }

    /// Takes the descriptor away by which the guest kicks.
    pub fn take_kick(&mut self) -> Option<EventSignal> {
        self.kick.take()
    }

    /// Sets the descriptor by which the guest is called; without one it polls.
    pub fn set_call(&mut self, call: Option<EventSignal>) {
        self.call = call;
    }

    /// Sets the descriptor by which the VMM is told that the ring was given up.
    pub fn set_err(&mut self, err: Option<EventSignal>) {
        self.err = err;
    }

    /// Allows or forbids the ring to be used.
    pub fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    /// Takes the ring into use.
    pub fn activate(&mut self, mem: &GuestMem, event_idx: bool) -> Result<(), RingError> {
        self.queue.set_event_idx(event_idx);
        self.queue.set_ready(true);
        if !self.queue.is_valid(mem) {
            self.queue.set_ready(false);
            return Err(RingError::Place("it ends outside the memory".to_owned()));
        }
        let used = self
            .queue
            .used_idx(mem, Ordering::Acquire)
            .map_err(broken)?;
        self.queue.set_next_used(used.0);
        self.active = true;
        Ok(())
    }

    /// Takes the ring out of use. What was taken and not given back will be taken again, so that
    /// nothing is lost by whoever goes on with the ring.
    pub fn stop(&mut self) {
        self.active = false;
        self.queue.set_ready(false);
        while self.taken > 0 {
            self.unpop();
        }
    }

    /// Takes the ring out of use since the guest broke it, and tells the VMM.
    pub fn give_up(&mut self) {
        self.stop();
        self.enabled = false;
        if let Some(err) = &self.err {
            err.signal();
        }
    }

    /// Forgets all but the size limit.
    pub fn reset(&mut self) -> Option<EventSignal> {
        self.stop();
        self.queue.reset();
        self.addresses = None;
        self.call = None;
        self.err = None;
        self.enabled = false;
        self.kick.take()
    }

    /// Entries that the guest has made available and that were not taken.
    pub fn available(&self, mem: &GuestMem) -> Result<u16, RingError> {
        let index = self
            .queue
            .avail_idx(mem, Ordering::Acquire)
            .map_err(broken)?;
        Ok(index.0.wrapping_sub(self.queue.next_avail()))
    }

    /// Takes the next chain, if there is one.
    pub fn pop<'m>(
        &mut self,
        mem: &'m GuestMem,
    ) -> Result<Option<DescriptorChain<&'m GuestMem>>, RingError> {
        let mut chains = self.queue.iter(mem).map_err(broken)?;
        let chain = chains.next();
        self.taken += u16::from(chain.is_some());
        match chain {
            Some(chain) if chain.head_index() >= self.queue.size() => Err(RingError::Broken(
                format!("entry {} of {}", chain.head_index(), self.queue.size()),
            )),
            chain => Ok(chain),
        }
    }

    /// Puts the chain that was taken last back, as if it had not been taken.
    pub fn unpop(&mut self) {
        self.queue.go_to_previous_position();
        self.taken = self.taken.saturating_sub(1);
    }

    /// Gives a chain back with `len` bytes written.
    pub fn push(&mut self, mem: &GuestMem, head: u16, len: usize) -> Result<(), RingError> {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        self.queue.add_used(mem, head, len).map_err(broken)?;
        self.taken = self.taken.saturating_sub(1);
        Ok(())
    }

    /// Asks for kicks; `true` if entries are there already.
    pub fn want_kicks(&mut self, mem: &GuestMem) -> Result<bool, RingError> {
        self.queue.enable_notification(mem).map_err(broken)
    }

    /// Asks for no kicks, while the ring is being looked at anyway.
    pub fn want_no_kicks(&mut self, mem: &GuestMem) -> Result<(), RingError> {
        self.queue.disable_notification(mem).map_err(broken)
    }

    /// Calls the guest if it wants to be called about what was given back; `true` if it did.
    pub fn call_if_wanted(&mut self, mem: &GuestMem) -> Result<bool, RingError> {
        // The queue looks at `used_event` only.
        let wanted = self.queue.needs_notification(mem).map_err(broken)?
            && (self.queue.event_idx_enabled() || !self.is_silenced(mem)?);
        Ok(wanted && self.call())
    }

    /// Calls the guest in any case; `true` if it can be called.
    pub fn call(&self) -> bool {
        self.call.as_ref().is_some_and(EventSignal::signal)
    }

    fn is_silenced(&self, mem: &GuestMem) -> Result<bool, RingError> {
        let flags: u16 = mem
            .load(GuestAddress(self.queue.avail_ring()), Ordering::Relaxed)
            .map_err(|error| RingError::Broken(error.to_string()))?;
        Ok(u32::from(u16::from_le(flags)) & VRING_AVAIL_F_NO_INTERRUPT != 0)
    }

    fn check_stopped(&self) -> Result<(), RingError> {
        if self.active {
            return Err(RingError::InUse);
        }
        Ok(())
    }
}

fn broken(error: virtio_queue::Error) -> RingError {
    RingError::Broken(error.to_string())
}
