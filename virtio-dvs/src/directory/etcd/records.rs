//! What is written into etcd, as JSON. Fields that a newer node has added are skipped.

use crate::directory::etcd::attributes::{DcAttributesDef, MaybePrivileges, VmAttributesDef};
use crate::directory::{BoundRecord, DirectoryError, Endpoint, NodeId, Owner, Start, Token};
use crate::privileges::Privileges;
use crate::vm::{DcAttributes, VmAttributes};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Largest record, in bytes.
pub(super) const RECORD_MAX: usize = 64 << 10;
/// Longest address of a node, in bytes.
pub(super) const ADDRESS_MAX: usize = 512;

/// A change that was made, so that whoever does not know whether it was can see it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Writer {
    /// Which run of a node.
    pub(super) instance: u64,
    /// Which of its requests.
    pub(super) request: u64,
}

/// Who a node is. The revision that created its key names its *tenure*: for as long as the key is
/// there its lives go on, also when another run of the node takes the key over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NodeRecord {
    /// Where it listens for links.
    pub(super) address: String,
    /// Which run of the node it is.
    pub(super) instance: u64,
    /// Which boot of its host.
    pub(super) boot: String,
}

/// A VM that a node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    #[serde(with = "VmAttributesDef")]
    pub(super) attributes: VmAttributes,
    #[serde(with = "DcAttributesDef")]
    pub(super) dc: DcAttributes,
}

/// A life that goes on while its node has the tenure that it was begun in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Life {
    pub(super) tenure: i64,
    #[serde(default)]
    pub(super) driving: bool,
    /// Whether it has run where it is; nodes that know nothing of it never say that it has not.
    #[serde(default, skip_serializing_if = "Start::is_made")]
    pub(super) start: Start,
}

/// Where a VM lives. The record stays when the VM has left, for its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VmRecord {
    /// The node that wrote it last.
    pub(super) node: NodeId,
    /// Given out last.
    pub(super) epoch: u32,
    /// Given out last.
    pub(super) incarnation: u32,
    /// Who it is, while a node has it.
    #[serde(default)]
    pub(super) member: Option<Member>,
    /// Life `incarnation`, unless it was ended.
    #[serde(default)]
    pub(super) life: Option<Life>,
    #[serde(default)]
    pub(super) writer: Writer,
}

/// Who has bound an endpoint. The record stays when it is free, for its generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EndpointRecord {
    pub(super) vm: u32,
    pub(super) incarnation: u32,
    pub(super) generation: u32,
    pub(super) nonce: u64,
    #[serde(default, with = "MaybePrivileges")]
    pub(super) privileges: Option<Privileges>,
    /// By which another life may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) offer: Option<Token>,
    /// Until it was unbound.
    pub(super) bound: bool,
}

impl EndpointRecord {
    pub(super) const fn owner(&self) -> Owner {
        Owner {
            vm: self.vm,
            incarnation: self.incarnation,
        }
    }

    /// What it says of this endpoint, if this life has bound it.
    pub(super) fn bound_by(&self, owner: Owner, endpoint: Endpoint) -> Option<BoundRecord> {
        (self.bound && self.owner() == owner).then_some(BoundRecord {
            number: endpoint.number,
            generation: self.generation,
            nonce: self.nonce,
            privileges: self.privileges,
            offered: self.offer.is_some(),
        })
    }
}

/// A record of the directory.
pub(super) trait Record: Serialize + DeserializeOwned {
    /// What is wrong with it, if anything.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Record for NodeRecord {
    fn check(&self) -> Result<(), String> {
        if self.address.len() > ADDRESS_MAX {
            return Err(format!("the address is longer than {ADDRESS_MAX} bytes"));
        }
        Ok(())
    }
}

impl Record for VmRecord {
    fn check(&self) -> Result<(), String> {
        if self.life.is_some() && (self.epoch == 0 || self.incarnation == 0) {
            return Err("a life has number 0".to_owned());
        }
        let Some(member) = &self.member else {
            return Ok(());
        };
        let checked = member.attributes.validate();
        checked
            .and_then(|()| member.dc.validate())
            .map_err(|error| error.to_string())
    }
}

impl Record for EndpointRecord {
    fn check(&self) -> Result<(), String> {
        if self.privileges.is_some_and(|it| !it.is_valid()) {
            return Err("nobody can have these privileges".to_owned());
        }
        Ok(())
    }
}

/// Attributes of a DC, as a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct DcRecord(#[serde(with = "DcAttributesDef")] pub(super) DcAttributes);

impl Record for DcRecord {
    fn check(&self) -> Result<(), String> {
        self.0.validate().map_err(|error| error.to_string())
    }
}

/// Reads a record that anybody may have written.
pub(super) fn decode<T: Record>(key: &[u8], value: &[u8]) -> Result<T, DirectoryError> {
    let broken = |reason: String| {
        let key = String::from_utf8_lossy(key);
        DirectoryError::Broken(format!("{key}: {reason}"))
    };
    if value.len() > RECORD_MAX {
        return Err(broken(format!("it is larger than {RECORD_MAX} bytes")));
    }
    let record: T = serde_json::from_slice(value).map_err(|error| broken(error.to_string()))?;
    record.check().map_err(broken)?;
    Ok(record)
}

/// Writes a record.
pub(super) fn encode<T: Record>(record: &T) -> Result<Vec<u8>, DirectoryError> {
    serde_json::to_vec(record).map_err(|error| DirectoryError::Broken(error.to_string()))
}

#[cfg(test)]
#[path = "records_test.rs"]
mod tests;
