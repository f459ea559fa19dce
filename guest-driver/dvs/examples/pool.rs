//! A pool of workers: clients hand jobs in and wait, idle workers are woken by notify.
//!
//! The coordinator never waits for a worker: it keeps the clients' requests open, and an idle
//! worker asks for a job when a notification tells it that there is one. A notification that comes
//! while the worker does something else is not lost.

mod pool {
    pub mod client;
    pub mod coordinator;
    pub mod jobs;
    pub mod protocol;
    pub mod worker;
}

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A pool of workers through /dev/dvs, which count primes.
///
/// Exit status: 0 if it was done; 1 if an answer was wrong; 2 if the program could not run.
#[derive(Debug, Parser)]
#[command(name = "dvs-pool", version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Takes jobs and gives them to workers, until it is woken up or killed.
    Coordinator(pool::coordinator::Options),
    /// Does jobs, until the coordinator is gone. Its number has to be a server's.
    Worker(pool::worker::Options),
    /// Hands jobs in, all at once, and checks the answers.
    Submit(pool::client::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().role {
        Role::Coordinator(options) => pool::coordinator::run(&options).map(|()| true),
        Role::Worker(options) => pool::worker::run(&options).map(|()| true),
        Role::Submit(options) => pool::client::run(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("dvs-pool: {error:#}");
            ExitCode::from(2)
        }
    }
}
