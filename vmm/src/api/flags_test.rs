use std::io::Write;

use super::super::config::ConsoleMode;
use super::*;

fn parse(args: &[&str]) -> Flags {
    Flags::try_parse_from(std::iter::once("dvs-vmm").chain(args.iter().copied())).unwrap()
}

fn config(args: &[&str]) -> VmConfig {
    parse(args).vm_config().unwrap().unwrap()
}

fn error(args: &[&str]) -> String {
    parse(args).vm_config().unwrap_err().to_string()
}

#[test]
fn flags_alone_describe_a_machine() {
    let config = config(&[
        "--kernel",
        "/k",
        "--initramfs",
        "/i",
        "--cmdline",
        "console=ttyS0 quiet",
        "--cpus",
        "boot=2",
        "--memory",
        "size=512M",
        "--serial",
        "file=/s",
        "--console",
        "socket=/c",
        "--dvs",
        "vm=7,dcid=3",
    ]);
    assert_eq!((config.cpus.boot_vcpus, config.memory.size), (2, 512 << 20));
    assert_eq!(config.payload.cmdline, "console=ttyS0 quiet");
    assert_eq!(
        (config.serial.mode, config.console.mode),
        (ConsoleMode::File, ConsoleMode::Socket)
    );
    assert_eq!(config.dvs.unwrap().vm, Some(7));
}

#[test]
fn flags_override_the_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(br#"{"payload":{"kernel":"/k","cmdline":"a"},"cpus":{"boot_vcpus":1},"serial":{"mode":"Off"}}"#)
        .unwrap();
    let path = file.path().to_str().unwrap();
    let config = config(&["--config", path, "--cmdline", "b", "--cpus", "boot=4"]);
    assert_eq!(
        (config.payload.cmdline.as_str(), config.cpus.boot_vcpus),
        ("b", 4)
    );
    assert_eq!(
        (config.payload.kernel.to_str(), config.serial.mode),
        (Some("/k"), ConsoleMode::Off)
    );
}

#[test]
fn nothing_given_means_no_machine_yet() {
    assert!(
        parse(&["--api-socket", "/a"])
            .vm_config()
            .unwrap()
            .is_none()
    );
}

#[test]
fn wrong_values_name_their_flag() {
    for (flag, value) in [
        ("--cpus", "2"),
        ("--cpus", "boot=two"),
        ("--memory", "512M"),
        ("--memory", "size=99999999999T"),
        ("--memory", "size="),
        ("--serial", "loud"),
        ("--console", "file"),
        ("--dvs", "vm=x,dcid=0"),
        ("--dvs", "port=1"),
    ] {
        let error = error(&["--kernel", "/k", flag, value]);
        assert!(error.starts_with(flag), "{error}");
    }
    assert!(error(&["--cpus", "boot=1"]).contains("payload"));
    assert!(error(&["--kernel", "/k", "--cpus", "boot=300"]).starts_with("cpus.boot_vcpus"));
}

#[test]
fn a_wrong_file_is_named() {
    assert!(error(&["--config", "/nowhere/vm.json"]).contains("/nowhere/vm.json"));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"{\"payload\": ").unwrap();
    assert!(error(&["--config", file.path().to_str().unwrap()]).contains("no JSON object"));
}
