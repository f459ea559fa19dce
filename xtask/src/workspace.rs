//! Where things are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::command;

/// The source tree and the directory for everything built from it.
#[derive(Debug, Deserialize)]
pub struct Workspace {
    #[serde(rename = "workspace_root")]
    root: PathBuf,
    #[serde(rename = "target_directory")]
    target: PathBuf,
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub fn find() -> Result<Self> {
        let mut cargo = cargo();
        cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
        let metadata = command::text(&mut cargo)?;
        serde_json::from_str(&metadata)
            .context("cargo's description of the source tree is not understood")
    }

    /// A path of the source tree.
    pub fn source(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The root of the source tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo builds.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where this tool builds: packages, module, guest programs, images.
    pub fn image_dir(&self) -> PathBuf {
        self.target.join("image")
    }

    /// The packages below a directory that have programs of a kind ("bin", "example"), and these
    /// programs of each.
    pub fn programs_below(&self, directory: &str, kind: &str) -> BTreeMap<String, Vec<String>> {
        let below = self.source(directory);
        let mut found = BTreeMap::new();
        for package in self
            .packages
            .iter()
            .filter(|package| package.manifest_path.starts_with(&below))
        {
            let programs = package
                .targets
                .iter()
                .filter(|target| target.kind.iter().any(|k| k == kind));
            let names: Vec<String> = programs.map(|target| target.name.clone()).collect();
            if !names.is_empty() {
                found.insert(package.name.clone(), names);
            }
        }
        found
    }
}

/// The cargo that runs us, as if from a shell. What it tells us of our own package is not for the
/// build scripts of others: some run again, and all after them, whenever it differs.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()));
        if of_package {
            cargo.env_remove(name);
        }
    }
    cargo
}
