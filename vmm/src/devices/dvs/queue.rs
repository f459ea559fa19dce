//! Where the guest has put a queue.

use vhost::VringConfigData;
use virtio_dvs::spec;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

use crate::devices::virtio::QueueSetup;
use crate::machine::memory::GuestMemory;

/// Where a queue is in this process, and how far it has come.
pub struct Place {
    /// For the node.
    pub parts: VringConfigData,
    /// The entry that is next.
    pub base: u16,
}

impl Place {
    /// `None` where a part of the queue is not inside guest memory, or not aligned.
    pub fn of(memory: &GuestMemory, queue: &QueueSetup, resumed: bool) -> Option<Self> {
        let size = u64::from(queue.size);
        let host = |address: u64, len: u64, alignment: u64| {
            let len = usize::try_from(len).ok()?;
            let aligned = address.is_multiple_of(alignment);
            // One slice: the whole part lies in one region.
            let slice = memory
                .get_slice(GuestAddress(address), len)
                .ok()
                .filter(|_| aligned)?;
            Some(slice.ptr_guard().as_ptr() as u64)
        };
        let parts = VringConfigData {
            queue_max_size: spec::QUEUE_SIZE_MAX,
            queue_size: queue.size,
            flags: 0,
            desc_table_addr: host(queue.descriptors, 16 * size, 16)?,
            avail_ring_addr: host(queue.available, 6 + 2 * size, 2)?,
            used_ring_addr: host(queue.used, 6 + 8 * size, 4)?,
            log_addr: None,
        };
        let base = if resumed {
            used_index(memory, queue)?
        } else {
            0
        };
        Some(Self { parts, base })
    }
}

/// The index of the used ring: how many buffers the node has given back.
fn used_index(memory: &GuestMemory, queue: &QueueSetup) -> Option<u16> {
    const INDEX: u64 = 2;
    let address = queue.used.checked_add(INDEX)?;
    memory
        .load(GuestAddress(address), std::sync::atomic::Ordering::Acquire)
        .ok()
}
