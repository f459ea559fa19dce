//! Looks that the tests share, and the tables for scripts.

use std::time::{Duration, Instant};

use serde_json::json;
use virtio_dvs::device::counters::PortCounters;
use virtio_dvs::node::control::{EndpointInfo, LinkInfo, PortCounts};

use super::*;
use crate::ctl::args::Sort;

/// A look at a node with these VMs and the frames that they have sent.
pub(super) fn sample(at: Instant, vms: &[(u32, u64)]) -> Sample {
    let port = |vm: u32| {
        json!({
            "vm": vm, "dcid": 0, "dc": {}, "admin": false, "limits": {}, "connected": true,
            "running": true, "endpoints": 3,
        })
    };
    let info = json!({
        "version": "0", "pid": 1, "vms": vms.len(), "max_vms": 256, "nodeid": 4, "uptime_s": 61,
        "loop_us": 12, "backlog": 0,
    });
    let counts = |&(vm, frames): &(u32, u64)| PortCounts {
        vm,
        counters: PortCounters {
            frames_in: frames,
            ..PortCounters::default()
        },
    };
    let ports = vms
        .iter()
        .map(|it| serde_json::from_value(port(it.0)).unwrap());
    Sample {
        at,
        info: serde_json::from_value(info).unwrap(),
        ports: ports.collect(),
        counters: vms.iter().map(counts).collect(),
        endpoints: Vec::new(),
        links: Vec::new(),
    }
}

/// An endpoint that has sent so many messages.
pub(super) fn endpoint(
    vm: u32,
    number: i32,
    state: &str,
    sends_to: Option<i32>,
    sent: u32,
) -> EndpointInfo {
    let value = json!({
        "dcid": 0, "endpoint": number, "generation": 7, "vm": vm, "incarnation": 1,
        "privileges": {"level": "USER", "calls": "0x0", "ipc_to": "0x0"}, "state": state,
        "sends_to": sends_to, "queued": 0, "name": "prog", "sent_local": 0, "sent_remote": sent,
        "copied_local": 0, "copied_remote": 0,
    });
    serde_json::from_value(value).unwrap()
}

/// A link over which so many frames have come.
pub(super) fn link(node: u32, frames: u64) -> LinkInfo {
    let value = json!({
        "node": node, "address": "[::1]:1", "state": "up", "since_ms": 1500, "dialled_by_us": true,
        "tls": true, "frames_in": frames, "frames_out": 0, "bytes_in": 0, "bytes_out": 0,
        "dropped": 0,
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_tables_for_scripts_have_everything() {
    let start = Instant::now();
    let mut history = History::new(Sort::Frames);
    history.add(sample(start, &[(1, 0)]));
    let mut later = sample(start + Duration::from_secs(1), &[(1, 12)]);
    later.endpoints = vec![endpoint(1, 10, "RECEIVING", None, 0)];
    later.links = vec![link(7, 0)];
    let shown = text(&history.add(later));
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines[0].starts_with("node 4  up 1m 1s"), "{shown}");
    assert!(lines[2].starts_with("vm  dc  state"), "{shown}");
    assert!(lines[3].contains("  12  "), "{shown}");
    assert!(
        shown.contains("RECEIVING") && shown.contains("\nnode  state"),
        "{shown}"
    );
}
