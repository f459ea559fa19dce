//! The side that has jobs.

use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use dvs::{Address, Dvs, Endpoint, Timeout};

use super::protocol::{BELOW_MAX, Reply, Request, primes_below};

/// Of `dvs-pool submit`.
#[derive(Debug, Args)]
pub struct Options {
    /// Endpoint number of this client.
    #[arg(long, default_value_t = 42, allow_negative_numbers = true)]
    ep: i32,
    /// Endpoint number of the coordinator; it is waited for.
    #[arg(long, default_value_t = 12, allow_negative_numbers = true)]
    to: i32,
    /// Milliseconds that a call may take.
    #[arg(long, default_value_t = 60_000)]
    timeout_ms: u64,
    /// Numbers below which to count primes.
    #[arg(required = true, value_parser = clap::value_parser!(u64).range(..=BELOW_MAX))]
    below: Vec<u64>,
}

/// One job; true: the answer was right.
fn submit(
    endpoint: &Endpoint,
    coordinator: Address,
    below: u64,
    time: Timeout,
) -> anyhow::Result<bool> {
    let request = Request::Submit(below).encode();
    let reply = endpoint
        .sendrec(coordinator, &request, time)
        .with_context(|| format!("no answer for {below}"))?;
    match Reply::decode(reply.bytes()) {
        Some(Reply::Answer(primes)) => {
            println!("{primes} primes below {below}");
            Ok(primes == primes_below(below))
        }
        Some(Reply::Full) => bail!("too many jobs wait"),
        _ => bail!("the coordinator's reply makes no sense"),
    }
}

/// True: all answers were right.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    let endpoint = Endpoint::bind(Dvs::open()?, options.ep)
        .with_context(|| format!("cannot bind endpoint {}", options.ep))?;
    let time = Timeout::After(Duration::from_millis(options.timeout_ms));
    let coordinator = endpoint
        .device()
        .await_bound(options.to, time)
        .with_context(|| format!("endpoint {} is not bound", options.to))?;
    // Many threads may call by one endpoint at once.
    thread::scope(|scope| {
        let submit = |below| submit(&endpoint, coordinator, below, time);
        let calls: Vec<_> = options
            .below
            .iter()
            .map(|below| scope.spawn(move || submit(*below)))
            .collect();
        let mut right = true;
        for call in calls {
            match call.join() {
                Ok(answer) => right &= answer?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(right)
    })
}
