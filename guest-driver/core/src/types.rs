//! Plain data of `core.h` and `wire.h` in Rust.

/// Source filter of a receive: any endpoint.
pub const ANY: i32 = 31438;
/// Result: the call goes on (never seen in an [`Outcome`]).
pub const PENDING: i32 = 1;
/// Flag: fail with AGAIN rather than wait for the peer.
pub const NOWAIT: u32 = 0x01;
/// Flag of receive: only what sendrec sent.
pub const REQUESTS: u32 = 0x02;
/// Largest payload of a message, in bytes.
pub const MAX_MESSAGE: usize = 432;

/// Results of calls: the DVS's numbers.
#[allow(missing_docs, reason = "named as in errors.h")]
pub mod errors {
    pub const EINTR: i32 = -4;
    pub const EAGAIN: i32 = -11;
    pub const ERANGE: i32 = -34;
    pub const EBADDEST: i32 = -55;
    pub const ETIMEDOUT: i32 = -61;
    pub const ENOTCONN: i32 = -64;
    pub const EMSGSIZE: i32 = -73;
    pub const ESRCDIED: i32 = -108;
    pub const EDSTDIED: i32 = -109;
    pub const EENDPOINT: i32 = -306;
    pub const ENOTBIND: i32 = -310;
    pub const EPROCSTS: i32 = -324;
    pub const ESLOTUSED: i32 = -337;
    pub const ERSCBUSY: i32 = -342;
    pub const EALLOCMEM: i32 = -344;
}

/// Address of an endpoint; generation 0 means whichever is bound now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Addr {
    /// Endpoint number.
    pub nr: i32,
    /// Generation.
    pub gen_: u32,
}

impl Addr {
    /// Whichever endpoint is bound under this number.
    #[must_use]
    pub fn number(nr: i32) -> Self {
        Addr { nr, gen_: 0 }
    }
}

/// Sizes of the core's pools; zero means the default.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Limits {
    /// Endpoints bound at once.
    pub endpoints: u32,
    /// Other VMs talked to at once, at most 64.
    pub peers: u32,
    /// Calls to other VMs under way at once.
    pub operations: u32,
    /// Remembered locations.
    pub destinations: u32,
    /// Requests one peer may have here at once.
    pub credits: u32,
    /// Unacknowledged frames per peer.
    pub window: u32,
}

/// Who the VM is, as its node told it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Identity {
    /// Id of the VM.
    pub vm: u32,
    /// Its present life.
    pub incarnation: u32,
    /// Endpoint numbers start at minus this.
    pub nr_tasks: i32,
    /// Endpoint numbers end below this.
    pub nr_procs: i32,
    /// Numbers plus `nr_tasks` below this are servers.
    pub nr_sysprocs: i32,
}

/// A request on the control queue (`struct dvs_ctl_request`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ControlRequest {
    /// What is asked: 1 bind, 2 unbind, 3 look up.
    pub op: u32,
    /// Zero.
    pub flags: u32,
    /// Comes back in the result.
    pub nonce: u64,
    /// Endpoint number.
    pub ep: i32,
    /// Generation.
    pub gen_: u32,
    /// Zero.
    pub reserved: [u64; 5],
}

/// Counters of a core (`struct dvs_stats`).
#[allow(missing_docs, reason = "documented in core.h")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Stats {
    pub frames_sent: u64,
    pub frames_sent_again: u64,
    pub frames_received: u64,
    pub duplicates_dropped: u64,
    pub gaps_dropped: u64,
    pub malformed_dropped: u64,
    pub acks_sent: u64,
    pub backstop_fired: u64,
    pub retries: u64,
    pub gone: u64,
    pub local_messages: u64,
    pub remote_messages: u64,
    pub endpoints: u32,
    pub peers: u32,
    pub operations: u32,
    pub requests: u32,
    pub destinations: u32,
    pub unacknowledged: u32,
}

/// How what was received came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing was received.
    None,
    /// By send.
    Message,
    /// By sendrec: it awaits a reply.
    Request,
    /// By notify.
    Notify,
    /// The reply to a sendrec.
    Reply,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// 0 or a negative number of the DVS.
    pub result: i32,
    /// Source of what was received, or what was bound.
    pub from: Addr,
    /// How it came.
    pub kind: Kind,
    /// Names a request received, for reply.
    pub token: u64,
    /// The message.
    pub data: Vec<u8>,
}
