//! What becomes of a frame.

use crate::directory::NodeId;
use crate::switch::PortId;
use crate::switch::peer::Stamp;

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Put it into the receive ring of this port; if there is no room, say so with
    /// [`crate::switch::Switch::no_room`].
    Deliver(PortId),
    /// Send it to that node, with this stamp; if the link has no room, say so with
    /// [`crate::switch::Switch::no_link_room`].
    Forward(NodeId, Stamp),
    /// It is for the node: give it to [`crate::switch::Switch::told`].
    Tell,
    /// Drop it and count it.
    Drop(Drop),
}

/// Declares the reasons with their names for counters.
macro_rules! reasons {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal,)+) => {
        /// Why a frame is dropped.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Drop {
            $($(#[$doc])+ $variant,)+
        }

        impl Drop {
            /// All reasons.
            pub const ALL: &'static [Drop] = &[$(Drop::$variant),+];

            /// The reason's name among the counters.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Drop::$variant => $name,)+
                }
            }
        }
    };
}

reasons! {
    /// The descriptor chain holds no frame: too short, too long, device-writable, outside memory.
    Chain = "chain",
    /// The stated length is not the length of the chain, or over the class's limit.
    Length = "length",
    /// A reserved field is not zero.
    Reserved = "reserved",
    /// A kind that only the node sends.
    NodeKind = "node_kind",
    /// A kind that nobody knows.
    UnknownKind = "unknown_kind",
    /// A kind that belongs on the other queue.
    WrongQueue = "wrong_queue",
    /// The source is not this VM.
    ForgedSource = "forged_source",
    /// The source is not this life of the VM.
    SourceOver = "source_over",
    /// The source is on its way to another node, or there already.
    Held = "held",
    /// The source endpoint is not bound by this VM.
    UnboundSource = "unbound_source",
    /// The source endpoint may not make this call.
    DeniedCall = "denied_call",
    /// The source endpoint may not send to the destination endpoint.
    DeniedDestination = "denied_destination",
    /// The destination is the node.
    ToNode = "to_node",
    /// It tells what was not asked, or not as it must be told.
    NotAsked = "not_asked",
    /// The destination is the sender.
    ToSelf = "to_self",
    /// The destination belongs to another DC.
    OtherDc = "other_dc",
    /// There is no such VM.
    NoSuchVm = "no_such_vm",
    /// That life of the destination is over.
    DestinationOver = "destination_over",
    /// That life of the destination has not begun.
    DestinationNew = "destination_new",
    /// The VM talks to as many VMs as it may.
    PeerLimit = "peer_limit",
    /// The destination's rings are not in use.
    NotRunning = "not_running",
    /// The destination's receive ring has no room.
    NoRoom = "no_room",
    /// It is not known yet where the destination lives, or whether the source lives where it comes
    /// from.
    Looking = "looking",
    /// There is no session with the destination's node.
    LinkDown = "link_down",
    /// The link to the destination's node has no room.
    LinkFull = "link_full",
    /// This node does not hold its lease.
    NoLease = "no_lease",
    /// From a link: the destination does not live here, or not in that epoch.
    NotHere = "not_here",
    /// From a link: the directory says that the source does not live there.
    Contradicts = "contradicts",
}

impl Drop {
    /// Position in an array with one element for each reason.
    pub const fn index(self) -> usize {
        self as usize
    }
}
