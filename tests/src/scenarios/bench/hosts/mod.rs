//! Between guests of two hosts: calls and copies beside TCP, and what faults cost.

mod peers;

use std::cell::RefCell;

use anyhow::{Context, Result};
use dvs_report::Row;

use self::peers::Peers;
use super::contest::Contest;
use super::in_vm::{copy_rate, lend};
use super::{Figures, RUNS, end, listen, measure, tell};
use crate::harness::{Lab, Privacy};
use crate::scenarios::SERVER;
use crate::scenarios::hosts::Stage;
use crate::scenarios::lifecycle::pair;
use crate::scenarios::ping;

/// Round trips of one measurement.
const CALLS: u32 = 1000;
/// Clients at once, and round trips of all of them together.
const MANY: (u32, u32) = (64, 6400);
/// Blocks of one measurement.
const BLOCKS: u32 = 1600;
/// Copies under way at once, 1 MiB: a stream of TCP has as much in its buffers.
const COPIES_AT_ONCE: u32 = 16;
/// Clients under whose load a node is killed, and their options.
const LOAD: (i32, &str) = (4, "--count 1500 --rate 250");
/// The longest that a call may take when a node is killed, in milliseconds.
const STALL_LIMIT: f64 = 500.0;

/// All rows of two hosts.
pub fn rows(lab: &Lab) -> Result<Vec<Row>> {
    let mut stage = Stage::start(lab, "plain", 2, Privacy::Plain)?;
    let mut rows = beside_tcp(lab, &mut stage)?;
    rows.push(tell(lab, node_restart(lab, &mut stage)?));
    let mut private = Stage::start(lab, "tls", 2, Privacy::Tls)?;
    rows.push(tell(lab, privacy(lab, &mut stage, &mut private)?));
    Ok(rows)
}

/// The rows whose peers are TCP between guests of QEMU, and between hosts.
fn beside_tcp(lab: &Lab, stage: &mut Stage) -> Result<Vec<Row>> {
    let peers = &RefCell::new(Peers::boot(lab)?);
    let stage = &RefCell::new(stage);
    let round_trip = || calls(&mut stage.borrow_mut(), 1, CALLS)?.median();
    let (clients, count) = MANY;
    let contest = |name, unit, peer| Contest { name, unit, peer };
    const GUESTS: &str = "TCP between QEMU guests of two hosts, vhost-net";
    let rows = vec![
        tell(
            lab,
            contest("rpc_vs_guest_tcp", "us", GUESTS)
                .run(lab, round_trip, || peers.borrow_mut().round_trip())?,
        ),
        tell(
            lab,
            contest(
                "rpc_vs_floor",
                "us",
                "host to guest by vsock, twice, and TCP between the hosts",
            )
            .run(lab, round_trip, || peers.borrow_mut().floor())?,
        ),
        tell(
            lab,
            contest("rate64_vs_guest_tcp", "calls/s", GUESTS).run(
                lab,
                || Ok(calls(&mut stage.borrow_mut(), clients, count)?.per_second),
                || peers.borrow_mut().rate(clients, count),
            )?,
        ),
        tell(lab, copies(lab, &mut stage.borrow_mut(), &peers.borrow())?),
    ];
    Ok(rows)
}

/// Calls from the guest of one host to that of the other.
fn calls(stage: &mut Stage, clients: u32, count: u32) -> Result<Figures> {
    let (serving, calling) = pair(&mut stage.guests)?;
    let server = listen(serving, &format!("server dvs:{SERVER}"))?;
    let command = format!("client dvs:{SERVER} --clients {clients} --count {count}");
    let figures = measure(calling, &command)?;
    end(server)?;
    Ok(figures)
}

fn copies(lab: &Lab, stage: &mut Stage, peers: &Peers<'_>) -> Result<Row> {
    let (lending, copying) = pair(&mut stage.guests)?;
    let (lender, key) = lend(lending)?;
    let contest = Contest {
        name: "vcopy64k_vs_host_tcp",
        unit: "B/s",
        peer: "one stream of TCP between the hosts",
    };
    let row = contest.run(
        lab,
        || copy_rate(copying, &key, BLOCKS, COPIES_AT_ONCE),
        || peers.stream(BLOCKS),
    )?;
    end(lender)?;
    Ok(row)
}

fn privacy(lab: &Lab, plain: &mut Stage, private: &mut Stage) -> Result<Row> {
    let (clients, count) = MANY;
    let contest = Contest {
        name: "rate64_tls_vs_plain",
        unit: "calls/s",
        peer: "the same without TLS",
    };
    contest.run(
        lab,
        || Ok(calls(private, clients, count)?.per_second),
        || Ok(calls(plain, clients, count)?.per_second),
    )
}

/// The longest that any call takes while the nodes are killed and started again in turn.
fn node_restart(lab: &Lab, stage: &mut Stage) -> Result<Row> {
    let mut longest: f64 = 0.0;
    for run in 1..=RUNS {
        let host = if run % 2 == 0 { 1 } else { 2 };
        let stall = stall_of_restart(lab, stage, host)?;
        lab.say(format!(
            "the node of host {host} was killed: a call took {stall:.0} ms"
        ));
        longest = longest.max(stall);
    }
    let row = Row::new(
        "node_restart_stall_ms",
        "ms",
        "the limit; ours is the longest of all runs",
        &[longest],
        &[STALL_LIMIT],
    );
    row.context("nothing was measured")
}

/// In milliseconds.
fn stall_of_restart(lab: &Lab, stage: &mut Stage, host: u8) -> Result<f64> {
    let (clients, options) = LOAD;
    let (serving, calling) = pair(&mut stage.guests)?;
    let server = ping::serve(lab, serving, clients.unsigned_abs())?;
    let mut load = Vec::new();
    for number in 0..clients {
        load.push(calling.spawn(&ping::client_line(number, options))?);
    }
    for client in &mut load {
        ping::wait_calls(client)?;
    }
    stage.cluster.host(host)?.crash_and_restart(lab)?;
    let mut longest: f64 = 0.0;
    for client in load {
        longest = longest.max(ping::finish(client)?.rtt_us.max / 1000.0);
    }
    server.finish(ping::RUN_LIMIT)?.success()?;
    Ok(longest)
}
