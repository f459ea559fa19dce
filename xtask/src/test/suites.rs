//! The executables that cargo makes of the workspace's tests.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;

use crate::command::text;
use crate::workspace::{Workspace, cargo};

/// One executable with tests.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Package and target.
    pub name: String,
    /// The file.
    pub executable: PathBuf,
    /// Where it expects to be run.
    pub directory: PathBuf,
    /// Whether it needs /dev/kvm: integration tests whose name begins with `kvm` do.
    pub kvm: bool,
}

/// All of them.
#[derive(Debug)]
pub struct Suites(Vec<Suite>);

#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Suites {
    /// Has cargo build the tests.
    pub fn build(workspace: &Workspace) -> Result<Self> {
        Self::build_with(workspace, &["--workspace"])
    }

    /// Has cargo build the tests chosen by these options.
    pub fn build_with(workspace: &Workspace, options: &[&str]) -> Result<Self> {
        let mut build = cargo();
        build.current_dir(workspace.root());
        build
            .args([
                "test",
                "--no-run",
                "--message-format",
                "json-render-diagnostics",
            ])
            .args(options);
        let messages = text(&mut build)?;
        Ok(Self(messages.lines().filter_map(suite_of).collect()))
    }

    /// Those that need /dev/kvm, or those that do not.
    pub fn that_need_kvm(&self, kvm: bool) -> impl Iterator<Item = &Suite> {
        self.0.iter().filter(move |suite| suite.kvm == kvm)
    }
}

fn suite_of(line: &str) -> Option<Suite> {
    let artifact: Artifact = serde_json::from_str(line).ok()?;
    if !artifact.profile.test {
        return None;
    }
    let directory = artifact.manifest_path.parent()?.to_path_buf();
    let package = directory.file_name().map(Path::new)?.display().to_string();
    let integration = artifact.target.kind.iter().any(|kind| kind == "test");
    Some(Suite {
        name: format!("{package}/{}", artifact.target.name),
        executable: artifact.executable?,
        directory,
        kvm: integration && artifact.target.name.starts_with("kvm"),
    })
}

/// What the lines of a suite's output said of its tests.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// How many passed.
    pub passed: u64,
    /// Names of those that failed, or that somebody has switched off.
    pub failed: Vec<String>,
}

impl Results {
    /// Takes a line of the output.
    pub fn line(&mut self, line: &str) {
        let Some(test) = line.strip_prefix("test ") else {
            return;
        };
        let Some((name, result)) = test.rsplit_once(" ... ") else {
            return;
        };
        match result.split(',').next().unwrap_or_default() {
            "ok" => self.passed += 1,
            "FAILED" => self.failed.push(name.to_owned()),
            "ignored" => self.failed.push(format!("{name} (switched off)")),
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "suites_test.rs"]
mod tests;
