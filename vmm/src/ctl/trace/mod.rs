//! `dvsctl trace`: asks one or several nodes to follow the calls of an endpoint.

mod timeline;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

use virtio_dvs::node::client::{Client, ClientError};
use virtio_dvs::node::control::{Trace, TraceRequest};

use super::args;
use super::run::CtlError;

/// Asks all nodes at once, waits for their traces and prints them.
pub(super) fn run(
    nodes: &[PathBuf],
    trace: &args::Trace,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), CtlError> {
    let request = TraceRequest {
        dcid: trace.dcid,
        endpoint: trace.endpoint,
        count: trace.count,
        timeout_ms: u64::try_from(trace.time.as_millis()).unwrap_or(u64::MAX),
    };
    let traces = ask(nodes, &request)?;
    if json {
        let all = serde_json::to_value(&traces).map_err(std::io::Error::from)?;
        writeln!(out, "{all:#}")?;
    } else {
        write!(out, "{}", timeline::render(&traces))?;
    }
    Ok(())
}

fn ask(nodes: &[PathBuf], request: &TraceRequest) -> Result<Vec<Trace>, ClientError> {
    let one = |path: &Path| Client::new(path).trace(request);
    thread::scope(|scope| {
        let asked: Vec<_> = nodes
            .iter()
            .map(|path| scope.spawn(move || one(path)))
            .collect();
        asked
            .into_iter()
            .map(|it| {
                it.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}
