//! Figures of demonstrations, for people.

use dvs_report::{DemoReport, Migration, MigrationReport};

/// Of calls.
pub fn of_calls(report: &DemoReport) -> String {
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
    table(rows)
}

fn table(rows: Vec<(&str, String)>) -> String {
    rows.iter()
        .map(|(name, value)| format!("{name:>22}  {value}\n"))
        .collect()
}

/// Of moves.
pub fn of_moves(report: &MigrationReport) -> String {
    let scenario = format!("{} ({:?} KVM)", report.scenario, report.mode);
    let mut rows = vec![
        ("scenario", scenario.to_lowercase()),
        ("guest kernel", report.guest_kernel.clone()),
    ];
    for migration in &report.migrations {
        rows.extend(of_move(migration));
    }
    for client in &report.clients {
        let figures = format!(
            "{}: {} calls, longest {:.0} ms, while nothing moved {:.0} ms",
            client.name, client.calls, client.longest_moving_ms, client.longest_calm_ms
        );
        rows.push(("client", figures));
    }
    rows.extend([
        ("calls", report.rpcs.to_string()),
        ("copies and back", report.copies.to_string()),
        ("pages written", report.pages_written.to_string()),
        ("lost", report.lost.to_string()),
        ("duplicated", report.duplicated.to_string()),
        ("out of order", report.out_of_order.to_string()),
        ("errors", report.errors.to_string()),
        ("longest stall", format!("{:.0} ms", report.max_stall_ms)),
    ]);
    if let Some(picture) = &report.picture {
        rows.push(("picture", picture.clone()));
    }
    rows.push(("whole run", format!("{:.1} s", report.seconds)));
    table(rows)
}

fn of_move(migration: &Migration) -> [(&'static str, String); 4] {
    let parts = migration.downtime_parts;
    [
        (
            "move",
            format!(
                "host {} to {}: {:.0} ms, {} rounds, {} pages and {} of zeros, {:.1} MB",
                migration.from,
                migration.to,
                migration.total_ms,
                migration.rounds,
                migration.data_pages,
                migration.zero_pages,
                megabytes(migration.transferred_bytes)
            ),
        ),
        ("stood still", format!("{:.1} ms", migration.downtime_ms)),
        (
            "which was",
            format!(
                "pause {:.1}, drain {:.1}, last pass {:.1}, state {:.1}, commit {:.1}, resume {:.1} ms",
                parts.pause_ms,
                parts.drain_ms,
                parts.last_pass_ms,
                parts.state_ms,
                parts.commit_ms,
                parts.resume_ms
            ),
        ),
        (
            "longest call meanwhile",
            format!("{:.0} ms", migration.longest_stall_ms),
        ),
    ]
}

fn megabytes(bytes: u64) -> f64 {
    u32::try_from(bytes / 1000).map_or(f64::INFINITY, |kilobytes| f64::from(kilobytes) / 1000.0)
}
