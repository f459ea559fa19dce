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

/// Runs the command, gives each line of its standard output to `on_line`, and waits for it.
///
/// Ends it when the whole takes longer than `limit` or no line comes for `silence`.
pub fn run_lines(
    mut command: Command,
    interrupt: &Interrupt,
    (limit, silence): (Duration, Duration),
    mut on_line: impl FnMut(&str) -> Result<()>,
) -> Result<ExitStatus> {
    die_with_parent(&mut command);
    let name = crate::command::name(&command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{name} could not be started"))?;
    interrupt.set(libc::pid_t::try_from(child.id()).ok());
    let result = pump(&mut child, (limit, silence), &mut on_line);
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
    (limit, silence): (Duration, Duration),
    on_line: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let lines = lines_of(child)?;
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now()).min(silence);
        match lines.recv_timeout(left) {
            Ok(line) => on_line(&line)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => {
                bail!("not done after {} s", limit.as_secs())
            }
            Err(RecvTimeoutError::Timeout) => {
                bail!("nothing was heard for {} s", silence.as_secs())
            }
        }
    }
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
