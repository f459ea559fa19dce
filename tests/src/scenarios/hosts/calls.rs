//! Every call and every copy between hosts.

use anyhow::{Context, Result};

use super::Stage;
use crate::harness::{COMMAND_LIMIT, Lab, Privacy};
use crate::scenarios::calls::{
    MATRIX_LIMIT, PUPPETS, all_ok, between, left_clean, seen_by_the_host, start_puppet,
};
use crate::scenarios::lifecycle::pair;

/// Endpoint of the puppet of the third guest.
const THIRD: i32 = 27;

/// Every call between processes of guests on two hosts, in all placements of three processes.
pub fn calls_between_hosts(lab: &Lab) -> Result<()> {
    calls(lab, Privacy::Plain)
}

/// The same with TLS between the hosts.
pub fn calls_between_hosts_tls(lab: &Lab) -> Result<()> {
    calls(lab, Privacy::Tls)
}

fn calls(lab: &Lab, privacy: Privacy) -> Result<()> {
    let mut stage = Stage::start(lab, "calls", 2, privacy)?;
    let hosts = stage.cluster.hosts();
    between(pair(&mut stage.guests)?, || {
        hosts
            .iter()
            .zip(PUPPETS)
            .try_for_each(|(host, puppet)| seen_by_the_host(host, puppet))
    })
}

/// Copies from and to another host, between two parties on one far host, and between those on two
/// far hosts.
pub fn copies_between_hosts(lab: &Lab) -> Result<()> {
    let mut stage = Stage::start(lab, "copies", 3, Privacy::Plain)?;
    let [here, there] = PUPPETS;
    let eps = [here, there, THIRD];
    let mut serving = Vec::new();
    for (guest, ep) in stage.guests.iter_mut().zip(eps) {
        serving.push(start_puppet(guest, ep)?);
    }
    let directing = stage.guests.first_mut().context("three were booted")?;
    let tests = directing.spawn(&format!("dvs-selftest --copies {here} {there} {THIRD}"))?;
    all_ok(&tests.finish(MATRIX_LIMIT)?)?;
    for puppet in serving {
        puppet.finish(COMMAND_LIMIT)?.success()?;
    }
    stage.guests.iter_mut().try_for_each(left_clean)
}
