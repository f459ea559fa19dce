//! One interface to pipes and all kinds of socket.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::str::FromStr;

use rustix::fs::{CWD, Mode, mkfifoat};
use vsock::{VsockAddr, VsockListener, VsockStream};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A path.
    Unix(String),
    /// Host and port.
    Tcp(String),
    /// The start of the paths of two named pipes.
    Pipe(String),
    /// Context id of the server's machine and a port.
    Vsock(VsockAddr),
    /// An endpoint number.
    Dvs(i32),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text} is neither unix:PATH, tcp:HOST:PORT, pipe:PATH, vsock:CID:PORT nor dvs:NUMBER"
            )
        };
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("tcp", host)) if host.contains(':') => Ok(Self::Tcp(host.into())),
            Some(("pipe", path)) if !path.is_empty() => Ok(Self::Pipe(path.into())),
            Some(("vsock", place)) => vsock(place).map(Self::Vsock).ok_or_else(wrong),
            Some(("dvs", number)) => number.parse().map(Self::Dvs).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

/// `CID:PORT`
fn vsock(place: &str) -> Option<VsockAddr> {
    let (cid, port) = place.split_once(':')?;
    Some(VsockAddr::new(cid.parse().ok()?, port.parse().ok()?))
}

/// Which end of a pair of pipes somebody has: the client writes to `.up`.
fn pipes(path: &str) -> [String; 2] {
    [format!("{path}.up"), format!("{path}.down")]
}

impl Address {
    /// Opens what the client will find.
    pub fn listen(&self) -> io::Result<Listener> {
        Ok(match self {
            Self::Unix(path) => Listener::Unix(UnixListener::bind(path)?),
            Self::Tcp(host) => Listener::Tcp(TcpListener::bind(host)?),
            Self::Pipe(path) => {
                for pipe in pipes(path) {
                    mkfifoat(CWD, pipe, Mode::RUSR | Mode::WUSR)?;
                }
                Listener::Pipe(path.clone())
            }
            Self::Vsock(place) => Listener::Vsock(VsockListener::bind(place)?),
            Self::Dvs(_) => return Err(not_a_line()),
        })
    }

    /// Connects to a server.
    pub fn connect(&self) -> io::Result<Line> {
        match self {
            Self::Unix(path) => Line::both(UnixStream::connect(path)?),
            Self::Tcp(host) => Line::tcp(TcpStream::connect(host)?),
            Self::Pipe(path) => {
                let [up, down] = pipes(path);
                let write = File::options().write(true).open(up)?;
                Ok(Line::of(File::open(down)?, write))
            }
            Self::Vsock(place) => Line::vsock(VsockStream::connect(place)?),
            Self::Dvs(_) => Err(not_a_line()),
        }
    }
}

fn not_a_line() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "dvs is no stream of bytes")
}

/// Waits for a client.
#[derive(Debug)]
pub enum Listener {
    /// A Unix socket.
    Unix(UnixListener),
    /// TCP.
    Tcp(TcpListener),
    /// Two named pipes.
    Pipe(String),
    /// A socket between a machine and its host.
    Vsock(VsockListener),
}

impl Listener {
    /// Waits for the client.
    pub fn accept(&self) -> io::Result<Line> {
        match self {
            Self::Unix(listener) => Line::both(listener.accept()?.0),
            Self::Tcp(listener) => Line::tcp(listener.accept()?.0),
            Self::Pipe(path) => {
                let [up, down] = pipes(path);
                let read = File::open(up)?;
                Ok(Line::of(read, File::options().write(true).open(down)?))
            }
            Self::Vsock(listener) => Line::vsock(listener.accept()?.0),
        }
    }
}

/// A connection.
pub struct Line {
    read: Box<dyn Read>,
    write: Box<dyn Write>,
}

impl Line {
    fn of(read: impl Read + 'static, write: impl Write + 'static) -> Self {
        Self {
            read: Box::new(read),
            write: Box::new(write),
        }
    }

    fn both(stream: UnixStream) -> io::Result<Self> {
        Ok(Self::of(stream.try_clone()?, stream))
    }

    fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::of(stream.try_clone()?, stream))
    }

    fn vsock(stream: VsockStream) -> io::Result<Self> {
        Ok(Self::of(stream.try_clone()?, stream))
    }

    /// Sends a message.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.write.write_all(message)
    }

    /// Receives a message of the buffer's length; false when the other side has closed.
    pub fn receive(&mut self, message: &mut [u8]) -> io::Result<bool> {
        match self.read.read_exact(message) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
#[path = "line_test.rs"]
mod tests;
