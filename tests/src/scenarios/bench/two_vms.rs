//! Between two guests of a host: calls and copies beside TCP between two guests of QEMU.

use std::cell::RefCell;

use anyhow::Result;
use dvs_report::Row;

use super::contest::Contest;
use super::in_vm::{copy_rate, lend};
use super::{end, listen, measure, tell};
use crate::harness::{Attachment, COMMAND_LIMIT, Guest, GuestSpec, Lab, Namespace};
use crate::scenarios::SERVER;
use crate::scenarios::demo::stage;
use crate::scenarios::lifecycle::pair;

/// Calls of one measurement.
const CALLS: u32 = 1000;
/// Blocks of one measurement.
const BLOCKS: u32 = 1600;
/// Copies under way at once, 1 MiB: a stream of TCP has as much in its buffers.
const COPIES_AT_ONCE: u32 = 16;
/// The peer's server.
const TCP: &str = "tcp:10.77.0.1:7000";
/// What the peer is.
const PEER: &str = "TCP between two QEMU guests, vhost-net and a bridge";

/// All rows of two guests.
pub fn rows(lab: &Lab) -> Result<Vec<Row>> {
    let (_host, mut guests) = stage(lab, 2)?;
    let network = Namespace::new("dvs-peers")?;
    let taps = ["tap0", "tap1"];
    network.add_bridge("bridge", None, &taps)?;
    let spec = |tap: &str| {
        let name = format!("qemu-{tap}");
        let spec = GuestSpec::new(&name, Attachment::Tap(tap.into()));
        spec.on_qemu().on_network(&network)
    };
    let mut peers = boot_peers(lab, &taps.map(spec))?;
    let ours = RefCell::new(pair(&mut guests)?);
    let peers = RefCell::new(pair(&mut peers)?);
    Ok(vec![
        tell(lab, calls(lab, &ours, &peers)?),
        tell(lab, copies(lab, &ours, &peers)?),
    ])
}

/// Boots guests of QEMU, with addresses from 10.77.0.1 on.
pub fn boot_peers(lab: &Lab, specs: &[GuestSpec]) -> Result<Vec<Guest>> {
    let mut peers = Guest::boot_all(lab, specs)?;
    for (number, guest) in (1..).zip(&mut peers) {
        guest.run(
            &format!("ip addr add 10.77.0.{number}/24 dev eth0 && ip link set eth0 up"),
            COMMAND_LIMIT,
        )?;
    }
    Ok(peers)
}

/// Two guests, the first of which serves.
type Pair<'a> = RefCell<(&'a mut Guest, &'a mut Guest)>;

fn calls(lab: &Lab, ours: &Pair<'_>, peers: &Pair<'_>) -> Result<Row> {
    let contest = Contest {
        name: "rpc_two_vms_vs_net",
        unit: "us",
        peer: PEER,
    };
    let our_side = || {
        let (serving, calling) = &mut *ours.borrow_mut();
        let server = listen(serving, &format!("server dvs:{SERVER}"))?;
        let figures = measure(calling, &format!("client dvs:{SERVER} --count {CALLS}"))?;
        end(server)?;
        figures.median()
    };
    let peer_side = || {
        let (serving, calling) = &mut *peers.borrow_mut();
        let server = listen(serving, &format!("server {TCP}"))?;
        let figures = measure(calling, &format!("client {TCP} --count {CALLS}"))?;
        server.finish(COMMAND_LIMIT)?.success()?;
        figures.median()
    };
    contest.run(lab, our_side, peer_side)
}

fn copies(lab: &Lab, ours: &Pair<'_>, peers: &Pair<'_>) -> Result<Row> {
    let contest = Contest {
        name: "vcopy64k_two_vms_vs_net",
        unit: "B/s",
        peer: PEER,
    };
    let (lender, key) = lend(ours.borrow_mut().0)?;
    let peer_side = || {
        let (serving, calling) = &mut *peers.borrow_mut();
        let sink = listen(serving, &format!("sink {TCP}"))?;
        let command = format!("stream {TCP} --size 65536 --count {BLOCKS}");
        let figures = measure(calling, &command)?;
        sink.finish(COMMAND_LIMIT)?.success()?;
        Ok(figures.bytes_per_second)
    };
    let row = contest.run(
        lab,
        || copy_rate(ours.borrow_mut().1, &key, BLOCKS, COPIES_AT_ONCE),
        peer_side,
    )?;
    end(lender)?;
    Ok(row)
}
