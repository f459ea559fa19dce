//! Stops this process.

use std::io;

/// Stops until somebody sends SIGCONT.
pub fn stop() -> io::Result<()> {
    // SAFETY: raise has no requirements; SIGSTOP runs no code of this process.
    match unsafe { libc::raise(libc::SIGSTOP) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
