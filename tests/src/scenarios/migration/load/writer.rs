//! Memory of a guest that is written all the time.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::TERMINATE;
use crate::harness::{COMMAND_LIMIT, Guest, Task};

/// A program that writes in a guest.
#[derive(Debug)]
pub struct Writer(Task);

/// What it has found.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Written {
    /// Pages that were written.
    pub writes: u64,
    /// Pages that were not as it had left them.
    pub wrong: u64,
}

impl Writer {
    /// Starts it: so many MiB, and pages a second; no rate: as fast as it goes.
    pub fn start(guest: &mut Guest, mib: u32, rate: Option<u32>) -> Result<Self> {
        let rate = rate
            .map(|rate| format!("--rate {rate}"))
            .unwrap_or_default();
        let mut task = guest.spawn(&format!("dvs-load write --mib {mib} {rate}"))?;
        task.wait_line(COMMAND_LIMIT, |line| line.contains("writes").then_some(()))?;
        Ok(Self(task))
    }

    /// Ends it; it looks at all its pages once more.
    pub fn end(mut self) -> Result<Written> {
        self.0.signal(TERMINATE)?;
        let said = self.0.finish(COMMAND_LIMIT)?;
        let last = said.out.last().context("the writer told nothing")?;
        serde_json::from_str(last).with_context(|| said.tail())
    }
}
