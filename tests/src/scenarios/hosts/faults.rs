//! What breaks between hosts, and on one of them, in the middle of calls.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Stage;
use crate::harness::{COMMAND_LIMIT, Guest, Lab, Member, Output, Privacy, Task};
use crate::scenarios::faults::{ENDLESS, expect_died, kill, kill_all};
use crate::scenarios::lifecycle::{expect_clean, no_complaints, pair};
use crate::scenarios::{SERVER, ping};

/// Calls that must all succeed, however long one of them takes.
const CALLS: u64 = 3000;
/// A host that is lost, or cut off from the directory, is known to be within this time: its lease
/// ends, and the others hear of it.
const LEASE_LIMIT: Duration = Duration::from_secs(60);
/// The deadline of a call that cannot be answered, in milliseconds.
const DEADLINE_MS: u32 = 2000;
/// How long a bind that has to wait is watched.
const WATCHED: Duration = Duration::from_secs(2);
/// The wire between the hosts.
const WIRE: (Member, Member) = (Member::Host(1), Member::Host(2));

/// What breaks between two hosts, one after the other, between the same two guests.
pub fn between_hosts(lab: &Lab) -> Result<()> {
    let mut stage = two_hosts(lab)?;
    lab.say("the nodes are killed and started again");
    nodes_restarted(lab, &mut stage)?;
    lab.say("the wire is cut");
    link_cut(lab, &mut stage)?;
    lab.say("the directory is killed");
    directory_restarted(lab, &mut stage)?;
    kill_all(lab, &mut stage.guests)
}

/// The node of the server and then that of the client are killed and started again in the middle
/// of calls: none is lost or made twice, and none fails.
fn nodes_restarted(lab: &Lab, stage: &mut Stage) -> Result<()> {
    let (server, mut client) = under_load(lab, stage)?;
    for host in [1, 2] {
        ping::wait_calls(&mut client)?;
        stage.cluster.host(host)?.crash_and_restart(lab)?;
        lab.say(format!(
            "the node of host {host} was killed and started again"
        ));
    }
    expect_clean(&ping::finish(client)?, CALLS)?;
    kill(server)?;
    stage.guests.iter_mut().try_for_each(no_complaints)
}

/// Nothing goes from host to host for a while, and nobody is told: calls wait, and only those end
/// whose deadline passes.
fn link_cut(lab: &Lab, stage: &mut Stage) -> Result<()> {
    let (server, mut client) = under_load(lab, stage)?;
    stage.cluster.cut(WIRE.0, WIRE.1)?;
    let (_, calling) = pair(&mut stage.guests)?;
    let options = format!("--count 1 --timeout-ms {DEADLINE_MS}");
    let late = calling.spawn(&ping::client_line(1, &options))?;
    expect_failed(
        &late.finish(COMMAND_LIMIT)?,
        &["the time of the call is over"],
    )?;
    stage.cluster.heal(WIRE.0, WIRE.1)?;
    lab.say("the wire was cut and is whole again");
    ping::wait_calls(&mut client)?;
    expect_clean(&ping::finish(client)?, CALLS)?;
    kill(server)?;
    stage.guests.iter_mut().try_for_each(no_complaints)
}

/// A host is lost with all that ran on it: who waited for it is told, and its endpoints can be
/// bound elsewhere.
pub fn host_lost(lab: &Lab) -> Result<()> {
    let mut stage = two_hosts(lab)?;
    let (serving, calling) = pair(&mut stage.guests)?;
    let _server = ping::serve(lab, serving, 1)?;
    let mut client = calling.spawn(&ping::client_line(0, ENDLESS))?;
    ping::wait_calls(&mut client)?;
    // The node first: it would tell of the end of the VMM.
    stage.cluster.host(1)?.kill_node();
    serving.vmm().kill();
    expect_died(&client.finish(LEASE_LIMIT)?)?;
    let server = ping::serve(lab, calling, 1)?;
    let client = calling.spawn(&ping::client_line(1, "--count 100"))?;
    expect_clean(&ping::finish(client)?, 100)?;
    server.finish(COMMAND_LIMIT)?.success()?;
    no_complaints(calling)
}

/// The directory is away for a while: calls go on, and a bind waits until it is back.
fn directory_restarted(lab: &Lab, stage: &mut Stage) -> Result<()> {
    let (server, mut client) = under_load(lab, stage)?;
    stage.cluster.etcd().kill();
    let (serving, _) = pair(&mut stage.guests)?;
    let other = SERVER + 1;
    let mut binding = serving.spawn(&format!("dvs-ping server --ep {other} --json"))?;
    ensure!(
        binding.wait_line(WATCHED, is_bound).is_err(),
        "an endpoint was bound without the directory"
    );
    ping::wait_calls(&mut client)?;
    stage.cluster.etcd().restart(lab)?;
    lab.say("the directory was killed and started again");
    binding.wait_line(LEASE_LIMIT, is_bound)?;
    kill(binding)?;
    expect_clean(&ping::finish(client)?, CALLS)?;
    kill(server)?;
    stage.guests.iter_mut().try_for_each(no_complaints)
}

/// A host lives but does not reach the directory: its lease ends, and who called from it or to it
/// is told. When it reaches the directory again its guests go on with new lives: their servers are
/// there, and calls go both ways.
pub fn cut_off_from_directory(lab: &Lab) -> Result<()> {
    let mut stage = two_hosts(lab)?;
    let (one, other) = pair(&mut stage.guests)?;
    let (here, to_here) = call_endlessly(lab, one, other, 0)?;
    let (there, mut to_there) = call_endlessly(lab, other, one, 1)?;
    stage.cluster.cut(Member::Host(1), Member::Directory)?;
    expect_failed(&to_here.finish(LEASE_LIMIT)?, &["has died"])?;
    lab.say("the other side was told; the host reaches the directory again");
    stage.cluster.heal(Member::Host(1), Member::Directory)?;
    to_there.wait_line(LEASE_LIMIT, |line| line.contains("is lost").then_some(()))?;
    // It calls on, in the new life of its VM.
    ping::wait_calls(&mut to_there)?;
    kill(to_there)?;
    call_again(other, 0)?;
    call_again(one, 1)?;
    for server in [here, there] {
        // Each has lost a client in the middle of a call, and says so.
        server.finish(COMMAND_LIMIT)?;
    }
    stage.guests.iter_mut().try_for_each(no_complaints)
}

/// A server, and a client of it that calls without end and has begun.
fn call_endlessly(
    lab: &Lab,
    serving: &mut Guest,
    calling: &mut Guest,
    number: i32,
) -> Result<(Task, Task)> {
    let server = ping::serve_at(lab, serving, SERVER + number, 1)?;
    let line = ping::client_line_to(SERVER + number, number, ENDLESS);
    let mut client = calling.spawn(&line)?;
    ping::wait_calls(&mut client)?;
    Ok((server, client))
}

/// Calls a server that was away until it is back. Only trying tells that it is.
fn call_again(calling: &mut Guest, number: i32) -> Result<()> {
    const COUNT: u64 = 100;
    let line = ping::client_line_to(SERVER + number, number, &format!("--count {COUNT}"));
    let end = Instant::now() + LEASE_LIMIT;
    loop {
        let output = calling.spawn(&line)?.finish(ping::RUN_LIMIT)?;
        if output.code == 0 {
            return expect_clean(&ping::report(&output)?, COUNT);
        }
        ensure!(
            Instant::now() < end,
            "{} calls in vain: {}",
            calling.name(),
            output.tail()
        );
    }
}

fn two_hosts(lab: &Lab) -> Result<Stage> {
    Stage::start(lab, "two", 2, Privacy::Plain)
}

/// A server on host 1 that waits for more clients, and a client on host 2 that has begun.
fn under_load(lab: &Lab, stage: &mut Stage) -> Result<(Task, Task)> {
    let (serving, calling) = pair(&mut stage.guests)?;
    let server = ping::serve(lab, serving, 2)?;
    let options = format!("--count {CALLS} --rate 250 --timeout-ms 120000");
    let mut client = calling.spawn(&ping::client_line(0, &options))?;
    ping::wait_calls(&mut client)?;
    Ok((server, client))
}

/// What a server tells when it has bound its endpoint.
fn is_bound(line: &str) -> Option<()> {
    line.contains("bound").then_some(())
}

/// The client ended since calls failed for one of these reasons.
fn expect_failed(client: &Output, reasons: &[&str]) -> Result<()> {
    let failed = |line: &String| {
        line.contains("failed:") && reasons.iter().any(|reason| line.contains(reason))
    };
    ensure!(
        client.code != 0 && client.err.iter().any(failed),
        "exit status {}: {}",
        client.code,
        client.tail()
    );
    Ok(())
}
