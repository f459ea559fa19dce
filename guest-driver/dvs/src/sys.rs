//! The ioctls of `/dev/dvs`.

use std::ffi::{c_int, c_ulong};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use crate::abi;
use crate::error::Error;

/// A structure with the number of its ioctl, the outcome of the call in it.
///
/// # Safety
/// It is the structure that the driver reads and writes for that number, and the driver uses no
/// memory but it.
pub unsafe trait Exchange {
    /// Of `DVS_IOC_*`.
    const NUMBER: c_ulong;

    /// The outcome: 0 or a number of the DVS.
    fn result(&self) -> i32;
}

macro_rules! exchange {
    ($($structure:ident = $number:literal),* $(,)?) => {
        $(
            // SAFETY: `abi_test.rs` compares layout and number with the header, and the structure
            // has no address in it.
            unsafe impl Exchange for abi::$structure {
                const NUMBER: c_ulong = $number;

                fn result(&self) -> i32 {
                    self.result
                }
            }
        )*
    };
}

exchange! {
    Bind = 1,
    Unbind = 2,
    Wakeup = 10,
    Await = 11,
    Getep = 12,
    Privilege = 13,
    State = 14,
    Migrate = 17,
}

/// What to do with an [`abi::Io`]; the value is the number of the ioctl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Call {
    Send = 3,
    Receive = 4,
    Sendrec = 5,
    Reply = 6,
    Notify = 7,
    ReplyReceive = 8,
    Relay = 9,
}

pub const NUMBER_INFO: c_ulong = 0;
pub const NUMBER_COPY: c_ulong = 15;
pub const NUMBER_GRANT: c_ulong = 16;

pub const MAGIC: c_ulong = 0xe4;
const READ: c_ulong = 2;
const WRITE: c_ulong = 1;

/// `_IOC` of `asm-generic/ioctl.h`.
const fn ioc(direction: c_ulong, number: c_ulong, size: usize) -> c_ulong {
    direction << 30 | (size as c_ulong) << 16 | MAGIC << 8 | number
}

/// Opens `/dev/dvs`; `flags`: of open(2), besides O_RDWR and O_CLOEXEC.
pub fn open(flags: c_int) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open("/dev/dvs")
}

fn checked(result: c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// An ioctl that reads and writes one `T`.
///
/// # Safety
/// `T` is the structure of the header for this number. All memory that it names the driver may
/// use: for the time of the call, or for as long as the call lets it.
unsafe fn read_write<T>(fd: BorrowedFd<'_>, number: c_ulong, data: &mut T) -> io::Result<()> {
    let request = ioc(READ | WRITE, number, size_of::<T>());
    // SAFETY: the ioctl reads and writes one `T`, which `data` is, and keeps no address of it; the
    // rest is the caller's promise.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), request as _, &raw mut *data) })
}

/// `DVS_IOC_INFO`.
pub fn info(fd: BorrowedFd<'_>) -> io::Result<abi::Info> {
    let mut info = abi::Info::default();
    let request = ioc(READ, NUMBER_INFO, size_of::<abi::Info>());
    // SAFETY: the ioctl writes one `struct dvs_info`, which `info` is, and keeps no address.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), request as _, &raw mut info) })?;
    Ok(info)
}

/// A call of one structure; an outcome other than 0 is an error.
pub fn exchange<T: Exchange>(fd: BorrowedFd<'_>, data: &mut T) -> Result<(), Error> {
    // SAFETY: of the trait.
    unsafe { read_write(fd, T::NUMBER, data) }?;
    Error::check(data.result())
}

/// A call with `send` as its message and `recv` as the place of what comes back.
pub fn io(
    fd: BorrowedFd<'_>,
    call: Call,
    io: &mut abi::Io,
    send: &[u8],
    recv: &mut [u8],
) -> Result<(), Error> {
    io.send_buf = if send.is_empty() {
        0
    } else {
        send.as_ptr() as u64
    };
    io.send_len = u32::try_from(send.len()).unwrap_or(u32::MAX);
    io.recv_buf = if recv.is_empty() {
        0
    } else {
        recv.as_mut_ptr() as u64
    };
    io.recv_len = u32::try_from(recv.len()).unwrap_or(u32::MAX);
    // SAFETY: `io` is the structure of all of `Call`. The driver reads at most `send_len` bytes at
    // `send_buf` and writes at most `recv_len` at `recv_buf`: two slices that are borrowed for the
    // time of the call, the second one exclusively.
    unsafe { read_write(fd, call as c_ulong, io) }?;
    Error::check(io.result)
}

/// `DVS_IOC_COPY`. The outcome stays in `copy`: a failed one tells how much has arrived.
///
/// # Safety
/// Where `copy` names memory of this process by address, that may be read (source) or written
/// (destination) for the time of the call.
pub unsafe fn copy(fd: BorrowedFd<'_>, copy: &mut abi::Copy) -> io::Result<()> {
    // SAFETY: of the caller.
    unsafe { read_write(fd, NUMBER_COPY, copy) }
}

/// `DVS_IOC_GRANT`.
///
/// # Safety
/// The memory that `grant` names may be used as its rights tell until the grant is revoked.
pub unsafe fn grant(fd: BorrowedFd<'_>, grant: &mut abi::Grant) -> Result<(), Error> {
    // SAFETY: of the caller.
    unsafe { read_write(fd, NUMBER_GRANT, grant) }?;
    Error::check(grant.result)
}

#[cfg(test)]
#[path = "sys_test.rs"]
mod tests;
