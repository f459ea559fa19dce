//! Programs: those of the guests (static) and those of the host.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{run, run_shown, text};
use crate::stamp::{Inputs, files_below, when_changed};
use crate::workspace::{Workspace, cargo};

/// The target of the guests' Rust programs. Naming it keeps their flags away from build scripts.
const GUEST_TARGET: &str = "x86_64-unknown-linux-gnu";
/// The host's packages with programs.
const HOST_PACKAGES: &[&str] = &["dvs-vmm", "virtio-dvs", "dvs-tests", "pingpong"];
/// The host's programs.
pub const HOST_PROGRAMS: &[&str] = &["dvs-vmm", "dvs-node", "dvsctl", "dvs-scenario", "pingpong"];

/// Builds the host's programs; gives the directory where they are.
pub fn build_host(workspace: &Workspace) -> Result<PathBuf> {
    let mut build = cargo();
    build
        .current_dir(workspace.root())
        .args(["build", "--release", "--bins"]);
    for package in HOST_PACKAGES {
        build.args(["--package", package]);
    }
    eprintln!("building the host's programs");
    run_shown(&mut build)?;
    Ok(workspace.target().join("release"))
}

/// Builds all guest programs; gives them by name.
pub fn build_guest(workspace: &Workspace) -> Result<BTreeMap<String, PathBuf>> {
    let mut programs = build_c(workspace)?;
    programs.extend(build_rust(workspace)?);
    Ok(programs)
}

/// Each C file, and each directory of C files, in `guest-driver/tools` is a program.
fn build_c(workspace: &Workspace) -> Result<BTreeMap<String, PathBuf>> {
    let driver = workspace.source("guest-driver");
    let library = c_files(&driver.join("libdvs"))?;
    let mut programs = BTreeMap::new();
    for entry in fs::read_dir(driver.join("tools"))? {
        let path = entry?.path();
        let sources = c_files(&path)?;
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
            continue;
        };
        if sources.is_empty() {
            continue;
        }
        let product = workspace.image_dir().join("programs").join(name);
        compile(&driver, &sources, &library, &product)?;
        programs.insert(name.to_owned(), product);
    }
    Ok(programs)
}

fn compile(driver: &Path, sources: &[PathBuf], library: &[PathBuf], product: &Path) -> Result<()> {
    let mut gcc = Command::new("gcc");
    gcc.args(["-static", "-O2", "-pthread", "-Wall", "-Wextra", "-Werror"]);
    for include in [
        "libdvs",
        "libdvs/include",
        "libdvs/libdvk/include",
        "linux/include/uapi",
    ] {
        gcc.arg("-I").arg(driver.join(include));
    }
    gcc.args(sources).args(library).arg("-o").arg(product);
    let mut inputs = Inputs::default().word(&format!("{gcc:?}"));
    for source in sources {
        inputs = inputs.path(source)?;
    }
    for directory in ["libdvs", "linux/include"] {
        inputs = inputs.path(&driver.join(directory))?;
    }
    when_changed(product, inputs, || {
        eprintln!("building {}", product.display());
        run(&mut gcc).map(|_| ())
    })?;
    Ok(())
}

fn c_files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut files = files_below(path)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "c"));
    Ok(files)
}

/// All programs of the workspace's packages below `guest-driver`, and the examples there.
fn build_rust(workspace: &Workspace) -> Result<BTreeMap<String, PathBuf>> {
    let mut programs = build_rust_kind(workspace, "bin", &["--bins"])?;
    // On their own: the features that they need are not for the other programs.
    let examples = ["--examples", "--all-features"];
    programs.extend(build_rust_kind(workspace, "example", &examples)?);
    Ok(programs)
}

fn build_rust_kind(
    workspace: &Workspace,
    kind: &str,
    arguments: &[&str],
) -> Result<BTreeMap<String, PathBuf>> {
    let packages = workspace.programs_below("guest-driver", kind);
    let mut build = cargo();
    build
        .current_dir(workspace.root())
        .args(["build", "--release", "--target", GUEST_TARGET])
        .args(arguments);
    build.args([
        "--config",
        &format!("target.{GUEST_TARGET}.rustflags=['-C','target-feature=+crt-static']"),
    ]);
    for package in packages.keys() {
        build.args(["--package", package]);
    }
    run_shown(&mut build)?;
    let mut built = workspace.target().join(GUEST_TARGET).join("release");
    if kind == "example" {
        built.push("examples");
    }
    let mut programs = BTreeMap::new();
    for name in packages.into_values().flatten() {
        let product = stripped(&built.join(&name), &workspace.image_dir().join("programs"))?;
        programs.insert(name, product);
    }
    Ok(programs)
}

/// A copy of a program without debugging information.
pub fn stripped(program: &Path, into: &Path) -> Result<PathBuf> {
    let name = program.file_name().context("a program has a name")?;
    let product = into.join(name);
    when_changed(&product, Inputs::default().path(program)?, || {
        run(Command::new("strip").arg("-o").args([&product, program])).map(|_| ())
    })?;
    Ok(product)
}

/// The shared libraries that a program loads, with the loader, by absolute path.
pub fn libraries(program: &Path) -> Result<Vec<String>> {
    let listing = text(Command::new("ldd").arg(program))?;
    Ok(libraries_in(&listing))
}

fn libraries_in(listing: &str) -> Vec<String> {
    let paths = listing.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.into_iter().find(|word| word.starts_with('/'))
    });
    paths.map(str::to_owned).collect()
}

#[cfg(test)]
#[path = "programs_test.rs"]
mod tests;
