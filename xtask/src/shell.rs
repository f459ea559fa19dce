//! `cargo xtask machine`: the emulated machine for anything one wants to try.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::child::{Interrupt, die_with_parent};
use crate::image::Image;
use crate::machine::{Job, Machine, host_files, run_dir};
use crate::programs;
use crate::workspace::Workspace;

/// What the person asked for.
#[derive(Debug)]
pub struct Request {
    /// Files to have in /files.
    pub files: Vec<PathBuf>,
    /// Have QEMU too.
    pub qemu: bool,
    /// Limit in seconds.
    pub timeout: u64,
    /// The command line; none: a shell.
    pub command: Vec<String>,
}

/// Boots the machine for the request; gives the command's exit status.
pub fn run(workspace: &Workspace, interrupt: &Interrupt, request: &Request) -> Result<ExitCode> {
    let image = Image::up_to_date(workspace)?;
    let programs = programs::build_host(workspace)?;
    let machine = Machine::up_to_date(workspace, &image)?;
    let job = job(request, &programs)?;
    if job.interactive {
        return interactive(&machine, &job);
    }
    let logs = workspace.target().join("logs");
    let limit = Duration::from_secs(request.timeout);
    let code = machine.run(&job, &logs, interrupt, (limit, limit), |line| {
        println!("{line}");
    })?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

fn interactive(machine: &Machine, job: &Job) -> Result<ExitCode> {
    let run = run_dir()?;
    let mut qemu = machine.terminal(job, run.path())?;
    die_with_parent(&mut qemu);
    let status = qemu
        .status()
        .context("qemu-system-x86_64 could not be started")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn job(request: &Request, programs: &Path) -> Result<Job> {
    let mut files = host_files(programs);
    for file in &request.files {
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{} is no file", file.display()))?;
        files.push((format!("/files/{name}"), file.clone()));
    }
    let interactive = request.command.is_empty();
    let line = if interactive {
        "exec sh".into()
    } else {
        request.command.join(" ")
    };
    Ok(Job {
        script: format!("#!/bin/sh\n{line}\n"),
        files,
        interactive,
        peers: request.qemu,
    })
}
