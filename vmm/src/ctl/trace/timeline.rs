//! What nodes saw, call by call, in the order in which it happened.
//!
//! The clocks of different nodes are not compared. Each node's sightings are in the order of its own
//! clock, and a frame leaves one node before it comes to another: that is order enough.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt::Write;

use virtio_dvs::node::control::{Trace, TraceRecord};

/// A call: the VM that began it, and its number there.
type Call<'a> = (u32, &'a str);

/// What tells frames of a call apart.
type FrameKey<'a> = (&'a str, u32, i32, i32);

/// A sighting, and by which of the nodes.
type Sighting<'a> = (usize, &'a TraceRecord);

/// Kinds whose endpoints say who calls whom.
const REQUESTS: [&str; 5] = ["MSG", "REQ", "NTF", "COPY_IN", "COPY_OUT"];

/// All calls for a person.
pub(super) fn render(traces: &[Trace]) -> String {
    let calls = calls(traces);
    if calls.is_empty() {
        return "no frame was seen\n".to_owned();
    }
    let mut text = String::new();
    for (call, per_node) in calls {
        write_call(&mut text, traces, call, merge(per_node));
    }
    if traces.iter().any(|trace| trace.full) {
        text.push_str("There may have been more: a node has seen as much as was asked for.\n");
    }
    text
}

/// Sightings by call, and by node within it; calls in the order in which they were seen first.
fn calls(traces: &[Trace]) -> Vec<(Call<'_>, Vec<VecDeque<&TraceRecord>>)> {
    let mut calls: Vec<(Call<'_>, Vec<VecDeque<&TraceRecord>>)> = Vec::new();
    let mut places = BTreeMap::new();
    for (node, trace) in traces.iter().enumerate() {
        for record in &trace.records {
            let call = (record.caller, record.op.as_str());
            let place = *places.entry(call).or_insert_with(|| {
                calls.push((call, vec![VecDeque::new(); traces.len()]));
                calls.len() - 1
            });
            let seen = calls.get_mut(place).and_then(|it| it.1.get_mut(node));
            if let Some(seen) = seen {
                seen.push_back(record);
            }
        }
    }
    calls
}

fn key(record: &TraceRecord) -> FrameKey<'_> {
    (&record.kind, record.seq, record.src_ep, record.dst_ep)
}

/// One after the other: a node goes on until it waits for a frame that another has yet to send.
fn merge(mut per_node: Vec<VecDeque<&TraceRecord>>) -> Vec<Sighting<'_>> {
    let mut merged = Vec::new();
    let mut under_way = BTreeMap::<FrameKey<'_>, usize>::new();
    while let Some(node) = next_node(&per_node, &under_way) {
        while let Some(&record) = per_node.get(node).and_then(VecDeque::front) {
            if waits(record, &per_node, &under_way) && !all_wait(&per_node, &under_way) {
                break;
            }
            per_node.get_mut(node).map(VecDeque::pop_front);
            let sent = under_way.entry(key(record)).or_default();
            match record.at.as_str() {
                "to_link" => *sent += 1,
                "from_link" => *sent = sent.saturating_sub(1),
                _ => {}
            }
            merged.push((node, record));
        }
    }
    merged
}

/// Whether this frame came over a link from a node that has not shown yet that it sent it.
fn waits(
    record: &TraceRecord,
    per_node: &[VecDeque<&TraceRecord>],
    under_way: &BTreeMap<FrameKey<'_>, usize>,
) -> bool {
    let key = key(record);
    let sends = |it: &&TraceRecord| it.at == "to_link" && self::key(it) == key;
    record.at == "from_link"
        && under_way.get(&key).copied().unwrap_or(0) == 0
        && per_node.iter().flatten().any(sends)
}

/// Whether nothing can go on, since the nodes tell what cannot be.
fn all_wait(
    per_node: &[VecDeque<&TraceRecord>],
    under_way: &BTreeMap<FrameKey<'_>, usize>,
) -> bool {
    let mut next = per_node.iter().filter_map(VecDeque::front);
    next.all(|record| waits(record, per_node, under_way))
}

/// The first node that can go on; if none can, the first that has anything.
fn next_node(
    per_node: &[VecDeque<&TraceRecord>],
    under_way: &BTreeMap<FrameKey<'_>, usize>,
) -> Option<usize> {
    let can = |it: &VecDeque<&TraceRecord>| {
        it.front()
            .is_some_and(|record| !waits(record, per_node, under_way))
    };
    let first = per_node.iter().position(can);
    first.or_else(|| per_node.iter().position(|it| !it.is_empty()))
}

fn write_call(text: &mut String, traces: &[Trace], call: Call<'_>, seen: Vec<Sighting<'_>>) {
    let (vm, op) = call;
    // Writing to a string does not fail.
    let _ = writeln!(text, "call {op} of VM {vm}");
    let mut last = BTreeMap::new();
    let mut columns: Vec<usize> = Vec::new();
    for (node, record) in seen {
        if !columns.contains(&node) {
            columns.push(node);
        }
        let column = columns.iter().position(|it| *it == node).unwrap_or(0);
        let since = last.insert(node, record.time_ns);
        let since = since.map_or_else(|| "-".to_owned(), |at| difference(at, record.time_ns));
        let nodeid = traces.get(node).map_or(0, |trace| trace.nodeid);
        let indent = 4 * column;
        let _ = writeln!(
            text,
            "{since:>14}  {:indent$}node {nodeid}  {}",
            "",
            words(record)
        );
    }
}

/// Time between two sightings of one node.
fn difference(from_ns: u64, to_ns: u64) -> String {
    let ns = to_ns.saturating_sub(from_ns);
    format!("+{}.{:03} us", ns / 1000, ns % 1000)
}

fn words(record: &TraceRecord) -> String {
    let TraceRecord { kind, vm, peer, .. } = record;
    let place = match record.at.as_str() {
        "from_guest" => format!("from VM {vm}"),
        "to_guest" => format!("to VM {vm}"),
        "from_link" => format!("from the link, of VM {peer}"),
        "to_link" => format!("to the link, for VM {peer}"),
        _ => {
            let reason = record.reason.as_deref().unwrap_or("?");
            format!("dropped ({reason}), for VM {peer}")
        }
    };
    let what = if REQUESTS.contains(&kind.as_str()) {
        format!("{kind} {} > {}", record.src_ep, record.dst_ep)
    } else {
        format!("{kind} result {}", record.result)
    };
    format!("{what}, seq {}: {place}", record.seq)
}

#[cfg(test)]
#[path = "timeline_test.rs"]
mod tests;
