//! One interface to both kinds of socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};

/// Where a server listens.
#[derive(Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// A path.
    Unix(&'a str),
    /// Host and port.
    Tcp(&'a str),
}

impl<'a> Address<'a> {
    /// Reads `unix:PATH` or `tcp:HOST:PORT`.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path)),
            Some(("tcp", host)) if host.contains(':') => Ok(Self::Tcp(host)),
            _ => Err(format!("{text} is neither unix:PATH nor tcp:HOST:PORT")),
        }
    }

    /// Opens the socket for a client.
    pub fn listen(&self) -> io::Result<Listener> {
        Ok(match self {
            Self::Unix(path) => Listener::Unix(UnixListener::bind(path)?),
            Self::Tcp(host) => Listener::Tcp(TcpListener::bind(host)?),
        })
    }

    /// Connects to a server.
    pub fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => Ok(Stream(Box::new(UnixStream::connect(path)?))),
            Self::Tcp(host) => Stream::tcp(TcpStream::connect(host)?),
        }
    }
}

/// A socket that waits for a client.
#[derive(Debug)]
pub enum Listener {
    /// A Unix socket.
    Unix(UnixListener),
    /// TCP.
    Tcp(TcpListener),
}

impl Listener {
    /// Waits for the client.
    pub fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener) => Ok(Stream(Box::new(listener.accept()?.0))),
            Self::Tcp(listener) => Stream::tcp(listener.accept()?.0),
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// A connection.
pub struct Stream(Box<dyn ReadWrite>);

impl Stream {
    fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self(Box::new(stream)))
    }

    /// Sends a message.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.write_all(message)
    }

    /// Receives a message of the buffer's length; false when the other side has closed.
    pub fn receive(&mut self, message: &mut [u8]) -> io::Result<bool> {
        match self.0.read_exact(message) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
#[path = "stream_test.rs"]
mod tests;
