//! The side that gives jobs to workers.

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use dvs::{Address, Any, Dvs, Endpoint, Error, Received, Timeout};

use super::jobs::Jobs;
use super::protocol::{BELOW_MAX, Reply, Request};

/// How often to look after workers that have a job.
const LOOK: Duration = Duration::from_secs(1);
/// How long to look for one.
const LOOK_TIME: Timeout = Timeout::After(Duration::from_millis(500));

/// Of `dvs-pool coordinator`.
#[derive(Debug, Args)]
pub struct Options {
    /// Endpoint number to serve.
    #[arg(long, default_value_t = 12, allow_negative_numbers = true)]
    ep: i32,
    /// Jobs that may wait.
    #[arg(long, default_value_t = 10_000)]
    limit: usize,
}

/// What a client wants, and its request, which is open until the job is done.
struct Job<'e> {
    below: u64,
    request: dvs::Request<'e>,
}

struct Coordinator<'e> {
    endpoint: &'e Endpoint,
    jobs: Jobs<Address, Job<'e>>,
}

impl<'e> Coordinator<'e> {
    fn request(&mut self, request: dvs::Request<'e>) -> Result<(), Error> {
        let from = request.message().from();
        match Request::decode(request.message().bytes()) {
            Some(Request::Submit(below)) if below > BELOW_MAX => answer(request, Reply::Refused),
            Some(Request::Submit(below)) => match self.jobs.add(Job { below, request }) {
                Ok(()) => Ok(()),
                Err(job) => answer(job.request, Reply::Full),
            },
            Some(Request::Next) => self.next(from, request),
            Some(Request::Result(primes)) => {
                if let Some(job) = self.jobs.finished(from) {
                    answer(job.request, Reply::Answer(primes))?;
                }
                self.next(from, request)
            }
            None => answer(request, Reply::Refused),
        }
    }

    fn next(&mut self, worker: Address, request: dvs::Request<'e>) -> Result<(), Error> {
        let reply = match self.jobs.next(worker) {
            Some(job) => Reply::Job(job.below),
            None => Reply::Wait,
        };
        answer(request, reply)
    }

    /// Wakes a worker if a job waits. More than one job comes only from workers that are gone; the
    /// next turns are for these.
    fn wake(&mut self) -> Result<(), Error> {
        while let Some(worker) = self.jobs.wake() {
            let waiting = i64::try_from(self.jobs.waiting()).unwrap_or(i64::MAX);
            match self.endpoint.notify_value(worker, waiting) {
                Ok(()) => return Ok(()),
                // It was idle: no job is lost with it.
                Err(Error::DestinationDied | Error::StaleEndpoint | Error::BadDestination) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes back the jobs of workers that are gone.
    fn look(&mut self) -> Result<(), Error> {
        for worker in self.jobs.workers() {
            let bound = self.endpoint.device().await_bound(worker.number, LOOK_TIME);
            match bound {
                Ok(address) if address == worker => {}
                // Another one has its number, or nobody.
                Ok(_) | Err(Error::TimedOut) => {
                    eprintln!("worker {worker} is gone");
                    self.jobs.lost(worker);
                }
                Err(Error::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Serves until it is woken up.
    fn run(&mut self) -> Result<(), Error> {
        let mut looked = Instant::now();
        loop {
            match self.endpoint.receive(Any, Timeout::After(LOOK)) {
                Ok(Received::Request(request)) => self.request(request)?,
                Ok(_) | Err(Error::TimedOut | Error::Interrupted) => {}
                Err(Error::WokenUp) => return Ok(()),
                Err(error) => return Err(error),
            }
            if looked.elapsed() >= LOOK {
                self.look()?;
                looked = Instant::now();
            }
            self.wake()?;
        }
    }
}

/// Answers; a client or worker that has left in the meantime does not matter.
fn answer(request: dvs::Request<'_>, reply: Reply) -> Result<(), Error> {
    match request.answer(&reply.encode()) {
        Err(error) if error.is_client_gone() => Ok(()),
        outcome => outcome,
    }
}

/// Serves.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let endpoint = Endpoint::bind(Dvs::open()?, options.ep)
        .with_context(|| format!("cannot bind endpoint {}", options.ep))?;
    println!("endpoint {} bound", endpoint.address());
    let mut coordinator = Coordinator {
        endpoint: &endpoint,
        jobs: Jobs::new(options.limit),
    };
    coordinator.run().context("cannot serve")
}
