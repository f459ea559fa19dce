//! `cargo xtask demo`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use dvs_report::{DemoReport, Event};

use crate::child::Interrupt;
use crate::runner::{Runner, Work};
use crate::view::View;
use crate::workspace::Workspace;

/// A demonstration may take this long.
const LIMIT: Duration = Duration::from_secs(900);

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
    let mut report: DemoReport = report.context("the scenario ended without a result")?;
    report.seconds = started.elapsed().as_secs_f64();
    print!("{}", table(&report));
    if json {
        println!("{}", serde_json::to_string(&report)?);
    }
    let whole = report.lost + report.duplicated + report.out_of_order + report.errors == 0;
    Ok(if succeeded && whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn table(report: &DemoReport) -> String {
    let rtt = report.rtt_us;
    let mut rows = vec![
        (
            "scenario",
            format!("{} ({:?} KVM)", report.scenario, report.mode).to_lowercase(),
        ),
        ("guest kernel", report.guest_kernel.clone()),
        ("calls", report.rpcs.to_string()),
        ("lost", report.lost.to_string()),
        ("duplicated", report.duplicated.to_string()),
        ("out of order", report.out_of_order.to_string()),
        ("errors", report.errors.to_string()),
        (
            "round trip, µs",
            format!(
                "min {:.0}, p50 {:.0}, p99 {:.0}, max {:.0}",
                rtt.min, rtt.p50, rtt.p99, rtt.max
            ),
        ),
        ("kicks per call", format!("{:.3}", report.kicks_per_rpc)),
        (
            "interrupts per call",
            format!("{:.3}", report.interrupts_per_rpc),
        ),
        ("exits per call", format!("{:.3}", report.exits_per_rpc)),
        (
            "VMM beside vCPUs",
            format!(
                "{:.1} % of a CPU, {:.3} runs per call",
                report.vmm_cpu_percent, report.vmm_runs_per_rpc
            ),
        ),
        ("backstop timer fired", report.backstop_fired.to_string()),
    ];
    if let Some(recovery) = report.recovery {
        rows.extend([
            ("frames sent again", recovery.frames_sent_again.to_string()),
            (
                "duplicates dropped",
                recovery.duplicates_suppressed.to_string(),
            ),
            ("longest call", format!("{:.0} ms", recovery.max_stall_ms)),
        ]);
    }
    rows.push(("whole run", format!("{:.1} s", report.seconds)));
    rows.iter()
        .map(|(name, value)| format!("{name:>22}  {value}\n"))
        .collect()
}
