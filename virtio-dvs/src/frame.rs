//! The wire: frames between guests, what the node says to a guest, requests on the control queue.
//!
//! All fields are little-endian. Section numbers are those of `resources/virtio-dvs-spec.md`.

use zerocopy::little_endian::{I32, U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

mod names;
mod records;

pub use names::kind_name;
pub use records::{CopySide, EndpointState, Handed, hand, misc, rts};

/// Length of a frame's header in bytes.
pub const FRAME_HEADER: usize = size_of::<Frame>();
/// Length of a message frame in bytes, header included, at most.
pub const MSG_FRAME_MAX: usize = 512;
/// Length of a bulk frame in bytes, header included, at most.
pub const BULK_FRAME_MAX: usize = FRAME_HEADER + 65536;

/// The VM id under which the node itself speaks.
pub const VM_NODE: u32 = 0;
/// The largest VM id.
pub const VM_MAX: u32 = 0xffff_fffe;

/// Kinds of frame (section 6.2).
pub mod kind {
    /// Node: sending to VM `arg` works again; 0 stands for all.
    pub const RETRY: u8 = 1;
    /// Node: the life `arg >> 32` of VM `arg as u32` is over.
    pub const GONE: u8 = 2;
    /// Node: result of a BIND request.
    pub const BOUND: u8 = 3;
    /// Node: result of an UNBIND request.
    pub const UNBOUND: u8 = 4;
    /// Node: result of a LOOKUP or an AWAIT request.
    pub const FOUND: u8 = 5;
    /// Node: tell the state of the endpoints, from place `arg` on.
    pub const ASK: u8 = 6;
    /// Node: result of a PRIVILEGE request.
    pub const PRIVILEGED: u8 = 7;
    /// Node: this VM has the new incarnation `arg`; the one in `dst_inc` is over.
    pub const RENEWED: u8 = 8;
    /// Node: result of an OFFER request.
    pub const OFFERED: u8 = 9;
    /// Node: do something with an endpoint.
    pub const ORDER: u8 = 10;
    /// The last kind that only the node sends.
    pub const NODE_LAST: u8 = 15;
    /// Acknowledges and grants, nothing else.
    pub const ACK: u8 = 16;
    /// The receiver has no room for one more peer.
    pub const REFUSED: u8 = 17;
    /// To the node: the state of endpoints, as ASK asked.
    pub const TELL: u8 = 18;
    /// To the node: what an ORDER has come to.
    pub const ORDERED: u8 = 19;
    /// The last kind outside the sequence of a channel.
    pub const UNNUMBERED_LAST: u8 = 31;
    /// Request: send.
    pub const MSG: u8 = 32;
    /// Request: sendrec.
    pub const REQ: u8 = 33;
    /// Request: notify.
    pub const NTF: u8 = 34;
    /// Request: the destination of a copy is here.
    pub const COPY_IN: u8 = 35;
    /// Request: the source of a copy is here.
    pub const COPY_OUT: u8 = 36;
    /// The first kind whose source endpoint the node checks.
    pub const REQUEST_FIRST: u8 = 32;
    /// The last kind whose source endpoint the node checks.
    pub const REQUEST_LAST: u8 = 39;
    /// Request of a core: tell me when the endpoint dies.
    pub const WATCH: u8 = 40;
    /// Request of a core: the destination of a copy is ready for its data.
    pub const FETCH: u8 = 41;
    /// Request of a core: hand the endpoint over.
    pub const ADOPT: u8 = 42;
    /// The last kind of requests of the cores.
    pub const WATCH_LAST: u8 = 47;
    /// The sender of this request has left.
    pub const CANCEL: u8 = 48;
    /// An endpoint is over.
    pub const DIED: u8 = 49;
    /// Keeps the place of a frame that is not wanted any more.
    pub const NOP: u8 = 50;
    /// An endpoint has another VM now.
    pub const MOVED: u8 = 51;
    /// A notification did not find its endpoint.
    pub const BOUNCED: u8 = 52;
    /// Whether an endpoint was adopted.
    pub const ADOPTED: u8 = 53;
    /// Answer: it was taken by an endpoint that has another VM now.
    pub const ELSEWHERE: u8 = 55;
    /// Answer: the message was taken.
    pub const TAKEN: u8 = 56;
    /// Answer: the reply.
    pub const RPL: u8 = 57;
    /// Answer: the request was withdrawn.
    pub const CANCELLED: u8 = 58;
    /// Answer: the request failed.
    pub const FAILED: u8 = 59;
    /// Answer: the endpoint is not in this VM.
    pub const NOTHERE: u8 = 60;
    /// Answer: send it to another endpoint instead.
    pub const REDIRECT: u8 = 61;
    /// Answer: this side of the copy is over.
    pub const COPIED: u8 = 62;
    /// Answer: what an endpoint takes along to another VM.
    pub const HAND: u8 = 63;
    /// Bulk: a piece of data.
    pub const BULK_DATA: u8 = 64;
    /// Bulk: keeps the place of data that is not wanted any more.
    pub const BULK_NOP: u8 = 65;
    /// The last kind of the bulk class.
    pub const BULK_LAST: u8 = 79;
}

/// What is ordered: the lower half of `arg` of an ORDER (section 6.10).
pub mod order {
    /// The endpoint is to be moved.
    pub const START: u64 = 1;
    /// It goes to whoever adopts it in VM `arg >> 32`; 0: in any.
    pub const COMMIT: u64 = 2;
    /// It stays.
    pub const ROLLBACK: u64 = 3;
    /// The order with the same `op` has taken too long.
    pub const CANCEL: u64 = 4;
}

/// Flag of MSG and REQ: fail if the receiver does not wait now.
pub const FLAG_NOWAIT: u8 = 0x01;
/// Flag of REQ: it was taken in another VM, and only the answer is wanted.
pub const FLAG_TAKEN: u8 = 0x02;

/// Control request: bind an endpoint.
pub const CTL_BIND: u32 = 1;
/// Control request: unbind an endpoint.
pub const CTL_UNBIND: u32 = 2;
/// Control request: where is an endpoint?
pub const CTL_LOOKUP: u32 = 3;

/// Control request: tell when an endpoint is bound.
pub const CTL_AWAIT: u32 = 4;
/// Control request: the result of an AWAIT is not wanted any more.
pub const CTL_FORGET: u32 = 5;
/// Control request: change what an endpoint may do.
pub const CTL_PRIVILEGE: u32 = 6;
/// Control request: offer an endpoint to whoever knows the token, or to nobody any more.
pub const CTL_OFFER: u32 = 7;
/// Control request: take an endpoint that is offered.
pub const CTL_TAKE: u32 = 8;

/// Results that the node gives, with the numbers of the DVS.
pub mod result {
    /// Done.
    pub const OK: i32 = 0;
    /// The endpoint number is outside the DC's range.
    pub const ERANGE: i32 = -34;
    /// It took too long.
    pub const ETIMEDOUT: i32 = -61;
    /// The life of the VM is over.
    pub const ENOTCONN: i32 = -64;
    /// There is no such endpoint.
    pub const EDSTDIED: i32 = -109;
    /// The endpoint belongs to another VM.
    pub const ERMTPROC: i32 = -308;
    /// This VM has not bound that endpoint.
    pub const ENOTBIND: i32 = -310;
    /// The endpoint is not in the state for that.
    pub const EPROCSTS: i32 = -324;
    /// The endpoint moves, or is to and does not.
    pub const EMIGRATE: i32 = -332;
    /// Another has bound that endpoint.
    pub const ESLOTUSED: i32 = -337;
    /// This VM may not administer its DC.
    pub const EPRIVILEGES: i32 = -335;
    /// A limit of the VM is reached, or the change cannot be recorded.
    pub const EALLOCMEM: i32 = -344;
}

/// The two classes of frames; each has queues, numbers and credits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Requests and answers: frames of at most [`MSG_FRAME_MAX`] bytes.
    Message,
    /// Data: frames of at most [`BULK_FRAME_MAX`] bytes.
    Bulk,
}

impl Class {
    /// Both classes.
    pub const ALL: [Class; 2] = [Class::Message, Class::Bulk];

    /// Length of a frame of this class in bytes, header included, at most.
    pub const fn frame_max(self) -> usize {
        match self {
            Class::Message => MSG_FRAME_MAX,
            Class::Bulk => BULK_FRAME_MAX,
        }
    }

    /// Length of the payload of a frame of this class in bytes, at most.
    pub const fn payload_max(self) -> usize {
        self.frame_max() - FRAME_HEADER
    }

    /// Position in an array with one element for each class.
    pub const fn index(self) -> usize {
        match self {
            Class::Message => 0,
            Class::Bulk => 1,
        }
    }
}

/// The class of a kind that guests may send; `None` for kinds that are the node's or unknown.
pub const fn class_of(kind: u8) -> Option<Class> {
    match kind {
        kind::ACK | kind::REFUSED | kind::TELL | kind::ORDERED => Some(Class::Message),
        kind::MSG | kind::REQ | kind::NTF => Some(Class::Message),
        kind::COPY_IN | kind::COPY_OUT => Some(Class::Message),
        kind::WATCH | kind::FETCH | kind::ADOPT => Some(Class::Message),
        kind::CANCEL..=kind::ADOPTED => Some(Class::Message),
        kind::ELSEWHERE..=kind::HAND => Some(Class::Message),
        kind::BULK_DATA | kind::BULK_NOP => Some(Class::Bulk),
        _ => None,
    }
}

/// Whether frames of this kind are for the node alone.
pub const fn is_for_node(kind: u8) -> bool {
    matches!(kind, kind::TELL | kind::ORDERED)
}

/// Whether the node must find the source endpoint bound before it carries a frame of this kind.
pub const fn is_request(kind: u8) -> bool {
    matches!(kind, kind::REQUEST_FIRST..=kind::REQUEST_LAST)
}

/// The header of a frame (section 6.1). The payload follows it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Frame {
    /// What the frame is: one of [`kind`].
    pub kind: u8,
    /// [`FLAG_NOWAIT`], [`FLAG_TAKEN`].
    pub flags: u8,
    /// Zero.
    pub reserved: U16,
    /// Payload bytes that follow the header.
    pub len: U32,
    /// The sending VM.
    pub src_vm: U32,
    /// The life of the sending VM.
    pub src_inc: U32,
    /// The VM that the frame is for.
    pub dst_vm: U32,
    /// The life of that VM.
    pub dst_inc: U32,
    /// Number of the frame in its class.
    pub seq: U32,
    /// Message class: all numbers below this one have arrived.
    pub ack: U32,
    /// Message class: requests that may have been sent in all.
    pub credit: U32,
    /// Bulk class: all numbers below this one have arrived.
    pub bulk_ack: U32,
    /// Bulk class: frames that may have been sent in all.
    pub bulk_credit: U32,
    /// Source endpoint.
    pub src_ep: I32,
    /// Generation of the source endpoint.
    pub src_gen: U32,
    /// Destination endpoint.
    pub dst_ep: I32,
    /// Generation of the destination endpoint.
    pub dst_gen: U32,
    /// Result of the operation.
    pub result: I32,
    /// Id of the operation, chosen by the requester.
    pub op: U64,
    /// Meaning depends on the kind.
    pub arg: U64,
}

impl Frame {
    /// A frame that the node says to VM `vm` in its life `incarnation`.
    pub fn from_node(kind: u8, vm: u32, incarnation: u32) -> Frame {
        Frame {
            kind,
            dst_vm: vm.into(),
            dst_inc: incarnation.into(),
            ..Frame::new_zeroed()
        }
    }
}

/// A VM and one of its lives in one number, as `arg` of GONE and FOUND has them.
pub const fn vm_and_incarnation(vm: u32, incarnation: u32) -> u64 {
    // `u64::from` is not const.
    #[allow(clippy::cast_lossless)]
    {
        vm as u64 | (incarnation as u64) << 32
    }
}

/// A request on the control queue (section 7).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct ControlRequest {
    /// One of [`CTL_BIND`] to [`CTL_PRIVILEGE`].
    pub op: U32,
    /// Zero.
    pub flags: U32,
    /// Comes back in the result; equal nonces are one request.
    pub nonce: U64,
    /// The endpoint.
    pub ep: I32,
    /// Its generation (UNBIND, PRIVILEGE); 0: whichever this VM has bound.
    pub generation: U32,
    /// PRIVILEGE: a bit for each call; otherwise zero.
    pub calls: U64,
    /// PRIVILEGE: a bit for each system endpoint; otherwise zero.
    pub ipc_to: U64,
    /// PRIVILEGE: what the endpoint is; otherwise zero.
    pub level: U32,
    /// Zero.
    pub reserved0: U32,
    /// Zero.
    pub reserved: [U64; 2],
}

/// The response to a request on the control queue.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct ControlResponse {
    /// A [`ControlStatus`].
    pub status: U32,
    /// Zero.
    pub reserved: U32,
    /// The request's nonce.
    pub nonce: U64,
}

/// How a control request was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ControlStatus {
    /// The result comes as a frame.
    Accepted = 0,
    /// The request is not well formed.
    Malformed = 1,
    /// The node does not know this request.
    Unsupported = 2,
    /// Not now: ask again after RETRY(all).
    Busy = 3,
}

#[cfg(test)]
#[path = "frame_test.rs"]
mod tests;
