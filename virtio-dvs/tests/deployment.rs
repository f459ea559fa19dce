//! The units for systemd fit to the programs and to systemd.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The units, by the names that systemd is to check them under.
const UNITS: [(&str, &str); 4] = [
    (
        "dvs-node.service",
        include_str!("../../resources/systemd/dvs-node.service"),
    ),
    (
        "dvs-vmm@7.service",
        include_str!("../../resources/systemd/dvs-vmm@.service"),
    ),
    (
        "dvs-migration.socket",
        include_str!("../../resources/systemd/dvs-migration.socket"),
    ),
    (
        "dvs-migration@7.service",
        include_str!("../../resources/systemd/dvs-migration@.service"),
    ),
];

/// Puts a program that is there in the place of ours, which are not installed.
fn with_stand_ins(unit: &str) -> String {
    let mut text = unit.to_owned();
    for program in ["dvs-node", "dvs-vmm", "dvsctl"] {
        text = text.replace(&format!("/usr/bin/{program} "), "/bin/true ");
    }
    text
}

#[test]
fn systemd_takes_the_units() {
    let directory = TempDir::new().unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]);
    for (name, text) in UNITS {
        let path = directory.path().join(name);
        std::fs::write(&path, with_stand_ins(text)).unwrap();
        verify.arg(path);
    }
    match verify.output() {
        Ok(output) => {
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{said}");
            let unknown = |line: &&str| line.contains("Unknown");
            assert_eq!(said.lines().find(unknown), None);
        }
        Err(error) => eprintln!("the units are not checked: no systemd-analyze: {error}"),
    }
}

#[test]
fn the_node_takes_the_flags_of_its_unit() {
    let text = UNITS[0].1;
    let start = text.lines().find_map(|it| it.strip_prefix("ExecStart="));
    let mut words = start.unwrap().split(' ');
    assert_eq!(
        Path::new(words.next().unwrap()).file_name().unwrap(),
        "dvs-node"
    );
    let output = Command::new(env!("CARGO_BIN_EXE_dvs-node"))
        .args(words)
        // Checks the flags and does nothing with them.
        .args(["--print", "man"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_directories_of_the_unit_are_those_of_the_configuration() {
    let config = include_str!("../../resources/systemd/dvs-node.toml");
    assert!(config.contains("\napi_socket = \"/run/dvs/node.sock\"\n"));
    assert!(config.contains("\nrun_dir = \"/run/dvs/vms\"\n"));
    assert!(config.contains("\nstate_file = \"/var/lib/dvs/state\"\n"));
    let unit = UNITS[0].1;
    for line in [
        "RuntimeDirectory=dvs",
        "RuntimeDirectoryPreserve=yes",
        "StateDirectory=dvs",
    ] {
        assert!(unit.lines().any(|it| it == line), "{line}");
    }
}
