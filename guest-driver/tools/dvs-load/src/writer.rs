//! Writes to memory all the time.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use dvs_load::Stop;

use crate::pages::Pages;

/// Pages of a MiB.
const PAGES_OF_MIB: u32 = 256;
/// Between batches of writes.
const BATCH: Duration = Duration::from_millis(10);
/// Pages of a batch where no rate was given.
const BATCH_PAGES: u64 = 64;
/// Between lines that tell how it goes.
const TOLD: Duration = Duration::from_secs(1);

/// Of `dvs-load write`.
#[derive(Debug, Args)]
pub struct Options {
    /// MiB that are written, page after page
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    mib: u32,
    /// Pages a second; as fast as it goes if not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

/// How many writes are due, at a rate. What could not be done in time is not made good, but for a
/// batch: the pace is that of now.
#[derive(Debug)]
struct Pace {
    per_second: u32,
    done: Instant,
}

impl Pace {
    fn due(&mut self, now: Instant) -> u64 {
        let late = now.saturating_duration_since(self.done).min(2 * BATCH);
        let due = late.as_nanos() * u128::from(self.per_second) / 1_000_000_000;
        if due > 0 {
            self.done = now;
        }
        u64::try_from(due).unwrap_or(u64::MAX)
    }
}

fn tell(pages: &Pages, wrong: u64, longest: Duration) -> std::io::Result<()> {
    let stall = longest.as_millis();
    let line =
        serde_json::json!({"writes": pages.writes(), "wrong": wrong, "longest_stall_ms": stall});
    println!("{line}");
    std::io::stdout().flush()
}

/// True: every page was as it had been left.
pub fn run(options: &Options, stop: &Stop) -> anyhow::Result<bool> {
    let mut pages = Pages::new(options.mib.saturating_mul(PAGES_OF_MIB));
    let mut pace = options.rate.map(|per_second| Pace {
        per_second,
        done: Instant::now(),
    });
    let (mut wrong, mut longest) = (0, Duration::ZERO);
    tell(&pages, wrong, longest)?;
    let (mut told, mut last) = (Instant::now(), Instant::now());
    while !stop.asked() {
        let due = match &mut pace {
            None => BATCH_PAGES,
            Some(pace) => {
                thread::sleep(BATCH);
                pace.due(Instant::now())
            }
        };
        for _ in 0..due {
            wrong += u64::from(!pages.write());
        }
        let now = Instant::now();
        longest = longest.max(now.duration_since(last));
        last = now;
        if now.duration_since(told) >= TOLD {
            tell(&pages, wrong, longest)?;
            told = now;
        }
    }
    wrong += pages.wrong();
    tell(&pages, wrong, longest)?;
    Ok(wrong == 0)
}

#[cfg(test)]
#[path = "writer_test.rs"]
mod tests;
