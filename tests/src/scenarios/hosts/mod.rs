//! Guests on different hosts.

pub mod calls;
pub mod demo;
pub mod faults;

use anyhow::Result;

use super::DCID;
use crate::harness::{Attachment, Cluster, ClusterSpec, Guest, GuestSpec, Lab, Privacy};

/// Hosts with a guest on each: VM 1 on host 1, and so on.
#[derive(Debug)]
pub struct Stage {
    /// The hosts.
    pub cluster: Cluster,
    /// Their guests.
    pub guests: Vec<Guest>,
}

impl Stage {
    /// Starts hosts and boots their guests; what is of this stage has its name.
    pub fn start(lab: &Lab, name: &str, hosts: u8, privacy: Privacy) -> Result<Self> {
        let mut cluster = Cluster::start(lab, name, ClusterSpec::new(hosts, privacy))?;
        let mut specs = Vec::new();
        for number in 1..=hosts {
            let socket = cluster.host(number)?.attach(number.into(), DCID)?;
            let name = format!("{name}-vm-{number}");
            specs.push(GuestSpec::new(&name, Attachment::Node(socket)));
        }
        lab.say(format!("{hosts} hosts are up; a guest boots on each"));
        let guests = Guest::boot_all(lab, &specs)?;
        Ok(Self { cluster, guests })
    }
}
