//! What /dev/dvs is measured against, and /dev/dvs itself, by programs that do nothing else.
//!
//! Round trips go over an ADDRESS: `unix:PATH`, `tcp:HOST:PORT`, `pipe:PATH` (two named pipes,
//! PATH.up and PATH.down), `vsock:CID:PORT` (CID: the server's) or `dvs:NUMBER`. Each command that measures prints one JSON object.

mod bulk;
mod idle;
mod line;
mod many;
mod measure;
mod round_trip;
mod watch;

use std::error::Error;
use std::process::ExitCode;

use clap::builder::RangedI64ValueParser;
use clap::{Parser, Subcommand, value_parser};

use crate::line::Address;
use crate::measure::Job;

/// Result of a command.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Measures ways to send messages and data between processes.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer one client; of dvs, all clients for ever
    Server {
        /// Where to listen
        address: Address,
        /// Bytes of a message
        #[arg(long, default_value_t = 48, value_parser = size)]
        size: usize,
        /// Connections to answer at once, of tcp
        #[arg(long, default_value_t = 1, value_parser = clients())]
        clients: u32,
    },
    /// Make round trips
    Client {
        /// Where the server listens
        address: Address,
        #[command(flatten)]
        job: Job,
        /// Own endpoint number, for dvs; further clients have those that follow
        #[arg(long, default_value_t = 20)]
        ep: i32,
        /// Clients at once, each a thread; the count is a multiple of it
        #[arg(long, default_value_t = 1, value_parser = clients())]
        clients: u32,
    },
    /// Make round trips at a pace until SIGTERM; tells the longest of each tenth of a second
    Watch {
        /// Where the server listens
        address: Address,
        /// Bytes of a message
        #[arg(long, default_value_t = 48, value_parser = size)]
        size: usize,
        /// Round trips a second
        #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
        rate: u32,
        /// Own endpoint number, for dvs
        #[arg(long, default_value_t = 20)]
        ep: i32,
    },
    /// Take blocks from one client of TCP
    Sink {
        /// Where to listen
        address: Address,
        /// Bytes of a block
        #[arg(long, default_value_t = 65_536, value_parser = size)]
        size: usize,
    },
    /// Send blocks by TCP, one after the other, and wait until all have been taken
    Stream {
        /// Where the sink listens
        address: Address,
        #[command(flatten)]
        job: Job,
    },
    /// Read a child's memory by process_vm_readv
    Readv {
        #[command(flatten)]
        job: Job,
    },
    /// Lend a block of memory to everybody until it is killed; prints the grant's key
    Lend {
        /// Own endpoint number
        #[arg(long, default_value_t = 10)]
        ep: i32,
        /// Bytes of the block
        #[arg(long, default_value_t = 65_536, value_parser = size)]
        size: usize,
    },
    /// Copy a block that was lent
    Copy {
        /// The grant's key, as `lend` has printed it
        key: String,
        #[command(flatten)]
        job: Job,
        /// Own endpoint number
        #[arg(long, default_value_t = 20)]
        ep: i32,
        /// Copies under way at once; the count is a multiple of it
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
        at_once: u32,
    },
    /// Have so many endpoints wait in a receive until it is killed
    Idle {
        /// Number of the first endpoint
        #[arg(long, default_value_t = 100)]
        first: i32,
        /// How many
        #[arg(long, default_value_t = 1000)]
        count: i32,
    },
}

/// Largest message or block in bytes; nobody wants to measure more by this.
const MAX_SIZE: usize = 16 << 20;

fn size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok();
    size.filter(|size| (1..=MAX_SIZE).contains(size))
        .ok_or_else(|| format!("the size is no number from 1 to {MAX_SIZE}"))
}

/// More threads or connections than this nobody needs.
const MAX_CLIENTS: i64 = 128;

fn clients() -> RangedI64ValueParser<u32> {
    value_parser!(u32).range(1..=MAX_CLIENTS)
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Server {
            address,
            size,
            clients: 1,
        } => round_trip::serve(&address, size),
        Command::Server {
            address,
            size,
            clients,
        } => many::serve(&address, size, clients),
        Command::Client {
            address,
            job,
            ep,
            clients: 1,
        } => round_trip::call(&address, &job, ep),
        Command::Client {
            address,
            job,
            ep,
            clients,
        } => many::call(&address, &job, ep, clients),
        Command::Watch {
            address,
            size,
            rate,
            ep,
        } => watch::run(&address, size, rate, ep),
        Command::Sink { address, size } => bulk::sink(&address, size),
        Command::Stream { address, job } => bulk::stream(&address, &job),
        Command::Readv { job } => bulk::readv(&job),
        Command::Lend { ep, size } => bulk::lend(ep, size),
        Command::Copy {
            key,
            job,
            ep,
            at_once,
        } => bulk::copy(&key, &job, ep, at_once),
        Command::Idle { first, count } => idle::run(first, count),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pingpong: {error}");
            ExitCode::FAILURE
        }
    }
}
