//! Debian's cloud kernel, its headers and a static busybox: downloaded and unpacked, not installed.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::run;
use crate::packages;
use crate::stamp::{Inputs, when_changed};

/// The unpacked kernel.
#[derive(Debug)]
pub struct Kernel {
    root: PathBuf,
    release: String,
}

/// A module and where it lies below `/lib/modules/RELEASE`.
pub type ModulePath = String;

impl Kernel {
    /// Unpacks the packages below `dir` unless that was done before.
    ///
    /// What was unpacked once stays, so that no network is needed afterwards.
    pub fn unpacked(dir: &Path) -> Result<Self> {
        let root = dir.join("debian");
        let release_file = root.join("release");
        // The headers name their own place, so a moved tree is unpacked again.
        let inputs = Inputs::default().word("2").word(&root.to_string_lossy());
        when_changed(&release_file, inputs, || {
            packages::with_current_lists(|| unpack(dir, &root, &release_file))
        })?;
        let release = fs::read_to_string(&release_file)?;
        Ok(Self { root, release })
    }

    /// As `uname -r` says it in a guest.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The bzImage.
    pub fn bz_image(&self) -> PathBuf {
        self.root.join(format!("boot/vmlinuz-{}", self.release))
    }

    /// For `make -C`.
    pub fn headers(&self) -> PathBuf {
        self.root
            .join(format!("usr/src/linux-headers-{}", self.release))
    }

    /// Statically linked.
    pub fn busybox(&self) -> PathBuf {
        self.root.join("bin/busybox")
    }

    /// The module's file.
    pub fn module(&self, module: &ModulePath) -> PathBuf {
        self.modules_dir().join(module)
    }

    fn modules_dir(&self) -> PathBuf {
        self.root.join("lib/modules").join(&self.release)
    }

    /// The named modules and all that they need, in an order in which they can be loaded.
    pub fn closure(&self, names: &[&str]) -> Result<Vec<ModulePath>> {
        let table = fs::read_to_string(self.modules_dir().join("modules.dep"))?;
        closure_in(&table, names)
    }
}

/// Headers of another kernel, to compile the module against.
#[derive(Debug)]
pub struct Headers {
    root: PathBuf,
    release: String,
}

impl Headers {
    /// Unpacks the headers that this package of dependencies stands for, unless that was done before.
    pub fn unpacked(dir: &Path, package: &str) -> Result<Self> {
        let root = dir.join(package);
        let release_file = root.join("release");
        let inputs = Inputs::default().word("1").word(&root.to_string_lossy());
        when_changed(&release_file, inputs, || {
            packages::with_current_lists(|| unpack_headers(package, &root, &release_file))
        })?;
        let release = fs::read_to_string(&release_file)?;
        Ok(Self { root, release })
    }

    /// As `uname -r` says it.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// For `make -C`.
    pub fn path(&self) -> PathBuf {
        self.root
            .join(format!("usr/src/linux-headers-{}", self.release))
    }
}

fn unpack_headers(package: &str, root: &Path, release_file: &Path) -> Result<()> {
    eprintln!("downloading {package}");
    let archives = root.join("packages");
    empty(&[root])?;
    let headers = packages::resolve(package)?;
    let release = headers
        .strip_prefix("linux-headers-")
        .context("the headers' package has an odd name")?;
    let build = HeaderPackages::of(release)?;
    packages::unpack(&[&headers, &build.common, &build.kbuild], &archives, root)?;
    build.place(root, &headers)?;
    fs::write(release_file, release)?;
    Ok(())
}

/// What headers need beside themselves.
struct HeaderPackages {
    common: String,
    kbuild: String,
}

impl HeaderPackages {
    /// Of a release such as `6.1.0-56-cloud-amd64`. The tools of 6.1 are one package for all its
    /// releases, those of later kernels one for each.
    fn of(release: &str) -> Result<Self> {
        let (version, _) = release
            .split_once("-cloud")
            .context("the kernel's release has an odd name")?;
        let kbuild = if version.starts_with("6.1.0") {
            major_minor(version)?
        } else {
            version.to_owned()
        };
        Ok(Self {
            common: format!("linux-headers-{version}-common"),
            kbuild: format!("linux-kbuild-{kbuild}"),
        })
    }

    /// The headers' makefile names the place where they would be installed.
    fn place(&self, root: &Path, headers: &str) -> Result<()> {
        let makefile = root.join(format!("usr/src/{headers}/Makefile"));
        let include = format!(
            "include {}/usr/src/{}/Makefile\n",
            root.display(),
            self.common
        );
        fs::write(makefile, include)?;
        Ok(())
    }
}

fn empty(directories: &[&Path]) -> Result<()> {
    for old in directories {
        if old.exists() {
            fs::remove_dir_all(old)?;
        }
    }
    Ok(())
}

fn unpack(dir: &Path, root: &Path, release_file: &Path) -> Result<()> {
    eprintln!("downloading Debian's cloud kernel, its headers and busybox");
    let archives = dir.join("packages");
    empty(&[root, &archives])?;
    let image = packages::resolve("linux-image-cloud-amd64")?;
    let release = image
        .strip_prefix("linux-image-")
        .context("the kernel's package has an odd name")?
        .to_owned();
    let headers = format!("linux-headers-{release}");
    let build = HeaderPackages::of(&release)?;
    packages::unpack(
        &[
            &image,
            &headers,
            &build.common,
            &build.kbuild,
            "busybox-static",
        ],
        &archives,
        root,
    )?;
    build.place(root, &headers)?;
    run(Command::new("depmod")
        .env("PATH", with_sbin())
        .arg("-b")
        .arg(root)
        .arg(&release))?;
    fs::write(release_file, release)?;
    Ok(())
}

/// `depmod` is in /sbin, which is not on everybody's path.
fn with_sbin() -> String {
    format!(
        "{}:/usr/sbin:/sbin",
        std::env::var("PATH").unwrap_or_default()
    )
}

/// `6.1.0-56` gives `6.1`.
fn major_minor(version: &str) -> Result<String> {
    let mut parts = version.split('.');
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => Ok(format!("{major}.{minor}")),
        _ => bail!("{version} is no version of a kernel"),
    }
}

/// `table` is depmod's: `path: needed needed …`, what is needed first comes last.
fn closure_in(table: &str, names: &[&str]) -> Result<Vec<ModulePath>> {
    let mut order = Vec::new();
    let mut seen = HashSet::new();
    for name in names {
        let file = format!("/{name}.ko");
        let (path, needs) = table
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(path, _)| path.ends_with(&file))
            .with_context(|| format!("the kernel has no module {name}"))?;
        for module in needs.split_whitespace().rev().chain([path]) {
            if seen.insert(module.to_owned()) {
                order.push(module.to_owned());
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
#[path = "kernel_test.rs"]
mod tests;
