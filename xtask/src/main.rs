//! Developer entry points: `cargo xtask --help`.

mod bench;
mod child;
mod command;
mod demo;
mod driver;
mod image;
mod initramfs;
mod kernel;
mod machine;
mod packages;
mod programs;
mod runner;
mod scene;
mod shell;
mod simulate;
mod stamp;
mod summary;
mod test;
mod view;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::child::Interrupt;
use crate::image::Image;
use crate::workspace::Workspace;

/// Builds, shows, tests and measures the DVS for KVM guests.
///
/// Real guests need a KVM that runs stock kernels. Where this machine has none (no vmx or svm in
/// /proc/cpuinfo), they run in a machine that QEMU emulates.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make the guest image: Debian's cloud kernel, our module, our programs
    Image,
    /// Show the DVS at work between real guests
    Demo {
        /// migrate-under-load, rpc-same-host, rpc-same-vm, rpc-two-hosts or migration-soak
        #[arg(default_value = "migrate-under-load")]
        scenario: String,
        /// Print the figures as one line of JSON at the end
        #[arg(long)]
        json: bool,
    },
    /// Measure the DVS beside what people use today
    Bench {
        /// ipc, hosts or migration
        #[arg(default_value = "ipc")]
        group: String,
        /// Print the rows as one line of JSON at the end
        #[arg(long)]
        json: bool,
    },
    /// Run the tests: without KVM (tier 0), with any /dev/kvm (1), with real guests (2)
    Test {
        /// Only this tier; may be given several times
        #[arg(long = "tier", value_name = "TIER", value_parser = clap::value_parser!(u8).range(0..=2))]
        tiers: Vec<u8>,
        /// The tests of tier 2 that take long too
        #[arg(long)]
        long: bool,
        /// Only these tests of tier 2
        names: Vec<String>,
    },
    /// Play random histories of clusters, as fast as this machine can
    Simulate {
        /// So many histories
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
        seeds: u64,
        /// The seed of the first one
        #[arg(long, default_value_t = 1)]
        first: u64,
        /// Nodes of each cluster, 2 to 12; 1: a host without a cluster; left out: the seed decides
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=12))]
        nodes: Option<u32>,
        /// Machines of the clusters move while they run
        #[arg(long)]
        moving: bool,
        /// Put each bug of tests/bugs into a copy of the tree, and see how many histories find it
        #[arg(long)]
        bugs: bool,
    },
    /// Boot the emulated machine and run a command in it, or a shell
    ///
    /// The machine has our programs in /opt/dvs/bin (on the path) and the guest image as
    /// /opt/dvs/vmlinuz and /opt/dvs/initramfs. What the command leaves in /run/logs comes back
    /// to target/logs.
    Machine {
        /// Further files or programs (with their shared libraries), found in /files there
        #[arg(long = "file", value_name = "PATH")]
        files: Vec<PathBuf>,
        /// Have QEMU and ip there too
        #[arg(long)]
        qemu: bool,
        /// Seconds after which the machine is ended
        #[arg(long, default_value_t = 600)]
        timeout: u64,
        /// A line for the shell; without it there is an interactive shell
        #[arg(last = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    match perform(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: Arguments) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let interrupt = Interrupt::listen()?;
    match arguments.command {
        Task::Image => {
            let image = Image::up_to_date(&workspace)?;
            println!("kernel     {}", image.kernel.bz_image().display());
            println!("initramfs  {}", image.initramfs.display());
            Ok(ExitCode::SUCCESS)
        }
        Task::Demo { scenario, json } => demo::run(&workspace, &interrupt, &scenario, json),
        Task::Bench { group, json } => bench::run(&workspace, &interrupt, &group, json),
        Task::Test { tiers, long, names } => {
            let request = test::Request { tiers, long, names };
            test::run(&workspace, &interrupt, &request)
        }
        Task::Simulate {
            seeds,
            first,
            nodes,
            moving,
            bugs,
        } => simulate::simulate(
            &workspace,
            &simulate::Request {
                seeds,
                first,
                nodes,
                moving,
                bugs,
            },
        ),
        Task::Machine {
            files,
            qemu,
            timeout,
            command,
        } => shell::run(
            &workspace,
            &interrupt,
            &shell::Request {
                files,
                qemu,
                timeout,
                command,
            },
        ),
    }
}
