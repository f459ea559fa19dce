//! `cargo xtask simulate`: many random histories, and the proof that they find bugs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::command::{run, run_shown, text};
use crate::packages;
use crate::workspace::{Workspace, cargo};

/// Each of these puts a bug into the tree.
const BUGS: &str = "tests/bugs";
/// Has machines move while they run.
const MOVING: &str = "--moving";
/// A bug that so many histories do not find is not found.
const ENOUGH: u64 = 20_000;

/// What is asked for.
#[derive(Debug)]
pub struct Request {
    /// So many histories.
    pub seeds: u64,
    /// The seed of the first.
    pub first: u64,
    /// Nodes of each cluster; `None`: the seed decides.
    pub nodes: Option<u32>,
    /// Machines move while they run.
    pub moving: bool,
    /// Put bugs into a copy of the tree, and see how many histories find each.
    pub bugs: bool,
}

/// How the simulator is built.
enum Profile {
    /// For many histories.
    Release,
    /// For a few: it is built sooner than it saves time.
    Dev,
}

/// Plays the histories, or those that find the bugs.
pub fn simulate(workspace: &Workspace, request: &Request) -> Result<ExitCode> {
    if request.bugs {
        return find_bugs(workspace);
    }
    let program = build(workspace.root(), workspace.target(), Profile::Release)?;
    let mut command = Command::new(program);
    command.args(["--seeds", &request.seeds.to_string()]);
    command.args(["--first", &request.first.to_string()]);
    if let Some(nodes) = request.nodes {
        command.args(["--nodes", &nodes.to_string()]);
    }
    if request.moving {
        command.arg(MOVING);
    }
    let status = command.status().context("dvs-simulate cannot be started")?;
    Ok(match status.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn build(root: &Path, target: &Path, profile: Profile) -> Result<PathBuf> {
    let (name, directory) = match profile {
        Profile::Release => ("release", "release"),
        Profile::Dev => ("dev", "debug"),
    };
    let mut build = cargo();
    build
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target)
        .args(["build", "--quiet", "--profile", name])
        .args(["--package", "dvs-tests", "--bin", "dvs-simulate"]);
    run_shown(&mut build)?;
    Ok(target.join(directory).join("dvs-simulate"))
}

/// Whether each bug can still be put into the tree.
pub fn bugs_apply(workspace: &Workspace) -> Result<()> {
    for patch in bugs(workspace)? {
        let applied = apply(workspace.root(), &patch, &["--dry-run"]);
        applied.with_context(|| format!("{} does not apply any more", patch.display()))?;
    }
    Ok(())
}

fn bugs(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut patches = fs::read_dir(workspace.source(BUGS))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<PathBuf>>>()?;
    patches.retain(|path| path.extension().is_some_and(|it| it == "patch"));
    patches.sort();
    Ok(patches)
}

fn find_bugs(workspace: &Workspace) -> Result<ExitCode> {
    packages::require(packages::FOR_BUGS)?;
    let place = workspace.target().join("bugs");
    let tree = copy_of_tree(workspace, &place)?;
    let patches = bugs(workspace)?;
    println!("{:>9} {:>9}  bug", "history", "moving");
    let mut all = true;
    for patch in &patches {
        apply(&tree, patch, &[])?;
        let found = first_wrong(&tree, &place.join("target"));
        apply(&tree, patch, &["--reverse"])?;
        let [standing, moving] = found?;
        all &= standing.or(moving).is_some() || is_harmless(patch)?;
        let number = |seed: Option<u64>| seed.map_or("not found".to_owned(), |it| it.to_string());
        let (standing, moving) = (number(standing), number(moving));
        println!("{standing:>9} {moving:>9}  {}", title(patch)?);
    }
    Ok(match all {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The files of the tree, as they are now.
fn copy_of_tree(workspace: &Workspace, place: &Path) -> Result<PathBuf> {
    let tree = place.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    let mut list = Command::new("git");
    list.current_dir(workspace.root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    for file in text(&mut list)?.lines() {
        let (from, to) = (workspace.source(file), tree.join(file));
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap_or(&tree))?;
            fs::copy(&from, &to).with_context(|| format!("{file} cannot be copied"))?;
        }
    }
    Ok(tree)
}

fn apply(tree: &Path, patch: &Path, options: &[&str]) -> Result<()> {
    let mut command = Command::new("patch");
    command
        .current_dir(tree)
        .args(["--quiet", "--strip=1"])
        .args(options)
        .arg("--input")
        .arg(patch);
    run(&mut command).map(|_| ())
}

/// The seed of the first wrong history, where machines stay and where they move.
fn first_wrong(tree: &Path, target: &Path) -> Result<[Option<u64>; 2]> {
    let program = build(tree, target, Profile::Dev)?;
    Ok([play(&program, &[])?, play(&program, &[MOVING])?])
}

fn play(program: &Path, options: &[&str]) -> Result<Option<u64>> {
    let seeds = ENOUGH.to_string();
    let played = Command::new(program)
        .args(["--brief", "--seeds", &seeds])
        .args(options)
        .output()
        .context("dvs-simulate cannot be started")?;
    if played.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&played.stdout);
    let seed = said.lines().find_map(|line| {
        let rest = line.strip_prefix("history ")?;
        rest.split(' ').next()?.parse().ok()
    });
    match seed {
        Some(seed) => Ok(Some(seed)),
        None => bail!("dvs-simulate ended with {}: {said}", played.status),
    }
}

/// What a patch says of itself before it begins: its first line.
fn title(patch: &Path) -> Result<String> {
    let text = fs::read_to_string(patch)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Whether its second line says why it need not be found.
fn is_harmless(patch: &Path) -> Result<bool> {
    let text = fs::read_to_string(patch)?;
    let second = text.lines().nth(1).unwrap_or_default();
    Ok(second.starts_with("Need not be found"))
}
