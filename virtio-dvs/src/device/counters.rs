//! What is counted at a port.

use crate::spec::{QUEUE_COUNT, QUEUE_NAMES};
use crate::switch::Drop;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counts of a port since it was attached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCounters {
    /// Kicks by the guest, by queue. Kicks that come while one is being handled count once.
    pub kicks: BTreeMap<String, u64>,
    /// Interrupts signalled to the guest, by queue.
    pub calls: BTreeMap<String, u64>,
    /// Frames taken from the guest, refused ones included.
    pub frames_in: u64,
    /// Frames put into the guest's receive rings, the node's own included.
    pub frames_out: u64,
    /// Bytes of carried frames taken from the guest, headers included.
    pub bytes_in: u64,
    /// Bytes put into the guest's receive rings, headers included.
    pub bytes_out: u64,
    /// Frames of the guest that were dropped, by reason; reasons without a case are left out.
    pub drops: BTreeMap<String, u64>,
    /// RETRY frames said to the guest.
    pub retries: u64,
    /// GONE frames said to the guest.
    pub gones: u64,
    /// What the node had to say but found no room for; RETRY(all) says it later.
    pub node_frames_lost: u64,
    /// Control requests.
    pub control_requests: u64,
    /// Control requests that were not accepted, or whose chain was no request.
    pub control_refused: u64,
    /// Receive buffers that were given back empty since no frame fits into them.
    pub bad_buffers: u64,
    /// Rings given up since the guest broke the rules of virtqueues.
    pub broken_rings: u64,
    /// Times that the port's rings were taken into use.
    pub starts: u64,
    /// Writes to the configuration space, which is read-only.
    pub config_writes: u64,
}

/// The same while counting.
#[derive(Debug, Default)]
pub(super) struct Counting {
    pub(super) kicks: [u64; QUEUE_COUNT],
    pub(super) calls: [u64; QUEUE_COUNT],
    pub(super) drops: [u64; Drop::ALL.len()],
    pub(super) frames_in: u64,
    pub(super) frames_out: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) retries: u64,
    pub(super) gones: u64,
    pub(super) node_frames_lost: u64,
    pub(super) control_requests: u64,
    pub(super) control_refused: u64,
    pub(super) bad_buffers: u64,
    pub(super) broken_rings: u64,
    pub(super) starts: u64,
    pub(super) config_writes: u64,
}

impl Counting {
    pub(super) fn dropped(&mut self, drop: Drop) {
        if let Some(count) = self.drops.get_mut(drop.index()) {
            *count += 1;
        }
    }

    pub(super) fn view(&self) -> PortCounters {
        let by_queue = |counts: &[u64; QUEUE_COUNT]| {
            let names = QUEUE_NAMES.iter().map(|name| (*name).to_owned());
            names.zip(counts.iter().copied()).collect()
        };
        let drops = Drop::ALL.iter().zip(self.drops);
        PortCounters {
            kicks: by_queue(&self.kicks),
            calls: by_queue(&self.calls),
            frames_in: self.frames_in,
            frames_out: self.frames_out,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            drops: drops
                .filter(|(_, count)| *count > 0)
                .map(|(drop, count)| (drop.name().to_owned(), count))
                .collect(),
            retries: self.retries,
            gones: self.gones,
            node_frames_lost: self.node_frames_lost,
            control_requests: self.control_requests,
            control_refused: self.control_refused,
            bad_buffers: self.bad_buffers,
            broken_rings: self.broken_rings,
            starts: self.starts,
            config_writes: self.config_writes,
        }
    }
}
