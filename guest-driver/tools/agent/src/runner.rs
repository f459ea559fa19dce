//! Commands under way.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};

/// Starts commands and tells the host what they say and how they end.
#[derive(Debug, Clone)]
pub struct Runner {
    line: Arc<Mutex<File>>,
    running: Arc<Mutex<HashMap<u32, Pid>>>,
}

impl Runner {
    /// `line` leads to the host.
    pub fn new(line: File) -> Self {
        Self {
            line: Arc::new(Mutex::new(line)),
            running: Arc::default(),
        }
    }

    /// Sends one line. Whoever cannot be told cannot be told that either: an error is dropped.
    pub fn say(&self, text: &str) {
        let mut line = held(&self.line);
        line.write_all(format!("{text}\n").as_bytes()).ok();
    }

    /// Runs a command in the background.
    pub fn start(&self, id: u32, command: &str) {
        let child = Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        match child {
            Ok(child) => self.attend(id, child),
            Err(error) => {
                self.say(&format!("{id} e the shell could not be started: {error}"));
                self.say(&format!("{id} x 126"));
            }
        }
    }

    /// Sends a signal to all processes of a command; nothing happens if it has ended.
    pub fn kill(&self, id: u32, signal: i32) {
        let group = held(&self.running).get(&id).copied();
        let signal = Signal::from_named_raw(signal);
        if let (Some(group), Some(signal)) = (group, signal) {
            // It may end at this very moment, which is what was wanted.
            kill_process_group(group, signal).ok();
        }
    }

    fn attend(&self, id: u32, mut child: Child) {
        if let Ok(pid) = i32::try_from(child.id()) {
            held(&self.running).extend(Pid::from_raw(pid).map(|pid| (id, pid)));
        }
        let output = child.stdout.take().map(|pipe| self.forward(id, 'o', pipe));
        let errors = child.stderr.take().map(|pipe| self.forward(id, 'e', pipe));
        let runner = self.clone();
        thread::spawn(move || {
            let status = child.wait();
            held(&runner.running).remove(&id);
            for thread in [output, errors].into_iter().flatten() {
                thread.join().ok();
            }
            runner.say(&format!("{id} x {}", status.map_or(127, code_of)));
        });
    }

    fn forward(
        &self,
        id: u32,
        kind: char,
        pipe: impl Read + Send + 'static,
    ) -> thread::JoinHandle<()> {
        let runner = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                runner.say(&format!("{id} {kind} {}", String::from_utf8_lossy(&line)));
            }
        })
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn code_of(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
