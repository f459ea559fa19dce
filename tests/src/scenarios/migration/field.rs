//! Hosts, a guest that moves between them, and guests that call it.

use std::time::Duration;

use anyhow::Result;
use dvs_migration::progress::Progress;

use super::load::{Amount, Load};
use crate::harness::{
    Attachment, Cluster, ClusterSpec, Guest, GuestSpec, Lab, Migrated, Moving, Privacy, Wishes,
};
use crate::scenarios::{DCID, lifecycle};

/// The VM that moves; those that call have the numbers that follow.
pub const MOVING: u32 = 1;
/// Its processors.
pub const CPUS: u8 = 2;
/// Its memory.
pub const MEMORY_MIB: u64 = 512;

/// Three hosts, each of which may do without the directory for the time that a move takes, and is not lost.
pub const PATIENT: ClusterSpec = ClusterSpec {
    lease_ms: Some(60_000),
    ..ClusterSpec::new(3, Privacy::Plain)
};

/// The hosts and their guests.
#[derive(Debug)]
pub struct Field {
    pub cluster: Cluster,
    /// The guest that moves.
    pub server: Guest,
    /// One on each host, by the hosts' numbers.
    pub clients: Vec<Guest>,
    /// The host on which the server is.
    pub at: u8,
}

impl Field {
    /// Starts hosts and boots their guests, the server on the first.
    pub fn start(lab: &Lab, name: &str, hosts: u8, privacy: Privacy) -> Result<Self> {
        Self::start_on(lab, name, ClusterSpec::new(hosts, privacy))
    }

    /// The same on hosts of one's choice.
    pub fn start_on(lab: &Lab, name: &str, spec: ClusterSpec) -> Result<Self> {
        let mut cluster = Cluster::start(lab, name, spec)?;
        let hosts = spec.hosts;
        let server = guest(&mut cluster, 1, MOVING, &format!("{name}-server"))?;
        let mut specs = vec![server.with_cpus(CPUS).with_memory_mib(MEMORY_MIB)];
        for host in 1..=hosts {
            let vm = MOVING + u32::from(host);
            specs.push(guest(
                &mut cluster,
                host,
                vm,
                &format!("{name}-client-{host}"),
            )?);
        }
        lab.say(format!(
            "{hosts} hosts are up; a server and {hosts} clients boot"
        ));
        let mut clients = Guest::boot_all(lab, &specs)?;
        let server = clients.remove(0);
        Ok(Self {
            cluster,
            server,
            clients,
            at: 1,
        })
    }

    /// Has the guests work.
    pub fn load(&mut self, lab: &Lab, amount: Amount) -> Result<Load> {
        Load::start(lab, &mut self.server, &mut self.clients, amount)
    }

    /// Has the server's move to another host begin.
    pub fn start_move(&mut self, lab: &Lab, to: u8, wishes: &Wishes) -> Result<Moving<'_>> {
        let destination = self.cluster.destination(to)?;
        let wishes = Wishes {
            tls_dir: self.cluster.certificates(),
            ..wishes.clone()
        };
        self.server.start_move(lab, &destination, &wishes)
    }

    /// Moves the server.
    pub fn migrate(
        &mut self,
        lab: &Lab,
        to: u8,
        wishes: &Wishes,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<Migrated> {
        let moving = self.start_move(lab, to, wishes)?;
        let migrated = moving.finish(on_progress)?.moved()?;
        self.arrived(lab, to, &migrated);
        Ok(migrated)
    }

    /// Takes note of where the server is now.
    pub fn arrived(&mut self, lab: &Lab, to: u8, migrated: &Migrated) {
        let progress = &migrated.destination;
        lab.say(format!(
            "the server has moved from host {} to {to} in {:.0} ms, stood still for {:.1} ms; {} pages in {} rounds",
            self.at,
            milliseconds(progress.total),
            milliseconds(progress.downtime),
            progress.data_pages,
            progress.round
        ));
        self.at = to;
    }

    /// No kernel of the guests has anything to complain about.
    pub fn no_complaints(&mut self) -> Result<()> {
        lifecycle::no_complaints(&mut self.server)?;
        self.clients
            .iter_mut()
            .try_for_each(lifecycle::no_complaints)
    }
}

/// A guest on a host of the cluster, which may move.
pub fn guest(cluster: &mut Cluster, host: u8, vm: u32, name: &str) -> Result<GuestSpec> {
    guest_in(cluster, host, (vm, DCID), name)
}

/// The same with the container of the VM.
pub fn guest_in(
    cluster: &mut Cluster,
    host: u8,
    (vm, dcid): (u32, u32),
    name: &str,
) -> Result<GuestSpec> {
    let host = cluster.host(host)?;
    let attachment = Attachment::Movable {
        socket: host.attach(vm, dcid)?,
        node: host.control().to_owned(),
    };
    let spec = GuestSpec::new(name, attachment);
    Ok(match host.network() {
        Some(network) => spec.on_network(network),
        None => spec,
    })
}

/// In milliseconds; what is not known is nothing.
pub fn milliseconds(time: Option<Duration>) -> f64 {
    time.unwrap_or_default().as_secs_f64() * 1000.0
}
