//! What the node tells at one moment.

use std::time::Instant;

use virtio_dvs::node::client::{Client, ClientError};
use virtio_dvs::node::control::{EndpointInfo, Info, LinkInfo, PortCounts, PortInfo};

/// One look at a node.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// When it was taken.
    pub(super) at: Instant,
    pub(super) info: Info,
    pub(super) ports: Vec<PortInfo>,
    pub(super) counters: Vec<PortCounts>,
    pub(super) endpoints: Vec<EndpointInfo>,
    pub(super) links: Vec<LinkInfo>,
}

impl Sample {
    /// Asks the node. The survey of endpoints may take a second, so that it comes last: rates are of
    /// counters that were read at the time that is noted.
    pub(super) fn take(client: &Client) -> Result<Sample, ClientError> {
        let info = client.info()?;
        let ports = client.ports()?;
        let links = client.links()?;
        let counters = client.counters()?;
        let at = Instant::now();
        Ok(Sample {
            at,
            info,
            ports,
            counters,
            endpoints: client.endpoints()?,
            links,
        })
    }
}
