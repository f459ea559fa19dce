//! The open device: what can be asked without an endpoint.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use crate::abi;
use crate::address::Address;
use crate::error::Error;
use crate::privileges::Privileges;
use crate::state::Whereabouts;
use crate::sys;
use crate::timeout::Timeout;

/// What the host told of this VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Id of this VM.
    pub vm: u32,
    /// Which life of the VM this is.
    pub incarnation: u32,
    /// Distributed container of the VM.
    pub dcid: u32,
    /// Its name.
    pub dc_name: String,
    /// Number of the host's node.
    pub nodeid: u32,
    /// Whether this VM may administer its container: set privileges.
    pub admin: bool,
    /// Bytes that a message can have.
    pub max_message: u32,
    /// Endpoints that this VM may have bound at once.
    pub max_endpoints: u32,
    /// Endpoint numbers begin with minus this …
    pub nr_tasks: u32,
    /// … and end below this.
    pub nr_procs: u32,
    /// A number is a server's if the sum of it and `nr_tasks` is below this.
    pub nr_sysprocs: u32,
}

impl From<abi::Info> for Info {
    fn from(info: abi::Info) -> Self {
        Self {
            vm: info.vm,
            incarnation: info.incarnation,
            dcid: info.dcid,
            dc_name: text(&info.dc_name),
            nodeid: info.nodeid,
            admin: info.features & abi::INFO_ADMIN != 0,
            max_message: info.max_message,
            max_endpoints: info.max_endpoints,
            nr_tasks: info.nr_tasks,
            nr_procs: info.nr_procs,
            nr_sysprocs: info.nr_sysprocs,
        }
    }
}

/// A text that is padded with zeros.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// What is recorded of an endpoint at its bind, and shown with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    #[default]
    Plain,
    /// It stands by for another one.
    Backup,
    /// One of several that do the same.
    Replica,
}

impl Role {
    pub(crate) fn flags(self) -> u32 {
        match self {
            Self::Plain => 0,
            Self::Backup => abi::BIND_BACKUP,
            Self::Replica => abi::BIND_REPLICA,
        }
    }
}

/// An open `/dev/dvs`.
#[derive(Debug)]
pub struct Dvs {
    file: File,
}

impl Dvs {
    /// Opens the device.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no device or no permission, [`Error::Version`].
    pub fn open() -> Result<Self, Error> {
        Self::open_with(0)
    }

    /// Opens the device so that no receive waits (O_NONBLOCK), for programs that poll.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_nonblocking() -> Result<Self, Error> {
        Self::open_with(libc::O_NONBLOCK)
    }

    fn open_with(flags: i32) -> Result<Self, Error> {
        let file = sys::open(flags)?;
        let version = sys::info(file.as_fd())?.abi_version;
        if version != abi::ABI_VERSION {
            return Err(Error::Version(version, abi::ABI_VERSION));
        }
        Ok(Self { file })
    }

    /// What the host told of this VM.
    ///
    /// # Errors
    /// [`Error::Io`] if the device is gone.
    pub fn info(&self) -> Result<Info, Error> {
        Ok(sys::info(self.file.as_fd())?.into())
    }

    /// Waits until a number is bound, in whatever VM of the container, and tells its address.
    ///
    /// # Errors
    /// [`Error::Again`], [`Error::TimedOut`], [`Error::Interrupted`], [`Error::Range`],
    /// [`Error::Limit`].
    pub fn await_bound(&self, number: i32, timeout: Timeout) -> Result<Address, Error> {
        self.wait(abi::AWAIT_BIND, number, timeout)
    }

    /// Waits until nobody has the number.
    ///
    /// # Errors
    /// As [`Self::await_bound`].
    pub fn await_unbound(&self, number: i32, timeout: Timeout) -> Result<(), Error> {
        self.wait(abi::AWAIT_UNBIND, number, timeout).map(|_| ())
    }

    /// Waits until the calling thread or process has an endpoint of its own.
    pub(crate) fn await_own(&self, timeout: Timeout) -> Result<Address, Error> {
        self.wait(abi::AWAIT_OWN, 0, timeout)
    }

    fn wait(&self, what: u32, number: i32, timeout: Timeout) -> Result<Address, Error> {
        let mut wait = abi::Await {
            what,
            ep: number,
            timeout_ms: timeout.millis(),
            ..abi::Await::default()
        };
        sys::exchange(self.file.as_fd(), &mut wait)?;
        Ok(Address {
            number: wait.ep,
            generation: wait.generation,
        })
    }

    /// The endpoint of a process of this VM that was bound for the process (not for an open file,
    /// as those of this crate are).
    ///
    /// # Errors
    /// [`Error::BadPid`], [`Error::BadProcess`], [`Error::NotBound`].
    pub fn endpoint_of(&self, pid: i32) -> Result<Address, Error> {
        let mut getep = abi::Getep {
            pid,
            ..abi::Getep::default()
        };
        sys::exchange(self.file.as_fd(), &mut getep)?;
        Ok(Address {
            number: getep.ep,
            generation: getep.generation,
        })
    }

    /// Where a number is bound, and what its endpoint does now.
    ///
    /// # Errors
    /// [`Error::Range`], [`Error::Io`]. That nobody has it, or another VM, is no error.
    pub fn state(&self, number: i32) -> Result<Whereabouts, Error> {
        let mut state = abi::State {
            ep: number,
            ..abi::State::default()
        };
        let result = sys::exchange(self.file.as_fd(), &mut state);
        Whereabouts::of(result, &state)
    }

    /// What an endpoint of this VM may do.
    ///
    /// # Errors
    /// [`Error::NotBound`], [`Error::OtherVm`], [`Error::Range`].
    pub fn privileges(&self, number: i32) -> Result<Privileges, Error> {
        let mut record = abi::Privilege {
            ep: number,
            ..abi::Privilege::default()
        };
        sys::exchange(self.file.as_fd(), &mut record)?;
        Privileges::of(&record)
    }

    /// Sets what an endpoint of this VM may do, from now on. Needs `CAP_SYS_ADMIN` in a VM that
    /// may administer its container ([`Info::admin`]).
    ///
    /// # Errors
    /// [`Error::Privileges`], and as [`Self::privileges`].
    pub fn set_privileges(&self, number: i32, privileges: &Privileges) -> Result<(), Error> {
        let mut record = abi::Privilege {
            flags: abi::PRIVILEGE_SET,
            ..privileges.record(number)
        };
        sys::exchange(self.file.as_fd(), &mut record)
    }

    /// Binds a number to another process of this VM, until that exits. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`Error::BadPid`], [`Error::Busy`] if the process has an endpoint, [`Error::Privileges`],
    /// and as [`Endpoint::bind`](crate::Endpoint::bind).
    pub fn bind_process(&self, pid: i32, number: i32, role: Role) -> Result<Address, Error> {
        let mut bind = abi::Bind {
            ep: number,
            owner: abi::BIND_PID,
            pid,
            flags: role.flags(),
            ..abi::Bind::default()
        };
        sys::exchange(self.file.as_fd(), &mut bind)?;
        Ok(Address {
            number,
            generation: bind.generation,
        })
    }

    /// Ends the endpoint of this number, whoever in this VM has it, and waits until its process
    /// has left its calls. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// [`Error::NotBound`], [`Error::OtherVm`], [`Error::OnCopy`], [`Error::Privileges`],
    /// [`Error::TimedOut`].
    pub fn unbind(&self, number: i32, timeout: Timeout) -> Result<(), Error> {
        let mut unbind = abi::Unbind {
            id: abi::ID_NUMBER,
            ep: number,
            timeout_ms: timeout.millis(),
            ..abi::Unbind::default()
        };
        sys::exchange(self.file.as_fd(), &mut unbind)
    }
}

impl AsFd for Dvs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
#[path = "device_test.rs"]
mod tests;
