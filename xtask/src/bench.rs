//! `cargo xtask bench`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use dvs_report::{BenchReport, Event, Row};

use crate::child::Interrupt;
use crate::runner::{Runner, SILENCE, Work};
use crate::view::View;
use crate::workspace::Workspace;

/// A group may take this long.
const LIMIT: Duration = Duration::from_secs(1800);

/// Measures the group, shows it, and prints its rows.
pub fn run(
    workspace: &Workspace,
    interrupt: &Interrupt,
    group: &str,
    json: bool,
) -> Result<ExitCode> {
    let runner = Runner::prepare(workspace, interrupt)?;
    let work = Work {
        arguments: vec!["bench".into(), group.into()],
        peers: true,
        limit: LIMIT,
        silence: SILENCE,
    };
    let mut view = View::new();
    let mut rows = Vec::new();
    let succeeded = runner.run_to_end(&work, &mut |event| {
        view.show(&event);
        if let Event::Row(row) = event {
            // Those of a machine that was lost are measured again.
            rows.retain(|other: &Row| other.name != row.name);
            rows.push(row);
        }
    })?;
    if let Some(message) = view.failure() {
        bail!("{group}: {message}");
    }
    let report = BenchReport {
        group: group.to_owned(),
        mode: runner.mode(),
        rows,
    };
    print!("{}", table(&report.rows));
    if json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(if succeeded && !report.rows.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:24} {:>24} {:>24} {:>6} {:>5}  peer\n",
        "row", "ours (spread)", "peer (spread)", "ratio", "runs"
    );
    for row in rows {
        let side = |median: f64, [low, high]: [f64; 2]| {
            // Small figures need the digit after the point.
            let digits = usize::from(median.abs() < 100.0);
            format!(
                "{median:.digits$} {} ({low:.digits$}–{high:.digits$})",
                row.unit
            )
        };
        text.push_str(&format!(
            "{:24} {:>24} {:>24} {:>6.2} {:>5}  {}\n",
            row.name,
            side(row.ours, row.ours_spread),
            side(row.peer, row.peer_spread),
            row.ratio,
            row.runs,
            row.peer_name
        ));
    }
    text
}
