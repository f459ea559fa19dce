//! Copies of memory between the processes of endpoints.

use std::os::fd::AsFd;

use crate::abi;
use crate::address::Address;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::grant::GrantKey;
use crate::sys;
use crate::timeout::Timeout;

/// Memory of the process of an endpoint, from some place on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteMemory {
    endpoint: Address,
    /// With a grant: offset in what is lent.
    address: u64,
    /// 0: none.
    grant: u64,
}

impl RemoteMemory {
    /// What an endpoint has lent, from this offset on.
    pub fn granted(key: GrantKey, offset: u64) -> Self {
        Self {
            endpoint: key.owner,
            address: offset,
            grant: key.id.get(),
        }
    }

    /// Memory of an endpoint by its address there. The endpoint has to wait in a receive or
    /// sendrec while it is copied.
    ///
    /// # Safety
    /// What is copied to that memory, its process must be able to bear. This may be the process
    /// that calls, if it has more than one endpoint: its memory is to be used then as by a raw
    /// pointer.
    pub unsafe fn raw(endpoint: impl Into<Address>, address: u64) -> Self {
        Self {
            endpoint: endpoint.into(),
            address,
            grant: 0,
        }
    }

    /// So many bytes further on; None: there is no such address.
    pub fn offset(self, bytes: u64) -> Option<Self> {
        let address = self.address.checked_add(bytes)?;
        Some(Self { address, ..self })
    }
}

impl From<GrantKey> for RemoteMemory {
    fn from(key: GrantKey) -> Self {
        key.at(0)
    }
}

/// A copy that failed.
#[derive(Debug, thiserror::Error)]
#[error("after {copied} bytes: {error}")]
pub struct CopyError {
    /// Bytes from the start that have arrived. Each MiB arrives whole or not at all.
    pub copied: u64,
    /// Why not more.
    pub error: Error,
}

impl From<CopyError> for Error {
    fn from(error: CopyError) -> Self {
        error.error
    }
}

impl Endpoint {
    /// Copies to memory of another endpoint.
    ///
    /// # Errors
    /// [`Error::BadCall`] and [`Error::TrapDenied`] by privileges, [`Error::NotWaiting`] if the
    /// other one does not wait and has not lent the memory, [`Error::DestinationDied`],
    /// [`Error::Range`], [`Error::OnCopy`], [`Error::TimedOut`], [`Error::Interrupted`].
    pub fn copy_to(
        &self,
        to: impl Into<RemoteMemory>,
        bytes: &[u8],
        timeout: Timeout,
    ) -> Result<(), CopyError> {
        let own = self.own(bytes.as_ptr());
        let copy = description(own, to.into(), bytes.len() as u64, timeout);
        // SAFETY: of this process's memory the copy only reads `bytes`, borrowed for its time,
        // and writes what was lent or `RemoteMemory::raw` allowed.
        unsafe { self.run_copy(copy) }
    }

    /// Copies from memory of another endpoint.
    ///
    /// # Errors
    /// As [`Self::copy_to`], with [`Error::SourceDied`]. After an error there may be anything in
    /// `bytes` beyond [`CopyError::copied`].
    pub fn copy_from(
        &self,
        from: impl Into<RemoteMemory>,
        bytes: &mut [u8],
        timeout: Timeout,
    ) -> Result<(), CopyError> {
        let own = self.own(bytes.as_mut_ptr());
        let copy = description(from.into(), own, bytes.len() as u64, timeout);
        // SAFETY: of this process's memory the copy only writes `bytes`, borrowed exclusively for
        // its time, and reads what was lent or `RemoteMemory::raw` allowed.
        unsafe { self.run_copy(copy) }
    }

    /// Copies between the memory of two other endpoints.
    ///
    /// # Errors
    /// As [`Self::copy_to`] and [`Self::copy_from`].
    pub fn copy_between(
        &self,
        from: impl Into<RemoteMemory>,
        to: impl Into<RemoteMemory>,
        bytes: u64,
        timeout: Timeout,
    ) -> Result<(), CopyError> {
        let copy = description(from.into(), to.into(), bytes, timeout);
        // SAFETY: of this process's memory the copy uses only what was lent, or what
        // `RemoteMemory::raw` allowed.
        unsafe { self.run_copy(copy) }
    }

    fn own(&self, memory: *const u8) -> RemoteMemory {
        RemoteMemory {
            endpoint: self.address(),
            address: memory as u64,
            grant: 0,
        }
    }

    /// # Safety
    /// As [`sys::copy`].
    unsafe fn run_copy(&self, mut copy: abi::Copy) -> Result<(), CopyError> {
        copy.id = self.id();
        // SAFETY: of the caller.
        let outcome = unsafe { sys::copy(self.as_fd(), &mut copy) };
        outcome
            .map_err(Error::from)
            .and_then(|()| Error::check(copy.result))
            .map_err(|error| CopyError {
                copied: copy.copied,
                error,
            })
    }
}

fn description(from: RemoteMemory, to: RemoteMemory, bytes: u64, timeout: Timeout) -> abi::Copy {
    abi::Copy {
        src: from.endpoint.number,
        src_generation: from.endpoint.generation,
        dst: to.endpoint.number,
        dst_generation: to.endpoint.generation,
        src_addr: from.address,
        dst_addr: to.address,
        src_grant: from.grant,
        dst_grant: to.grant,
        bytes,
        timeout_ms: timeout.millis(),
        ..abi::Copy::default()
    }
}

#[cfg(test)]
#[path = "copy_test.rs"]
mod tests;
