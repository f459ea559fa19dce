//! The guest's kernel module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Result, bail};

use crate::command::run;
use crate::kernel::Kernel;
use crate::stamp::{Inputs, files_below, when_changed};
use crate::workspace::Workspace;

/// What the module is made of, below `guest-driver`.
const SOURCES: &[&str] = &["core", "linux"];

/// Builds the module if its sources or the kernel changed; gives its file.
pub fn build(workspace: &Workspace, kernel: &Kernel) -> Result<PathBuf> {
    let place = workspace.image_dir().join("module");
    let product = place.join("linux/virtio_dvs.ko");
    let mut inputs = Inputs::default().word(kernel.release());
    for source in SOURCES {
        inputs = inputs.path(&workspace.source("guest-driver").join(source))?;
    }
    when_changed(&product, inputs, || {
        eprintln!("building virtio_dvs.ko for {}", kernel.release());
        make(workspace, &kernel.headers(), &place, &[]).map(|_| ())
    })?;
    Ok(product)
}

/// Builds the module anew against a kernel's headers, with the kernel's additional warnings and
/// sparse; any word of theirs is an error.
pub fn check(workspace: &Workspace, headers: &Path) -> Result<()> {
    let place = workspace.image_dir().join("module-check");
    let output = make(workspace, headers, &place, &["W=1", "C=2", "CHECK=sparse"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = said.lines().filter(|line| is_complaint(line)).collect();
    if !complaints.is_empty() {
        bail!(
            "the module is not clean under W=1 and sparse:\n{}",
            complaints.join("\n")
        );
    }
    Ok(())
}

fn is_complaint(line: &str) -> bool {
    line.contains("warning:") || line.contains("error:") || line.contains("WARNING:")
}

/// Builds in a fresh copy of the sources, so that the source tree stays clean and nothing old is built.
fn make(workspace: &Workspace, headers: &Path, place: &Path, arguments: &[&str]) -> Result<Output> {
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    for source in SOURCES {
        copy(
            &workspace.source("guest-driver").join(source),
            &place.join(source),
        )?;
    }
    let mut make = Command::new("make");
    make.arg("-C").arg(headers);
    make.arg(format!("M={}", place.join("linux").display()))
        .arg("modules")
        .args(arguments);
    run(&mut make)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files_below(from)? {
        let target = to.join(file.strip_prefix(from)?);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&file, &target)?;
    }
    Ok(())
}
