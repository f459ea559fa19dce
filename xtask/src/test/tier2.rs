//! Tier 2: real Linux guests.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use dvs_report::Event;

use super::tally::Tally;
use crate::child::Interrupt;
use crate::runner::{RESTARTS, Runner, Work, is_stuck, restarted};
use crate::view::View;
use crate::workspace::Workspace;

/// All scenarios together may take this long.
const LIMIT: Duration = Duration::from_secs(2400);

/// Runs the tests of these names, or all.
pub fn run(workspace: &Workspace, interrupt: &Interrupt, names: &[String], tally: &mut Tally) {
    let started = Instant::now();
    if let Err(error) = run_all(workspace, interrupt, names, tally) {
        tally.one(
            "tier 2",
            started.elapsed().as_secs_f64(),
            Some(&format!("{error:#}")),
        );
    }
}

fn run_all(
    workspace: &Workspace,
    interrupt: &Interrupt,
    names: &[String],
    tally: &mut Tally,
) -> Result<()> {
    let runner = Runner::prepare(workspace, interrupt)?;
    let mut tests = Tests {
        view: View::new(),
        tally,
        done: Vec::new(),
        current: None,
    };
    let mut restarts = 0;
    loop {
        match tests.run(&runner, names) {
            Err(error) if is_stuck(&error) && restarts < RESTARTS => {
                restarts += 1;
                tests.view.show(&restarted(&error));
            }
            ended => return ended,
        }
    }
}

/// The tests, and how far they are.
struct Tests<'a> {
    view: View,
    tally: &'a mut Tally,
    /// Names of those that have passed or failed.
    done: Vec<String>,
    current: Option<String>,
}

impl Tests<'_> {
    /// Runs those of these names, or all, that are not done yet.
    fn run(&mut self, runner: &Runner<'_>, names: &[String]) -> Result<()> {
        let mut arguments = vec!["test".to_owned()];
        arguments.extend(self.done.iter().map(|name| format!("--done={name}")));
        arguments.extend_from_slice(names);
        let work = Work {
            arguments,
            peers: false,
            limit: LIMIT,
        };
        self.current = None;
        let ended = runner.run(&work, &mut |event| self.event(event));
        if let Some(message) = self.view.failure() {
            bail!("{message}");
        }
        match (ended, self.current.take()) {
            (Ok(_), None) => Ok(()),
            (Ok(_), Some(name)) => bail!("ended in the middle of {name}"),
            (Err(error), Some(name)) => Err(error.context(name)),
            (Err(error), None) => Err(error),
        }
    }

    fn event(&mut self, event: Event) {
        self.view.show(&event);
        match event {
            Event::TestStarted { name } => self.current = Some(name),
            Event::Test {
                name,
                passed,
                seconds,
                message,
            } => {
                self.current = None;
                let failure = (!passed).then(|| message.unwrap_or_default());
                self.tally.one(&name, seconds, failure.as_deref());
                self.done.push(name);
            }
            _ => {}
        }
    }
}
