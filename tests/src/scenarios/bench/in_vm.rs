//! Inside one guest: calls beside pipes and sockets, copies beside `process_vm_readv`.

use std::cell::RefCell;

use anyhow::{Context, Result};
use dvs_report::Row;

use super::contest::Contest;
use super::{end, listen, measure, tell};
use crate::harness::{Attachment, COMMAND_LIMIT, Guest, GuestSpec, Host, Lab, Task};
use crate::scenarios::{DCID, SERVER};
use virtio_dvs::vm::{DcAttributes, Limits, VmAttributes};

/// Calls of one measurement.
const CALLS: u32 = 3000;
/// Copies of one measurement: enough to last longer than what else happens on the machine.
const COPIES: u32 = 4000;
/// Endpoints that wait and have nothing to do with the calls.
const IDLE: u32 = 1000;
/// The first of their numbers.
const FIRST_IDLE: u32 = 100;

/// All rows of one guest.
pub fn rows(lab: &Lab) -> Result<Vec<Row>> {
    let host = Host::start(lab, "node")?;
    let socket = host.attach_with(&roomy())?;
    let mut pipes = Vec::new();
    let mut sockets = Vec::new();
    let mut rows = Vec::new();
    for cpus in [1, 2] {
        let attachment = Attachment::Node(socket.clone());
        let spec = GuestSpec::new(&format!("vm-{cpus}"), attachment).with_cpus(cpus);
        let guest = RefCell::new(Guest::boot(lab, &spec)?);
        lab.say(format!("inside a guest of {cpus} vCPU"));
        pipes.push(calls_beside(
            lab,
            &guest,
            "sendrec_vs_pipe",
            "a pair of pipes",
            "pipe",
        )?);
        sockets.push(calls_beside(
            lab,
            &guest,
            "sendrec_vs_unix",
            "a Unix stream socket",
            "unix",
        )?);
        if cpus == 1 {
            rows.push(tell(lab, copies(lab, &guest)?));
            rows.push(tell(lab, idle(lab, &guest)?));
        }
        guest.into_inner().power_off()?;
    }
    for both in [pipes, sockets] {
        rows.push(tell(lab, worse(both).context("both were measured")?));
    }
    Ok(rows)
}

/// A VM with room for many endpoints, which may give them privileges.
fn roomy() -> VmAttributes {
    let numbers = FIRST_IDLE + IDLE;
    VmAttributes {
        limits: Limits {
            max_endpoints: numbers,
            ..Limits::default()
        },
        dc: Some(DcAttributes {
            nr_procs: numbers,
            ..DcAttributes::default()
        }),
        admin: true,
        ..VmAttributes::new(1, DCID)
    }
}

fn worse(rows: Vec<Row>) -> Option<Row> {
    rows.into_iter()
        .min_by(|one, other| one.ratio.total_cmp(&other.ratio))
}

fn our_calls(guest: &RefCell<Guest>) -> Result<f64> {
    let mut guest = guest.borrow_mut();
    let server = listen(&mut guest, &format!("server dvs:{SERVER}"))?;
    let figures = measure(&mut guest, &format!("client dvs:{SERVER} --count {CALLS}"))?;
    end(server)?;
    Ok(figures.per_second)
}

fn peer_calls(guest: &RefCell<Guest>, kind: &str) -> Result<f64> {
    let mut guest = guest.borrow_mut();
    guest.run("rm -f /tmp/line*", COMMAND_LIMIT)?;
    let server = listen(&mut guest, &format!("server {kind}:/tmp/line"))?;
    let figures = measure(
        &mut guest,
        &format!("client {kind}:/tmp/line --count {CALLS}"),
    )?;
    server.finish(COMMAND_LIMIT)?.success()?;
    Ok(figures.per_second)
}

fn calls_beside(
    lab: &Lab,
    guest: &RefCell<Guest>,
    name: &'static str,
    peer: &'static str,
    kind: &str,
) -> Result<Row> {
    let contest = Contest {
        name,
        unit: "calls/s",
        peer,
    };
    contest.run(lab, || our_calls(guest), || peer_calls(guest, kind))
}

/// Lends a block of 64 KiB; gives the task and the grant's key.
pub fn lend(guest: &mut Guest) -> Result<(Task, String)> {
    let mut lender = guest.spawn(&format!("pingpong lend --ep {SERVER}"))?;
    let key = lender.wait_line(COMMAND_LIMIT, |line| {
        line.contains(',').then(|| line.to_owned())
    })?;
    Ok((lender, key))
}

/// Bytes a second by `count` copies of what was lent with this key, so many at once.
pub fn copy_rate(guest: &mut Guest, key: &str, count: u32, at_once: u32) -> Result<f64> {
    let command = format!("copy {key} --size 65536 --count {count} --at-once {at_once}");
    Ok(measure(guest, &command)?.bytes_per_second)
}

fn copies(lab: &Lab, guest: &RefCell<Guest>) -> Result<Row> {
    let (lender, key) = lend(&mut guest.borrow_mut())?;
    let contest = Contest {
        name: "vcopy64k_vs_process_vm_readv",
        unit: "B/s",
        peer: "process_vm_readv in the same guest",
    };
    let row = contest.run(
        lab,
        || copy_rate(&mut guest.borrow_mut(), &key, COPIES, 1),
        || {
            let command = format!("readv --size 65536 --count {COPIES}");
            Ok(measure(&mut guest.borrow_mut(), &command)?.bytes_per_second)
        },
    )?;
    end(lender)?;
    Ok(row)
}

/// Calls while many endpoints wait, beside calls while none does.
fn idle(lab: &Lab, guest: &RefCell<Guest>) -> Result<Row> {
    let contest = Contest {
        name: "rpc_beside_1000_idle",
        unit: "calls/s",
        peer: "the same without them",
    };
    contest.run(
        lab,
        || {
            let command = format!("pingpong idle --first {FIRST_IDLE} --count {IDLE}");
            let mut idle = guest.borrow_mut().spawn(&command)?;
            idle.wait_line(COMMAND_LIMIT, |line| line.contains("wait").then_some(()))?;
            let figure = our_calls(guest)?;
            end(idle)?;
            Ok(figure)
        },
        || our_calls(guest),
    )
}
