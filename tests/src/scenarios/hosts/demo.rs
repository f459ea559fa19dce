//! The demonstration: calls between two hosts, and faults between them in the middle.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dvs_report::{DemoReport, Recovery};

use super::Stage;
use crate::harness::{Lab, Member, Privacy, Task};
use crate::scenarios::demo::{CALLS, conclude, report};
use crate::scenarios::ping::{self, Report};

/// Calls that faults fall into, at a pace that makes them last longer than the faults; with sends
/// and notifications strewn in.
const DISTURBED: &str = "--count 3000 --rate 250 --sends 300 --notifies 100 --timeout-ms 120000";
/// How long nothing goes from host to host.
const CUT: Duration = Duration::from_secs(1);

/// Server and client in guests of two hosts. A node is killed and started again, and the wire
/// between the hosts cut for a second, while calls are made.
pub fn rpc_two_hosts(lab: &Lab) -> Result<DemoReport> {
    let started = Instant::now();
    let mut stage = Stage::start(lab, "demo", 2, Privacy::Tls)?;
    let serving = stage.guests.first_mut().context("a guest was booted")?;
    let server = ping::serve(lab, serving, 2)?;
    lab.say(format!(
        "{CALLS} calls from host 2 to host 1, each numbered and checked"
    ));
    let hosts = stage.cluster.hosts();
    let measured = ping::measured(lab, &hosts, &mut stage.guests, 1, CALLS)?;
    let calling = stage.guests.get_mut(1).context("two were booted")?;
    let client = calling.spawn(&ping::client_line(1, DISTURBED))?;
    let disturbed = disturb(lab, &mut stage, client)?;
    server.finish(ping::RUN_LIMIT)?;
    let longest = measured.report.rtt_us.max.max(disturbed.rtt_us.max);
    let mut report = report(lab, "rpc-two-hosts", &measured, &disturbed);
    report.recovery = Some(recovery(&mut stage, longest)?);
    conclude(lab, &mut report, stage.guests, started)?;
    Ok(report)
}

/// Kills a node and cuts the wire while the client calls; gives the client's figures.
fn disturb(lab: &Lab, stage: &mut Stage, mut client: Task) -> Result<Report> {
    ping::wait_calls(&mut client)?;
    lab.say("the node of host 1 is killed and started again");
    stage.cluster.host(1)?.crash_and_restart(lab)?;
    ping::wait_calls(&mut client)?;
    lab.say("the wire between the hosts is cut for a second");
    let (one, other) = (Member::Host(1), Member::Host(2));
    stage.cluster.cut(one, other)?;
    thread::sleep(CUT);
    stage.cluster.heal(one, other)?;
    ping::finish(client)
}

fn recovery(stage: &mut Stage, longest_us: f64) -> Result<Recovery> {
    let mut sum = |name| ping::core_counters(&mut stage.guests, name);
    Ok(Recovery {
        frames_sent_again: sum("frames_sent_again")? + sum("bulk_sent_again")?,
        duplicates_suppressed: sum("duplicates_dropped")?,
        backstop_timer_fires: sum("backstop_fired")?,
        max_stall_ms: longest_us / 1000.0,
    })
}
