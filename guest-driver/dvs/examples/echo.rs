//! An echo service and its client: the smallest pair of programs.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use dvs::{Dvs, Endpoint, Timeout};

/// Echoes messages through /dev/dvs.
///
/// Exit status: 0 if every echo was what had been sent; 1 if not; 2 if the program could not run.
#[derive(Debug, Parser)]
#[command(name = "dvs-echo", version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Answers every request by its own bytes, until it is woken up or killed.
    Server {
        /// Endpoint number to serve.
        #[arg(long, default_value_t = 10, allow_negative_numbers = true)]
        ep: i32,
    },
    /// Sends words and prints their echoes.
    Client(Client),
}

#[derive(Debug, Args)]
struct Client {
    /// Endpoint number of this client.
    #[arg(long, default_value_t = 40, allow_negative_numbers = true)]
    ep: i32,
    /// Endpoint number of the server; it is waited for.
    #[arg(long, default_value_t = 10, allow_negative_numbers = true)]
    to: i32,
    /// How often to send each word.
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// Milliseconds that a call may take.
    #[arg(long, default_value_t = 10_000)]
    timeout_ms: u64,
    /// What to send.
    #[arg(required = true)]
    words: Vec<String>,
}

fn bind(number: i32) -> anyhow::Result<Endpoint> {
    Endpoint::bind(Dvs::open()?, number).with_context(|| format!("cannot bind endpoint {number}"))
}

fn serve(number: i32) -> anyhow::Result<()> {
    let endpoint = bind(number)?;
    println!("endpoint {} bound", endpoint.address());
    endpoint.serve(Clone::clone).context("cannot receive")
}

/// True: every echo was right.
fn call(client: &Client) -> anyhow::Result<bool> {
    let endpoint = bind(client.ep)?;
    let time = Timeout::After(Duration::from_millis(client.timeout_ms));
    let server = endpoint
        .device()
        .await_bound(client.to, time)
        .with_context(|| format!("endpoint {} is not bound", client.to))?;
    let mut right = true;
    for word in &client.words {
        for _ in 0..client.count {
            let echo = endpoint
                .sendrec(server, word.as_bytes(), time)
                .with_context(|| format!("no echo of {word:?}"))?;
            right &= echo.bytes() == word.as_bytes();
            println!("{}", String::from_utf8_lossy(echo.bytes()));
        }
    }
    Ok(right)
}

fn main() -> ExitCode {
    let result = match Cli::parse().role {
        Role::Server { ep } => serve(ep).map(|()| true),
        Role::Client(client) => call(&client),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("dvs-echo: {error:#}");
            ExitCode::from(2)
        }
    }
}
