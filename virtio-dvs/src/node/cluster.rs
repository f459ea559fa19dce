//! The node among others: what it knows of them. Without a cluster there are none.

use crate::device::worker::Worker;
use crate::link::SessionView;
use crate::node::control::{LinkInfo, NodeInfo};
use crate::node::service::{Control, NodeError};
use std::time::Duration;

impl Control {
    /// The nodes of the cluster that the directory knows, this one first.
    pub fn nodes(&self) -> Result<Vec<NodeInfo>, NodeError> {
        let Some(cluster) = &self.config.cluster else {
            return Ok(Vec::new());
        };
        let look = |worker: &mut Worker| {
            let fabric = worker.fabric();
            (fabric.switch().ports().count(), fabric.nodes())
        };
        let (vms, others) = self.remote.ask(move |worker, done| done(look(worker)))?;
        let this = NodeInfo {
            nodeid: self.config.nodeid,
            address: cluster.address().to_string(),
            alive: true,
            vms: Some(vms),
        };
        let others = others.into_iter().map(|(node, address)| NodeInfo {
            nodeid: node.0,
            address,
            // The directory forgets those whose leases have ended.
            alive: true,
            vms: None,
        });
        Ok(std::iter::once(this).chain(others).collect())
    }

    /// The links to other nodes.
    pub fn links(&self) -> Result<Vec<LinkInfo>, NodeError> {
        let links = |worker: &mut Worker| {
            let now = worker.fabric().now();
            let sessions = worker.fabric().sessions().into_iter();
            sessions.map(|view| link_info(view, now)).collect()
        };
        Ok(self.remote.ask(move |worker, done| done(links(worker)))?)
    }
}

fn link_info(view: SessionView, now: Duration) -> LinkInfo {
    let mut counters = view.message;
    counters.add(&view.bulk);
    let since = view.since.map(|it| now.saturating_sub(it).as_millis());
    LinkInfo {
        node: view.node.0,
        address: view.address,
        state: view.state,
        since_ms: since.map(whole),
        dialled_by_us: view.dialled_by.map(|it| it != view.node),
        tls: view.tls,
        version: view.version,
        frames_in: counters.frames_in,
        frames_out: counters.frames_out,
        bytes_in: counters.bytes_in,
        bytes_out: counters.bytes_out,
        dropped: counters.no_room,
        rtt_us: view.rtt.map(|it| whole(it.as_micros())),
        last_error: view.last_error,
    }
}

fn whole(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "cluster_test.rs"]
mod tests;
