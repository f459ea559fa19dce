//! Takes machines from other hosts, each by a process of its own.

use std::io::{self, BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use super::request::ReceiveMigration;
use crate::api::flags::Flags;

/// Machines that may be on their way at once.
const MAX_COMING: usize = 16;

/// Why no machine can be taken.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Where it shall listen is no address, or not one of this host.
    #[error("cannot listen at {url}: {reason}")]
    Listen {
        /// What was given.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The system gives no connection.
    #[error("cannot take connections: {0}")]
    Accept(io::Error),
}

/// Starts a VMM for each connection to `url`, with the flags that say how it takes its machine, until the process is
/// ended. The VMMs do not end with it.
pub fn serve(request: &ReceiveMigration, url: &str, flags: &Flags) -> Result<(), ServeError> {
    let wrong = |reason: String| ServeError::Listen {
        url: url.to_owned(),
        reason,
    };
    let address = request
        .address()
        .map_err(|error| wrong(error.to_string()))?;
    let address = address.ok_or_else(|| wrong("write tcp:HOST:PORT".into()))?;
    let listener = TcpListener::bind(address).map_err(|error| wrong(error.to_string()))?;
    let local = listener
        .local_addr()
        .map_err(|error| wrong(error.to_string()))?;
    println!("tcp:{local}");
    let coming = Arc::new(());
    loop {
        let (socket, from) = listener.accept().map_err(ServeError::Accept)?;
        if Arc::strong_count(&coming) > MAX_COMING {
            tracing::warn!(%from, "{MAX_COMING} machines are on their way already");
            continue;
        }
        match start(socket, flags) {
            Ok(child) => attend(child, coming.clone()),
            Err(error) => tracing::error!(%error, "cannot start a VMM for a machine that comes"),
        }
    }
}

/// A VMM whose standard input is the connection.
fn start(socket: TcpStream, flags: &Flags) -> io::Result<Child> {
    let mut vmm = Command::new(std::env::current_exe()?);
    vmm.args(["--receive-migration", "stdin"]);
    let incoming = &flags.incoming;
    for (flag, value) in [
        ("--node", &incoming.node),
        ("--tls-dir", &incoming.tls_dir),
        ("--api-dir", &incoming.api_dir),
    ] {
        if let Some(value) = value {
            vmm.arg(flag).arg(value);
        }
    }
    for (flag, value) in [
        ("--serial", &flags.serial),
        ("--console", &flags.console),
        ("--memory-max", &incoming.memory_max),
    ] {
        if let Some(value) = value {
            vmm.arg(flag).arg(value);
        }
    }
    if incoming.plaintext {
        vmm.arg("--plaintext");
    }
    vmm.args(["--log-level", &flags.log_level.to_string()]);
    vmm.stdin(Stdio::from(OwnedFd::from(socket)));
    // What is meant for this process does not end the machines.
    vmm.stdout(Stdio::piped()).process_group(0).spawn()
}

/// Waits for the end of a VMM on a thread of its own; until it says that its machine runs, it counts as one on its way.
fn attend(mut child: Child, coming: Arc<()>) {
    let attending = std::thread::Builder::new()
        .name("vmm".into())
        .spawn(move || {
            let mut coming = Some(coming);
            if let Some(output) = child.stdout.take() {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if line.ends_with("runs here") {
                        coming = None;
                    }
                }
            }
            match child.wait() {
                Ok(status) => tracing::info!(%status, "a VMM has ended"),
                Err(error) => tracing::error!(%error, "cannot wait for a VMM"),
            }
            drop(coming);
        });
    if let Err(error) = attending {
        tracing::error!(%error, "no thread that waits for a VMM");
    }
}
