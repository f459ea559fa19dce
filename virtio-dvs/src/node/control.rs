//! What the control API says: bodies of requests and answers. `resources/openapi/dvs-node.yaml`
//! describes the same.

use crate::device::counters::PortCounters;
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
    /// Directory of the vhost-user sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_dir: Option<PathBuf>,
    /// The state file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_file: Option<PathBuf>,
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

/// Body of every answer that is a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What was wrong and what to do.
    pub error: String,
}
