//! Machines on the real /dev/kvm, with a mini guest of a few instructions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use common::{INTERRUPTED, Running, Step, VECTOR, kernel, power_off, print, serial_interrupts};
use dvs_vmm::api::{Request, Response, VmState};
use dvs_vmm::control::VmmError;
use serde_json::{Value, json};

fn config(kernel: &Path, serial: Value) -> Value {
    json!({"payload": {"kernel": kernel}, "memory": {"size": 16 << 20}, "serial": serial})
}

fn state(vmm: &Running) -> VmState {
    match vmm.ask(Request::Info).unwrap() {
        Response::Info(info) => info.state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_guest_prints_and_powers_off() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("serial");
    let script = [print("hello\n"), vec![power_off()]].concat();
    let vmm = Running::boot(config(
        &kernel(folder.path(), &script),
        json!({"mode": "File", "file": out}),
    ));
    vmm.end().unwrap();
    assert_eq!(std::fs::read_to_string(out).unwrap(), "hello\n");
}

#[test]
fn a_guest_that_resets_boots_again_in_place() {
    let resets = [Step::Out8(0x608, 1), Step::Out8(0x64, 0xfe)];
    for reset in resets {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("serial.sock");
        let script = [print("boot\n"), vec![reset]].concat();
        let vmm = Running::boot(config(
            &kernel(folder.path(), &script),
            json!({"mode": "Socket", "socket": socket}),
        ));
        let mut seen = [0; 15];
        UnixStream::connect(&socket)
            .unwrap()
            .read_exact(&mut seen)
            .unwrap();
        assert_eq!(&seen, b"boot\nboot\nboot\n");
        vmm.stop();
    }
}

#[test]
fn a_triple_fault_is_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("serial.sock");
    // An access beyond the mapped 4 GiB is a page fault, for which there is no handler.
    let script = [print("x"), vec![Step::Write8(1 << 40, 0)]].concat();
    let vmm = Running::boot(config(
        &kernel(folder.path(), &script),
        json!({"mode": "Socket", "socket": socket}),
    ));
    let mut seen = [0; 3];
    UnixStream::connect(&socket)
        .unwrap()
        .read_exact(&mut seen)
        .unwrap();
    assert_eq!(&seen, b"xxx");
    vmm.stop();
}

/// Reads what there is; true where there was something before the silence.
fn hears_something(stream: &mut UnixStream) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    match stream.read(&mut [0; 65536]) {
        Ok(len) => len > 0,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_paused_guest_does_nothing_until_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("serial.sock");
    let script = [Step::PrintForEver(b'.')];
    let vmm = Running::boot(config(
        &kernel(folder.path(), &script),
        json!({"mode": "Socket", "socket": socket}),
    ));
    let mut stream = UnixStream::connect(&socket).unwrap();
    assert!(hears_something(&mut stream));
    vmm.ask(Request::Pause).unwrap();
    assert_eq!(state(&vmm), VmState::Paused);
    // What was printed before the pause may still be on its way, and is less than the backlog and the socket hold.
    let mut reads = 0;
    while hears_something(&mut stream) {
        reads += 1;
        assert!(reads < 10_000, "a paused guest prints");
    }
    vmm.ask(Request::Resume).unwrap();
    assert_eq!(state(&vmm), VmState::Running);
    assert!(hears_something(&mut stream));
    vmm.stop();
}

#[test]
fn a_serial_socket_that_nobody_reads_does_not_stop_the_guest() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("serial.sock");
    let script = [print(&"x".repeat(20_000)), vec![power_off()]].concat();
    let vmm = Running::boot(config(
        &kernel(folder.path(), &script),
        json!({"mode": "Socket", "socket": socket}),
    ));
    let _silent = UnixStream::connect(&socket);
    vmm.end().unwrap();
}

#[test]
fn input_of_a_socket_reaches_the_guest() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("serial.sock");
    // Ready, then wait for "data ready" in the line status register by interrupt: IRQ 4 through the I/O APIC.
    let script = [
        serial_interrupts(),
        print("?"),
        vec![Step::Wait16(INTERRUPTED, 1)],
        print("!"),
        vec![power_off()],
    ]
    .concat();
    let vmm = Running::boot(config(
        &kernel(folder.path(), &script),
        json!({"mode": "Socket", "socket": socket}),
    ));
    let mut stream = UnixStream::connect(&socket).unwrap();
    let mut seen = [0];
    stream.read_exact(&mut seen).unwrap();
    assert_eq!(&seen, b"?");
    stream.write_all(b"k").unwrap();
    stream.read_exact(&mut seen).unwrap();
    assert_eq!(&seen, b"!");
    vmm.end().unwrap();
}

#[test]
fn the_power_button_is_refused_by_a_guest_that_does_not_listen() {
    let folder = tempfile::tempdir().unwrap();
    let vmm = Running::boot(config(&kernel(folder.path(), &[]), json!({"mode": "Null"})));
    let error = vmm.ask(Request::PowerButton).unwrap_err().to_string();
    assert!(error.contains("does not listen"), "{error}");
    vmm.stop();
}

#[test]
fn a_shut_down_machine_boots_again() {
    let folder = tempfile::tempdir().unwrap();
    let vmm = Running::boot(config(&kernel(folder.path(), &[]), json!({"mode": "Null"})));
    vmm.ask(Request::Shutdown).unwrap();
    assert_eq!(state(&vmm), VmState::Shutdown);
    assert!(vmm.ask(Request::Shutdown).is_err());
    vmm.ask(Request::Boot).unwrap();
    assert!(vmm.ask(Request::Boot).is_err());
    vmm.ask(Request::Reboot).unwrap();
    assert_eq!(state(&vmm), VmState::Running);
    assert!(matches!(
        vmm.ask(Request::Counters).unwrap(),
        Response::Counters(_)
    ));
    vmm.stop();
}

#[test]
fn a_stock_kernel_is_refused_with_a_sentence_where_kvm_cannot_run_it() {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let can_run = dvs_vmm::machine::kvm::has_hardware_virtualization(&cpuinfo);
    let folder = tempfile::tempdir().unwrap();
    let kernel = folder.path().join("vmlinuz");
    let mut image = vec![0; 8192];
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x236] = 1;
    std::fs::write(&kernel, image).unwrap();
    let result = std::process::Command::new(env!("CARGO_BIN_EXE_dvs-vmm"))
        .args(["--kernel".as_ref(), kernel.as_os_str()])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(result.stderr).unwrap();
    // Elsewhere it is refused as well, since it is damaged, but for that reason.
    assert!(!result.status.success());
    assert_eq!(text.contains("neither vmx nor svm"), !can_run, "{text}");
}

/// What a driver does with the device, from PCI configuration to DRIVER_OK, with one interrupt for all queues.
fn drive_dvs() -> Vec<Step> {
    const COMMON: u64 = 0xc000_0000;
    const MSIX_TABLE: u64 = 0xc000_3000;
    /// Where the MSI-X capability is: behind four capabilities of 16 bytes, and one of 20, and the first of 20.
    const MSIX: u64 = 0x40 + 16 * 3 + 20 * 2;
    let config = |offset: u64, value: u64| {
        [
            Step::Out32(0xcf8, 0x8000_0800 | offset),
            Step::Out32(0xcfc, value),
        ]
    };
    let mut steps = Vec::new();
    steps.extend(config(4, 7));
    steps.extend(config(MSIX, 0x8000_0000));
    for (offset, value) in [(0, 0xfee0_0000), (4, 0), (8, u64::from(VECTOR)), (12, 0)] {
        steps.push(Step::Write32(MSIX_TABLE + 16 + offset, value));
    }
    steps.push(Step::Write32(0xfee0_00f0, 0x1ff));
    steps.push(Step::Write8(COMMON + 0x14, 3));
    steps.extend([Step::Write32(COMMON + 8, 1), Step::Write32(COMMON + 12, 1)]);
    steps.push(Step::Write8(COMMON + 0x14, 11));
    for queue in 0..5 {
        let base = queue_base(queue);
        steps.extend([
            Step::Write16(COMMON + 0x16, queue),
            Step::Write16(COMMON + 0x18, 16),
            Step::Write16(COMMON + 0x1a, 1),
            Step::Write32(COMMON + 0x20, base),
            Step::Write32(COMMON + 0x28, base + 0x1000),
            Step::Write32(COMMON + 0x30, base + 0x2000),
            Step::Write16(COMMON + 0x1c, 1),
        ]);
    }
    steps.push(Step::Write8(COMMON + 0x14, 15));
    steps
}

fn queue_base(queue: u64) -> u64 {
    0x80_0000 + queue * 0x1_0000
}

#[test]
fn a_kick_reaches_the_node_and_its_answer_is_an_interrupt() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("serial");
    let (tx, buffer) = (queue_base(0), 0x90_0000);
    let script = [
        drive_dvs(),
        // After any start of a port the node signals every queue once.
        vec![Step::Wait16(INTERRUPTED, 1)],
        print("signalled\n"),
        // A frame of nonsense: the node takes it, gives it back and goes on.
        vec![
            Step::Write32(tx, buffer),
            Step::Write32(tx + 8, 64),
            Step::Write16(tx + 0x1000 + 4, 0),
            Step::Write16(tx + 0x1000 + 2, 1),
            Step::Out16(0xc000, 0),
            Step::Wait16(tx + 0x2000 + 2, 1),
        ],
        print("used\n"),
        vec![power_off()],
    ]
    .concat();
    let mut config = config(
        &kernel(folder.path(), &script),
        json!({"mode": "File", "file": out}),
    );
    config["dvs"] = json!({"vm": 1, "dcid": 0});
    Running::boot(config).end().unwrap();
    assert_eq!(std::fs::read_to_string(out).unwrap(), "signalled\nused\n");
}

#[test]
fn a_missing_node_fails_the_boot_with_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let kernel = kernel(folder.path(), &[]);
    let result = std::process::Command::new(env!("CARGO_BIN_EXE_dvs-vmm"))
        .args([
            "--serial",
            "off",
            "--dvs",
            "socket=/nowhere/vm-1.sock",
            "--kernel",
        ])
        .arg(kernel)
        .output()
        .unwrap();
    let text = String::from_utf8(result.stderr).unwrap();
    assert!(
        !result.status.success() && text.contains("/nowhere/vm-1.sock"),
        "{text}"
    );
}

#[test]
fn errors_of_the_vmm_are_sentences() {
    let error = VmmError::Guest("KVM gave up".into());
    assert_eq!(error.to_string(), "KVM gave up");
}
