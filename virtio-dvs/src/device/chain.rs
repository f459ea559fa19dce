//! Descriptor chains of a guest: where their bytes lie, and copying between them.
//!
//! Everything in a chain is the guest's word: addresses, lengths, flags, links. What is taken from
//! it is checked once and kept here, so that a guest that changes it meanwhile changes nothing.

use crate::device::memory::{GuestMem, GuestSlice};
use crate::spec::CHAIN_MAX;
use arrayvec::ArrayVec;
use thiserror::Error;
use virtio_queue::DescriptorChain;
use virtio_queue::desc::split::Descriptor;
use vm_memory::{GuestMemory, Permissions};

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadChain {
    /// A link leads nowhere, or round in a circle.
    #[error("the chain does not end")]
    Open,
    /// It has more pieces than anybody needs.
    #[error("the chain has more than {CHAIN_MAX} pieces")]
    TooMany,
    /// A buffer is not in the guest's memory.
    #[error("a buffer is outside the guest's memory")]
    Memory,
    /// A device-writable descriptor where there may be none, or the other way round.
    #[error("a descriptor has the wrong direction")]
    Direction,
    /// It is shorter than what belongs into it.
    #[error("the chain is too short")]
    Short,
}

/// Pieces of guest memory, one after the other.
#[derive(Debug, Default)]
pub struct Pieces<'m> {
    slices: ArrayVec<GuestSlice<'m>, CHAIN_MAX>,
    len: usize,
}

impl<'m> Pieces<'m> {
    /// No bytes yet.
    pub fn new() -> Pieces<'m> {
        Pieces::default()
    }

    /// Bytes in all. At most [`CHAIN_MAX`] times 4 GiB.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn add(&mut self, mem: &'m GuestMem, descriptor: &Descriptor) -> Result<(), BadChain> {
        let access = if descriptor.is_write_only() {
            Permissions::Write
        } else {
            Permissions::Read
        };
        let len = descriptor.len() as usize;
        let slices = GuestMemory::get_slices(mem, descriptor.addr(), len, access)
            .map_err(|_| BadChain::Memory)?;
        for slice in slices {
            let slice = slice.map_err(|_| BadChain::Memory)?;
            self.len += slice.len();
            self.slices.try_push(slice).map_err(|_| BadChain::TooMany)?;
        }
        Ok(())
    }

    /// Copies the first bytes out.
    pub fn read(&self, to: &mut [u8]) -> Result<(), BadChain> {
        self.read_behind(0, to)
    }

    /// Copies out what follows the first `skip` bytes.
    pub fn read_behind(&self, skip: usize, to: &mut [u8]) -> Result<(), BadChain> {
        if to.len() > self.len.saturating_sub(skip) {
            return Err(BadChain::Short);
        }
        Cursor::new(self, skip).get(to);
        Ok(())
    }

    /// Writes `head` at the beginning, and the payload behind it.
    pub fn write(&self, head: &[u8], payload: &Payload<'_, '_>) -> Result<(), BadChain> {
        let fits = payload.is_there() && head.len() + payload.len() <= self.len;
        if !fits {
            return Err(BadChain::Short);
        }
        let mut to = Cursor::new(self, 0);
        to.put(head);
        match *payload {
            Payload::Chain { from, skip, count } => to.copy(&mut Cursor::new(from, skip), count),
            Payload::Bytes(bytes) => to.put(bytes),
        }
        Ok(())
    }
}

/// What is written behind a head.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'p, 'm> {
    /// Bytes of a guest.
    Chain {
        /// Where they are,
        from: &'p Pieces<'m>,
        /// behind how many others,
        skip: usize,
        /// and how many.
        count: usize,
    },
    /// Bytes of the node.
    Bytes(&'p [u8]),
}

impl Payload<'_, '_> {
    /// How many bytes.
    pub fn len(&self) -> usize {
        match self {
            Payload::Chain { count, .. } => *count,
            Payload::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn is_there(&self) -> bool {
        match self {
            Payload::Chain { from, skip, count } => *count == 0 || skip + count <= from.len,
            Payload::Bytes(_) => true,
        }
    }
}

/// A place between the bytes of [`Pieces`].
struct Cursor<'p, 'm> {
    rest: std::slice::Iter<'p, GuestSlice<'m>>,
    piece: Option<GuestSlice<'m>>,
}

impl<'p, 'm> Cursor<'p, 'm> {
    fn new(pieces: &'p Pieces<'m>, mut skip: usize) -> Cursor<'p, 'm> {
        let mut rest = pieces.slices.iter();
        let mut piece = rest.next().copied();
        while let Some(slice) = piece {
            if skip < slice.len() {
                piece = slice.offset(skip).ok();
                break;
            }
            skip -= slice.len();
            piece = rest.next().copied();
        }
        Cursor { rest, piece }
    }

    /// The piece at hand, at most `count` bytes of it; moves past what it gives.
    fn take(&mut self, count: usize) -> Option<GuestSlice<'m>> {
        let piece = loop {
            let piece = self.piece?;
            if !piece.is_empty() {
                break piece;
            }
            self.piece = self.rest.next().copied();
        };
        let count = count.min(piece.len());
        self.piece = piece.offset(count).ok();
        piece.subslice(0, count).ok()
    }

    fn get(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let Some(from) = self.take(bytes.len()) else {
                return;
            };
            let copied = from.copy_to(bytes);
            bytes = bytes.get_mut(copied..).unwrap_or_default();
        }
    }

    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(to) = self.take(bytes.len()) else {
                return;
            };
            to.copy_from(bytes);
            bytes = bytes.get(to.len()..).unwrap_or_default();
        }
    }

    fn copy(&mut self, from: &mut Cursor<'_, '_>, mut count: usize) {
        while count > 0 {
            let Some(source) = from.take(count) else {
                return;
            };
            count -= source.len();
            let mut source = source;
            while !source.is_empty() {
                let Some(to) = self.take(source.len()) else {
                    return;
                };
                source.copy_to_volatile_slice(to);
                let Ok(rest) = source.offset(to.len()) else {
                    return;
                };
                source = rest;
            }
        }
    }
}

/// Takes a chain of which everything is for the device to read (`writable` false) or to write.
pub fn one_way<'m>(
    mem: &'m GuestMem,
    chain: DescriptorChain<&'m GuestMem>,
    writable: bool,
    pieces: &mut Pieces<'m>,
) -> Result<(), BadChain> {
    walk(chain, |descriptor| {
        if descriptor.is_write_only() != writable {
            return Err(BadChain::Direction);
        }
        pieces.add(mem, descriptor)
    })
}

/// Takes a chain of which the first part is for the device to read and the rest to write.
pub fn both_ways<'m>(
    mem: &'m GuestMem,
    chain: DescriptorChain<&'m GuestMem>,
    readable: &mut Pieces<'m>,
    writable: &mut Pieces<'m>,
) -> Result<(), BadChain> {
    walk(chain, |descriptor| {
        if descriptor.is_write_only() {
            return writable.add(mem, descriptor);
        }
        if !writable.is_empty() {
            return Err(BadChain::Direction);
        }
        readable.add(mem, descriptor)
    })
}

/// Goes along a chain to its end.
fn walk(
    chain: DescriptorChain<&GuestMem>,
    mut each: impl FnMut(&Descriptor) -> Result<(), BadChain>,
) -> Result<(), BadChain> {
    let mut ended = false;
    for (count, descriptor) in chain.enumerate() {
        if count >= CHAIN_MAX {
            return Err(BadChain::TooMany);
        }
        ended = !descriptor.has_next();
        each(&descriptor)?;
    }
    // The iterator stops silently at a link that leads nowhere and at an endless chain.
    if ended { Ok(()) } else { Err(BadChain::Open) }
}

#[cfg(test)]
#[path = "chain_test.rs"]
mod tests;
