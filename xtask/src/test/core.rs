//! What tier 0 does with the guest's core beyond its own tests: which lines they reach, threads,
//! and inputs that a fuzzer finds.

use std::process::Command;

use anyhow::Result;

use super::tally::Tally;
use crate::command::text;
use crate::workspace::Workspace;

/// Percentage of the core's lines that its tests have to reach.
const LEAST: &str = "95";
/// Seconds for the threads, and for new inputs. Longer runs: `make` in the same folders.
const THREADS: &str = "SECONDS=3";
const FUZZING: &str = "SECONDS=8";

/// Runs all of it.
pub fn run(workspace: &Workspace, tally: &mut Tally) {
    tally.step("the core's tests reach its lines", || {
        let script = workspace.source("guest-driver/core/coverage.sh");
        let shares = text(
            Command::new("sh")
                .arg(script)
                .env("LEAST", LEAST)
                .env("DVS_CASES", "60"),
        )?;
        print!("{shares}");
        Ok(())
    });
    tally.step("the core between threads", || {
        make(workspace, "tests/threads", &["check", THREADS])
    });
    tally.step("the core with the inputs of the fuzzer's corpus", || {
        make(workspace, "tests/fuzz/core", &["check"])
    });
    tally.step("the core with new inputs of the fuzzer", || {
        make(workspace, "tests/fuzz/core", &["fuzz", FUZZING])
    });
}

fn make(workspace: &Workspace, folder: &str, arguments: &[&str]) -> Result<()> {
    text(
        Command::new("make")
            .arg("--directory")
            .arg(workspace.source(folder))
            .args(arguments),
    )
    .map(|_| ())
}
