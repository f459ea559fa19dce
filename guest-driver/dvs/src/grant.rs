//! Grants: memory lent to other endpoints, so that they can copy from or to it without being
//! trusted with addresses.
//!
//! A program that only reads does no harm to memory that is borrowed, so a [`Grant`] of that is a
//! guard. One that writes must not do so after the memory is somebody else's, even if the guard
//! is forgotten (`mem::forget`): memory to write to is lent for the time of a closure
//! ([`Endpoint::lend_mut`]) or given away until it is taken back ([`LentBuffer`]).

use std::borrow::Borrow;
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use crate::abi;
use crate::address::{Address, OneOrAny};
use crate::copy::RemoteMemory;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::sys;

/// What others may do with memory that is lent for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Copy to it.
    Write,
    /// Copy from and to it.
    ReadWrite,
}

impl Access {
    fn rights(self) -> u32 {
        match self {
            Self::Write => abi::GRANT_WRITE,
            Self::ReadWrite => abi::GRANT_READ | abi::GRANT_WRITE,
        }
    }
}

/// What another program needs to know of a grant; [`Self::to_bytes`] is made for messages.
///
/// It is a name, not a right: who may use the grant was said when the memory was lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GrantKey {
    /// Who lends.
    pub owner: Address,
    /// Which of the owner's grants.
    pub id: NonZeroU64,
    /// Bytes that are lent.
    pub bytes: u64,
}

impl GrantKey {
    /// Bytes of [`Self::to_bytes`].
    pub const SIZE: usize = 24;

    /// The memory from this offset on.
    pub fn at(self, offset: u64) -> RemoteMemory {
        RemoteMemory::granted(self, offset)
    }

    /// For a message.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&self.owner.number.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.owner.generation.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.id.get().to_le_bytes());
        bytes[16..].copy_from_slice(&self.bytes.to_le_bytes());
        bytes
    }

    /// As [`Self::to_bytes`] wrote it; None: there is no such grant, as with zeros alone.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
        let (mut id, mut size) = ([0; 8], [0; 8]);
        id.copy_from_slice(&rest[..8]);
        size.copy_from_slice(&rest[8..]);
        Some(Self {
            owner: Address {
                number: i32::from_le_bytes([a, b, c, d]),
                generation: u32::from_le_bytes([e, f, g, h]),
            },
            id: NonZeroU64::new(u64::from_le_bytes(id))?,
            bytes: u64::from_le_bytes(size),
        })
    }
}

/// Lends memory.
///
/// # Safety
/// The memory may be used as `rights` tell until the grant is revoked.
unsafe fn lend(
    endpoint: &Endpoint,
    memory: NonNull<[u8]>,
    rights: u32,
    to: OneOrAny,
) -> Result<GrantKey, Error> {
    let mut grant = abi::Grant {
        id: endpoint.id(),
        rights,
        ep: to.0.number,
        generation: to.0.generation,
        address: memory.cast::<u8>().as_ptr() as u64,
        bytes: memory.len() as u64,
        ..abi::Grant::default()
    };
    // SAFETY: of the caller.
    unsafe { sys::grant(endpoint.as_fd(), &mut grant) }?;
    Ok(GrantKey {
        owner: endpoint.address(),
        // A driver that gives no number has lent nothing that could be used or revoked.
        id: NonZeroU64::new(grant.grant).ok_or(Error::Invalid)?,
        bytes: memory.len() as u64,
    })
}

/// Ends a grant. Nobody uses the memory when this returns: it fails only where the grant has ended
/// before, with the endpoint or the device.
fn revoke(endpoint: &Endpoint, key: GrantKey) {
    loop {
        let mut grant = abi::Grant {
            id: endpoint.id(),
            grant: key.id.get(),
            ..abi::Grant::default()
        };
        // SAFETY: no memory is lent.
        let outcome = unsafe { sys::grant(endpoint.as_fd(), &mut grant) };
        if !matches!(outcome, Err(Error::Interrupted)) {
            return;
        }
    }
}

/// Memory lent to be read; dropping it revokes the grant.
///
/// The memory cannot be changed while it is lent:
///
/// ```compile_fail,E0506
/// # fn changed(endpoint: &dvs::Endpoint) -> Result<(), dvs::Error> {
/// let mut value = *b"value";
/// let grant = endpoint.lend(&value, 10)?;
/// value[0] = b'V';
/// endpoint.sendrec(10, &grant.key().to_bytes(), dvs::Timeout::Forever)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the grant is revoked when this is dropped"]
pub struct Grant<'a> {
    endpoint: &'a Endpoint,
    key: GrantKey,
}

impl Grant<'_> {
    /// To be told to who may use the grant.
    pub fn key(&self) -> GrantKey {
        self.key
    }
}

impl Drop for Grant<'_> {
    fn drop(&mut self) {
        revoke(self.endpoint, self.key);
    }
}

impl Endpoint {
    /// Lends memory to another endpoint, or any of the container, to copy from it.
    ///
    /// # Errors
    /// [`Error::Range`] for no bytes, [`Error::Limit`], and those of addresses.
    pub fn lend<'a>(
        &'a self,
        memory: &'a [u8],
        to: impl Into<OneOrAny>,
    ) -> Result<Grant<'a>, Error> {
        let memory = NonNull::from(memory);
        // SAFETY: others only read. `memory` is borrowed as long as the grant lives; of one that
        // is forgotten they read what is there then, and what they see is theirs to judge.
        let key = unsafe { lend(self, memory, abi::GRANT_READ, to.into()) }?;
        Ok(Grant {
            endpoint: self,
            key,
        })
    }

    /// Lends memory to another endpoint, or any of the container, to copy to it, while `during`
    /// runs.
    ///
    /// ```no_run
    /// # let endpoint = dvs::Endpoint::bind(dvs::Dvs::open()?, 40)?;
    /// let mut value = vec![0; 1 << 20];
    /// let reply = endpoint.lend_mut(&mut value, dvs::Access::Write, 10, |key| {
    ///     endpoint.sendrec(10, &key.to_bytes(), dvs::Timeout::Forever)
    /// })??;
    /// # Ok::<(), dvs::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::lend`].
    pub fn lend_mut<T>(
        &self,
        memory: &mut [u8],
        access: Access,
        to: impl Into<OneOrAny>,
        during: impl FnOnce(GrantKey) -> T,
    ) -> Result<T, Error> {
        let memory = NonNull::from(memory);
        // SAFETY: `memory` is borrowed exclusively for the time of this function, which revokes
        // the grant before it ends, also by a panic.
        let key = unsafe { lend(self, memory, access.rights(), to.into()) }?;
        let grant = Grant {
            endpoint: self,
            key,
        };
        Ok(during(grant.key()))
    }
}

/// A buffer lent to be written to (and read); [`Self::take`] revokes the grant and gives it back.
///
/// `E` is how the endpoint is kept: `&Endpoint`, or `Arc<Endpoint>`.
#[derive(Debug)]
pub struct LentBuffer<E: Borrow<Endpoint>> {
    endpoint: E,
    key: GrantKey,
    /// Of a box that is this one's alone, until it is given back; a pointer, as others write to it.
    memory: Option<NonNull<[u8]>>,
}

// SAFETY: the memory is this one's alone; nothing refers to the thread that made it.
unsafe impl<E: Borrow<Endpoint> + Send> Send for LentBuffer<E> {}
// SAFETY: by a shared reference nobody comes to the memory.
unsafe impl<E: Borrow<Endpoint> + Sync> Sync for LentBuffer<E> {}

impl<E: Borrow<Endpoint>> LentBuffer<E> {
    /// Lends a buffer to another endpoint, or any of the container.
    ///
    /// # Errors
    /// As [`Endpoint::lend`]; the buffer is lost then.
    pub fn new(
        endpoint: E,
        buffer: Box<[u8]>,
        access: Access,
        to: impl Into<OneOrAny>,
    ) -> Result<Self, Error> {
        let memory = NonNull::from(Box::leak(buffer));
        // SAFETY: nobody but the grant uses the memory until `end` has revoked it.
        match unsafe { lend(endpoint.borrow(), memory, access.rights(), to.into()) } {
            Ok(key) => Ok(Self {
                endpoint,
                key,
                memory: Some(memory),
            }),
            Err(error) => {
                // SAFETY: it was leaked above, and is not lent.
                drop(unsafe { Box::from_raw(memory.as_ptr()) });
                Err(error)
            }
        }
    }

    /// To be told to who may use the grant.
    pub fn key(&self) -> GrantKey {
        self.key
    }

    /// Revokes the grant; gives the buffer with what was copied to it.
    pub fn take(mut self) -> Box<[u8]> {
        self.end().unwrap_or_default()
    }

    /// Revokes the grant and makes a box of the memory again; None: it was done before.
    fn end(&mut self) -> Option<Box<[u8]>> {
        let memory = self.memory.take()?;
        revoke(self.endpoint.borrow(), self.key);
        // SAFETY: `new` leaked it, nobody uses it any more, and `memory` was there only once.
        Some(unsafe { Box::from_raw(memory.as_ptr()) })
    }
}

impl<E: Borrow<Endpoint>> Drop for LentBuffer<E> {
    fn drop(&mut self) {
        drop(self.end());
    }
}

#[cfg(test)]
#[path = "grant_test.rs"]
mod tests;
