//! `dvs-scenario`: runs demonstrations, tests and benchmarks on real guests.
//!
//! It runs on the machine that has the KVM, and writes events, one JSON object a line. People use
//! it through `cargo xtask`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use clap::{Args, Parser, Subcommand};
use dvs_report::{Event, Mode};
use dvs_tests::harness::{Lab, Late, Settings};
use dvs_tests::scenarios;

/// Runs demonstrations, tests and benchmarks on real guests.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Args)]
struct Files {
    /// Kernel of the guests
    #[arg(long)]
    kernel: PathBuf,
    /// Initramfs of the guests
    #[arg(long)]
    initramfs: PathBuf,
    /// Directory of dvs-vmm and dvs-node
    #[arg(long)]
    programs: PathBuf,
    /// Directory for logs
    #[arg(long)]
    logs: PathBuf,
    /// Directory for sockets
    #[arg(long)]
    run: PathBuf,
    /// This is the emulated machine
    #[arg(long)]
    nested: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A demonstration
    Demo {
        /// Its name
        name: String,
    },
    /// Tests; all but the long ones if none is named
    Test {
        /// The long ones too
        #[arg(long)]
        long: bool,
        /// Their names
        names: Vec<String>,
        /// Leave this one out, which was done before; may be given several times
        #[arg(long, value_name = "NAME")]
        done: Vec<String>,
    },
    /// A group of comparisons
    Bench {
        /// Its name
        group: String,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mode = if arguments.files.nested {
        Mode::Nested
    } else {
        Mode::Native
    };
    let Files {
        kernel,
        initramfs,
        programs,
        logs,
        run,
        ..
    } = arguments.files;
    let settings = Settings {
        kernel,
        initramfs,
        programs,
        logs,
        run,
        mode,
    };
    let result = match arguments.what {
        What::Demo { name } => demo(&settings, &name),
        What::Test { long, names, done } => test(&settings, long, &names, &done),
        What::Bench { group } => bench(&settings, &group),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tell(&Event::Failed {
                message: format!("{error:#}"),
            });
            ExitCode::FAILURE
        }
    }
}

fn tell(event: &Event) {
    // Nobody is left to be told that nobody listens.
    event.write_to(&mut io::stdout()).ok();
}

/// Runs `work` in a lab of its own; tells the logs if it fails.
fn in_lab<T>(settings: &Settings, name: &str, work: impl FnOnce(&Lab) -> Result<T>) -> Result<T> {
    let lab = Lab::new(settings, name, Box::new(io::stdout()))?;
    let result = work(&lab);
    if result.is_err() {
        tell(&Event::Logs {
            logs: lab.log_tails()?,
        });
    }
    result
}

fn demo(settings: &Settings, name: &str) -> Result<bool> {
    let all = scenarios::demos();
    let demo = all.iter().find(|demo| demo.name == name);
    let demo = demo.with_context(|| unknown(name, all.iter().map(|demo| demo.name)))?;
    let report = in_lab(settings, name, demo.run)?;
    tell(&Event::Demo(report));
    Ok(true)
}

fn bench(settings: &Settings, name: &str) -> Result<bool> {
    let all = scenarios::groups();
    let group = all.iter().find(|group| group.name == name);
    let group = group.with_context(|| unknown(name, all.iter().map(|group| group.name)))?;
    in_lab(settings, name, group.run)?;
    Ok(true)
}

fn test(settings: &Settings, long: bool, names: &[String], done: &[String]) -> Result<bool> {
    let (usual, lengthy) = (scenarios::tests(), scenarios::long_tests());
    let all = || usual.iter().chain(lengthy);
    for name in names {
        if !all().any(|test| test.name == name) {
            return Err(anyhow!(unknown(name, all().map(|test| test.name))));
        }
    }
    let mut passed = true;
    let unnamed = if long { lengthy } else { &[] };
    let wanted = all().filter(|test| names.iter().any(|name| name == test.name));
    let every = usual.iter().chain(unnamed).filter(|_| names.is_empty());
    let is_done = |name: &str| done.iter().any(|it| it == name);
    for test in wanted.chain(every).filter(|test| !is_done(test.name)) {
        tell(&Event::TestStarted {
            name: test.name.to_owned(),
        });
        let started = Instant::now();
        let error = in_lab(settings, test.name, test.run).err();
        let late = error.as_ref().is_some_and(|error| error.is::<Late>());
        let message = error.map(|error| format!("{error:#}"));
        passed &= message.is_none();
        tell(&Event::Test {
            name: test.name.to_owned(),
            passed: message.is_none(),
            seconds: started.elapsed().as_secs_f64(),
            message,
            late,
        });
    }
    Ok(passed)
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    format!(
        "there is no {name}; there are: {}",
        known.collect::<Vec<_>>().join(", ")
    )
}
