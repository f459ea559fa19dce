//! Every call, in one guest and between two, and many processes at once that die at any time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::demo::stage;
use super::lifecycle::{no_complaints, pair};
use super::ping;
use crate::harness::{COMMAND_LIMIT, Guest, Host, Lab, Output, Task};

/// Endpoints of the puppets, which run actors for the tests of the matrix.
pub const PUPPETS: [i32; 2] = [25, 26];
/// How long the tests of the matrix may take together.
pub const MATRIX_LIMIT: Duration = Duration::from_secs(240);
/// Guests in the storm.
const STORM_GUESTS: u32 = 8;
/// How long the storm lasts.
const STORM: Duration = Duration::from_secs(60);
/// The same where there is time.
const LONG_STORM: Duration = Duration::from_secs(600);
/// Endpoint numbers of the DC.
const NUMBERS: u32 = 221;
/// Of these so many belong to each guest but the first, which has all others.
const NUMBERS_OF_OTHERS: u32 = 3;
/// What was freed is known to everybody within this time: a few delayed acknowledgements.
const SETTLE: Duration = Duration::from_secs(20);

/// Every call between processes of one guest.
pub fn within(guest: &mut Guest) -> Result<()> {
    let [puppet, _] = PUPPETS;
    let serving = start_puppet(guest, puppet)?;
    matrix(guest, puppet, puppet)?;
    serving.finish(COMMAND_LIMIT)?.success()?;
    left_clean(guest)
}

/// Every call between processes of two guests, in all placements of three processes; then the
/// examples.
pub fn calls_between_vms(lab: &Lab) -> Result<()> {
    let (host, mut guests) = stage(lab, 2)?;
    between(pair(&mut guests)?, || {
        PUPPETS
            .iter()
            .try_for_each(|ep| seen_by_the_host(&host, *ep))
    })?;
    lab.say("the examples");
    examples(&mut guests)
}

/// Every call between two guests; `seen`: whether their host or hosts see the puppets.
pub fn between(
    (near, far): (&mut Guest, &mut Guest),
    seen: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let [here, there] = PUPPETS;
    let serving = [start_puppet(near, here)?, start_puppet(far, there)?];
    seen()?;
    matrix(near, here, there)?;
    for puppet in serving {
        puppet.finish(COMMAND_LIMIT)?.success()?;
    }
    left_clean(near)?;
    left_clean(far)
}

/// What `dvsctl endpoints` shows of a puppet: its guest tells it.
pub fn seen_by_the_host(host: &Host, ep: i32) -> Result<()> {
    let endpoints = host.client().endpoints()?;
    let seen = endpoints.iter().find(|seen| seen.endpoint == ep);
    let state = seen.and_then(|seen| seen.state.as_ref());
    let state = state.with_context(|| format!("the host sees no state of endpoint {ep}"))?;
    ensure!(
        state.name == "dvs-selftest" && state.pid.is_some(),
        "the host sees endpoint {ep} as {state:?}"
    );
    Ok(())
}

/// Starts a puppet, which runs actors.
pub fn start_puppet(guest: &mut Guest, ep: i32) -> Result<Task> {
    let mut puppet = guest.spawn(&format!("dvs-selftest --puppet {ep}"))?;
    puppet.wait_line(COMMAND_LIMIT, |line| line.contains("puppet").then_some(()))?;
    Ok(puppet)
}

fn matrix(guest: &mut Guest, here: i32, there: i32) -> Result<()> {
    let tests = guest.spawn(&format!("dvs-selftest --matrix {here} {there}"))?;
    all_ok(&tests.finish(MATRIX_LIMIT)?)
}

/// The program's tests have all passed.
pub fn all_ok(output: &Output) -> Result<()> {
    let failed: Vec<&str> = output
        .out
        .iter()
        .map(String::as_str)
        .filter(|line| line.starts_with("not ok") || line.starts_with("# "))
        .collect();
    ensure!(
        output.code == 0 && failed.is_empty(),
        "exit status {}: {} {}",
        output.code,
        failed.join(" | "),
        output.tail()
    );
    Ok(())
}

/// The examples of the Rust crate, their servers in one guest and their clients in another.
fn examples(guests: &mut [Guest]) -> Result<()> {
    let (serving, calling) = pair(guests)?;
    let mut servers = Vec::new();
    for command in [
        "dvs-echo server",
        "dvs-echo-async --ep 14",
        "dvs-kv server",
        "dvs-pool coordinator",
        "dvs-pool worker",
    ] {
        servers.push(serving.spawn(command)?);
    }
    for (command, answer) in [
        ("dvs-echo client one two", "two"),
        ("dvs-echo client --to 14 --ep 43 three", "three"),
        ("dvs-kv check --rounds 2", "; 0 wrong"),
        ("dvs-pool submit 1000 2000", "303 primes below 2000"),
    ] {
        let output = calling.run(command, MATRIX_LIMIT)?;
        ensure!(
            output.out.iter().any(|line| line.contains(answer)),
            "{command} said: {}",
            output.tail()
        );
    }
    const TERMINATE: i32 = 15;
    for mut server in servers {
        server.signal(TERMINATE)?;
        server.finish(COMMAND_LIMIT)?;
    }
    left_clean(serving)?;
    left_clean(calling)
}

/// 200 processes in one guest and some in seven others call each other and are killed at any
/// time; afterwards nothing is left of them.
pub fn storm(lab: &Lab) -> Result<()> {
    storm_of(lab, STORM)
}

/// The same for ten minutes.
pub fn long_storm(lab: &Lab) -> Result<()> {
    storm_of(lab, LONG_STORM)
}

fn storm_of(lab: &Lab, lasting: Duration) -> Result<()> {
    let (_host, mut guests) = stage(lab, STORM_GUESTS)?;
    let others = (STORM_GUESTS - 1) * NUMBERS_OF_OTHERS;
    let seconds = lasting.as_secs();
    let mut storms = Vec::new();
    for (number, guest) in (0..).zip(&mut guests) {
        let (first, count) = if number == 0 {
            (others, NUMBERS - others)
        } else {
            ((number - 1) * NUMBERS_OF_OTHERS, NUMBERS_OF_OTHERS)
        };
        storms.push(guest.spawn(&format!(
            "dvs-selftest --storm {first} {count} {NUMBERS} {seconds} {number}"
        ))?);
    }
    for (number, storm) in (1..).zip(storms) {
        let output = storm.finish(lasting + ping::RUN_LIMIT)?.success()?;
        lab.say(format!("vm-{number}: {}", output.tail()));
    }
    for guest in &mut guests {
        left_clean(guest)?;
    }
    Ok(())
}

/// Nothing of endpoints, calls and frames is left in the guest, and its kernel did not complain.
pub fn left_clean(guest: &mut Guest) -> Result<()> {
    let end = Instant::now() + SETTLE;
    loop {
        let left = left_over(guest)?;
        if left.is_empty() {
            return no_complaints(guest);
        }
        ensure!(
            Instant::now() < end,
            "{}: left over: {}",
            guest.name(),
            left.join(", ")
        );
    }
}

fn left_over(guest: &mut Guest) -> Result<Vec<String>> {
    const IN_USE: [&str; 8] = [
        "endpoints",
        "operations",
        "requests",
        "unacknowledged",
        "copies",
        "sides",
        "grants",
        "pinned_pages",
    ];
    let output = guest.run("cat /sys/kernel/debug/dvs/stats", COMMAND_LIMIT)?;
    let used = |line: &&String| {
        line.split_once(' ')
            .is_some_and(|(name, value)| IN_USE.contains(&name) && value != "0")
    };
    Ok(output.out.iter().filter(used).cloned().collect())
}
