use super::*;
use crate::api::config::from_json;

fn send(json: &str) -> Result<SendMigration, ConfigError> {
    let request: SendMigration = from_json(json.as_bytes())?;
    request.check().map(|()| request)
}

#[test]
fn what_is_left_out_has_cloud_hypervisors_defaults() {
    let request = send(r#"{"destination_url": "tcp:127.0.0.1:7500", "plaintext": true}"#).unwrap();
    assert_eq!(request.downtime_ms, 300);
    assert_eq!(request.timeout_s, 3600);
    assert_eq!(request.timeout_strategy, TimeoutStrategy::Cancel);
    assert_eq!(request.connections, 1);
    assert_eq!(request.address().unwrap().port(), 7500);
    let config = request.config().precopy;
    assert_eq!(config.downtime, Duration::from_millis(300));
    assert!(config.throttling.is_some() && config.bandwidth.is_none());
}

#[test]
fn cloud_hypervisors_words_are_understood() {
    let json =
        r#"{"destination_url": "tcp:[::1]:1", "plaintext": true, "timeout_strategy": "ignore"}"#;
    assert_eq!(
        send(json).unwrap().config().precopy.at_timeout,
        AtTimeout::Force
    );
}

#[test]
fn what_cannot_be_is_refused_by_the_name_of_its_field() {
    for (json, field) in [
        (
            r#"{"destination_url": "unix:/x", "plaintext": true}"#,
            "destination_url",
        ),
        (r#"{"destination_url": "tcp:h:1"}"#, "tls_dir"),
        (
            r#"{"destination_url": "tcp:h:1", "tls_dir": "/x"}"#,
            "destination_node",
        ),
        (
            r#"{"destination_url": "tcp:h:1", "tls_dir": "/x", "destination_node": 2, "plaintext": true}"#,
            "plaintext",
        ),
        (
            r#"{"destination_url": "tcp:h:1", "plaintext": true, "downtime_ms": 0}"#,
            "downtime_ms",
        ),
        (
            r#"{"destination_url": "tcp:h:1", "plaintext": true, "connections": 65}"#,
            "connections",
        ),
        (
            r#"{"destination_url": "tcp:h:1", "plaintext": true, "bandwidth_bytes_per_s": 1}"#,
            "bandwidth_bytes_per_s",
        ),
        (
            r#"{"destination_url": "tcp:h:1", "plaintext": true, "compression": "zstd"}"#,
            "compression",
        ),
        (
            r#"{"destination_url": "tcp:h:1", "plaintext": true, "speed": 1}"#,
            "speed",
        ),
        (r#"{}"#, "configuration"),
    ] {
        assert_eq!(send(json).unwrap_err().field, field, "{json}");
    }
    let request = send(r#"{"destination_url": "tcp:127.0.0.1:x", "plaintext": true}"#).unwrap();
    assert_eq!(request.address().unwrap_err().field, "destination_url");
}

#[test]
fn a_receiver_needs_a_node_and_a_place_to_listen() {
    let receive = |json: &str| -> Result<ReceiveMigration, ConfigError> {
        let request: ReceiveMigration = from_json(json.as_bytes())?;
        request.check().map(|()| request)
    };
    let json =
        r#"{"receiver_url": "tcp:0.0.0.0:0", "node": "/run/dvs/node.sock", "plaintext": true}"#;
    assert!(receive(json).is_ok());
    let json = r#"{"receiver_url": "tcp:0.0.0.0:0", "node": "", "plaintext": true}"#;
    assert_eq!(receive(json).unwrap_err().field, "node");
    let json = r#"{"receiver_url": "tcp:0.0.0.0:0", "node": "/x", "serial": {"mode": "File"}, "plaintext": true}"#;
    assert_eq!(receive(json).unwrap_err().field, "serial.file");
}
