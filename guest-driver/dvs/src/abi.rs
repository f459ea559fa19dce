//! What `linux/dvs.h` defines: structures and numbers, under its names.

/// Payload of a message frame (`DVS_MSG_PAYLOAD_MAX`).
pub const MESSAGE_MAX: usize = 432;

pub const ABI_VERSION: u32 = 1;
pub const ID_FILE: u32 = 0;
pub const ID_TASK: u32 = 1;
pub const ID_NUMBER: u32 = 2;
pub const INFO_ADMIN: u32 = 0x1;
pub const BIND_FILE: u32 = 0;
pub const BIND_PID: u32 = 3;
pub const BIND_BACKUP: u32 = 0x1;
pub const BIND_REPLICA: u32 = 0x2;
pub const ADDR_ANY: i32 = 31438;
pub const ADDR_NONE: i32 = 27342;
pub const TIMEOUT_FOREVER: i64 = -1;
pub const TIMEOUT_NOWAIT: i64 = 0;
pub const IO_REQUESTS: u32 = 0x1;
pub const IO_VALUE: u32 = 0x2;
pub const IO_SOURCE: u32 = 0x4;
pub const CAME_REQUEST: u32 = 2;
pub const CAME_NOTIFY: u32 = 3;
pub const AWAIT_BIND: u32 = 0;
pub const AWAIT_UNBIND: u32 = 1;
pub const AWAIT_OWN: u32 = 2;
pub const PRIVILEGE_SET: u32 = 0x1;
pub const STATE_SENDING: u32 = 0x4;
pub const STATE_RECEIVING: u32 = 0x8;
pub const STATE_ONCOPY: u32 = 0x400;
pub const STATE_MIGRATE: u32 = 0x800;
pub const STATE_WAITUNBIND: u32 = 0x2_0000;
pub const STATE_WAITBIND: u32 = 0x4_0000;
pub const MISC_NOTIFY: u32 = 0x4;
pub const MISC_BACKUP: u32 = 0x10;
pub const MISC_GRPLEADER: u32 = 0x20;
pub const MISC_REPLICATED: u32 = 0x80;
pub const MISC_WOKENUP: u32 = 0x200;
pub const GRANT_READ: u32 = 0x1;
pub const GRANT_WRITE: u32 = 0x2;
pub const MIGRATE_START: u32 = 0;
pub const MIGRATE_COMMIT: u32 = 1;
pub const MIGRATE_ROLLBACK: u32 = 2;
pub const MIGRATE_ADOPT: u32 = 3;

#[repr(C)]
#[derive(Debug, Default)]
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
    pub nodeid: u32,
    pub reserved: u32,
    pub dc_name: [u8; 16],
}

#[repr(C)]
#[derive(Debug, Default)]
pub struct Bind {
    pub ep: i32,
    pub owner: u32,
    pub generation: u32,
    pub result: i32,
    pub pid: i32,
    pub flags: u32,
    pub reserved: u64,
}

#[repr(C)]
#[derive(Debug, Default)]
pub struct Unbind {
    pub id: u32,
    pub result: i32,
    pub ep: i32,
    pub reserved0: u32,
    pub timeout_ms: i64,
}

/// Addresses and sizes are those of the slices that [`crate::sys::io`] is given, whatever is in
/// here.
#[repr(C)]
#[derive(Debug, Default)]
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

#[repr(C)]
#[derive(Debug, Default)]
pub struct Wakeup {
    pub ep: i32,
    pub result: i32,
    pub id: u32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Debug, Default)]
pub struct Await {
    pub what: u32,
    pub ep: i32,
    pub timeout_ms: i64,
    pub generation: u32,
    pub result: i32,
    pub reserved: u64,
}

#[repr(C)]
#[derive(Debug, Default)]
pub struct Getep {
    pub pid: i32,
    pub ep: i32,
    pub generation: u32,
    pub result: i32,
}

#[repr(C)]
#[derive(Debug, Default)]
pub struct Privilege {
    pub ep: i32,
    pub flags: u32,
    pub calls: u64,
    pub ipc_to: u64,
    pub level: u32,
    pub result: i32,
    pub reserved: u64,
}

#[repr(C)]
#[derive(Debug, Default)]
pub struct State {
    pub ep: i32,
    pub result: i32,
    pub generation: u32,
    pub vm: u32,
    pub rts: u32,
    pub misc: u32,
    pub getfrom: i32,
    pub sendto: i32,
    pub pid: i32,
    pub queued: u32,
    pub lclsent: u32,
    pub rmtsent: u32,
    pub lclcopy: u32,
    pub rmtcopy: u32,
    pub name: [u8; 16],
    pub reserved: u64,
}

#[repr(C)]
#[derive(Debug, Default)]
pub struct Copy {
    pub id: u32,
    pub flags: u32,
    pub src: i32,
    pub src_generation: u32,
    pub dst: i32,
    pub dst_generation: u32,
    pub src_addr: u64,
    pub dst_addr: u64,
    pub src_grant: u64,
    pub dst_grant: u64,
    pub bytes: u64,
    pub timeout_ms: i64,
    pub copied: u64,
    pub result: i32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Debug, Default)]
pub struct Grant {
    pub id: u32,
    pub rights: u32,
    pub ep: i32,
    pub generation: u32,
    pub address: u64,
    pub bytes: u64,
    pub grant: u64,
    pub result: i32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Default)]
pub struct Migrate {
    pub what: u32,
    pub ep: i32,
    pub timeout_ms: i64,
    pub token: u64,
    pub vm: u32,
    pub owner: u32,
    pub generation: u32,
    pub result: i32,
    pub reserved: u64,
}

#[cfg(test)]
#[path = "abi_test.rs"]
mod tests;
