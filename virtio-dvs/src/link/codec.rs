//! Records between nodes: what is in them, and nothing else.
//!
//! A record is its length (u32, of what follows), a type (u8) and a body. All fields are
//! little-endian. The handshake comes first, in records of at most [`HANDSHAKE_MAX`] bytes: HELLO
//! by whoever dialled, then WELCOME or REFUSED. Version 1 is version 2 without LZ4.

use crate::frame::{Class, FRAME_HEADER, Frame};
use crate::switch::peer::{Notice, Stamp};
use thiserror::Error;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

mod greeting;

pub use greeting::*;

/// Bytes of a record before its body.
pub const RECORD_HEADER: usize = 5;
/// Bytes of a frame's record before the payload.
pub const FRAME_PREFIX: usize = RECORD_HEADER + size_of::<WireStamp>() + FRAME_HEADER;
/// Bytes of a NOTICE record.
pub const NOTICE_LEN: usize = RECORD_HEADER + size_of::<WireNotice>();

/// Types of record.
mod kind {
    pub const HELLO: u8 = 1;
    pub const WELCOME: u8 = 2;
    pub const REFUSED: u8 = 3;
    pub const FRAME: u8 = 16;
    pub const FRAME_LZ4: u8 = 17;
    pub const NOTICE: u8 = 18;
    pub const PING: u8 = 19;
    pub const PONG: u8 = 20;
}

const NOTICE_RETRY: u32 = 1;
const NOTICE_GONE: u32 = 2;
const NOTICE_MOVED: u32 = 3;
const NOTICE_DIRECTORY: u32 = 4;

/// Why bytes from a peer are not understood. The session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The stated length is not possible.
    #[error("a record of {0} bytes, which is more than there may be here")]
    Length(u32),
    /// The body does not have the length of its type.
    #[error("a record of type {0} with a length that such records do not have")]
    Body(u8),
    /// No such type, or not at this time on this connection.
    #[error("a record of type {0}, which must not come here")]
    Kind(u8),
    /// The first bytes are those of TLS.
    #[error(
        "TLS, which this node has not in use; use TLS on both nodes, or \"plaintext\": true on both"
    )]
    Tls,
    /// The first bytes are those of something else.
    #[error("a handshake that is not one of nodes of a DVS")]
    Magic,
    /// The frame's own length differs.
    #[error("a frame whose header tells another length")]
    FrameLength,
    /// It cannot be decompressed to what the frame's header says.
    #[error("a compressed frame that is damaged")]
    Lz4,
    /// A value that means nothing.
    #[error("a record of type {0} with a value that means nothing")]
    Value(u8),
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct WireStamp {
    src_epoch: U32,
    dst_epoch: U32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct WireNotice {
    kind: U32,
    vm: U32,
    value: U32,
}

/// A record after the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// A frame; its header tells the length of the payload.
    Frame(Stamp, Frame, &'a [u8]),
    /// A frame whose payload is compressed.
    FrameLz4(Stamp, Frame, &'a [u8]),
    /// One switch tells another.
    Notice(Notice),
    /// Say it back.
    Ping(u64),
    /// Said back.
    Pong(u64),
}

/// A whole record at the beginning of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its type.
    pub kind: u8,
    /// Its body.
    pub body: &'a [u8],
    /// How long it is altogether.
    pub length: usize,
}

/// Splits one record off; `None` while it is not whole. A length of more than `max` altogether is
/// refused before the rest has come.
pub fn split(bytes: &[u8], max: usize) -> Result<Option<Piece<'_>>, Malformed> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let stated = u32::from_le_bytes(*length);
    let length = usize::try_from(stated).unwrap_or(usize::MAX);
    if length == 0 || length > max.saturating_sub(4) {
        return Err(Malformed::Length(stated));
    }
    let record = rest.get(..length).and_then(<[u8]>::split_first);
    Ok(record.map(|(kind, body)| Piece {
        kind: *kind,
        body,
        length: 4 + length,
    }))
}

/// Longest record after the handshake on the connection of a class in bytes.
pub const fn record_max(class: Class) -> usize {
    // Notices, PING and PONG are shorter than any frame, and a compressed one than its plain form.
    FRAME_PREFIX + class.payload_max()
}

/// What a record after the handshake says on the connection of a class.
pub fn record(class: Class, kind: u8, body: &[u8]) -> Result<Record<'_>, Malformed> {
    match (kind, class) {
        (kind::FRAME, _) => {
            let (stamp, header, payload) = frame(kind, body)?;
            if header.len.get() as usize != payload.len() {
                return Err(Malformed::FrameLength);
            }
            Ok(Record::Frame(stamp, header, payload))
        }
        (kind::FRAME_LZ4, Class::Bulk) => {
            let (stamp, header, packed) = frame(kind, body)?;
            if header.len.get() as usize > class.payload_max() {
                return Err(Malformed::FrameLength);
            }
            Ok(Record::FrameLz4(stamp, header, packed))
        }
        (kind::NOTICE, Class::Message) => notice(body).map(Record::Notice),
        (kind::PING, _) => number(kind, body).map(Record::Ping),
        (kind::PONG, _) => number(kind, body).map(Record::Pong),
        _ => Err(Malformed::Kind(kind)),
    }
}

fn frame(kind: u8, body: &[u8]) -> Result<(Stamp, Frame, &[u8]), Malformed> {
    let short = Malformed::Body(kind);
    let (stamp, rest) = WireStamp::read_from_prefix(body).map_err(|_| short)?;
    let (header, payload) = Frame::read_from_prefix(rest).map_err(|_| short)?;
    let stamp = Stamp {
        src_epoch: stamp.src_epoch.get(),
        dst_epoch: stamp.dst_epoch.get(),
    };
    Ok((stamp, header, payload))
}

fn notice(body: &[u8]) -> Result<Notice, Malformed> {
    let wire = WireNotice::read_from_bytes(body).map_err(|_| Malformed::Body(kind::NOTICE))?;
    let (vm, value) = (wire.vm.get(), wire.value.get());
    match wire.kind.get() {
        NOTICE_RETRY => Ok(Notice::Retry { vm }),
        NOTICE_GONE => Ok(Notice::Gone {
            vm,
            incarnation: value,
        }),
        NOTICE_MOVED => Ok(Notice::Moved { vm, epoch: value }),
        NOTICE_DIRECTORY => Ok(Notice::Directory {
            answers: value != 0,
        }),
        _ => Err(Malformed::Value(kind::NOTICE)),
    }
}

fn number(kind: u8, body: &[u8]) -> Result<u64, Malformed> {
    let bytes = body.try_into().map_err(|_| Malformed::Body(kind))?;
    Ok(u64::from_le_bytes(bytes))
}

/// A NOTICE record.
pub fn encode_notice(notice: &Notice) -> [u8; NOTICE_LEN] {
    let (kind, vm, value) = match *notice {
        Notice::Retry { vm } => (NOTICE_RETRY, vm, 0),
        Notice::Gone { vm, incarnation } => (NOTICE_GONE, vm, incarnation),
        Notice::Moved { vm, epoch } => (NOTICE_MOVED, vm, epoch),
        Notice::Directory { answers } => (NOTICE_DIRECTORY, 0, answers.into()),
    };
    let wire = WireNotice {
        kind: kind.into(),
        vm: vm.into(),
        value: value.into(),
    };
    fixed(kind::NOTICE, wire.as_bytes())
}

/// A PING record.
pub fn encode_ping(number: u64) -> [u8; RECORD_HEADER + 8] {
    fixed(kind::PING, &number.to_le_bytes())
}

/// A PONG record.
pub fn encode_pong(number: u64) -> [u8; RECORD_HEADER + 8] {
    fixed(kind::PONG, &number.to_le_bytes())
}

/// What comes before the payload of a frame, or before its compressed form of `payload` bytes.
pub fn frame_prefix(
    stamp: Stamp,
    header: &Frame,
    payload: usize,
    packed: bool,
) -> [u8; FRAME_PREFIX] {
    #[derive(IntoBytes, Immutable, Unaligned)]
    #[repr(C)]
    struct Prefix {
        length: U32,
        kind: u8,
        stamp: WireStamp,
        header: [u8; FRAME_HEADER],
    }
    let mut prefix = Prefix {
        length: stated(FRAME_PREFIX - 4 + payload).into(),
        kind: if packed { kind::FRAME_LZ4 } else { kind::FRAME },
        stamp: WireStamp {
            src_epoch: stamp.src_epoch.into(),
            dst_epoch: stamp.dst_epoch.into(),
        },
        header: [0; FRAME_HEADER],
    };
    prefix.header.copy_from_slice(header.as_bytes());
    let mut bytes = [0; FRAME_PREFIX];
    bytes.copy_from_slice(prefix.as_bytes());
    bytes
}

/// Records are short; a longer one could not be said.
fn stated(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn encode(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut record = stated(body.len() + 1).to_le_bytes().to_vec();
    record.push(kind);
    record.extend_from_slice(body);
    record
}

fn fixed<const N: usize>(kind: u8, body: &[u8]) -> [u8; N] {
    let mut record = [0; N];
    let length = stated(body.len() + 1).to_le_bytes();
    let bytes = length.iter().chain([&kind]).chain(body);
    record
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    record
}

#[cfg(test)]
#[path = "codec_test.rs"]
mod tests;
