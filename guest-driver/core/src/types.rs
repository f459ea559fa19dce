//! Plain data of `core.h` and `wire.h` in Rust.

/// Source filter of a receive: any endpoint.
pub const ANY: i32 = 31438;
/// Result: the call goes on (never seen in an [`Outcome`]).
pub const PENDING: i32 = 1;
/// Flag: fail with AGAIN rather than wait for the peer.
pub const NOWAIT: u32 = 0x01;
/// Flag of receive: only what sendrec sent.
pub const REQUESTS: u32 = 0x02;
/// Flag of an identity: the VM may administer its DC.
pub const ADMIN: u32 = 0x01;
/// Source of a notification: its caller.
pub const SELF: i32 = 35534;
/// Source of a notification: no endpoint, the hardware.
pub const HARDWARE: i32 = -1;
/// Value of a notification that was given none.
pub const NO_VALUE: i64 = -1;
/// Flag of send and sendrec: no other thread can use the endpoint.
pub const SOLE: u32 = 0x04;
/// State of an endpoint: it migrates.
pub const RTS_MIGRATE: u32 = 0x800;
/// No endpoint.
pub const NONE: i32 = 27342;
/// Most bytes of one copy.
pub const MAX_COPY: u64 = 1 << 20;
/// Right of a grant: a copy may read the memory.
pub const READ: u32 = 0x1;
/// Right of a grant: a copy may write it.
pub const WRITE: u32 = 0x2;
/// Largest payload of a message, in bytes.
pub const MAX_MESSAGE: usize = 432;

/// Results of calls: the DVS's numbers.
#[allow(missing_docs, reason = "named as in errors.h")]
pub mod errors {
    pub const EINTR: i32 = -4;
    pub const E2BIG: i32 = -7;
    pub const EAGAIN: i32 = -11;
    pub const EINVAL: i32 = -22;
    pub const ERANGE: i32 = -34;
    pub const EBADDEST: i32 = -55;
    pub const ETIMEDOUT: i32 = -61;
    pub const ENOTCONN: i32 = -64;
    pub const ESHUTDOWN: i32 = -65;
    pub const EMSGSIZE: i32 = -73;
    pub const ELOCKED: i32 = -101;
    pub const EBADCALL: i32 = -102;
    pub const ESRCDIED: i32 = -108;
    pub const EDSTDIED: i32 = -109;
    pub const ETRAPDENIED: i32 = -110;
    pub const EENDPOINT: i32 = -306;
    pub const ERMTPROC: i32 = -308;
    pub const ENOTBIND: i32 = -310;
    pub const EPROCRUN: i32 = -320;
    pub const EPROCSTS: i32 = -324;
    pub const EMIGRATE: i32 = -332;
    pub const EPRIVILEGES: i32 = -335;
    pub const ESLOTUSED: i32 = -337;
    pub const ERSCBUSY: i32 = -342;
    pub const EALLOCMEM: i32 = -344;
    pub const EWOKENUP: i32 = -348;
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
    /// Copies asked for and under way at once.
    pub copies: u32,
    /// Sides of copies at once.
    pub sides: u32,
    /// Grants at once.
    pub grants: u32,
    /// Payload bytes of a bulk frame.
    pub bulk_payload: u32,
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
    /// [`ADMIN`] or nothing.
    pub flags: u32,
}

/// A request on the control queue (`struct dvs_ctl_request`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ControlRequest {
    /// What is asked: 1 bind, 2 unbind, 3 look up, 4 await, 5 forget, 6 privilege, 7 offer, 8 take.
    pub op: u32,
    /// Zero.
    pub flags: u32,
    /// Comes back in the result.
    pub nonce: u64,
    /// Endpoint number.
    pub ep: i32,
    /// Generation.
    pub gen_: u32,
    /// A privilege request's calls; the token of an offer or a take.
    pub calls: u64,
    /// A privilege request's destinations.
    pub ipc_to: u64,
    /// A privilege request's level.
    pub level: u32,
    /// Zero.
    pub reserved0: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// What an endpoint may do (`struct dvs_privileges`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Privileges {
    /// A bit for each call, by the DVS's numbers.
    pub calls: u64,
    /// A bit for each system endpoint that it may send to: number plus `nr_tasks`.
    pub ipc_to: u64,
    /// 0 user, 1 server, 2 task.
    pub level: u32,
    /// Zero.
    pub reserved: u32,
}

/// The state of an endpoint (`struct dvs_endpoint_state`).
#[allow(missing_docs, reason = "documented in wire.h")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct EndpointState {
    pub nr: i32,
    pub gen_: u32,
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
    pub renewals: u64,
    pub local_messages: u64,
    pub remote_messages: u64,
    pub bulk_sent: u64,
    pub bulk_sent_again: u64,
    pub bulk_received: u64,
    pub copies_done: u64,
    pub copied_bytes: u64,
    pub endpoints: u32,
    pub peers: u32,
    pub operations: u32,
    pub requests: u32,
    pub destinations: u32,
    pub unacknowledged: u32,
    pub copies: u32,
    pub sides: u32,
    pub grants: u32,
    pub bulk_unacknowledged: u32,
}

/// What a copy is from, or to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct CopyEnd {
    /// The endpoint.
    pub ep: Addr,
    /// Place in its memory; with a grant: in the region lent.
    pub address: u64,
    /// Zero: none.
    pub grant: u64,
}

/// A copy from one endpoint's memory to another's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct CopyRequest {
    /// From where.
    pub src: CopyEnd,
    /// To where.
    pub dst: CopyEnd,
    /// How many bytes, at most [`MAX_COPY`].
    pub bytes: u64,
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
    /// Names a request received, for reply; of a notification, its value.
    pub token: u64,
    /// The message.
    pub data: Vec<u8>,
}
