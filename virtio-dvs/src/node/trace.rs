//! Traces of the control API: limits, the wait, and the words for what was seen.

use crate::device::fabric::{Place, Sighting, TRACE_MAX, TraceFilter, TraceId, call_of};
use crate::device::remote::{Remote, Stopped};
use crate::device::worker::Worker;
use crate::frame::{Frame, VM_NODE, kind_name};
use crate::node::config::ConfigError;
use crate::node::control::{Trace, TraceRecord, TraceRequest};
use crate::node::service::{Control, NodeError};
use crate::range::in_range;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Longest time of a trace, in milliseconds.
const TIME_MAX_MS: u64 = 20_000;

impl Control {
    /// Follows the calls of an endpoint, until enough was seen or the time is over. The trace ends
    /// with the future.
    pub(super) async fn trace(&self, request: TraceRequest) -> Result<Trace, NodeError> {
        check(&request).map_err(NodeError::Trace)?;
        let filter = TraceFilter {
            dcid: request.dcid,
            endpoint: request.endpoint,
            count: request.count,
        };
        let (sender, mut seen) = oneshot::channel();
        let done = Box::new(move |seen| {
            // Whoever asked may have left.
            let _ = sender.send(seen);
        });
        let start = move |worker: &mut Worker| worker.fabric().start_trace(filter, done);
        let id = self
            .remote
            .ask(move |worker, done| done(start(worker)))?
            .map_err(NodeError::TraceBusy)?;
        let running = Running {
            remote: self.remote.clone(),
            id,
        };
        let limit = Duration::from_millis(request.timeout_ms);
        let enough = timeout(limit, &mut seen).await;
        drop(running);
        let seen = match enough {
            Ok(seen) => seen,
            Err(_) => seen.await,
        };
        let seen = seen.map_err(|_| Stopped)?;
        Ok(Trace {
            nodeid: self.config.nodeid,
            full: seen.len() >= request.count,
            records: seen.iter().map(record).collect(),
        })
    }
}

/// A trace that ends when nobody waits for it any more.
struct Running {
    remote: Remote,
    id: TraceId,
}

impl Drop for Running {
    fn drop(&mut self) {
        let id = self.id;
        // Fails only if the node has stopped, and the trace with it.
        let _ = self.remote.run(move |worker| worker.fabric().end_trace(id));
    }
}

fn check(request: &TraceRequest) -> Result<(), ConfigError> {
    in_range("count", request.count as u64, 1, TRACE_MAX as u64)?;
    Ok(in_range("timeout_ms", request.timeout_ms, 1, TIME_MAX_MS)?)
}

fn record(seen: &Sighting) -> TraceRecord {
    let header = &seen.header;
    let (at, reason) = match seen.place {
        Place::FromGuest => ("from_guest", None),
        Place::ToGuest => ("to_guest", None),
        Place::FromLink => ("from_link", None),
        Place::ToLink => ("to_link", None),
        Place::Dropped(reason) => ("dropped", Some(reason.name().to_owned())),
    };
    TraceRecord {
        time_ns: seen.time_ns,
        at: at.to_owned(),
        reason,
        vm: seen.vm,
        peer: peer(header, seen.vm),
        kind: kind_name(header.kind).map_or_else(|| header.kind.to_string(), str::to_owned),
        caller: call_of(header).map_or(VM_NODE, |call| call.0),
        op: format!("{:#x}", header.op.get()),
        seq: header.seq.get(),
        src_ep: header.src_ep.get(),
        dst_ep: header.dst_ep.get(),
        result: header.result.get(),
    }
}

/// The VM at the frame's other end.
fn peer(header: &Frame, vm: u32) -> u32 {
    match header.src_vm.get() {
        source if source == vm => header.dst_vm.get(),
        source => source,
    }
}
