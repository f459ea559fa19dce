//! What runs while a guest moves: memory that is written, a server, and a client that watches.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::super::{LIMIT, end, listen};
use crate::harness::{COMMAND_LIMIT, Guest, Task};
use crate::scenarios::migration::load::{TERMINATE, USUAL, Writer};
use crate::scenarios::timeline::{Timeline, Told};

/// How long clients are watched before anything moves.
const CALM: Duration = Duration::from_secs(4);
/// After the move calls that were delayed end; they belong to it.
const AFTERMATH: Duration = Duration::from_secs(1);
/// What a move took, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Moved {
    pub downtime: f64,
    pub total: f64,
}

/// What clients have seen of a move.
#[derive(Debug)]
pub struct Seen {
    pub moved: Moved,
    /// The client of the guest that has moved.
    pub client: Timeline,
    /// When it moved.
    pub time: (Instant, Instant),
    /// When nothing moved.
    pub calm: (Instant, Instant),
}

impl Seen {
    /// By how much the longest call was longer than the downtime and the longest call of the time
    /// when nothing moved, in milliseconds.
    pub fn excess(&self) -> f64 {
        let (from, until) = (self.time.0, self.time.1 + AFTERMATH);
        let usual = self.client.longest_outside(&[(from, until)]);
        self.client.longest(from, until) - self.moved.downtime - usual
    }
}

/// A client that calls at a pace until it is ended.
pub struct Watch {
    task: Task,
    started: Instant,
}

impl Watch {
    /// Starts it; `call` is address and options.
    pub fn start(guest: &mut Guest, call: &str) -> Result<Self> {
        let mut task = guest.spawn(&format!("pingpong watch {call}"))?;
        task.wait_line(COMMAND_LIMIT, |line| line.contains("started").then_some(()))?;
        let started = Instant::now();
        Ok(Self { task, started })
    }

    /// Ends it.
    pub fn end(mut self) -> Result<Timeline> {
        #[derive(Deserialize)]
        struct Line {
            timeline: Told,
        }
        self.task.signal(TERMINATE)?;
        // A call that was delayed by much is repeated late.
        let said = self.task.finish(LIMIT)?;
        let last = said.out.last().context("the client told nothing")?;
        let line: Line = serde_json::from_str(last).with_context(|| said.tail())?;
        Ok(Timeline::new(self.started, line.timeline))
    }
}

/// Has a guest moved while it serves and writes, and `calling` calls it at `address`.
pub fn under_load(
    (serving, calling): (&mut Guest, &mut Guest),
    address: &str,
    moves: impl FnOnce(&mut Guest) -> Result<Moved>,
) -> Result<Seen> {
    let writer = Writer::start(serving, USUAL.mib, USUAL.pages_per_second)?;
    let server = listen(serving, &format!("server {address}"))?;
    let watch = Watch::start(calling, address)?;
    let started = Instant::now();
    thread::sleep(CALM);
    let begin = Instant::now();
    let moved = moves(serving)?;
    let time = (begin, Instant::now());
    thread::sleep(AFTERMATH);
    let client = watch.end()?;
    end(server)?;
    let written = writer.end()?;
    ensure!(
        written.wrong == 0,
        "pages of the guest are wrong: {written:?}"
    );
    Ok(Seen {
        moved,
        client,
        time,
        calm: (started, begin),
    })
}
