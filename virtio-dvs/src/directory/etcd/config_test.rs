use super::*;

fn plain() -> EtcdConfig {
    EtcdConfig {
        endpoints: vec!["http://127.0.0.1:2379".to_owned()],
        ..EtcdConfig::default()
    }
}

#[test]
fn an_endpoint_is_enough() {
    let config: EtcdConfig = serde_json::from_str(r#"{"endpoints":["http://127.0.0.1:2379"]}"#)
        .expect("all else has a default");
    assert_eq!(config, plain());
    assert_eq!(config.validate(), Ok(()));
    let unknown = serde_json::from_str::<EtcdConfig>(r#"{"endpoint":[]}"#);
    assert!(unknown.is_err());
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |change: fn(&mut EtcdConfig)| {
        let mut config = plain();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    };
    for (said, change) in [
        (
            "0 etcd endpoints",
            (|it| it.endpoints.clear()) as fn(&mut EtcdConfig),
        ),
        ("must begin with", |it| {
            it.endpoints.push("127.0.0.1:2379".to_owned())
        }),
        ("or all with https", |it| {
            it.endpoints.push("https://a:2379".to_owned())
        }),
        ("need \"ca\"", |it| {
            it.endpoints = vec!["https://a:2379".to_owned()]
        }),
        ("https:// only", |it| it.ca = Some("ca.pem".into())),
        ("\"user\" and \"password_file\"", |it| {
            it.user = Some("me".to_owned())
        }),
        ("\"cert\" and \"key\"", |it| it.key = Some("key.pem".into())),
        ("must end with a slash", |it| it.prefix = "/dvs".to_owned()),
        ("ttl_ms is 1000", |it| it.ttl_ms = 1000),
        ("ttl_ms is 60001", |it| it.ttl_ms = 60_001),
        ("timeout_ms is 0", |it| it.timeout_ms = 0),
    ] {
        let error = wrong(change);
        assert!(error.contains(said), "{error}");
    }
}
