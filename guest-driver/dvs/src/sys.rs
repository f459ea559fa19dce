//! The ioctls of `/dev/dvs`: the structures of `linux/dvs.h`, and the only
//! `unsafe` of this crate.

use std::ffi::{c_int, c_ulong};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Payload of a message frame (`DVS_MSG_PAYLOAD_MAX`).
pub const MESSAGE_MAX: usize = 432;

pub const ABI_VERSION: u32 = 1;
pub const ID_FILE: u32 = 0;
pub const BIND_FILE: u32 = 0;
pub const ADDR_ANY: i32 = 31438;
pub const TIMEOUT_FOREVER: i64 = -1;
pub const TIMEOUT_NOWAIT: i64 = 0;
pub const CAME_REQUEST: u32 = 2;
pub const CAME_NOTIFY: u32 = 3;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Info {
    pub abi_version: u32,
    pub features: u32,
    pub vm: u32,
    pub incarnation: u32,
    pub dcid: u32,
    pub max_message: u32,
    pub max_endpoints: u32,
    pub nr_tasks: u32,
    pub nr_procs: u32,
    pub nr_sysprocs: u32,
    pub reserved: [u32; 6],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Bind {
    pub ep: i32,
    pub owner: u32,
    pub generation: u32,
    pub result: i32,
    pub reserved: [u64; 2],
}

/// `struct dvs_io`. Addresses and sizes are those of the slices that [`io`] is given, whatever is
/// in here.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Io {
    pub id: u32,
    pub flags: u32,
    pub ep: i32,
    pub generation: u32,
    pub send_buf: u64,
    pub recv_buf: u64,
    pub send_len: u32,
    pub recv_len: u32,
    pub timeout_ms: i64,
    pub token: u64,
    pub from: i32,
    pub from_generation: u32,
    pub came: u32,
    pub result: i32,
    pub reserved: [u64; 2],
}

/// What to do with an [`Io`]; the value is the number of the ioctl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Call {
    Send = 3,
    Receive = 4,
    Sendrec = 5,
    Reply = 6,
    Notify = 7,
}

const MAGIC: c_ulong = 0xe4;
const READ: c_ulong = 2;
const WRITE: c_ulong = 1;

/// `_IOC` of `asm-generic/ioctl.h`.
const fn ioc(direction: c_ulong, number: c_ulong, size: usize) -> c_ulong {
    direction << 30 | (size as c_ulong) << 16 | MAGIC << 8 | number
}

const IOC_INFO: c_ulong = ioc(READ, 0, size_of::<Info>());
const IOC_BIND: c_ulong = ioc(READ | WRITE, 1, size_of::<Bind>());

/// Opens `/dev/dvs`.
pub fn open() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/dvs")
}

fn checked(result: c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// `DVS_IOC_INFO`.
pub fn info(fd: BorrowedFd<'_>) -> io::Result<Info> {
    let mut info = Info::default();
    // SAFETY: the ioctl writes one `struct dvs_info`, which `info` is, and keeps no address.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), IOC_INFO as _, &raw mut info) })?;
    Ok(info)
}

/// `DVS_IOC_BIND`.
pub fn bind(fd: BorrowedFd<'_>, bind: &mut Bind) -> io::Result<()> {
    // SAFETY: the ioctl reads and writes one `struct dvs_bind`, which `bind` is, and keeps no
    // address.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), IOC_BIND as _, &raw mut *bind) })
}

/// A call with `send` as its message and `recv` as the place of what comes back.
pub fn io(
    fd: BorrowedFd<'_>,
    call: Call,
    io: &mut Io,
    send: &[u8],
    recv: &mut [u8],
) -> io::Result<()> {
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
    let number = ioc(READ | WRITE, call as c_ulong, size_of::<Io>());
    // SAFETY: the ioctl reads and writes one `struct dvs_io`, which `io` is. It reads at most
    // `send_len` bytes at `send_buf` and writes at most `recv_len` at `recv_buf`: two slices that
    // are borrowed for the time of the call, the second one exclusively. It keeps no address.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), number as _, &raw mut *io) })
}

#[cfg(test)]
#[path = "sys_test.rs"]
mod tests;
