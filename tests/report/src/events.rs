//! The event stream.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::{Figures, Row, Scene};

/// The end of a guest's serial log or of a program's output, shown when something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Whose log: `vm-1 serial`, `node`, …
    pub name: String,
    /// Its text.
    pub text: String,
}

/// One line of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Something happened that a person wants to see.
    Step {
        /// A sentence.
        text: String,
    },
    /// How far a piece of work is.
    Progress {
        /// What is counted, in the plural.
        what: String,
        /// Done so far.
        done: u64,
        /// Of how many.
        total: u64,
        /// Per second at the moment.
        per_second: f64,
    },
    /// What there is to be seen, now and then.
    Scene(Scene),
    /// The figures of a demonstration.
    Demo(Figures),
    /// A test is about to run.
    TestStarted {
        /// Its name.
        name: String,
    },
    /// A test has ended.
    Test {
        /// Its name.
        name: String,
        /// Whether it passed.
        passed: bool,
        /// How long it took.
        seconds: f64,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// It failed since something did not happen in time.
        #[serde(default)]
        late: bool,
    },
    /// A row of a benchmark is complete.
    Row(Row),
    /// What guests and hosts had logged when something failed.
    Logs {
        /// The logs.
        logs: Vec<Log>,
    },
    /// The work could not be done.
    Failed {
        /// Why, as a sentence.
        message: String,
    },
    /// The last event of an emulated machine: how its job ended.
    Exit {
        /// Exit status of the job.
        code: i32,
    },
}

impl Event {
    /// Reads an event from a line; `None` if the line is none.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// Writes the event as one line and flushes.
    ///
    /// # Errors
    /// Fails when the writer does.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut line = serde_json::to_string(self)?;
        line.push('\n');
        out.write_all(line.as_bytes())?;
        out.flush()
    }
}

#[cfg(test)]
#[path = "events_test.rs"]
mod tests;
