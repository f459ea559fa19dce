//! A connection between two VMMs: TCP, with mutual TLS or none.
//!
//! Its two halves may be used by two threads: only decrypting and encrypting exclude each other,
//! not waiting for the network.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::Connection;
use socket2::{SockRef, TcpKeepalive};
use virtio_dvs::directory::NodeId;
use virtio_dvs::link::{Tls, TlsFiles, explain, names};

/// How long connecting and the handshake of TLS may take.
const SETUP: Duration = Duration::from_secs(10);
/// A connection over which nothing gets through for this long is given up.
const SILENCE: Duration = Duration::from_secs(5);
/// Bytes that are taken from a socket in one go.
const CHUNK: usize = 64 << 10;

/// How connections are secured.
#[derive(Clone, Debug)]
pub enum Security {
    /// By nothing.
    Plain,
    /// Both sides show certificates of nodes.
    Tls(Arc<Tls>),
}

impl Security {
    /// By the certificate of a node in `directory`; without one by nothing.
    pub fn load(directory: Option<&Path>, node: NodeId) -> Result<Self, String> {
        let Some(directory) = directory else {
            return Ok(Self::Plain);
        };
        let files = TlsFiles::in_directory(directory, node);
        let tls = Tls::load(&files, node).map_err(|error| error.to_string())?;
        Ok(Self::Tls(Arc::new(tls)))
    }
}

/// A connection that is ready for use.
#[derive(Debug)]
pub struct Channel {
    socket: TcpStream,
    tls: Option<Arc<Mutex<Connection>>>,
}

impl Channel {
    /// Connects; the other side must show the certificate of `node` where certificates are used.
    pub fn dial(address: SocketAddr, security: &Security, node: u32) -> Result<Self, String> {
        let socket = TcpStream::connect_timeout(&address, SETUP)
            .map_err(|error| format!("cannot connect to {address}: {error}"))?;
        let tls = match security {
            Security::Plain => None,
            Security::Tls(tls) => Some(tls.dial(NodeId(node)).map_err(|error| explain(&error))?),
        };
        Self::open(socket, tls)
    }

    /// Takes a connection that has come.
    pub fn accept(socket: TcpStream, security: &Security) -> Result<Self, String> {
        let tls = match security {
            Security::Plain => None,
            Security::Tls(tls) => Some(tls.accept().map_err(|error| explain(&error))?),
        };
        Self::open(socket, tls)
    }

    fn open(socket: TcpStream, tls: Option<Connection>) -> Result<Self, String> {
        let opened = Self::shake_hands(socket, tls);
        opened.map_err(
            |error| match error.get_ref().and_then(|e| e.downcast_ref()) {
                Some(tls) => explain(tls),
                None => format!("the connection cannot be used: {error}"),
            },
        )
    }

    fn shake_hands(socket: TcpStream, tls: Option<Connection>) -> io::Result<Self> {
        let keepalive = TcpKeepalive::new()
            .with_time(SILENCE / 2)
            .with_interval(SILENCE / 5);
        let options = SockRef::from(&socket);
        options.set_tcp_keepalive(&keepalive)?;
        options.set_tcp_user_timeout(Some(SILENCE))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SETUP))?;
        socket.set_write_timeout(Some(SETUP))?;
        let tls = match tls {
            None => None,
            Some(mut tls) => {
                while tls.is_handshaking() {
                    tls.complete_io(&mut &socket)?;
                }
                Some(Arc::new(Mutex::new(tls)))
            }
        };
        socket.set_write_timeout(None)?;
        Ok(Self { socket, tls })
    }

    /// From now on whoever reads waits for as long as the other side lives.
    pub fn be_patient(&self) -> io::Result<()> {
        self.socket.set_read_timeout(None)
    }

    /// Whether the other side has shown the certificate of a node; everybody has where none are used.
    pub fn is_of(&self, node: u32) -> bool {
        match &self.tls {
            None => true,
            Some(tls) => names(lock(tls).peer_certificates(), NodeId(node)),
        }
    }

    /// The half that is read from.
    pub fn reader(&self) -> io::Result<Reader> {
        Ok(Reader {
            socket: self.socket.try_clone()?,
            tls: self.tls.clone(),
            raw: vec![0; if self.tls.is_some() { CHUNK } else { 0 }],
            left: 0..0,
        })
    }

    /// The half that is written to.
    pub fn writer(&self) -> io::Result<Writer> {
        Ok(Writer {
            socket: self.socket.try_clone()?,
            tls: self.tls.clone(),
        })
    }

    /// Ends the connection for both halves, and on the other side.
    pub fn close(&self) {
        if let Err(error) = self.socket.shutdown(Shutdown::Both) {
            tracing::debug!(%error, "a connection of a migration was closed already");
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock(tls: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    tls.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wrong(error: rustls::Error) -> io::Error {
    io::Error::other(explain(&error))
}

/// The half that is read from.
#[derive(Debug)]
pub struct Reader {
    socket: TcpStream,
    tls: Option<Arc<Mutex<Connection>>>,
    raw: Vec<u8>,
    /// What of `raw` was not decrypted yet.
    left: Range<usize>,
}

impl Reader {
    /// Has TLS take some of what has come, and more of it if there is nothing.
    fn decrypt(&mut self, tls: &Mutex<Connection>) -> io::Result<()> {
        if self.left.is_empty() {
            self.left = 0..self.socket.read(&mut self.raw)?;
        }
        let mut raw = self.raw.get(self.left.clone()).unwrap_or_default();
        let mut tls = lock(tls);
        // The end of the socket, too, is something that TLS wants to know.
        self.left.start += tls.read_tls(&mut raw)?;
        tls.process_new_packets().map_err(wrong)?;
        while tls.wants_write() {
            tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = self.tls.clone() else {
            return self.socket.read(into);
        };
        loop {
            match lock(&tls).reader().read(into) {
                // What was decrypted is taken first: there is room for little of it.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            self.decrypt(&tls)?;
        }
    }
}

/// The half that is written to.
#[derive(Debug)]
pub struct Writer {
    socket: TcpStream,
    tls: Option<Arc<Mutex<Connection>>>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &self.tls else {
            return self.socket.write(bytes);
        };
        let mut tls = lock(tls);
        let count = tls.writer().write(bytes)?;
        while tls.wants_write() {
            tls.write_tls(&mut self.socket)?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

#[cfg(test)]
#[path = "channel_test.rs"]
mod tests;
