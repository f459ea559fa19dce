//! What will happen when, in virtual time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use virtio_dvs::directory::Lease;
use virtio_dvs::frame::Class;
use virtio_dvs::switch::PortId;

use super::directory::Stream;
use super::migration::Side;

/// Microseconds and milliseconds in nanoseconds, the unit of all times here.
pub(super) const US: u64 = 1_000;
pub(super) const MS: u64 = 1_000_000;

/// Something that happens at its time. Numbers of lives, boots and calls let an event find out
/// that what it was meant for is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The node sees the kick of a guest's transmit or control queue.
    Kick { vm: u32 },
    /// The node sees that a guest gave receive buffers back that somebody waits for.
    RoomKick { vm: u32 },
    /// The guest sees the interrupt of its device.
    Interrupt { vm: u32 },
    /// The guest's timer.
    Timer { vm: u32, life: u64 },
    /// The next answer of a host's directory reaches the node.
    Answer { host: usize, run: u64 },
    /// A VMM starts, or finds its node again.
    Connect { vm: u32, boot: u64 },
    /// The guest's driver resets the device before it drives it.
    ResetDevice { vm: u32, boot: u64 },
    /// The node sees that the connection of a VMM is closed.
    HangUp { vm: u32, boot: u64 },
    /// A machine that was off is switched on.
    SwitchOn { vm: u32 },
    /// The node process of a host starts.
    NodeStart { host: usize },
    /// A node that started has waited long enough for the VMMs of the VMs that it found.
    Adoption { host: usize, run: u64 },
    /// A program is started.
    Exec { program: usize, life: u64 },
    /// A program has thought and does its next call.
    Step { program: usize, turn: u64 },
    /// The deadline of a call, or a signal.
    Leave { program: usize, turn: u64, why: i32 },
    /// The grace after that is over.
    GraceOver { program: usize, turn: u64 },
    /// Whoever runs the cluster attaches a VM to its host.
    Attach { vm: u32 },
    /// And detaches one from the host where it was.
    Detach { vm: u32, from: usize },
    /// The next request of a node reaches the directory of the cluster.
    Asked { host: usize, run: u64 },
    /// The next answer, or the next news of a watch, reaches the node.
    Told {
        host: usize,
        run: u64,
        stream: Stream,
    },
    /// A node has not renewed its lease for some time, or for too long.
    Doubt {
        host: usize,
        number: u64,
        lease: Lease,
    },
    /// The lease of a node runs out.
    Lapse { host: usize, number: u64 },
    /// A host reaches the directory again.
    HealDirectory { host: usize },
    /// The directory is there again.
    DirectoryUp,
    /// Two nodes have tried to make a session.
    Dialed { one: usize, other: usize },
    /// A side has its session.
    LinkUp {
        host: usize,
        peer: usize,
        session: u64,
    },
    /// A side notices that it is over.
    LinkDown {
        host: usize,
        peer: usize,
        session: u64,
    },
    /// The link between two hosts is whole again.
    HealLink { one: usize, other: usize },
    /// Something comes over a link.
    Arrive {
        from: usize,
        to: usize,
        class: Class,
        session: u64,
    },
    /// A link has room again.
    LinkRoom {
        host: usize,
        peer: usize,
        class: Class,
        session: u64,
    },
    /// A VMM does the next thing that a migration asks of it.
    Vmm { migration: usize, side: Side },
    /// Something comes from the VMM of the other side.
    Mail { migration: usize, side: Side },
    /// A VMM looks at its clock.
    Tick { migration: usize, side: Side },
    /// A VMM notices that its node is gone.
    NodeGone { migration: usize, side: Side },
    /// The connection of a VMM that is gone is closed.
    VmmGone { migration: usize, side: Side },
    /// Whoever runs the cluster starts a machine again that a migration has lost.
    Recover { vm: u32 },
    /// A port has waited long enough for a VMM.
    Orphan { host: usize, run: u64, port: PortId },
    /// A fault of the plan.
    Fault(usize),
    /// Nobody begins anything new.
    Drain,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    at: u64,
    number: u64,
    event: Event,
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        // The heap gives the greatest first: the earliest, and of those the oldest.
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Events in order of time.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Entry>,
    count: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.heap.push(Entry {
            at,
            number: self.count,
            event,
        });
    }

    pub(super) fn next(&mut self) -> Option<(u64, Event)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}
