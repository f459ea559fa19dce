//! Debian packages: what this machine must have installed, and what is only downloaded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{run, run_shown, text};

/// To build the guest image.
pub const FOR_IMAGE: &[&str] = &["gcc", "libc6-dev", "make", "gcc-12", "libelf1", "kmod"];
/// To emulate a machine.
pub const FOR_MACHINE: &[&str] = &["qemu-system-x86"];
/// To run several hosts: the networks between them, and their directory.
pub const FOR_HOSTS: &[&str] = &["iproute2", "etcd-server"];
/// To run guests of QEMU next to ours.
pub const FOR_PEERS: &[&str] = &["qemu-system-x86"];
/// To put bugs into a copy of the tree.
pub const FOR_BUGS: &[&str] = &["patch"];
/// To check the sources, and for the tests of the directory of a cluster.
pub const FOR_TESTS: &[&str] = &[
    "patch",
    "sparse",
    "clang",
    "libclang-rt-14-dev",
    "pahole",
    "etcd-server",
];

/// Makes sure that the packages are installed: by apt-get if we are root, else by telling how.
pub fn require(packages: &[&str]) -> Result<()> {
    let missing = missing(packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() {
        bail!(
            "Debian packages are missing. Install them with:\n\n    sudo apt-get update && sudo apt-get install -y {}\n",
            missing.join(" ")
        );
    }
    eprintln!("installing {}", missing.join(" "));
    with_current_lists(|| install(&missing))
}

/// Tries; if that fails and we are root, updates apt's lists, which may name packages that the
/// archive has replaced since, and tries once more.
pub fn with_current_lists<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    attempt().or_else(|error| {
        if !is_root() {
            return Err(error.context("if apt's lists are old, run: sudo apt-get update"));
        }
        run_shown(Command::new("apt-get").args(["update", "--quiet"]))?;
        attempt()
    })
}

fn install(packages: &[&str]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt.args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    run(&mut apt).map(|_| ())
}

fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
        .args(packages)
        .output()
        .context("dpkg-query could not be started: this needs a Debian system")?;
    let known = String::from_utf8_lossy(&output.stdout);
    let installed = |package: &str| {
        known
            .lines()
            .any(|line| line == format!("{package} installed"))
    };
    Ok(packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect())
}

/// Whether we may install packages and make network namespaces.
pub fn is_root() -> bool {
    // SAFETY: geteuid only returns a number.
    unsafe { libc::geteuid() == 0 }
}

/// The package that a package of only dependencies stands for today:
/// `linux-image-cloud-amd64` gives `linux-image-6.1.0-…-cloud-amd64`.
pub fn resolve(package: &str) -> Result<String> {
    let listing = text(Command::new("apt-cache").args(["depends", "--important", package]))?;
    listing
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "))
        .map(str::to_owned)
        .with_context(|| format!("apt-cache knows no {package}"))
}

/// Downloads packages into `into` and unpacks all of them below `root`; nothing is installed.
pub fn unpack(packages: &[&str], into: &Path, root: &Path) -> Result<()> {
    fs::create_dir_all(into)?;
    fs::create_dir_all(root)?;
    let mut apt = Command::new("apt-get");
    apt.current_dir(into).arg("download");
    if is_root() {
        apt.args(["--option", "APT::Sandbox::User=root"]);
    }
    run(apt.args(packages)).context("packages could not be downloaded")?;
    for archive in archives(into)? {
        run(Command::new("dpkg-deb")
            .arg("--extract")
            .args([&archive, root]))?;
    }
    Ok(())
}

fn archives(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            found.push(path);
        }
    }
    Ok(found)
}
