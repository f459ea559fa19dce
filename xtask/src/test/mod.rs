//! `cargo xtask test`: every tier, and a count at the end.
//!
//! Tier 0 needs nothing, tier 1 any `/dev/kvm`, tier 2 a KVM that runs stock kernels. Where this
//! machine lacks one, the emulated machine has it. Nothing is skipped: what cannot run has failed.

mod core;
mod suites;
mod tally;
mod tier0;
mod tier1;
mod tier2;

use std::process::ExitCode;

use anyhow::Result;

use crate::child::Interrupt;
use crate::packages;
use crate::workspace::Workspace;
use suites::Suites;
use tally::Tally;

/// What to test.
#[derive(Debug)]
pub struct Request {
    /// Tiers; none: all.
    pub tiers: Vec<u8>,
    /// Those of tier 2 that take long, too.
    pub long: bool,
    /// Tests of tier 2; none: all.
    pub names: Vec<String>,
}

/// Runs the tiers; succeeds if everything passed.
pub fn run(workspace: &Workspace, interrupt: &Interrupt, request: &Request) -> Result<ExitCode> {
    let wanted = |tier: u8| {
        let only_names = request.tiers.is_empty() && (request.long || !request.names.is_empty());
        if only_names {
            tier == 2
        } else {
            request.tiers.is_empty() || request.tiers.contains(&tier)
        }
    };
    let mut tally = Tally::default();
    if wanted(0) || wanted(1) {
        packages::require(packages::FOR_TESTS)?;
        let suites = tally.step("the tests compile", || Suites::build(workspace));
        if let Some(suites) = suites {
            if wanted(0) {
                tier0::run(workspace, interrupt, &suites, &mut tally);
            }
            if wanted(1) {
                tier1::run(workspace, interrupt, &suites, &mut tally);
            }
        }
    }
    if wanted(2) {
        tier2::run(workspace, interrupt, request, &mut tally);
    }
    println!("{tally}");
    Ok(if tally.clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
