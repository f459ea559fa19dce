//! What the control API says: bodies of requests and answers. `resources/openapi/dvs-node.yaml`
//! describes the same.

use crate::device::counters::PortCounters;
pub use crate::directory::Start;
use crate::link::LinkState;
use crate::vm::{DcAttributes, Limits};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Answer to `GET /api/v1/node.ping`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Version of the node.
    pub version: String,
    /// Its process.
    pub pid: u32,
}

/// Answer to `GET /api/v1/node.info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Version of the node.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// VMs attached now.
    pub vms: usize,
    /// VMs that may be attached at once.
    pub max_vms: usize,
    /// Number of the node that programs of the DVS see.
    pub nodeid: u32,
    /// Seconds since the node was started.
    pub uptime_s: u64,
    /// How long the event loop, which carries all frames, took to answer this question, in
    /// microseconds.
    pub loop_us: u64,
    /// Queues with work left over for the event loop's next turn.
    pub backlog: usize,
    /// Directory of the vhost-user sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_dir: Option<PathBuf>,
    /// The state file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_file: Option<PathBuf>,
    /// The name that all nodes of its cluster share; left out where the host is alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// Answer to `PUT /api/v1/vm.attach`, whose body is [`crate::vm::VmAttributes`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The VM.
    pub vm: u32,
    /// Where its VMM connects by vhost-user.
    pub socket: PathBuf,
}

/// Body of `PUT /api/v1/vm.detach`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detach {
    /// The VM.
    pub vm: u32,
}

/// Where a VM lives, as its record in the directory says. Answer to `PUT /api/v1/vm.place` and
/// `PUT /api/v1/vm.hold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The node that serves it.
    pub node: u32,
    /// Grows whenever the VM begins a life or moves.
    pub epoch: u32,
    /// Which of its lives it is.
    pub incarnation: u32,
}

/// Body of `PUT /api/v1/vm.place`, `vm.hold`, `vm.release` and `vm.forget`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfVm {
    /// The VM.
    pub vm: u32,
}

/// Body of `PUT /api/v1/vm.prepare`, whose answer is [`Attached`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// The VM.
    pub vm: u32,
    /// Where it lives now, as whoever sends it says.
    pub place: Place,
}

/// Body of `PUT /api/v1/vm.take`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Take {
    /// The VM.
    pub vm: u32,
    /// From where it is taken, and from nowhere else.
    pub from: Place,
}

/// Answer to `PUT /api/v1/vm.take`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Where the VM lives now, whoever has brought it there; null if nobody has it.
    pub place: Option<Place>,
    /// Whether it has run there. A node that does not say it does not know that it has not.
    #[serde(default)]
    pub start: Start,
}

/// Body of `PUT /api/v1/endpoint.move`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointMove {
    /// The DC of the endpoint.
    #[serde(default)]
    pub dcid: u32,
    /// Its number.
    pub endpoint: i32,
    /// What to do.
    pub step: MoveStep,
    /// COMMIT: the VM whose process may adopt it; 0: any.
    #[serde(default)]
    pub vm: u32,
    /// How long it may take, 1 to 600000 milliseconds. A start or commit that takes longer leaves everything as
    /// it was.
    #[serde(default = "step_time_ms")]
    pub timeout_ms: u64,
}

/// Standard of [`EndpointMove::timeout_ms`].
fn step_time_ms() -> u64 {
    10_000
}

/// A step of the move of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MoveStep {
    /// Until the endpoint is quiescent.
    Start,
    /// Until an adopter has it.
    Commit,
    /// It stays.
    Rollback,
}

/// Answer to `PUT /api/v1/endpoint.move`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointMoved {
    /// Of a start: by which token the endpoint is adopted, as 16 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// One port of `GET /api/v1/ports`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortInfo {
    /// The VM.
    pub vm: u32,
    /// Its DC.
    pub dcid: u32,
    /// Attributes of the DC.
    pub dc: DcAttributes,
    /// Whether it may administer its DC.
    pub admin: bool,
    /// What the VM may use.
    pub limits: Limits,
    /// Which life of the VM it is; left out between two lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u32>,
    /// Whether a VMM is connected.
    pub connected: bool,
    /// Whether the guest's rings are in use.
    pub running: bool,
    /// On its way: held, taken or elsewhere; left out where the VM simply lives here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<String>,
    /// Endpoints bound.
    pub endpoints: usize,
    /// Where the VMM connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
}

/// One endpoint of `GET /api/v1/endpoints`. What its guest does not tell, or not in time, is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointInfo {
    /// The DC.
    pub dcid: u32,
    /// Number of the endpoint.
    pub endpoint: i32,
    /// Its generation.
    pub generation: u32,
    /// The VM that has bound it.
    pub vm: u32,
    /// The life of that VM.
    pub incarnation: u32,
    /// What it may do.
    pub privileges: PrivilegeInfo,
    /// What its guest tells of it.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateInfo>,
    /// The endpoint of the DC that it waits for, the one that this one waits for, and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<i32>,
    /// Whether it waits, by way of others, for itself.
    #[serde(default)]
    pub deadlock: bool,
}

/// What an endpoint may do. The bits are hexadecimal, since JSON's numbers do not hold all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivilegeInfo {
    /// USER, SERVER or TASK.
    pub level: String,
    /// A bit for each call, by its number.
    pub calls: String,
    /// A bit for each system endpoint that it may send to, by number + nr_tasks.
    pub ipc_to: String,
}

/// What a guest tells of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateInfo {
    /// What it waits for, in the DVS's words; RUNNING if for nothing.
    pub state: String,
    /// What else it is, in the DVS's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// From whom it receives; 31438: from any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receives_from: Option<i32>,
    /// To whom it sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sends_to: Option<i32>,
    /// Messages and notifications that wait for it.
    pub queued: u32,
    /// Its process, in the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Name of that process.
    pub name: String,
    /// Messages sent within the VM.
    pub sent_local: u32,
    /// Messages sent to other VMs.
    pub sent_remote: u32,
    /// Copies within the VM.
    pub copied_local: u32,
    /// Copies from or to other VMs.
    pub copied_remote: u32,
}

/// One port of `GET /api/v1/counters`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCounts {
    /// The VM.
    pub vm: u32,
    /// What was counted.
    #[serde(flatten)]
    pub counters: PortCounters,
}

/// One node of `GET /api/v1/nodes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its number.
    pub nodeid: u32,
    /// Where other nodes reach it.
    pub address: String,
    /// Whether its lease lives, as far as this node knows.
    pub alive: bool,
    /// VMs that are there, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vms: Option<usize>,
}

/// One link of `GET /api/v1/links`: the session with one other node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkInfo {
    /// Number of the other node.
    pub node: u32,
    /// Its address, if it is to be dialled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where the session stands.
    pub state: LinkState,
    /// Up: for how long, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// Whether this node has dialled the session; left out while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialled_by_us: Option<bool>,
    /// Whether it is encrypted, and both sides show certificates.
    pub tls: bool,
    /// Up: version that both sides speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u16>,
    /// Frames that came from the other node since this one was started.
    pub frames_in: u64,
    /// Frames that went there.
    pub frames_out: u64,
    /// Bytes that came, as they were before TLS.
    pub bytes_in: u64,
    /// Bytes that went there, as they are before TLS.
    pub bytes_out: u64,
    /// Frames for which the link's output had no room.
    pub dropped: u64,
    /// How long the last keep-alive took to come back, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u64>,
    /// Why the last session or attempt has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// Body of `PUT /api/v1/trace`: whose calls are followed. The answer comes when the trace ends; only
/// one is under way at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceRequest {
    /// The DC.
    #[serde(default)]
    pub dcid: u32,
    /// The endpoint: as the one that calls, or the one that is called.
    pub endpoint: i32,
    /// Records after which the trace ends, 1 to 1000.
    pub count: usize,
    /// When it ends all the same, in milliseconds, 1 to 20000.
    pub timeout_ms: u64,
}

/// Answer to `PUT /api/v1/trace`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Number of the node.
    pub nodeid: u32,
    /// Whether there were as many records as asked for; there may have been more frames.
    pub full: bool,
    /// What was seen, in the order of time.
    pub records: Vec<TraceRecord>,
}

/// One frame at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceRecord {
    /// When, by the monotonic clock of the node's host, in nanoseconds.
    pub time_ns: u64,
    /// Where: from_guest, to_guest, from_link, to_link or dropped.
    pub at: String,
    /// Why it was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The VM at whose port or on whose behalf it was seen.
    pub vm: u32,
    /// The VM at its other end.
    pub peer: u32,
    /// What it is, in the words of the specification.
    pub kind: String,
    /// The VM that began the call that it belongs to.
    pub caller: u32,
    /// The number that this VM gave the call; hexadecimal.
    pub op: String,
    /// Its number in the channel between the VMs.
    pub seq: u32,
    /// Source endpoint, where the kind has one.
    pub src_ep: i32,
    /// Destination endpoint, where the kind has one.
    pub dst_ep: i32,
    /// The result, where the kind has one.
    pub result: i32,
}

/// Body of every answer that is a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What was wrong and what to do.
    pub error: String,
}
