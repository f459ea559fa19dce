//! Comparisons with what people use today, measured alternately in one run.

use anyhow::{Context, Result};
use dvs_report::{Event, Row, RttUs};
use serde::Deserialize;

use super::demo::stage;
use super::lifecycle::pair;
use super::ping;
use crate::harness::{Attachment, Bridge, COMMAND_LIMIT, Guest, GuestSpec, Lab};

/// Times each side is measured.
const RUNS: usize = 7;
/// Round trips of one measurement.
const CALLS: u32 = 1000;
/// Bytes of a message, both ways.
const SIZE: u32 = 48;
/// The peer's socket in a guest.
const UNIX: &str = "unix:/tmp/pingpong";
/// The peer's server in the other guest.
const TCP: &str = "tcp:10.77.0.1:7000";

#[derive(Deserialize)]
struct PingPong {
    rtt_us: RttUs,
}

/// Round trips of a call, in a guest and between two guests of a host.
pub fn ipc(lab: &Lab) -> Result<Vec<Row>> {
    let rows = vec![same_vm(lab)?, same_host(lab)?];
    Ok(rows)
}

fn same_vm(lab: &Lab) -> Result<Row> {
    let (_host, mut guests) = stage(lab, 1)?;
    let guest = guests.first_mut().context("a guest was booted")?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for run in 1..=RUNS {
        let server = ping::serve(lab, guest, 1)?;
        ours.push(our_median(guest)?);
        server.finish(COMMAND_LIMIT)?.success()?;
        guest.run("rm -f /tmp/pingpong", COMMAND_LIMIT)?;
        let mut server = guest.spawn(&format!("pingpong server {UNIX} {SIZE}"))?;
        server.wait_line(COMMAND_LIMIT, |line| (line == "listening").then_some(()))?;
        peer.push(peer_median(guest, UNIX)?);
        server.finish(COMMAND_LIMIT)?.success()?;
        told(lab, run, &ours, &peer);
    }
    row(
        lab,
        "rpc_same_vm",
        "Unix socket in the same guest",
        &ours,
        &peer,
    )
}

fn same_host(lab: &Lab) -> Result<Row> {
    let (_host, mut guests) = stage(lab, 2)?;
    let bridge = Bridge::with_taps("dvsbr", 2)?;
    let mut specs = Vec::new();
    for (number, tap) in bridge.taps().iter().enumerate() {
        specs.push(
            GuestSpec::new(&format!("qemu-{number}"), Attachment::Tap(tap.clone())).on_qemu(),
        );
    }
    let mut peers = Guest::boot_all(lab, &specs)?;
    for (number, guest) in (1..).zip(&mut peers) {
        guest.run(
            &format!("ip addr add 10.77.0.{number}/24 dev eth0 && ip link set eth0 up"),
            COMMAND_LIMIT,
        )?;
    }
    let (serving, calling) = pair(&mut guests)?;
    let (peer_serving, peer_calling) = pair(&mut peers)?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for run in 1..=RUNS {
        let server = ping::serve(lab, serving, 1)?;
        ours.push(our_median(calling)?);
        server.finish(COMMAND_LIMIT)?.success()?;
        let mut server = peer_serving.spawn(&format!("pingpong server {TCP} {SIZE}"))?;
        server.wait_line(COMMAND_LIMIT, |line| (line == "listening").then_some(()))?;
        peer.push(peer_median(peer_calling, TCP)?);
        server.finish(COMMAND_LIMIT)?.success()?;
        told(lab, run, &ours, &peer);
    }
    row(
        lab,
        "rpc_same_host",
        "TCP between two QEMU guests, vhost-net and a bridge",
        &ours,
        &peer,
    )
}

fn our_median(guest: &mut Guest) -> Result<f64> {
    let options = format!("--warmup 100 --count {CALLS} --size {SIZE}");
    Ok(ping::finish(guest.spawn(&ping::client_line(0, &options))?)?
        .rtt_us
        .p50)
}

fn peer_median(guest: &mut Guest, address: &str) -> Result<f64> {
    let output = guest.run(
        &format!("pingpong client {address} {SIZE} {CALLS}"),
        ping::RUN_LIMIT,
    )?;
    let last = output.out.last().context("pingpong told no figures")?;
    Ok(serde_json::from_str::<PingPong>(last)?.rtt_us.p50)
}

fn told(lab: &Lab, run: usize, ours: &[f64], peer: &[f64]) {
    if let (Some(ours), Some(peer)) = (ours.last(), peer.last()) {
        lab.say(format!(
            "run {run} of {RUNS}: {ours:.0} µs, peer {peer:.0} µs"
        ));
    }
}

fn row(lab: &Lab, name: &str, peer_name: &str, ours: &[f64], peer: &[f64]) -> Result<Row> {
    let row = Row::new(name, "us", peer_name, ours, peer).context("nothing was measured")?;
    lab.tell(&Event::Row(row.clone()));
    Ok(row)
}
