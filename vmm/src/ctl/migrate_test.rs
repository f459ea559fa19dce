use clap::Parser;
use dvs_migration::progress::Side;

use super::super::args::{Cli, Command};
use super::*;

fn migrate(arguments: &[&str]) -> Migrate {
    let cli = Cli::try_parse_from([&["dvsctl", "migrate"], arguments].concat()).unwrap();
    match cli.command {
        Command::Migrate(migrate) => migrate,
        other => panic!("{other:?}"),
    }
}

#[test]
fn machines_are_taken_at_the_address_of_the_node() {
    let nodes = json!([
        {"nodeid": 1, "address": "10.0.0.1:7400", "alive": true},
        {"nodeid": 2, "address": "[fd00::2]:7400", "alive": true},
        {"nodeid": 3, "address": "10.0.0.3:7400", "alive": false},
    ]);
    let of = |node: &str| url(&nodes, &migrate(&["7", "--to", node]));
    assert_eq!(of("1").unwrap(), "tcp:10.0.0.1:7501");
    assert_eq!(of("2").unwrap(), "tcp:[fd00::2]:7501");
    assert!(matches!(of("3"), Err(MigrateError::Down(3))));
    assert!(matches!(of("4"), Err(MigrateError::NoNode(4))));
}

#[test]
fn what_is_asked_for_is_what_the_vmm_takes() {
    let all = migrate(&[
        "7",
        "--to",
        "2",
        "--downtime-ms",
        "50",
        "--timeout-s",
        "9",
        "--timeout-strategy",
        "force",
        "--connections",
        "4",
        "--bandwidth",
        "2000000",
        "--lz4",
        "--no-auto-converge",
        "--tls-dir",
        "/pki",
    ]);
    for (migrate, tls) in [
        (all, true),
        (migrate(&["7", "--to", "2", "--plaintext"]), false),
    ] {
        let body = request(&migrate, "tcp:127.0.0.1:7501").unwrap().to_string();
        let read = crate::api::config::from_json(body.as_bytes());
        let sent: crate::migration::request::SendMigration = read.unwrap();
        sent.check().unwrap();
        assert_eq!(
            (sent.tls_dir.is_some(), sent.destination_node),
            (tls, Some(2))
        );
    }
    let neither = request(&migrate(&["7", "--to", "2"]), "tcp:127.0.0.1:1");
    assert!(matches!(neither, Err(MigrateError::Security)));
}

#[test]
fn the_summary_tells_what_the_downtime_was_spent_on() {
    let mut progress = Progress::new(Side::Source, 7);
    progress.total = Some(Duration::from_millis(1500));
    progress.downtime = Some(Duration::from_micros(41_500));
    progress.downtime_parts.drain = Some(Duration::from_millis(2));
    progress.downtime_parts.commit = Some(Duration::from_millis(15));
    let text = summary(&progress, &migrate(&["7", "--to", "2"]));
    assert!(
        text.contains("stood still for 41.5 ms (drain 2.0, commit 15.0)"),
        "{text}"
    );
}
