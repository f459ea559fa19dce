//! What the unit of a virtual machine calls is what the programs take.

#![allow(clippy::unwrap_used, reason = "a test")]

use clap::Parser;
use dvs_vmm::api::config::VmConfig;
use dvs_vmm::api::flags::Flags;
use dvs_vmm::ctl::args::{Cli, Command};

const UNIT: &str = include_str!("../../resources/systemd/dvs-vmm@.service");
const COMING: &str = include_str!("../../resources/systemd/dvs-migration@.service");
const COMING_SOCKET: &str = include_str!("../../resources/systemd/dvs-migration.socket");

/// Commands of a unit that call `program`, as for VM 7 without settings of its own.
fn calls(unit: &str, program: &str) -> Vec<Vec<String>> {
    let commands = unit.lines().filter_map(|line| {
        let (key, command) = line.split_once('=')?;
        key.starts_with("Exec")
            .then(|| command.trim_start_matches('-'))
    });
    let path = format!("/usr/bin/{program}");
    commands
        .map(|it| it.replace("%i", "7").replace(" $ATTACH", ""))
        .map(|it| it.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .filter(|words| words.first() == Some(&path))
        .collect()
}

#[test]
fn the_vmm_takes_its_flags() {
    let calls = calls(UNIT, "dvs-vmm");
    let [call] = calls.as_slice() else {
        panic!("{calls:?}");
    };
    let flags = Flags::try_parse_from(call).unwrap();
    assert_eq!(flags.config.unwrap().to_str(), Some("/etc/dvs/vm-7.json"));
}

#[test]
fn machines_are_taken_where_dvsctl_sends_them() {
    let calls = calls(COMING, "dvs-vmm");
    let [call] = calls.as_slice() else {
        panic!("{calls:?}");
    };
    let flags = Flags::try_parse_from(call).unwrap();
    assert!(flags.receive_migration().unwrap().is_some());
    let migrate = Cli::try_parse_from(["dvsctl", "migrate", "7", "--to", "2"]).unwrap();
    let Command::Migrate(migrate) = migrate.command else {
        panic!("{migrate:?}");
    };
    let listens = format!("ListenStream={}", migrate.port);
    assert!(COMING_SOCKET.lines().any(|line| line == listens));
    let directory = flags.incoming.api_dir.unwrap();
    assert_eq!(migrate.sockets()[1], directory.join("vm-7.sock"));
    // And those that were started here are found too.
    let started = format!("--api-socket {} ", migrate.sockets()[0].display());
    assert!(UNIT.replace("%i", "7").contains(&started));
}

#[test]
fn dvsctl_takes_its_commands() {
    let parsed: Vec<_> = calls(UNIT, "dvsctl")
        .iter()
        .map(|call| Cli::try_parse_from(call).unwrap().command)
        .collect();
    assert!(matches!(&parsed[0], Command::Attach(attach) if attach.vm == 7));
    assert!(matches!(&parsed[1], Command::Vm(_)));
}

#[test]
fn the_example_of_settings_is_taken() {
    let example = UNIT.lines().find_map(|it| it.strip_prefix("#   ATTACH="));
    let base = ["dvsctl", "attach", "--vm", "7"];
    let words = base.into_iter().chain(example.unwrap().split(' '));
    Cli::try_parse_from(words).unwrap();
}

#[test]
fn the_machine_of_the_quick_start_is_taken() {
    let text = include_str!("../../docs/quick-start.md");
    let json = text.split("```json\n").nth(1).unwrap();
    let json = json.split("```").next().unwrap();
    let config = VmConfig::from_json(json.as_bytes()).unwrap();
    config.check().unwrap();
}
