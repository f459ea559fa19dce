//! Processes, guests and nodes that are killed in the middle, and guests that ask for too much.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::demo::stage;
use super::lifecycle::{expect_clean, no_complaints, pair};
use super::{DCID, SERVER, ping};
use crate::harness::{Attachment, COMMAND_LIMIT, Guest, GuestSpec, Host, Lab, Output, Task};

/// SIGKILL.
pub(super) const KILL: i32 = 9;
/// A peer's death must be known well before a client's own time-out.
const NOTICE: Duration = Duration::from_secs(20);
/// Calls without end, as far as a test is concerned.
pub const ENDLESS: &str = "--count 100000000";

/// What breaks on one host, one after the other, between the same two guests.
pub fn on_one_host(lab: &Lab) -> Result<()> {
    let (mut host, mut guests) = stage(lab, 2)?;
    lab.say("the node is killed and started again");
    restart_node(lab, &mut host, &mut guests)?;
    kill_all(lab, &mut guests)
}

/// A client, a server and the guest of a server are killed in turn, between these two guests.
pub fn kill_all(lab: &Lab, guests: &mut [Guest]) -> Result<()> {
    lab.say("a client is killed");
    kill_client(lab, guests)?;
    lab.say("a server is killed");
    kill_server(lab, guests)?;
    lab.say("the guest of a server is killed");
    kill_guest(lab, guests)
}

/// A server is killed in the middle of calls: its client is told so, and does not hang.
fn kill_server(lab: &Lab, guests: &mut [Guest]) -> Result<()> {
    let (serving, calling) = pair(guests)?;
    let server = ping::serve(lab, serving, 1)?;
    let client = under_way(calling)?;
    kill(server)?;
    expect_died(&client.finish(NOTICE)?)?;
    no_complaints(serving)?;
    no_complaints(calling)
}

/// Clients are killed in the middle of calls: the server goes on with the next.
fn kill_client(lab: &Lab, guests: &mut [Guest]) -> Result<()> {
    let (serving, calling) = pair(guests)?;
    let server = ping::serve(lab, serving, 2)?;
    for _ in 0..3 {
        kill(under_way(calling)?)?;
    }
    expect_clean(
        &ping::finish(calling.spawn(&ping::client_line(1, "--count 100"))?)?,
        100,
    )?;
    kill(server)?;
    no_complaints(serving)?;
    no_complaints(calling)
}

/// The VMM of a server's guest is killed in the middle of calls: the client is told so.
fn kill_guest(lab: &Lab, guests: &mut [Guest]) -> Result<()> {
    let (serving, calling) = pair(guests)?;
    let _server = ping::serve(lab, serving, 1)?;
    let client = under_way(calling)?;
    serving.vmm().kill();
    expect_died(&client.finish(NOTICE)?)?;
    no_complaints(calling)
}

/// The node is killed and started again in the middle of calls: none is lost or made twice.
fn restart_node(lab: &Lab, host: &mut Host, guests: &mut [Guest]) -> Result<()> {
    let (serving, calling) = pair(guests)?;
    let server = ping::serve(lab, serving, 1)?;
    let mut client = calling.spawn(&ping::client_line(0, "--count 3000"))?;
    ping::wait_calls(&mut client)?;
    host.crash_and_restart(lab)?;
    expect_clean(&ping::finish(client)?, 3000)?;
    server.finish(COMMAND_LIMIT)?.success()?;
    no_complaints(serving)?;
    no_complaints(calling)
}

/// Kills a program, and waits for its end.
pub fn kill(mut task: Task) -> Result<()> {
    task.signal(KILL)?;
    task.finish(NOTICE)?;
    Ok(())
}

/// What one VM has bound, another cannot bind; when it is free again, it can.
pub fn endpoint_taken(lab: &Lab) -> Result<()> {
    let (_host, mut guests) = stage(lab, 2)?;
    let (first, second) = pair(&mut guests)?;
    let server = ping::serve(lab, first, 1)?;
    let refused = second
        .spawn(&format!("dvs-ping server --ep {SERVER}"))?
        .finish(COMMAND_LIMIT)?;
    ensure!(
        refused.code == 2 && refused.tail().contains("cannot bind"),
        "not refused: {}",
        refused.tail()
    );
    kill(server)?;
    let _server = ping::serve(lab, second, 1)?;
    expect_clean(
        &ping::finish(first.spawn(&ping::client_line(0, "--count 50"))?)?,
        50,
    )
}

/// Guests of two containers use the same numbers and never meet.
pub fn another_container(lab: &Lab) -> Result<()> {
    let host = Host::start(lab, "node")?;
    let mut specs = Vec::new();
    for (vm, dcid) in [(1, DCID), (2, DCID + 1)] {
        specs.push(GuestSpec::new(
            &format!("vm-{vm}"),
            Attachment::Node(host.attach(vm, dcid)?),
        ));
    }
    let mut guests = Guest::boot_all(lab, &specs)?;
    let (first, second) = pair(&mut guests)?;
    let _own = ping::serve(lab, first, 1)?;
    let refused = second
        .spawn(&ping::client_line(0, "--count 5"))?
        .finish(COMMAND_LIMIT)?;
    ensure!(
        refused.code != 0,
        "a call reached another container: {}",
        refused.tail()
    );
    let _other = ping::serve(lab, second, 1)?;
    for guest in [first, second] {
        expect_clean(
            &ping::finish(guest.spawn(&ping::client_line(1, "--count 20"))?)?,
            20,
        )?;
    }
    Ok(())
}

/// A client without end that has made some calls already.
fn under_way(guest: &mut Guest) -> Result<Task> {
    let mut client = guest.spawn(&ping::client_line(0, ENDLESS))?;
    ping::wait_calls(&mut client)?;
    Ok(client)
}

/// The client ended because its peer is dead, not for another reason.
pub fn expect_died(client: &Output) -> Result<()> {
    let died = client
        .err
        .iter()
        .any(|line| line.contains("failed:") && line.contains("died"));
    ensure!(
        client.code != 0 && died,
        "exit status {}: {}",
        client.code,
        client.tail()
    );
    Ok(())
}
