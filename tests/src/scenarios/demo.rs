//! The demonstrations: a server and a client, in one guest or in two.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use dvs_report::DemoReport;

use super::ping::{self, Measured, Report};
use super::{DCID, SERVER};
use crate::harness::{Attachment, Guest, GuestSpec, Host, Lab};

/// Calls that are measured.
pub const CALLS: u64 = 2000;
/// A second client's calls, with sends and notifications strewn in.
const MIXED: (u64, u64, u64) = (500, 200, 100);

/// How often threads of the VMMs may run for each call. What the programs print goes over serial
/// lines and wakes them now and then; were they on the path of a message, they would run at least
/// once for each.
const VMM_RUNS_PER_CALL: f64 = 0.5;

/// Server and client in one guest.
pub fn rpc_same_vm(lab: &Lab) -> Result<DemoReport> {
    run(lab, "rpc-same-vm", 1)
}

/// Server and client in two guests of one host.
pub fn rpc_same_host(lab: &Lab) -> Result<DemoReport> {
    run(lab, "rpc-same-host", 2)
}

/// A node, and so many guests attached to it as VM 1, 2, …
pub fn stage(lab: &Lab, guests: u32) -> Result<(Host, Vec<Guest>)> {
    let host = Host::start(lab, "node")?;
    let mut specs = Vec::new();
    for vm in 1..=guests {
        let socket = host.attach(vm, DCID)?;
        specs.push(GuestSpec::new(
            &format!("vm-{vm}"),
            Attachment::Node(socket),
        ));
    }
    lab.say(format!("the node is up; {guests} guest(s) boot"));
    let guests = Guest::boot_all(lab, &specs)?;
    Ok((host, guests))
}

fn run(lab: &Lab, name: &str, count: u32) -> Result<DemoReport> {
    let started = Instant::now();
    let (host, mut guests) = stage(lab, count)?;
    let at = guests.len() - 1;
    let server = ping::serve(lab, guests.first_mut().context("a guest was booted")?, 2)?;
    lab.say(format!(
        "{CALLS} calls of endpoint {SERVER}, every content numbered and checked on both sides"
    ));
    let hosts = vec![&host; guests.len()];
    let measured = ping::measured(lab, &hosts, &mut guests, at, CALLS)?;
    let mixed = mixed(lab, guests.get_mut(at).context("a guest was booted")?)?;
    server.finish(ping::RUN_LIMIT)?;
    let mut report = report(lab, name, &measured, &mixed);
    conclude(lab, &mut report, guests, started)?;
    Ok(report)
}

/// Adds what the guests counted, and ends them.
pub fn conclude(
    lab: &Lab,
    report: &mut DemoReport,
    mut guests: Vec<Guest>,
    started: Instant,
) -> Result<()> {
    report.backstop_fired = ping::core_counters(&mut guests, "backstop_fired")?;
    report.guest_kernel = guests
        .first()
        .map(|guest| guest.kernel().to_owned())
        .unwrap_or_default();
    for guest in guests {
        guest.power_off()?;
    }
    lab.say("the guests have powered off");
    report.seconds = started.elapsed().as_secs_f64();
    Ok(())
}

fn mixed(lab: &Lab, guest: &mut Guest) -> Result<Report> {
    let (calls, sends, notifies) = MIXED;
    lab.say(format!(
        "{calls} calls mixed with {sends} sends and {notifies} notifications"
    ));
    let line = ping::client_line(
        1,
        &format!("--count {calls} --sends {sends} --notifies {notifies}"),
    );
    ping::finish(guest.spawn(&line)?)
}

/// Of measured calls, and of others after them.
pub fn report(lab: &Lab, name: &str, measured: &Measured, others: &Report) -> DemoReport {
    let Measured {
        report: plain,
        counted,
        vmm,
    } = measured;
    let sum = |field: fn(&Report) -> u64| field(plain) + field(others);
    let per_call = |count: u64| ratio(count, plain.rpcs);
    DemoReport {
        scenario: name.to_owned(),
        mode: lab.settings().mode,
        rpcs: sum(|part| part.rpcs),
        lost: sum(|part| part.lost),
        duplicated: sum(|part| part.duplicated),
        out_of_order: sum(|part| part.out_of_order),
        errors: sum(|part| part.errors),
        rtt_us: plain.rtt_us,
        kicks_per_rpc: per_call(counted.kicks),
        interrupts_per_rpc: per_call(counted.interrupts),
        exits_per_rpc: per_call(counted.exits),
        vmm_runs_per_rpc: per_call(vmm.runs),
        vmm_cpu_percent: vmm.time.as_secs_f64() / plain.seconds * 100.0,
        backstop_fired: 0,
        recovery: None,
        guest_kernel: String::new(),
        seconds: 0.0,
    }
}

/// To three digits after the point.
fn ratio(count: u64, of: u64) -> f64 {
    let thousandths = (u128::from(count) * 1000)
        .checked_div(u128::from(of))
        .unwrap_or(0);
    f64::from(u32::try_from(thousandths).unwrap_or(u32::MAX)) / 1000.0
}

/// What issue and design promise of every demonstration without faults.
pub fn check(report: &DemoReport, limit: f64) -> Result<()> {
    ensure!(
        report.backstop_fired == 0,
        "the backstop timer fired {} times",
        report.backstop_fired
    );
    check_calls(report, limit)
}

/// What is promised even with faults; `limit`: kicks and interrupts of a call without any.
pub fn check_calls(report: &DemoReport, limit: f64) -> Result<()> {
    ensure!(
        report.rpcs >= CALLS + MIXED.0,
        "only {} calls were completed",
        report.rpcs
    );
    let wrong = report.lost + report.duplicated + report.out_of_order + report.errors;
    ensure!(
        wrong == 0,
        "{wrong} calls were lost, duplicated, out of order or failed: {report:?}"
    );
    ensure!(
        report.kicks_per_rpc <= limit,
        "{} kicks per call, more than {limit}",
        report.kicks_per_rpc
    );
    ensure!(
        report.interrupts_per_rpc <= limit,
        "{} interrupts per call, more than {limit}",
        report.interrupts_per_rpc
    );
    ensure!(
        report.vmm_runs_per_rpc <= VMM_RUNS_PER_CALL,
        "threads of the VMM processes ran {} times per call",
        report.vmm_runs_per_rpc
    );
    Ok(())
}
