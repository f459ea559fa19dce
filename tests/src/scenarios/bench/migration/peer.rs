//! QEMU moving a guest between the same kind of hosts.

use anyhow::Result;

use super::load::{Moved, Seen, under_load};
use super::{DOWNTIME_MS, LIMIT};
use crate::harness::{Attachment, Guest, GuestSpec, Lab, Namespace, Wire};
use crate::scenarios::bench::two_vms::boot_peers;
use crate::scenarios::lifecycle::pair;
use crate::scenarios::migration::field::{CPUS, MEMORY_MIB};

/// The server in the guest that moves.
const SERVER: &str = "tcp:10.77.0.1:7000";
/// Port at which the other host's QEMU waits.
const PORT: u16 = 7500;

/// Two hosts with a guest of QEMU that moves between them, and one on the first host that calls it.
#[derive(Debug)]
pub struct Peer<'a> {
    lab: &'a Lab,
    hosts: [Namespace; 2],
    guests: Vec<Guest>,
    /// Where the guest that moves is: 0 or 1.
    at: usize,
}

impl<'a> Peer<'a> {
    /// Makes the networks and boots the guests.
    pub fn boot(lab: &'a Lab) -> Result<Self> {
        let hosts = [Namespace::new("dvs-peer-1")?, Namespace::new("dvs-peer-2")?];
        let [one, other] = &hosts;
        Wire::new((one, "hosts"), (other, "hosts"))?;
        Wire::new((one, "guests"), (other, "guests"))?;
        for (host, number) in hosts.iter().zip(1..) {
            let address = format!("{}/24", address(number));
            host.ip(&["address", "add", &address, "dev", "hosts"])?;
        }
        one.add_bridge("bridge", Some("guests"), &["moves", "calls"])?;
        other.add_bridge("bridge", Some("guests"), &["moves"])?;
        let calling = Attachment::Tap("calls".into());
        let calling = GuestSpec::new("qemu-calls", calling).on_qemu();
        let specs = [moving(one), calling.on_network(one)];
        Ok(Self {
            lab,
            guests: boot_peers(lab, &specs)?,
            hosts,
            at: 0,
        })
    }

    /// Moves the guest to the other host.
    pub fn move_under_load(&mut self) -> Result<Seen> {
        let to = 1 - self.at;
        let [one, other] = &self.hosts;
        let host = if to == 0 { one } else { other };
        let url = format!("tcp:{}:{PORT}", address(to + 1));
        let spec = moving(host).receiving(&url);
        let seen = under_load(pair(&mut self.guests)?, SERVER, |guest| {
            let figures = guest.move_on_qemu(self.lab, &spec, DOWNTIME_MS, LIMIT)?;
            self.lab.say(format!(
                "QEMU: {} MB in {} rounds",
                figures.ram.transferred / 1_000_000,
                figures.ram.dirty_sync_count
            ));
            Ok(Moved {
                downtime: figures.downtime,
                total: figures.total_time,
            })
        })?;
        self.at = to;
        Ok(seen)
    }
}

fn address(number: usize) -> String {
    format!("10.79.0.{number}")
}

/// The guest that moves, on this host. Its card has the same address on both.
fn moving(host: &Namespace) -> GuestSpec {
    let spec = GuestSpec::new("qemu-moves", Attachment::Tap("moves".into()));
    spec.on_qemu()
        .with_cpus(CPUS)
        .with_memory_mib(MEMORY_MIB)
        .on_network(host)
}
