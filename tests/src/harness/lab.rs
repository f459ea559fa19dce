//! Where a scenario runs: the files it uses, where it logs, and whom it tells.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use dvs_report::{Event, Log, Mode};

/// Files and directories.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Kernel of the guests.
    pub kernel: PathBuf,
    /// Their initramfs.
    pub initramfs: PathBuf,
    /// Directory of the host's programs.
    pub programs: PathBuf,
    /// Directory for logs; each scenario has one of its own in it.
    pub logs: PathBuf,
    /// Directory for sockets; a short path.
    pub run: PathBuf,
    /// Where the guests run.
    pub mode: Mode,
}

impl Settings {
    /// One of the host's programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

/// Lines of a log that are shown when something fails.
const TAIL_LINES: usize = 60;

/// The surroundings of one scenario.
pub struct Lab {
    settings: Settings,
    logs: PathBuf,
    run: PathBuf,
    out: Mutex<Box<dyn Write + Send>>,
}

impl std::fmt::Debug for Lab {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Lab")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Lab {
    /// Makes empty directories for the scenario `name`; events go to `out`.
    ///
    /// # Errors
    /// Fails if a directory cannot be made, or kernel, initramfs or a program is missing.
    pub fn new(settings: &Settings, name: &str, out: Box<dyn Write + Send>) -> Result<Self> {
        for file in [
            &settings.kernel,
            &settings.initramfs,
            &settings.program("dvs-vmm"),
            &settings.program("dvs-node"),
        ] {
            fs::metadata(file).with_context(|| format!("{} is missing", file.display()))?;
        }
        let logs = settings.logs.join(name);
        let run = settings.run.join(name);
        for directory in [&logs, &run] {
            if directory.exists() {
                fs::remove_dir_all(directory)?;
            }
            fs::create_dir_all(directory)
                .with_context(|| format!("{} cannot be made", directory.display()))?;
        }
        Ok(Self {
            settings: settings.clone(),
            logs,
            run,
            out: Mutex::new(out),
        })
    }

    /// The files.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A file for a log.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// A file that is kept beside the logs.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.logs.join(name)
    }

    /// A path for a socket or a configuration.
    #[must_use]
    pub fn run_path(&self, name: &str) -> PathBuf {
        self.run.join(name)
    }

    /// Tells an event. An error is dropped: whoever listened has gone, and will end us.
    pub fn tell(&self, event: &Event) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        event.write_to(out.as_mut()).ok();
    }

    /// Tells what happens, in a sentence.
    pub fn say(&self, text: impl Into<String>) {
        self.tell(&Event::Step { text: text.into() });
    }

    /// A command for a program of this host; alone in its network namespace if we are root.
    #[must_use]
    pub fn isolated(&self, program: &Path) -> Command {
        if !rustix::process::geteuid().is_root() {
            return Command::new(program);
        }
        let mut unshare = Command::new("unshare");
        unshare.arg("-n").arg(program);
        unshare
    }

    /// The ends of all logs of the scenario.
    ///
    /// # Errors
    /// Fails if they cannot be read.
    pub fn log_tails(&self) -> Result<Vec<Log>> {
        let mut logs = Vec::new();
        for entry in fs::read_dir(&self.logs)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "log") {
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines
                .get(lines.len().saturating_sub(TAIL_LINES)..)
                .unwrap_or_default();
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if !tail.is_empty() {
                logs.push(Log {
                    name,
                    text: tail.join("\n"),
                });
            }
        }
        logs.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(logs)
    }
}
