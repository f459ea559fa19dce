//! Comparisons with what people use today, measured alternately in one run.

mod contest;
mod hosts;
mod in_vm;
mod migration;
mod two_vms;

use anyhow::{Context, Result};
use dvs_report::{Event, Row};
use serde::Deserialize;

use crate::harness::{COMMAND_LIMIT, Guest, Lab, Task};

/// Times each side is measured.
const RUNS: usize = 5;
/// How long one measurement may take.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(120);

/// What `pingpong` tells of a measurement.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Figures {
    rtt_us: Times,
    per_second: f64,
    bytes_per_second: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Times {
    p50: Option<f64>,
}

impl Figures {
    /// The median of single times, in microseconds.
    fn median(&self) -> Result<f64> {
        self.rtt_us.p50.context("single times were not measured")
    }
}

/// Calls, copies and idle endpoints, in a guest and between two guests of a host.
pub fn ipc(lab: &Lab) -> Result<Vec<Row>> {
    let mut rows = in_vm::rows(lab)?;
    rows.extend(two_vms::rows(lab)?);
    Ok(rows)
}

/// Calls and copies between guests of two hosts.
pub fn hosts(lab: &Lab) -> Result<Vec<Row>> {
    hosts::rows(lab)
}

/// Moves of a guest between hosts.
pub fn migration(lab: &Lab) -> Result<Vec<Row>> {
    migration::rows(lab)
}

/// A server for measurements; it is killed when this is dropped, and its files removed.
fn listen(guest: &mut Guest, command: &str) -> Result<Task> {
    let mut server = guest.spawn(&format!("pingpong {command}"))?;
    server.wait_line(COMMAND_LIMIT, |line| (line == "listening").then_some(()))?;
    Ok(server)
}

fn measure(guest: &mut Guest, command: &str) -> Result<Figures> {
    figures(&guest.run(&format!("pingpong {command}"), LIMIT)?.out)
}

fn figures(said: &[String]) -> Result<Figures> {
    let last = said.last().context("pingpong told no figures")?;
    Ok(serde_json::from_str(last)?)
}

/// Ends a server that would serve for ever.
fn end(mut server: Task) -> Result<()> {
    const TERMINATE: i32 = 15;
    server.signal(TERMINATE)?;
    server.finish(COMMAND_LIMIT)?;
    Ok(())
}

fn tell(lab: &Lab, row: Row) -> Row {
    lab.tell(&Event::Row(row.clone()));
    row
}
