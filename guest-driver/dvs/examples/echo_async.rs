//! The echo service with tokio: many requests answered at once by one thread.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use dvs::AsyncEndpoint;

/// Answers every request through /dev/dvs by its own bytes, after a while; for the client of
/// dvs-echo.
///
/// Exit status: 0 if it was ended by --seconds; 2 if the program could not run.
#[derive(Debug, Parser)]
#[command(name = "dvs-echo-async", version)]
struct Cli {
    /// Endpoint number to serve.
    #[arg(long, default_value_t = 10, allow_negative_numbers = true)]
    ep: i32,
    /// Requests that may be under way at once.
    #[arg(long, default_value_t = 64)]
    limit: usize,
    /// Milliseconds until an answer.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Seconds to serve; for ever if not given.
    #[arg(long)]
    seconds: Option<u64>,
}

async fn serve(cli: &Cli) -> anyhow::Result<()> {
    let endpoint = AsyncEndpoint::bind(cli.ep)
        .await
        .with_context(|| format!("cannot bind endpoint {}", cli.ep))?;
    println!("endpoint {} bound", endpoint.address());
    let delay = Duration::from_millis(cli.delay_ms);
    let serving = endpoint.serve(cli.limit, |request| async move {
        tokio::time::sleep(delay).await;
        request
    });
    let outcome = match cli.seconds {
        Some(seconds) => tokio::time::timeout(Duration::from_secs(seconds), serving)
            .await
            .unwrap_or(Ok(())),
        None => serving.await,
    };
    outcome.context("cannot receive")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve(&Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dvs-echo-async: {error:#}");
            ExitCode::from(2)
        }
    }
}
