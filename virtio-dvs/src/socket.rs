//! Listening Unix sockets.

use std::fs::Permissions;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Longest path of a Unix socket, in bytes.
pub const PATH_MAX: usize = 107;

/// Why a socket cannot be listened on.
#[derive(Debug, Error)]
pub enum SocketError {
    /// The path does not fit into a socket address.
    #[error("the socket path {0} is longer than {PATH_MAX} bytes; choose a shorter directory")]
    TooLong(PathBuf),
    /// Somebody listens there.
    #[error("another process listens on {0}; stop it or choose another path")]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{0} exists and is not a socket; remove it or choose another path")]
    NotASocket(PathBuf),
    /// The system refuses.
    #[error("cannot listen on {path}: {error}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// A socket that is listened on; its file is removed in the end.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
    /// The file is ours to remove.
    linked: bool,
}

impl Listener {
    /// Listens on `path`, without blocking, for this user only. A socket that a dead process left
    /// behind is replaced.
    pub fn bind(path: &Path) -> Result<Listener, SocketError> {
        if path.as_os_str().len() > PATH_MAX {
            return Err(SocketError::TooLong(path.to_path_buf()));
        }
        remove_stale(path)?;
        let fail = |error| SocketError::Io {
            path: path.to_path_buf(),
            error,
        };
        let socket = UnixListener::bind(path).map_err(fail)?;
        let listener = Listener {
            socket,
            path: path.to_path_buf(),
            linked: true,
        };
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(fail)?;
        listener.socket.set_nonblocking(true).map_err(fail)?;
        Ok(listener)
    }

    /// The socket.
    pub fn socket(&self) -> &UnixListener {
        &self.socket
    }

    /// Removes the file now, so that somebody else may listen there.
    pub fn unlink(&mut self) {
        if std::mem::take(&mut self.linked) {
            // Nobody can do anything about a failure, and the next node replaces it.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.unlink();
    }
}

fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let fail = |error| SocketError::Io {
        path: path.to_path_buf(),
        error,
    };
    let kind = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
    };
    if !kind.is_socket() {
        return Err(SocketError::NotASocket(path.to_path_buf()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_path_buf())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(fail)
        }
        Err(error) => Err(fail(error)),
    }
}
