use super::*;
use std::collections::BTreeSet;
use tempfile::TempDir;

/// Writes `text` to a file of this name and loads it.
fn load(name: &str, text: &str) -> Result<NodeConfig, ConfigError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    NodeConfig::load(&path)
}

/// The fields of the configuration, as a refusal names them.
fn fields() -> BTreeSet<String> {
    let error = serde_json::from_str::<NodeConfig>(r#"{"?": 0}"#).unwrap_err();
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
    assert_eq!(
        table.into_iter().map(|it| it.0).collect::<BTreeSet<_>>(),
        fields()
    );
    load("node.toml", &shipped()).unwrap().validate().unwrap();
}

#[test]
fn what_the_shipped_file_comments_out_is_the_default() {
    let text = include_str!("../../../resources/systemd/dvs-node.toml");
    let as_shipped = load("node.toml", text).unwrap();
    let default = NodeConfig::default();
    assert_eq!(as_shipped.max_vms, default.max_vms);
    let full = load("node.toml", &shipped()).unwrap();
    assert_eq!(
        (full.max_vms, full.grace_ms, full.allow_unsealed_memory),
        (
            default.max_vms,
            default.grace_ms,
            default.allow_unsealed_memory
        )
    );
}
