//! `cargo xtask demo`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use dvs_report::{Event, Figures, Mode};

use crate::child::Interrupt;
use crate::runner::{Runner, SILENCE, Work};
use crate::summary;
use crate::view::View;
use crate::workspace::Workspace;

/// A demonstration may take this long; one of a hundred moves is the longest.
const LIMIT: Duration = Duration::from_secs(3600);

/// The demonstration whose moves are too many for one emulated machine, and in how many they are made.
const SOAK: &str = "migration-soak";
const SOAK_ROUNDS: u32 = 10;

/// Runs the scenario and shows it; gives whether it succeeded, and its figures.
fn play(runner: &Runner<'_>, work: &Work) -> Result<(bool, Figures)> {
    let mut view = View::new();
    let mut report = None;
    let succeeded = runner.run_to_end(work, &mut |event| {
        view.show(&event);
        if let Event::Demo(figures) = event {
            report = Some(figures);
        }
    })?;
    let scenario = work.arguments.last().map_or("", String::as_str);
    if let Some(message) = view.failure() {
        bail!("{scenario}: {message}");
    }
    let report = report.context("the scenario ended without a result")?;
    Ok((succeeded, report))
}

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
    let rounds = match runner.mode() {
        Mode::Nested if scenario == SOAK => SOAK_ROUNDS,
        _ => 1,
    };
    let (mut succeeded, mut report) = play(&runner, &work)?;
    for round in 2..=rounds {
        eprintln!("round {round} of {rounds}");
        let (well, more) = play(&runner, &work)?;
        succeeded &= well;
        if let (Figures::Moves(all), Figures::Moves(more)) = (&mut report, more) {
            all.add(more);
        }
    }
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
