//! A client that copies to the memory of a guest and back, and looks at what comes.

use std::time::Instant;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{TERMINATE, started};
use crate::harness::{COMMAND_LIMIT, Guest, Task};
use crate::scenarios::ping::RUN_LIMIT;
use crate::scenarios::timeline::{Timeline, Told};

/// Endpoints of the process that lends and the one that copies.
const LENDER: i32 = 26;
const COPIER: i32 = 27;
/// Pairs of copies a second.
const RATE: u32 = 10;

/// Both processes.
#[derive(Debug)]
pub struct Copier {
    _lender: Task,
    task: Task,
    started: Instant,
}

/// What came of the copies.
#[derive(Debug)]
pub struct Copied {
    /// Copies there and back.
    pub copies: u64,
    /// Those that failed or brought something else back.
    pub errors: u64,
    pub timeline: Timeline,
}

impl Copier {
    /// Starts both.
    pub fn start(lending: &mut Guest, copying: &mut Guest) -> Result<Self> {
        let mut lender = lending.spawn(&format!("dvs-load lend --ep {LENDER}"))?;
        let is_key = |line: &str| line.contains(',').then(|| line.to_owned());
        let key = lender.wait_line(COMMAND_LIMIT, is_key)?;
        let line = format!("dvs-load copy {key} --ep {COPIER} --rate {RATE}");
        let mut task = copying.spawn(&line)?;
        task.wait_line(COMMAND_LIMIT, started)?;
        Ok(Self {
            _lender: lender,
            task,
            started: Instant::now(),
        })
    }

    /// Ends them.
    pub fn end(mut self) -> Result<Copied> {
        #[derive(Deserialize)]
        struct Report {
            copies: u64,
            wrong: u64,
            errors: u64,
            timeline: Told,
        }
        self.task.signal(TERMINATE)?;
        let said = self.task.finish(RUN_LIMIT)?;
        let last = said.out.last().context("the copier told nothing")?;
        let report: Report = serde_json::from_str(last).with_context(|| said.tail())?;
        Ok(Copied {
            copies: report.copies,
            errors: report.wrong + report.errors,
            timeline: Timeline::new(self.started, report.timeline),
        })
    }
}
