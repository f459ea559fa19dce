//! Tier 1: what needs any /dev/kvm.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::suites::{Results, Suite, Suites};
use super::tally::Tally;
use super::tier0::run_suite;
use crate::child::Interrupt;
use crate::image::Image;
use crate::machine::{Job, Machine};
use crate::workspace::Workspace;

/// The emulated machine may take this long, and be silent for as long.
const LIMIT: Duration = Duration::from_secs(900);

/// Runs the tier: here if there is a /dev/kvm, else in the emulated machine.
pub fn run(workspace: &Workspace, interrupt: &Interrupt, suites: &Suites, tally: &mut Tally) {
    let here = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_ok();
    let suites: Vec<&Suite> = suites.that_need_kvm(true).collect();
    if here {
        for suite in suites {
            run_suite(suite, interrupt, tally);
        }
        return;
    }
    let started = Instant::now();
    match in_machine(workspace, interrupt, &suites) {
        Ok(results) => tally.many(
            "/dev/kvm, emulated",
            started.elapsed().as_secs_f64(),
            results.passed,
            results.failed,
        ),
        Err(error) => {
            let message = format!(
                "this machine has no /dev/kvm that we may use, and emulating one failed: {error:#}"
            );
            tally.one("tier 1", started.elapsed().as_secs_f64(), Some(&message));
        }
    }
}

fn in_machine(workspace: &Workspace, interrupt: &Interrupt, suites: &[&Suite]) -> Result<Results> {
    let image = Image::up_to_date(workspace)?;
    let machine = Machine::up_to_date(workspace, &image)?;
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    let mut script = String::from("#!/bin/sh\nstatus=0\n");
    for (number, suite) in suites.iter().enumerate() {
        files.push((format!("/files/{number}"), suite.executable.clone()));
        script.push_str(&format!("/files/{number} --test-threads=1 || status=1\n"));
    }
    script.push_str("exit $status\n");
    let job = Job {
        script,
        files,
        interactive: false,
        peers: false,
    };
    let (mut results, mut said) = (Results::default(), Vec::new());
    let logs = workspace.target().join("logs");
    let code = machine.run(&job, &logs, interrupt, (LIMIT, LIMIT), |line| {
        results.line(line);
        said.push(line.to_owned());
    })?;
    if code != 0 {
        println!("{}", said.join("\n"));
        if results.failed.is_empty() {
            results.failed.push(format!("exit status {code}"));
        }
    }
    Ok(results)
}
