//! Attributes as they are in records. Those of a configuration refuse fields that they do not know;
//! here they are skipped, so that nodes can be upgraded one after the other.

use crate::privileges::Privileges;
use crate::vm::{DcAttributes, Limits, VmAttributes};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(remote = "VmAttributes")]
pub(super) struct VmAttributesDef {
    vm: u32,
    dcid: u32,
    admin: bool,
    #[serde(with = "LimitsDef")]
    limits: Limits,
    // What was asked; what the DC has is beside it.
    #[serde(skip)]
    dc: Option<DcAttributes>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Limits")]
struct LimitsDef {
    max_endpoints: u32,
    max_peers: u32,
    #[serde(default)]
    rate: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DcAttributes")]
pub(super) struct DcAttributesDef {
    name: String,
    nr_tasks: u32,
    nr_procs: u32,
    nr_sysprocs: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Privileges")]
struct PrivilegesDef {
    calls: u64,
    ipc_to: u64,
    level: u32,
}

/// Privileges where there are some.
pub(super) struct MaybePrivileges;

#[derive(Serialize, Deserialize)]
struct Present(#[serde(with = "PrivilegesDef")] Privileges);

impl MaybePrivileges {
    pub(super) fn serialize<S: Serializer>(
        privileges: &Option<Privileges>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        privileges.map(Present).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Privileges>, D::Error> {
        let some = Option::<Present>::deserialize(deserializer)?;
        Ok(some.map(|Present(privileges)| privileges))
    }
}
