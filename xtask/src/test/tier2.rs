//! Tier 2: real Linux guests.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use dvs_report::{Event, Mode};

use super::Request;
use super::tally::Tally;
use crate::child::Interrupt;
use crate::runner::{Runner, SILENCE, Work, restarted};
use crate::view::View;
use crate::workspace::Workspace;

/// All scenarios together may take this long.
const LIMIT: Duration = Duration::from_secs(3600);
/// With those that take long.
const LONG_LIMIT: Duration = Duration::from_secs(4 * 3600);
/// One of those tells nothing for this long.
const LONG_SILENCE: Duration = Duration::from_secs(1200);

/// Runs the tests that are wanted.
pub fn run(workspace: &Workspace, interrupt: &Interrupt, wanted: &Request, tally: &mut Tally) {
    let started = Instant::now();
    if let Err(error) = run_all(workspace, interrupt, wanted, tally) {
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
    wanted: &Request,
    tally: &mut Tally,
) -> Result<()> {
    let runner = Runner::prepare(workspace, interrupt)?;
    let mut tests = Tests {
        view: View::new(),
        tally,
        done: Vec::new(),
        current: None,
        late: Vec::new(),
        second_time: runner.mode() == Mode::Native,
        long: wanted.long,
    };
    tests.run_to_end(&runner, &wanted.names)?;
    let late = std::mem::take(&mut tests.late);
    tests.done.retain(|name| !late.contains(name));
    tests.second_time = true;
    if late.is_empty() {
        return Ok(());
    }
    tests
        .view
        .line("once more, in a new machine: what did not come in time");
    tests.run_to_end(&runner, &late)
}

/// The tests, and how far they are.
struct Tests<'a> {
    view: View,
    tally: &'a mut Tally,
    /// Names of those that have passed or failed.
    done: Vec<String>,
    current: Option<String>,
    /// Names of those in which something did not happen in time.
    late: Vec<String>,
    /// Whether that is a failure by now. In an emulated machine an interrupt is lost now and then,
    /// and a guest waits for as long as nothing else comes. So what is late gets one more try, which
    /// is shown. A wrong result is a failure at once.
    second_time: bool,
    /// Whether those that take long are wanted too.
    long: bool,
}

impl Tests<'_> {
    /// Runs those of these names, or all, also in a new machine if the emulation stops. It may stop
    /// again and again, as long as there is something done in between.
    fn run_to_end(&mut self, runner: &Runner<'_>, names: &[String]) -> Result<()> {
        let (mut restarts, mut done) = (0, self.done.len());
        loop {
            let ended = self.run(runner, names);
            if self.done.len() > done {
                (restarts, done) = (0, self.done.len());
            }
            match ended {
                Err(error) if runner.may_restart(&error, restarts) => {
                    restarts += 1;
                    self.view.show(&restarted(&error));
                }
                ended => return ended,
            }
        }
    }

    /// Runs those of these names, or all, that are not done yet.
    fn run(&mut self, runner: &Runner<'_>, names: &[String]) -> Result<()> {
        let mut arguments = vec!["test".to_owned()];
        arguments.extend(self.done.iter().map(|name| format!("--done={name}")));
        arguments.extend(self.long.then(|| "--long".to_owned()));
        arguments.extend_from_slice(names);
        let (limit, silence) = if self.long {
            (LONG_LIMIT, LONG_SILENCE)
        } else {
            (LIMIT, SILENCE)
        };
        let work = Work {
            arguments,
            peers: false,
            limit,
            silence,
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
                late,
            } => {
                self.current = None;
                let failure = (!passed).then(|| message.unwrap_or_default());
                self.done.push(name.clone());
                match failure {
                    Some(message) if late && !self.second_time => {
                        println!("LATE    {name} ({seconds:.1} s): {message}");
                        self.late.push(name);
                    }
                    failure => self.tally.one(&name, seconds, failure.as_deref()),
                }
            }
            _ => {}
        }
    }
}
