//! A client with numbered calls, sends and notifications.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{TERMINATE, started};
use crate::harness::{COMMAND_LIMIT, Guest, Task};
use crate::scenarios::ping::{self, RUN_LIMIT, Report};
use crate::scenarios::timeline::{Timeline, Told};

/// More calls than anybody waits for; of ten calls three come with a send, one with a notification.
const ENDLESS: &str = "--count 10000000 --sends 3000000 --notifies 1000000";
/// A client that has said nothing for this long makes no calls.
const SILENT: Duration = Duration::from_millis(2500);

/// A client under way.
#[derive(Debug)]
pub struct Caller {
    /// Where it runs.
    pub guest: String,
    task: Task,
    started: Instant,
    told: (Instant, f64),
}

/// What it has seen.
#[derive(Debug)]
pub struct Called {
    pub guest: String,
    pub report: Report,
    pub timeline: Timeline,
}

impl Caller {
    /// Starts the client with this number, which calls so often a second.
    pub fn start(guest: &mut Guest, number: i32, rate: u32) -> Result<Self> {
        let options = format!("{ENDLESS} --rate {rate} --timeout-ms 120000 --timeline");
        let mut task = guest.spawn(&ping::client_line(number, &options))?;
        task.wait_line(COMMAND_LIMIT, started)?;
        let now = Instant::now();
        Ok(Self {
            guest: guest.name().to_owned(),
            task,
            started: now,
            told: (now, 0.0),
        })
    }

    /// Calls a second at the moment, as it tells.
    pub fn rate(&mut self) -> f64 {
        let now = Instant::now();
        for line in self.task.heard() {
            if let Some((_, rate)) = ping::progress_of(&line) {
                self.told = (now, rate);
            }
        }
        let (when, rate) = self.told;
        if now.duration_since(when) < SILENT {
            rate
        } else {
            0.0
        }
    }

    /// Waits until it has made calls from now on.
    pub fn wait_calls(&mut self) -> Result<()> {
        self.task.heard();
        // The first line may count calls that were made before.
        ping::wait_calls(&mut self.task)?;
        ping::wait_calls(&mut self.task)
    }

    /// Ends it.
    pub fn end(mut self) -> Result<Called> {
        #[derive(Deserialize)]
        struct Line {
            timeline: Told,
        }
        self.task.signal(TERMINATE)?;
        let said = self.task.finish(RUN_LIMIT)?;
        let report = ping::report(&said)?;
        let last = said.out.last().context("the client told nothing")?;
        let Line { timeline } = serde_json::from_str(last)?;
        Ok(Called {
            guest: self.guest,
            report,
            timeline: Timeline::new(self.started, timeline),
        })
    }
}
