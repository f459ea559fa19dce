//! `dvsctl`: controls VMMs and nodes.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use dvs_vmm::ctl::args::Cli;
use dvs_vmm::ctl::run;

fn main() -> ExitCode {
    match run(&Cli::parse(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dvsctl: {error}");
            ExitCode::FAILURE
        }
    }
}
