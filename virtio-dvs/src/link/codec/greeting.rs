//! The records of the handshake.

use super::{Malformed, Piece, encode, kind, split};
use crate::directory::NodeId;
use crate::frame::Class;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The version of the protocol that this node speaks.
pub const VERSION: u16 = 2;
/// The oldest version that it accepts.
pub const VERSION_LOWEST: u16 = 1;
/// The first version that knows FRAME_LZ4.
pub const VERSION_LZ4: u16 = 2;
/// What every handshake begins with.
pub const MAGIC: [u8; 8] = *b"DVS-LINK";
/// Longest name of a cluster in bytes.
pub const CLUSTER_MAX: usize = 32;
/// Longest reason of a refusal in bytes.
pub const REASON_MAX: usize = 256;
/// Longest record of the handshake in bytes, its length included.
pub const HANDSHAKE_MAX: usize = 512;

const FLAG_LZ4: u8 = 1;

const REFUSED_WRONG: u8 = 0;
const REFUSED_CROSSED: u8 = 1;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct WireHello {
    magic: [u8; 8],
    version: U16,
    lowest: U16,
    node: U32,
    session: U64,
    keepalive_ms: U32,
    class: u8,
    flags: u8,
    reserved: U16,
    cluster: [u8; CLUSTER_MAX],
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct WireWelcome {
    magic: [u8; 8],
    version: U16,
    flags: u8,
    reserved: u8,
    node: U32,
    keepalive_ms: U32,
}

/// What the dialler says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// The version that it would like.
    pub version: u16,
    /// The oldest that it accepts.
    pub lowest: u16,
    /// Who it is.
    pub node: NodeId,
    /// The session that this connection belongs to.
    pub session: u64,
    /// Which of the session's connections it is.
    pub class: Class,
    /// Whether it understands FRAME_LZ4.
    pub lz4: bool,
    /// After how long a silent peer counts as dead there, in milliseconds.
    pub keepalive_ms: u32,
    /// Name of its cluster, padded with zeros.
    pub cluster: [u8; CLUSTER_MAX],
}

/// The dialler is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcome {
    /// The version that is spoken from now on.
    pub version: u16,
    /// Who this is.
    pub node: NodeId,
    /// Whether it understands FRAME_LZ4.
    pub lz4: bool,
    /// After how long a silent peer counts as dead there, in milliseconds.
    pub keepalive_ms: u32,
}

/// What kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Something must be put right.
    Wrong,
    /// Nothing is wrong: both have dialled, and the other session stays.
    Crossed,
}

/// A record of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake<'a> {
    /// By the dialler.
    Hello(Hello),
    /// By the other.
    Welcome(Welcome),
    /// By the other: why not. It is over then.
    Refused(Refusal, &'a [u8]),
}

/// Splits a record of the handshake off, as [`split`] does.
pub fn split_handshake(bytes: &[u8]) -> Result<Option<Piece<'_>>, Malformed> {
    // No record of a handshake is so long that its second byte is 3.
    if matches!(bytes, [0x14..=0x17, 3, ..]) {
        return Err(Malformed::Tls);
    }
    split(bytes, HANDSHAKE_MAX).map_err(|_| Malformed::Magic)
}

/// What a record of the handshake says. Fields that later versions add behind it are skipped.
pub fn handshake(kind: u8, body: &[u8]) -> Result<Handshake<'_>, Malformed> {
    match kind {
        kind::HELLO => {
            let (wire, _) = WireHello::read_from_prefix(body).map_err(|_| Malformed::Body(kind))?;
            if wire.magic != MAGIC {
                return Err(Malformed::Magic);
            }
            let class = match wire.class {
                0 => Class::Message,
                1 => Class::Bulk,
                _ => return Err(Malformed::Value(kind)),
            };
            Ok(Handshake::Hello(Hello {
                version: wire.version.get(),
                lowest: wire.lowest.get(),
                node: NodeId(wire.node.get()),
                session: wire.session.get(),
                class,
                lz4: wire.flags & FLAG_LZ4 != 0,
                keepalive_ms: wire.keepalive_ms.get(),
                cluster: wire.cluster,
            }))
        }
        kind::WELCOME => {
            let (wire, _) =
                WireWelcome::read_from_prefix(body).map_err(|_| Malformed::Body(kind))?;
            if wire.magic != MAGIC {
                return Err(Malformed::Magic);
            }
            Ok(Handshake::Welcome(Welcome {
                version: wire.version.get(),
                node: NodeId(wire.node.get()),
                lz4: wire.flags & FLAG_LZ4 != 0,
                keepalive_ms: wire.keepalive_ms.get(),
            }))
        }
        kind::REFUSED => match body.split_first() {
            Some((code, reason)) if reason.len() <= REASON_MAX => {
                let crossed = *code == REFUSED_CROSSED;
                let refusal = if crossed {
                    Refusal::Crossed
                } else {
                    Refusal::Wrong
                };
                Ok(Handshake::Refused(refusal, reason))
            }
            _ => Err(Malformed::Body(kind)),
        },
        // What does not even look like a record of ours is somebody else's.
        _ => Err(Malformed::Magic),
    }
}

impl Hello {
    /// The record.
    pub fn encode(&self) -> Vec<u8> {
        let wire = WireHello {
            magic: MAGIC,
            version: self.version.into(),
            lowest: self.lowest.into(),
            node: self.node.0.into(),
            session: self.session.into(),
            keepalive_ms: self.keepalive_ms.into(),
            class: u8::from(self.class == Class::Bulk),
            flags: flags(self.lz4),
            reserved: U16::ZERO,
            cluster: self.cluster,
        };
        encode(kind::HELLO, wire.as_bytes())
    }
}

impl Welcome {
    /// The record.
    pub fn encode(&self) -> Vec<u8> {
        let wire = WireWelcome {
            magic: MAGIC,
            version: self.version.into(),
            flags: flags(self.lz4),
            reserved: 0,
            node: self.node.0.into(),
            keepalive_ms: self.keepalive_ms.into(),
        };
        encode(kind::WELCOME, wire.as_bytes())
    }
}

/// A REFUSED record; of a longer reason its beginning.
pub fn encode_refused(refusal: Refusal, reason: &str) -> Vec<u8> {
    let mut ends = (0..=REASON_MAX.min(reason.len())).rev();
    let end = ends.find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
    let mut body = vec![match refusal {
        Refusal::Wrong => REFUSED_WRONG,
        Refusal::Crossed => REFUSED_CROSSED,
    }];
    body.extend_from_slice(reason.get(..end).unwrap_or("").as_bytes());
    encode(kind::REFUSED, &body)
}

fn flags(lz4: bool) -> u8 {
    if lz4 { FLAG_LZ4 } else { 0 }
}
