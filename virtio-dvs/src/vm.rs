//! Attributes of a VM: fixed by its host when it is attached, never by the guest.

use crate::frame::VM_MAX;
use crate::range::{OutOfRange, in_range};
use crate::spec;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Largest `max_endpoints` that a VM may be given.
pub const ENDPOINTS_MAX: u32 = 65_536;
/// Largest `max_peers` that a VM may be given.
pub const PEERS_MAX: u32 = 64;
/// Largest `nr_tasks` of a DC.
pub const TASKS_MAX: u32 = 4096;
/// Largest `nr_procs` of a DC.
pub const PROCS_MAX: u32 = 65_536;

/// Who a VM is and what it may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VmAttributes {
    /// Id of the VM, 1 to 0xffff_fffe.
    pub vm: u32,
    /// The distributed container (DC) that it belongs to.
    #[serde(default)]
    pub dcid: u32,
    /// Whether it may change what its endpoints may do, and whatever else administrators may.
    #[serde(default)]
    pub admin: bool,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// Attributes of the DC; where left out those that the DC has already, or the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dc: Option<DcAttributes>,
}

/// What a VM may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Endpoints bound at once, 1 to 65536.
    pub max_endpoints: u32,
    /// VMs that it talks to at once, 1 to 64.
    pub max_peers: u32,
    /// Frames per second that it may send; no limit where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_endpoints: spec::MAX_ENDPOINTS,
            max_peers: spec::MAX_PEERS,
            rate: None,
        }
    }
}

/// Attributes of a DC, equal for all its VMs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DcAttributes {
    /// Name, at most 15 bytes.
    pub name: String,
    /// Endpoint numbers begin at minus this.
    pub nr_tasks: u32,
    /// Endpoint numbers end below this.
    pub nr_procs: u32,
    /// Endpoints with `number + nr_tasks` below this are servers.
    pub nr_sysprocs: u32,
}

impl Default for DcAttributes {
    fn default() -> DcAttributes {
        DcAttributes {
            name: String::new(),
            nr_tasks: spec::NR_TASKS,
            nr_procs: spec::NR_PROCS,
            nr_sysprocs: spec::NR_SYSPROCS,
        }
    }
}

/// Why attributes are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AttributeError {
    /// The VM id is a reserved one.
    #[error("VM id {0} is reserved; choose one from 1 to 4294967294")]
    VmId(u32),
    /// A number is out of its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
    /// The DC's name is too long or holds control characters.
    #[error("the DC's name {0:?} must be at most 15 bytes of printable text")]
    DcName(String),
}

impl VmAttributes {
    /// VM `vm` of DC `dcid` with the default limits, not an administrator.
    pub fn new(vm: u32, dcid: u32) -> VmAttributes {
        VmAttributes {
            vm,
            dcid,
            admin: false,
            limits: Limits::default(),
            dc: None,
        }
    }

    /// Checks every field against its limits.
    pub fn validate(&self) -> Result<(), AttributeError> {
        if self.vm == 0 || self.vm > VM_MAX {
            return Err(AttributeError::VmId(self.vm));
        }
        let limits = &self.limits;
        let max = ENDPOINTS_MAX.into();
        in_range("limits.max_endpoints", limits.max_endpoints.into(), 1, max)?;
        in_range(
            "limits.max_peers",
            limits.max_peers.into(),
            1,
            PEERS_MAX.into(),
        )?;
        if let Some(rate) = limits.rate {
            in_range("limits.rate", rate.into(), 1, u32::MAX.into())?;
        }
        self.dc.as_ref().map_or(Ok(()), DcAttributes::validate)
    }
}

impl DcAttributes {
    /// Checks every field against its limits.
    pub fn validate(&self) -> Result<(), AttributeError> {
        if self.name.len() >= spec::DC_NAME_SIZE || self.name.chars().any(char::is_control) {
            return Err(AttributeError::DcName(self.name.clone()));
        }
        in_range("dc.nr_tasks", self.nr_tasks.into(), 0, TASKS_MAX.into())?;
        in_range("dc.nr_procs", self.nr_procs.into(), 1, PROCS_MAX.into())?;
        let max = self.nr_tasks + self.nr_procs;
        Ok(in_range(
            "dc.nr_sysprocs",
            self.nr_sysprocs.into(),
            0,
            max.into(),
        )?)
    }

    /// Whether an endpoint may have this number in the DC.
    pub fn contains(&self, endpoint: i32) -> bool {
        let number = i64::from(endpoint);
        let range = -i64::from(self.nr_tasks)..i64::from(self.nr_procs);
        range.contains(&number) && !spec::MAGIC_ENDPOINTS.contains(&endpoint)
    }

    /// Whether an endpoint of this number is a server or a task.
    pub fn is_system(&self, endpoint: i32) -> bool {
        i64::from(endpoint) + i64::from(self.nr_tasks) < i64::from(self.nr_sysprocs)
    }
}
