//! Moves of a guest between hosts, with everything that can happen to them.

pub mod demo;
pub mod fast_writer;
pub mod faults;
pub mod field;
pub mod load;
mod picture;
pub mod refusals;
mod report;
pub mod requirements;
pub mod soak;

use anyhow::{Result, ensure};
use dvs_report::MigrationReport;

/// What is promised of every move.
pub fn check(report: &MigrationReport) -> Result<()> {
    ensure!(
        report.whole(),
        "calls, copies or pages were lost, duplicated, out of order or wrong: {report:?}"
    );
    ensure!(
        report.migrations.len() >= 3 && report.rpcs > 0 && report.copies > 0,
        "not much has happened: {report:?}"
    );
    Ok(())
}
