//! Round trips over a Unix socket or TCP: what /dev/dvs is measured against.
//!
//! `pingpong server ADDRESS SIZE` answers one client; `pingpong client ADDRESS SIZE COUNT` makes
//! the round trips and prints one JSON object. The address is `unix:PATH` or `tcp:HOST:PORT`.

mod stream;

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;

use crate::stream::{Address, Stream};

/// Largest message in bytes; nobody wants to measure more by this.
const MAX_SIZE: usize = 1 << 20;
/// Round trips before those that count.
const WARM_UP: usize = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["server", address, size] => serve(address, size),
        ["client", address, size, count] => call(address, size, count),
        _ => Err("usage: pingpong server ADDRESS SIZE | pingpong client ADDRESS SIZE COUNT".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pingpong: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str, size: &str) -> Result<(), Box<dyn Error>> {
    let mut message = vec![0; size_of_message(size)?];
    let listener = Address::parse(address)?.listen()?;
    println!("listening");
    let mut stream = listener.accept()?;
    while stream.receive(&mut message)? {
        stream.send(&message)?;
    }
    Ok(())
}

fn call(address: &str, size: &str, count: &str) -> Result<(), Box<dyn Error>> {
    let mut message = vec![0; size_of_message(size)?];
    let count: usize = count
        .parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or("the count is no positive number")?;
    let mut stream = Address::parse(address)?.connect()?;
    for _ in 0..WARM_UP {
        round_trip(&mut stream, &mut message)?;
    }
    let mut times = Vec::new();
    for _ in 0..count {
        times.push(round_trip(&mut stream, &mut message)?);
    }
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get((times.len() - 1) * part / 100).copied();
    println!(
        "{}",
        json!({"count": count, "rtt_us": {"min": at(0), "p50": at(50), "p99": at(99), "max": at(100)}})
    );
    Ok(())
}

fn round_trip(stream: &mut Stream, message: &mut [u8]) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    stream.send(message)?;
    if !stream.receive(message)? {
        return Err("the server has gone".into());
    }
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

fn size_of_message(text: &str) -> Result<usize, String> {
    let size = text
        .parse()
        .ok()
        .filter(|size| (1..=MAX_SIZE).contains(size));
    size.ok_or_else(|| format!("the size is no number from 1 to {MAX_SIZE}"))
}
