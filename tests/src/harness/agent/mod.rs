//! Commands in a guest, by the agent on its second serial line.
//!
//! The protocol is described with the agent, in `guest-driver/tools/agent`.

use std::collections::HashMap;
mod line;

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::line::{Line, Reading, held};
use super::Late;
use super::socket::connect;

/// A command line that the guest's terminal takes in one piece.
const MAX_COMMAND: usize = 2000;

/// What the agent said of one command.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Out(String),
    Err(String),
    Exit(i32),
}

type Listeners = Arc<Mutex<HashMap<u32, Sender<Said>>>>;

/// The line to a guest's agent.
#[derive(Debug)]
pub struct Agent {
    line: Line,
    /// Where the guest is heard when it has moved.
    elsewhere: Option<UnixStream>,
    listeners: Listeners,
    ready: Receiver<String>,
    last_id: u32,
}

impl Agent {
    /// Connects to the socket of the guest's second serial line, waiting for it to appear.
    pub fn connect(socket: &Path, limit: Duration) -> Result<Self> {
        let (line, reading) = Line::new(connect(socket, limit)?)?;
        let listeners = Listeners::default();
        let (sender, ready) = channel();
        let heard = listeners.clone();
        thread::spawn(move || listen(reading, &heard, &sender));
        Ok(Self {
            line,
            elsewhere: None,
            listeners,
            ready,
            last_id: 0,
        })
    }

    /// The guest is about to move: where its line ends, it goes on elsewhere.
    pub fn announce_move(&self) {
        self.line.announce();
    }

    /// Connects to where the guest goes. What it says there is heard after all that it says here.
    pub fn follow(&mut self, socket: &Path, limit: Duration) -> Result<()> {
        let there = connect(socket, limit)?;
        self.line.go_on(there.try_clone()?);
        self.elsewhere = Some(there);
        Ok(())
    }

    /// The guest has moved: it is talked to at its new place.
    pub fn moved(&mut self) {
        if let Some(there) = self.elsewhere.take() {
            self.line.send_to(there);
        }
    }

    /// The guest has not moved.
    pub fn stays(&mut self) {
        self.line.stay();
        self.elsewhere = None;
    }

    /// Waits until the guest is up; gives its kernel's release.
    pub fn wait_ready(&self, limit: Duration) -> Result<String> {
        match self.ready.recv_timeout(limit) {
            Ok(release) => Ok(release),
            Err(RecvTimeoutError::Timeout) => {
                let text = format!("its agent is not up after {} s", limit.as_secs());
                Err(Late(text).into())
            }
            Err(RecvTimeoutError::Disconnected) => bail!("its serial line was closed"),
        }
    }

    /// Starts a command.
    pub fn start(&mut self, command: &str) -> Result<Task> {
        if command.len() > MAX_COMMAND || command.contains('\n') {
            bail!("a command for a guest is one line of at most {MAX_COMMAND} bytes");
        }
        self.last_id += 1;
        let id = self.last_id;
        let (sender, said) = channel();
        held(&self.listeners).insert(id, sender);
        let line = self.line.clone();
        let task = Task {
            id,
            line,
            said,
            output: Output::default(),
            ended: None,
            name: command.to_owned(),
        };
        task.tell(&format!("r {id} {command}"))?;
        Ok(task)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Ends the listening thread.
        self.line.close();
    }
}

/// What a command said, and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Lines of standard output.
    pub out: Vec<String>,
    /// Lines of standard error.
    pub err: Vec<String>,
    /// Exit status; 128 + signal if a signal ended it.
    pub code: i32,
}

/// A command under way in a guest.
#[derive(Debug)]
pub struct Task {
    id: u32,
    name: String,
    line: Line,
    said: Receiver<Said>,
    output: Output,
    /// How it has ended, if that was heard and nobody waited for it.
    ended: Option<i32>,
}

impl Task {
    /// Waits for a line, of standard output or error, that `wanted` accepts; gives what it made of it.
    ///
    /// # Errors
    /// Fails if the command or the guest ends before, or nothing comes within `limit`.
    pub fn wait_line<T>(
        &mut self,
        limit: Duration,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let end = Instant::now() + limit;
        loop {
            let (text, lines) = match self.next(end)? {
                Said::Out(text) => (text, &mut self.output.out),
                Said::Err(text) => (text, &mut self.output.err),
                Said::Exit(code) => {
                    bail!("{} ended with {code}: {}", self.name, self.output.tail())
                }
            };
            let found = wanted(&text);
            lines.push(text);
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }

    /// The lines that have come since somebody listened last, without waiting for any.
    pub fn heard(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        while let Ok(said) = self.said.try_recv() {
            let (text, lines) = match said {
                Said::Out(text) => (text, &mut self.output.out),
                Said::Err(text) => (text, &mut self.output.err),
                Said::Exit(code) => {
                    self.ended = Some(code);
                    break;
                }
            };
            heard.push(text.clone());
            lines.push(text);
        }
        heard
    }

    /// Waits for the end of the command; gives all it said.
    ///
    /// # Errors
    /// Fails if the guest ends before, or the command has not ended within `limit`.
    pub fn finish(mut self, limit: Duration) -> Result<Output> {
        let end = Instant::now() + limit;
        loop {
            match self.next(end)? {
                Said::Out(text) => self.output.out.push(text),
                Said::Err(text) => self.output.err.push(text),
                Said::Exit(code) => {
                    return Ok(Output {
                        code,
                        ..std::mem::take(&mut self.output)
                    });
                }
            }
        }
    }

    /// Sends a signal to all processes of the command.
    ///
    /// # Errors
    /// Fails if the guest's line is closed.
    pub fn signal(&mut self, signal: i32) -> Result<()> {
        self.tell(&format!("k {} {signal}", self.id))
    }

    fn next(&mut self, end: Instant) -> Result<Said> {
        if let Some(code) = self.ended.take() {
            return Ok(Said::Exit(code));
        }
        match self
            .said
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            Ok(said) => Ok(said),
            Err(RecvTimeoutError::Timeout) => {
                let text = format!("{}: time is over; so far {}", self.name, self.output.tail());
                Err(Late(text).into())
            }
            Err(RecvTimeoutError::Disconnected) => bail!(
                "{}: the guest has gone, or has begun anew; so far {}",
                self.name,
                self.output.tail()
            ),
        }
    }

    fn tell(&self, text: &str) -> Result<()> {
        self.line
            .send(text)
            .with_context(|| format!("{}: the guest has gone", self.name))
    }
}

impl Output {
    /// The last lines, for messages.
    #[must_use]
    pub fn tail(&self) -> String {
        let lines: Vec<&str> = self
            .out
            .iter()
            .chain(&self.err)
            .map(String::as_str)
            .collect();
        lines
            .get(lines.len().saturating_sub(5)..)
            .unwrap_or_default()
            .join(" | ")
    }

    /// The output of a command that has to succeed.
    ///
    /// # Errors
    /// Fails with its words if it did not.
    pub fn success(self) -> Result<Self> {
        if self.code != 0 {
            bail!("exit status {}: {}", self.code, self.tail());
        }
        Ok(self)
    }
}

fn listen(line: Reading, listeners: &Listeners, ready: &Sender<String>) {
    let mut began = false;
    for text in BufReader::new(line).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&text);
        let text = text.trim_end_matches('\r');
        if let Some(release) = text.strip_prefix("! ") {
            // What ran in a former life of the guest never ends: whoever waits for it is told.
            if std::mem::replace(&mut began, true) {
                held(listeners).clear();
            }
            ready.send(release.to_owned()).ok();
        } else if let Some((id, said)) = parse(text) {
            let mut listeners = held(listeners);
            let ended = matches!(said, Said::Exit(_));
            // Nobody listens any more to a task that was dropped.
            let gone = listeners
                .get(&id)
                .is_some_and(|listener| listener.send(said).is_err());
            if ended || gone {
                listeners.remove(&id);
            }
        }
    }
    held(listeners).clear();
}

fn parse(text: &str) -> Option<(u32, Said)> {
    let mut words = text.splitn(3, ' ');
    let id = words.next()?.parse().ok()?;
    let kind = words.next()?;
    let rest = words.next()?.to_owned();
    match kind {
        "o" => Some((id, Said::Out(rest))),
        "e" => Some((id, Said::Err(rest))),
        "x" => Some((id, Said::Exit(rest.parse().ok()?))),
        _ => None,
    }
}

#[cfg(test)]
#[path = "agent_test.rs"]
mod tests;
