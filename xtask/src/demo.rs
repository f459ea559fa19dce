//! `cargo xtask demo`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use dvs_report::{Event, Figures};

use crate::child::Interrupt;
use crate::runner::{Runner, SILENCE, Work};
use crate::summary;
use crate::view::View;
use crate::workspace::Workspace;

/// A demonstration may take this long; one of a hundred moves is the longest.
const LIMIT: Duration = Duration::from_secs(3600);

/// Runs the scenario, shows it, and prints its figures.
pub fn run(
    workspace: &Workspace,
    interrupt: &Interrupt,
    scenario: &str,
    json: bool,
) -> Result<ExitCode> {
    let started = Instant::now();
    let runner = Runner::prepare(workspace, interrupt)?;
    let work = Work {
        arguments: vec!["demo".into(), scenario.into()],
        peers: false,
        limit: LIMIT,
        silence: SILENCE,
    };
    let mut view = View::new();
    let mut report = None;
    let succeeded = runner.run_to_end(&work, &mut |event| {
        view.show(&event);
        if let Event::Demo(figures) = event {
            report = Some(figures);
        }
    })?;
    if let Some(message) = view.failure() {
        bail!("{scenario}: {message}");
    }
    let mut report = report.context("the scenario ended without a result")?;
    let seconds = started.elapsed().as_secs_f64();
    let whole = match &mut report {
        Figures::Calls(calls) => {
            calls.seconds = seconds;
            print!("{}", summary::of_calls(calls));
            calls.lost + calls.duplicated + calls.out_of_order + calls.errors == 0
        }
        Figures::Moves(moves) => {
            moves.seconds = seconds;
            moves.picture = moves.picture.as_ref().map(|picture| {
                let logs = workspace.target().join("logs").join(scenario);
                logs.join(picture).display().to_string()
            });
            print!("{}", summary::of_moves(moves));
            moves.whole()
        }
    };
    if json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(if succeeded && whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
