//! Names of the records in etcd.
//!
//! ```text
//! nodes/<node>                  who a node is, under its lease
//! vms/<vm>                      who a VM is, where it lives, and the numbers given out last
//! at/<node>/<vm>                which VMs a node has
//! dcs/<dcid>                    attributes of a DC
//! dcs/<dcid>/vms/<vm>           which VMs it has; the last one takes it along
//! endpoints/<dcid>/<number>     who has bound an endpoint, and the generation given out last
//! held/<vm>/<dcid>/<number>     which endpoints a VM's last life has bound
//! ```

use crate::directory::{Endpoint, NodeId};
use etcd_client::KeyValue;
use std::str::FromStr;

/// All names begin with a prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Keys {
        let prefix = prefix.to_owned();
        Keys { prefix }
    }

    pub(super) fn nodes(&self) -> String {
        format!("{}nodes/", self.prefix)
    }

    pub(super) fn node(&self, node: NodeId) -> String {
        format!("{}nodes/{}", self.prefix, node.0)
    }

    pub(super) fn vm(&self, vm: u32) -> String {
        format!("{}vms/{vm}", self.prefix)
    }

    pub(super) fn at(&self, node: NodeId) -> String {
        format!("{}at/{}/", self.prefix, node.0)
    }

    pub(super) fn vm_at(&self, node: NodeId, vm: u32) -> String {
        format!("{}at/{}/{vm}", self.prefix, node.0)
    }

    pub(super) fn dc(&self, dcid: u32) -> String {
        format!("{}dcs/{dcid}", self.prefix)
    }

    pub(super) fn members(&self, dcid: u32) -> String {
        format!("{}dcs/{dcid}/vms/", self.prefix)
    }

    pub(super) fn member(&self, dcid: u32, vm: u32) -> String {
        format!("{}dcs/{dcid}/vms/{vm}", self.prefix)
    }

    pub(super) fn endpoint(&self, endpoint: Endpoint) -> String {
        let Endpoint { dcid, number } = endpoint;
        format!("{}endpoints/{dcid}/{number}", self.prefix)
    }

    pub(super) fn held(&self, vm: u32) -> String {
        format!("{}held/{vm}/", self.prefix)
    }

    pub(super) fn held_endpoint(&self, vm: u32, endpoint: Endpoint) -> String {
        let Endpoint { dcid, number } = endpoint;
        format!("{}held/{vm}/{dcid}/{number}", self.prefix)
    }

    /// The node that a key of [`Keys::nodes`] is about.
    pub(super) fn node_of(&self, key: &[u8]) -> Option<NodeId> {
        parse(&self.nodes(), key).map(NodeId)
    }

    /// The VM that a key of [`Keys::at`] is about.
    pub(super) fn vm_of(&self, node: NodeId, key: &[u8]) -> Option<u32> {
        parse(&self.at(node), key)
    }

    /// The endpoint that a key of [`Keys::held`] is about.
    fn endpoint_of(&self, vm: u32, key: &[u8]) -> Option<Endpoint> {
        let rest = std::str::from_utf8(key).ok()?;
        let (dcid, number) = rest.strip_prefix(&self.held(vm))?.split_once('/')?;
        let (dcid, number) = (dcid.parse().ok()?, number.parse().ok()?);
        Some(Endpoint { dcid, number })
    }

    /// The endpoints that these keys of [`Keys::held`] are about.
    pub(super) fn endpoints_in<'a>(
        &'a self,
        vm: u32,
        held: &'a [KeyValue],
    ) -> impl Iterator<Item = Endpoint> + 'a {
        held.iter()
            .filter_map(move |it| self.endpoint_of(vm, it.key()))
    }

    /// The endpoint of a DC that a key of [`Keys::endpoint`] is about.
    pub(super) fn endpoint_in(&self, dcid: u32, key: &[u8]) -> Option<Endpoint> {
        let number = parse(&format!("{}endpoints/{dcid}/", self.prefix), key)?;
        Some(Endpoint { dcid, number })
    }
}

fn parse<T: FromStr>(prefix: &str, key: &[u8]) -> Option<T> {
    let rest = std::str::from_utf8(key).ok()?.strip_prefix(prefix)?;
    rest.parse().ok()
}
