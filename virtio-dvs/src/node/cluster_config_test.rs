use super::*;
use crate::node::config::{ConfigError, NodeConfig};
use std::path::PathBuf;

/// A file with as little as a node of a cluster needs.
const LEAST: &str = r#"{"nodeid": 2, "cluster": {"listen": "192.0.2.1:7100", "plaintext": true,
    "etcd": {"endpoints": ["http://192.0.2.9:2379"]}}}"#;

fn read(text: &str) -> NodeConfig {
    serde_json::from_str(text).unwrap()
}

fn cluster() -> ClusterConfig {
    read(LEAST).cluster.unwrap()
}

#[test]
fn little_must_be_said() {
    let config = read(LEAST);
    config.validate().unwrap();
    let cluster = cluster();
    assert_eq!(cluster.address(), cluster.listen);
    assert_eq!(cluster.name, "dvs");
    let links = cluster.links(NodeId(config.nodeid));
    assert_eq!((links.me, links.keepalive_ms), (NodeId(2), 3_000));
}

#[test]
fn others_must_find_it() {
    let everywhere = ClusterConfig {
        listen: "0.0.0.0:7100".parse().unwrap(),
        ..cluster()
    };
    let refused = everywhere.validate().unwrap_err();
    assert!(
        matches!(refused, ClusterConfigError::Address(_)),
        "{refused}"
    );
    let found = ClusterConfig {
        address: Some("192.0.2.1:7100".parse().unwrap()),
        ..everywhere
    };
    found.validate().unwrap();
}

#[test]
fn neither_certificates_nor_leave_to_do_without_is_refused() {
    let open = ClusterConfig {
        plaintext: false,
        ..cluster()
    };
    let refused = open.validate().unwrap_err();
    assert!(refused.to_string().contains("certificates"), "{refused}");
}

#[test]
fn a_directory_must_be_named() {
    let etcd = EtcdConfig::default();
    let refused = ClusterConfig { etcd, ..cluster() }.validate().unwrap_err();
    assert!(matches!(refused, ClusterConfigError::Etcd(_)), "{refused}");
}

#[test]
fn a_state_file_is_for_those_who_are_alone() {
    let config = NodeConfig {
        state_file: Some(PathBuf::from("state")),
        ..read(LEAST)
    };
    let refused = config.validate().unwrap_err();
    assert!(matches!(refused, ConfigError::StateFileInCluster));
}

#[test]
fn unknown_fields_are_refused() {
    let text = LEAST.replace("plaintext", "plain");
    assert!(serde_json::from_str::<NodeConfig>(&text).is_err());
}
