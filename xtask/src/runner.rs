//! Runs `dvs-scenario` where there is a KVM for stock kernels: here, or in the emulated machine.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use dvs_report::{Event, Mode};

use crate::child::{Interrupt, run_lines};
use crate::image::Image;
use crate::machine::{HOME, Job, Machine, host_files, native, unpack_logs};
use crate::packages;
use crate::programs;
use crate::workspace::Workspace;

/// Without an event for this long, something hangs that has no limit of its own.
const SILENCE: Duration = Duration::from_secs(360);

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
    /// Needs QEMU and networks for the peers.
    pub peers: bool,
    /// The whole may take this long.
    pub limit: Duration,
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

    /// Does the work; gives every event to `on_event`. True if it succeeded.
    pub fn run(&self, work: &Work, on_event: &mut dyn FnMut(Event)) -> Result<bool> {
        let run = tempfile::Builder::new()
            .prefix("dvs-")
            .tempdir()
            .context("a temporary directory cannot be made")?;
        let logs = self.workspace.target().join("logs");
        fs::create_dir_all(&logs)?;
        match self.mode {
            Mode::Native => self.run_native(work, run.path().into(), logs, on_event),
            Mode::Nested => self.run_nested(work, run.path().into(), logs, on_event),
        }
    }

    fn run_native(
        &self,
        work: &Work,
        run: PathBuf,
        logs: PathBuf,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<bool> {
        if work.peers {
            packages::require(packages::FOR_PEERS)?;
        }
        let mut scenario = Command::new(self.programs.join("dvs-scenario"));
        scenario.arg("--kernel").arg(self.image.kernel.bz_image());
        scenario.arg("--initramfs").arg(&self.image.initramfs);
        scenario.arg("--programs").arg(&self.programs);
        scenario
            .arg("--logs")
            .arg(logs)
            .arg("--run")
            .arg(run)
            .args(&work.arguments);
        Ok(self.events(scenario, work.limit, on_event)?.success())
    }

    fn run_nested(
        &self,
        work: &Work,
        run: PathBuf,
        logs: PathBuf,
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
        let (console, archive) = (logs.join("machine.log"), run.join("logs.tar"));
        let qemu = machine.command(&job, &run, &console, &archive)?;
        on_event(Event::Step {
            text: "this machine has no KVM for stock kernels: emulating one that has".into(),
        });
        let mut code = None;
        self.events(qemu, work.limit, &mut |event| match event {
            Event::Exit { code: status } => code = Some(status),
            other => on_event(other),
        })?;
        unpack_logs(&archive, &logs)?;
        match code {
            Some(code) => Ok(code == 0),
            None => bail!(
                "the emulated machine ended early; its console is in {}",
                console.display()
            ),
        }
    }

    fn events(
        &self,
        command: Command,
        limit: Duration,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<ExitStatus> {
        run_lines(command, self.interrupt, (limit, SILENCE), |line| {
            match Event::from_line(line) {
                Some(event) => on_event(event),
                None => eprintln!("{line}"),
            }
            Ok(())
        })
    }
}
