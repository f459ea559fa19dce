//! What happens to the machine, for whoever watches: a line of JSON for each event, in the form of Cloud
//! Hypervisor's `--event-monitor`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

/// Where events are written to, if anywhere.
#[derive(Debug)]
pub struct Monitor {
    out: Option<File>,
    began: Instant,
}

impl Monitor {
    /// Nobody watches.
    pub fn none() -> Self {
        Self {
            out: None,
            began: Instant::now(),
        }
    }

    /// Appends events to a file, which is made if there is none, or writes them to a FIFO that somebody reads.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Nobody who reads slowly, or not at all, holds the machine up.
        let out = OpenOptions::new()
            .append(true)
            .create(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        Ok(Self {
            out: Some(out),
            ..Self::none()
        })
    }

    /// Whether anybody does.
    pub fn is_watched(&self) -> bool {
        self.out.is_some()
    }

    /// Something has happened. Times count from the start of the VMM.
    pub fn tell(&mut self, source: &str, event: &str, properties: Value) {
        let Some(out) = &mut self.out else {
            return;
        };
        let time = self.began.elapsed();
        let line = json!({
            "timestamp": {"secs": time.as_secs(), "nanos": time.subsec_nanos()},
            "source": source,
            "event": event,
            "properties": properties,
        });
        // One write for each line: what is short goes into a FIFO whole or not at all.
        if let Err(error) = out.write_all(format!("{line}\n").as_bytes()) {
            tracing::warn!(%error, event, "whoever watches the events does not get this one");
        }
    }
}

#[cfg(test)]
#[path = "monitor_test.rs"]
mod tests;
