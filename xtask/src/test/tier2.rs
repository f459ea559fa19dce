//! Tier 2: real Linux guests.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use dvs_report::Event;

use super::tally::Tally;
use crate::child::Interrupt;
use crate::runner::{Runner, Work};
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
    let mut arguments = vec!["test".to_owned()];
    arguments.extend_from_slice(names);
    let work = Work {
        arguments,
        peers: false,
        limit: LIMIT,
    };
    let mut view = View::new();
    let mut current = None;
    let succeeded = runner.run(&work, &mut |event| {
        view.show(&event);
        match event {
            Event::TestStarted { name } => current = Some(name),
            Event::Test {
                name,
                passed,
                seconds,
                message,
            } => {
                current = None;
                let message = if passed {
                    None
                } else {
                    Some(message.unwrap_or_default())
                };
                tally.one(&name, seconds, message.as_deref());
            }
            _ => {}
        }
    });
    if let Some(message) = view.failure() {
        bail!("{message}");
    }
    match (succeeded, current) {
        (Ok(_), None) => Ok(()),
        (Ok(_), Some(name)) => bail!("ended in the middle of {name}"),
        (Err(error), Some(name)) => Err(error.context(name)),
        (Err(error), None) => Err(error),
    }
}
