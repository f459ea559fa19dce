//! A process on this host: logged, bounded in time, never left behind.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, PipeReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::Late;

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts a program with its output in the file `log`.
    ///
    /// # Errors
    /// Fails if the program or the log cannot be opened.
    pub fn start(name: &str, command: Command, log: &Path) -> Result<Self> {
        let output = open_log(log)?;
        let errors = output.try_clone()?;
        Self::spawn(name, command, output.into(), errors)
    }

    /// Starts a program whose output is read by the caller; its errors go to the file `log`.
    ///
    /// # Errors
    /// Fails if the program or the log cannot be opened.
    pub fn start_piped(name: &str, command: Command, log: &Path) -> Result<(Self, PipeReader)> {
        let (reader, writer) = io::pipe()?;
        let process = Self::spawn(name, command, writer.into(), open_log(log)?)?;
        Ok((process, reader))
    }

    fn spawn(name: &str, mut command: Command, output: Stdio, errors: File) -> Result<Self> {
        command
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        die_with_parent(&mut command);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .spawn()
            .with_context(|| format!("{program} could not be started"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
        })
    }

    /// Its name in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Fails if it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.wait_at_most(limit)?.ok_or_else(|| {
            let text = format!("{} has not ended in {} s", self.name, limit.as_secs());
            Late(text).into()
        })
    }

    /// Waits for its end, but not longer than this; none: it still runs.
    ///
    /// # Errors
    /// Fails if the system cannot tell.
    pub fn wait_at_most(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(Some(status));
        }
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("a process has a number")?;
        let handle = pidfd_open(pid, PidfdFlags::empty())?;
        let limit = Timespec::try_from(limit)?;
        let mut events = [PollFd::new(&handle, PollFlags::IN)];
        if poll(&mut events, Some(&limit))? == 0 {
            return Ok(None);
        }
        Ok(Some(self.child.wait()?))
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    /// Fails if the system cannot tell.
    pub fn ended(&mut self) -> Result<Option<String>> {
        let status = self.child.try_wait()?;
        Ok(status.map(|status| match status.signal() {
            Some(signal) => format!("{} was ended by signal {signal}", self.name),
            None => format!("{} ended with {status}", self.name),
        }))
    }

    /// Kills it at once, as a crash would, and waits for its end.
    pub fn kill(&mut self) {
        // It fails only if the process has ended before, which is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// What its threads whose names do not start with `except` have run so far.
    ///
    /// # Errors
    /// Fails if the process has ended, or the kernel keeps no such account.
    pub fn activity_except(&self, except: &str) -> Result<Activity> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let mut sum = Activity::default();
        for task in fs::read_dir(&tasks).with_context(|| format!("{} has ended", self.name))? {
            let task = task?.path();
            if !fs::read_to_string(task.join("comm"))?.starts_with(except) {
                let account = fs::read_to_string(task.join("schedstat"))?;
                let one = Activity::of(&account);
                sum = sum.and(one.with_context(|| format!("{tasks} is not understood"))?);
            }
        }
        Ok(sum)
    }
}

/// What threads have run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Activity {
    /// Time on a CPU.
    pub time: Duration,
    /// How often they were put on a CPU: each time that they were woken, at least.
    pub runs: u64,
}

impl Activity {
    /// From `schedstat`: nanoseconds on a CPU, nanoseconds of waiting for one, runs.
    fn of(account: &str) -> Option<Self> {
        let mut fields = account.split_whitespace();
        let nanoseconds = fields.next()?.parse().ok()?;
        Some(Self {
            time: Duration::from_nanos(nanoseconds),
            runs: fields.nth(1)?.parse().ok()?,
        })
    }

    /// The sum.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            time: self.time + other.time,
            runs: self.runs + other.runs,
        }
    }

    /// What was added since.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            time: self.time.saturating_sub(before.time),
            runs: self.runs.saturating_sub(before.runs),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn open_log(log: &Path) -> Result<File> {
    let file = File::options().create(true).append(true).open(log);
    file.with_context(|| format!("{} cannot be written", log.display()))
}

/// Has the kernel kill the child when the thread that started it ends, however that happens.
fn die_with_parent(command: &mut Command) {
    // SAFETY: prctl may be called between fork and exec, and touches no memory.
    unsafe {
        command.pre_exec(|| {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0 {
                return Ok(());
            }
            Err(io::Error::last_os_error())
        });
    }
}

/// Has the child enter a network namespace before its program runs. What the file is shows then: a program
/// cannot be started in one that is not there.
pub fn enter_network(command: &mut Command, namespace: &Path) {
    let file = CString::new(namespace.as_os_str().as_bytes());
    // SAFETY: open and setns may be called between fork and exec; the name was made before.
    unsafe {
        command.pre_exec(move || {
            let file = file.as_ref().map_err(|_| io::ErrorKind::InvalidFilename)?;
            let namespace = libc::open(file.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            if namespace >= 0 && libc::setns(namespace, libc::CLONE_NEWNET) == 0 {
                return Ok(());
            }
            Err(io::Error::last_os_error())
        });
    }
}

#[cfg(test)]
#[path = "process_test.rs"]
mod tests;
