//! `dvs-act`: a process that makes the calls it is told, one after the other, when it is told. So
//! a test decides what each of many processes does while something happens to their VMs.

mod actor;
mod step;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use dvs::{Dvs, Endpoint, MigrationToken, Timeout};
use nix::sys::signal::{SigSet, Signal};

use crate::actor::Actor;
use crate::step::Step;

/// Binds an endpoint and makes calls. Each tells by a line how it ended, before the next begins.
///
/// Exit status: 0 if all steps were made, whatever came of them; 2 if the program could not run.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Own endpoint number
    #[arg(long, allow_hyphen_values = true)]
    ep: i32,
    /// Have the endpoint of another process that is being moved, by the token that "dvsctl endpoint start" gave
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    adopt: Option<MigrationToken>,
    /// What to do: gate (waits for SIGUSR1), receive[:TIME], send:TO:TEXT[:TIME],
    /// sendrec:TO:TEXT[:TIME], answer:TEXT (the request that was received last), notify:TO,
    /// await-bound:NUMBER, await-unbound:NUMBER, privileges, node. TIME is in milliseconds, or
    /// "now"; without it a call takes as long as it takes.
    #[arg(required = true)]
    steps: Vec<Step>,
}

fn token(text: &str) -> Result<MigrationToken, &'static str> {
    MigrationToken::from_hex(text).ok_or("a token has 16 hexadecimal digits")
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dvs-act: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    // Blocked, it interrupts no call, and waits for the gate.
    let gate = SigSet::from(Signal::SIGUSR1);
    gate.thread_block()?;
    let endpoint = match cli.adopt {
        Some(token) => Endpoint::adopt(Dvs::open()?, cli.ep, token, Timeout::Forever),
        None => Endpoint::bind(Dvs::open()?, cli.ep),
    };
    let endpoint = endpoint.with_context(|| format!("cannot have endpoint {}", cli.ep))?;
    println!("bound {}", endpoint.address().number);
    let mut actor = Actor::new(&endpoint, gate);
    for step in &cli.steps {
        println!("{step}: {}", actor.make(step)?);
    }
    Ok(())
}
