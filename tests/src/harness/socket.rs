//! Sockets of processes that were just started.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Between attempts: a socket of another process gives no sign of its coming.
const PAUSE: Duration = Duration::from_millis(20);

/// Connects to a socket, waiting for it to appear.
pub fn connect(socket: &Path, limit: Duration) -> Result<UnixStream> {
    let end = Instant::now() + limit;
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() >= end => {
                return Err(error)
                    .with_context(|| format!("{} cannot be reached", socket.display()));
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
