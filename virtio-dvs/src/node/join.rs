//! A node joins its cluster: it opens the directory and the links.

use crate::device::fabric::Fabric;
use crate::directory::NodeId;
use crate::directory::etcd::{Etcd, Me};
use crate::link::Links;
use crate::node::cluster_config::ClusterConfig;
use crate::node::config::NodeConfig;
use crate::node::service::{NodeError, boot_id};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use rustix::rand::{GetRandomFlags, getrandom};
use std::time::Instant;

/// The data path of a node of a cluster, with the VMs that the directory says are here.
pub(super) fn join(config: &NodeConfig, cluster: &ClusterConfig) -> Result<Fabric, NodeError> {
    let me = NodeId(config.nodeid);
    // Others may connect as soon as they find the address.
    let epoch = Instant::now();
    let numbers = Xoshiro256PlusPlus::from_seed(random()?);
    let links = Links::open(cluster.links(me), Box::new(numbers), epoch.elapsed())?;
    let address = cluster.address().to_string();
    let boot = boot_id()?;
    let who = Me {
        node: me,
        address,
        boot,
    };
    let directory = Etcd::open(&cluster.etcd, who)?;
    tracing::info!("the node has joined the cluster {:?} as {me}", cluster.name);
    let (max_vms, nodeid) = (config.max_vms, config.nodeid);
    let fabric = Fabric::in_cluster(Box::new(directory), max_vms, nodeid, links, epoch)?;
    Ok(fabric)
}

/// Bytes that nobody else can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N], NodeError> {
    let mut bytes = [0; N];
    let got = getrandom(&mut bytes, GetRandomFlags::empty())
        .map_err(|it| NodeError::Random(it.into()))?;
    if got < N {
        return Err(NodeError::Random(std::io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(bytes)
}
