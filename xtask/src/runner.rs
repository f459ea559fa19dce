//! Runs `dvs-scenario` where there is a KVM for stock kernels: here, or in the emulated machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Error, Result};
use dvs_report::{Event, Mode};

use crate::child::{Interrupt, Limits, Stuck, run_lines};
use crate::image::Image;
use crate::machine::{HOME, Job, Machine, host_files, native, run_dir};
use crate::packages;
use crate::programs;
use crate::workspace::Workspace;

/// Without an event for this long, something hangs that has no limit of its own.
pub const SILENCE: Duration = Duration::from_secs(250);

/// So many new machines are started for one piece of work when the emulation stops.
const RESTARTS: u32 = 3;

/// Everything is built, and the way to run it chosen.
#[derive(Debug)]
pub struct Runner<'a> {
    workspace: &'a Workspace,
    interrupt: &'a Interrupt,
    image: Image,
    programs: PathBuf,
    mode: Mode,
}

/// What `dvs-scenario` shall do.
#[derive(Debug)]
pub struct Work {
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Needs QEMU for the peers.
    pub peers: bool,
    /// The whole may take this long.
    pub limit: Duration,
    /// It may tell nothing for this long.
    pub silence: Duration,
}

impl<'a> Runner<'a> {
    /// Builds what is missing or out of date.
    pub fn prepare(workspace: &'a Workspace, interrupt: &'a Interrupt) -> Result<Self> {
        let image = Image::up_to_date(workspace)?;
        let programs = programs::build_host(workspace)?;
        let mode = if native() { Mode::Native } else { Mode::Nested };
        Ok(Self {
            workspace,
            interrupt,
            image,
            programs,
            mode,
        })
    }

    /// Where the guests run.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Does the work; gives every event to `on_event`. True if it succeeded. If the emulated machine
    /// stops for good in the middle, the work is done once more, in a new one.
    pub fn run_to_end(&self, work: &Work, on_event: &mut dyn FnMut(Event)) -> Result<bool> {
        let mut restarts = 0;
        loop {
            match self.run(work, on_event) {
                Err(error) if self.may_restart(&error, restarts) => {
                    restarts += 1;
                    on_event(restarted(&error));
                }
                ended => return ended,
            }
        }
    }

    /// Whether a new machine may do what this error has stopped.
    pub fn may_restart(&self, error: &Error, restarts: u32) -> bool {
        self.mode == Mode::Nested && restarts < RESTARTS && is_stuck(error)
    }

    /// Does the work; gives every event to `on_event`. True if it succeeded.
    pub fn run(&self, work: &Work, on_event: &mut dyn FnMut(Event)) -> Result<bool> {
        let logs = self.workspace.target().join("logs");
        fs::create_dir_all(&logs)?;
        match self.mode {
            Mode::Native => self.run_native(work, &logs, on_event),
            Mode::Nested => self.run_nested(work, &logs, on_event),
        }
    }

    fn run_native(
        &self,
        work: &Work,
        logs: &Path,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<bool> {
        packages::require(packages::FOR_HOSTS)?;
        if work.peers {
            packages::require(packages::FOR_PEERS)?;
        }
        let run = run_dir()?;
        let mut scenario = Command::new(self.programs.join("dvs-scenario"));
        scenario.arg("--kernel").arg(self.image.kernel.bz_image());
        scenario.arg("--initramfs").arg(&self.image.initramfs);
        scenario.arg("--programs").arg(&self.programs);
        scenario
            .arg("--logs")
            .arg(logs)
            .arg("--run")
            .arg(run.path())
            .args(&work.arguments);
        let limits = Limits {
            whole: work.limit,
            silence: work.silence,
            idle: None,
        };
        let status = run_lines(scenario, self.interrupt, limits, |line| {
            tell(line, on_event);
            Ok(())
        })?;
        Ok(status.success())
    }

    fn run_nested(
        &self,
        work: &Work,
        logs: &Path,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<bool> {
        let machine = Machine::up_to_date(self.workspace, &self.image)?;
        let script = format!(
            "#!/bin/sh\nexec dvs-scenario --kernel {HOME}/vmlinuz --initramfs {HOME}/initramfs \
             --programs {HOME}/bin --logs /run/logs --run /run/dvs --nested {}\n",
            work.arguments.join(" ")
        );
        let job = Job {
            script,
            files: host_files(&self.programs),
            interactive: false,
            peers: work.peers,
        };
        on_event(Event::Step {
            text: "this machine has no KVM for stock kernels: emulating one that has".into(),
        });
        let limits = (work.limit, work.silence);
        let code = machine.run(&job, logs, self.interrupt, limits, |line| {
            tell(line, on_event);
        })?;
        Ok(code == 0)
    }
}

/// Whether the work failed since the emulated machine has stopped for good: one or all of its
/// processors wait for interrupts that do not come any more, those of their own timers among them,
/// and its clock stands still, so that not even the limits within it end anything; or its kernel has
/// died in its own code. Nothing that runs in a guest of that machine can do that; the emulation has
/// lost interrupts, or taken the state of a guest for the machine's.
fn is_stuck(error: &Error) -> bool {
    error.downcast_ref::<Stuck>().is_some()
}

/// Tells of a new machine.
pub fn restarted(error: &Error) -> Event {
    Event::Step {
        text: format!("{error:#}: the emulation has stopped; once more, in a new machine"),
    }
}

fn tell(line: &str, on_event: &mut dyn FnMut(Event)) {
    match Event::from_line(line) {
        Some(event) => on_event(event),
        None => eprintln!("{line}"),
    }
}
