//! `dvs-ping` in guests, and what is counted while it runs.

use std::time::Duration;

use anyhow::{Context, Result};
use dvs_report::{Event, RttUs};
use serde::Deserialize;

use super::{CLIENT, SERVER};
use crate::harness::{Activity, COMMAND_LIMIT, Guest, Host, Lab, Output, PortCounters, Task};

/// A run of calls may take this long, even on a loaded emulated machine.
pub const RUN_LIMIT: Duration = Duration::from_secs(240);
/// SIGCONT.
const CONTINUE: i32 = 18;

/// Final line of a client.
#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    pub rpcs: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub out_of_order: u64,
    pub errors: u64,
    pub rtt_us: RttUs,
    pub seconds: f64,
}

#[derive(Deserialize)]
struct Bound {
    bound: i32,
}

#[derive(Deserialize)]
struct Held {
    held: String,
}

/// Starts a server that ends after so many clients.
pub fn serve(lab: &Lab, guest: &mut Guest, clients: u32) -> Result<Task> {
    serve_at(lab, guest, SERVER, clients)
}

/// The same at an endpoint of one's choice.
pub fn serve_at(lab: &Lab, guest: &mut Guest, ep: i32, clients: u32) -> Result<Task> {
    let mut server = guest.spawn(&format!(
        "dvs-ping server --ep {ep} --clients {clients} --json"
    ))?;
    let bound: Bound = server.wait_line(COMMAND_LIMIT, |line| serde_json::from_str(line).ok())?;
    lab.say(format!(
        "{}: the server has bound endpoint {}",
        guest.name(),
        bound.bound
    ));
    Ok(server)
}

/// The command line of the client with this number.
pub fn client_line(number: i32, options: &str) -> String {
    client_line_to(SERVER, number, options)
}

/// The same for the server at another endpoint.
pub fn client_line_to(server: i32, number: i32, options: &str) -> String {
    format!(
        "dvs-ping client --ep {} --to {server} --json {options}",
        CLIENT + number
    )
}

/// Waits until a client tells of calls, which it does about once a second.
pub fn wait_calls(client: &mut Task) -> Result<()> {
    client.wait_line(COMMAND_LIMIT, |line| progress_of(line).map(drop))
}

/// Waits for a client's end; gives its figures.
pub fn finish(client: Task) -> Result<Report> {
    report(&client.finish(RUN_LIMIT)?)
}

/// The figures of a client that has ended.
pub fn report(output: &Output) -> Result<Report> {
    let last = output.out.last().map(String::as_str).unwrap_or_default();
    serde_json::from_str(last)
        .with_context(|| format!("dvs-ping told no figures: {}", output.tail()))
}

/// Counters outside the guests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    pub kicks: u64,
    pub interrupts: u64,
    pub exits: u64,
}

impl Counters {
    /// Sums over the guests; guest number i is VM i + 1, and on host number i.
    pub fn read(hosts: &[&Host], guests: &[Guest]) -> Result<Self> {
        let mut sum = Self::default();
        for ((vm, guest), host) in (1..).zip(guests).zip(hosts) {
            let PortCounters { kicks, interrupts } = host.port_counters(vm)?;
            sum.kicks += kicks;
            sum.interrupts += interrupts;
            sum.exits += guest.exits()?;
        }
        Ok(sum)
    }

    /// What was added since.
    pub fn since(self, before: Self) -> Self {
        Self {
            kicks: self.kicks.saturating_sub(before.kicks),
            interrupts: self.interrupts.saturating_sub(before.interrupts),
            exits: self.exits.saturating_sub(before.exits),
        }
    }
}

/// What the VMMs do outside their vCPUs.
fn vmm_activity(guests: &mut [Guest]) -> Result<Activity> {
    let mut sum = Activity::default();
    for guest in guests {
        sum = sum.and(guest.vmm().activity_except("vcpu")?);
    }
    Ok(sum)
}

/// A client's figures, and what was counted during exactly its measured calls.
#[derive(Debug)]
pub struct Measured {
    pub report: Report,
    pub counted: Counters,
    pub vmm: Activity,
}

/// Runs a client of the guest `at` that makes `count` calls once warm. `hosts` are those of the guests.
///
/// The client stops itself before and after them, so that what is read counts nothing else. The
/// VMMs' activity is read closest to the calls, since reading the other counters costs some.
pub fn measured(
    lab: &Lab,
    hosts: &[&Host],
    guests: &mut [Guest],
    at: usize,
    count: u64,
) -> Result<Measured> {
    let guest = guests.get_mut(at).context("there is no such guest")?;
    let options = format!("--warmup 200 --count {count} --hold");
    let mut client = guest.spawn(&client_line(0, &options))?;
    wait_held(lab, &mut client, count, "warm")?;
    let before = Counters::read(hosts, guests)?;
    let vmm_before = vmm_activity(guests)?;
    client.signal(CONTINUE)?;
    wait_held(lab, &mut client, count, "measured")?;
    let vmm = vmm_activity(guests)?.since(vmm_before);
    let counted = Counters::read(hosts, guests)?.since(before);
    client.signal(CONTINUE)?;
    let report = finish(client)?;
    Ok(Measured {
        report,
        counted,
        vmm,
    })
}

fn wait_held(lab: &Lab, client: &mut Task, total: u64, what: &str) -> Result<()> {
    client.wait_line(RUN_LIMIT, |line| {
        if let Some((done, per_second)) = progress_of(line) {
            lab.tell(&Event::Progress {
                what: "calls".into(),
                done,
                total,
                per_second,
            });
        }
        serde_json::from_str(line)
            .ok()
            .filter(|held: &Held| held.held == what)
    })?;
    Ok(())
}

/// `1200 calls, 430 calls/s`
pub fn progress_of(line: &str) -> Option<(u64, f64)> {
    let (done, rate) = line.split_once(" calls, ")?;
    Some((
        done.parse().ok()?,
        rate.strip_suffix(" calls/s")?.parse().ok()?,
    ))
}

/// A counter of the guest's core.
fn core_counter(guest: &mut Guest, name: &str) -> Result<u64> {
    let output = guest.run("cat /sys/kernel/debug/dvs/stats", COMMAND_LIMIT)?;
    let value = output
        .out
        .iter()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.with_context(|| format!("the module of {} does not count {name}", guest.name()))
}

/// The sum of a counter over guests.
pub fn core_counters(guests: &mut [Guest], name: &str) -> Result<u64> {
    guests
        .iter_mut()
        .map(|guest| core_counter(guest, name))
        .sum()
}

#[cfg(test)]
#[path = "ping_test.rs"]
mod tests;
