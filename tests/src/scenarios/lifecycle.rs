//! Guests, modules and processes that come and go in good order.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use virtio_dvs::vm::VmAttributes;

use super::calls::{self, all_ok};
use super::demo::stage;
use super::{DCID, ping};
use crate::harness::{Attachment, COMMAND_LIMIT, Guest, GuestSpec, Host, Lab, Task};

/// Processes that call at once.
const CLIENTS: u32 = 8;
/// How long a guest is stopped: longer than calls in flight and the client's next lines need.
const PAUSE: Duration = Duration::from_secs(3);
/// Loads and unloads of the module.
const RELOADS: u32 = 10;

/// One command starts one VM with everything: the node is in the VMM's process.
pub fn node_in_the_vmm(lab: &Lab) -> Result<()> {
    let attachment = Attachment::InProcess { vm: 1, dcid: DCID };
    let mut guest = Guest::boot(lab, &GuestSpec::new("alone", attachment))?;
    let server = ping::serve(lab, &mut guest, 1)?;
    expect_clean(
        &ping::finish(guest.spawn(&ping::client_line(0, "--count 500"))?)?,
        500,
    )?;
    server.finish(COMMAND_LIMIT)?.success()?;
    no_complaints(&mut guest)?;
    guest.power_off()
}

/// Every call of /dev/dvs within one VM, checked by the guest's own programs; then the module comes
/// and goes.
pub fn in_one_vm(lab: &Lab) -> Result<()> {
    let (_host, mut guests) = stage(lab, 1)?;
    let guest = guests.first_mut().context("a guest was booted")?;
    passes(guest, "dvs-selftest")?;
    lab.say("every call between processes");
    calls::within(guest)?;
    lab.say("the module is loaded again and again");
    reload_module(lab, guest)
}

/// Every call as programs written for the DVS make it, within one VM that may administer its DC.
pub fn compatible_calls(lab: &Lab) -> Result<()> {
    let host = Host::start(lab, "node")?;
    let socket = host.attach_with(&VmAttributes {
        admin: true,
        ..VmAttributes::new(1, DCID)
    })?;
    let mut guest = Guest::boot(lab, &GuestSpec::new("vm-1", Attachment::Node(socket)))?;
    passes(&mut guest, "dvk-tests")
}

/// A program of the guest that prints TAP.
fn passes(guest: &mut Guest, program: &str) -> Result<()> {
    all_ok(&guest.spawn(program)?.finish(ping::RUN_LIMIT)?)?;
    no_complaints(guest)
}

/// Many processes of a guest with two vCPUs call a server in another guest at once.
pub fn many_processes(lab: &Lab) -> Result<()> {
    let host = Host::start(lab, "node")?;
    let spec = |vm: u32| -> Result<GuestSpec> {
        let name = format!("vm-{vm}");
        Ok(GuestSpec::new(&name, Attachment::Node(host.attach(vm, DCID)?)).with_cpus(2))
    };
    let mut guests = Guest::boot_all(lab, &[spec(1)?, spec(2)?])?;
    let (serving, calling) = pair(&mut guests)?;
    let server = ping::serve(lab, serving, CLIENTS)?;
    let mut clients = Vec::new();
    for number in 0..i32::try_from(CLIENTS)? {
        clients.push(calling.spawn(&ping::client_line(
            number,
            "--count 200 --sends 50 --notifies 20",
        ))?);
    }
    for client in clients {
        expect_clean(&ping::finish(client)?, 200)?;
    }
    server.finish(COMMAND_LIMIT)?.success()?;
    for guest in &mut guests {
        no_complaints(guest)?;
    }
    Ok(())
}

/// The module is unloaded and loaded in a loop, with calls in between; nothing is left behind.
fn reload_module(lab: &Lab, guest: &mut Guest) -> Result<()> {
    for _ in 0..RELOADS {
        guest.run(
            "rmmod virtio_dvs && insmod /lib/modules/virtio_dvs.ko",
            COMMAND_LIMIT,
        )?;
        let server = ping::serve(lab, guest, 1)?;
        let client = guest.spawn(&ping::client_line(0, "--count 20"))?;
        expect_clean(&ping::finish(client)?, 20)?;
        server.finish(COMMAND_LIMIT)?.success()?;
    }
    no_complaints(guest)
}

/// The driver lets go of the device, and of its module, with files open and calls under way.
pub fn unplug(lab: &Lab) -> Result<()> {
    let (_host, mut guests) = stage(lab, 1)?;
    let guest = guests.first_mut().context("a guest was booted")?;
    guest.run("dvs-selftest --unplug", ping::RUN_LIMIT)?;
    no_complaints(guest)
}

/// A guest is stopped in the middle of calls; they go on when it does.
pub fn pause_and_resume(lab: &Lab) -> Result<()> {
    let (_host, mut guests) = stage(lab, 2)?;
    let (serving, calling) = pair(&mut guests)?;
    let server = ping::serve(lab, serving, 1)?;
    let mut client = calling.spawn(&ping::client_line(0, "--count 1500"))?;
    let calls = |line: &str| line.contains("calls/s").then_some(());
    client.wait_line(COMMAND_LIMIT, calls)?;
    let api = serving.api();
    api.put("vm.pause", None)?;
    let state = api.get("vm.info")?["state"].clone();
    ensure!(state == "Paused", "after vm.pause the state is {state}");
    // A line may have been on its way.
    let talks = |client: &mut Task| client.wait_line(PAUSE, calls).is_ok();
    let goes_on = talks(&mut client) && talks(&mut client);
    ensure!(!goes_on, "a paused server went on answering");
    api.put("vm.resume", None)?;
    expect_clean(&ping::finish(client)?, 1500)?;
    server.finish(COMMAND_LIMIT)?.success()?;
    no_complaints(serving)?;
    no_complaints(calling)
}

/// A guest that reboots comes back, with the same VMM, as a new life of the same VM.
pub fn reboot(lab: &Lab) -> Result<()> {
    let (_host, mut guests) = stage(lab, 2)?;
    let (first, second) = pair(&mut guests)?;
    drop(ping::serve(lab, first, 1)?);
    first.reboot()?;
    lab.say("vm-1 has rebooted");
    let server = ping::serve(lab, first, 1)?;
    expect_clean(
        &ping::finish(second.spawn(&ping::client_line(0, "--count 100"))?)?,
        100,
    )?;
    server.finish(COMMAND_LIMIT)?.success()?;
    no_complaints(first)?;
    no_complaints(second)
}

/// Both guests of a stage with two.
pub fn pair(guests: &mut [Guest]) -> Result<(&mut Guest, &mut Guest)> {
    match guests {
        [one, other] => Ok((one, other)),
        _ => anyhow::bail!("there are not two guests"),
    }
}

/// All calls were made, and nothing went wrong.
pub fn expect_clean(report: &ping::Report, calls: u64) -> Result<()> {
    let wrong = report.lost + report.duplicated + report.out_of_order + report.errors;
    ensure!(report.rpcs == calls && wrong == 0, "{report:?}");
    Ok(())
}

/// The guest's kernel found nothing to complain about.
pub fn no_complaints(guest: &mut Guest) -> Result<()> {
    let complaints = guest.kernel_complaints()?;
    ensure!(
        complaints.is_empty(),
        "{}: {}",
        guest.name(),
        complaints.join(" | ")
    );
    Ok(())
}
