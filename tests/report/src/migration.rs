//! Results of moves between hosts.

use serde::{Deserialize, Serialize};

use crate::Mode;

/// The parts of a downtime, one after the other, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DowntimeParts {
    /// Stopping the CPUs.
    pub pause_ms: f64,
    /// Stopping the devices and having all buffers back.
    pub drain_ms: f64,
    /// The last round of pages.
    pub last_pass_ms: f64,
    /// Saving, sending and loading the rest of the state.
    pub state_ms: f64,
    /// The directory's transaction.
    pub commit_ms: f64,
    /// Starting clock, devices and CPUs.
    pub resume_ms: f64,
}

/// One move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Migration {
    /// The host that the VM has left.
    pub from: u8,
    /// The host that it has gone to.
    pub to: u8,
    /// From the beginning to the end.
    pub total_ms: f64,
    /// For how long the VM stood still.
    pub downtime_ms: f64,
    /// What that was spent on.
    pub downtime_parts: DowntimeParts,
    /// Rounds of pages, the last one included.
    pub rounds: u32,
    /// Pages sent with their contents, each as often as it was sent.
    pub data_pages: u64,
    /// Pages sent as markers.
    pub zero_pages: u64,
    /// Bytes that went over the wire.
    pub transferred_bytes: u64,
    /// Percent of their time that the CPUs have lost at last so that the guest wrote less.
    pub throttle_percent: u8,
    /// The longest call of any client meanwhile.
    pub longest_stall_ms: f64,
}

/// What one client has seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientFigures {
    /// Where it ran, and what it did.
    pub name: String,
    /// Calls, or copies.
    pub calls: u64,
    /// The longest while nothing moved.
    pub longest_calm_ms: f64,
    /// The longest while something moved.
    pub longest_moving_ms: f64,
}

/// Result of a demonstration or a test of moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MigrationReport {
    /// Name of the scenario.
    pub scenario: String,
    /// Where the guests ran.
    pub mode: Mode,
    /// The moves, one after the other.
    pub migrations: Vec<Migration>,
    /// The clients.
    pub clients: Vec<ClientFigures>,
    /// Round trips completed, counted by the clients.
    pub rpcs: u64,
    /// Copies there and back.
    pub copies: u64,
    /// Pages that the server has written, each as often as it was written.
    pub pages_written: u64,
    /// Messages sent that the server never saw.
    pub lost: u64,
    /// Messages that the server saw more than once.
    pub duplicated: u64,
    /// Messages that came in another order than sent.
    pub out_of_order: u64,
    /// Calls and copies that failed, and contents that were wrong, of pages too.
    pub errors: u64,
    /// The longest call of any client while something moved.
    pub max_stall_ms: f64,
    /// Release of the guests' kernel.
    pub guest_kernel: String,
    /// The whole scenario, boots included.
    pub seconds: f64,
    /// The file with the picture of the clients' latencies, beside the scenario's logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
}

impl MigrationReport {
    /// Whether everything came once, in order and whole.
    #[must_use]
    pub fn whole(&self) -> bool {
        self.lost + self.duplicated + self.out_of_order + self.errors == 0
    }

    /// Adds what a further round of the same scenario has come to.
    pub fn add(&mut self, round: MigrationReport) {
        self.migrations.extend(round.migrations);
        for (client, more) in self.clients.iter_mut().zip(round.clients) {
            client.calls += more.calls;
            client.longest_calm_ms = client.longest_calm_ms.max(more.longest_calm_ms);
            client.longest_moving_ms = client.longest_moving_ms.max(more.longest_moving_ms);
        }
        self.rpcs += round.rpcs;
        self.copies += round.copies;
        self.pages_written += round.pages_written;
        self.lost += round.lost;
        self.duplicated += round.duplicated;
        self.out_of_order += round.out_of_order;
        self.errors += round.errors;
        self.max_stall_ms = self.max_stall_ms.max(round.max_stall_ms);
        self.seconds += round.seconds;
    }
}

/// What there is to be seen at the moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// Hosts, and the VMs on each.
    pub hosts: Vec<(String, Vec<String>)>,
    /// Clients, and their calls a second.
    pub clients: Vec<(String, f64)>,
    /// The move under way, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
}

/// How far a move is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moving {
    /// The host that the VM leaves.
    pub from: u8,
    /// The host that it goes to.
    pub to: u8,
    /// What happens now: "precopy", "commit", …
    pub state: String,
    /// Number of the round.
    pub round: u32,
    /// Bytes that were sent.
    pub transferred_bytes: u64,
    /// Bytes that are yet to be sent, as far as is known.
    pub remaining_bytes: u64,
    /// Pages that the guest writes a second.
    pub dirty_pages_per_s: u64,
    /// Percent of their time that the CPUs lose.
    pub throttle_percent: u8,
}

#[cfg(test)]
#[path = "migration_test.rs"]
mod tests;
