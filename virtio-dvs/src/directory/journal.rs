//! The local directory's state file: one JSON object a line, each one change.
//!
//! Lines are appended as changes happen and rewritten in one piece when many of them are out of
//! date. They are not forced to the disk: the file is there for a node that is started again, and
//! when the host itself restarts, its VMs are over anyway (that is what `boot` is for).

use crate::directory::{Owner, Token};
use crate::privileges::Privileges;
use crate::vm::{DcAttributes, VmAttributes};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Largest state file that is read, in bytes.
const FILE_MAX: u64 = 64 << 20;
/// Lines that may be out of date before the file is rewritten.
const STALE_LINES_MAX: usize = 4096;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Change {
    /// First line: format, the host's boot, and numbers that were given out before.
    Head {
        format: u32,
        boot: String,
        incarnation: u32,
        generation: u32,
    },
    Join {
        attributes: VmAttributes,
        dc: DcAttributes,
    },
    Leave {
        vm: u32,
    },
    Begin(Owner),
    Driving(Owner),
    End(Owner),
    Bind {
        dcid: u32,
        number: i32,
        owner: Owner,
        generation: u32,
        nonce: u64,
    },
    Unbind {
        dcid: u32,
        number: i32,
    },
    Privilege {
        dcid: u32,
        number: i32,
        privileges: Privileges,
    },
    Offer {
        dcid: u32,
        number: i32,
        token: Option<Token>,
    },
    Take {
        dcid: u32,
        number: i32,
        owner: Owner,
        nonce: u64,
    },
}

/// The version of the format that is written. What an older one said is still understood: each
/// version has only added to the one before it.
pub(super) const FORMAT: u32 = 3;
/// The oldest version that is understood. 1 knew neither privileges nor administrators, 2 no
/// endpoints that change hands.
pub(super) const FORMAT_OLDEST: u32 = 1;

/// Why a state file cannot be used.
#[derive(Debug, Error)]
pub enum StateFileError {
    /// It cannot be read or written.
    #[error("cannot use the state file {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is not a state file of this version.
    #[error(
        "line {line} of the state file {path} is not understood: {reason}; move the file away to start without VMs"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// It is larger than any node writes.
    #[error(
        "the state file {path} is larger than {FILE_MAX} bytes; move it away to start without VMs"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Another node uses it.
    #[error("the state file {path} is in use by another node")]
    InUse {
        /// The file.
        path: PathBuf,
    },
}

/// An open state file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Held for as long as the journal is open, so that two nodes never share a file.
    _lock: File,
    lines: usize,
}

impl Journal {
    /// Opens the file, gives its changes to `replay`, and rewrites it as what `snapshot` gives then.
    pub(super) fn open(path: &Path) -> Result<(Journal, Vec<Change>), StateFileError> {
        let fail = |error| StateFileError::Io {
            path: path.to_path_buf(),
            error,
        };
        let lock = lock(path)?;
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(fail)?;
        let changes = read(path, &file)?;
        let journal = Journal {
            path: path.to_path_buf(),
            file,
            _lock: lock,
            lines: changes.len(),
        };
        Ok((journal, changes))
    }

    /// A journal that takes nothing.
    #[cfg(test)]
    pub(super) fn read_only(file: &File) -> Journal {
        use std::os::fd::AsRawFd;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let open = || File::open(&path).expect("it is open already");
        Journal {
            file: open(),
            _lock: open(),
            path: path.clone(),
            lines: 0,
        }
    }

    /// Records one change.
    pub(super) fn append(&mut self, change: &Change) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(&line(change)?) {
            // Half a line would spoil the next one.
            self.file.set_len(length)?;
            return Err(error);
        }
        self.lines += 1;
        Ok(())
    }

    /// Whether so much of the file is out of date that it should be rewritten; `live` lines are not.
    pub(super) fn is_stale(&self, live: usize) -> bool {
        self.lines > 2 * live + STALE_LINES_MAX
    }

    /// Replaces the content in one step.
    pub(super) fn rewrite(&mut self, changes: &[Change]) -> io::Result<()> {
        let directory = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        let mut new = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
        for change in changes {
            new.write_all(&line(change)?)?;
        }
        new.persist(&self.path)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.lines = changes.len();
        Ok(())
    }
}

fn line(change: &Change) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(change)?;
    text.push(b'\n');
    Ok(text)
}

/// Locks `<path>.lock`; the state file itself is replaced now and then, so it cannot carry the lock.
fn lock(path: &Path) -> Result<File, StateFileError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let fail = |error| StateFileError::Io {
        path: PathBuf::from(&name),
        error,
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&name)
        .map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StateFileError::InUse {
            path: path.to_path_buf(),
        }),
        Err(std::fs::TryLockError::Error(error)) => Err(fail(error)),
    }
}

fn read(path: &Path, file: &File) -> Result<Vec<Change>, StateFileError> {
    let fail = |error| StateFileError::Io {
        path: path.to_path_buf(),
        error,
    };
    if file.metadata().map_err(fail)?.len() > FILE_MAX {
        return Err(StateFileError::TooLarge {
            path: path.to_path_buf(),
        });
    }
    let mut changes = Vec::new();
    let mut reader = BufReader::new(file.take(FILE_MAX));
    let mut text = Vec::new();
    while reader.read_until(b'\n', &mut text).map_err(fail)? > 0 {
        // A node that was killed may have left half a line at the end; what it would have
        // recorded was not answered yet.
        if text.last() != Some(&b'\n') {
            break;
        }
        let change = serde_json::from_slice(&text).map_err(|error| StateFileError::Format {
            path: path.to_path_buf(),
            line: changes.len() + 1,
            reason: error.to_string(),
        })?;
        changes.push(change);
        text.clear();
    }
    Ok(changes)
}
