//! The node's endpoints as a table: what each does, and who waits for whom.

use serde_json::Value;

use super::table::{Column, of_columns, plain, text};

/// Endpoint number that stands for any.
const ANY: i64 = 31438;

const COLUMNS: [Column; 15] = [
    ("dc", |row| plain(row, "dcid")),
    ("vm", |row| plain(row, "vm")),
    ("endpoint", |row| plain(row, "endpoint")),
    ("generation", |row| plain(row, "generation")),
    ("level", |row| text(row.pointer("/privileges/level"))),
    ("state", |row| plain(row, "state")),
    ("flags", |row| plain(row, "flags")),
    ("from", |row| endpoint(row, "receives_from")),
    ("to", |row| endpoint(row, "sends_to")),
    ("queued", |row| plain(row, "queued")),
    ("pid", |row| plain(row, "pid")),
    ("name", |row| plain(row, "name")),
    ("sent", |row| both(row, "sent_local", "sent_remote")),
    ("copied", |row| both(row, "copied_local", "copied_remote")),
    ("waits for", waits_for),
];

/// The endpoints for a person, by DC.
pub(super) fn render(endpoints: &Value) -> String {
    let rows = endpoints.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut rows: Vec<&Value> = rows.iter().collect();
    rows.sort_by_key(|row| row.get("dcid").and_then(Value::as_u64));
    of_columns(&rows, &COLUMNS)
}

fn endpoint(row: &Value, field: &str) -> String {
    match row.get(field).and_then(Value::as_i64) {
        Some(ANY) => "ANY".to_owned(),
        _ => plain(row, field),
    }
}

/// Within the VM, and with others.
fn both(row: &Value, local: &str, remote: &str) -> String {
    match (row.get(local), row.get(remote)) {
        (Some(local), Some(remote)) => format!("{local}+{remote}"),
        _ => "-".to_owned(),
    }
}

/// One after the other, and where that is a circle, a word about it.
fn waits_for(row: &Value) -> String {
    let chain = row.get("waits_for").and_then(Value::as_array);
    let chain: Vec<String> = chain.into_iter().flatten().map(Value::to_string).collect();
    let deadlock = row.get("deadlock").and_then(Value::as_bool);
    match (chain.is_empty(), deadlock) {
        (true, _) => "-".to_owned(),
        (false, Some(true)) => format!("{} (deadlock)", chain.join(" > ")),
        (false, _) => chain.join(" > "),
    }
}

#[cfg(test)]
#[path = "endpoints_test.rs"]
mod tests;
