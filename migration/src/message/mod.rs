//! What the two sides tell each other, as sections of a stream.
//!
//! Each message is a section of a kind of its own; its body is in the format of postcard 1.0. A
//! connection carries a stream of each direction's messages: [`ToDestination`] one way and
//! [`ToSource`] the other on the control connection, [`Data`](crate::pages::Data) on the others. A
//! kind that does not belong to the direction is refused like an unknown one, a section by its length
//! before a byte of it is read, and lists by their number of elements once they are read.

mod offer;
mod state;

pub use offer::{Accept, Cpu, CpuLeaf, Device, Offer, OfferError};
pub use state::{Figures, HandOver, MAX_PIECE_BYTES, MAX_PIECES, MAX_STATE, Part, Piece};

use crate::place::Place;
use crate::stream::{Known, Section, StreamError, StreamReader, StreamWriter};
use crate::text::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Read, Write};
use thiserror::Error;

/// Why a message cannot be sent or understood.
#[derive(Debug, Error)]
pub enum MessageError {
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The body is not what its kind and version say.
    #[error("section {0} of the migration stream is not understood")]
    Malformed(u16),
    /// The kind does not belong to this direction.
    #[error("section {0} of the migration stream must not come here")]
    Misplaced(u16),
    /// The other side offers a machine that cannot be.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The stream ended in the middle of the protocol.
    #[error("the other side has ended the migration stream")]
    Ended,
}

/// Something that travels as a section.
pub trait Message: Sized {
    /// The kinds of this direction.
    const KNOWN: &'static [Known];

    /// The section that says it.
    ///
    /// # Errors
    /// [`MessageError`] if it is too long.
    fn section(&self) -> Result<Section, MessageError>;

    /// What a section says.
    ///
    /// # Errors
    /// [`MessageError`] if it is none of these, or damaged.
    fn read(section: &Section) -> Result<Self, MessageError>;
}

/// Writes a message and sees it off.
///
/// # Errors
/// [`MessageError`] if it is too long for its kind or cannot be written.
pub fn send<W: Write, M: Message>(
    to: &mut StreamWriter<W>,
    message: &M,
) -> Result<(), MessageError> {
    let section = message.section()?;
    let limit = M::KNOWN.iter().find(|k| k.kind == section.kind);
    let limit = limit.map_or(0, |known| known.limit);
    if section.bytes.len() as u64 > limit.into() {
        return Err(MessageError::Stream(StreamError::TooLong {
            kind: section.kind,
            length: section.bytes.len() as u64,
            limit,
        }));
    }
    to.section(section.kind, section.version, &section.bytes)?;
    to.inner().flush().map_err(StreamError::from)?;
    Ok(())
}

/// The next message of a stream that was begun with [`Message::KNOWN`] of the same direction.
///
/// # Errors
/// [`MessageError`]; the stream cannot be read further then.
pub fn receive<R: Read, M: Message>(from: &mut StreamReader<'_, R>) -> Result<M, MessageError> {
    let section = from.section()?.ok_or(MessageError::Ended)?;
    M::read(&section)
}

/// What the source tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ToDestination {
    /// The first message: what is to come.
    Offer(Box<Offer>),
    /// How far the source is, to be shown.
    Figures(Figures),
    /// A part of the machine's state.
    Piece(Piece),
    /// All state is sent: from now on only the directory decides.
    HandOver(HandOver),
    /// The source has given up.
    Abort(Text),
}

/// What the destination tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ToSource {
    /// It takes the offer.
    Accept(Accept),
    /// It does not, for these reasons.
    Refuse(Vec<Text>),
    /// All streams have ended this round, and all pages of it are in memory.
    RoundApplied(u32),
    /// All state is loaded; its node is taking the VM.
    Ready,
    /// The VM is its own.
    Committed(Place),
    /// The VM runs there.
    Resumed,
    /// It had the VM but could not run it, has not run a single instruction of it, and never will.
    Returned(Text),
    /// It has given up before it wanted to take the VM.
    Aborted(Text),
}

/// Most reasons of a refusal.
pub const MAX_REASONS: usize = 16;
const TEXT: u32 = 1100;

const OFFER: u16 = 1;
const FIGURES: u16 = 2;
const PIECE: u16 = 3;
const HAND_OVER: u16 = 4;
const ABORT: u16 = 5;
const ACCEPT: u16 = 16;
const REFUSE: u16 = 17;
const ROUND_APPLIED: u16 = 18;
const READY: u16 = 19;
const COMMITTED: u16 = 20;
const RESUMED: u16 = 21;
const RETURNED: u16 = 22;
const ABORTED: u16 = 23;

impl Message for ToDestination {
    const KNOWN: &'static [Known] = &[
        Known::v1(OFFER, 256 << 10),
        Known::v1(FIGURES, 128),
        Known::v1(PIECE, state::MAX_PIECE),
        Known::v1(HAND_OVER, 128),
        Known::v1(ABORT, TEXT),
    ];

    fn section(&self) -> Result<Section, MessageError> {
        match self {
            ToDestination::Offer(offer) => encode(OFFER, offer),
            ToDestination::Figures(figures) => encode(FIGURES, figures),
            ToDestination::Piece(piece) => encode(PIECE, piece),
            ToDestination::HandOver(hand_over) => encode(HAND_OVER, hand_over),
            ToDestination::Abort(why) => encode(ABORT, why),
        }
    }

    fn read(section: &Section) -> Result<ToDestination, MessageError> {
        match section.kind {
            OFFER => {
                let offer: Box<Offer> = decode(section)?;
                offer.check()?;
                Ok(ToDestination::Offer(offer))
            }
            FIGURES => decode(section).map(ToDestination::Figures),
            PIECE => decode(section).map(ToDestination::Piece),
            HAND_OVER => decode(section).map(ToDestination::HandOver),
            ABORT => decode(section).map(ToDestination::Abort),
            kind => Err(MessageError::Misplaced(kind)),
        }
    }
}

impl Message for ToSource {
    const KNOWN: &'static [Known] = &[
        Known::v1(ACCEPT, 16),
        // Reasons, each at most a text.
        Known::v1(REFUSE, 16 * TEXT),
        Known::v1(ROUND_APPLIED, 8),
        Known::v1(READY, 0),
        Known::v1(COMMITTED, 32),
        Known::v1(RESUMED, 0),
        Known::v1(RETURNED, TEXT),
        Known::v1(ABORTED, TEXT),
    ];

    fn section(&self) -> Result<Section, MessageError> {
        match self {
            ToSource::Accept(accept) => encode(ACCEPT, accept),
            ToSource::Refuse(reasons) => encode(
                REFUSE,
                &reasons.iter().take(MAX_REASONS).collect::<Vec<_>>(),
            ),
            ToSource::RoundApplied(round) => encode(ROUND_APPLIED, round),
            ToSource::Ready => encode(READY, &()),
            ToSource::Committed(place) => encode(COMMITTED, place),
            ToSource::Resumed => encode(RESUMED, &()),
            ToSource::Returned(why) => encode(RETURNED, why),
            ToSource::Aborted(why) => encode(ABORTED, why),
        }
    }

    fn read(section: &Section) -> Result<ToSource, MessageError> {
        match section.kind {
            ACCEPT => decode(section).map(ToSource::Accept),
            REFUSE => match decode(section)? {
                reasons if Vec::len(&reasons) > MAX_REASONS => Err(MessageError::Malformed(REFUSE)),
                reasons => Ok(ToSource::Refuse(reasons)),
            },
            ROUND_APPLIED => decode(section).map(ToSource::RoundApplied),
            READY => decode(section).map(|()| ToSource::Ready),
            COMMITTED => decode(section).map(ToSource::Committed),
            RESUMED => decode(section).map(|()| ToSource::Resumed),
            RETURNED => decode(section).map(ToSource::Returned),
            ABORTED => decode(section).map(ToSource::Aborted),
            kind => Err(MessageError::Misplaced(kind)),
        }
    }
}

pub(crate) fn encode<T: Serialize>(kind: u16, body: &T) -> Result<Section, MessageError> {
    let bytes = postcard::to_allocvec(body).map_err(|_| MessageError::Malformed(kind))?;
    Ok(Section {
        kind,
        version: 1,
        bytes,
    })
}

/// The body of a section, which must end where the body does.
pub(crate) fn decode<T: DeserializeOwned>(section: &Section) -> Result<T, MessageError> {
    match postcard::take_from_bytes(&section.bytes) {
        Ok((body, [])) => Ok(body),
        _ => Err(MessageError::Malformed(section.kind)),
    }
}

#[cfg(test)]
#[path = "message_test.rs"]
mod tests;
