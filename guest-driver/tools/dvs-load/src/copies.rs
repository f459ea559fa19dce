//! Copies to memory of another process and back, with contents that are checked.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use dvs::{Access, Any, Dvs, Endpoint, GrantKey, Timeout};
use dvs_load::{Stop, Timeline};
use serde::Serialize;

/// Failed copies in a row after which the client gives up.
const FAILURES_MAX: u32 = 10;

/// Of `dvs-load lend`.
#[derive(Debug, Args)]
pub struct Lend {
    /// Own endpoint number
    #[arg(long)]
    ep: i32,
    /// Bytes of the block
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(8..=16 << 20))]
    size: u32,
}

/// Of `dvs-load copy`.
#[derive(Debug, Args)]
pub struct Copy {
    /// The grant's key, as `lend` has printed it
    key: String,
    /// Own endpoint number
    #[arg(long)]
    ep: i32,
    /// Bytes of the block
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(8..=16 << 20))]
    size: u32,
    /// Pairs of copies a second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Milliseconds that a copy may take
    #[arg(long, default_value_t = 120_000)]
    timeout_ms: u64,
}

/// Lends a block until the program is ended.
pub fn lend(options: &Lend) -> anyhow::Result<bool> {
    let endpoint = Endpoint::bind(Dvs::open()?, options.ep)
        .with_context(|| format!("cannot bind endpoint {}", options.ep))?;
    let mut block = vec![0; usize::try_from(options.size)?];
    endpoint.lend_mut(&mut block, Access::ReadWrite, Any, |key| {
        let key: Vec<String> = key.to_bytes().iter().map(u8::to_string).collect();
        println!("{}", key.join(","));
        std::io::stdout().flush()?;
        loop {
            thread::park();
        }
    })?
}

/// What a client prints at its end.
#[derive(Debug, Serialize)]
struct Report {
    /// Pairs of copies, there and back.
    copies: u64,
    /// Those that brought something else back.
    wrong: u64,
    /// Copies that failed.
    errors: u64,
    timeline: Timeline,
}

/// Bytes that follow from a number, and differ in each word from those of the number before.
fn fill(block: &mut [u8], number: u64) {
    for (eight, at) in block.chunks_mut(8).zip(0_u64..) {
        let word = (number ^ at << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for (place, byte) in eight.iter_mut().zip(word.to_le_bytes()) {
            *place = byte;
        }
    }
}

struct Copier {
    endpoint: Endpoint,
    key: GrantKey,
    timeout: Timeout,
    sent: Vec<u8>,
    back: Vec<u8>,
}

impl Copier {
    /// One pair; true: what came back is what was sent.
    fn pair(&mut self, number: u64) -> Result<bool, dvs::CopyError> {
        fill(&mut self.sent, number);
        self.endpoint.copy_to(self.key, &self.sent, self.timeout)?;
        self.endpoint
            .copy_from(self.key, &mut self.back, self.timeout)?;
        Ok(self.sent == self.back)
    }
}

/// True: every copy brought back what was sent.
pub fn copy(options: &Copy, stop: &Stop) -> anyhow::Result<bool> {
    let bytes: Result<Vec<u8>, _> = options.key.split(',').map(str::parse).collect();
    let key = bytes?.try_into().ok().and_then(GrantKey::from_bytes);
    let size = usize::try_from(options.size)?;
    let mut copier = Copier {
        endpoint: Endpoint::bind(Dvs::open()?, options.ep)
            .with_context(|| format!("cannot bind endpoint {}", options.ep))?,
        key: key.ok_or_else(|| anyhow!("this is no key of a grant"))?,
        timeout: Timeout::After(Duration::from_millis(options.timeout_ms)),
        sent: vec![0; size],
        back: vec![0; size],
    };
    println!("{}", serde_json::json!({"started": true}));
    std::io::stdout().flush()?;
    let report = run(&mut copier, options.rate, stop)?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(report.wrong + report.errors == 0)
}

fn run(copier: &mut Copier, rate: u32, stop: &Stop) -> anyhow::Result<Report> {
    let mut report = Report {
        copies: 0,
        wrong: 0,
        errors: 0,
        timeline: Timeline::from(Instant::now()),
    };
    let mut failures = 0;
    let between = Duration::from_secs(1) / rate;
    while !stop.asked() {
        let begin = Instant::now();
        match copier.pair(report.copies) {
            Ok(whole) => {
                failures = 0;
                report.copies += 1;
                report.wrong += u64::from(!whole);
                report.timeline.add(begin, Instant::now());
            }
            Err(error) => {
                eprintln!("copy failed: {error}");
                report.errors += 1;
                failures += 1;
                if failures == FAILURES_MAX {
                    return Err(error).context("many copies in a row failed");
                }
            }
        }
        thread::sleep((begin + between).saturating_duration_since(Instant::now()));
    }
    Ok(report)
}

#[cfg(test)]
#[path = "copies_test.rs"]
mod tests;
