//! VMs, nodes and links as tables.

use serde_json::Value;

use super::table::{Column, of_columns, plain, text};

const VMS: [Column; 10] = [
    ("vm", |row| plain(row, "vm")),
    ("dc", |row| plain(row, "dcid")),
    ("name", name),
    ("state", state),
    ("life", |row| plain(row, "incarnation")),
    ("endpoints", |row| {
        let limit = text(row.pointer("/limits/max_endpoints"));
        format!("{} of {limit}", plain(row, "endpoints"))
    }),
    ("max peers", |row| text(row.pointer("/limits/max_peers"))),
    ("max frames/s", |row| text(row.pointer("/limits/rate"))),
    ("admin", |row| yes_or_no(row, "admin")),
    ("socket", |row| plain(row, "socket")),
];

const NODES: [Column; 4] = [
    ("node", |row| plain(row, "nodeid")),
    ("address", |row| plain(row, "address")),
    ("alive", |row| yes_or_no(row, "alive")),
    ("vms", |row| plain(row, "vms")),
];

const LINKS: [Column; 12] = [
    ("node", |row| plain(row, "node")),
    ("address", |row| plain(row, "address")),
    ("state", |row| plain(row, "state")),
    ("for ms", |row| plain(row, "since_ms")),
    ("dialled by us", |row| yes_or_no(row, "dialled_by_us")),
    ("tls", |row| yes_or_no(row, "tls")),
    ("version", |row| plain(row, "version")),
    ("frames", |row| both_ways(row, "frames_in", "frames_out")),
    ("bytes", |row| both_ways(row, "bytes_in", "bytes_out")),
    ("dropped", |row| plain(row, "dropped")),
    ("rtt us", |row| plain(row, "rtt_us")),
    ("last error", |row| plain(row, "last_error")),
];

/// The VMs of a node.
pub(super) fn vms(answer: &Value) -> String {
    list(answer, &VMS)
}

/// The nodes of a cluster.
pub(super) fn nodes(answer: &Value) -> String {
    list(answer, &NODES)
}

/// The links of a node: what came in and went out, by frames and bytes.
pub(super) fn links(answer: &Value) -> String {
    list(answer, &LINKS)
}

fn list(answer: &Value, columns: &[Column]) -> String {
    let rows: Vec<&Value> = answer.as_array().into_iter().flatten().collect();
    of_columns(&rows, columns)
}

/// The DC's name, if it has one.
fn name(row: &Value) -> String {
    match row.pointer("/dc/name").and_then(Value::as_str) {
        None | Some("") => "-".to_owned(),
        Some(name) => name.to_owned(),
    }
}

fn is(row: &Value, field: &str) -> bool {
    row.get(field).and_then(Value::as_bool) == Some(true)
}

fn yes_or_no(row: &Value, field: &str) -> String {
    match row.get(field).and_then(Value::as_bool) {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    }
    .to_owned()
}

fn state(row: &Value) -> String {
    match (is(row, "running"), is(row, "connected")) {
        (true, _) => "running",
        (false, true) => "connected",
        (false, false) => "attached",
    }
    .to_owned()
}

fn both_ways(row: &Value, came: &str, went: &str) -> String {
    format!("{} in, {} out", plain(row, came), plain(row, went))
}

#[cfg(test)]
#[path = "lists_test.rs"]
mod tests;
