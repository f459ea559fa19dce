//! What payloads are made of, where their form is fixed.

use zerocopy::little_endian::{I32, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The state of an endpoint, as its guest tells it (section 6.7).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct EndpointState {
    /// Its number.
    pub nr: I32,
    /// Its generation.
    pub generation: U32,
    /// What it waits for: [`rts`]; 0: it runs.
    pub rts: U32,
    /// What else it is: [`misc`].
    pub misc: U32,
    /// From whom it receives.
    pub getfrom: I32,
    /// To whom it sends.
    pub sendto: I32,
    /// The process, in its VM; -1: not known.
    pub pid: I32,
    /// Messages and notifications that wait for it.
    pub queued: U32,
    /// Messages sent within the VM.
    pub lclsent: U32,
    /// Messages sent to other VMs.
    pub rmtsent: U32,
    /// Copies within the VM.
    pub lclcopy: U32,
    /// Copies from or to other VMs.
    pub rmtcopy: U32,
    /// Name of the process, padded with zeros.
    pub name: [u8; 16],
}

/// What an endpoint waits for, as bits.
pub mod rts {
    /// For the receiver of its message.
    pub const SENDING: u32 = 0x4;
    /// For a message.
    pub const RECEIVING: u32 = 0x8;
    /// For a copy.
    pub const ONCOPY: u32 = 0x400;
    /// For where it will be: it migrates.
    pub const MIGRATE: u32 = 0x800;
    /// For the end of an endpoint.
    pub const WAITUNBIND: u32 = 0x2_0000;
    /// For an endpoint to be bound.
    pub const WAITBIND: u32 = 0x4_0000;
}

/// What an endpoint is beside that, as bits.
pub mod misc {
    /// A notification waits for it.
    pub const NOTIFY: u32 = 0x4;
    /// It stands in for an endpoint of another node.
    pub const RMTBACKUP: u32 = 0x10;
    /// It was bound by a thread-group leader.
    pub const GRPLEADER: u32 = 0x20;
    /// It is one of several replicas.
    pub const REPLICATED: u32 = 0x80;
    /// It was woken up.
    pub const WOKENUP: u32 = 0x200;
}

/// One side of a copy: the payload of COPY_IN, COPY_OUT and FETCH (section 6.8). A matter between
/// drivers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct CopySide {
    /// In the process of `dst_ep`; with a grant an offset in its region.
    pub address: U64,
    /// How many.
    pub bytes: U64,
    /// The grant; 0: none.
    pub grant: U64,
    /// Of the copy, chosen by the requester.
    pub id: U64,
    /// The requester's VM.
    pub requester_vm: U32,
    /// Its life.
    pub requester_inc: U32,
    /// The VM of the other side.
    pub other_vm: U32,
    /// Its life.
    pub other_inc: U32,
    /// The endpoint on the other side.
    pub other_ep: I32,
    /// Its generation.
    pub other_gen: U32,
    /// Zero.
    pub reserved: U64,
}

/// What an endpoint takes along to another VM: the payload of HAND (section 6.9). A matter between
/// drivers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Handed {
    /// What it is: [`hand`].
    pub what: U32,
    /// A request's client: its VM.
    pub vm: U32,
    /// Its life.
    pub inc: U32,
    /// The client, or the source of a notification.
    pub nr: I32,
    /// Its generation.
    pub generation: U32,
    /// Zero.
    pub reserved: U32,
    /// The client's id of a request.
    pub op: U64,
    /// The server's token of a request; the value of a notification.
    pub value: U64,
}

/// What a record of [`Handed`] is about.
pub mod hand {
    /// A request that is taken and not answered.
    pub const REQUEST: u32 = 1;
    /// A notification that waits.
    pub const NOTE: u32 = 2;
    /// A wakeup that waits.
    pub const WOKEN: u32 = 3;
}
