//! The results that `--json` prints as the last line.

use serde::{Deserialize, Serialize};

use crate::MigrationReport;

/// Where guests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// On this machine's own KVM.
    Native,
    /// On the KVM of a machine that QEMU emulates.
    Nested,
}

/// Round-trip times in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RttUs {
    /// The shortest.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// 99 of 100 are not longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// What the guests' channels did about faults between them, and what callers saw of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Frames that were sent once more.
    pub frames_sent_again: u64,
    /// Frames that came more than once and were dropped.
    pub duplicates_suppressed: u64,
    /// Times the backstop timer fired.
    pub backstop_timer_fires: u64,
    /// The longest time of one call, in milliseconds.
    pub max_stall_ms: f64,
}

/// Result of `cargo xtask demo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DemoReport {
    /// Name of the scenario.
    pub scenario: String,
    /// Where the guests ran.
    pub mode: Mode,
    /// Round trips completed, counted by the client.
    pub rpcs: u64,
    /// Messages sent that the server never saw.
    pub lost: u64,
    /// Messages that the server saw more than once.
    pub duplicated: u64,
    /// Messages that came in another order than sent.
    pub out_of_order: u64,
    /// Calls that failed or brought wrong contents, on either side.
    pub errors: u64,
    /// Round-trip times.
    pub rtt_us: RttUs,
    /// Times the guests notified the node, per round trip, once warm.
    pub kicks_per_rpc: f64,
    /// Interrupts the node raised in the guests, per round trip, once warm.
    pub interrupts_per_rpc: f64,
    /// Exits of all vCPUs (KVM's count), per round trip, once warm.
    pub exits_per_rpc: f64,
    /// How often threads of the VMM processes outside their vCPUs ran, per round trip, once warm.
    pub vmm_runs_per_rpc: f64,
    /// What the VMM processes used of one CPU outside their vCPUs, in percent, once warm.
    ///
    /// They carry what the programs print over serial lines, and no message.
    pub vmm_cpu_percent: f64,
    /// Times the channel's backstop timer fired in the guests.
    pub backstop_fired: u64,
    /// What it took to make good what faults did, where the demonstration has any.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// Release of the guests' kernel.
    pub guest_kernel: String,
    /// The whole scenario, boots included.
    pub seconds: f64,
}

/// What a demonstration has shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figures {
    /// Calls.
    Calls(DemoReport),
    /// Moves between hosts.
    Moves(MigrationReport),
}

/// One comparison of a benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Unit of the figures.
    pub unit: String,
    /// Our median over the runs.
    pub ours: f64,
    /// The peer's median over the runs.
    pub peer: f64,
    /// Who the peer is.
    pub peer_name: String,
    /// `ours / peer`.
    pub ratio: f64,
    /// How often each side was measured.
    pub runs: usize,
    /// Smallest and largest of our runs.
    pub ours_spread: [f64; 2],
    /// Smallest and largest of the peer's runs.
    pub peer_spread: [f64; 2],
}

impl Row {
    /// A row from the figures of each run; both sides must have run at least once.
    #[must_use]
    pub fn new(
        name: &str,
        unit: &str,
        peer_name: &str,
        ours: &[f64],
        peer: &[f64],
    ) -> Option<Self> {
        let (ours_median, peer_median) = (crate::median(ours)?, crate::median(peer)?);
        Some(Self {
            name: name.into(),
            unit: unit.into(),
            ours: ours_median,
            peer: peer_median,
            peer_name: peer_name.into(),
            ratio: ours_median / peer_median,
            runs: ours.len().min(peer.len()),
            ours_spread: crate::spread(ours)?,
            peer_spread: crate::spread(peer)?,
        })
    }
}

/// Result of `cargo xtask bench`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// Name of the group.
    pub group: String,
    /// Where the guests ran.
    pub mode: Mode,
    /// The comparisons.
    pub rows: Vec<Row>,
}

#[cfg(test)]
#[path = "results_test.rs"]
mod tests;
