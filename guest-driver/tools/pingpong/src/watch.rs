//! Round trips over time, while something happens to one of the sides.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use dvs_load::{Stop, Timeline};
use serde_json::json;

use crate::Outcome;
use crate::line::Address;
use crate::round_trip::caller;

/// Makes round trips at this rate until it is told to stop.
pub fn run(address: &Address, size: usize, rate: u32, own: i32) -> Outcome {
    let stop = Stop::listen()?;
    let mut one = caller(address, size, own)?;
    let between = Duration::from_secs(1) / rate;
    let mut timeline = Timeline::from(Instant::now());
    println!("{}", json!({"started": true}));
    io::stdout().flush()?;
    while !stop.asked() {
        let begin = Instant::now();
        one()?;
        timeline.add(begin, Instant::now());
        thread::sleep((begin + between).saturating_duration_since(Instant::now()));
    }
    println!("{}", json!({"timeline": timeline}));
    Ok(())
}
