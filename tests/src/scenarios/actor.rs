//! A process in a guest that makes calls when it is told to.

use anyhow::{Context, Result, ensure};

use crate::harness::{COMMAND_LIMIT, Guest, Output, Task};

/// What opens a gate: SIGUSR1.
const OPEN: i32 = 10;
/// What interrupts a call: SIGSTOP, and SIGCONT after it.
const INTERRUPT: [i32; 2] = [19, 18];

/// `dvs-act` under way.
#[derive(Debug)]
pub struct Actor {
    name: String,
    ep: i32,
    task: Task,
}

impl Actor {
    /// Has a process bind this endpoint and begin with its steps.
    pub fn start(guest: &mut Guest, ep: i32, steps: &str) -> Result<Self> {
        let mut actor = Self::spawn(guest, ep, steps)?;
        actor.begun()?;
        Ok(actor)
    }

    /// The same of one that is being moved, by this token: it begins when it is let go.
    pub fn adopt(guest: &mut Guest, ep: i32, token: &str, steps: &str) -> Result<Self> {
        Self::spawn(guest, ep, &format!("--adopt {token} {steps}"))
    }

    fn spawn(guest: &mut Guest, ep: i32, steps: &str) -> Result<Self> {
        let task = guest.spawn(&format!("dvs-act --ep {ep} {steps}"))?;
        let name = format!("endpoint {ep}");
        Ok(Self { name, ep, task })
    }

    /// It has its endpoint.
    pub fn begun(&mut self) -> Result<()> {
        self.expect(&format!("bound {}", self.ep))
    }

    /// Waits for its next line, which must be this.
    pub fn expect(&mut self, wanted: &str) -> Result<()> {
        let line = self.next()?;
        ensure!(
            line == wanted,
            "{}: \"{line}\" instead of \"{wanted}\"",
            self.name
        );
        Ok(())
    }

    /// Waits for these lines, in this order.
    pub fn expect_all(&mut self, wanted: &[&str]) -> Result<()> {
        wanted.iter().try_for_each(|line| self.expect(line))
    }

    /// What it tells after this beginning of its next line.
    pub fn told(&mut self, begin: &str) -> Result<String> {
        let line = self.next()?;
        let rest = line.strip_prefix(begin).map(str::to_owned);
        rest.with_context(|| format!("{}: \"{line}\" instead of \"{begin}\"", self.name))
    }

    /// Its next line, whatever it is.
    pub fn next(&mut self) -> Result<String> {
        self.task
            .wait_line(COMMAND_LIMIT, |line| Some(line.to_owned()))
            .with_context(|| self.name.clone())
    }

    /// Its call has not ended.
    pub fn waits(&mut self) -> Result<()> {
        let heard = self.task.heard();
        ensure!(heard.is_empty(), "{}: too early: {heard:?}", self.name);
        Ok(())
    }

    /// Opens the gate at which it is.
    pub fn open(&mut self) -> Result<()> {
        self.expect("at the gate")?;
        self.task.signal(OPEN)?;
        self.expect("gate: open")
    }

    /// Interrupts its call.
    pub fn interrupt(&mut self) -> Result<()> {
        INTERRUPT
            .iter()
            .try_for_each(|signal| self.task.signal(*signal))
    }

    /// Waits for its end: it has nothing more to tell.
    pub fn end(mut self) -> Result<()> {
        self.waits()?;
        let end = self.task.finish(COMMAND_LIMIT).and_then(Output::success);
        end.map(drop).with_context(|| self.name)
    }
}
