use super::*;
use crate::directory::etcd::EtcdConfig;
use crate::link::{LinkLimits, TlsFiles};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use tempfile::TempDir;

/// Writes `text` to a file of this name and loads it.
fn load(name: &str, text: &str) -> Result<NodeConfig, ConfigError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    NodeConfig::load(&path)
}

/// The fields of a part of the configuration, as a refusal names them.
fn fields<T: DeserializeOwned + std::fmt::Debug>() -> BTreeSet<String> {
    let error = serde_json::from_str::<T>(r#"{"?": 0}"#).unwrap_err();
    let text = error.to_string();
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|name| *name != "?")
        .map(str::to_owned)
        .collect()
}

/// The configuration that is shipped, with every line in force that is a setting commented out.
fn shipped() -> String {
    let text = include_str!("../../../resources/systemd/dvs-node.toml");
    let in_force = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|line| in_force(line) + "\n").collect()
}

#[test]
fn toml_and_json_say_the_same() {
    let toml = "nodeid = 3\nrun_dir = \"/run/dvs\"\nmetrics_listen = \"[::1]:9100\"\n";
    let json = r#"{"nodeid": 3, "run_dir": "/run/dvs", "metrics_listen": "[::1]:9100"}"#;
    let config = load("node.toml", toml).unwrap();
    assert_eq!(config, load("node.json", json).unwrap());
    assert_eq!(config, load("node.conf", json).unwrap());
    assert_eq!((config.nodeid, config.max_vms), (3, 256));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let error = load("node.toml", "nodeid = 3\nmax_vm = 1\n").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("line 2") && text.contains("unknown field `max_vm`"),
        "{text}"
    );
    let error = load("node.toml", "metrics_listen = \"nowhere\"\n").unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[test]
fn the_shipped_file_names_every_setting_and_no_other() {
    let table: toml::Table = toml::from_str(&shipped()).unwrap();
    let part = |path: &[&str]| -> BTreeSet<String> {
        let walk = |at: toml::Value, name: &&str| at[*name].clone();
        let at = path.iter().fold(toml::Value::Table(table.clone()), walk);
        at.as_table().unwrap().keys().cloned().collect()
    };
    assert_eq!(part(&[]), fields::<NodeConfig>());
    assert_eq!(part(&["cluster"]), fields::<ClusterConfig>());
    assert_eq!(part(&["cluster", "etcd"]), fields::<EtcdConfig>());
    assert_eq!(part(&["cluster", "tls"]), fields::<TlsFiles>());
    assert_eq!(part(&["cluster", "limits"]), fields::<LinkLimits>());
}

#[test]
fn the_shipped_file_is_right_as_it_is_and_in_a_cluster() {
    let text = include_str!("../../../resources/systemd/dvs-node.toml");
    load("node.toml", text).unwrap().validate().unwrap();
    let mut config = load("node.toml", &shipped()).unwrap();
    assert!(matches!(
        config.validate(),
        Err(ConfigError::StateFileInCluster)
    ));
    config.state_file = None;
    config.validate().unwrap();
}

#[test]
fn what_the_shipped_file_comments_out_is_the_default() {
    let mut config = load("node.toml", &shipped()).unwrap();
    let cluster = config.cluster.take().unwrap();
    let default = NodeConfig {
        api_socket: config.api_socket.clone(),
        run_dir: config.run_dir.clone(),
        state_file: config.state_file.clone(),
        metrics_listen: config.metrics_listen,
        ..NodeConfig::default()
    };
    assert_eq!(config, default);
    let etcd = &cluster.etcd;
    let default = EtcdConfig::default();
    assert_eq!(
        (&etcd.prefix, etcd.ttl_ms, etcd.timeout_ms),
        (&default.prefix, default.ttl_ms, default.timeout_ms)
    );
    let default = ClusterConfig {
        address: cluster.address,
        tls: cluster.tls.clone(),
        ..ClusterConfig::new(cluster.listen, cluster.etcd.clone())
    };
    assert_eq!(cluster, default);
}

#[test]
fn the_configuration_of_the_quick_start_is_right() {
    let text = include_str!("../../../docs/quick-start.md");
    let toml = text.split("```toml\n").nth(1).unwrap();
    let toml = toml.split("```").next().unwrap();
    load("node.toml", toml).unwrap().validate().unwrap();
}
