//! Follows the calls of one endpoint: which of their frames pass, when, and what becomes of them.
//!
//! While nobody follows one this costs a comparison at each place that a frame passes.

use super::*;
use crate::frame::is_request;
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeSet;
use thiserror::Error;

/// Frames that one trace keeps, at most.
pub const TRACE_MAX: usize = 1000;

/// Another trace is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("another trace is under way at this node; try again when it has ended")]
pub struct TraceBusy;

/// Whose calls are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceFilter {
    /// The distributed container.
    pub dcid: u32,
    /// The endpoint: as the one that calls, or the one that is called.
    pub endpoint: i32,
    /// Frames after which the trace ends; at most [`TRACE_MAX`] are kept.
    pub count: usize,
}

/// Names one trace among those of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(u64);

/// Where a frame was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Taken from a guest.
    FromGuest,
    /// Put into a guest's receive ring.
    ToGuest,
    /// Come over a link, for a guest.
    FromLink,
    /// Put into the output of a link.
    ToLink,
    /// Taken from a guest or a link and dropped.
    Dropped(Drop),
}

/// One frame at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// When, by the host's monotonic clock, in nanoseconds.
    pub time_ns: u64,
    /// Where.
    pub place: Place,
    /// The VM whose port it was.
    pub vm: u32,
    /// The frame without its payload, as a guest made it.
    pub header: Frame,
}

/// The trace under way, if there is one.
#[derive(Default)]
pub(super) struct Traces {
    current: Option<Box<Trace>>,
    next: u64,
}

/// A trace under way.
struct Trace {
    id: TraceId,
    filter: TraceFilter,
    /// Calls that are followed, by the VM that began them and the number that it gave them.
    calls: BTreeSet<(u32, u64)>,
    seen: Vec<Sighting>,
    done: Done<Vec<Sighting>>,
}

impl Trace {
    /// Whether the frame belongs to a call of the endpoint. Begins to follow the call if it opens it.
    fn concerns(&mut self, header: &Frame) -> bool {
        let Some(call) = call_of(header) else {
            return false;
        };
        let ends = [header.src_ep.get(), header.dst_ep.get()];
        if is_request(header.kind) && ends.contains(&self.filter.endpoint) {
            self.calls.insert(call);
        }
        self.calls.contains(&call)
    }

    fn is_full(&self) -> bool {
        self.seen.len() >= self.filter.count.min(TRACE_MAX)
    }
}

/// The call that a frame belongs to: the VM that began it, and its number there. Frames between the
/// cores, and the data of copies, do not say it.
pub fn call_of(header: &Frame) -> Option<(u32, u64)> {
    let vm = match header.kind {
        kind::TAKEN..=kind::COPIED => header.dst_vm,
        kind::CANCEL => header.src_vm,
        it if is_request(it) => header.src_vm,
        _ => return None,
    };
    Some((vm.get(), header.op.get()))
}

impl Fabric {
    /// Begins to follow the calls of an endpoint; `done` gets what was seen, once that is as much as
    /// was asked for, or at [`Fabric::end_trace`].
    pub fn start_trace(
        &mut self,
        filter: TraceFilter,
        done: Done<Vec<Sighting>>,
    ) -> Result<TraceId, TraceBusy> {
        if self.traces.current.is_some() {
            return Err(TraceBusy);
        }
        let id = TraceId(self.traces.next);
        self.traces.next += 1;
        self.traces.current = Some(Box::new(Trace {
            id,
            filter,
            calls: BTreeSet::new(),
            seen: Vec::new(),
            done,
        }));
        Ok(id)
    }

    /// Ends a trace, unless it has ended.
    pub fn end_trace(&mut self, id: TraceId) {
        if let Some(trace) = self.traces.current.take_if(|trace| trace.id == id) {
            (trace.done)(trace.seen);
        }
    }

    /// A frame was seen at this port.
    #[inline]
    pub(super) fn sight(&mut self, id: PortId, place: Place, header: &Frame) {
        if self.traces.current.is_some() {
            self.note(id, place, header);
        }
    }

    fn note(&mut self, id: PortId, place: Place, header: &Frame) {
        let Some(attributes) = self.switch.attributes(id) else {
            return;
        };
        let (vm, dcid) = (attributes.vm, attributes.dcid);
        let mine = |trace: &&mut Box<Trace>| trace.filter.dcid == dcid;
        let Some(trace) = self.traces.current.as_mut().filter(mine) else {
            return;
        };
        if trace.concerns(header) {
            trace.seen.push(Sighting {
                time_ns: now_ns(),
                place,
                vm,
                header: *header,
            });
        }
        if trace.is_full() {
            let id = trace.id;
            self.end_trace(id);
        }
    }
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}
