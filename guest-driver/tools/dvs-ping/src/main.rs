//! `dvs-ping`: calls between two programs by `/dev/dvs`, every message numbered and checked.

mod client;
mod hold;
mod payload;
mod relocation;
mod report;
mod sequence;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use dvs_load::Stop;

/// Calls through /dev/dvs with numbered contents, checked on both sides.
///
/// Exit status: 0 if everything arrived once, in order and whole; 1 if not; 2 if the program
/// could not run.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Answers clients, until one has finished.
    Server(server::Options),
    /// Calls a server.
    Client(client::Options),
}

fn main() -> ExitCode {
    match play(&Cli::parse().role) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("dvs-ping: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn play(role: &Role) -> anyhow::Result<bool> {
    match role {
        Role::Server(options) => server::run(options),
        Role::Client(options) => client::run(options, &Stop::listen()?),
    }
}
