//! How often something is done, and how long it takes.

use std::error::Error;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

/// What to measure.
#[derive(Debug, Args)]
pub struct Job {
    /// Bytes of a message or block
    #[arg(long, default_value_t = 48, value_parser = crate::size)]
    pub size: usize,
    /// How often
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub count: u32,
}

/// Does it so often; gives how long each took.
pub fn repeat(
    count: u32,
    one: &mut dyn FnMut() -> crate::Outcome,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..count {
        let begin = Instant::now();
        one()?;
        times.push(begin.elapsed());
    }
    Ok(times)
}

impl Job {
    /// Times before those that count.
    const WARM_UP: u32 = 100;

    /// Does it `count` times; prints how long one takes, and the rate in times and bytes.
    pub fn measure(&self, mut one: impl FnMut() -> crate::Outcome) -> crate::Outcome {
        repeat(Self::WARM_UP.min(self.count), &mut one)?;
        let start = Instant::now();
        let mut times = repeat(self.count, &mut one)?;
        self.print(&mut times, start.elapsed())
    }

    /// Prints the figures: of single times if there are any, and of the whole.
    pub fn print(&self, times: &mut [Duration], whole: Duration) -> Result<(), Box<dyn Error>> {
        times.sort_unstable();
        let at = |part: usize| {
            let time = times.get(times.len().saturating_sub(1) * part / 100);
            time.map(|time| time.as_secs_f64() * 1e6)
        };
        let per_second = f64::from(self.count) / whole.as_secs_f64();
        let size = u32::try_from(self.size)?;
        println!(
            "{}",
            json!({
                "count": self.count,
                "rtt_us": {"min": at(0), "p50": at(50), "p99": at(99), "max": at(100)},
                "per_second": per_second,
                "bytes_per_second": per_second * f64::from(size),
            })
        );
        Ok(())
    }
}
