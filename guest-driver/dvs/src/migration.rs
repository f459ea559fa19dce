//! Moving an endpoint together with a process that is moved by other means.

use std::fmt;
use std::os::fd::AsFd;

use crate::abi;
use crate::device::Dvs;
use crate::error::Error;
use crate::sys;
use crate::timeout::Timeout;

/// Who has it can adopt the endpoint that it was given for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MigrationToken(pub(crate) u64);

impl MigrationToken {
    /// From what [`Self::to_bytes`] gave, in another process or VM.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    /// From the 16 hexadecimal digits that an operator of the host was given (`dvsctl endpoint start`);
    /// `None` if it is not that.
    pub fn from_hex(digits: &str) -> Option<Self> {
        let digits = Some(digits).filter(|it| it.len() == 16 && !it.starts_with('+'));
        digits.and_then(|it| u64::from_str_radix(it, 16).ok().map(Self))
    }

    /// To be sent to the new place, by a way that nobody else reads.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

impl fmt::Debug for MigrationToken {
    /// Who reads a log must not be able to adopt the endpoint.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MigrationToken")
    }
}

impl Dvs {
    /// Begins to move an endpoint of this VM: its own process may, and a privileged one. Returns when
    /// it is quiescent: none of its calls is under way but receives, and no copy. From now on, whoever
    /// calls it waits, and so do the calls of its process. The process at the new place needs the
    /// token for [`Endpoint::adopt`](crate::Endpoint::adopt). A second start gives the same token.
    ///
    /// # Errors
    /// [`Error::TimedOut`] or [`Error::Interrupted`]: it was not quiescent, and is not being moved;
    /// [`Error::OtherVm`], [`Error::NotBound`], [`Error::Range`], [`Error::Privileges`],
    /// [`Error::Io`].
    pub fn migrate_start(&self, number: i32, timeout: Timeout) -> Result<MigrationToken, Error> {
        let call = self.migrate(abi::MIGRATE_START, number, 0, timeout)?;
        Ok(MigrationToken(call.token))
    }

    /// Lets the endpoint go, to an adopter in VM `vm`, or in any. Returns when an adopter has it.
    ///
    /// # Errors
    /// [`Error::NotWaiting`] if it is not quiescent, or stays after all. [`Error::TimedOut`],
    /// [`Error::Interrupted`], [`Error::DestinationDied`], [`Error::Limit`]: nobody has it, and it
    /// is still being moved; or, if the directory does not answer, that is not known yet: another
    /// commit or a rollback tells, by [`Error::OtherVm`] if it has moved. Others as
    /// [`Self::migrate_start`].
    pub fn migrate_commit(
        &self,
        number: i32,
        vm: Option<u32>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let vm = vm.unwrap_or(0);
        self.migrate(abi::MIGRATE_COMMIT, number, vm, timeout)?;
        Ok(())
    }

    /// The endpoint stays, and all goes on as before.
    ///
    /// # Errors
    /// [`Error::Moved`] if it is not being moved, [`Error::NotWaiting`] or [`Error::OtherVm`] if it
    /// has moved. Others as [`Self::migrate_start`].
    pub fn migrate_rollback(&self, number: i32, timeout: Timeout) -> Result<(), Error> {
        self.migrate(abi::MIGRATE_ROLLBACK, number, 0, timeout)?;
        Ok(())
    }

    fn migrate(
        &self,
        what: u32,
        number: i32,
        vm: u32,
        timeout: Timeout,
    ) -> Result<abi::Migrate, Error> {
        let mut call = abi::Migrate {
            what,
            ep: number,
            vm,
            timeout_ms: timeout.millis(),
            ..abi::Migrate::default()
        };
        sys::exchange(self.as_fd(), &mut call)?;
        Ok(call)
    }
}
