//! Tier 0: what needs no KVM.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::core;
use super::suites::{Results, Suite, Suites};
use super::tally::Tally;
use crate::child::{Interrupt, Limits, run_lines};
use crate::command::run as run_command;
use crate::driver;
use crate::image::Image;
use crate::kernel::Headers;
use crate::simulate::bugs_apply;
use crate::workspace::{Workspace, cargo};

/// One executable may take this long, and be silent for as long.
const LIMIT: Duration = Duration::from_secs(900);

/// The newest kernel in Debian 12's archive.
const NEWEST_HEADERS: &str = "linux-headers-6.12-cloud-amd64";

/// Crates of which one tree can have only one version, since their types meet.
const ONE_VERSION: &[&str] = &[
    "kvm-bindings",
    "kvm-ioctls",
    "vhost",
    "virtio-queue",
    "vm-memory",
    "vmm-sys-util",
];

/// Runs the tier.
pub fn run(workspace: &Workspace, interrupt: &Interrupt, suites: &Suites, tally: &mut Tally) {
    tally.step("formatting", || {
        cargo_run(workspace, &["fmt", "--all", "--check"])
    });
    tally.step("clippy", || {
        cargo_run(
            workspace,
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "-D",
                "warnings",
            ],
        )
    });
    tally.step("one version of each rust-vmm crate", || {
        one_version(workspace)
    });
    tally.step("the simulator's bugs can be put in", || {
        bugs_apply(workspace)
    });
    tally.step("module under W=1 and sparse", || {
        let image = Image::up_to_date(workspace)?;
        driver::check(workspace, &image.kernel.headers())
    });
    tally.step("module for Debian's newest kernel", || {
        let headers = Headers::unpacked(&workspace.image_dir(), NEWEST_HEADERS)?;
        println!("        against {}", headers.release());
        driver::check(workspace, &headers.path())
    });
    for suite in suites.that_need_kvm(false) {
        run_suite(suite, interrupt, tally);
    }
    let sanitized = tally.step("the core compiles with sanitizers", || {
        Suites::build_with(
            workspace,
            &["--package", "dvs-core", "--features", "sanitize"],
        )
    });
    for suite in sanitized
        .iter()
        .flat_map(|suites| suites.that_need_kvm(false))
    {
        let name = format!("{} with sanitizers", suite.name);
        run_suite(
            &Suite {
                name,
                ..suite.clone()
            },
            interrupt,
            tally,
        );
    }
    core::run(workspace, tally);
    tally.step("examples in the documentation", || {
        cargo_run(workspace, &["test", "--workspace", "--doc", "--quiet"])
    });
}

fn cargo_run(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    run_command(cargo().current_dir(workspace.root()).args(arguments)).map(|_| ())
}

/// Runs one executable and counts its tests.
pub fn run_suite(suite: &Suite, interrupt: &Interrupt, tally: &mut Tally) {
    let mut command = Command::new(&suite.executable);
    command
        .current_dir(&suite.directory)
        .env("CARGO_MANIFEST_DIR", &suite.directory);
    let (mut results, mut said) = (Results::default(), Vec::new());
    let started = Instant::now();
    let status = run_lines(command, interrupt, Limits::both(LIMIT), |line| {
        results.line(line);
        said.push(line.to_owned());
        Ok(())
    });
    let seconds = started.elapsed().as_secs_f64();
    let complaint = match status {
        Ok(status) if status.success() => None,
        Ok(status) => Some(status.to_string()),
        Err(error) => Some(format!("{error:#}")),
    };
    if let Some(complaint) = complaint {
        println!("{}", said.join("\n"));
        if results.failed.is_empty() {
            results.failed.push(complaint);
        }
    }
    if results != Results::default() {
        tally.many(&suite.name, seconds, results.passed, results.failed);
    }
}

fn one_version(workspace: &Workspace) -> Result<()> {
    let lock = fs::read_to_string(workspace.source("Cargo.lock"))?;
    let several = several_versions(&lock);
    if !several.is_empty() {
        bail!("Cargo.lock has several versions of {}", several.join(", "));
    }
    Ok(())
}

fn several_versions(lock: &str) -> Vec<&str> {
    let mut count = BTreeMap::new();
    for line in lock.lines() {
        let name = line
            .strip_prefix("name = \"")
            .and_then(|rest| rest.strip_suffix('"'));
        if let Some(name) = name.filter(|name| ONE_VERSION.contains(name)) {
            *count.entry(name).or_insert(0) += 1;
        }
    }
    count
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
#[path = "tier0_test.rs"]
mod tests;
