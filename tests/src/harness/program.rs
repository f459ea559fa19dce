//! A program of a host whose lines are read as they come.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::Late;
use super::process::Process;

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    process: Process,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Program {
    /// Starts a program; what it says on standard error goes to the file `log`.
    ///
    /// # Errors
    /// Fails if the program or the log cannot be opened.
    pub fn start(name: &str, command: Command, log: &Path) -> Result<Self> {
        let (process, output) = Process::start_piped(name, command, log)?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens any more to a program that was dropped.
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            process,
            lines,
            said: Vec::new(),
        })
    }

    /// Waits for this line.
    ///
    /// # Errors
    /// Fails if the program ends before, or the line does not come within `limit`.
    pub fn wait_line(&mut self, limit: Duration, wanted: &str) -> Result<()> {
        let end = Instant::now() + limit;
        while let Some(line) = self.next(end)? {
            let found = line == wanted;
            self.said.push(line);
            if found {
                return Ok(());
            }
        }
        bail!("{} ended: {}", self.process.name(), self.said.join(" | "))
    }

    /// Waits for its end, which must be a success; gives its lines.
    ///
    /// # Errors
    /// Fails if it is none, or has not come within `limit`.
    pub fn finish(mut self, limit: Duration) -> Result<Vec<String>> {
        let end = Instant::now() + limit;
        while let Some(line) = self.next(end)? {
            self.said.push(line);
        }
        let status = self.process.wait(limit)?;
        let name = self.process.name();
        ensure!(
            status.success(),
            "{name} ended with {status}; its log says why"
        );
        Ok(self.said)
    }

    /// The next line; none if it has said all.
    fn next(&self, end: Instant) -> Result<Option<String>> {
        match self
            .lines
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                Err(Late(format!("{}: time is over", self.process.name())).into())
            }
        }
    }
}

#[cfg(test)]
#[path = "program_test.rs"]
mod tests;
