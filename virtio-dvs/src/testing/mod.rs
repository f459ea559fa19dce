//! The driver's side of the device in plain memory, for tests and benchmarks.
//!
//! [`Guest`] keeps five rings in a memfd, as a guest does. It is simple: every ring has one buffer
//! for each entry, and what goes in order comes back in order.

mod etcd;
mod traffic;

use crate::device::fabric::{Fabric, RingCommand};
use crate::device::memory::{GuestMem, Memory, RegionPlace};
use crate::device::port::SessionId;
use crate::device::ring::{EventSignal, RingAddresses};
use crate::spec::{QUEUE_BULK_RX, QUEUE_COUNT, QUEUE_MSG_RX};
use crate::switch::PortId;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::sync::atomic::{Ordering, fence};
use std::sync::mpsc;
use vm_memory::{Bytes, FileOffset, GuestAddress, GuestMemoryMmap, GuestRegionMmap, MmapRegion};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

pub use etcd::{EtcdServer, free_address};
pub use traffic::{await_bound, bind, forget, lookup, offer, privilege, take, unbind};

/// Difference between the guest's addresses and those of the pretended VMM.
pub const USER_BASE: u64 = 0x7f00_0000_0000;
/// Length of the guest's memory in bytes.
pub const MEMORY_SIZE: u64 = 4 << 20;

/// Flag of a descriptor: another one follows.
pub const NEXT: u16 = 1;
/// Flag of a descriptor: the device writes.
pub const WRITE: u16 = 2;
/// Flag of a descriptor: it holds a table of descriptors.
pub const INDIRECT: u16 = 4;

/// Anything may go wrong here; tests unwrap it.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Place and size of one ring.
#[derive(Debug, Clone, Copy)]
pub struct DriverRing {
    /// Entries.
    pub size: u16,
    /// Descriptor table.
    pub descriptors: u64,
    /// Available ring.
    pub available: u64,
    /// Used ring.
    pub used: u64,
    /// Buffers, one for each entry.
    pub buffers: u64,
    /// Length of each.
    pub buffer: u32,
    /// The index that the driver wrote last.
    pub avail_index: u16,
    /// What the driver has taken from the used ring.
    pub used_seen: u16,
}

/// A guest's memory with five rings.
#[derive(Debug)]
pub struct Guest {
    /// Id of the VM.
    pub vm: u32,
    /// Its life, as the configuration space says.
    pub incarnation: u32,
    /// The memory's file.
    pub file: File,
    /// The memory.
    pub mem: GuestMem,
    /// The rings, by queue.
    pub rings: [DriverRing; QUEUE_COUNT],
    /// How the guest kicks, by queue.
    pub kicks: Vec<EventFd>,
    /// How the guest is called, by queue.
    pub calls: Vec<EventFd>,
}

/// Sizes of the queues: entries and bytes of a buffer.
const QUEUES: [(u16, u32); QUEUE_COUNT] =
    [(256, 512), (256, 512), (8, 65616), (8, 65616), (16, 128)];

impl Guest {
    /// A guest with empty rings.
    pub fn new(vm: u32) -> Outcome<Guest> {
        let fd = memfd_create("guest", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&fd, MEMORY_SIZE)?;
        let file = File::from(fd);
        let mem = map(&file)?;
        let mut next = 0x1000;
        let mut place = |bytes: u64| {
            let address = next;
            next += bytes.next_multiple_of(0x1000);
            address
        };
        let rings = QUEUES.map(|(size, buffer)| {
            let entries = u64::from(size);
            DriverRing {
                size,
                descriptors: place(16 * entries),
                available: place(6 + 2 * entries),
                used: place(6 + 8 * entries),
                buffers: place(entries * u64::from(buffer)),
                buffer,
                avail_index: 0,
                used_seen: 0,
            }
        });
        let events = || -> io::Result<Vec<EventFd>> {
            (0..QUEUE_COUNT)
                .map(|_| EventFd::new(EFD_NONBLOCK))
                .collect()
        };
        Ok(Guest {
            vm,
            incarnation: 0,
            file,
            mem,
            rings,
            kicks: events()?,
            calls: events()?,
        })
    }

    /// Forgets the state of the rings, as a guest that resets its device does.
    pub fn reset_rings(&mut self) -> Outcome<()> {
        for ring in &mut self.rings {
            ring.avail_index = 0;
            ring.used_seen = 0;
            self.mem.write_obj(0u32, GuestAddress(ring.available))?;
            self.mem.write_obj(0u32, GuestAddress(ring.used))?;
        }
        Ok(())
    }

    /// Sets the device up without vhost-user: straight at the fabric.
    pub fn set_up(&mut self, fabric: &mut Fabric, id: PortId, features: u64) -> Outcome<SessionId> {
        let (sender, receiver) = mpsc::channel();
        fabric.connect(id, Box::new(move |done| drop(sender.send(done))));
        let session = receiver.recv()??;
        fabric.set_features(id, session, features)?;
        let place = RegionPlace {
            guest: 0,
            size: MEMORY_SIZE,
            user: USER_BASE,
            offset: 0,
        };
        let memory = Memory::new().with(place, self.file.try_clone()?, false)?;
        fabric.set_memory(id, session, memory)?;
        self.start_rings(fabric, id, session)?;
        let config = fabric.config(id, session)?;
        self.incarnation = config.incarnation.get();
        Ok(session)
    }

    /// Sets up the rings of a connected device.
    pub fn start_rings(
        &mut self,
        fabric: &mut Fabric,
        id: PortId,
        session: SessionId,
    ) -> Outcome<()> {
        self.restart_rings(fabric, id, session, [0; QUEUE_COUNT])
    }

    /// Sets up rings that were in use before, up to these indexes.
    pub fn restart_rings(
        &mut self,
        fabric: &mut Fabric,
        id: PortId,
        session: SessionId,
        bases: [u16; QUEUE_COUNT],
    ) -> Outcome<()> {
        for (queue, (ring, base)) in self.rings.iter().zip(bases).enumerate() {
            let kick = self.kicks.get(queue).ok_or("no kick")?.try_clone()?;
            let call = self.calls.get(queue).ok_or("no call")?.try_clone()?;
            let commands = [
                RingCommand::Size(ring.size.into()),
                RingCommand::Base(base.into()),
                RingCommand::Addresses(ring.addresses()),
                RingCommand::Call(Some(signal(call)?)),
                RingCommand::Kick(signal(kick)?),
                RingCommand::Enable(true),
            ];
            for command in commands {
                fabric.set_ring(id, session, queue, command)?;
            }
        }
        Ok(())
    }

    /// Gives all buffers of the receive rings to the device.
    pub fn post_receive(&mut self) -> Outcome<()> {
        for queue in [QUEUE_MSG_RX, QUEUE_BULK_RX] {
            let size = self.ring(queue)?.size;
            self.post_some(queue, size)?;
        }
        Ok(())
    }

    /// Gives the next `count` buffers of a receive ring to the device.
    pub fn post_some(&mut self, queue: usize, count: u16) -> Outcome<()> {
        for _ in 0..count {
            let ring = *self.ring(queue)?;
            let entry = ring.avail_index % ring.size;
            self.describe(queue, entry, ring.buffer_at(entry), ring.buffer, WRITE, 0)?;
            self.offer(queue, entry)?;
        }
        Ok(())
    }

    /// Writes a descriptor.
    pub fn describe(
        &self,
        queue: usize,
        entry: u16,
        address: u64,
        len: u32,
        flags: u16,
        next: u16,
    ) -> Outcome<()> {
        let at = self.ring(queue)?.descriptors + 16 * u64::from(entry);
        self.mem.write_obj(address.to_le(), GuestAddress(at))?;
        self.mem.write_obj(len.to_le(), GuestAddress(at + 8))?;
        self.mem.write_obj(flags.to_le(), GuestAddress(at + 12))?;
        self.mem.write_obj(next.to_le(), GuestAddress(at + 14))?;
        Ok(())
    }

    /// Makes the chain that begins with `head` available.
    pub fn offer(&mut self, queue: usize, head: u16) -> Outcome<()> {
        let ring = *self.ring(queue)?;
        let slot = ring.available + 4 + 2 * u64::from(ring.avail_index % ring.size);
        self.mem.write_obj(head.to_le(), GuestAddress(slot))?;
        fence(Ordering::SeqCst);
        let index = ring.avail_index.wrapping_add(1);
        self.set_avail_index(queue, index)
    }

    /// Writes the index of the available ring, right or wrong.
    pub fn set_avail_index(&mut self, queue: usize, index: u16) -> Outcome<()> {
        let at = self.ring(queue)?.available + 2;
        self.mem
            .store(index.to_le(), GuestAddress(at), Ordering::Release)?;
        self.ring_mut(queue)?.avail_index = index;
        Ok(())
    }

    /// A ring.
    pub fn ring(&self, queue: usize) -> Outcome<&DriverRing> {
        Ok(self.rings.get(queue).ok_or("no such queue")?)
    }

    fn ring_mut(&mut self, queue: usize) -> Outcome<&mut DriverRing> {
        Ok(self.rings.get_mut(queue).ok_or("no such queue")?)
    }
}

impl DriverRing {
    /// Where the ring lies for the VMM.
    pub fn addresses(&self) -> RingAddresses {
        RingAddresses {
            descriptors: USER_BASE + self.descriptors,
            available: USER_BASE + self.available,
            used: USER_BASE + self.used,
        }
    }

    /// The buffer of an entry.
    pub fn buffer_at(&self, entry: u16) -> u64 {
        self.buffers + u64::from(entry) * u64::from(self.buffer)
    }
}

fn map(file: &File) -> Outcome<GuestMem> {
    let size = usize::try_from(MEMORY_SIZE)?;
    let mapping = MmapRegion::from_file(FileOffset::new(file.try_clone()?, 0), size)?;
    let region = GuestRegionMmap::new(mapping, GuestAddress(0)).ok_or("the region wraps")?;
    Ok(GuestMemoryMmap::from_regions(vec![region])?)
}

fn signal(event: EventFd) -> Outcome<EventSignal> {
    // SAFETY: `event` has just given up the descriptor, so that the file is its only owner.
    let file = unsafe { File::from_raw_fd(event.into_raw_fd()) };
    Ok(EventSignal::new(file, "test")?)
}
