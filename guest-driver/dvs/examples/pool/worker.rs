//! The side that does the jobs.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use dvs::{Dvs, Endpoint, Error, Timeout};

use super::protocol::{Reply, Request, primes_below};

/// Of `dvs-pool worker`.
#[derive(Debug, Args)]
pub struct Options {
    /// Endpoint number of this worker, a server's.
    #[arg(long, default_value_t = 13, allow_negative_numbers = true)]
    ep: i32,
    /// Endpoint number of the coordinator; it is waited for.
    #[arg(long, default_value_t = 12, allow_negative_numbers = true)]
    to: i32,
    /// Milliseconds to wait for the coordinator.
    #[arg(long, default_value_t = 10_000)]
    timeout_ms: u64,
}

fn work(endpoint: &Endpoint, coordinator: dvs::Address) -> Result<u64, Error> {
    let mut done = 0;
    let mut request = Request::Next;
    loop {
        let reply = match endpoint.sendrec(coordinator, &request.encode(), Timeout::Forever) {
            Ok(reply) => reply,
            Err(Error::Interrupted) => continue,
            Err(Error::DestinationDied | Error::SourceDied) => return Ok(done),
            Err(error) => return Err(error),
        };
        request = match Reply::decode(reply.bytes()) {
            Some(Reply::Job(below)) => {
                done += 1;
                Request::Result(primes_below(below))
            }
            Some(Reply::Wait) => {
                // Only the notification comes from there: it sends nothing.
                match endpoint.receive(coordinator, Timeout::Forever) {
                    Ok(_) | Err(Error::Interrupted) => Request::Next,
                    Err(Error::SourceDied) => return Ok(done),
                    Err(error) => return Err(error),
                }
            }
            _ => return Err(Error::Invalid),
        };
    }
}

/// Works until the coordinator is gone.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let device = Dvs::open()?;
    let info = device.info()?;
    if i64::from(options.ep) + i64::from(info.nr_tasks) >= i64::from(info.nr_sysprocs) {
        bail!(
            "only a server can be notified, and {} is a user's number",
            options.ep
        );
    }
    let endpoint = Endpoint::bind(device, options.ep)
        .with_context(|| format!("cannot bind endpoint {}", options.ep))?;
    let time = Timeout::After(Duration::from_millis(options.timeout_ms));
    let coordinator = endpoint
        .device()
        .await_bound(options.to, time)
        .with_context(|| format!("endpoint {} is not bound", options.to))?;
    let done = work(&endpoint, coordinator).context("cannot work")?;
    println!("{done} jobs done; the coordinator is gone");
    Ok(())
}
