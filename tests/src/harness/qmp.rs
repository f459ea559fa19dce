//! QEMU's monitor, and moves of its guests.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use super::guest::Vmm;
use super::socket::connect;
use super::{COMMAND_LIMIT, Guest, GuestSpec, Lab};

/// As much as QEMU takes: in effect no limit.
const NO_LIMIT: u64 = 1 << 40;

/// A connection to the monitor. It is asked and answers, and tells events in between.
#[derive(Debug)]
struct Monitor {
    lines: BufReader<UnixStream>,
}

impl Monitor {
    fn connect(socket: &Path) -> Result<Self> {
        let mut monitor = Self {
            lines: BufReader::new(connect(socket, COMMAND_LIMIT)?),
        };
        // The greeting.
        monitor.next(COMMAND_LIMIT)?;
        monitor.ask("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    fn next(&mut self, limit: Duration) -> Result<Value> {
        // A limit of nothing would be none.
        let limit = limit.max(Duration::from_millis(1));
        self.lines.get_ref().set_read_timeout(Some(limit))?;
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            bail!("QEMU has gone");
        }
        Ok(serde_json::from_str(&line)?)
    }

    fn ask(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let line = json!({"execute": command, "arguments": arguments});
        writeln!(self.lines.get_mut(), "{line}")?;
        loop {
            let said = self.next(COMMAND_LIMIT)?;
            if let Some(answer) = said.get("return") {
                return Ok(answer.clone());
            }
            if let Some(error) = said.get("error") {
                bail!("{command}: {error}");
            }
        }
    }

    /// Waits until a migration has come to an end.
    fn wait_migrated(&mut self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            let said = self.next(end.saturating_duration_since(Instant::now()))?;
            if said["event"] == "MIGRATION" {
                match said["data"]["status"].as_str() {
                    Some("completed") => return Ok(()),
                    Some("failed" | "cancelled") => bail!("QEMU's migration has failed"),
                    _ => {}
                }
            }
        }
    }

    /// What a migration that is over took. QEMU says that it is over a moment before it knows, and
    /// tells zeros until then.
    fn figures(&mut self) -> Result<QemuMigration> {
        let end = Instant::now() + COMMAND_LIMIT;
        loop {
            let answer = self.ask("query-migrate", &json!({}))?;
            let figures: QemuMigration = serde_json::from_value(answer)?;
            if figures.total_time > 0.0 || Instant::now() >= end {
                return Ok(figures);
            }
        }
    }
}

/// What QEMU tells of a migration; times in milliseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct QemuMigration {
    /// From the beginning to the end.
    pub total_time: f64,
    /// For how long the guest stood still.
    pub downtime: f64,
    /// Its memory.
    pub ram: QemuMemory,
}

/// What was sent.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct QemuMemory {
    /// Bytes on the wire.
    pub transferred: u64,
    /// Rounds.
    pub dirty_sync_count: u64,
}

impl Guest {
    /// Moves a guest of QEMU to a machine that is started for it; `to` says where. No limit on
    /// bandwidth, this one on the downtime.
    ///
    /// # Errors
    /// Fails if the guest does not arrive within `limit`.
    pub fn move_on_qemu(
        &mut self,
        lab: &Lab,
        to: &GuestSpec,
        downtime_ms: u64,
        limit: Duration,
    ) -> Result<QemuMigration> {
        let address = to.incoming.as_ref().context("nobody is to receive")?;
        let name = self.next_name();
        let there = Vmm::start(lab, to, &name)?;
        self.agent.announce_move();
        self.agent.follow(&there.agent, COMMAND_LIMIT)?;
        // It answers when it is ready for the guest.
        Monitor::connect(&there.api)?;
        let mut monitor = Monitor::connect(&self.api)?;
        let events = json!([{"capability": "events", "state": true}]);
        monitor.ask("migrate-set-capabilities", &json!({"capabilities": events}))?;
        let limits = json!({"max-bandwidth": NO_LIMIT, "downtime-limit": downtime_ms});
        monitor.ask("migrate-set-parameters", &limits)?;
        monitor.ask("migrate", &json!({"uri": address}))?;
        monitor.wait_migrated(limit)?;
        let figures = monitor.figures()?;
        monitor.ask("quit", &json!({}))?;
        self.moved_to(there).wait(COMMAND_LIMIT)?;
        Ok(figures)
    }
}
