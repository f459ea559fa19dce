//! What calls and copies between hosts are measured against.
//!
//! Two hosts are two network namespaces with a wire between them. On each is a guest of QEMU whose
//! tap is bridged to an end of a wire of its own, so that the guests' path is of the same kind as
//! the hosts'.

use anyhow::{Context, Result};

use super::super::two_vms::boot_peers;
use super::super::{Figures, LIMIT, figures, listen, measure};
use super::CALLS;
use crate::harness::{Attachment, COMMAND_LIMIT, Guest, GuestSpec, Lab, Namespace, Program, Wire};
use crate::scenarios::lifecycle::pair;

/// A server in a guest.
const GUEST_TCP: &str = "tcp:10.77.0.1:7000";
/// A server on a host.
const HOST_TCP: &str = "tcp:10.79.0.1:7000";
/// Context id of the first guest; the other has the next.
const FIRST_CID: u32 = 3;

/// Two hosts without us, each with a guest of QEMU.
#[derive(Debug)]
pub struct Peers<'a> {
    lab: &'a Lab,
    networks: [Namespace; 2],
    guests: Vec<Guest>,
}

impl<'a> Peers<'a> {
    /// Makes the networks and boots the guests.
    pub fn boot(lab: &'a Lab) -> Result<Self> {
        let networks = [Namespace::new("dvs-peer-1")?, Namespace::new("dvs-peer-2")?];
        let [one, other] = &networks;
        Wire::new((one, "hosts"), (other, "hosts"))?;
        Wire::new((one, "guests"), (other, "guests"))?;
        let mut specs = Vec::new();
        for ((network, number), cid) in networks.iter().zip(1..).zip(FIRST_CID..) {
            let tap = format!("tap{number}");
            let address = format!("10.79.0.{number}/24");
            network.ip(&["address", "add", &address, "dev", "hosts"])?;
            network.add_bridge("bridge", Some("guests"), &[&tap])?;
            let spec = GuestSpec::new(&format!("qemu-{number}"), Attachment::Tap(tap));
            specs.push(spec.on_qemu().on_network(network).with_vsock(cid));
        }
        Ok(Self {
            lab,
            guests: boot_peers(lab, &specs)?,
            networks,
        })
    }

    /// A round trip by TCP between the guests, in microseconds.
    pub fn round_trip(&mut self) -> Result<f64> {
        self.calls(1, CALLS)?.median()
    }

    /// Round trips a second by TCP between the guests, of so many clients at once.
    pub fn rate(&mut self, clients: u32, count: u32) -> Result<f64> {
        Ok(self.calls(clients, count)?.per_second)
    }

    fn calls(&mut self, clients: u32, count: u32) -> Result<Figures> {
        let (serving, calling) = pair(&mut self.guests)?;
        let many = format!("{GUEST_TCP} --clients {clients}");
        let server = listen(serving, &format!("server {many}"))?;
        let figures = measure(calling, &format!("client {many} --count {count}"))?;
        server.finish(COMMAND_LIMIT)?.success()?;
        Ok(figures)
    }

    /// What the kernel itself needs for the parts of a call between guests of two hosts, in
    /// microseconds: a round trip from each host to its guest, and one between the hosts.
    pub fn floor(&mut self) -> Result<f64> {
        let mut sum = self.between_hosts("server", "client", CALLS)?.median()?;
        for (number, cid) in (0..).zip(FIRST_CID..FIRST_CID + 2) {
            sum += self.host_to_guest(number, cid)?;
        }
        Ok(sum)
    }

    /// A round trip from a host to its guest, in microseconds.
    fn host_to_guest(&mut self, number: usize, cid: u32) -> Result<f64> {
        let address = format!("vsock:{cid}:7000");
        let guest = self.guests.get_mut(number).context("both were booted")?;
        let server = listen(guest, &format!("server {address}"))?;
        let client = self.program(number, &["client", &address, "--count", &CALLS.to_string()])?;
        let figures = figures(&client.finish(LIMIT)?)?;
        server.finish(COMMAND_LIMIT)?.success()?;
        figures.median()
    }

    /// Bytes a second in blocks of 64 KiB by one stream of TCP between the hosts.
    pub fn stream(&self, blocks: u32) -> Result<f64> {
        let figures = self.between_hosts("sink", "stream --size 65536", blocks)?;
        Ok(figures.bytes_per_second)
    }

    fn between_hosts(&self, serve: &str, call: &str, count: u32) -> Result<Figures> {
        let mut server = self.program(0, &[serve, HOST_TCP])?;
        server.wait_line(COMMAND_LIMIT, "listening")?;
        let mut arguments: Vec<&str> = call.split(' ').collect();
        let count = count.to_string();
        arguments.extend([HOST_TCP, "--count", &count]);
        let client = self.program(1, &arguments)?;
        let figures = figures(&client.finish(LIMIT)?)?;
        server.finish(COMMAND_LIMIT)?;
        Ok(figures)
    }

    /// `pingpong` on one of the hosts.
    fn program(&self, host: usize, arguments: &[&str]) -> Result<Program> {
        let network = self.networks.get(host).context("there are two hosts")?;
        let pingpong = self.lab.settings().program("pingpong");
        let mut command = network.command(&pingpong);
        command.args(arguments);
        Program::start("pingpong", command, &self.lab.log("pingpong"))
    }
}
