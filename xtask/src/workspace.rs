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
        let mut cargo = Command::new(cargo());
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

/// The cargo that runs us.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}
