//! The truth about location: which VM has bound an endpoint, and which life of a VM it is.
//!
//! A [`Directory`] takes requests and gives answers later, so that none of them holds up a frame.
//! One host keeps it in its own process: [`local::Local`]. A cluster keeps it on etcd:
//! [`etcd::Etcd`].

pub mod etcd;
mod journal;
pub mod local;
mod place;
mod state;

use crate::privileges::Privileges;
use crate::vm::{DcAttributes, VmAttributes};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU64;
use std::os::fd::BorrowedFd;
use thiserror::Error;

pub use place::{Place, Residence, Seen, Start};

/// Ties an answer to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// An endpoint number in its DC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// The DC.
    pub dcid: u32,
    /// The number.
    pub number: i32,
}

/// One life of a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The VM.
    pub vm: u32,
    /// Which of its lives.
    pub incarnation: u32,
}

/// Number of a node, as its configuration gives it: one of its own in the whole cluster.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NodeId(pub u32);

impl std::fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "node {}", self.0)
    }
}

/// Where a VM lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Which of its lives it is.
    pub incarnation: u32,
    /// The node that serves it.
    pub node: NodeId,
    /// Grows whenever the VM begins a life or moves to another node. It is never 0.
    pub epoch: u32,
    /// Its DC.
    pub dcid: u32,
}

/// What is known of a VM's lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lives {
    /// Lives up to this one are over, but for the one that goes on.
    pub last: u32,
    /// The life that goes on, at a node that holds its lease.
    pub current: Option<Location>,
}

/// An endpoint that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The VM that has bound it.
    pub vm: u32,
    /// In which generation.
    pub generation: u32,
    /// Where that VM lives.
    pub location: Location,
}

impl Found {
    /// The life that has bound it.
    pub const fn owner(&self) -> Owner {
        Owner {
            vm: self.vm,
            incarnation: self.location.incarnation,
        }
    }
}

/// What a node hears of without asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interest {
    /// Where a VM lives: [`News::Vm`].
    Vm(u32),
    /// When an endpoint is bound: [`News::Bound`].
    Endpoint(Endpoint),
}

/// Whether a node holds its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It does, and nobody has given its VMs up.
    Held,
    /// It does, but the directory does not answer.
    Unanswered,
    /// It was not renewed in time and may have run out for all that this node knows.
    Doubtful,
    /// It ran out: the others have given up all lives of this node's VMs. New ones may begin.
    Lapsed,
}

/// What a node hears from the directory without having asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A VM that is watched: how it is with it now.
    Vm {
        /// The VM.
        vm: u32,
        /// Its lives.
        lives: Lives,
    },
    /// An endpoint that is watched is bound.
    Bound {
        /// The endpoint.
        endpoint: Endpoint,
        /// By whom.
        found: Found,
    },
    /// Another node has joined, has another address now, or was started again.
    Node {
        /// The node.
        node: NodeId,
        /// Where it listens for links.
        address: String,
    },
    /// The lease of another node ran out: all lives of its VMs are over.
    NodeLost(NodeId),
    /// About this node's own lease.
    Lease(Lease),
}

/// What the directory is asked. What is asked for one VM is carried out in the order in which it is
/// given; the last four only look, and may be answered before what was asked earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A VM is new on this host. Answer: [`Answer::Joined`].
    Join(VmAttributes),
    /// A VM leaves; its life is over and its endpoints are free. Answer: [`Answer::Done`].
    Leave {
        /// The VM.
        vm: u32,
    },
    /// A VM begins a life, with a number larger than those of all its lives before. A life that
    /// goes on is over with it. Answer: [`Answer::Begun`].
    Begin {
        /// The VM.
        vm: u32,
    },
    /// The guest drives its device in this life. Answer: [`Answer::Done`].
    Driving(Owner),
    /// This life is over; its endpoints are free. Answer: [`Answer::Done`].
    End(Owner),
    /// Bind if free. The same nonce again is the same request. Answer: [`Answer::Bound`].
    Bind {
        /// What to bind.
        endpoint: Endpoint,
        /// For whom.
        owner: Owner,
        /// Chosen by the guest.
        nonce: u64,
    },
    /// Free an endpoint if this life has it in this generation. Answer: [`Answer::Unbound`].
    Unbind {
        /// What to free.
        endpoint: Endpoint,
        /// Who has it.
        owner: Owner,
        /// In which generation; 0: in any.
        generation: u32,
    },
    /// Change what an endpoint may do, if this life has it in this generation, for as long as it
    /// has. Answer: [`Answer::Privileged`].
    Privilege {
        /// Which one.
        endpoint: Endpoint,
        /// Who has it.
        owner: Owner,
        /// In which generation; 0: in any.
        generation: u32,
        /// What it may do.
        privileges: Privileges,
    },
    /// This node wants a VM from a place, be it a place of its own. If the record of the VM still says
    /// that place, it says this node and the next epoch afterwards, in one step and only while this
    /// node's lease lives; the life goes on, or the next one begins where it was given up, and its
    /// start here is awaited. Late
    /// requests of the node that had the VM change nothing from then on. Answer: [`Answer::Seen`],
    /// the record as it is afterwards, whoever has changed it.
    Take {
        /// The VM.
        vm: u32,
        /// From where; its life does not matter.
        from: Place,
    },
    /// This node has found out whether a VM that it has taken in this epoch has run here. It is written
    /// only over [`Start::Awaited`]. Answer: [`Answer::Done`].
    Started {
        /// The VM.
        vm: u32,
        /// In which epoch it came.
        epoch: u32,
        /// What is known now.
        start: Start,
    },
    /// What does the record of a VM say now? Answer: [`Answer::Seen`].
    Look {
        /// The VM.
        vm: u32,
    },
    /// Let whoever knows the token take an endpoint, if this life has it in this generation; no
    /// token: nobody any more. Answer: [`Answer::Offered`].
    Offer {
        /// Which one.
        endpoint: Endpoint,
        /// Who has it.
        owner: Owner,
        /// In which generation; 0: in any.
        generation: u32,
        /// Who may take it.
        token: Option<Token>,
    },
    /// Take an endpoint that is offered by this token in this generation: it changes hands as it is.
    /// The same nonce again is the same request. Answer: [`Answer::Adopted`].
    Adopt {
        /// Which one.
        endpoint: Endpoint,
        /// Who gets it.
        owner: Owner,
        /// In which generation.
        generation: u32,
        /// By which it is offered.
        token: Token,
        /// Chosen by the guest.
        nonce: u64,
    },
    /// Where is an endpoint? Answer: [`Answer::Found`]. That there is none is said only after a
    /// look at what holds now, not at what was known.
    Lookup {
        /// Which one.
        endpoint: Endpoint,
    },
    /// The same, and from then on [`News::Bound`] tells when it is bound.
    Await {
        /// Which one.
        endpoint: Endpoint,
    },
    /// Where does a VM live now? Answer: [`Answer::Located`]. From then on [`News::Vm`] tells of
    /// changes.
    Locate {
        /// The VM.
        vm: u32,
    },
}

/// What the directory answers. While it cannot be reached, requests wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Request::Join`], with the attributes of the VM's DC.
    Joined(Result<DcAttributes, DirectoryError>),
    /// To [`Request::Leave`], [`Request::Driving`], [`Request::End`] and [`Request::Started`].
    Done(Result<(), DirectoryError>),
    /// To [`Request::Begin`].
    Begun(Result<Location, DirectoryError>),
    /// To [`Request::Bind`], with the generation.
    Bound(Result<u32, DirectoryError>),
    /// To [`Request::Unbind`].
    Unbound(Result<(), DirectoryError>),
    /// To [`Request::Privilege`], with the generation.
    Privileged(Result<u32, DirectoryError>),
    /// To [`Request::Take`] and [`Request::Look`]; `None`: no node has the VM.
    Seen(Result<Option<Box<Seen>>, DirectoryError>),
    /// To [`Request::Offer`], with the generation.
    Offered(Result<u32, DirectoryError>),
    /// To [`Request::Adopt`].
    Adopted(Result<Taken, DirectoryError>),
    /// To [`Request::Lookup`] and [`Request::Await`].
    Found(Option<Found>),
    /// To [`Request::Locate`].
    Located(Lives),
}

/// Why the directory refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DirectoryError {
    /// The id is in use.
    #[error("VM {0} is attached already; choose another id or detach it first")]
    VmInUse(u32),
    /// The DC has other attributes.
    #[error(
        "DC {dcid} exists with other attributes ({existing}); leave \"dc\" out to use them, or give the same"
    )]
    DcDiffers {
        /// The DC.
        dcid: u32,
        /// What it has.
        existing: String,
    },
    /// There is no such VM.
    #[error("VM {0} is not attached")]
    NoVm(u32),
    /// That life is over.
    #[error("life {} of VM {} is over", .0.incarnation, .0.vm)]
    LifeOver(Owner),
    /// Another has bound the endpoint.
    #[error("endpoint {} of DC {} is bound by VM {vm}", .endpoint.number, .endpoint.dcid)]
    Taken {
        /// The endpoint.
        endpoint: Endpoint,
        /// Who has it.
        vm: u32,
    },
    /// The endpoint is not bound by this life in this generation.
    #[error("endpoint {} of DC {} is not bound so", .0.number, .0.dcid)]
    NotBound(Endpoint),
    /// The VM lives at another node.
    #[error("VM {vm} lives at {node}; detach it there, or choose another id")]
    Elsewhere {
        /// The VM.
        vm: u32,
        /// Where it lives.
        node: NodeId,
    },
    /// There is no other host.
    #[error("this host is alone: only in a cluster can a VM move from one host to another")]
    Alone,
    /// Numbers are used up.
    #[error("the directory has no number left for a new {0}")]
    UsedUp(&'static str),
    /// A record is not what it should be.
    #[error("the directory holds a record that is not understood; repair or delete it: {0}")]
    Broken(String),
    /// The change could not be written to the state file.
    #[error("the change cannot be recorded in the state file: {0}")]
    NotRecorded(String),
}

/// What the directory knows of a VM of this host when the node starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmRecord {
    /// Who it is.
    pub attributes: VmAttributes,
    /// Attributes of its DC.
    pub dc: DcAttributes,
    /// The life that is not over, if there is one.
    pub life: Option<Location>,
    /// Whether the guest has driven its device in that life.
    pub driving: bool,
    /// Whether it has run where it is.
    pub start: Start,
    /// What is bound in that life, by number.
    pub endpoints: Vec<BoundRecord>,
}

/// What the directory knows of an endpoint that a VM of this host has bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundRecord {
    /// Its number.
    pub number: i32,
    /// Its generation.
    pub generation: u32,
    /// Chosen by the guest when it bound it.
    pub nonce: u64,
    /// What it may do, where that was changed.
    pub privileges: Option<Privileges>,
    /// Whether another VM may take it: until that is decided it sends nothing.
    pub offered: bool,
}

/// By which an endpoint is offered: a random number that one guest has told another. It is never 0.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub NonZeroU64);

impl std::fmt::Debug for Token {
    /// Who reads a log must not be able to take the endpoint.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token")
    }
}

/// An endpoint that has changed hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Its generation, as before.
    pub generation: u32,
    /// What it may do, where that was changed.
    pub privileges: Option<Privileges>,
}

/// The truth about location.
pub trait Directory: std::fmt::Debug + Send {
    /// The VMs of this host that the directory knew when it was opened.
    fn records(&self) -> Vec<Seen>;

    /// Asks; the answer comes from [`Directory::next_answer`].
    fn submit(&mut self, id: RequestId, request: Request);

    /// The next answer, if one is there. Answers and news have one order: each may wait until those
    /// of the other kind that came before are taken.
    fn next_answer(&mut self) -> Option<(RequestId, Answer)>;

    /// No more news of this, but for what is under way.
    fn unwatch(&mut self, interest: Interest);

    /// The next news, if some is there. News may repeat what is known, and skip what has changed
    /// again since.
    fn next_news(&mut self) -> Option<News>;

    /// Becomes readable when answers or news have come that were not there before; taking all that
    /// is there resets it. `None` where they are there as soon as they were asked for.
    fn signal(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// The number after the one given out last; numbers never come again.
fn next(last: u32, what: &'static str) -> Result<u32, DirectoryError> {
    // The last number is kept free: it stands for "all" in places.
    last.checked_add(1)
        .filter(|number| *number < u32::MAX)
        .ok_or(DirectoryError::UsedUp(what))
}
