//! A socket that never blocks, and TLS on it or none.

use crate::link::output::Output;
use crate::link::tls;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::Connection as Tls;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Bytes that are taken from a socket in one go.
pub const CHUNK: usize = 128 << 10;
/// The same before the handshake is done.
const CHUNK_HANDSHAKE: usize = 4 << 10;
/// Bytes that may come before the handshake is done: certificates are the largest part of it.
const BEFORE_HANDSHAKE: usize = 64 << 10;
/// Room that the decrypted form of a chunk needs beyond it: a TLS record that had begun earlier.
pub const CHUNK_EXTRA: usize = 32 << 10;
/// Connections that may wait to be accepted.
const WAITING_MAX: i32 = 128;

/// Why a connection is over.
#[derive(Debug, Error)]
pub enum Fault {
    /// The system says so.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// TLS says so.
    #[error("{}", tls::explain(.0))]
    Tls(#[from] rustls::Error),
    /// Nobody needs so many bytes for a handshake.
    #[error("the handshake is too long")]
    TooLong,
}

/// What reading gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now.
    Blocked,
    /// Nothing any more.
    Ended,
}

/// One TCP connection.
#[derive(Debug)]
pub struct Transport {
    socket: Arc<Socket>,
    tls: Option<Box<Tls>>,
    /// The socket takes no more for now.
    pub blocked: bool,
    /// The other side has hung up: what it said before is to be read to the end.
    pub hung_up: bool,
    /// All that had come was read; the system tells when more comes.
    drained: bool,
    /// Calls that wrote.
    pub writes: u64,
    /// Bytes that may still come; without a limit after the handshake.
    allowance: Option<usize>,
}

/// Listens.
pub fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(WAITING_MAX)?;
    Ok(socket)
}

/// Begins to connect. The socket is writable once that has come to an end.
pub fn connect(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::from(address)) {
        Err(error) if error.raw_os_error() != Some(in_progress()) => Err(error),
        _ => Ok(socket),
    }
}

fn in_progress() -> i32 {
    rustix::io::Errno::INPROGRESS.raw_os_error()
}

impl Transport {
    /// Around a connected or connecting socket. The system gives the connection up when nothing
    /// gets through for `keepalive`.
    pub fn new(socket: Socket, tls: Option<Tls>, keepalive: Duration) -> io::Result<Transport> {
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_user_timeout(Some(keepalive))?;
        Ok(Transport {
            socket: Arc::new(socket),
            tls: tls.map(Box::new),
            blocked: false,
            hung_up: false,
            drained: false,
            writes: 0,
            allowance: Some(BEFORE_HANDSHAKE),
        })
    }

    /// The socket.
    pub fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    /// The TLS layer, if there is one.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_deref()
    }

    /// Whether it could be connected.
    pub fn connected(&self) -> io::Result<()> {
        self.socket.take_error()?.map_or(Ok(()), Err)
    }

    /// The handshake is done: no limit any more.
    pub fn trust(&mut self) {
        self.allowance = None;
    }

    /// Whether the other side has closed its half.
    pub fn is_hung_up(&self) -> bool {
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut poll_fds = [PollFd::new(&*self.socket, PollFlags::RDHUP)];
        poll(&mut poll_fds, Some(&now)).is_ok_and(|count| count > 0)
    }

    /// Says that nothing more will come.
    pub fn finish(&mut self) {
        // It may be closed already.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Whether there is nothing to read before the system tells of something: reading got less than
    /// there was room for, and the other side has not hung up.
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// Reads what has come into `plain`, at most [`CHUNK`] and [`CHUNK_EXTRA`] bytes, which must
    /// have room. `cipher` has room for [`CHUNK`].
    pub fn read(&mut self, plain: &mut [u8], cipher: &mut [u8]) -> Result<Got, Fault> {
        if self.tls.is_none() {
            return self.read_socket(plain);
        }
        loop {
            let got = self.read_socket(cipher)?;
            let (Got::Bytes(count), Some(tls)) = (got, &mut self.tls) else {
                return Ok(got);
            };
            match decrypt(tls, cipher.get(..count).unwrap_or_default(), plain)? {
                // Only the handshake of TLS itself went on.
                Got::Bytes(0) => {}
                got => return Ok(got),
            }
        }
    }

    fn read_socket(&mut self, into: &mut [u8]) -> Result<Got, Fault> {
        let most = if self.allowance.is_some() {
            CHUNK_HANDSHAKE
        } else {
            CHUNK
        };
        let most = most.min(into.len());
        let into = into.get_mut(..most).unwrap_or_default();
        let count = loop {
            match (&*self.socket).read(into) {
                Ok(0) => return Ok(Got::Ended),
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Got::Blocked),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        };
        self.drained = count < most && !self.hung_up;
        if let Some(left) = &mut self.allowance {
            *left = left.checked_sub(count).ok_or(Fault::TooLong)?;
        }
        Ok(Got::Bytes(count))
    }

    /// Writes what waits, until it is written or the socket takes no more.
    pub fn write(&mut self, output: &mut Output) -> Result<(), Fault> {
        if self.blocked {
            return Ok(());
        }
        loop {
            let result = match &mut self.tls {
                None if output.is_empty() => return Ok(()),
                None => (&*self.socket)
                    .write(output.waiting())
                    .map(|count| output.written(count)),
                Some(tls) => {
                    if !output.is_empty() {
                        let count = tls.writer().write(output.waiting())?;
                        output.written(count);
                    }
                    if !tls.wants_write() {
                        return Ok(());
                    }
                    tls.write_tls(&mut &*self.socket).map(drop)
                }
            };
            match result {
                Ok(()) => self.writes += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether the TLS layer has something to say.
    pub fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }
}

/// Decrypts all of `raw`.
fn decrypt(tls: &mut Tls, mut raw: &[u8], plain: &mut [u8]) -> Result<Got, Fault> {
    let mut filled = 0;
    while !raw.is_empty() {
        tls.read_tls(&mut raw)?;
        tls.process_new_packets()?;
        loop {
            let room = plain.get_mut(filled..).unwrap_or_default();
            match tls.reader().read(room) {
                // Whatever comes after its farewell is not looked at.
                Ok(0) if filled == 0 => return Ok(Got::Ended),
                Ok(0) => return Ok(Got::Bytes(filled)),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(Got::Bytes(filled))
}
