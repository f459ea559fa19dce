//! The rows of a picture as cells of text.

use std::time::Duration;

use virtio_dvs::link::LinkState;

use super::history::{EndpointRow, LinkRow, Picture, VmRow};

pub(super) const VM_HEAD: [&str; 11] = [
    "vm",
    "dc",
    "state",
    "endpoints",
    "frames in/s",
    "frames out/s",
    "bytes in/s",
    "bytes out/s",
    "kicks/s",
    "interrupts/s",
    "drops/s",
];

pub(super) const ENDPOINT_HEAD: [&str; 8] = [
    "dc",
    "endpoint",
    "vm",
    "name",
    "state",
    "queued",
    "waited",
    "waits for",
];

pub(super) const LINK_HEAD: [&str; 9] = [
    "node",
    "state",
    "for",
    "frames in/s",
    "frames out/s",
    "bytes in/s",
    "bytes out/s",
    "drops/s",
    "rtt",
];

/// One line about the node.
pub(super) fn headline(picture: &Picture) -> String {
    let node = &picture.node;
    let running = picture.vms.iter().filter(|it| it.running).count();
    format!(
        "node {}  up {}  VMs {running} running of {} attached  event loop {} us, {} queues left over",
        node.nodeid,
        time(Duration::from_secs(node.uptime_s)),
        node.vms,
        node.loop_us,
        node.backlog,
    )
}

pub(super) fn vm(row: &VmRow) -> Vec<String> {
    let state = match (row.running, row.connected) {
        (true, _) => "running",
        (false, true) => "connected",
        (false, false) => "attached",
    };
    let rates = row.rates.map(|it| {
        [
            it.frames_in,
            it.frames_out,
            it.bytes_in,
            it.bytes_out,
            it.kicks,
            it.interrupts,
            it.drops,
        ]
    });
    let mut cells = vec![
        row.vm.to_string(),
        row.dcid.to_string(),
        state.to_owned(),
        row.endpoints.to_string(),
    ];
    cells.extend(figures(rates));
    cells
}

pub(super) fn endpoint(row: &EndpointRow) -> Vec<String> {
    let info = &row.info;
    let told = info.state.as_ref();
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let chain: Vec<_> = info.waits_for.iter().map(i32::to_string).collect();
    let mut waits_for = or_dash((!chain.is_empty()).then(|| chain.join(" > ")));
    if info.deadlock {
        waits_for.push_str(" (deadlock)");
    }
    vec![
        info.dcid.to_string(),
        info.endpoint.to_string(),
        info.vm.to_string(),
        or_dash(told.map(|it| it.name.clone())),
        or_dash(told.map(|it| it.state.clone())),
        or_dash(told.map(|it| it.queued.to_string())),
        or_dash(row.waited.map(time)),
        waits_for,
    ]
}

pub(super) fn link(row: &LinkRow) -> Vec<String> {
    let info = &row.info;
    let state = match info.state {
        LinkState::Idle => "idle",
        LinkState::Waiting => "waiting",
        LinkState::Connecting => "connecting",
        LinkState::Up => "up",
    };
    let rates = row.rates.map(|it| {
        [
            it.frames_in,
            it.frames_out,
            it.bytes_in,
            it.bytes_out,
            it.dropped,
        ]
    });
    let mut cells = vec![
        info.node.to_string(),
        state.to_owned(),
        info.since_ms
            .map_or_else(|| "-".to_owned(), |it| time(Duration::from_millis(it))),
    ];
    cells.extend(figures(rates));
    cells.push(
        info.rtt_us
            .map_or_else(|| "-".to_owned(), |it| format!("{it} us")),
    );
    cells
}

fn figures<const N: usize>(figures: Option<[f64; N]>) -> [String; N] {
    match figures {
        Some(figures) => figures.map(figure),
        None => [const { String::new() }; N].map(|_| "-".to_owned()),
    }
}

/// A rate with three digits or a little more: 7, 0.5, 1234, 56.1k, 7.20M.
fn figure(value: f64) -> String {
    match value {
        it if it >= 1e9 => format!("{:.2}G", it / 1e9),
        it if it >= 1e6 => format!("{:.2}M", it / 1e6),
        it if it >= 1e4 => format!("{:.1}k", it / 1e3),
        it if it >= 10.0 || it == 0.0 => format!("{it:.0}"),
        it => format!("{it:.1}"),
    }
}

/// A time with its unit: 0.2s, 42s, 3m 5s, 2h 10m, 3d 4h.
fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", time.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
#[path = "cells_test.rs"]
mod tests;
