//! One of the two connections of a session, or one that is on its way to become that.

use crate::directory::NodeId;
use crate::frame::{Class, Frame};
use crate::link::codec::{
    self, FRAME_PREFIX, Handshake, Malformed, Piece, Record, encode_ping, encode_pong,
    frame_prefix, record_max,
};
use crate::link::handshake::Agreed;
use crate::link::output::{Full, Output};
use crate::link::packing::{Packer, Trying};
use crate::link::transport::{CHUNK, CHUNK_EXTRA, Fault, Got, Transport};
use crate::link::view::LinkCounters;
use crate::link::{SendError, Sink};
use crate::switch::peer::{Notice, Stamp};
use std::time::Duration;
use thiserror::Error;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Dialled: TCP is not there yet.
    Connecting,
    /// Dialled: WELCOME is awaited.
    Greeting,
    /// Accepted: HELLO is awaited.
    Awaiting,
    /// The handshake is done, but not that of the other connection.
    Paused,
    /// Frames are carried.
    Open,
    /// The last words are said; the other side is to close.
    Parting,
}

/// Why a connection must end.
#[derive(Debug, Error)]
pub enum Broken {
    /// Socket or TLS.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What came makes no sense.
    #[error("the peer sent {0}")]
    Malformed(#[from] Malformed),
    /// Too much that must not be dropped waits to be written.
    #[error("the peer does not take what it must be told")]
    Stuck,
}

impl From<Full> for Broken {
    fn from(_: Full) -> Broken {
        Broken::Stuck
    }
}

/// Memory that all connections use in turn.
#[derive(Debug)]
pub struct Scratch {
    plain: Vec<u8>,
    cipher: Vec<u8>,
    packer: Packer,
}

impl Scratch {
    /// Enough for any connection; the part for TLS only if that is used.
    pub fn new(tls: bool) -> Scratch {
        Scratch {
            plain: vec![0; record_max(Class::Bulk) + CHUNK + CHUNK_EXTRA],
            cipher: vec![0; if tls { CHUNK } else { 0 }],
            packer: Packer::new(Class::Bulk.payload_max()),
        }
    }
}

/// One TCP connection and what waits on it.
#[derive(Debug)]
pub struct Connection {
    /// The socket.
    pub transport: Transport,
    /// What waits to be written.
    pub output: Output,
    /// How far it is.
    pub stage: Stage,
    /// Which of the connections of a session it is, once that is known.
    pub class: Class,
    /// Whose it is, once that is known.
    pub node: Option<NodeId>,
    /// Whether it was accepted and has not said whose it is.
    pub stranger: bool,
    /// When something came last.
    pub heard: Duration,
    /// When it must be looked at.
    pub due: Duration,
    /// How often to ask for a sign of life.
    pub ping_every: Duration,
    /// Whether it is to be written with the next flush.
    pub unwritten: bool,
    /// Whether bulk frames may be compressed.
    pub lz4: bool,
    /// What is counted.
    pub counters: LinkCounters,
    /// Time from the last PING to its PONG.
    pub rtt: Option<Duration>,
    trying: Trying,
    /// The beginning of a record whose end has not come.
    rest: Vec<u8>,
    /// There may be whole records in `rest`: they came behind the handshake.
    unread: bool,
}

impl Connection {
    /// A new connection of a session with `node`, or of nobody known.
    pub fn new(
        transport: Transport,
        stage: Stage,
        class: Class,
        node: Option<NodeId>,
        limit: usize,
    ) -> Connection {
        Connection {
            transport,
            output: Output::new(limit),
            stage,
            class,
            stranger: node.is_none(),
            node,
            heard: Duration::ZERO,
            due: Duration::ZERO,
            ping_every: Duration::ZERO,
            unwritten: false,
            lz4: false,
            counters: LinkCounters::default(),
            rtt: None,
            trying: Trying::default(),
            rest: Vec::new(),
            unread: false,
        }
    }

    /// Both handshakes are done: frames are carried from now on.
    pub fn open(&mut self, agreed: &Agreed, now: Duration) {
        self.stage = Stage::Open;
        self.lz4 = agreed.lz4 && self.class == Class::Bulk;
        self.ping_every = agreed.ping;
        self.heard = now;
        self.unread = true;
        self.transport.trust();
    }

    /// Appends a frame; `copy` fills in its payload, or gives `false` if it cannot.
    pub fn frame(
        &mut self,
        stamp: Stamp,
        header: &Frame,
        payload_len: usize,
        copy: impl FnOnce(&mut [u8]) -> bool,
        scratch: &mut Scratch,
    ) -> Result<(), SendError> {
        let payload_max = self.class.payload_max();
        if payload_len > payload_max || header.len.get() as usize != payload_len {
            return Err(SendError::Payload);
        }
        let length = FRAME_PREFIX + payload_len;
        let Ok(record) = self.output.frame(length) else {
            self.counters.no_room += 1;
            return Err(SendError::Full);
        };
        let Some((prefix, payload)) = record.split_first_chunk_mut::<FRAME_PREFIX>() else {
            return Err(SendError::Payload);
        };
        *prefix = frame_prefix(stamp, header, payload_len, false);
        if !copy(payload) {
            self.output.cut(length);
            return Err(SendError::Payload);
        }
        let mut saved = 0;
        if self.lz4 && self.trying.wants(payload_len) {
            let packed = scratch.packer.pack(payload);
            self.trying.tried(packed.is_some());
            if let Some(packed) = packed
                && let Some(place) = payload.get_mut(..packed.len())
            {
                place.copy_from_slice(packed);
                *prefix = frame_prefix(stamp, header, packed.len(), true);
                saved = payload_len - packed.len();
            }
        }
        self.output.cut(saved);
        self.counters.lz4_saved += saved as u64;
        self.counters.frames_out += 1;
        self.counters.bytes_out += (length - saved) as u64;
        Ok(())
    }

    /// Appends a record that must not be dropped.
    pub fn put(&mut self, record: &[u8]) -> Result<(), Broken> {
        self.output.put(record)?;
        self.counters.bytes_out += record.len() as u64;
        Ok(())
    }

    /// Gives memory back that has not been in use for a while.
    pub fn save_memory(&mut self) {
        self.output.rest();
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
    }

    /// Asks for a sign of life.
    pub fn ping(&mut self, now: Duration) -> Result<(), Broken> {
        let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.put(&encode_ping(micros))
    }

    /// Reads once. What is there and was not consumed is then the beginning of `scratch`, as many
    /// bytes as this gives, none if nothing was added; the caller hands back by
    /// [`Connection::keep`] what it does not consume.
    fn fill(&mut self, scratch: &mut Scratch) -> Result<(Got, usize), Broken> {
        let kept = self.rest.len();
        let (front, room) = scratch
            .plain
            .split_at_mut_checked(kept)
            .ok_or(Malformed::Length(u32::MAX))?;
        let got = self.transport.read(room, &mut scratch.cipher)?;
        let count = match got {
            Got::Bytes(count) => count,
            Got::Blocked | Got::Ended if !self.unread => return Ok((got, 0)),
            Got::Blocked | Got::Ended => 0,
        };
        self.unread = false;
        front.copy_from_slice(&self.rest);
        self.rest.clear();
        self.counters.bytes_in += count as u64;
        Ok((got, kept + count))
    }

    fn keep(&mut self, rest: &[u8]) {
        self.rest.extend_from_slice(rest);
    }

    /// Reads once and hands over what has come.
    pub fn receive(
        &mut self,
        scratch: &mut Scratch,
        now: Duration,
        sink: &mut dyn Sink,
    ) -> Result<Got, Broken> {
        let (got, filled) = self.fill(scratch)?;
        if matches!(got, Got::Bytes(_)) {
            self.heard = now;
        }
        let Scratch { plain, packer, .. } = scratch;
        let bytes = plain.get(..filled).unwrap_or_default();
        let consumed = self.records(bytes, packer, now, sink)?;
        self.keep(bytes.get(consumed..).unwrap_or_default());
        Ok(got)
    }

    fn records(
        &mut self,
        bytes: &[u8],
        packer: &mut Packer,
        now: Duration,
        sink: &mut dyn Sink,
    ) -> Result<usize, Broken> {
        let Some(node) = self.node else {
            return Ok(0);
        };
        let (class, mut consumed) = (self.class, 0);
        loop {
            let left = bytes.get(consumed..).unwrap_or_default();
            let Some(Piece { kind, body, length }) = codec::split(left, record_max(class))? else {
                return Ok(consumed);
            };
            consumed += length;
            match codec::record(class, kind, body)? {
                Record::Frame(stamp, header, payload) => {
                    self.counters.frames_in += 1;
                    sink.frame(node, class, stamp, &header, payload);
                }
                Record::FrameLz4(stamp, header, packed) => {
                    if !self.lz4 {
                        return Err(Malformed::Kind(kind).into());
                    }
                    let payload = packer.unpack(packed, header.len.get() as usize);
                    let payload = payload.ok_or(Malformed::Lz4)?;
                    self.counters.frames_in += 1;
                    sink.frame(node, class, stamp, &header, payload);
                }
                Record::Notice(notice) => sink.notice(node, notice),
                Record::Ping(number) => self.put(&encode_pong(number))?,
                Record::Pong(number) => {
                    let sent = Duration::from_micros(number);
                    self.rtt = now.checked_sub(sent).or(self.rtt);
                }
            }
        }
    }

    /// Reads the record of a handshake, once it is whole, and hands it over. What comes behind it
    /// is kept.
    pub fn handshake<R>(
        &mut self,
        scratch: &mut Scratch,
        hand_over: impl FnOnce(Handshake<'_>) -> R,
    ) -> Result<(Got, Option<R>), Broken> {
        let (got, filled) = self.fill(scratch)?;
        let bytes = scratch.plain.get(..filled).unwrap_or_default();
        let Some(Piece { kind, body, length }) = codec::split_handshake(bytes)? else {
            self.keep(bytes);
            return Ok((got, None));
        };
        let handed = hand_over(codec::handshake(kind, body)?);
        self.keep(bytes.get(length..).unwrap_or_default());
        Ok((got, Some(handed)))
    }

    /// Reads what has come and forgets it; whether the other side has closed.
    pub fn discard(&mut self, scratch: &mut Scratch) -> bool {
        self.rest.clear();
        loop {
            match self.transport.read(&mut scratch.plain, &mut scratch.cipher) {
                Ok(Got::Bytes(_)) => {}
                Ok(Got::Blocked) => return false,
                Ok(Got::Ended) | Err(_) => return true,
            }
        }
    }

    /// Writes what waits, as far as that goes without waiting.
    pub fn write(&mut self) -> Result<(), Broken> {
        if self.stage == Stage::Connecting {
            return Ok(());
        }
        let before = self.transport.writes;
        let written = self.transport.write(&mut self.output);
        self.counters.writes += self.transport.writes - before;
        Ok(written?)
    }

    /// Tells the other side's switch.
    pub fn notice(&mut self, notice: &Notice) -> Result<(), Broken> {
        self.put(&codec::encode_notice(notice))
    }
}
