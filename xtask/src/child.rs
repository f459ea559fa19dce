//! A child process that never outlives us, and whose lines are read under a time limit.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Ends the children when the person does: on SIGINT, SIGTERM or SIGHUP.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    asked: Arc<AtomicBool>,
    child: Arc<Mutex<Option<libc::pid_t>>>,
}

impl Interrupt {
    /// Starts to listen for the signals.
    pub fn listen() -> Result<Self> {
        let interrupt = Self::default();
        let handler = interrupt.clone();
        ctrlc::set_handler(move || handler.fire()).context("signals cannot be handled")?;
        Ok(interrupt)
    }

    fn fire(&self) {
        let child = *self.child.lock().unwrap_or_else(PoisonError::into_inner);
        self.asked.store(true, Ordering::SeqCst);
        let Some(child) = child else {
            std::process::exit(130)
        };
        // SAFETY: kill only sends a signal; the child was not waited for yet, so the number is still its own.
        unsafe { libc::kill(child, libc::SIGTERM) };
    }

    fn set(&self, child: Option<libc::pid_t>) {
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = child;
    }
}

/// When a child is given up.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The whole may take this long.
    pub whole: Duration,
    /// It may say nothing for this long: [`Stuck::Silent`].
    pub silence: Duration,
    /// It may say nothing and use no processor for this long: [`Stuck::Idle`].
    pub idle: Option<Duration>,
}

impl Limits {
    /// The whole, and silence, may last this long.
    pub const fn both(limit: Duration) -> Self {
        Self {
            whole: limit,
            silence: limit,
            idle: None,
        }
    }
}

/// The child does nothing any more.
#[derive(Debug, thiserror::Error)]
pub enum Stuck {
    /// It has not spoken for so long.
    #[error("nothing was heard for {} s", .0.as_secs())]
    Silent(Duration),
    /// Nor did it use a processor.
    #[error("it said nothing and used no processor for {} s", .0.as_secs())]
    Idle(Duration),
    /// It was a machine, and its kernel has died.
    #[error("its kernel died: {0}")]
    Dead(String),
}

/// Runs the command, gives each line of its standard output to `on_line`, and waits for it.
///
/// Ends it at its limits.
pub fn run_lines(
    mut command: Command,
    interrupt: &Interrupt,
    limits: Limits,
    mut on_line: impl FnMut(&str) -> Result<()>,
) -> Result<ExitStatus> {
    die_with_parent(&mut command);
    let name = crate::command::name(&command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{name} could not be started"))?;
    interrupt.set(libc::pid_t::try_from(child.id()).ok());
    let result = pump(&mut child, limits, &mut on_line);
    interrupt.set(None);
    if result.is_err() {
        child.kill().ok();
    }
    let status = child.wait()?;
    if interrupt.asked.load(Ordering::SeqCst) {
        bail!("interrupted");
    }
    result
        .map(|()| status)
        .with_context(|| format!("{name} was ended"))
}

fn pump(
    child: &mut Child,
    limits: Limits,
    on_line: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let lines = lines_of(child)?;
    let end = Instant::now() + limits.whole;
    let mut heard = Instant::now();
    let mut used = processor_time(child.id());
    loop {
        let now = Instant::now();
        let patience = (heard + limits.silence).min(end);
        let look = limits.idle.map_or(patience, |idle| now + idle);
        match lines.recv_timeout(patience.min(look).saturating_duration_since(now)) {
            Ok(line) => {
                on_line(&line)?;
                heard = Instant::now();
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => {
                bail!("not done after {} s", limits.whole.as_secs())
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() >= patience => {
                return Err(Stuck::Silent(limits.silence).into());
            }
            Err(RecvTimeoutError::Timeout) => {
                let before = used;
                used = processor_time(child.id());
                if let Some(idle) = limits.idle
                    && is_idle(before, used, idle)
                {
                    return Err(Stuck::Idle(idle).into());
                }
            }
        }
    }
}

/// Whether less than a hundredth of one processor was used between two looks.
fn is_idle(before: Option<Duration>, now: Option<Duration>, between: Duration) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => now.saturating_sub(before) * 100 < between,
        _ => false,
    }
}

/// Processor time that a process has used so far; None where that cannot be told.
fn processor_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    processor_time_in(&stat)
}

/// User and system time are the 14th and 15th field of `stat`, in hundredths of a second (Linux's
/// USER_HZ on x86). The second field, the program's name, may hold anything.
fn processor_time_in(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(10 * (user + system)))
}

fn lines_of(child: &mut Child) -> Result<Receiver<String>> {
    let stdout = child
        .stdout
        .take()
        .context("the child has no standard output")?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line)
                .trim_end_matches('\r')
                .to_owned();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Has the kernel end the child when we die, however that happens.
pub fn die_with_parent(command: &mut Command) {
    // SAFETY: prctl is safe between fork and exec and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0 {
                Ok(())
            } else {
                Err(std::io::Error::last_os_error())
            }
        });
    }
}

#[cfg(test)]
#[path = "child_test.rs"]
mod tests;
