//! `dvs-load`: work for guests that are moved, checked all the time.

mod copies;
mod pages;
mod writer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use dvs_load::Stop;

/// Works until SIGTERM and checks what it works on.
///
/// Exit status: 0 if all was as it must be; 1 if not; 2 if the program could not run.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    work: Work,
}

#[derive(Debug, Subcommand)]
enum Work {
    /// Write to memory, page after page; a line of JSON a second tells how it goes
    Write(writer::Options),
    /// Lend a block of memory to everybody; prints the grant's key
    Lend(copies::Lend),
    /// Copy to a block that was lent, and back; a line of JSON at the end tells how it went
    Copy(copies::Copy),
}

fn main() -> ExitCode {
    match work(&Cli::parse().work) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("dvs-load: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn work(work: &Work) -> anyhow::Result<bool> {
    match work {
        Work::Write(options) => writer::run(options, &Stop::listen()?),
        Work::Lend(options) => copies::lend(options),
        Work::Copy(options) => copies::copy(options, &Stop::listen()?),
    }
}
